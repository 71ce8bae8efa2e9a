/* Lookout: which posts any rule's clause could hold in, before anything is looked at closely.

   Posts are looked at in groups, view by view: what a view's sieve is made of stays near, and what
   has to be fetched from afar is asked for before it is needed. */

#include "screen.h"
#include "sieve.h"
#include "wide.h"

#define VIEWS 4
enum { BASE, COMPACT, SHAPE, SOUND };

#define GROUP_POSTS 64
#define GROUP_CODES 8192
#define SOON 16 /* how many are asked for from afar at a time */
#define MOST_CODES (1 << 27) /* of a post */
#define AHEAD 16 /* how far behind the last place a sieve reads */

typedef struct {
    int kind;
    const Sieve *sieve;
    const uint32_t *edges;
    const int64_t *starts; /* of each pattern's groups, and the end of the last one's */
    const int32_t *groups;
} Searched;

/* What is known of a place of a view. */
#define STARTS_INSIDE 1 /* what begins there begins inside a word or number */
#define STOPS_INSIDE 2  /* what ends there ends inside one */
#define LATIN 4

/* The posts of a group in one view. One place that is in no pattern parts a post from the next. */
typedef struct {
    Post post;
    uint8_t *mark;
    int32_t at[GROUP_POSTS + 1];
} Layer;

/* A place of a view at which the first `size` code points may begin a pattern. */
typedef struct {
    uint64_t hash;
    int32_t place;
    int16_t post, size;
} Likely;

/* A pattern that a post of the group holds, if nothing guards the place: the first and last code point of the base view. */
typedef struct {
    int32_t post, pattern, first, last;
} Held;

/* The posts that are looked at together, and room for what is made of them. */
typedef struct {
    int wide; /* places are sifted eight at once */
    int32_t posts;
    int32_t post[GROUP_POSTS];
    int64_t begin[GROUP_POSTS], end[GROUP_POSTS];
    uint8_t *kind; /* the class of each code point of a post; 0 before it and behind it */
    Layer layer[VIEWS];
    int32_t *places;
    Out likely, held[VIEWS];
} Group;

/* Make room for groups of at most so many code points of the base view. */
static int group_room(Group *g, size_t codes) {
    size_t most = codes + GROUP_POSTS + AHEAD;
    g->kind = malloc(codes + 2);
    g->places = malloc(4 * most);
    int fine = g->kind && g->places;
    for (int v = 0; v < VIEWS; v++) {
        g->layer[v].mark = malloc(most);
        fine = fine && g->layer[v].mark && !post_room(&g->layer[v].post, most);
    }
    return fine ? 0 : -1;
}

static void group_free(Group *g) {
    free(g->kind);
    free(g->places);
    free(g->likely.data);
    for (int v = 0; v < VIEWS; v++) {
        free(g->layer[v].mark);
        post_free(&g->layer[v].post);
        free(g->held[v].data);
    }
}

/* ------------------------------------------------------------------ the views of a group */

static inline uint8_t mark_of(uint8_t kind, uint8_t before, uint8_t behind) {
    uint8_t whole = (uint8_t)whole_class(kind);
    return (uint8_t)((whole & before ? STARTS_INSIDE : 0) | (whole & behind ? STOPS_INSIDE : 0) | (kind & CLASS_LATIN ? LATIN : 0));
}

static inline void layer_part(Layer *l) {
    l->mark[l->post.used] = 0;
    EMIT(&l->post, REMOVED, 0, 0);
}

/* Write down the base view of a post. */
static void base_post(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *kind, Layer *l) {
    int64_t length = end - begin, used = l->post.used;
    memcpy(l->post.code + used, code + begin, 4 * (size_t)length);
    for (int64_t i = 0; i < length; i++) {
        l->post.first[used + i] = l->post.last[used + i] = (int32_t)(begin + i);
        l->mark[used + i] = mark_of(kind[i], kind[i - 1], kind[i + 1]);
    }
    l->post.used += length;
}

