/* Screen: which posts any rule's clause could hold in, before anything is looked at closely. */

#include "sieve.h"

#define VIEWS 4 /* base, compact, shape, sound */
#define BASE 0
#define SHAPE 2
#define SOUND 3

typedef struct {
    int kind;
    const Sieve *sieve;
    const uint32_t *edges;
    const int64_t *starts; /* of each pattern's groups, and the end of the last one's */
    const int32_t *groups;
} Searched;

/* Groups of literals, of each of which a clause needs one. */
typedef struct {
    const int32_t *group, *owner, *needed;
    Py_ssize_t members, groups, clauses;
    int32_t *group_post, *clause_post, *met; /* the post, plus one, in which each was met last */
} Clauses;

enum { FINE, MEMORY, GROUPS, UNKNOWN };
static const char *const PROBLEMS[] = {
    "", "", "a pattern's groups lie outside of the groups", "unknown group or clause",
};

static int clauses_room(Clauses *c) {
    c->group_post = calloc((size_t)c->groups + 1, 4);
    c->clause_post = calloc((size_t)c->clauses + 1, 4);
    c->met = calloc((size_t)c->clauses + 1, 4);
    return c->group_post && c->clause_post && c->met ? 0 : -1;
}

static void clauses_free(Clauses *c) {
    free(c->group_post);
    free(c->clause_post);
    free(c->met);
}

/* Count a pattern that a post holds; a clause that has all it needs is added to the pairs. */
static inline int clauses_add(Clauses *c, int64_t from, int64_t to, int32_t post, Out *pairs) {
    if (from < 0 || to > c->members) return GROUPS;
    for (int64_t k = from; k < to; k++) {
        int32_t g = c->group[k], clause = g >= 0 && g < c->groups ? c->owner[g] : -1;
        if (clause < 0 || clause >= c->clauses) return UNKNOWN;
        if (c->group_post[g] == post + 1) continue;
        c->group_post[g] = post + 1;
        if (c->clause_post[clause] != post + 1) c->clause_post[clause] = post + 1, c->met[clause] = 0;
        if (++c->met[clause] == c->needed[clause]) {
            if (out_reserve(pairs, 8)) return MEMORY;
            PUSH(pairs, int32_t, post);
            PUSH(pairs, int32_t, clause);
        }
    }
    return FINE;
}

static void set_problem(int problem) {
    if (problem == MEMORY) PyErr_NoMemory();
    else PyErr_SetString(PyExc_ValueError, PROBLEMS[problem]);
}

/* clauses(posts, hits, starts int64, groups int32, owner int32, needed int32)
   `hits` is a sequence of (rows as scan returns them, offset added to their patterns).
   groups[starts[p]:starts[p + 1]] are the groups that pattern p belongs to, owner[g] the clause of
   group g, needed[c] how many groups clause c wants. -> int32 pairs of post, clause, by post. */
