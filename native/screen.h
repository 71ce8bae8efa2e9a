/* Screen: the groups of literals that clauses ask for, and which of them a post has met. */

#ifndef MODERATION_SCREEN_H
#define MODERATION_SCREEN_H

#include "common.h"

/* Groups of literals, of each of which a clause needs one. */
typedef struct {
    const int32_t *group, *owner, *needed;
    Py_ssize_t members, groups, clauses;
    uint32_t round; /* a number of its own for each post, or whatever else begins with nothing met */
    uint32_t *group_round, *clause_round, *done; /* in which each was met last; in which a clause had all it needs */
    int32_t *met;
} Clauses;

enum { FINE, MEMORY, GROUPS, UNKNOWN };

int clauses_room(Clauses *c);
void clauses_free(Clauses *c);
void set_problem(int problem);

/* Count a pattern that a post holds; a clause that has all it needs is added to the pairs. */
static inline int clauses_add(Clauses *c, int64_t from, int64_t to, int32_t post, Out *pairs) {
    if (from < 0 || to > c->members) return GROUPS;
    for (int64_t k = from; k < to; k++) {
        int32_t g = c->group[k], clause = g >= 0 && g < c->groups ? c->owner[g] : -1;
        if (clause < 0 || clause >= c->clauses) return UNKNOWN;
        if (c->group_round[g] == c->round) continue;
        c->group_round[g] = c->round;
        if (c->clause_round[clause] != c->round) c->clause_round[clause] = c->round, c->met[clause] = 0;
        if (++c->met[clause] == c->needed[clause]) {
            if (out_reserve(pairs, 8)) return MEMORY;
            c->done[clause] = c->round;
            PUSH(pairs, int32_t, post);
            PUSH(pairs, int32_t, clause);
        }
    }
    return FINE;
}

/* True where some clause that had all it needs in the round before lacks a pattern's group in this one.
   Only for patterns that were added in the round before: their groups are known. */
static inline int clauses_lack(const Clauses *c, int64_t from, int64_t to) {
    for (int64_t k = from; k < to; k++)
        if (c->group_round[c->group[k]] != c->round && c->done[c->owner[c->group[k]]] == c->round - 1) return 1;
    return 0;
}

#endif
