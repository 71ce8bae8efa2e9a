/* What the files that decide posts share: what a decision depends on, and what was found in a post. */

#ifndef MODERATION_DECIDE_H
#define MODERATION_DECIDE_H

#include "common.h"

#define POLICIES 3
#define ANY POLICIES /* the policy of a context that speaks for every one */
#define LEVELS 3
#define NO_LEVEL -1
#define STRONG (LEVELS - 1)
#define CONTEXT 4 /* flag of a match */
#define NONE -1
#define STANCES 10 /* as moderation/types.py has them: four that violate, five innocent ones, none */
#define FIRST_INNOCENT 4
#define NO_STANCE (STANCES - 1)

enum { OFFER, SEEK, ENGAGE };
enum { PASS, REVIEW, BLOCK };

/* What a mark says of a hit, beside the transforms in its lower bits. */
#define MARK_REGEX (1u << 31)
#define MARK_BOLD (1u << 30)
#define MARK_CUE (1u << 29)
#define TRANSFORMS (MARK_CUE - 1)

#define POINTS 4 /* review as it is, then review, block and just below block, rounded */

/* Numbers of a rule's policy, sub-label, stance and severity; its place among the sorted ids. */
typedef struct {
    int32_t policy, sub_label, stance, severity, rank;
} Rule;

/* The strongest action, and the one that is always taken, or NONE. */
typedef struct {
    int32_t ceiling, always;
} SubLabel;

typedef struct {
    Rule *rule;
    SubLabel *sub_label;
    double *points;        /* of each language and policy */
    uint32_t *mark, *kind; /* what each mark of a hit says; the transform that each kind of fold is */
    Py_ssize_t rules, sub_labels, languages, marks, kinds;
    double floor[LEVELS], weight[POLICIES][LEVELS], escalate[STANCES], stance_at;
    int32_t ceiling[STANCES];
    int alone; /* the strongest action of the classifier alone */
    uint32_t noise, repeat;
} Decision;

/* Rows of a FindingsTable. */
typedef struct {
    int32_t rule, level, flags;
} Match;

typedef struct {
    int32_t start, end, mark;
} Hit;

/* What was found in a post, and which of its matches are of one policy. */
typedef struct {
    const Match *match;
    const int64_t *hit_at;
    const Hit *hit;
    int64_t begin, end; /* of the post, policy rules and contexts */
    int64_t *own;       /* rows of the policy's matches */
    int64_t owns;
} Found;

/* The posts as they were written, and the tables that fold them. */
typedef struct {
    const uint32_t *code, *target;
    const int64_t *at;
    const uint8_t *kind, *class;
} Written;

static inline int within(int64_t value, int64_t least, int64_t below) { return value >= least && value < below; }

static inline int wrong(const char *expected) {
    PyErr_Format(PyExc_ValueError, "expected %s", expected);
    return -1;
}

static inline int is_innocent(int stance) { return stance >= FIRST_INNOCENT && stance < NO_STANCE; }

/* Write the evidence of a policy's matches; return how many stretches that are, or -1 without memory. */
int64_t evidence_of(const Decision *d, const Found *f, const Written *w, int64_t post, Out *spans, Out *out);

#endif
