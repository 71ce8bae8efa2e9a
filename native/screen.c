/* Screen: which posts any rule's clause could hold in, before anything is looked at closely. */

#include "sieve.h"

#define VIEWS 4 /* base, compact, shape, sound */
#define SHAPE 2
#define SOUND 3

typedef struct {
    int kind;
    const Sieve *sieve;
    const uint32_t *edges;
    const int64_t *starts; /* of each pattern's groups, and the end of the last one's */
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

/* Keep the Han characters of a compact view, each as its class of look-alikes. */
static void shape_post(Post *post, const uint32_t *look, const uint8_t *class) {
    int64_t kept = 0;
    for (int64_t i = 0; i < post->used; i++) {
        if (!(class_of(class, post->code[i]) & CLASS_HAN)) continue;
        post->code[kept] = look[post->code[i]];
        post->first[kept] = post->first[i];
        post->last[kept++] = post->last[i];
    }
    post->used = kept;
}

/* Everything that a search in one post needs to know. */
typedef struct {
    const Searched *searched;
    const Ordinary *ordinary;
    const uint32_t *base;
    const uint8_t *before; /* the class before each place of the post's base view; 0 before the first */
    int64_t begin, end;
    int32_t post;
    Clauses *clauses;
    Out *pairs;
    int32_t *places; /* room for as many as the post has */
} Search;

/* Count a pattern, if there is one and it counts here. */
static inline int add_pattern(const Search *s, int32_t pattern, int64_t length, int64_t from, int64_t to) {
    if (pattern < 0 || !counts(s->searched->edges[pattern], length, s->base, from, to, s->begin, s->end, s->ordinary)) return FINE;
    return clauses_add(s->clauses, s->searched->starts[pattern], s->searched->starts[pattern + 1], s->post, s->pairs);
}

/* Inside a word or number begins only what may be part of one. */
static inline uint32_t start_of(const Search *s, uint32_t code, int64_t from) {
    return s->before[from - s->begin] & whole_class(class_of(s->ordinary->class, code)) ? INSIDE : OUTSIDE;
}

/* Write down the places of a view at which a pattern may begin; return how many there are.
   Nothing in the loop waits for what was found. */
static inline int64_t sift(const Search *s, const uint32_t *code, const int64_t *first, int64_t length) {
    const Sieve *sieve = s->searched->sieve;
    int64_t found = 0;
    for (int64_t i = 0; i < length; i++) {
        uint32_t start = start_of(s, code[i], first ? first[i] : s->begin + i);
        uint32_t next = i + 1 < length ? code[i + 1] : REMOVED;
        s->places[found] = (int32_t)i;
        found += bit_at(sieve->pairs, pair_hash(start, code[i], next) >> sieve->pair_shift) |
                 bit_at(sieve->alone, alone_hash(start, code[i]) >> sieve->alone_shift);
    }
    return found;
}

/* Look for the patterns of one view of a post, from every place where one may begin. */
static int search(const Search *s, const uint32_t *code, const int64_t *first, const int64_t *last, int64_t length) {
    const Sieve *sieve = s->searched->sieve;
    const Automaton *a = sieve->automaton;
    int64_t found = first ? sift(s, code, first, length) : sift(s, code, NULL, length);
    for (int64_t n = 0; n < found; n++) {
        int64_t i = s->places[n], from = first ? first[i] : s->begin + i;
        uint64_t hash = start_of(s, code[i], from);
        int32_t most = class_of(s->ordinary->class, code[i]) & CLASS_LATIN ? LONGEST : SHORTEST;
        for (int32_t size = 1; size <= most && i + size <= length; size++) {
            int64_t k = i + size - 1;
            hash = hash_step(hash, code[k]);
            if (!sieve_holds(sieve, hash)) continue;
            const Start *start = sieve_find(sieve, hash, code + i, size);
            if (!start) continue;
            int problem = add_pattern(s, start->pattern, size, from, last ? last[k] : s->begin + k);
            int32_t state = start->state;
            for (k++; state >= 0 && k < length && !problem; k++) {
                uint32_t symbol = code[k] < CODE_SPACE ? a->symbol[code[k]] : 0;
                int32_t next = symbol ? a->cell[state].base + (int32_t)symbol : -1;
                if (next < 0 || a->cell[next].check != state) break;
                state = next;
                problem = add_pattern(s, a->cell[state].out, k - i + 1, from, last ? last[k] : s->begin + k);
            }
            if (problem) return problem;
        }
    }
    return FINE;
}

/* Buffers of one view, in this order. */
enum { EDGES, STARTS, ARRAYS };

static int searched_fill(Searched *searched, PyObject *given, Py_buffer *arrays, int *held) {
    PyObject *capsule;
    if (!PyTuple_Check(given)) { PyErr_SetString(PyExc_TypeError, "expected a tuple for each view"); return -1; }
    if (!PyArg_ParseTuple(given, "iOy*y*", &searched->kind, &capsule, &arrays[EDGES], &arrays[STARTS])) return -1;
    *held = 1;
    searched->sieve = PyCapsule_GetPointer(capsule, "moderation.sieve");
    if (!searched->sieve || check_array("edges", &arrays[EDGES], 4, searched->sieve->automaton->patterns) ||
        check_array("starts", &arrays[STARTS], 8, searched->sieve->automaton->patterns + 1))
        return -1;
    searched->edges = arrays[EDGES].buf;
    searched->starts = arrays[STARTS].buf;
    if (searched->kind < 0 || searched->kind >= VIEWS) {
        PyErr_SetString(PyExc_ValueError, "expected a view from 0 to 3");
        return -1;
    }
    return 0;
}

/* notice(views, codes, offsets, left_out, classes, looks, near, syllables, syllable_near, groups, owner, needed, ordinary,
          frequency, strong, weak, common)
   `views` holds a tuple for each view: its number, sieve, edges and starts.
   `codes` and `offsets` are the base view; posts with a mark in `left_out` are not looked at.
   -> int32 pairs of post, clause, by post, as `clauses` returns them for what `scan` finds. */
PyObject *kernel_notice(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *views;
    Py_buffer codes, offsets, left_out, classes, looks, near, syllables, syllable_near, groups, owner, needed, ordinary, frequency;
    int strong, weak, common;
    if (!PyArg_ParseTuple(args, "O!y*y*y*y*y*y*y*y*y*y*y*y*y*iii", &PyTuple_Type, &views, &codes, &offsets, &left_out, &classes,
                          &looks, &near, &syllables, &syllable_near, &groups, &owner, &needed, &ordinary, &frequency, &strong,
                          &weak, &common))
        return NULL;
    PyObject *result = NULL;
    Out pairs = {0};
    Post compact = {0}, sound = {0};
    uint8_t *before = NULL;
    int32_t *places = NULL;
    Sounds sounds;
    Searched searched[VIEWS];
    Py_buffer arrays[VIEWS][ARRAYS];
    int held[VIEWS] = {0}, problem = FINE;
    Py_ssize_t count = PyTuple_Size(views), posts = offsets.len / 8 - 1;
    Clauses c = {groups.buf, owner.buf, needed.buf, groups.len / 4, owner.len / 4, needed.len / 4, NULL, NULL, NULL};
    if (check_offsets(&offsets, &codes) || check_array("left_out", &left_out, 1, posts) ||
        check_array("classes", &classes, 1, CODE_SPACE) || check_array("looks", &looks, 4, CODE_SPACE) ||
        check_array("groups", &groups, 4, -1) || check_array("owner", &owner, 4, -1) || check_array("needed", &needed, 4, -1) ||
        check_array("ordinary", &ordinary, 4, -1) || check_array("frequency", &frequency, 2, ordinary.len / 4) ||
        sounds_fill(&sounds, &near, &syllables, &syllable_near))
        goto done;
    if (count > VIEWS) { PyErr_SetString(PyExc_ValueError, "more than four views"); goto done; }
    for (Py_ssize_t v = 0; v < count; v++)
        if (searched_fill(&searched[v], PyTuple_GetItem(views, v), arrays[v], &held[v])) goto done;
    const uint32_t *code = codes.buf, *look = looks.buf;
    const int64_t *at = offsets.buf;
    const Ordinary known = {classes.buf, ordinary.buf, frequency.buf, ordinary.len / 4, strong, weak, common};
    int64_t longest = 0;
    for (Py_ssize_t post = 0; post < posts; post++)
        if (at[post + 1] - at[post] > longest) longest = at[post + 1] - at[post];
    before = calloc((size_t)longest + 1, 1);
    places = malloc(4 * (size_t)longest + 4);
    if (!before || !places || clauses_room(&c) || post_room(&compact, (size_t)longest) || post_room(&sound, (size_t)longest)) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t post = 0; post < posts && !problem; post++) {
        if (((const uint8_t *)left_out.buf)[post]) continue;
        int64_t begin = at[post], end = at[post + 1];
        for (int64_t i = begin; i < end; i++) before[i - begin + 1] = (uint8_t)class_of(known.class, code[i]);
        compact.used = 0;
        compact_post(code, begin, end, known.class, &compact);
        for (Py_ssize_t v = 0; v < count && !problem; v++) {
            const Searched *s = &searched[v];
            const Post *view = &compact;
            if (s->kind == SHAPE) { /* what the compact view has of Han characters; it is not needed any more */
                shape_post(&compact, look, known.class);
            } else if (s->kind == SOUND) {
                sound.used = 0;
                sound_post(code, begin, end, known.class, &sounds, 0, &sound);
                view = &sound;
            }
            Search one = {s, &known, code, before, begin, end, (int32_t)post, &c, &pairs, places};
            problem = s->kind ? search(&one, view->code, view->first, view->last, view->used)
                              : search(&one, code + begin, NULL, NULL, end - begin);
        }
    }
    Py_END_ALLOW_THREADS
    if (problem) set_problem(problem);
    else result = out_bytes(&pairs);
done:
    for (Py_ssize_t v = 0; v < count && v < VIEWS; v++)
        for (int k = 0; held[v] && k < ARRAYS; k++) PyBuffer_Release(&arrays[v][k]);
    clauses_free(&c);
    post_free(&compact);
    post_free(&sound);
    free(before);
    free(places);
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
    PyBuffer_Release(&frequency);
    return result;
}