PyObject *kernel_clauses(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_ssize_t posts;
    PyObject *hits;
    Py_buffer starts, groups, owner, needed;
    if (!PyArg_ParseTuple(args, "nO!y*y*y*y*", &posts, &PyTuple_Type, &hits, &starts, &groups, &owner, &needed)) return NULL;
    PyObject *result = NULL;
    Out pairs = {0};
    Py_buffer views[8];
    long long shift[8];
    Py_ssize_t at[8] = {0}, rows[8], count = PyTuple_Size(hits), held = 0, patterns = starts.len / 8 - 1;
    Clauses c = {groups.buf, owner.buf, needed.buf, groups.len / 4, owner.len / 4, needed.len / 4, NULL, NULL, NULL};
    if (check_array("starts", &starts, 8, -1) || check_array("groups", &groups, 4, -1) ||
        check_array("owner", &owner, 4, -1) || check_array("needed", &needed, 4, -1))
        goto done;
    if (posts < 0 || posts >= INT32_MAX) { PyErr_SetString(PyExc_ValueError, "expected fewer posts than 2**31"); goto done; }
    if (clauses_room(&c)) { PyErr_NoMemory(); goto done; }
    if (count > 8) { PyErr_SetString(PyExc_ValueError, "more than eight views"); goto done; }
    for (; held < count; held++) {
        PyObject *pair = PyTuple_GetItem(hits, held);
        if (!PyTuple_Check(pair)) { PyErr_SetString(PyExc_TypeError, "expected tuples of rows and an offset"); goto done; }
        if (!PyArg_ParseTuple(pair, "y*L", &views[held], &shift[held])) goto done;
        rows[held] = views[held].len / 20;
        if (views[held].len % 20 || check_array("rows", &views[held], 4, -1) || shift[held] < 0 || shift[held] > patterns) {
            if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "expected rows of five numbers, and offsets of patterns");
            held++;
            goto done;
        }
    }
    const int64_t *start = starts.buf;
    for (int32_t post = 0; post < posts; post++)
        for (Py_ssize_t v = 0; v < count; v++) {
            const int32_t *row = views[v].buf;
            row += 5 * at[v];
            for (; at[v] < rows[v] && row[3] == post; at[v]++, row += 5) {
                int64_t pattern = row[0] + shift[v];
                if (pattern < 0 || pattern >= patterns) { PyErr_SetString(PyExc_ValueError, "unknown pattern"); goto done; }
                int problem = clauses_add(&c, start[pattern], start[pattern + 1], post, &pairs);
                if (problem) { set_problem(problem); goto done; }
            }
        }
    for (Py_ssize_t v = 0; v < count; v++)
        if (at[v] < rows[v]) { PyErr_SetString(PyExc_ValueError, "expected rows by post, of posts that are there"); goto done; }
    result = out_bytes(&pairs);
done:
    for (Py_ssize_t v = 0; v < held; v++) PyBuffer_Release(&views[v]);
    clauses_free(&c);
    free(pairs.data);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&groups);
    PyBuffer_Release(&owner);
    PyBuffer_Release(&needed);
    return result;
}

/* ------------------------------------------------------------------ noticing posts */

/* Posts are looked at in groups, view by view: what a view's sieve is made of stays near, and what
   has to be fetched from afar is asked for before it is needed. */
#define GROUP_POSTS 64
#define GROUP_CODES 8192

/* A post of a group in one view, and in the base view that it was made from. */
typedef struct {
    const uint32_t *code; /* of the view */
    const int64_t *first, *last; /* in the base view; NULL for the base view itself */
    int64_t at, length;
    const uint32_t *base;
    int64_t begin, end;
    const uint8_t *around; /* classes in the base view; 0 before the post and behind it */
} Viewed;

static inline int64_t first_of(const Viewed *v, int64_t i) { return v->first ? v->first[i] : i; }
static inline int64_t last_of(const Viewed *v, int64_t i) { return v->last ? v->last[i] : i; }

/* A place of a view at which the first `size` code points may begin a pattern. */
typedef struct {
    uint64_t hash;
    int32_t place;
    int16_t post, size;
} Likely;

/* A pattern that a post of the group holds. */
typedef struct {
    int32_t post, pattern;
} Held;

/* Inside a word or number begins only what may be part of one. */
static inline uint32_t start_of(const Viewed *v, int64_t i, const uint8_t *class) {
    return v->around[first_of(v, i) - v->begin] & whole_class(class_of(class, v->code[i])) ? INSIDE : OUTSIDE;
}

static inline int ends_inside(const Viewed *v, int64_t i, const uint8_t *class) {
    return v->around[last_of(v, i) - v->begin + 2] & whole_class(class_of(class, v->code[i]));
}

/* Write down the places of a view at which a pattern may begin; return how many there are.
   Nothing in the loop waits for what was found. */
