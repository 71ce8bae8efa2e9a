/* What the files that evaluate conditions share: programs, and the post that is being looked at. */

#ifndef MODERATION_CONDITIONS_H
#define MODERATION_CONDITIONS_H

#include "automaton.h"

/* A hit: its place, and all else there is to it (see moderation/rules/marks.py). */
typedef struct {
    int32_t start, end, mark;
} Hit;

#define MARK_RARE 1
#define MARK_FRAIL 2
#define MARK_FOLD(mark) ((mark) >> 2 & 15)
#define MARK_CUE (1 << 6)
#define MARK_VIEW(mark) ((mark) >> 7 & 3)
#define MARK_OF(regex, view, fold, frail, rare) ((regex) << 9 | (view) << 7 | (fold) << 2 | (frail) << 1 | (rare))

enum { TERMS, PATTERN, CUE, ANY, ALL, NONE, NEAR, INSIDE, ACROSS, OPERATIONS };

/* A condition. Its items are children[from .. from + count), its needs sets of literals. */
typedef struct {
    int32_t op, a, b, c, needs, needed;
} Node;

enum { IN_BASE = 1, IN_BOLD = 2, HAS_PATTERN = 4, IS_REMARK = 8 };

typedef struct {
    int32_t root, exceptions, literals, views, flags;
    int32_t level;  /* on the scale of evidence; NO_LEVEL for a context rule */
    int32_t policy; /* a number that rules of one policy share */
} Rule;

#define NO_LEVEL (-1)

/* Rows of numbers that begin where `start` says. */
typedef struct {
    int32_t *start, *item, rows;
} Rows;

/* Patterns' necessary strings: a pattern is tried where the text holds enough of each of its groups. */
typedef struct {
    const Automaton *automaton;
    Rows groups;              /* of each string */
    int32_t *owner, *wanted;  /* the pattern of a group; how many groups a pattern has */
    int32_t *least;           /* how many of a group there must be */
    uint8_t *digit;           /* groups that any digit counts for */
    int32_t count;
} Needed;

/* Lists of cues that evaluate.py names, in its order. */
enum { SECOND_CUES, FRAIL_CUES, RARE_CUES, STANCE_CUES, OFFER_CUES, CUE_LISTS };

typedef struct {
    Node *node;
    int32_t nodes;
    int32_t *child;
    int32_t children;
    Rows sets;  /* literals of each set, ascending */
    Rows member; /* sets of each literal */
    int32_t literals;
    int32_t *need;
    int32_t needs;
    Rule *rule;
    int32_t rules, policies;
    int32_t *cue;
    int32_t cues;
    Rows names; /* field names that each `in` lists */
    int32_t whole; /* name of the only field of a post without fields */
    int32_t patterns;
    int32_t strong; /* the level that doubt lowers by one */
    Needed needed;
    Rows contexts; /* context rules that each literal may be part of */
    Rows written;  /* code points of each literal, as it is written plainly */
    Rows lists;    /* see CUE_LISTS */
    uint8_t *kind; /* what is known of each code point; 0 where nothing is yet */
    PyObject *automaton;
} Program;

/* Kinds of code points, as moderation/rules/evaluate.py has them. */
enum { KIND_HAN = 1, KIND_LETTER = 2, KIND_SPACE = 4, KIND_WORD = 8, KIND_NOISE = 16, KIND_KNOWN = 128 };

/* One view of a batch. */
typedef struct {
    const uint32_t *code;
    const int64_t *at, *source, *last; /* bounds of posts; places in the whole batch of original code points */
} Seen;

/* Where the literals of a batch's posts stand, as HitTable has them, and what patterns look at. */
typedef struct {
    const int64_t *bound;
    const int32_t *literal, *start, *end, *mark;
    const int64_t *origin; /* where each post begins, counted as places are */
    Seen base, compact;
    const int64_t *field_bound; /* of the rows of name, start and end; NULL where no post has fields */
    const int32_t *field;
    int64_t posts;
} Matter;

typedef struct {
    Hit *hit;
    int32_t used, room;
} Hits;

typedef struct {
    int32_t from, to;
    int32_t state;  /* 1 known, 2 ran out of time, 3 being looked for */
    uint32_t stamp; /* the post that it is known of */
} Found;

typedef struct {
    int32_t set, count;
    int32_t *start, *far, *plain, *before;
} Cover;

typedef struct {
    int32_t name, start, end;
} Field;

enum { SEEN_BASE, SEEN_RESTORED, SEEN_COMPACT, SEEN };

/* A post's text with every hidden literal written out, and where its code points come from. */
typedef struct {
    uint32_t *code;
    int64_t *first, *last;
    int64_t length, room;
    Hit *hidden; /* the hidden literals that do not overlap, by place */
    int32_t hiddens;
    int made;
} Restored;

/* The post that is being looked at; what it needs room for is kept from post to post. */
typedef struct {
    const Program *program;
    const Matter *matter;
    PyObject *ask;
    int64_t post;
    uint32_t stamp;
    int32_t *literal, *row; /* the post's literals, ascending, and the first row of each */
    int32_t literals, literals_room;
    uint64_t *plain, *present, *bold; /* sets of which a literal is there */
    int any_bold, noisy;
    const Field *field;
    int32_t fields;
    Hits pool, kept;
    Found *cue, *pattern;
    uint64_t *possible[SEEN]; /* patterns whose necessary strings a view holds */
    uint32_t possible_stamp[SEEN];
    int32_t *met, *groups_met; /* room for working that out: of each group, and of each pattern */
    PyObject *text[SEEN];
    Restored restored;
    Cover *cover;
    int32_t covers;
    int32_t *late; /* rules whose pattern ran out of time; -1 for a cue */
    int32_t lates;
} State;

static inline int bit(const uint64_t *bits, int32_t at) { return bits[at >> 6] >> (at & 63) & 1; }
static inline void set_bit(uint64_t *bits, int32_t at) { bits[at >> 6] |= 1ULL << (at & 63); }
static inline int within(int32_t number, int32_t least, int32_t limit) { return number >= least && number < limit; }

static inline int no_memory(void) {
    PyErr_NoMemory();
    return -1;
}

static inline int wrong(const char *what) {
    PyErr_Format(PyExc_ValueError, "expected %s", what);
    return -1;
}

static inline int32_t hits_of(const Found *found) { return found->to - found->from; }

int state_open(State *s, const Program *program, const Matter *matter, PyObject *ask);
void state_close(State *s);
int state_enter(State *s, int64_t post);
int rule_holds(State *s, int32_t number, int *bold);
const Found *cue_found(State *s, int32_t cue);
const uint8_t *kinds_of(State *s, int view, const uint32_t *code, int64_t length);
void base_span(const State *s, Hit hit, int32_t *first, int32_t *end);
int by_position(const void *a, const void *b);

static inline const uint32_t *base_of(const State *s, int64_t *length) {
    const Seen *base = &s->matter->base;
    *length = base->at[s->post + 1] - base->at[s->post];
    return base->code + base->at[s->post];
}

#endif