/* Keep the Han characters of a post's compact view, each as its class of look-alikes. */
static void shape_post(const Post *compact, int64_t from, int64_t begin, const uint8_t *kind, const uint32_t *look, Post *out) {
    int64_t used = out->used;
    for (int64_t i = from; i < compact->used; i++) {
        uint32_t code = compact->code[i];
        out->code[used] = look[code < CODE_SPACE ? code : 0];
        out->first[used] = compact->first[i];
        out->last[used] = compact->last[i];
        used += kind[compact->first[i] - begin] & CLASS_HAN ? 1 : 0;
    }
    out->used = used;
}

/* Mark the places of the compact view of a post: its code points are those of the base view. */
static void mark_compact(Layer *l, int64_t from, int64_t begin, const uint8_t *kind) {
    const Post *p = &l->post;
    for (int64_t i = from; i < p->used; i++)
        l->mark[i] = mark_of(kind[p->first[i] - begin], kind[p->first[i] - begin - 1], kind[p->last[i] - begin + 1]);
}

/* Mark the places of another view of a post. */
static void mark_post(Layer *l, int64_t from, int64_t begin, const uint8_t *kind, const uint8_t *class) {
    const Post *p = &l->post;
    for (int64_t i = from; i < p->used; i++)
        l->mark[i] = mark_of((uint8_t)class_of(class, p->code[i]), kind[p->first[i] - begin - 1], kind[p->last[i] - begin + 1]);
}

/* Make the views of a group's posts. */
static void group_fill(Group *g, const uint32_t *code, const uint8_t *class, const uint32_t *look, const Sounds *sounds) {
    uint8_t *kind = g->kind + 1;
    Layer *layer = g->layer;
    for (int v = 0; v < VIEWS; v++) layer[v].post.used = 0;
    for (int32_t n = 0; n < g->posts; n++) {
        int64_t begin = g->begin[n], end = g->end[n];
        kind[-1] = kind[end - begin] = 0;
        for (int64_t i = begin; i < end; i++) kind[i - begin] = (uint8_t)class_of(class, code[i]);
        for (int v = 0; v < VIEWS; v++) layer[v].at[n] = (int32_t)layer[v].post.used;
        base_post(code, begin, end, kind, &layer[BASE]);
        compact_post(code, begin, end, kind, &layer[COMPACT].post);
        shape_post(&layer[COMPACT].post, layer[COMPACT].at[n], begin, kind, look, &layer[SHAPE].post);
        sound_post(code, begin, end, kind, sounds, 0, &layer[SOUND].post);
        mark_compact(&layer[COMPACT], layer[COMPACT].at[n], begin, kind);
        for (int v = SHAPE; v < VIEWS; v++) mark_post(&layer[v], layer[v].at[n], begin, kind, class);
        for (int v = 0; v < VIEWS; v++) layer_part(&layer[v]);
    }
    for (int v = 0; v < VIEWS; v++) {
        layer[v].at[g->posts] = (int32_t)layer[v].post.used;
        for (int k = 0; k < AHEAD; k++) layer_part(&layer[v]);
        layer[v].post.used -= AHEAD;
    }
}

/* ------------------------------------------------------------------ sifting */

/* A place at which a pattern may begin, in 32 bits: of two code points, of three, of four and more. */
#define HAS_TWO (1 << 28)
#define HAS_THREE (1 << 29)
#define HAS_FOUR (1 << 30)
#define PLACE_OF(found) ((found) & (HAS_TWO - 1))

static inline uint32_t start_of(uint8_t mark) { return mark & STARTS_INSIDE ? INSIDE_WORD : OUTSIDE_WORD; }
static inline uint32_t whole_of(uint8_t mark) { return mark & STOPS_INSIDE ? WHOLE_INSIDE : WHOLE; }

/* Write down the places at which a pattern may begin; return how many there are. Nothing in the
   loop waits for what was found. */