static inline int32_t sift(const Viewed *v, const Sieve *sieve, const uint8_t *class, int32_t *places) {
    int32_t found = 0;
    for (int64_t i = v->at; i < v->at + v->length; i++) {
        uint32_t start = start_of(v, i, class), next = i + 1 < v->at + v->length ? v->code[i + 1] : REMOVED;
        places[found] = (int32_t)i;
        found += (int32_t)(bit_at(sieve->pairs, pair_hash(start, v->code[i], next) >> sieve->pair_shift) |
                           bit_at(sieve->alone, alone_hash(start, v->code[i]) >> FEW_SHIFT));
    }
    return found;
}

/* Write down which first code points from those places on may begin a pattern. */
static inline int64_t probe(const Viewed *v, const Sieve *sieve, const uint8_t *class, const int32_t *places, int32_t found,
                            int16_t post, Likely *likely) {
    int64_t count = 0, asked = 0, end = v->at + v->length;
    for (int32_t n = 0; n < found; n++) {
        int64_t i = places[n];
        uint32_t start = start_of(v, i, class);
        uint64_t hash = hash_step(start, v->code[i]);
        likely[asked] = (Likely){hash, (int32_t)i, post, 1};
        asked += bit_at(sieve->alone, alone_hash(start, v->code[i]) >> FEW_SHIFT);
        if (i + 1 == end) continue;
        uint32_t pair = pair_hash(start, v->code[i], v->code[i + 1]);
        if (!bit_at(sieve->pairs, pair >> sieve->pair_shift)) continue;
        int open = (int)bit_at(sieve->open, pair >> FEW_SHIFT);
        int32_t most = class_of(class, v->code[i]) & CLASS_LATIN ? LONGEST : SHORTEST;
        for (int32_t size = 2; size <= most && i + size <= end; size++) {
            int64_t k = i + size - 1;
            hash = hash_step(hash, v->code[k]);
            if (size < most && !open && ends_inside(v, k, class)) continue;
            PREFETCH(&sieve->bits[hash >> sieve->bit_shift]);
            likely[asked++] = (Likely){hash, (int32_t)i, post, (int16_t)size};
        }
    }
    for (int64_t n = 0; n < asked; n++) {
        likely[count] = likely[n];
        count += sieve_holds(sieve, likely[n].hash);
    }
    return count;
}

/* Add a pattern to those held, if there is one and it counts at a place. */
static inline int add_pattern(const Searched *s, const Viewed *v, int32_t pattern, int32_t post, int64_t i, int64_t length,
                              const Ordinary *ordinary, Out *held) {
    if (pattern < 0 || s->starts[pattern] == s->starts[pattern + 1] ||
        !counts(s->edges[pattern], length, v->base, first_of(v, i), last_of(v, i + length - 1), v->begin, v->end, ordinary))
        return FINE;
    if (out_reserve(held, sizeof(Held))) return MEMORY;
    PREFETCH(s->groups + s->starts[pattern]);
    PUSH(held, Held, ((Held){post, pattern}));
    return FINE;
}

/* Follow what likely begins a pattern. */
static int follow(const Searched *s, const Viewed *views, const Likely *likely, int64_t count, const Ordinary *ordinary, Out *held) {
    const Sieve *sieve = s->sieve;
    const Automaton *a = sieve->automaton;
    for (int64_t n = 0; n < count; n++) PREFETCH(&sieve->start[likely[n].hash >> 32 >> sieve->start_shift]);
    for (int64_t n = 0; n < count; n++) {
        const Start *start = &sieve->start[likely[n].hash >> 32 >> sieve->start_shift];
        PREFETCH(sieve->text + start->text);
        if (start->pattern < 0) continue;
        PREFETCH(s->edges + start->pattern);
        PREFETCH(s->starts + start->pattern);
    }
    for (int64_t n = 0; n < count; n++) {
        const Viewed *v = &views[likely[n].post];
        int64_t i = likely[n].place, end = v->at + v->length;
        const Start *start = sieve_find(sieve, likely[n].hash, v->code + i, likely[n].size);
        if (!start) continue;
        int problem = add_pattern(s, v, start->pattern, likely[n].post, i, likely[n].size, ordinary, held);
        int32_t state = start->state;
        for (int64_t k = i + likely[n].size; state >= 0 && k < end && !problem; k++) {
            uint32_t symbol = v->code[k] < CODE_SPACE ? a->symbol[v->code[k]] : 0;
            int32_t next = symbol ? a->cell[state].base + (int32_t)symbol : -1;
            if (next < 0 || a->cell[next].check != state) break;
            state = next;
            problem = add_pattern(s, v, a->cell[state].out, likely[n].post, i, k - i + 1, ordinary, held);
        }
        if (problem) return problem;
    }
    return FINE;
}

