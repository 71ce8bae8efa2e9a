/* Hits and matches: rows of a HitTable and a FindingsTable, as moderation/rules/marks.py and table.py have them. */

#ifndef MODERATION_HITS_H
#define MODERATION_HITS_H

#include "common.h"

/* A hit: its place, and all else there is to it. */
typedef struct {
    int32_t start, end, mark;
} Hit;

#define MARK_RARE 1
#define MARK_FRAIL 2
#define MARK_FOLD(mark) ((mark) >> 2 & 15)
#define MARK_CUE (1 << 6)
#define MARK_VIEW(mark) ((mark) >> 7 & 3)
#define MARK_OF(regex, view, fold, frail, rare) ((regex) << 9 | (view) << 7 | (fold) << 2 | (frail) << 1 | (rare))

typedef struct {
    int32_t rule, level, flags;
} Match;

enum { BOLD_MATCH = 1, FRAIL_MATCH = 2, CONTEXT = 4 };

#define NO_LEVEL (-1)

#endif
