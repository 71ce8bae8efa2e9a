/* Scan: every literal in a view of a batch.

   Bits by how patterns begin leave out nearly every place where none does; from the others the automaton's trie is
   followed. moderation/rules/automaton.py has the reference. */

#include "automaton.h"

#define FEW_SHIFT (32 - 12) /* of `alone`: there are few such patterns */

static inline uint32_t alone_hash(uint32_t start, uint32_t code) { return start + code * 0x9E3779B1u; }

static inline uint32_t pair_hash(uint32_t start, uint32_t code, uint32_t next) { return alone_hash(start, code) + next * 0x85EBCA6Bu; }

static inline uint32_t bit_at(const uint32_t *bits, uint32_t bit) { return bits[bit >> 5] >> (bit & 31) & 1; }

#define MOST_PAIRS 20 /* bits of `pairs`, as a power of two */

/* Where patterns may begin: bits by their first two code points, or by the only one. */
typedef struct {
    const uint32_t *pairs, *alone;
    int shift; /* of `pairs` */
} Begins;

static int begins_fill(Begins *b, const Py_buffer *pairs, const Py_buffer *alone) {
    int power = 5;
    while (power < 32 && pairs->len > (Py_ssize_t)1 << (power - 3)) power++;
    if (check_array("pairs", pairs, 4, ((Py_ssize_t)1 << power) / 32) || check_array("alone", alone, 4, (1 << (32 - FEW_SHIFT)) / 32)) return -1;
    *b = (Begins){pairs->buf, alone->buf, 32 - power};
    return 0;
}

static void set_bit(uint32_t *bits, uint32_t bit) { bits[bit >> 5] |= 1u << (bit & 31); }

/* begins(codes uint32, offsets int64, edges uint32) -> bits of `pairs` and `alone` for the patterns of an automaton
   What may begin inside of a word is there twice. */
PyObject *kernel_begins(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, edges;
    if (!PyArg_ParseTuple(args, "y*y*y*", &codes, &offsets, &edges)) return NULL;
    PyObject *result = NULL, *pairs = NULL, *alone = NULL;
    if (check_offsets(&offsets, &codes) || check_array("edges", &edges, 4, offsets.len / 8 - 1)) goto done;
    Py_ssize_t patterns = offsets.len / 8 - 1, few = (Py_ssize_t)1 << (32 - FEW_SHIFT - 3);
    int power = 10;
    while (power < MOST_PAIRS && (1LL << power) < 4 * patterns) power++; /* of most pairs there are many patterns */
    pairs = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)1 << (power - 3));
    alone = PyBytes_FromStringAndSize(NULL, few);
    if (!pairs || !alone) goto done;
    uint32_t *pair = (uint32_t *)(void *)PyBytes_AsString(pairs), *single = (uint32_t *)(void *)PyBytes_AsString(alone);
    memset(pair, 0, (size_t)1 << (power - 3));
    memset(single, 0, (size_t)few);
    const uint32_t starts[] = {OUTSIDE_WORD, INSIDE_WORD};
    for (Py_ssize_t p = 0; p < patterns; p++) {
        int64_t from = ((const int64_t *)offsets.buf)[p], length = ((const int64_t *)offsets.buf)[p + 1] - from;
        const uint32_t *code = (const uint32_t *)codes.buf + from;
        for (uint32_t n = 0; n <= (IS_OPEN(((const uint32_t *)edges.buf)[p]) & 1) && length; n++)
            if (length > 1) set_bit(pair, pair_hash(starts[n], code[0], code[1]) >> (32 - power));
            else set_bit(single, alone_hash(starts[n], code[0]) >> FEW_SHIFT);
    }
    result = PyTuple_Pack(2, pairs, alone);
done:
    Py_XDECREF(pairs);
    Py_XDECREF(alone);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&edges);
    return result;
}

/* One view of a post, and the base view that it was made from. */
typedef struct {
    const uint32_t *code, *base;
    const int64_t *first, *last; /* NULL for the base view itself */
    int64_t at, end, begin, stop; /* in the view; in the base view */
} Scanned;

/* A place from which the trie is followed: the state it has led to, and the one it leads to if a pattern goes on. */
typedef struct {
    int32_t place, state, next;
} Walk;

