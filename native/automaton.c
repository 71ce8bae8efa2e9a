/* Literals: a trie over code points, as a double array. */

#include "automaton.h"

/* ------------------------------------------------------------------ automaton */

static void automaton_free(Automaton *a) {
    if (!a) return;
    free(a->cell);
    free(a->length);
    free(a->symbol);
    free(a);
}

static void capsule_free(PyObject *capsule) { automaton_free(PyCapsule_GetPointer(capsule, "moderation.automaton")); }

typedef struct {
    int32_t state, low, high, depth; /* patterns order[low:high] share its `depth` symbols */
} Node;

typedef struct {
    const uint32_t *code;
    const int64_t *at;
    const int32_t *order; /* patterns, sorted by their symbols */
    int32_t next;         /* where the search for free places starts */
    Node *waiting;        /* a stack of states whose children have no place yet */
    int32_t waits, room;
} Builder;

static int grow(Automaton *a, size_t wanted) {
    if (wanted < a->room) return 0;
    if (wanted >= INT32_MAX) return -1;
    size_t room = a->room ? a->room : 1 << 16;
    while (room <= wanted) room *= 2;
    Cell *cell = realloc(a->cell, room * sizeof(Cell));
    if (!cell) return -1;
    a->cell = cell;
    for (size_t i = a->room; i < room; i++) cell[i] = (Cell){0, -1, -1};
    a->room = room;
    return 0;
}

static int add_node(Builder *b, Node added) {
    if (b->waits == b->room) {
        if (b->room > INT32_MAX / 2) return -1;
        int32_t room = b->room ? b->room * 2 : 1 << 12;
        Node *waiting = realloc(b->waiting, (size_t)room * sizeof(Node));
        if (!waiting) return -1;
        b->waiting = waiting;
        b->room = room;
    }
    b->waiting[b->waits++] = added;
    return 0;
}

/* Place the children of one state. */
static int place(Automaton *a, Builder *b, Node at) {
    int32_t low = at.low, high = at.high;
    while (low < high && a->length[b->order[low]] == at.depth) a->cell[at.state].out = b->order[low++];
    if (low == high) return 0;
    int32_t children = 0, room = 16;
    int32_t *first = malloc((size_t)room * 4);
    uint32_t *symbols = malloc((size_t)room * 4);
    if (!first || !symbols) goto memory;
    for (int32_t i = low; i < high; i++) {
        int32_t pattern = b->order[i];
        uint32_t s = a->length[pattern] > at.depth ? a->symbol[b->code[b->at[pattern] + at.depth]] : 0;
        if (!s || (children && s < symbols[children - 1])) {
            PyErr_SetString(PyExc_ValueError, "the order does not sort the patterns");
            goto failed;
        }
        if (children && symbols[children - 1] == s) continue;
        if (children + 1 == room) {
            room *= 2;
            int32_t *first_ = realloc(first, (size_t)room * 4);
            if (first_) first = first_;
            uint32_t *symbols_ = realloc(symbols, (size_t)room * 4);
            if (symbols_) symbols = symbols_;
            if (!first_ || !symbols_) goto memory;
        }
        symbols[children] = s;
        first[children++] = i;
    }
    first[children] = high;
    int begun = 0, taken = 0, tried = 0;
    size_t seek = (size_t)b->next > symbols[0] ? (size_t)b->next : symbols[0] + 1;
    for (;; seek++) {
        if (grow(a, seek + 1)) goto memory;
        tried++;
        if (a->cell[seek].check >= 0) { taken++; continue; }
        if (!begun) { begun = 1; if (children == 1) b->next = (int32_t)seek; }
        size_t offset = seek - symbols[0];
        if (grow(a, offset + symbols[children - 1] + 1)) goto memory;
        int free_ = 1;
        for (int32_t k = 1; k < children && free_; k++) free_ = a->cell[offset + symbols[k]].check < 0;
        if (free_) break;
    }
    if (taken * 20LL >= tried * 19LL) b->next = (int32_t)seek;
    int32_t offset = (int32_t)(seek - symbols[0]);
    a->cell[at.state].base = offset;
    for (int32_t k = children - 1; k >= 0; k--) {
        int32_t child = offset + (int32_t)symbols[k];
        a->cell[child].check = at.state;
        if (child >= a->states) a->states = child + 1;
        if (add_node(b, (Node){child, first[k], first[k + 1], at.depth + 1})) goto memory;
    }
    free(first);
    free(symbols);
    return 0;
memory:
    PyErr_NoMemory();
failed:
    free(first);
    free(symbols);
    return -1;
}

/* build(codes uint32, offsets int64, order int32, symbols uint32 by code point) -> automaton
   `order` lists the patterns sorted by their symbols; none is empty, none stands twice. */
