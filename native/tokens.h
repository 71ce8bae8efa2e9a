/* The functions of tokens.c; kernel.c lists them. */

#ifndef MODERATION_TOKENS_H
#define MODERATION_TOKENS_H

#include "common.h"
#include "utf8.h"

PyObject *kernel_tokenizer(PyObject *, PyObject *);
PyObject *kernel_encode(PyObject *, PyObject *);

#endif