/* Write down the places at which a pattern may begin; return how many there are, -1 where a place lies outside of
   the post. Nothing in the loop waits for what was found. */
static inline int64_t find_begins(const Scanned *v, const Begins *b, const uint8_t *class, Walk *walk) {
    int64_t found = 0;
    int outside = 0;
    for (int64_t i = v->at; i < v->end; i++) {
        int64_t from = v->first ? v->first[i] : i;
        if (from < v->begin || from >= v->stop) { outside = 1; break; }
        uint32_t code = v->code[i], next = i + 1 < v->end ? v->code[i + 1] : REMOVED;
        int before = from > v->begin ? class_of(class, v->base[from - 1]) : 0;
        uint32_t start = before & whole_class(class_of(class, code)) ? INSIDE_WORD : OUTSIDE_WORD;
        walk[found].place = (int32_t)i;
        found += (int64_t)(bit_at(b->pairs, pair_hash(start, code, next) >> b->shift) |
                           bit_at(b->alone, alone_hash(start, code) >> FEW_SHIFT));
    }
    return outside ? -1 : found;
}

/* What was found, before it is judged: `end` is the last code point, `other` what was met before it that ends there too. */
typedef struct {
    int32_t pattern, start, end, other;
} Met;

typedef struct {
    int32_t pattern, start, end, post, edges;
} Row;

enum { FINE, MEMORY, OUTSIDE_POST };

/* Turn to the next code point; -1 where no pattern holds it. */
static inline int32_t next_cell(const Automaton *a, int32_t state, uint32_t code) {
    uint32_t symbol = code < CODE_SPACE ? a->symbol[code] : 0;
    return symbol ? a->cell[state].base + (int32_t)symbol : -1;
}

/* Follow the trie from some places, all of them by one code point at a time: what is far away in memory is asked for
   a round before it is needed. */
static int follow(const Automaton *a, const Scanned *v, Walk *walk, int64_t walks, const uint32_t *edges, Out *met) {
    for (int64_t n = 0; n < walks; n++) walk[n].state = 0, walk[n].next = next_cell(a, 0, v->code[walk[n].place]);
    for (int32_t size = 1; walks; size++) {
        int64_t kept = 0;
        for (int64_t n = 0; n < walks; n++) {
            Walk w = walk[n];
            if (w.next < 0 || a->cell[w.next].check != w.state) continue;
            int32_t pattern = a->cell[w.next].out, end = w.place + size;
            if (pattern >= 0) {
                PREFETCH(edges + pattern);
                if (out_reserve(met, sizeof(Met))) return MEMORY;
                PUSH(met, Met, ((Met){pattern, w.place, end - 1, -1}));
            }
            if (end == v->end) continue;
            int32_t next = next_cell(a, w.next, v->code[end]);
            PREFETCH(a->cell + (next < 0 ? 0 : next));
            walk[kept++] = (Walk){w.place, w.next, next};
        }
        walks = kept;
    }
    return FINE;
}

/* Add what counts of what was met in a post, by end, then by start: of what ends at one place the longest was met last.
   `newest` has room for what was met last at each place. */
static int add_rows(const Scanned *v, int32_t post, Out *met, int32_t *newest, const uint32_t *edges, const Ordinary *known, Out *rows) {
    Met *m = (Met *)(void *)met->data;
    size_t count = met->used / sizeof(Met);
    int64_t length = count ? v->end - v->at : 0;
    if (count > INT32_MAX || out_reserve(rows, sizeof(Row) * count)) return MEMORY;
    for (int64_t k = 0; k < length; k++) newest[k] = -1;
    for (size_t n = 0; n < count; n++) {
        int32_t *last = &newest[m[n].end - v->at];
        m[n].other = *last;
        *last = (int32_t)n;
    }
    for (int64_t k = 0; k < length; k++)
        for (int32_t n = newest[k]; n >= 0; n = m[n].other) {
            int64_t start = m[n].start, end = m[n].end, from = v->first ? v->first[start] : start, to = v->last ? v->last[end] : end;
            if (to < from || to >= v->stop) return OUTSIDE_POST;
            int kept = counts(edges[m[n].pattern], end + 1 - start, v->base, from, to, v->begin, v->stop, known);
            if (kept) PUSH(rows, Row, ((Row){m[n].pattern, (int32_t)start, (int32_t)end + 1, post, kept & 3}));
        }
    return FINE;
}

