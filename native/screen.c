/* Screen: which posts any rule's clause could hold in, before anything is looked at closely. */

#include "automaton.h"

#define VIEWS 4 /* base, compact, shape, sound */
#define COMPACT 1
#define SHAPE 2
#define SOUND 3
#define INSIDE 0x51ED270Bu /* starts the hash of what may also begin inside a word */

/* A hash of the first one, two or three code points of what is looked for: see
   moderation/rules/sieve.py. */
typedef struct {
    const uint32_t *bits;
    int shift;
} Sieve;

static inline uint32_t sieve_step(uint32_t hash, uint32_t code) { return ((hash ^ hash >> 15) + code) * 0x9E3779B1u; }
static inline int sieve_holds(const Sieve *sieve, uint32_t hash) {
    uint32_t bit = hash >> sieve->shift;
    return sieve->bits[bit >> 5] >> (bit & 31) & 1;
}

typedef struct {
    int kind;
    const Automaton *automaton;
    Edges edges;
    const int64_t *starts; /* of each pattern's groups, and the end of the last one's */
    Sieve sieve[3];        /* by the number of code points */
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

/* Look for the patterns of one view of a post, from every place where one may begin. */
static int search(const Searched *searched, const uint32_t *code, const int64_t *first, const int64_t *last, int64_t length,
                  const uint32_t *base, int64_t begin, int64_t end, const Ordinary *ordinary, int32_t post, Clauses *clauses,
                  Out *pairs) {
    const Automaton *a = searched->automaton;
    for (int64_t i = 0; i < length; i++) {
        uint32_t c = code[i];
        int64_t from = first ? first[i] : begin + i;
        /* Inside a word or number begins only what may be part of one. */
        int kind = class_of(ordinary->class, c), bad = kind & CLASS_DIGIT ? CLASS_DIGIT : kind & CLASS_LATIN;
        uint32_t hash = bad && from > begin && class_of(ordinary->class, base[from - 1]) & bad ? INSIDE : 0;
        int found = sieve_holds(&searched->sieve[0], hash = sieve_step(hash, c));
        if (i + 1 < length) {
            found |= sieve_holds(&searched->sieve[1], hash = sieve_step(hash, code[i + 1]));
            if (i + 2 < length) found |= sieve_holds(&searched->sieve[2], sieve_step(hash, code[i + 2]));
        }
        if (!found) continue;
        int32_t state = 0;
        for (int64_t k = i; k < length; k++) {
            uint32_t symbol = code[k] < CODE_SPACE ? a->symbol[code[k]] : 0;
            int32_t next = symbol ? a->base[state] + (int32_t)symbol : -1;
            if (next < 0 || a->check[next] != state) break;
            state = next;
            int32_t pattern = a->out[state];
            if (pattern < 0 || searched->starts[pattern] == searched->starts[pattern + 1]) continue;
            int64_t to = last ? last[k] : begin + k;
            if (!counts(pattern, a->length[pattern], base, from, to, begin, end, &searched->edges, ordinary)) continue;
            int problem = clauses_add(clauses, searched->starts[pattern], searched->starts[pattern + 1], post, pairs);
            if (problem) return problem;
        }
    }
    return FINE;
}

static int sieve_fill(Sieve *sieve, const Py_buffer *bits) {
    Py_ssize_t count = bits->len * 8;
    if (check_array("sieve", bits, 4, -1)) return -1;
    if (count < 32 || count & (count - 1) || count > 1LL << 31) {
        PyErr_SetString(PyExc_ValueError, "sieve: expected a power of two of bits, 32 or more");
        return -1;
    }
    sieve->bits = bits->buf;
    sieve->shift = 32;
    while (count >>= 1) sieve->shift--;
    return 0;
}

/* Buffers of one view, in this order. */
enum { LEFT, RIGHT, OPEN, FLAGS, STARTS, ONE, TWO, THREE, ARRAYS };

static int searched_fill(Searched *searched, PyObject *given, Py_buffer *arrays, int *held) {
    PyObject *capsule;
    if (!PyTuple_Check(given)) { PyErr_SetString(PyExc_TypeError, "expected a tuple for each view"); return -1; }
    if (!PyArg_ParseTuple(given, "iOy*y*y*y*y*y*y*y*", &searched->kind, &capsule, &arrays[LEFT], &arrays[RIGHT], &arrays[OPEN],
                          &arrays[FLAGS], &arrays[STARTS], &arrays[ONE], &arrays[TWO], &arrays[THREE]))
        return -1;
    *held = 1;
    searched->automaton = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!searched->automaton) return -1;
    for (int k = LEFT; k <= FLAGS; k++)
        if (check_array("edges", &arrays[k], 1, searched->automaton->patterns)) return -1;
    if (check_array("starts", &arrays[STARTS], 8, searched->automaton->patterns + 1)) return -1;
    for (int k = 0; k < 3; k++)
        if (sieve_fill(&searched->sieve[k], &arrays[ONE + k])) return -1;
    searched->edges = (Edges){arrays[LEFT].buf, arrays[RIGHT].buf, arrays[OPEN].buf, arrays[FLAGS].buf};
    searched->starts = arrays[STARTS].buf;
    if (searched->kind < 0 || searched->kind >= VIEWS) {
        PyErr_SetString(PyExc_ValueError, "expected a view from 0 to 3");
        return -1;
    }
    return 0;
}

/* notice(views, codes, offsets, left_out, classes, looks, near, syllables, syllable_near, groups, owner, needed, ordinary,
          frequency, strong, weak, common)
   `views` holds a tuple for each view: its number, automaton, left_bad, right_bad, open, flags, starts and three sieves.
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
            problem = s->kind ? search(s, view->code, view->first, view->last, view->used, code, begin, end, &known, (int32_t)post,
                                       &c, &pairs)
                              : search(s, code + begin, NULL, NULL, end - begin, code, begin, end, &known, (int32_t)post, &c, &pairs);
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