/* The posts that are looked at together, and room for what is made of them; `bounds` of views are those of their posts. */
typedef struct {
    int32_t posts;
    int32_t post[GROUP_POSTS];
    Post compact, shape, sound;
    int64_t compact_at[GROUP_POSTS + 1], shape_at[GROUP_POSTS + 1], sound_at[GROUP_POSTS + 1];
    uint8_t *around;
    int32_t *places;
    Viewed viewed[GROUP_POSTS];
    Out likely, held[VIEWS];
} Group;

/* Make room for groups of at most so many code points of the base view. */
static int group_room(Group *g, size_t codes) {
    g->around = malloc(codes + 2 * GROUP_POSTS);
    g->places = malloc(4 * codes + 4);
    return g->around && g->places && !post_room(&g->compact, codes) && !post_room(&g->shape, codes) && !post_room(&g->sound, codes)
               ? 0 : -1;
}

static void group_free(Group *g) {
    free(g->around);
    free(g->places);
    post_free(&g->compact);
    post_free(&g->shape);
    post_free(&g->sound);
    free(g->likely.data);
    for (int v = 0; v < VIEWS; v++) free(g->held[v].data);
}

/* Keep the Han characters of a post's compact view, each as its class of look-alikes. */
static void shape_post(const Post *compact, int64_t at, const uint32_t *look, const uint8_t *class, Post *out) {
    int64_t used = out->used;
    for (int64_t i = at; i < compact->used; i++) {
        uint32_t code = compact->code[i];
        out->code[used] = look[code < CODE_SPACE ? code : 0];
        out->first[used] = compact->first[i];
        out->last[used] = compact->last[i];
        used += class_of(class, code) & CLASS_HAN ? 1 : 0;
    }
    out->used = used;
}

/* Make the bolder views of a group's posts. */
static void group_fill(Group *g, const uint32_t *code, const int64_t *at, const uint8_t *class, const uint32_t *look,
                       const Sounds *sounds) {
    uint8_t *around = g->around;
    g->compact.used = g->shape.used = g->sound.used = 0;
    for (int32_t n = 0; n < g->posts; n++) {
        int64_t begin = at[g->post[n]], end = at[g->post[n] + 1];
        g->viewed[n] = (Viewed){.base = code, .begin = begin, .end = end, .around = around};
        *around++ = 0;
        for (int64_t i = begin; i < end; i++) *around++ = (uint8_t)class_of(class, code[i]);
        *around++ = 0;
        g->compact_at[n] = g->compact.used;
        g->shape_at[n] = g->shape.used;
        g->sound_at[n] = g->sound.used;
        compact_post(code, begin, end, class, &g->compact);
        shape_post(&g->compact, g->compact_at[n], look, class, &g->shape);
        sound_post(code, begin, end, class, sounds, 0, &g->sound);
    }
    g->compact_at[g->posts] = g->compact.used;
    g->shape_at[g->posts] = g->shape.used;
    g->sound_at[g->posts] = g->sound.used;
}