PyObject *kernel_build(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, order, symbols;
    if (!PyArg_ParseTuple(args, "y*y*y*y*", &codes, &offsets, &order, &symbols)) return NULL;
    PyObject *result = NULL;
    Builder b = {0};
    Automaton *a = calloc(1, sizeof(Automaton));
    if (!a) { PyErr_NoMemory(); goto done; }
    if (check_offsets(&offsets, &codes) || check_array("symbols", &symbols, 4, CODE_SPACE)) goto done;
    a->patterns = (int32_t)(offsets.len / 8 - 1);
    if (check_array("order", &order, 4, a->patterns)) goto done;
    const int64_t *at = offsets.buf;
    const uint32_t *code = codes.buf;
    a->symbol = malloc(CODE_SPACE * 4);
    a->length = malloc(((size_t)a->patterns + 1) * 4);
    if (!a->symbol || !a->length || grow(a, 1)) { PyErr_NoMemory(); goto done; }
    memcpy(a->symbol, symbols.buf, CODE_SPACE * 4);
    uint32_t top = 0;
    for (uint32_t c = 0; c < CODE_SPACE; c++) if (a->symbol[c] > top) top = a->symbol[c];
    if (top > CODE_SPACE) { PyErr_SetString(PyExc_ValueError, "expected symbols up to 0x110000"); goto done; }
    for (Py_ssize_t i = 0; i < codes.len / 4; i++)
        if (code[i] >= CODE_SPACE || !a->symbol[code[i]]) {
            PyErr_SetString(PyExc_ValueError, "a pattern holds a code point that has no symbol");
            goto done;
        }
    for (int32_t i = 0; i < a->patterns; i++) {
        a->length[i] = (int32_t)(at[i + 1] - at[i]);
        int32_t number = ((const int32_t *)order.buf)[i];
        if (!a->length[i] || number < 0 || number >= a->patterns) {
            PyErr_SetString(PyExc_ValueError, "a pattern is empty, or the order names one that is not there");
            goto done;
        }
    }
    b.code = code;
    b.at = at;
    b.order = order.buf;
    b.next = 1;
    a->states = 1;
    a->cell[0].check = 0x7FFFFFFF; /* nobody's child */
    if (add_node(&b, (Node){0, 0, a->patterns, 0})) { PyErr_NoMemory(); goto done; }
    while (b.waits) if (place(a, &b, b.waiting[--b.waits])) goto done;
    /* Reading base[s] + symbol must stay inside for every symbol there is. */
    if (grow(a, (size_t)a->states + top + 1)) { PyErr_NoMemory(); goto done; }
    result = PyCapsule_New(a, "moderation.automaton", capsule_free);
    if (result) a = NULL;
done:
    automaton_free(a);
    free(b.waiting);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&order);
    PyBuffer_Release(&symbols);
    return result;
}

/* ------------------------------------------------------------------ ordinary surfaces */

static int contains(const Ordinary *o, uint32_t key) { return ordinary_find(o, key) >= 0; }

/* True where a stretch of the base view is what ordinary posts are made of: a Han word of two to
   four characters, or nothing but Latin words, that the table knows. */
static int is_ordinary(const uint32_t *code, int64_t first, int64_t last, int pinyin, const Ordinary *o) {
    const uint8_t *class = o->class;
    int han = 0, latin = 0, known = 1;
    uint32_t whole = 2166136261u;
    for (int64_t i = first; i <= last; i++) {
        int kind = class_of(class, code[i]);
        if (kind & CLASS_HAN) {
            han++;
            whole = ordinary_step(whole, code[i]);
        } else if (is_symbol(code[i])) {
            return 0; /* a letter in disguise */
        } else if (kind & CLASS_WORD) {
            uint32_t word = 2166136261u, inside = ordinary_step(2166136261u, 1);
            int64_t stop = i;
            while (stop <= last && class_of(class, code[stop]) & CLASS_WORD && !(class_of(class, code[stop]) & CLASS_HAN)) {
                word = ordinary_step(word, code[stop]);
                inside = ordinary_step(inside, code[stop++]);
            }
            latin++;
            if (pinyin) {
                int64_t at = ordinary_find(o, inside);
                known = known && at >= 0 && o->often[at] >= o->common;
            } else {
                known = known && (contains(o, word) || contains(o, inside));
            }
            i = stop - 1;
        }
    }
    if (han && latin) return 0;
    if (latin) return known;
    return han >= 2 && han <= 4 && contains(o, whole);
}

/* How often, in a million ordinary posts, two neighbouring Han characters stand side by side. */
static int bond(uint32_t a, uint32_t b, const Ordinary *o) {
    if (!(class_of(o->class, a) & class_of(o->class, b) & CLASS_HAN)) return 0;
    int64_t at = ordinary_find(o, ordinary_step(ordinary_step(2166136261u, a), b));
    return at < 0 ? 0 : o->often[at];
}

/* True where the characters at the edges of a stretch belong to words outside of it. */
int is_bound(const uint32_t *code, int64_t first, int64_t last, int64_t begin, int64_t end, const Ordinary *o) {
    int left = first > begin ? bond(code[first - 1], code[first], o) : 0;
    if (left >= o->strong) return 1;
    int right = last + 1 < end ? bond(code[last], code[last + 1], o) : 0;
    return right >= o->strong || (left >= o->weak && right >= o->weak);
}

/* True where a stretch of the base view is an ordinary word, or parts of words outside of it. */
int is_guarded(const uint32_t *base, int64_t from, int64_t to, int64_t begin, int64_t end, int pinyin, const Ordinary *o) {
    return is_ordinary(base, from, to, pinyin, o) || is_bound(base, from, to, begin, end, o);
}
