/* A sieve over one view: where no pattern begins, and the state after the first codes of those that do. */

#ifndef MODERATION_SIEVE_H
#define MODERATION_SIEVE_H

#include "automaton.h"

#define LONGEST 8  /* code points by which a pattern is known that begins with a Latin letter */
#define SHORTEST 3 /* the same for any other */
#define OUTSIDE 0x2545F491u /* starts the hash of what begins outside of words and numbers */
#define INSIDE 0x51ED270Bu  /* the same for what may also begin inside one */

/* How a pattern begins: its first code points, as many as tell it from most text. */
typedef struct {
    uint32_t hash;
    int32_t size;    /* how many they are; 0: no entry */
    int32_t text;    /* where a pattern of which they are the first begins in the sieve's text */
    int32_t pattern; /* the pattern that they are; -1 for none */
    int32_t state;   /* after them, where some pattern goes on; -1 where none does */
} Start;

/* Three steps, each for the places that the one before lets through: bits by the first two code
   points (by one for the patterns that are one), bits by how a pattern begins, and the table. */
typedef struct {
    const Automaton *automaton;
    uint32_t *pairs, *alone;
    uint32_t *open; /* as `pairs`, of the patterns that may end inside a word */
    uint64_t *bits;
    Start *start;
    int pair_shift, bit_shift, start_shift;
    uint32_t *text; /* the patterns' code points */
} Sieve;

#define FEW_SHIFT (32 - 12) /* of `alone` and `open`: there are few such patterns */

/* How many bits there are by pairs, as a power of two, given how many places the table has: no more
   than a quarter of them are set, however many patterns there are. */
static inline int pairs_power(int places) { return places < 24 ? places + 1 : 24; }

static inline uint64_t hash_step(uint64_t hash, uint32_t code) { return (hash ^ code) * 0x9E3779B97F4A7C15u; }

static inline uint32_t pair_hash(uint32_t start, uint32_t code, uint32_t next) {
    return start + code * 0x9E3779B1u + next * 0x85EBCA6Bu;
}

static inline uint32_t alone_hash(uint32_t start, uint32_t code) { return start + code * 0x9E3779B1u; }

static inline uint32_t bit_at(const uint32_t *bits, uint32_t bit) { return bits[bit >> 5] >> (bit & 31) & 1; }

/* Two bits of one word. */
static inline uint64_t bits_of(uint64_t hash) { return 1ULL << (hash >> 20 & 63) | 1ULL << (hash >> 26 & 63); }

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

/* Which of the classes that may not be cut in two a code point belongs to. */
static inline int whole_class(int kind) { return kind & CLASS_DIGIT ? CLASS_DIGIT : kind & CLASS_LATIN; }

#endif
