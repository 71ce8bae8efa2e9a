/* The hot loops of moderation: folding views and matching literals over a batch of posts.

   Every function here has a reference in Python and numpy (moderation/text, moderation/rules)
   that gives the same results; the tests compare the two. Arguments are buffers of plain numbers,
   results are bytes objects: neither numpy nor any Python object is touched in a loop. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_LATIN 1
#define CLASS_HAN 2
#define CLASS_DIGIT 4
#define CLASS_WORD 31
#define CODE_SPACE 0x110000
#define REMOVED 0xFFFFFFFFu
#define EXPANDED 0x80000000u
#define SYLLABLES 0xF0000u /* first private code point: near-homophone class n is SYLLABLES + n */
#define LONGEST_TOKEN 48

/* ------------------------------------------------------------------ growing output */

typedef struct {
    char *data;
    size_t used, room;
} Out;

static int out_reserve(Out *out, size_t more) {
    if (out->used + more <= out->room) return 0;
    size_t room = out->room ? out->room : 4096;
    while (room < out->used + more) room *= 2;
    char *data = realloc(out->data, room);
    if (!data) return -1;
    out->data = data;
    out->room = room;
    return 0;
}

static PyObject *out_bytes(Out *out) {
    PyObject *bytes = PyBytes_FromStringAndSize(out->data, (Py_ssize_t)out->used);
    free(out->data);
    out->data = NULL;
    return bytes;
}

#define PUSH(out, type, value) \
    (*(type *)(void *)((out)->data + (out)->used) = (type)(value), (out)->used += sizeof(type))

#define LAST(out) (*(int64_t *)(void *)((out)->data + (out)->used - 8))

/* True where a buffer holds `count` numbers of `size` bytes, or any number of them for -1, and
   stands where such numbers may be read. */
static int check_array(const char *what, const Py_buffer *buffer, Py_ssize_t size, Py_ssize_t count) {
    if (count >= 0 ? buffer->len != size * count : buffer->len % size != 0) {
        PyErr_Format(PyExc_ValueError, "%s: expected %zd numbers of %zd bytes, found %zd bytes", what, count, size, buffer->len);
        return -1;
    }
    if (buffer->len && (uintptr_t)buffer->buf % (uintptr_t)size) {
        PyErr_Format(PyExc_ValueError, "%s: expected an aligned buffer", what);
        return -1;
    }
    return 0;
}

/* Offsets must ascend from 0 to the number of codes. */
static int check_offsets(const Py_buffer *offsets, const Py_buffer *codes) {
    if (check_array("offsets", offsets, 8, -1) || check_array("codes", codes, 4, -1)) return -1;
    Py_ssize_t n = offsets->len / 8, total = codes->len / 4;
    const int64_t *at = offsets->buf;
    if (n < 1 || n > INT32_MAX || total > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "expected one offset or more, and fewer posts and codes than 2**31");
        return -1;
    }
    int wrong = at[0] != 0 || at[n - 1] != total;
    for (Py_ssize_t i = 1; i < n; i++) wrong |= at[i] < at[i - 1];
    if (wrong) PyErr_SetString(PyExc_ValueError, "expected offsets that ascend from 0 to the number of codes");
    return wrong ? -1 : 0;
}

static int class_of(const uint8_t *classes, uint32_t code) { return code < CODE_SPACE ? classes[code] : 0; }

/* ------------------------------------------------------------------ base fold */

/* fold(codes, offsets, target, expansion_start, expansion_length, expansion)
   -> codes uint32, offsets int64, source int64 */