/* Find what the posts of a group hold in one view. */
static int group_search(Group *g, const Searched *s, const Ordinary *ordinary, Out *held) {
    const Post *made = s->kind == SHAPE ? &g->shape : s->kind == SOUND ? &g->sound : &g->compact;
    const int64_t *at = s->kind == SHAPE ? g->shape_at : s->kind == SOUND ? g->sound_at : g->compact_at;
    g->likely.used = 0;
    for (int32_t n = 0; n < g->posts; n++) {
        Viewed *v = &g->viewed[n];
        if (s->kind == BASE) v->code = v->base, v->first = v->last = NULL, v->at = v->begin, v->length = v->end - v->begin;
        else v->code = made->code, v->first = made->first, v->last = made->last, v->at = at[n], v->length = at[n + 1] - at[n];
        int32_t found = sift(v, s->sieve, ordinary->class, g->places);
        if (out_reserve(&g->likely, ((size_t)found * LONGEST + 1) * sizeof(Likely))) return MEMORY;
        Likely *likely = (Likely *)(void *)(g->likely.data + g->likely.used);
        g->likely.used += sizeof(Likely) * (size_t)probe(v, s->sieve, ordinary->class, g->places, found, (int16_t)n, likely);
    }
    return follow(s, g->viewed, (const Likely *)(const void *)g->likely.data, (int64_t)(g->likely.used / sizeof(Likely)), ordinary, held);
}

/* Add what the posts of a group hold to the clauses that ask for it, post by post. */
static int group_settle(const Group *g, const Searched *searched, Py_ssize_t views, Clauses *c, Out *pairs) {
    size_t at[VIEWS] = {0};
    for (int32_t n = 0; n < g->posts; n++)
        for (Py_ssize_t v = 0; v < views; v++) {
            const Held *held = (const Held *)(const void *)g->held[v].data;
            for (; at[v] < g->held[v].used / sizeof(Held) && held[at[v]].post == n; at[v]++) {
                const int64_t *starts = searched[v].starts + held[at[v]].pattern;
                int problem = clauses_add(c, starts[0], starts[1], g->post[n], pairs);
                if (problem) return problem;
            }
        }
    return FINE;
}

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
          parts, frequency, strong, weak, common)
   `views` holds a tuple for each view: its number, sieve, edges and starts.
   `codes` and `offsets` are the base view; posts with a mark in `left_out` are not looked at.
   -> int32 pairs of post, clause, by post, as `clauses` returns them for what `scan` finds. */
PyObject *kernel_notice(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *views;
    Py_buffer codes, offsets, left_out, classes, looks, near, syllables, syllable_near, groups, owner, needed, ordinary, parts, frequency;
    int strong, weak, common;
    if (!PyArg_ParseTuple(args, "O!y*y*y*y*y*y*y*y*y*y*y*y*y*y*iii", &PyTuple_Type, &views, &codes, &offsets, &left_out, &classes,
                          &looks, &near, &syllables, &syllable_near, &groups, &owner, &needed, &ordinary, &parts, &frequency, &strong,
                          &weak, &common))
        return NULL;
    PyObject *result = NULL;
    Out pairs = {0};
    Group g = {0};
    Sounds sounds;
    Searched searched[VIEWS];
    Py_buffer arrays[VIEWS][ARRAYS];
    int held[VIEWS] = {0}, problem = FINE;
    Py_ssize_t count = PyTuple_Size(views), posts = offsets.len / 8 - 1;
    Clauses c = {groups.buf, owner.buf, needed.buf, groups.len / 4, owner.len / 4, needed.len / 4, NULL, NULL, NULL};
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
    if (clauses_room(&c) || group_room(&g, (size_t)longest)) { PyErr_NoMemory(); goto done; }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t post = 0; post < posts && !problem;) {
        int64_t codes_left = longest;
        for (g.posts = 0; post < posts && g.posts < GROUP_POSTS && at[post + 1] - at[post] <= codes_left; post++) {
            if (skipped[post]) continue;
            codes_left -= at[post + 1] - at[post];
            g.post[g.posts++] = (int32_t)post;
        }
        group_fill(&g, code, at, known.class, look, &sounds);
        for (Py_ssize_t v = 0; v < count && !problem; v++) {
            g.held[v].used = 0;
            problem = group_search(&g, &searched[v], &known, &g.held[v]);
        }
        if (!problem) problem = group_settle(&g, searched, count, &c, &pairs);
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
