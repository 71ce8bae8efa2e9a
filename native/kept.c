/* Automata and sieves as plain arrays and back: what was built once need not be built again.

   What comes back may have been damaged on the way. Whatever reading it relies on is checked, so
   that no array can make a scan read outside of it or go on for ever. */

#include "sieve.h"

static PyObject *bytes_of(const void *data, size_t size) {
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
}

/* ------------------------------------------------------------------ automata */

typedef struct {
    Automaton automaton; /* first: a capsule's pointer is one to the automaton */
    Py_buffer cells;
} Kept;

static void kept_free(Kept *kept) {
    if (!kept) return;
    free(kept->automaton.length);
    free(kept->automaton.symbol);
    if (kept->cells.obj) PyBuffer_Release(&kept->cells);
    free(kept);
}

static void kept_capsule_free(PyObject *capsule) { kept_free(PyCapsule_GetPointer(capsule, "moderation.automaton")); }

/* cells(automaton) -> its states: see `restored` */
PyObject *kernel_cells(PyObject *Py_UNUSED(self), PyObject *capsule) {
    const Automaton *a = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!a) return NULL;
    uint32_t top = 0;
    for (uint32_t c = 0; c < CODE_SPACE; c++) if (a->symbol[c] > top) top = a->symbol[c];
    return bytes_of(a->cell, ((size_t)a->states + top + 1) * sizeof(Cell));
}

/* Fill in how many symbols lead to each state, -1 for what is no state; -1 where one has no way from the root. */
static int fill_depths(const Cell *cell, int32_t cells, int32_t *depth) {
    for (int32_t s = 0; s < cells; s++) depth[s] = -1;
    depth[0] = 0;
    for (int32_t s = 1; s < cells; s++) {
        if (cell[s].check < 0 || depth[s] >= 0) continue;
        int32_t steps = 0, top = s;
        while (depth[top] < 0) {
            if (cell[top].check < 0 || cell[top].check >= cells || ++steps > cells) return -1;
            top = cell[top].check;
        }
        int32_t at = depth[top] + steps;
        for (int32_t t = s; t != top; t = cell[t].check) depth[t] = at--;
    }
    return 0;
}

static int is_sound(const Automaton *a, int32_t cells, int32_t top, int32_t *depth) {
    const Cell *cell = a->cell;
    if (cell[0].check != 0x7FFFFFFF || cell[0].out >= 0 || fill_depths(cell, cells, depth)) return 0;
    int wrong = 0;
    for (int32_t s = 0; s < cells; s++) {
        int32_t out = cell[s].out;
        wrong |= cell[s].base < 0 || cell[s].base >= cells - top || out < -1 || out >= a->patterns;
        wrong |= s && depth[s] >= 0 && out >= 0 && out < a->patterns && a->length[out] != depth[s];
    }
    return !wrong;
}

/* restored(cells, offsets int64, used uint32) -> automaton
   `cells` as `cells` returned them; `offsets` of the patterns; `used` lists the code points that patterns hold,
   by their symbols. The cells are kept, not copied. */
PyObject *kernel_restored(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer offsets, used;
    PyObject *result = NULL;
    int32_t *depth = NULL;
    Kept *kept = calloc(1, sizeof(Kept));
    if (!kept) return PyErr_NoMemory();
    if (!PyArg_ParseTuple(args, "y*y*y*", &kept->cells, &offsets, &used)) { free(kept); return NULL; }
    Automaton *a = &kept->automaton;
    if (kept->cells.len % (Py_ssize_t)sizeof(Cell) || (uintptr_t)kept->cells.buf % 4 || check_array("offsets", &offsets, 8, -1) ||
        check_array("used", &used, 4, -1))
        goto wrong;
    Py_ssize_t cells = kept->cells.len / (Py_ssize_t)sizeof(Cell), patterns = offsets.len / 8 - 1, symbols = used.len / 4;
    if (cells < 1 || cells > INT32_MAX || patterns < 0 || patterns > INT32_MAX || symbols >= cells) goto wrong;
    a->cell = kept->cells.buf;
    a->room = (size_t)cells;
    a->states = (int32_t)(cells - symbols - 1);
    a->patterns = (int32_t)patterns;
    a->length = malloc(((size_t)patterns + 1) * 4);
    a->symbol = calloc(CODE_SPACE, 4);
    depth = malloc((size_t)cells * 4);
    if (!a->length || !a->symbol || !depth) { PyErr_NoMemory(); goto done; }
    const int64_t *at = offsets.buf;
    for (Py_ssize_t p = 0; p < patterns; p++) {
        if (at[p] < 0 || at[p + 1] <= at[p] || at[p + 1] > INT32_MAX) goto wrong;
        a->length[p] = (int32_t)(at[p + 1] - at[p]);
    }
    for (Py_ssize_t n = 0; n < symbols; n++) {
        uint32_t code = ((const uint32_t *)used.buf)[n];
        if (code >= CODE_SPACE) goto wrong;
        a->symbol[code] = (uint32_t)n + 1;
    }
    if (!is_sound(a, (int32_t)cells, (int32_t)symbols, depth)) goto wrong;
    result = PyCapsule_New(a, "moderation.automaton", kept_capsule_free);
    if (result) kept = NULL;
    goto done;
wrong:
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "expected the cells of an automaton");
done:
    free(depth);
    kept_free(kept);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&used);
    return result;
}