static PyObject *fold(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, target, starts, lengths, expansion;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*", &codes, &offsets, &target, &starts, &lengths, &expansion))
        return NULL;
    PyObject *result = NULL;
    Out text = {0}, source = {0}, bounds = {0};
    Py_ssize_t expansions = starts.len / 8, longest = expansion.len / 4;
    if (check_offsets(&offsets, &codes) || check_array("target", &target, 4, CODE_SPACE) ||
        check_array("expansion_start", &starts, 8, -1) || check_array("expansion_length", &lengths, 8, expansions) ||
        check_array("expansion", &expansion, 4, -1))
        goto done;
    const uint32_t *code = codes.buf, *table = target.buf, *parts = expansion.buf;
    const int64_t *at = offsets.buf, *start = starts.buf, *length = lengths.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, total = codes.len / 4;
    for (Py_ssize_t i = 0; i < expansions; i++)
        if (start[i] < 0 || length[i] < 0 || start[i] > longest || length[i] > longest - start[i]) {
            PyErr_SetString(PyExc_ValueError, "an expansion lies outside of the array of expansions");
            goto done;
        }
    if (out_reserve(&text, 4 * (size_t)total + 64) || out_reserve(&source, 8 * (size_t)total + 64) ||
        out_reserve(&bounds, 8 * ((size_t)posts + 1))) {
        PyErr_NoMemory();
        goto done;
    }
    PUSH(&bounds, int64_t, 0);
    for (Py_ssize_t post = 0; post < posts; post++) {
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            uint32_t folded = code[i] < CODE_SPACE ? table[code[i]] : REMOVED;
            if (folded < EXPANDED) {
                if (text.used + 4 > text.room && (out_reserve(&text, 4) || out_reserve(&source, 8))) goto memory;
                if (source.used + 8 > source.room && out_reserve(&source, 8)) goto memory;
                PUSH(&text, uint32_t, folded);
                PUSH(&source, int64_t, i);
            } else if (folded != REMOVED) {
                Py_ssize_t number = folded - EXPANDED;
                if (number >= expansions) {
                    PyErr_SetString(PyExc_ValueError, "the fold table names an expansion that it does not hold");
                    goto done;
                }
                if (out_reserve(&text, 4 * (size_t)length[number]) || out_reserve(&source, 8 * (size_t)length[number])) goto memory;
                for (int64_t k = 0; k < length[number]; k++) {
                    PUSH(&text, uint32_t, parts[start[number] + k]);
                    PUSH(&source, int64_t, i);
                }
            }
        }
        PUSH(&bounds, int64_t, text.used / 4);
    }
    result = Py_BuildValue("NNN", out_bytes(&text), out_bytes(&bounds), out_bytes(&source));
    goto done;
memory:
    PyErr_NoMemory();
done:
    free(text.data);
    free(source.data);
    free(bounds.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&target);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&lengths);
    PyBuffer_Release(&expansion);
    return result;
}

/* ------------------------------------------------------------------ spacing */

/* unspace(codes, offsets, classes, source, least, share)
   Posts whose Han words all stand apart lose the spaces between Han characters: a post with at
   least `least` such gaps, one for every `share` Han characters or more.
   -> None where there is no such post, else codes uint32, offsets int64, source int64, posts uint8 */
static PyObject *unspace(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, classes, source;
    int least, share;
    if (!PyArg_ParseTuple(args, "y*y*y*y*ii", &codes, &offsets, &classes, &source, &least, &share)) return NULL;
    PyObject *result = NULL;
    Out text = {0}, bounds = {0}, origin = {0}, flags = {0};
    if (check_offsets(&offsets, &codes) || check_array("classes", &classes, 1, CODE_SPACE) ||
        check_array("source", &source, 8, codes.len / 4))
        goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf, *from = source.buf;
    const uint8_t *class = classes.buf;
    Py_ssize_t posts = offsets.len / 8 - 1;
    int some = 0;
    if (out_reserve(&flags, (size_t)posts + 1)) { PyErr_NoMemory(); goto done; }
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t han = 0, gaps = 0, previous = -1;
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            if (class_of(class, code[i]) & CLASS_HAN) {
                han++;
                if (previous >= 0 && previous < i - 1) gaps++;
                previous = i;
            } else if (code[i] != ' ') {
                previous = -1;
            }
        }
        int spaced = gaps >= least && gaps * share >= han;
        some |= spaced;
        PUSH(&flags, uint8_t, spaced);
    }
    if (!some) {
        result = Py_NewRef(Py_None);
        goto done;
    }
    if (out_reserve(&text, (size_t)codes.len + 4) || out_reserve(&origin, (size_t)codes.len * 2 + 8) ||
        out_reserve(&bounds, 8 * ((size_t)posts + 1))) {
        PyErr_NoMemory();
        goto done;
    }
    PUSH(&bounds, int64_t, 0);
    for (Py_ssize_t post = 0; post < posts; post++) {
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            if (flags.data[post] && code[i] == ' ' && i > at[post] && class_of(class, code[i - 1]) & CLASS_HAN) {
                int64_t k = i;
                while (k < at[post + 1] && code[k] == ' ') k++;
                if (k < at[post + 1] && class_of(class, code[k]) & CLASS_HAN) i = k;
            }
            PUSH(&text, uint32_t, code[i]);
            PUSH(&origin, int64_t, from[i]);
        }
        PUSH(&bounds, int64_t, text.used / 4);
    }
    result = Py_BuildValue("NNNN", out_bytes(&text), out_bytes(&bounds), out_bytes(&origin), out_bytes(&flags));
done:
    free(text.data);
    free(bounds.data);
    free(origin.data);
    free(flags.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&source);
    return result;
}

/* ------------------------------------------------------------------ compact view */