static int32_t sift_plain(const Layer *l, const Sieve *sieve, int32_t *places) {
    const uint32_t *code = l->post.code;
    int32_t found = 0;
    for (int32_t i = 0; i < l->post.used; i++) {
        uint32_t one = head_of(start_of(l->mark[i]), code[i]), pair = one + code[i + 1] * HEAD_TWO;
        uint32_t third = pair + code[i + 2] * HEAD_THREE, latin = l->mark[i] & LATIN;
        uint32_t two = has_head(sieve, pair, pair + whole_of(l->mark[i + 1]));
        uint32_t three = has_head(sieve, third, third + (latin ? whole_of(l->mark[i + 2]) : 0));
        uint32_t four = latin ? has_head(sieve, third, third + code[i + 3] * HEAD_FOUR) : 0;
        places[found] = i | (two ? HAS_TWO : 0) | (three ? HAS_THREE : 0) | (four ? HAS_FOUR : 0);
        found += (int32_t)(two | three | four | (sieve->ones ? has_head(sieve, one, one) : 0));
    }
    return found;
}

#if defined(WIDE)
WIDE static inline __m256i bit_of(__m256i hash, int shift) {
    __m256i bit = _mm256_and_si256(_mm256_srl_epi32(hash, _mm_cvtsi32_si128(shift)), _mm256_set1_epi32(31));
    return _mm256_sllv_epi32(_mm256_set1_epi32(1), bit);
}

WIDE static inline __m256i words_at(const Sieve *s, __m256i hash) {
    return _mm256_i32gather_epi32((const int *)(const void *)s->heads, _mm256_srl_epi32(hash, _mm_cvtsi32_si128(s->head_shift)), 4);
}

WIDE static inline __m256i have_heads(const Sieve *s, __m256i words, __m256i hash) {
    __m256i bits = _mm256_or_si256(bit_of(hash, s->head_shift - 5), bit_of(hash, s->head_shift - 10));
    return _mm256_cmpeq_epi32(_mm256_and_si256(words, bits), bits);
}

/* Which of eight places have a bit in their marks. */
WIDE static inline __m256i marked(const uint8_t *mark, int bit) {
    __m256i marks = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)mark));
    return _mm256_cmpeq_epi32(_mm256_and_si256(marks, _mm256_set1_epi32(bit)), _mm256_set1_epi32(bit));
}

WIDE static inline __m256i chosen(__m256i is, uint32_t set, uint32_t unset) {
    return _mm256_blendv_epi8(_mm256_set1_epi32((int)unset), _mm256_set1_epi32((int)set), is);
}

WIDE static inline __m256i times(const uint32_t *code, uint32_t factor) {
    return _mm256_mullo_epi32(_mm256_loadu_si256((const __m256i *)(const void *)code), _mm256_set1_epi32((int)factor));
}

WIDE static inline uint32_t mask_of(__m256i lanes) { return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(lanes)); }

/* The same, eight places at once. */
WIDE static int32_t sift_wide(const Layer *l, const Sieve *sieve, int32_t *places) {
    const uint32_t *code = l->post.code;
    const __m256i order = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    int32_t found = 0;
    for (int32_t i = 0; i < l->post.used; i += 8) {
        __m256i start = chosen(marked(l->mark + i, STARTS_INSIDE), INSIDE_WORD, OUTSIDE_WORD), latin = marked(l->mark + i, LATIN);
        __m256i whole_two = chosen(marked(l->mark + i + 1, STOPS_INSIDE), WHOLE_INSIDE, WHOLE);
        __m256i whole_three = chosen(marked(l->mark + i + 2, STOPS_INSIDE), WHOLE_INSIDE, WHOLE);
        __m256i one = _mm256_add_epi32(start, times(code + i, HEAD_ONE));
        __m256i pair = _mm256_add_epi32(one, times(code + i + 1, HEAD_TWO));
        __m256i third = _mm256_add_epi32(pair, times(code + i + 2, HEAD_THREE));
        __m256i fourth = _mm256_add_epi32(third, times(code + i + 3, HEAD_FOUR));
        __m256i two = have_heads(sieve, words_at(sieve, pair), _mm256_add_epi32(pair, whole_two)), words = words_at(sieve, third);
        __m256i three = have_heads(sieve, words, _mm256_add_epi32(third, _mm256_and_si256(latin, whole_three)));
        __m256i four = _mm256_and_si256(latin, have_heads(sieve, words, fourth));
        uint32_t mask = mask_of(_mm256_or_si256(_mm256_or_si256(two, three), four));
        if (sieve->ones) mask |= mask_of(have_heads(sieve, words_at(sieve, one), one));
        __m256i place = _mm256_add_epi32(order, _mm256_set1_epi32(i));
        place = _mm256_or_si256(place, _mm256_and_si256(two, _mm256_set1_epi32(HAS_TWO)));
        place = _mm256_or_si256(place, _mm256_and_si256(three, _mm256_set1_epi32(HAS_THREE)));
        place = _mm256_or_si256(place, _mm256_and_si256(four, _mm256_set1_epi32(HAS_FOUR)));
        int32_t eight[8];
        _mm256_storeu_si256((__m256i *)(void *)eight, place);
        for (int32_t k = 0; k < 8; k++) {
            places[found] = eight[k];
            found += (int32_t)(mask >> k & 1);
        }
    }
    while (found && PLACE_OF(places[found - 1]) >= l->post.used) found--;
    return found;
}

