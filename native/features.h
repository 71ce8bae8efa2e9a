/* The functions of features.c; kernel.c lists them. */

#ifndef MODERATION_FEATURES_H
#define MODERATION_FEATURES_H

#include "common.h"

PyObject *kernel_decode(PyObject *, PyObject *);
PyObject *kernel_pad(PyObject *, PyObject *);
PyObject *kernel_taken(PyObject *, PyObject *);
PyObject *kernel_scripts(PyObject *, PyObject *);
PyObject *kernel_languages(PyObject *, PyObject *);

#endif