/* compact(codes, offsets, classes) -> codes uint32, offsets int64, first int64, last int64 */
static PyObject *compact(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, classes;
    if (!PyArg_ParseTuple(args, "y*y*y*", &codes, &offsets, &classes)) return NULL;
    PyObject *result = NULL;
    Out text = {0}, bounds = {0}, firsts = {0}, lasts = {0};
    if (check_offsets(&offsets, &codes) || check_array("classes", &classes, 1, CODE_SPACE)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    const uint8_t *class = classes.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, total = codes.len / 4;
    if (out_reserve(&text, 4 * (size_t)total + 4) || out_reserve(&firsts, 8 * (size_t)total + 8) ||
        out_reserve(&lasts, 8 * (size_t)total + 8) || out_reserve(&bounds, 8 * ((size_t)posts + 1))) {
        PyErr_NoMemory();
        goto done;
    }
    PUSH(&bounds, int64_t, 0);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t previous = -2;
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            int kind = class_of(class, code[i]);
            if (!(kind & CLASS_WORD)) continue;
            if (previous == i - 1 && code[i] == code[i - 1] && !(kind & CLASS_DIGIT)) {
                LAST(&lasts) = i;
            } else {
                PUSH(&text, uint32_t, code[i]);
                PUSH(&firsts, int64_t, i);
                PUSH(&lasts, int64_t, i);
            }
            previous = i;
        }
        PUSH(&bounds, int64_t, text.used / 4);
    }
    result = Py_BuildValue("NNNN", out_bytes(&text), out_bytes(&bounds), out_bytes(&firsts), out_bytes(&lasts));
done:
    free(text.data);
    free(bounds.data);
    free(firsts.data);
    free(lasts.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&classes);
    return result;
}

/* ------------------------------------------------------------------ sound view */

/* Leet: what a digit or symbol inside a word stands for; 0 where it stands for itself. */
static uint32_t leet(uint32_t code) {
    switch (code) {
    case '0': return 'o';
    case '1': case '!': case '|': return 'i';
    case '3': case 0x20AC: return 'e';
    case '4': case '@': return 'a';
    case '2': case '5': case '$': return 's';
    case '7': case '+': return 't';
    case '8': return 'b';
    case '6': case '9': return 'g';
    default: return 0;
    }
}

static int is_symbol(uint32_t code) { return code == '!' || code == '|' || code == '@' || code == '$' || code == '+' || code == 0x20AC; }
static int is_letter(uint32_t code) { return code >= 'a' && code <= 'z'; }
static int is_number(uint32_t code) { return code >= '0' && code <= '9'; }

static uint64_t packed(const uint32_t *code, int length) {
    uint64_t key = 0;
    for (int i = 0; i < length; i++) key = key << 8 | code[i];
    return key;
}

static int find_syllable(const uint64_t *keys, Py_ssize_t count, uint64_t key) {
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (keys[middle] < key) low = middle + 1; else high = middle;
    }
    return low < count && keys[low] == key ? (int)low : -1;
}

/* Cut a word of up to LONGEST_TOKEN letters into pinyin syllables, the longest first where the rest can be cut as well.
   Writes the syllables' numbers and lengths; returns how many, 0 when the word is no pinyin. */
static int cut_pinyin(const uint32_t *code, int length, const uint64_t *keys, Py_ssize_t count, int *numbers, int *lengths) {
    char can[LONGEST_TOKEN + 1] = {0};
    can[length] = 1;
    for (int i = length - 1; i >= 0; i--)
        for (int n = 1; n <= 6 && i + n <= length; n++)
            if (can[i + n] && find_syllable(keys, count, packed(code + i, n)) >= 0) { can[i] = 1; break; }
    if (!can[0]) return 0;
    int found = 0;
    for (int i = 0; i < length;) {
        int n = 6 < length - i ? 6 : length - i;
        for (; n > 0; n--) {
            int number = can[i + n] ? find_syllable(keys, count, packed(code + i, n)) : -1;
            if (number >= 0) {
                numbers[found] = number;
                lengths[found++] = n;
                i += n;
                break;
            }
        }
    }
    return found;
}

/* sound(codes, offsets, classes, near uint16 by code point (class + 1, or 0), syllables uint64 sorted,
   syllable_near uint16, letters) -> codes uint32, offsets int64, first int64, last int64
   With `letters` every Latin word is kept as letters, whatever the post: that is how literals of
   Latin words are folded. */