/* ------------------------------------------------------------------ sieves */

enum { HEADS, SIZES, BITS, STARTS, TEXT, PIECES };

typedef struct {
    Sieve sieve; /* first: a capsule's pointer is one to the sieve */
    Py_buffer piece[PIECES];
} KeptSieve;

static void kept_sieve_free(KeptSieve *kept) {
    if (!kept) return;
    for (int n = 0; n < PIECES; n++) if (kept->piece[n].obj) PyBuffer_Release(&kept->piece[n]);
    free(kept);
}

static void kept_sieve_capsule_free(PyObject *capsule) {
    kept_sieve_free(PyCapsule_GetPointer(capsule, "moderation.sieve"));
    Py_XDECREF((PyObject *)PyCapsule_GetContext(capsule));
}

/* sieve_parts(sieve) -> heads, sizes, bits and starts: see `restored_sieve` */
PyObject *kernel_sieve_parts(PyObject *Py_UNUSED(self), PyObject *capsule) {
    const Sieve *s = PyCapsule_GetPointer(capsule, "moderation.sieve");
    if (!s) return NULL;
    int power = 32 - s->start_shift;
    PyObject *part[TEXT] = {
        bytes_of(s->heads, (size_t)4 << (32 - s->head_shift)), bytes_of(s->sizes, (size_t)2 << (32 - s->size_shift)),
        bytes_of(s->bits, (size_t)8 << (power - 3)), bytes_of(s->start, sizeof(Start) << power),
    };
    int there = 1;
    for (int n = 0; n < TEXT; n++) there &= part[n] != NULL;
    PyObject *result = there ? PyTuple_Pack(TEXT, part[HEADS], part[SIZES], part[BITS], part[STARTS]) : NULL;
    for (int n = 0; n < TEXT; n++) Py_XDECREF(part[n]);
    return result;
}

static int starts_are_sound(Sieve *s, Py_ssize_t starts, Py_ssize_t codes) {
    int free_ = 0, wrong = 0;
    for (Py_ssize_t n = 0; n < starts; n++) {
        const Start *start = &s->start[n];
        if (!start->size) { free_ = 1; continue; }
        s->ones |= start->size == 1;
        wrong |= start->size < 0 || start->size > LONGEST || start->text < 0 || start->text > codes - start->size;
        wrong |= start->pattern < -1 || start->pattern >= s->automaton->patterns;
        wrong |= start->state < -1 || start->state >= (int64_t)s->automaton->room;
    }
    return free_ && !wrong;
}

/* restored_sieve(automaton, heads, sizes, bits, starts, codes, edges) -> sieve
   As `sieve_parts` returned them, and the code points and edges of the automaton's patterns. The buffers are kept, not copied. */
PyObject *kernel_restored_sieve(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *result = NULL;
    Py_buffer edges;
    KeptSieve *kept = calloc(1, sizeof(KeptSieve));
    if (!kept) return PyErr_NoMemory();
    Py_buffer *piece = kept->piece;
    if (!PyArg_ParseTuple(args, "Oy*y*y*y*y*y*", &capsule, &piece[HEADS], &piece[SIZES], &piece[BITS], &piece[STARTS], &piece[TEXT],
                          &edges)) {
        free(kept);
        return NULL;
    }
    Sieve *s = &kept->sieve;
    s->automaton = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!s->automaton || check_array("edges", &edges, 4, s->automaton->patterns)) goto done;
    int power = 6;
    while (power <= 27 && (Py_ssize_t)(sizeof(Start) << power) < piece[STARTS].len) power++;
    int heads = heads_power(power);
    const Py_ssize_t size[PIECES] = {
        (Py_ssize_t)4 << heads, (Py_ssize_t)2 << sizes_power(power), (Py_ssize_t)8 << (power - 3),
        (Py_ssize_t)(sizeof(Start) << power), piece[TEXT].len,
    };
    for (int n = 0; n < PIECES; n++)
        if (power > 27 || piece[n].len != size[n] || (uintptr_t)piece[n].buf % (n == BITS ? 8 : 4)) goto wrong;
    s->heads = piece[HEADS].buf;
    s->sizes = piece[SIZES].buf;
    s->bits = piece[BITS].buf;
    s->start = piece[STARTS].buf;
    s->text = piece[TEXT].buf;
    s->head_shift = 32 - heads;
    s->size_shift = 32 - sizes_power(power);
    s->bit_shift = 64 - (power - 3);
    s->start_shift = 32 - power;
    s->plain = plain_of(edges.buf, s->automaton->patterns);
    if (!starts_are_sound(s, (Py_ssize_t)1 << power, piece[TEXT].len / 4)) goto wrong;
    result = PyCapsule_New(s, "moderation.sieve", kept_sieve_capsule_free);
    if (result) {
        kept = NULL;
        PyCapsule_SetContext(result, Py_NewRef(capsule));
    }
    goto done;
wrong:
    PyErr_SetString(PyExc_ValueError, "expected the parts of a sieve");
done:
    kept_sieve_free(kept);
    PyBuffer_Release(&edges);
    return result;
}