#else
#define sift_wide sift_plain
#endif

/* Say how many code points from a place on may begin a pattern: bit n for n + 1 of them. */
static inline uint32_t sizes_at(const Layer *l, const Sieve *sieve, int32_t i, uint32_t start) {
    const uint32_t *code = l->post.code;
    uint32_t head = head_of(start, code[i]) + code[i + 1] * HEAD_TWO + code[i + 2] * HEAD_THREE + code[i + 3] * HEAD_FOUR;
    uint32_t sizes = sieve->sizes[head >> sieve->size_shift], inside = 0;
    for (int k = 3; k < LONGEST; k++) inside |= (uint32_t)(l->mark[i + k] & STOPS_INSIDE) / STOPS_INSIDE << k;
    return (sizes & ~inside) | (sizes >> LONGEST & inside);
}

/* What tells a place that stands plainly in the base view. */
static inline uint64_t plain_at(const Post *p, const Likely *likely, const Sieve *sieve) {
    return p->last[likely->place + likely->size - 1] - p->first[likely->place] == likely->size - 1 ? sieve->plain : 0;
}

/* Write down which first code points from those places on may begin a pattern; return how many there
   are. What is not asked for is written over: there is little to guess. */
static int64_t probe(const Layer *l, const Sieve *sieve, const int32_t *places, int32_t found, Likely *likely) {
    const Post *p = &l->post;
    int64_t count = 0, asked = 0;
    int16_t post = 0;
    for (int32_t n = 0; n < found; n++) {
        int32_t i = PLACE_OF(places[n]);
        while (i >= l->at[post + 1]) post++;
        int32_t left = l->at[post + 1] - 1 - i;
        uint32_t start = start_of(l->mark[i]), all = left < LONGEST ? (1u << left) - 1 : (1u << LONGEST) - 1;
        uint64_t hash = hash_step(start, p->code[i]);
        if (sieve->ones) {
            likely[asked] = (Likely){hash, i, post, 1};
            asked += all & has_head(sieve, head_of(start, p->code[i]), head_of(start, p->code[i]));
        }
        hash = hash_step(hash, p->code[i + 1]);
        likely[asked] = (Likely){hash, i, post, 2};
        asked += all >> 1 & (uint32_t)places[n] / HAS_TWO & 1;
        hash = hash_step(hash, p->code[i + 2]);
        likely[asked] = (Likely){hash, i, post, 3};
        asked += all >> 2 & (uint32_t)places[n] / HAS_THREE & 1;
        if (!(places[n] & HAS_FOUR)) continue;
        uint32_t sizes = all & sizes_at(l, sieve, i, start);
        for (int16_t size = 4; size <= LONGEST; size++) {
            hash = hash_step(hash, p->code[i + size - 1]);
            likely[asked] = (Likely){hash, i, post, size};
            asked += sizes >> (size - 1) & 1;
        }
    }
    if (sieve->plain)
        for (int64_t n = 0; n < asked; n++) likely[n].hash ^= plain_at(p, &likely[n], sieve);
    for (int64_t n = 0; n < asked + SOON; n++) {
        if (n < asked) PREFETCH(&sieve->bits[likely[n].hash >> sieve->bit_shift]);
        if (n < SOON) continue;
        Likely each = likely[n - SOON];
        likely[count] = each;
        count += sieve_holds(sieve, each.hash);
    }
    if (sieve->plain)
        for (int64_t n = 0; n < count; n++) likely[n].hash ^= plain_at(p, &likely[n], sieve);
    return count;
}