static PyObject *sound(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, classes, near, syllables, syllable_near;
    int letters;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*p", &codes, &offsets, &classes, &near, &syllables, &syllable_near, &letters))
        return NULL;
    PyObject *result = NULL;
    Out text = {0}, bounds = {0}, firsts = {0}, lasts = {0};
    if (check_offsets(&offsets, &codes) || check_array("classes", &classes, 1, CODE_SPACE) ||
        check_array("near", &near, 2, CODE_SPACE) || check_array("syllables", &syllables, 8, -1) ||
        check_array("syllable_near", &syllable_near, 2, syllables.len / 8))
        goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    const uint8_t *class = classes.buf;
    const uint16_t *by_char = near.buf, *by_syllable = syllable_near.buf;
    const uint64_t *keys = syllables.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, total = codes.len / 4, known = syllables.len / 8;
    if (out_reserve(&text, 4 * (size_t)total + 4) || out_reserve(&firsts, 8 * (size_t)total + 8) ||
        out_reserve(&lasts, 8 * (size_t)total + 8) || out_reserve(&bounds, 8 * ((size_t)posts + 1))) {
        PyErr_NoMemory();
        goto done;
    }
#define EMIT(value, a, b) (PUSH(&text, uint32_t, value), PUSH(&firsts, int64_t, a), PUSH(&lasts, int64_t, b))
    PUSH(&bounds, int64_t, 0);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t end = at[post + 1];
        int han = 0, every = letters;
        for (int64_t i = at[post]; i < end && !han; i++) {
            if (class_of(class, code[i]) & CLASS_HAN) han = 1;
            if (leet(code[i]) && ((i > at[post] && is_letter(code[i - 1])) || (i + 1 < end && is_letter(code[i + 1])))) every = 1;
        }
        every |= han;
        for (int64_t i = at[post]; i < end;) {
            uint32_t c = code[i];
            int kind = class_of(class, c);
            if (kind & CLASS_HAN) {
                EMIT(by_char[c] ? SYLLABLES + by_char[c] - 1u : c, i, i);
                i++;
                continue;
            }
            if (!(is_letter(c) || is_number(c) || c == '$' || c == '@')) {
                if (every && kind & CLASS_WORD) EMIT(c, i, i);
                i++;
                continue;
            }
            /* A word: letters, digits and leet symbols; a symbol at its end is punctuation. */
            int64_t stop = i;
            int any = 0, signs = 0;
            while (stop < end && (is_letter(code[stop]) || is_number(code[stop]) || is_symbol(code[stop]))) stop++;
            while (stop > i + 1 && is_symbol(code[stop - 1]) && code[stop - 1] != '$' && code[stop - 1] != '+') stop--;
            for (int64_t k = i; k < stop; k++) {
                any += is_letter(code[k]);
                signs += leet(code[k]) != 0;
            }
            int numbers[LONGEST_TOKEN], lengths[LONGEST_TOKEN], cut = 0;
            if (any && signs) {
                uint32_t previous = 0;
                for (int64_t k = i; k < stop; k++) {
                    uint32_t l = leet(code[k]);
                    if (!l) l = code[k] == 'l' ? 'i' : code[k] == 'z' ? 's' : code[k];
                    if (l == previous && is_letter(l)) LAST(&lasts) = k;
                    else EMIT(l, k, k);
                    previous = l;
                }
            } else if (every) {
                if (any && han && !letters && any == stop - i && any <= LONGEST_TOKEN)
                    cut = cut_pinyin(code + i, any, keys, known, numbers, lengths);
                if (cut) {
                    int64_t k = i;
                    for (int n = 0; n < cut; n++) {
                        EMIT(SYLLABLES + by_syllable[numbers[n]], k, k + lengths[n] - 1);
                        k += lengths[n];
                    }
                } else {
                    uint32_t previous = 0;
                    for (int64_t k = i; k < stop; k++) {
                        uint32_t l = code[k] == 'l' ? 'i' : code[k] == 'z' ? 's' : code[k];
                        if (is_symbol(l)) continue;
                        if (l == previous && is_letter(l)) LAST(&lasts) = k;
                        else EMIT(l, k, k);
                        previous = l;
                    }
                }
            }
            i = stop;
        }
        PUSH(&bounds, int64_t, text.used / 4);
    }
#undef EMIT
    result = Py_BuildValue("NNNN", out_bytes(&text), out_bytes(&bounds), out_bytes(&firsts), out_bytes(&lasts));
done:
    free(text.data);
    free(bounds.data);
    free(firsts.data);
    free(lasts.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&near);
    PyBuffer_Release(&syllables);
    PyBuffer_Release(&syllable_near);
    return result;
}

/* ------------------------------------------------------------------ automaton */

typedef struct {
    int32_t *base, *check, *fail, *link, *out;
    size_t room;
    int32_t states;
    int32_t *length; /* of each pattern */
    int32_t patterns;
    uint32_t *symbol; /* by code point; 0 where no pattern holds it */
} Automaton;

