/* Screen: which posts any rule's clause could hold in, before anything is looked at closely. */

#include "automaton.h"

#define VIEWS 4 /* base, compact, shape, sound */
#define COMPACT 1
#define SHAPE 2
#define SOUND 3
#define LONGEST 5  /* code points by which a pattern is known that begins with a Latin letter */
#define SHORTEST 3 /* the same for any other */
#define INSIDE 0x51ED270Bu /* starts the hash of what may also begin inside a word */

/* How a pattern begins: its first code points, as many as tell it from most text. */
typedef struct {
    uint32_t hash;
    int32_t state, text; /* after these code points; a pattern of which they are the first. -1: no entry */
    int32_t size;
} Start;

static inline uint32_t hash_step(uint32_t hash, uint32_t code) { return ((hash ^ hash >> 15) + code) * 0x9E3779B1u; }
static inline uint32_t hash_end(uint32_t hash, int32_t size) { return (hash ^ (uint32_t)size * 0xC2B2AE3Du) * 0x85EBCA6Bu; }

/* Bits that say of nearly every place that no pattern begins there, and a table of those that do. */
typedef struct {
    const Automaton *automaton;
    uint32_t *bits;
    Start *start;
    int bit_shift, start_shift;
    uint32_t *text; /* the patterns' code points, and where each begins */
    int64_t *at;
} Sieve;

static inline int bit_of(const Sieve *sieve, uint32_t hash) {
    uint32_t bit = hash >> sieve->bit_shift;
    return sieve->bits[bit >> 5] >> (bit & 31) & 1;
}

static inline int sieve_holds(const Sieve *sieve, uint32_t hash) { return bit_of(sieve, hash) && bit_of(sieve, hash * 0x9E3779B1u); }

/* Return the state after the code points that begin a pattern; -1 where they begin none. */
static inline int32_t sieve_state(const Sieve *sieve, uint32_t hash, const uint32_t *code, int32_t size) {
    uint32_t mask = (uint32_t)-1 >> sieve->start_shift;
    for (uint32_t at = hash >> sieve->start_shift;; at = (at + 1) & mask) {
        const Start *start = &sieve->start[at];
        if (start->text < 0) return -1;
        if (start->hash == hash && start->size == size && !memcmp(sieve->text + sieve->at[start->text], code, 4 * (size_t)size))
            return start->state;
    }
}

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

/* Everything that a search in one post needs to know. */
typedef struct {
    const Searched *searched;
    const Ordinary *ordinary;
    const uint32_t *base;
    int64_t begin, end;
    int32_t post;
    Clauses *clauses;
    Out *pairs;
} Search;

/* Count the pattern that ends in a state, if any. */
static inline int add_state(const Search *s, int32_t state, int64_t length, int64_t from, int64_t to) {
    int32_t pattern = s->searched->sieve->automaton->cell[state].out;
    if (pattern < 0 || !counts(s->searched->edges[pattern], length, s->base, from, to, s->begin, s->end, s->ordinary)) return FINE;
    return clauses_add(s->clauses, s->searched->starts[pattern], s->searched->starts[pattern + 1], s->post, s->pairs);
}

/* Look for the patterns of one view of a post, from every place where one may begin. */
static int search(const Search *s, const uint32_t *code, const int64_t *first, const int64_t *last, int64_t length) {
    const Sieve *sieve = s->searched->sieve;
    const Automaton *a = sieve->automaton;
    const uint8_t *class = s->ordinary->class;
    for (int64_t i = 0; i < length; i++) {
        int64_t from = first ? first[i] : s->begin + i;
        /* Inside a word or number begins only what may be part of one. */
        int kind = class_of(class, code[i]), bad = kind & CLASS_DIGIT ? CLASS_DIGIT : kind & CLASS_LATIN;
        uint32_t hash = bad && from > s->begin && class_of(class, s->base[from - 1]) & bad ? INSIDE : 0;
        int32_t most = kind & CLASS_LATIN ? LONGEST : SHORTEST;
        for (int32_t size = 1; size <= most && i + size <= length; size++) {
            hash = hash_step(hash, code[i + size - 1]);
            uint32_t whole = hash_end(hash, size);
            if (!sieve_holds(sieve, whole)) continue;
            int32_t state = sieve_state(sieve, whole, code + i, size);
            if (state < 0) continue;
            int64_t k = i + size - 1;
            int problem = add_state(s, state, size, from, last ? last[k] : s->begin + k);
            if (size == most)
                for (k++; k < length && !problem; k++) {
                    uint32_t symbol = code[k] < CODE_SPACE ? a->symbol[code[k]] : 0;
                    int32_t next = symbol ? a->cell[state].base + (int32_t)symbol : -1;
                    if (next < 0 || a->cell[next].check != state) break;
                    state = next;
                    problem = add_state(s, state, k - i + 1, from, last ? last[k] : s->begin + k);
                }
            if (problem) return problem;
        }
    }
    return FINE;
}

static void sieve_free(Sieve *sieve) {
    if (!sieve) return;
    free(sieve->bits);
    free(sieve->start);
    free(sieve->text);
    free(sieve->at);
    free(sieve);
}

static void sieve_capsule_free(PyObject *capsule) {
    sieve_free(PyCapsule_GetPointer(capsule, "moderation.sieve"));
    Py_XDECREF((PyObject *)PyCapsule_GetContext(capsule));
}

