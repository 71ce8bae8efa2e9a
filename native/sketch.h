/* Sketches of regular expressions: see moderation/rules/sketch.py. */

#ifndef MODERATION_SKETCH_H
#define MODERATION_SKETCH_H

#include "common.h"

/* One expression: a program over its own classes of code points, and what is known of how it runs. Class 0 is that of
   the code points that no sketch knows: they belong to every set. The class behind the last is the edge of a text. */
typedef struct {
    const int32_t *row; /* instruction, and one or two numbers */
    int32_t rows;       /* 0: the expression has no sketch */
    const uint16_t *class; /* by class of all sketches */
    const uint8_t *member; /* sets by class */
    int32_t sets, classes;
    /* What has been learnt: for every state the class before it and the rows to go on at, and where it leads to by
       class: 0 not known yet, 1 to a match, else where the entries of a state begin, plus 2. */
    int32_t *next;
    int32_t *at, *item; /* at: where the rows of each state begin */
    uint16_t *before;   /* of each state */
    uint16_t *alike;    /* of each class the first that no instruction tells from it as what stands before */
    int32_t states, states_room, items_room;
} Sketch;

typedef struct {
    Sketch *sketch;
    int32_t count, classes, longest; /* longest: rows of a sketch */
    int32_t *row, *stack, *seen;     /* seen: when each row was reached last */
    uint16_t *class, *class_of; /* class_of: by code point */
    uint8_t *member;
    int32_t time;
} Sketches;

Sketches *sketches_from(PyObject *capsule);
int sketch_matches(Sketches *all, int32_t number, const uint16_t *class, int64_t length);

static inline uint16_t sketch_class(const Sketches *all, uint32_t code) { return code < CODE_SPACE ? all->class_of[code] : 0; }

#endif
