/* An automaton over code points, and which of the places it finds count. */

#ifndef MODERATION_AUTOMATON_H
#define MODERATION_AUTOMATON_H

#include "common.h"

/* A state of the trie: its children stand at base + symbol and name it in check. */
typedef struct {
    int32_t base, check;
    int32_t out; /* the pattern that ends here; -1 for none */
} Cell;

typedef struct {
    Cell *cell;
    size_t room;
    int32_t states;
    int32_t *length; /* of each pattern */
    int32_t patterns;
    uint32_t *symbol; /* by code point; 0 where no pattern holds it */
} Automaton;

/* Where in a word a pattern may begin: starts of hashes. */
#define OUTSIDE_WORD 0x2545F491u /* of what begins outside of words and numbers */
#define INSIDE_WORD 0x51ED270Bu  /* of what may also begin inside one */

/* Which of the classes that may not be cut in two a code point belongs to. */
static inline int whole_class(int kind) { return (kind & CLASS_DIGIT) | (kind & CLASS_LATIN & ~(kind / CLASS_DIGIT)); }

#define SKIP_PLAIN 1 /* leave it to the base view where nothing was hidden */
#define GUARDED 2    /* leave out what is an ordinary word, or parts of words outside */
#define PINYIN 4     /* Latin words count as ordinary where they are common in Chinese posts */

/* What ordinary posts are made of: see moderation/text/ordinary.py. */
typedef struct {
    const uint8_t *class;
    const uint32_t *keys, *parts; /* ascending; where those of each upper half begin */
    const uint16_t *often;
    Py_ssize_t count;
    int strong, weak, common;
} Ordinary;

#define PARTS 65537 /* upper halves, and the end of the last one's */

static inline uint32_t ordinary_step(uint32_t hash, uint32_t code) { return (hash ^ code) * 16777619u; }

/* Return where a key stands; -1 where it is not. */
static inline int64_t ordinary_find(const Ordinary *o, uint32_t key) {
    int64_t low = o->parts[key >> 16], high = o->parts[(key >> 16) + 1];
    if (high > o->count) return -1; /* no table of these keys */
    while (low < high && o->keys[low] < key) low++; /* there are few: halving costs more */
    return low < o->count && o->keys[low] == key ? low : -1;
}

int is_bound(const uint32_t *code, int64_t first, int64_t last, int64_t begin, int64_t end, const Ordinary *o);
int is_guarded(const uint32_t *base, int64_t from, int64_t to, int64_t begin, int64_t end, int pinyin, const Ordinary *ordinary);

/* What a pattern asks of the places beside it, a byte each: classes that may not stand before and
   behind it, edges that may lie inside a word, and flags. */
#define LEFT_BAD(edges) ((edges) & 255)
#define RIGHT_BAD(edges) ((edges) >> 8 & 255)
#define IS_OPEN(edges) ((edges) >> 16 & 255)
#define FLAGS(edges) ((edges) >> 24)

/* Return 0 where a pattern does not count between two places of a post's base view, else 4 and the
   edges that are edges of a word: 1 left, 2 right. What is guarded is not looked at. */
static inline int counts_unguarded(uint32_t edges, int64_t length, const uint32_t *base, int64_t from, int64_t to, int64_t begin, int64_t end,
                                   const uint8_t *class) {
    uint32_t flags = FLAGS(edges), open = IS_OPEN(edges);
    if (flags & SKIP_PLAIN && to - from + 1 == length) return 0;
    int left = from == begin || !(class_of(class, base[from - 1]) & LEFT_BAD(edges));
    int right = to + 1 == end || !(class_of(class, base[to + 1]) & RIGHT_BAD(edges));
    if (!(left || open & 1) || !(right || open & 2)) return 0;
    return 4 | left | right << 1;
}

static inline int is_spared(uint32_t edges, const uint32_t *base, int64_t from, int64_t to, int64_t begin, int64_t end,
                            const Ordinary *ordinary) {
    return FLAGS(edges) & GUARDED && is_guarded(base, from, to, begin, end, (FLAGS(edges) & PINYIN) != 0, ordinary);
}

/* The same of what is guarded as well. */
static inline int counts(uint32_t edges, int64_t length, const uint32_t *base, int64_t from, int64_t to, int64_t begin, int64_t end,
                         const Ordinary *ordinary) {
    int found = counts_unguarded(edges, length, base, from, to, begin, end, ordinary->class);
    return found && !is_spared(edges, base, from, to, begin, end, ordinary) ? found : 0;
}

#endif
