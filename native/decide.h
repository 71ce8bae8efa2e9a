/* What the files that decide posts share: what a decision depends on, and what was found in a post. */

#ifndef MODERATION_DECIDE_H
#define MODERATION_DECIDE_H

#include "hits.h"

#define POLICIES 3
#define ANY POLICIES /* the policy of a context that speaks for every one */
#define LEVELS 3
#define STRONG (LEVELS - 1)
#define NONE -1
#define STANCES 10 /* as moderation/types.py has them: four that violate, five innocent ones, none */
#define FIRST_INNOCENT 4
#define NO_STANCE (STANCES - 1)

enum { OFFER, SEEK, ENGAGE };
enum { PASS, REVIEW, BLOCK };

/* What a table says of every mark: transforms in the lower bits, and whether a hit is a pattern's, bold or a cue's. */
#define SAYS_REGEX (1u << 31)
#define SAYS_BOLD (1u << 30)
#define SAYS_CUE (1u << 29)
#define TRANSFORMS (SAYS_CUE - 1)

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

static inline int is_innocent(int stance) { return stance >= FIRST_INNOCENT && stance < NO_STANCE; }

/* Write the evidence of a policy's matches; return how many stretches that are, or -1 without memory. */
int64_t evidence_of(const Decision *d, const Found *f, const Written *w, int64_t post, Out *spans, Out *out);

#endif