static void automaton_free(Automaton *a) {
    if (!a) return;
    free(a->base);
    free(a->check);
    free(a->fail);
    free(a->link);
    free(a->out);
    free(a->length);
    free(a->symbol);
    free(a);
}

static void capsule_free(PyObject *capsule) { automaton_free(PyCapsule_GetPointer(capsule, "moderation.automaton")); }

typedef struct {
    int32_t state, parent, low, high, depth; /* patterns order[low:high] share its `depth` symbols */
} Node;

typedef struct {
    const uint32_t *code;
    const int64_t *at;
    const int32_t *order; /* patterns, sorted by their symbols */
    int32_t next;         /* where the search for free places starts */
    Node *node;           /* every state */
    int32_t *waiting;     /* a stack of those whose children have no place yet; as long as `node` */
    int32_t nodes, waits, room;
} Builder;

static int grow(Automaton *a, size_t wanted) {
    if (wanted < a->room) return 0;
    if (wanted >= INT32_MAX) return -1;
    size_t room = a->room ? a->room : 1 << 16;
    while (room <= wanted) room *= 2;
    int32_t *base = realloc(a->base, room * 4);
    if (base) a->base = base;
    int32_t *check = realloc(a->check, room * 4);
    if (check) a->check = check;
    int32_t *out = realloc(a->out, room * 4);
    if (out) a->out = out;
    if (!base || !check || !out) return -1;
    for (size_t i = a->room; i < room; i++) a->base[i] = 0, a->check[i] = -1, a->out[i] = -1;
    a->room = room;
    return 0;
}

static int add_node(Builder *b, Node added) {
    if (b->nodes == b->room) {
        if (b->room > INT32_MAX / 2) return -1;
        int32_t room = b->room ? b->room * 2 : 1 << 12;
        Node *node = realloc(b->node, (size_t)room * sizeof(Node));
        if (node) b->node = node;
        int32_t *waiting = realloc(b->waiting, (size_t)room * 4);
        if (waiting) b->waiting = waiting;
        if (!node || !waiting) return -1;
        b->room = room;
    }
    b->waiting[b->waits++] = b->nodes;
    b->node[b->nodes++] = added;
    return 0;
}

/* Place the children of one state. */
static int place(Automaton *a, Builder *b, Node at) {
    int32_t low = at.low, high = at.high;
    while (low < high && a->length[b->order[low]] == at.depth) a->out[at.state] = b->order[low++];
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
        if (a->check[seek] >= 0) { taken++; continue; }
        if (!begun) { begun = 1; if (children == 1) b->next = (int32_t)seek; }
        size_t offset = seek - symbols[0];
        if (grow(a, offset + symbols[children - 1] + 1)) goto memory;
        int free_ = 1;
        for (int32_t k = 1; k < children && free_; k++) free_ = a->check[offset + symbols[k]] < 0;
        if (free_) break;
    }
    if (taken * 20LL >= tried * 19LL) b->next = (int32_t)seek;
    int32_t offset = (int32_t)(seek - symbols[0]);
    a->base[at.state] = offset;
    for (int32_t k = children - 1; k >= 0; k--) {
        int32_t child = offset + (int32_t)symbols[k];
        a->check[child] = at.state;
        if (child >= a->states) a->states = child + 1;
        if (add_node(b, (Node){child, at.state, first[k], first[k + 1], at.depth + 1})) goto memory;
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

static int32_t step(const Automaton *a, int32_t state, uint32_t symbol) {
    for (;;) {
        int32_t next = a->base[state] + (int32_t)symbol;
        if (a->check[next] == state) return next;
        if (!state) return 0;
        state = a->fail[state];
    }
}

/* build(codes uint32, offsets int64, order int32, symbols uint32 by code point) -> automaton
   `order` lists the patterns sorted by their symbols; none is empty, none stands twice. */
static PyObject *build(PyObject *Py_UNUSED(self), PyObject *args) {
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
    a->check[0] = 0x7FFFFFFF; /* nobody's child */
    if (add_node(&b, (Node){0, 0, 0, a->patterns, 0})) { PyErr_NoMemory(); goto done; }
    while (b.waits) if (place(a, &b, b.node[b.waiting[--b.waits]])) goto done;
    /* Reading base[s] + symbol must stay inside for every symbol there is. */
    if (grow(a, (size_t)a->states + top + 1)) { PyErr_NoMemory(); goto done; }
    a->fail = calloc(a->room, 4);
    a->link = calloc(a->room, 4);
    if (!a->fail || !a->link) { PyErr_NoMemory(); goto done; }
    /* By depth, so that a state's failure is known before its children's. */
    int32_t deepest = 0;
    for (int32_t i = 0; i < b.nodes; i++) if (b.node[i].depth > deepest) deepest = b.node[i].depth;
    int32_t *count = calloc((size_t)deepest + 2, 4), *queue = b.waiting;
    if (!count) { PyErr_NoMemory(); goto done; }
    for (int32_t i = 0; i < b.nodes; i++) count[b.node[i].depth + 1]++;
    for (int32_t d = 0; d <= deepest; d++) count[d + 1] += count[d];
    for (int32_t i = 0; i < b.nodes; i++) queue[count[b.node[i].depth]++] = i;
    free(count);
    for (int32_t i = 1; i < b.nodes; i++) {
        int32_t state = b.node[queue[i]].state, parent = b.node[queue[i]].parent;
        if (parent) a->fail[state] = step(a, a->fail[parent], (uint32_t)(state - a->base[parent]));
        int32_t fail = a->fail[state];
        a->link[state] = a->out[fail] >= 0 ? fail : a->link[fail];
    }
    result = PyCapsule_New(a, "moderation.automaton", capsule_free);
    if (result) a = NULL;
done:
    automaton_free(a);
    free(b.node);
    free(b.waiting);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&order);
    PyBuffer_Release(&symbols);
    return result;
}

