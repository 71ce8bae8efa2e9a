/* Sieve: made once from the patterns that are looked for in a view. */

#include "sieve.h"

static void sieve_free(Sieve *sieve) {
    if (!sieve) return;
    free(sieve->heads);
    free(sieve->sizes);
    free(sieve->bits);
    free(sieve->start);
    free(sieve->text);
    free(sieve);
}

static void sieve_capsule_free(PyObject *capsule) {
    sieve_free(PyCapsule_GetPointer(capsule, "moderation.sieve"));
    Py_XDECREF((PyObject *)PyCapsule_GetContext(capsule));
}

/* Make room for a number of patterns; -1 with an error where there is none. */
static int sieve_room(Sieve *sieve, int64_t wanted, Py_ssize_t text) {
    int power = 6;
    while ((1LL << power) < 2 * wanted) power++; /* half of the table is free, and more */
    if (power > 27) { PyErr_SetString(PyExc_ValueError, "too many patterns"); return -1; }
    int heads = heads_power(power);
    sieve->start_shift = 32 - power;
    sieve->bit_shift = 64 - (power - 3); /* eight bits for a place of the table */
    sieve->head_shift = 32 - heads;
    sieve->size_shift = 32 - sizes_power(power);
    sieve->start = calloc((size_t)1 << power, sizeof(Start));
    sieve->bits = calloc((size_t)1 << (power - 3), 8);
    sieve->heads = calloc((size_t)1 << heads, 4);
    sieve->sizes = calloc((size_t)1 << sizes_power(power), 2);
    sieve->text = malloc((size_t)text + 4);
    if (sieve->start && sieve->bits && sieve->heads && sieve->sizes && sieve->text) return 0;
    PyErr_NoMemory();
    return -1;
}

static void add_head(Sieve *sieve, uint32_t word, uint32_t hash) {
    sieve->heads[word >> sieve->head_shift] |= head_bits(sieve, hash);
}

static void add_bits(Sieve *sieve, uint64_t hash) { sieve->bits[hash >> sieve->bit_shift] |= bits_of(hash); }

/* Add how a pattern begins: `start` is OUTSIDE_WORD or INSIDE_WORD of words. */
static void sieve_add(Sieve *sieve, uint32_t start, int64_t text, int32_t length, int32_t most, int32_t pattern, int32_t state,
                      uint32_t edges) {
    int32_t size = length < most ? length : most;
    const uint32_t *code = sieve->text + text;
    int inside = length > size || IS_OPEN(edges) & 2, latin = most > SHORTEST;
    uint32_t head = head_of(start, code[0]), word;
    if (length > 1) head += code[1] * HEAD_TWO;
    if (length > 2) head += code[2] * HEAD_THREE;
    word = head;
    if (length > 3 && latin) head += code[3] * HEAD_FOUR;
    if (length > 3 && latin) sieve->sizes[head >> sieve->size_shift] |= size_bits(size, inside);
    if (length == 2 || (length == 3 && latin)) {
        add_head(sieve, word, head + WHOLE);
        if (inside) add_head(sieve, word, head + WHOLE_INSIDE);
    } else {
        add_head(sieve, word, head);
    }
    uint64_t hash = start;
    for (int32_t n = 0; n < size; n++) hash = hash_step(hash, code[n]);
    add_bits(sieve, hash);
    if (sieve->plain && (length > size || !(FLAGS(edges) & SKIP_PLAIN))) add_bits(sieve, hash ^ PLAIN);
    Start *known = (Start *)sieve_find(sieve, hash, code, size);
    if (!known) {
        uint32_t short_hash = (uint32_t)(hash >> 32), mask = (uint32_t)-1 >> sieve->start_shift;
        uint32_t at = short_hash >> sieve->start_shift;
        while (sieve->start[at].size) at = (at + 1) & mask;
        known = &sieve->start[at];
        *known = (Start){short_hash, size, (int32_t)text, -1, -1};
    }
    if (length == size) known->pattern = pattern;
    else known->state = state;
}

/* sieve(automaton, codes, offsets, asked uint8, edges uint32, classes) -> sieve
   The patterns of the automaton, those that are looked for, and their edges as `scan` takes them. */
PyObject *kernel_sieve(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *result = NULL;
    Py_buffer codes, offsets, asked, edges, classes;
    if (!PyArg_ParseTuple(args, "Oy*y*y*y*y*", &capsule, &codes, &offsets, &asked, &edges, &classes)) return NULL;
    Sieve *sieve = NULL;
    const Automaton *a = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!a || check_offsets(&offsets, &codes) || check_array("offsets", &offsets, 8, a->patterns + 1) ||
        check_array("asked", &asked, 1, a->patterns) || check_array("edges", &edges, 4, a->patterns) ||
        check_array("classes", &classes, 1, CODE_SPACE))
        goto done;
    sieve = calloc(1, sizeof(Sieve));
    if (!sieve) { PyErr_NoMemory(); goto done; }
    int64_t wanted = 0;
    const int64_t *at = offsets.buf;
    const uint8_t *wants = asked.buf;
    const uint32_t *edge = edges.buf;
    for (int32_t p = 0; p < a->patterns; p++) {
        if (!wants[p]) continue;
        wanted += 1 + (IS_OPEN(edge[p]) & 1);
        sieve->ones |= a->length[p] == 1;
    }
    sieve->plain = plain_of(edge, a->patterns);
    if (sieve_room(sieve, wanted, codes.len)) goto done;
    sieve->automaton = a;
    memcpy(sieve->text, codes.buf, (size_t)codes.len);
    for (int32_t p = 0; p < a->patterns; p++) {
        if (!wants[p]) continue;
        int32_t length = a->length[p];
        if (at[p + 1] - at[p] != length) {
            PyErr_SetString(PyExc_ValueError, "expected the automaton's own patterns");
            goto done;
        }
        const uint32_t *code = sieve->text + at[p];
        int32_t most = class_of(classes.buf, code[0]) & CLASS_LATIN ? LONGEST : SHORTEST, state = 0;
        for (int32_t k = 0; k < length && k < most; k++) {
            uint32_t symbol = code[k] < CODE_SPACE ? a->symbol[code[k]] : 0;
            int32_t next = symbol ? a->cell[state].base + (int32_t)symbol : -1;
            if (next < 0 || a->cell[next].check != state) {
                PyErr_SetString(PyExc_ValueError, "expected the automaton's own patterns");
                goto done;
            }
            state = next;
        }
        sieve_add(sieve, OUTSIDE_WORD, at[p], length, most, p, state, edge[p]);
        if (IS_OPEN(edge[p]) & 1) sieve_add(sieve, INSIDE_WORD, at[p], length, most, p, state, edge[p]);
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
    PyBuffer_Release(&edges);
    PyBuffer_Release(&classes);
    return result;
}