/* ------------------------------------------------------------------ following */

/* Add a pattern to those held, if there is one and it may count at a place. */
static inline int add_pattern(const Searched *s, const Group *g, const Post *p, int32_t pattern, int32_t post, int64_t i, int64_t length,
                              const uint32_t *base, const uint8_t *class, Out *held) {
    if (pattern < 0 || s->starts[pattern] == s->starts[pattern + 1]) return FINE;
    int32_t first = p->first[i], last = p->last[i + length - 1];
    if (!counts_unguarded(s->edges[pattern], length, base, first, last, g->begin[post], g->end[post], class)) return FINE;
    if (out_reserve(held, sizeof(Held))) return MEMORY;
    PREFETCH(s->groups + s->starts[pattern]);
    PUSH(held, Held, ((Held){post, pattern, first, last}));
    return FINE;
}

/* Follow what likely begins a pattern. */
static int follow(const Searched *s, const Group *g, const Likely *likely, int64_t count, const uint32_t *base, const uint8_t *class,
                  Out *held) {
    const Sieve *sieve = s->sieve;
    const Automaton *a = sieve->automaton;
    const Layer *l = &g->layer[s->kind];
    const uint32_t *code = l->post.code;
    for (int64_t later = 0; later < count + 2 * SOON; later++) {
        int64_t next = later - SOON, n = next - SOON;
        if (later < count) PREFETCH(&sieve->start[likely[later].hash >> 32 >> sieve->start_shift]);
        if (next >= 0 && next < count) {
            const Start *start = &sieve->start[likely[next].hash >> 32 >> sieve->start_shift];
            PREFETCH(sieve->text + start->text);
            if (start->pattern >= 0) PREFETCH(s->edges + start->pattern);
            if (start->pattern >= 0) PREFETCH(s->starts + start->pattern);
        }
        if (n < 0) continue;
        int32_t post = likely[n].post;
        int64_t i = likely[n].place, end = l->at[post + 1] - 1;
        const Start *start = sieve_find(sieve, likely[n].hash, code + i, likely[n].size);
        if (!start) continue;
        int problem = add_pattern(s, g, &l->post, start->pattern, post, i, likely[n].size, base, class, held);
        int32_t state = start->state;
        for (int64_t k = i + likely[n].size; state >= 0 && k < end && !problem; k++) {
            uint32_t symbol = code[k] < CODE_SPACE ? a->symbol[code[k]] : 0;
            int32_t next = symbol ? a->cell[state].base + (int32_t)symbol : -1;
            if (next < 0 || a->cell[next].check != state) break;
            state = next;
            problem = add_pattern(s, g, &l->post, a->cell[state].out, post, i, k - i + 1, base, class, held);
        }
        if (problem) return problem;
    }
    return FINE;
}

/* Find what the posts of a group hold in one view. */
static int group_search(Group *g, const Searched *s, const uint32_t *base, const uint8_t *class, Out *held) {
    const Layer *l = &g->layer[s->kind];
    int32_t found = g->wide ? sift_wide(l, s->sieve, g->places) : sift_plain(l, s->sieve, g->places);
    g->likely.used = held->used = 0;
    if (out_reserve(&g->likely, ((size_t)found * LONGEST + 1) * sizeof(Likely))) return MEMORY;
    Likely *likely = (Likely *)(void *)g->likely.data;
    return follow(s, g, likely, probe(l, s->sieve, g->places, found, likely), base, class, held);
}

/* ------------------------------------------------------------------ settling */

/* What of a group's posts is held in a view, and up to where it was read. */
typedef struct {
    const Held *held;
    size_t at, count;
} Reading;