/* ------------------------------------------------------------------ ordinary surfaces */

static uint32_t hash_step(uint32_t hash, uint32_t code) { return (hash ^ code) * 16777619u; }

static int find_key(const uint32_t *keys, Py_ssize_t count, uint32_t key) {
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (keys[middle] < key) low = middle + 1; else high = middle;
    }
    return low < count && keys[low] == key ? (int)low : -1;
}

static int contains(const uint32_t *keys, Py_ssize_t count, uint32_t key) { return find_key(keys, count, key) >= 0; }

/* True where a stretch of the base view is what ordinary posts are made of: a Han word of two to
   four characters, or nothing but Latin words, that the table knows. */
static int is_ordinary(const uint32_t *code, int64_t first, int64_t last, const uint8_t *class, const uint32_t *keys,
                       const uint16_t *often, Py_ssize_t count, int pinyin, int common) {
    int han = 0, latin = 0, known = 1;
    uint32_t whole = 2166136261u;
    for (int64_t i = first; i <= last; i++) {
        int kind = class_of(class, code[i]);
        if (kind & CLASS_HAN) {
            han++;
            whole = hash_step(whole, code[i]);
        } else if (is_symbol(code[i])) {
            return 0; /* a letter in disguise */
        } else if (kind & CLASS_WORD) {
            uint32_t word = 2166136261u, inside = hash_step(2166136261u, 1);
            int64_t stop = i;
            while (stop <= last && class_of(class, code[stop]) & CLASS_WORD && !(class_of(class, code[stop]) & CLASS_HAN)) {
                word = hash_step(word, code[stop]);
                inside = hash_step(inside, code[stop++]);
            }
            latin++;
            if (pinyin) {
                int at = find_key(keys, count, inside);
                known = known && at >= 0 && often[at] >= common;
            } else {
                known = known && (contains(keys, count, word) || contains(keys, count, inside));
            }
            i = stop - 1;
        }
    }
    if (han && latin) return 0;
    if (latin) return known;
    return han >= 2 && han <= 4 && contains(keys, count, whole);
}

/* How often, in a million ordinary posts, two neighbouring Han characters stand side by side. */
static int bond(uint32_t a, uint32_t b, const uint8_t *class, const uint32_t *keys, const uint16_t *often, Py_ssize_t count) {
    if (!(class_of(class, a) & class_of(class, b) & CLASS_HAN)) return 0;
    int at = find_key(keys, count, hash_step(hash_step(2166136261u, a), b));
    return at < 0 ? 0 : often[at];
}

/* True where the characters at the edges of a stretch belong to words outside of it. */
static int is_bound(const uint32_t *code, int64_t first, int64_t last, int64_t begin, int64_t end, const uint8_t *class,
                    const uint32_t *keys, const uint16_t *often, Py_ssize_t count, int strong, int weak) {
    int left = first > begin ? bond(code[first - 1], code[first], class, keys, often, count) : 0;
    int right = last + 1 < end ? bond(code[last], code[last + 1], class, keys, often, count) : 0;
    return left >= strong || right >= strong || (left >= weak && right >= weak);
}

/* ------------------------------------------------------------------ scanning */

#define SKIP_PLAIN 1 /* leave it to the base view where nothing was hidden */
#define GUARDED 2    /* leave out what is an ordinary word, or parts of words outside */
#define PINYIN 4     /* Latin words count as ordinary where they are common in Chinese posts */

