/* The functions of ngrams.c; kernel.c lists them. */

#ifndef MODERATION_NGRAMS_H
#define MODERATION_NGRAMS_H

#include "common.h"

PyObject *kernel_ngrams(PyObject *, PyObject *);
PyObject *kernel_ngram_sums(PyObject *, PyObject *);
PyObject *kernel_ngram_set_sums(PyObject *, PyObject *);
PyObject *kernel_screened(PyObject *, PyObject *);

#endif
