/* A sieve over one view: where no pattern begins, and the state after the first codes of those that do. */

#ifndef MODERATION_SIEVE_H
#define MODERATION_SIEVE_H

#include "automaton.h"

#define LONGEST 8  /* code points by which a pattern is known that begins with a Latin letter */
#define SHORTEST 3 /* the same for any other */

/* How a pattern begins: its first code points, as many as tell it from most text. */
typedef struct {
    uint32_t hash;
    int32_t size;    /* how many they are; 0: no entry */
    int32_t text;    /* where a pattern of which they are the first begins in the sieve's text */
    int32_t pattern; /* the pattern that they are; -1 for none */
    int32_t state;   /* after them, where some pattern goes on; -1 where none does */
} Start;

/* Three steps, each for the places that the one before lets through: bits of a word for the first
   two code points, by the third (the fourth as well after a Latin letter) or for the patterns that
   are no longer; bits by how a pattern begins, for the lengths that such beginnings have; and the table. */
typedef struct {
    const Automaton *automaton;
    uint32_t *heads;
    uint16_t *sizes; /* by the first four code points, a Latin letter first: see `size_bits` */
    uint64_t *bits;
    Start *start;
    int head_shift, size_shift, bit_shift, start_shift;
    int ones;       /* some pattern is one code point */
    uint64_t plain; /* PLAIN where some patterns leave places to the base view, else 0 */
    uint32_t *text; /* the patterns' code points */
} Sieve;

/* How many words there are by heads, and by sizes, as powers of two, given how many places the table has. */
static inline int heads_power(int places) { return places < 23 ? places - 4 : 19; }
static inline int sizes_power(int places) { return places - 3; }

static inline uint64_t hash_step(uint64_t hash, uint32_t code) { return (hash ^ code) * 0x9E3779B97F4A7C15u; }

/* What the hash for `bits` is mixed with where code points stand side by side in the base view. */
#define PLAIN 0xA0761D6478BD642Fu

static inline uint64_t plain_of(const uint32_t *edges, int32_t patterns) {
    uint32_t flags = 0;
    for (int32_t p = 0; p < patterns; p++) flags |= FLAGS(edges[p]);
    return flags & SKIP_PLAIN ? PLAIN : 0;
}

/* Hashes of the first code points are sums, so that several can be worked out at once. Those of up to
   three say which word of `heads` is asked; a hash says which bits of it. */
#define HEAD_ONE 0x9E3779B1u
#define HEAD_TWO 0x85EBCA6Bu
#define HEAD_THREE 0xC2B2AE35u
#define HEAD_FOUR 0x27D4EB2Fu
#define WHOLE 0x165667B1u        /* is added for a pattern that is no longer */
#define WHOLE_INSIDE 0x9E485565u /* the same where what follows is part of the same word or number */

static inline uint32_t head_of(uint32_t start, uint32_t code) { return start + code * HEAD_ONE; }

/* Two bits of a word. */
static inline uint32_t head_bits(const Sieve *sieve, uint32_t hash) {
    return 1u << (hash >> (sieve->head_shift - 5) & 31) | 1u << (hash >> (sieve->head_shift - 10) & 31);
}

static inline uint32_t has_head(const Sieve *sieve, uint32_t word, uint32_t hash) {
    uint32_t bits = head_bits(sieve, hash);
    return (sieve->heads[word >> sieve->head_shift] & bits) == bits;
}

/* How long what begins a pattern may be: bit n for n + 1 code points, above them the same where what
   follows is part of the same word or number. */
static inline uint16_t size_bits(int32_t size, int inside) { return (uint16_t)((inside ? 257 : 1) << (size - 1)); }

/* Three bits of one word. */
static inline uint64_t bits_of(uint64_t hash) { return 1ULL << (hash >> 14 & 63) | 1ULL << (hash >> 20 & 63) | 1ULL << (hash >> 26 & 63); }

static inline int sieve_holds(const Sieve *sieve, uint64_t hash) {
    uint64_t bits = bits_of(hash);
    return (sieve->bits[hash >> sieve->bit_shift] & bits) == bits;
}

/* Return the entry for the code points that begin a pattern; NULL where they begin none. */
static inline const Start *sieve_find(const Sieve *sieve, uint64_t hash, const uint32_t *code, int32_t size) {
    uint32_t short_hash = (uint32_t)(hash >> 32), mask = (uint32_t)-1 >> sieve->start_shift;
    for (uint32_t at = short_hash >> sieve->start_shift;; at = (at + 1) & mask) {
        const Start *start = &sieve->start[at];
        if (!start->size) return NULL;
        if (start->hash != short_hash || start->size != size) continue;
        const uint32_t *text = sieve->text + start->text;
        int32_t same = 0;
        while (same < size && text[same] == code[same]) same++;
        if (same == size) return start;
    }
}

#endif