/* scan(automaton, codes, offsets, first, last, base_codes, base_offsets, classes, left_bad, right_bad, open, flags, ordinary,
        frequency, strong, weak, common)
   -> int32 rows of pattern, start, end, post, edges (1 left, 2 right); sorted by post, end, start
   `first` and `last` may be empty: the view is the base view itself. */
static PyObject *scan(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule;
    Py_buffer codes, offsets, first, last, base_codes, base_offsets, classes, left_bad, right_bad, open, flags, ordinary, frequency;
    int strong, weak, common;
    if (!PyArg_ParseTuple(args, "Oy*y*y*y*y*y*y*y*y*y*y*y*y*iii", &capsule, &codes, &offsets, &first, &last, &base_codes,
                          &base_offsets, &classes, &left_bad, &right_bad, &open, &flags, &ordinary, &frequency, &strong, &weak, &common))
        return NULL;
    PyObject *result = NULL;
    Out rows = {0};
    const Automaton *a = PyCapsule_GetPointer(capsule, "moderation.automaton");
    if (!a || check_offsets(&offsets, &codes) || check_offsets(&base_offsets, &base_codes) ||
        check_array("classes", &classes, 1, CODE_SPACE) || check_array("base_offsets", &base_offsets, 8, offsets.len / 8) ||
        check_array("left_bad", &left_bad, 1, a->patterns) || check_array("right_bad", &right_bad, 1, a->patterns) ||
        check_array("open", &open, 1, a->patterns) || check_array("flags", &flags, 1, a->patterns) ||
        check_array("ordinary", &ordinary, 4, -1) || check_array("frequency", &frequency, 2, ordinary.len / 4) ||
        (first.len && check_array("first", &first, 8, codes.len / 4)) || check_array("last", &last, 8, first.len / 8))
        goto done;
    const uint32_t *code = codes.buf, *base = base_codes.buf, *keys = ordinary.buf;
    const int64_t *at = offsets.buf, *bounds = base_offsets.buf;
    const int64_t *begins = first.len ? first.buf : NULL, *ends = first.len ? last.buf : NULL;
    const uint8_t *class = classes.buf, *bad_left = left_bad.buf, *bad_right = right_bad.buf, *edge = open.buf, *flag = flags.buf;
    const uint16_t *often = frequency.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, known = ordinary.len / 4;
    int failed = 0;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t post = 0; post < posts && !failed; post++) {
        int32_t state = 0;
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            uint32_t symbol = code[i] < CODE_SPACE ? a->symbol[code[i]] : 0;
            if (!symbol) { state = 0; continue; }
            state = step(a, state, symbol);
            for (int32_t s = a->out[state] >= 0 ? state : a->link[state]; s; s = a->link[s]) {
                int32_t pattern = a->out[s], length = a->length[pattern];
                int64_t start = i + 1 - length;
                int64_t from = begins ? begins[start] : start, to = ends ? ends[i] : i;
                if (from < bounds[post] || to < from || to >= bounds[post + 1]) { failed = 2; break; }
                if (flag[pattern] & SKIP_PLAIN && to - from + 1 == length) continue;
                int left = from == bounds[post] || !(class_of(class, base[from - 1]) & bad_left[pattern]);
                int right = to + 1 == bounds[post + 1] || !(class_of(class, base[to + 1]) & bad_right[pattern]);
                if (!(left || edge[pattern] & 1) || !(right || edge[pattern] & 2)) continue;
                int guarded = flag[pattern] & GUARDED;
                if (guarded && is_ordinary(base, from, to, class, keys, often, known, flag[pattern] & PINYIN, common)) continue;
                if (guarded && is_bound(base, from, to, bounds[post], bounds[post + 1], class, keys, often, known, strong, weak)) continue;
                if (out_reserve(&rows, 20)) { failed = 1; break; }
                PUSH(&rows, int32_t, pattern);
                PUSH(&rows, int32_t, start);
                PUSH(&rows, int32_t, i + 1);
                PUSH(&rows, int32_t, post);
                PUSH(&rows, int32_t, left | right << 1);
            }
            if (failed) break;
        }
    }
    Py_END_ALLOW_THREADS
    if (failed == 1) PyErr_NoMemory();
    else if (failed) PyErr_SetString(PyExc_ValueError, "a view maps outside of its post in the base view");
    else result = out_bytes(&rows);
done:
    free(rows.data);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&first);
    PyBuffer_Release(&last);
    PyBuffer_Release(&base_codes);
    PyBuffer_Release(&base_offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&left_bad);
    PyBuffer_Release(&right_bad);
    PyBuffer_Release(&open);
    PyBuffer_Release(&flags);
    PyBuffer_Release(&ordinary);
    PyBuffer_Release(&frequency);
    return result;
}

