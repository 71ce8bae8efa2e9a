/* The functions of features.c; kernel.c lists them. */

#ifndef MODERATION_FEATURES_H
#define MODERATION_FEATURES_H

#include "common.h"

PyObject *kernel_decode(PyObject *, PyObject *);
PyObject *kernel_ngrams(PyObject *, PyObject *);
PyObject *kernel_ngram_sums(PyObject *, PyObject *);
PyObject *kernel_ngram_set_sums(PyObject *, PyObject *);
PyObject *kernel_pad(PyObject *, PyObject *);
PyObject *kernel_scripts(PyObject *, PyObject *);
PyObject *kernel_languages(PyObject *, PyObject *);

#endif
