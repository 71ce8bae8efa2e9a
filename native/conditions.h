/* What the files that evaluate conditions share: programs, and the post that is being looked at. */

#ifndef MODERATION_CONDITIONS_H
#define MODERATION_CONDITIONS_H

#include "automaton.h"
#include "hits.h"
#include "sketch.h"

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

/* Rows of numbers that begin where `start` says. */
typedef struct {
    int32_t *start, *item, rows;
} Rows;

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
    Sketches *sketches; /* of every pattern */
    Rows contexts; /* context rules that each literal may be part of */
    Rows written;  /* code points of each literal, as it is written plainly */
    Rows lists;    /* see CUE_LISTS */
    uint8_t *kind; /* what is known of each code point; 0 where nothing is yet */
    PyObject *held; /* what the sketches belong to */
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
    uint16_t *class[SEEN]; /* of each code point of a view, as sketches have them */
    int64_t class_room[SEEN];
    uint32_t class_stamp[SEEN]; /* the post that they are of */
    PyObject *text[SEEN];
    Restored restored;
    Cover *cover;
    int32_t covers;
    int32_t *late; /* rules whose pattern ran out of time; -1 for a cue */
    int32_t lates;
} State;

static inline int bit(const uint64_t *bits, int32_t at) { return bits[at >> 6] >> (at & 63) & 1; }
static inline void set_bit(uint64_t *bits, int32_t at) { bits[at >> 6] |= 1ULL << (at & 63); }
static inline int32_t hits_of(const Found *found) { return found->to - found->from; }

static inline int hits_room(Hits *hits, int64_t more) {
    int64_t wanted = (int64_t)hits->used + more, room = hits->room ? hits->room : 64;
    if (wanted <= hits->room) return 0;
    if (wanted > INT32_MAX / 2) return no_memory();
    while (room < wanted) room *= 2;
    Hit *grown = realloc(hits->hit, sizeof(Hit) * (size_t)room);
    if (!grown) return no_memory();
    hits->hit = grown;
    hits->room = (int32_t)room;
    return 0;
}

static inline int hits_add(Hits *hits, Hit hit) {
    if (hits->used == hits->room && hits_room(hits, 1)) return -1;
    hits->hit[hits->used++] = hit;
    return 0;
}

/* Where a code point of the post stands in a view, as numpy's searchsorted finds it: `low` and `high`
   carry over from one key to the next, which matters where the places do not ascend. */
typedef struct {
    const int64_t *place;
    int64_t count, low, high, last, origin;
} Search;

static inline Search search_in(const State *s, const Seen *view, int32_t first) {
    int64_t begin = view->at[s->post], count = view->at[s->post + 1] - begin, origin = s->matter->origin[s->post];
    return (Search){view->source + begin, count, 0, count, first + origin, origin};
}

static inline int32_t place_in(Search *q, int32_t place) {
    int64_t key = place + q->origin;
    if (q->last < key) q->high = q->count;
    else {
        q->low = 0;
        q->high = q->high < q->count ? q->high + 1 : q->count;
    }
    q->last = key;
    while (q->low < q->high) {
        int64_t mid = q->low + (q->high - q->low) / 2;
        if (q->place[mid] < key) q->low = mid + 1;
        else q->high = mid;
    }
    return (int32_t)q->low;
}

/* conditions.c */
int state_open(State *s, const Program *program, const Matter *matter, PyObject *ask);
void state_close(State *s);
int state_enter(State *s, int64_t post);
int rule_holds(State *s, int32_t number, int *bold);
const Found *cue_found(State *s, int32_t cue);
Field field_at(const State *s, int32_t at);

/* patterns.c */
const uint8_t *kinds_of(State *s, int view, const uint32_t *code, int64_t length);
void base_span(const State *s, Hit hit, int32_t *first, int32_t *end);
int is_noisy(State *s);
int search(State *s, int32_t pattern, int view, const uint8_t *inside);

static inline const uint32_t *base_of(const State *s, int64_t *length) {
    const Seen *base = &s->matter->base;
    *length = base->at[s->post + 1] - base->at[s->post];
    return base->code + base->at[s->post];
}

#endif
