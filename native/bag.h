/* The function of bag.c; kernel.c lists it. */

#ifndef MODERATION_BAG_H
#define MODERATION_BAG_H

#include "common.h"

PyObject *kernel_bag(PyObject *, PyObject *);

#endif