/* Add what a post of a group holds to the clauses that ask for it: where nothing is guarded, or all the same. */
static int post_settle(const Group *g, int32_t n, const Searched *searched, Py_ssize_t views, Reading *reading, Clauses *c,
                       const uint32_t *base, const Ordinary *guards, Out *pairs) {
    c->round++;
    for (Py_ssize_t v = 0; v < views; v++) {
        const Searched *s = &searched[v];
        Reading *r = &reading[v];
        for (; r->at < r->count && r->held[r->at].post == n; r->at++) {
            const Held *h = &r->held[r->at];
            const int64_t *starts = s->starts + h->pattern;
            if (guards && !clauses_lack(c, starts[0], starts[1])) continue;
            if (guards && is_spared(s->edges[h->pattern], base, h->first, h->last, g->begin[n], g->end[n], guards)) continue;
            int problem = clauses_add(c, starts[0], starts[1], g->post[n], pairs);
            if (problem) return problem;
        }
    }
    return FINE;
}

/* Settle a group's posts. Most lack something even if no place were guarded, which takes long to find out. */
static int group_settle(const Group *g, const Searched *searched, Py_ssize_t views, Clauses *c, const uint32_t *base,
                        const Ordinary *ordinary, Out *pairs) {
    Reading reading[VIEWS] = {{0}}, again[VIEWS];
    for (Py_ssize_t v = 0; v < views; v++)
        reading[v] = (Reading){(const Held *)(const void *)g->held[v].data, 0, g->held[v].used / sizeof(Held)};
    for (int32_t n = 0; n < g->posts; n++) {
        memcpy(again, reading, sizeof again);
        size_t used = pairs->used;
        int problem = post_settle(g, n, searched, views, reading, c, base, NULL, pairs);
        if (!problem && pairs->used > used) {
            pairs->used = used;
            problem = post_settle(g, n, searched, views, again, c, base, ordinary, pairs);
        }
        if (problem) return problem;
    }
    return FINE;
}

/* ------------------------------------------------------------------ noticing posts */

/* Buffers of one view, in this order. */
enum { EDGES, STARTS, ARRAYS };

static int searched_fill(Searched *searched, PyObject *given, const int32_t *groups, Py_buffer *arrays, int *held) {
    PyObject *capsule;
    if (!PyTuple_Check(given)) { PyErr_SetString(PyExc_TypeError, "expected a tuple for each view"); return -1; }
    if (!PyArg_ParseTuple(given, "iOy*y*", &searched->kind, &capsule, &arrays[EDGES], &arrays[STARTS])) return -1;
    *held = 1;
    searched->sieve = PyCapsule_GetPointer(capsule, "moderation.sieve");
    if (!searched->sieve || check_array("edges", &arrays[EDGES], 4, searched->sieve->automaton->patterns) ||
        check_array("starts", &arrays[STARTS], 8, searched->sieve->automaton->patterns + 1))
        return -1;
    searched->groups = groups;
    searched->edges = arrays[EDGES].buf;
    searched->starts = arrays[STARTS].buf;
    if (searched->kind < 0 || searched->kind >= VIEWS) {
        PyErr_SetString(PyExc_ValueError, "expected a view from 0 to 3");
        return -1;
    }
    return 0;
}

/* notice(views, codes, offsets, left_out, classes, looks, near, syllables, syllable_near, groups, owner, needed, ordinary,
          parts, frequency, strong, weak, common, wide)
   `views` holds a tuple for each view: its number, sieve, edges and starts.
   `codes` and `offsets` are the base view; posts with a mark in `left_out` are not looked at.
   `wide`: look at several places at once where the processor can; what is found is the same.
   -> int32 pairs of post, clause, by post, as `clauses` returns them for what `scan` finds. */