static void sieve_add(Sieve *sieve, Start start) {
    uint32_t mask = (uint32_t)-1 >> sieve->start_shift, at = start.hash >> sieve->start_shift;
    for (; sieve->start[at].text >= 0; at = (at + 1) & mask) {
        const Start *known = &sieve->start[at];
        if (known->hash == start.hash && known->size == start.size && known->state == start.state) return;
    }
    sieve->start[at] = start;
    for (int k = 0; k < 2; k++) {
        uint32_t bit = (k ? start.hash * 0x9E3779B1u : start.hash) >> sieve->bit_shift;
        sieve->bits[bit >> 5] |= 1u << (bit & 31);
    }
}

/* sieve(automaton, codes, offsets, asked uint8, inside uint8, classes) -> sieve
   The patterns of the automaton, those that are looked for, and those of them
   that may begin inside a word. */
PyObject *kernel_sieve(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *result = NULL;
    Py_buffer codes, offsets, asked, inside, classes;
    if (!PyArg_ParseTuple(args, "Oy*y*y*y*y*", &capsule, &codes, &offsets, &asked, &inside, &classes)) return NULL;
    Sieve *sieve = NULL;
    const Automaton *a = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!a || check_offsets(&offsets, &codes) || check_array("offsets", &offsets, 8, a->patterns + 1) ||
        check_array("asked", &asked, 1, a->patterns) || check_array("inside", &inside, 1, a->patterns) ||
        check_array("classes", &classes, 1, CODE_SPACE))
        goto done;
    sieve = calloc(1, sizeof(Sieve));
    if (!sieve) { PyErr_NoMemory(); goto done; }
    int power = 6;
    int64_t wanted = 0;
    for (int32_t p = 0; p < a->patterns; p++)
        if (((const uint8_t *)asked.buf)[p]) wanted += 1 + (((const uint8_t *)inside.buf)[p] != 0);
    while ((1LL << power) < 2 * wanted) power++; /* half of the table is free, and more */
    if (power > 27) { PyErr_SetString(PyExc_ValueError, "too many patterns"); goto done; }
    sieve->start_shift = 32 - power;
    sieve->bit_shift = 32 - power - 3;
    sieve->automaton = a;
    sieve->text = malloc((size_t)codes.len + 4);
    sieve->at = malloc((size_t)offsets.len);
    sieve->start = malloc(sizeof(Start) << power);
    sieve->bits = calloc((size_t)1 << (power + 3 - 5), 4);
    if (!sieve->start || !sieve->bits || !sieve->text || !sieve->at) { PyErr_NoMemory(); goto done; }
    memcpy(sieve->text, codes.buf, (size_t)codes.len);
    memcpy(sieve->at, offsets.buf, (size_t)offsets.len);
    for (size_t i = 0; i < (size_t)1 << power; i++) sieve->start[i] = (Start){0, -1, -1, 0};
    for (int32_t p = 0; p < a->patterns; p++) {
        if (!((const uint8_t *)asked.buf)[p]) continue;
        const uint32_t *code = sieve->text + sieve->at[p];
        if (sieve->at[p + 1] - sieve->at[p] != a->length[p]) {
            PyErr_SetString(PyExc_ValueError, "expected the automaton's own patterns");
            goto done;
        }
        int32_t most = class_of(classes.buf, code[0]) & CLASS_LATIN ? LONGEST : SHORTEST, state = 0;
        if (most > a->length[p]) most = a->length[p];
        for (int32_t k = 0; k < most; k++) {
            uint32_t symbol = code[k] < CODE_SPACE ? a->symbol[code[k]] : 0;
            int32_t next = symbol ? a->cell[state].base + (int32_t)symbol : -1;
            if (next < 0 || a->cell[next].check != state) {
                PyErr_SetString(PyExc_ValueError, "expected the automaton's own patterns");
                goto done;
            }
            state = next;
        }
        for (int k = 0; k < 1 + (((const uint8_t *)inside.buf)[p] != 0); k++) {
            uint32_t hash = k ? INSIDE : 0;
            for (int32_t n = 0; n < most; n++) hash = hash_step(hash, code[n]);
            sieve_add(sieve, (Start){hash_end(hash, most), state, p, most});
        }
    }
    result = PyCapsule_New(sieve, "moderation.sieve", sieve_capsule_free);
    if (result) {
        sieve = NULL;
        PyCapsule_SetContext(result, Py_NewRef(capsule));
    }
done:
    sieve_free(sieve);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&asked);
    PyBuffer_Release(&inside);
    PyBuffer_Release(&classes);
    return result;
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
    if (clauses_room(&c) || post_room(&compact, (size_t)longest) || post_room(&sound, (size_t)longest)) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t post = 0; post < posts && !problem; post++) {
        if (((const uint8_t *)left_out.buf)[post]) continue;
        int64_t begin = at[post], end = at[post + 1];
        compact.used = 0;
        compact_post(code, begin, end, known.class, &compact);
        for (Py_ssize_t v = 0; v < count && !problem; v++) {
            const Searched *s = &searched[v];
            const Post *view = &compact;
            if (s->kind == SHAPE) { /* what the compact view has of Han characters; it is not needed any more */
                int64_t kept = 0;
                for (int64_t i = 0; i < compact.used; i++) {
                    if (!(class_of(known.class, compact.code[i]) & CLASS_HAN)) continue;
                    compact.code[kept] = look[compact.code[i]];
                    compact.first[kept] = compact.first[i];
                    compact.last[kept++] = compact.last[i];
                }
                compact.used = kept;
            } else if (s->kind == SOUND) {
                sound.used = 0;
                sound_post(code, begin, end, known.class, &sounds, 0, &sound);
                view = &sound;
            }
            Search one = {s, &known, code, begin, end, (int32_t)post, &c, &pairs};
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