/* ------------------------------------------------------------------ clauses */

/* clauses(posts, hits, starts int64, groups int32, owner int32, needed int32)
   `hits` is a sequence of (rows as scan returns them, offset added to their patterns).
   groups[starts[p]:starts[p + 1]] are the groups that pattern p belongs to, owner[g] the clause of
   group g, needed[c] how many groups clause c wants. -> int32 pairs of post, clause, by post. */
static PyObject *clauses(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_ssize_t posts;
    PyObject *hits;
    Py_buffer starts, groups, owner, needed;
    if (!PyArg_ParseTuple(args, "nO!y*y*y*y*", &posts, &PyTuple_Type, &hits, &starts, &groups, &owner, &needed)) return NULL;
    PyObject *result = NULL;
    Out pairs = {0};
    Py_buffer views[8];
    long long shift[8];
    Py_ssize_t at[8] = {0}, rows[8], count = PyTuple_Size(hits), held = 0;
    Py_ssize_t all_members = groups.len / 4, all_groups = owner.len / 4, all_clauses = needed.len / 4, patterns = starts.len / 8 - 1;
    int32_t *group_post = calloc((size_t)all_groups + 1, 4), *clause_post = calloc((size_t)all_clauses + 1, 4);
    int32_t *met = calloc((size_t)all_clauses + 1, 4);
    if (check_array("starts", &starts, 8, -1) || check_array("groups", &groups, 4, -1) ||
        check_array("owner", &owner, 4, -1) || check_array("needed", &needed, 4, -1))
        goto done;
    if (posts < 0 || posts >= INT32_MAX) { PyErr_SetString(PyExc_ValueError, "expected fewer posts than 2**31"); goto done; }
    if (!group_post || !clause_post || !met) { PyErr_NoMemory(); goto done; }
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
    const int32_t *group = groups.buf, *own = owner.buf, *need = needed.buf;
    for (int32_t post = 0; post < posts; post++)
        for (Py_ssize_t v = 0; v < count; v++) {
            const int32_t *row = views[v].buf;
            row += 5 * at[v];
            for (; at[v] < rows[v] && row[3] == post; at[v]++, row += 5) {
                int64_t pattern = row[0] + shift[v];
                if (pattern < 0 || pattern >= patterns) { PyErr_SetString(PyExc_ValueError, "unknown pattern"); goto done; }
                if (start[pattern] < 0 || start[pattern + 1] > all_members) {
                    PyErr_SetString(PyExc_ValueError, "a pattern's groups lie outside of the groups");
                    goto done;
                }
                for (int64_t k = start[pattern]; k < start[pattern + 1]; k++) {
                    int32_t g = group[k], c = g >= 0 && g < all_groups ? own[g] : -1;
                    if (c < 0 || c >= all_clauses) { PyErr_SetString(PyExc_ValueError, "unknown group or clause"); goto done; }
                    if (group_post[g] == post + 1) continue;
                    group_post[g] = post + 1;
                    if (clause_post[c] != post + 1) clause_post[c] = post + 1, met[c] = 0;
                    if (++met[c] == need[c]) {
                        if (out_reserve(&pairs, 8)) { PyErr_NoMemory(); goto done; }
                        PUSH(&pairs, int32_t, post);
                        PUSH(&pairs, int32_t, c);
                    }
                }
            }
        }
    for (Py_ssize_t v = 0; v < count; v++)
        if (at[v] < rows[v]) { PyErr_SetString(PyExc_ValueError, "expected rows by post, of posts that are there"); goto done; }
    result = out_bytes(&pairs);
done:
    for (Py_ssize_t v = 0; v < held; v++) PyBuffer_Release(&views[v]);
    free(group_post);
    free(clause_post);
    free(met);
    free(pairs.data);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&groups);
    PyBuffer_Release(&owner);
    PyBuffer_Release(&needed);
    return result;
}

static PyMethodDef methods[] = {
    {"fold", fold, METH_VARARGS, "Fold code points through a table."},
    {"unspace", unspace, METH_VARARGS, "Drop the spaces of posts whose words stand apart."},
    {"compact", compact, METH_VARARGS, "Drop noise and collapse repeats."},
    {"sound", sound, METH_VARARGS, "Han and pinyin to syllables, leet to letters."},
    {"build", build, METH_VARARGS, "Build an automaton."},
    {"scan", scan, METH_VARARGS, "Find every pattern in a view."},
    {"clauses", clauses, METH_VARARGS, "Say which clauses are met in which posts."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "moderation._kernel", "Folding and matching over a batch.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&module); }