/* scan(automaton, codes, offsets, first, last, base_codes, base_offsets, classes, edges uint32, pairs uint32, alone uint32,
        ordinary, parts, frequency, strong, weak, common)
   -> int32 rows of pattern, start, end, post, edges (1 left, 2 right); sorted by post, end, start
   `first` and `last` may be empty: the view is the base view itself. `pairs` and `alone` are bits: see begins. */
PyObject *kernel_scan(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule;
    Py_buffer codes, offsets, first, last, base_codes, base_offsets, classes, edges, pairs, alone, ordinary, parts, frequency;
    int strong, weak, common;
    if (!PyArg_ParseTuple(args, "Oy*y*y*y*y*y*y*y*y*y*y*y*y*iii", &capsule, &codes, &offsets, &first, &last, &base_codes, &base_offsets,
                          &classes, &edges, &pairs, &alone, &ordinary, &parts, &frequency, &strong, &weak, &common))
        return NULL;
    PyObject *result = NULL;
    Out rows = {0};
    Out met = {0};
    Walk *walk = NULL;
    int32_t *newest = NULL;
    Begins begins;
    const Automaton *a = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!a || check_offsets(&offsets, &codes) || check_offsets(&base_offsets, &base_codes) ||
        check_array("classes", &classes, 1, CODE_SPACE) || check_array("base_offsets", &base_offsets, 8, offsets.len / 8) ||
        check_array("edges", &edges, 4, a->patterns) || begins_fill(&begins, &pairs, &alone) ||
        check_array("ordinary", &ordinary, 4, -1) || check_array("parts", &parts, 4, PARTS) ||
        check_array("frequency", &frequency, 2, ordinary.len / 4) ||
        (first.len && check_array("first", &first, 8, codes.len / 4)) || check_array("last", &last, 8, first.len / 8))
        goto done;
    const int64_t *at = offsets.buf, *bounds = base_offsets.buf;
    Scanned v = {.code = codes.buf, .base = base_codes.buf, .first = first.len ? first.buf : NULL, .last = first.len ? last.buf : NULL};
    const Ordinary known = {classes.buf, ordinary.buf, parts.buf, frequency.buf, ordinary.len / 4, strong, weak, common};
    Py_ssize_t posts = offsets.len / 8 - 1;
    int64_t longest = 0;
    for (Py_ssize_t post = 0; post < posts; post++) if (at[post + 1] - at[post] > longest) longest = at[post + 1] - at[post];
    int problem = FINE;
    walk = malloc(sizeof(Walk) * ((size_t)longest + 1));
    newest = malloc(4 * ((size_t)longest + 1));
    if (!walk || !newest) { PyErr_NoMemory(); goto done; }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t post = 0; post < posts && !problem; post++) {
        v.at = at[post], v.end = at[post + 1], v.begin = bounds[post], v.stop = bounds[post + 1];
        int64_t walks = find_begins(&v, &begins, known.class, walk);
        met.used = 0;
        problem = walks < 0 ? OUTSIDE_POST : follow(a, &v, walk, walks, edges.buf, &met);
        if (!problem) problem = add_rows(&v, (int32_t)post, &met, newest, edges.buf, &known, &rows);
    }
    Py_END_ALLOW_THREADS
    if (problem == MEMORY) PyErr_NoMemory();
    else if (problem) PyErr_SetString(PyExc_ValueError, "a view maps outside of its post in the base view");
    else result = out_bytes(&rows);
done:
    free(walk);
    free(newest);
    free(met.data);
    free(rows.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&first);
    PyBuffer_Release(&last);
    PyBuffer_Release(&base_codes);
    PyBuffer_Release(&base_offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&edges);
    PyBuffer_Release(&pairs);
    PyBuffer_Release(&alone);
    PyBuffer_Release(&ordinary);
    PyBuffer_Release(&parts);
    PyBuffer_Release(&frequency);
    return result;
}
