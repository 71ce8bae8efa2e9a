/* An automaton over code points, and which of the places it finds count. */

#ifndef MODERATION_AUTOMATON_H
#define MODERATION_AUTOMATON_H

#include "common.h"

typedef struct {
    int32_t *base, *check, *fail, *link, *out;
    size_t room;
    int32_t states;
    int32_t *length; /* of each pattern */
    int32_t patterns;
    uint32_t *symbol; /* by code point; 0 where no pattern holds it */
} Automaton;

static inline int32_t step(const Automaton *a, int32_t state, uint32_t symbol) {
    for (;;) {
        int32_t next = a->base[state] + (int32_t)symbol;
        if (a->check[next] == state) return next;
        if (!state) return 0;
        state = a->fail[state];
    }
}

#define SKIP_PLAIN 1 /* leave it to the base view where nothing was hidden */
#define GUARDED 2    /* leave out what is an ordinary word, or parts of words outside */
#define PINYIN 4     /* Latin words count as ordinary where they are common in Chinese posts */

/* What ordinary posts are made of: see moderation/text/ordinary.py. */
typedef struct {
    const uint8_t *class;
    const uint32_t *keys;
    const uint16_t *often;
    Py_ssize_t count;
    int strong, weak, common;
} Ordinary;

/* What the patterns of a view ask of the places beside them, one entry each. */
typedef struct {
    const uint8_t *left_bad, *right_bad, *open, *flags;
} Edges;

int is_guarded(const uint32_t *base, int64_t from, int64_t to, int64_t begin, int64_t end, int pinyin, const Ordinary *ordinary);

/* Return 0 where a pattern does not count between two places of a post's base view, else 4 and the
   edges that are edges of a word: 1 left, 2 right. */
static inline int counts(int32_t pattern, int32_t length, const uint32_t *base, int64_t from, int64_t to, int64_t begin,
                         int64_t end, const Edges *edges, const Ordinary *ordinary) {
    int flags = edges->flags[pattern], open = edges->open[pattern];
    if (flags & SKIP_PLAIN && to - from + 1 == length) return 0;
    int left = from == begin || !(class_of(ordinary->class, base[from - 1]) & edges->left_bad[pattern]);
    int right = to + 1 == end || !(class_of(ordinary->class, base[to + 1]) & edges->right_bad[pattern]);
    if (!(left || open & 1) || !(right || open & 2)) return 0;
    if (flags & GUARDED && is_guarded(base, from, to, begin, end, flags & PINYIN, ordinary)) return 0;
    return 4 | left | right << 1;
}

#endif