PyObject *kernel_notice(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *views;
    Py_buffer codes, offsets, left_out, classes, looks, near, syllables, syllable_near, groups, owner, needed, ordinary, parts, frequency;
    int strong, weak, common, wide;
    if (!PyArg_ParseTuple(args, "O!y*y*y*y*y*y*y*y*y*y*y*y*y*y*iiip", &PyTuple_Type, &views, &codes, &offsets, &left_out, &classes,
                          &looks, &near, &syllables, &syllable_near, &groups, &owner, &needed, &ordinary, &parts, &frequency, &strong,
                          &weak, &common, &wide))
        return NULL;
    PyObject *result = NULL;
    Out pairs = {0};
    Group g = {0};
    Sounds sounds;
    Searched searched[VIEWS];
    Py_buffer arrays[VIEWS][ARRAYS];
    int held[VIEWS] = {0}, problem = FINE;
    Py_ssize_t count = PyTuple_Size(views), posts = offsets.len / 8 - 1;
    Clauses c = {groups.buf, owner.buf, needed.buf, groups.len / 4, owner.len / 4, needed.len / 4, 0, NULL, NULL, NULL, NULL};
    if (check_offsets(&offsets, &codes) || check_array("left_out", &left_out, 1, posts) ||
        check_array("classes", &classes, 1, CODE_SPACE) || check_array("looks", &looks, 4, CODE_SPACE) ||
        check_array("groups", &groups, 4, -1) || check_array("owner", &owner, 4, -1) || check_array("needed", &needed, 4, -1) ||
        check_array("ordinary", &ordinary, 4, -1) || check_array("parts", &parts, 4, PARTS) ||
        check_array("frequency", &frequency, 2, ordinary.len / 4) ||
        sounds_fill(&sounds, &near, &syllables, &syllable_near))
        goto done;
    if (count > VIEWS) { PyErr_SetString(PyExc_ValueError, "more than four views"); goto done; }
    for (Py_ssize_t v = 0; v < count; v++)
        if (searched_fill(&searched[v], PyTuple_GetItem(views, v), groups.buf, arrays[v], &held[v])) goto done;
    const uint32_t *code = codes.buf, *look = looks.buf;
    const int64_t *at = offsets.buf;
    const Ordinary known = {classes.buf, ordinary.buf, parts.buf, frequency.buf, ordinary.len / 4, strong, weak, common};
    const uint8_t *skipped = left_out.buf;
    int64_t longest = at[posts] < GROUP_CODES ? at[posts] : GROUP_CODES; /* no more room than a single post needs */
    for (Py_ssize_t post = 0; post < posts; post++)
        if (at[post + 1] - at[post] > longest) longest = at[post + 1] - at[post];
    if (longest > MOST_CODES) { PyErr_SetString(PyExc_ValueError, "expected posts of up to 2**27 code points"); goto done; }
    g.wide = wide && is_wide();
    if (clauses_room(&c) || group_room(&g, (size_t)longest)) { PyErr_NoMemory(); goto done; }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t post = 0; post < posts && !problem;) {
        int64_t codes_left = longest;
        for (g.posts = 0; post < posts && g.posts < GROUP_POSTS && at[post + 1] - at[post] <= codes_left; post++) {
            if (skipped[post]) continue;
            codes_left -= at[post + 1] - at[post];
            g.post[g.posts] = (int32_t)post, g.begin[g.posts] = at[post], g.end[g.posts++] = at[post + 1];
        }
        group_fill(&g, code, known.class, look, &sounds);
        for (Py_ssize_t v = 0; v < count && !problem; v++)
            problem = group_search(&g, &searched[v], code, known.class, &g.held[v]);
        if (!problem) problem = group_settle(&g, searched, count, &c, code, &known, &pairs);
    }
    Py_END_ALLOW_THREADS
    if (problem) set_problem(problem);
    else result = out_bytes(&pairs);
done:
    for (Py_ssize_t v = 0; v < count && v < VIEWS; v++)
        for (int k = 0; held[v] && k < ARRAYS; k++) PyBuffer_Release(&arrays[v][k]);
    clauses_free(&c);
    group_free(&g);
    free(pairs.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&left_out);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&looks);
    PyBuffer_Release(&near);
    PyBuffer_Release(&syllables);
    PyBuffer_Release(&syllable_near);
    PyBuffer_Release(&groups);
    PyBuffer_Release(&owner);
    PyBuffer_Release(&needed);
    PyBuffer_Release(&ordinary);
    PyBuffer_Release(&parts);
    PyBuffer_Release(&frequency);
    return result;
}
