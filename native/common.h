/* What every file of the kernel uses: growing output, checks of arguments, character classes. */

#ifndef MODERATION_COMMON_H
#define MODERATION_COMMON_H

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

/* Ask memory for what will be read soon. */
#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* ------------------------------------------------------------------ growing output */

typedef struct {
    char *data;
    size_t used, room;
} Out;

static inline int out_reserve(Out *out, size_t more) {
    if (out->used + more <= out->room) return 0;
    size_t room = out->room ? out->room : 4096;
    while (room < out->used + more) room *= 2;
    char *data = realloc(out->data, room);
    if (!data) return -1;
    out->data = data;
    out->room = room;
    return 0;
}

static inline PyObject *out_bytes(Out *out) {
    PyObject *bytes = PyBytes_FromStringAndSize(out->data, (Py_ssize_t)out->used);
    free(out->data);
    out->data = NULL;
    return bytes;
}

#define PUSH(out, type, value) \
    (*(type *)(void *)((out)->data + (out)->used) = (type)(value), (out)->used += sizeof(type))

/* An error about what was expected of the arguments. */
static inline int wrong(const char *expected) {
    PyErr_Format(PyExc_ValueError, "expected %s", expected);
    return -1;
}

static inline int no_memory(void) {
    PyErr_NoMemory();
    return -1;
}

static inline int within(int64_t number, int64_t least, int64_t limit) { return number >= least && number < limit; }

/* A copy of a buffer, with an error where there is no memory; a number more is there, so that it is never NULL. */
static inline void *copied(const Py_buffer *buffer) {
    void *copy = malloc((size_t)buffer->len + 8);
    if (copy && buffer->len) memcpy(copy, buffer->buf, (size_t)buffer->len);
    if (!copy) PyErr_NoMemory();
    return copy;
}

/* True where a buffer holds `count` numbers of `size` bytes, or any number of them for -1, and
   stands where such numbers may be read. */
static inline int check_array(const char *what, const Py_buffer *buffer, Py_ssize_t size, Py_ssize_t count) {
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
static inline int check_offsets(const Py_buffer *offsets, const Py_buffer *codes) {
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

/* Bounds must ascend from 0 to the number of rows, of which there are fewer than 2**31. */
static inline int check_bounds(const char *what, const Py_buffer *bounds, Py_ssize_t count, int64_t rows) {
    if (check_array(what, bounds, 8, count)) return -1;
    const int64_t *at = bounds->buf;
    Py_ssize_t last = bounds->len / 8 - 1;
    int fine = last >= 0 && last < INT32_MAX && rows < INT32_MAX && at[0] == 0 && at[last] == rows;
    for (Py_ssize_t i = 0; i < last && fine; i++) fine = at[i] <= at[i + 1];
    if (fine) return 0;
    PyErr_Format(PyExc_ValueError, "%s: expected bounds that ascend from 0 to the number of rows", what);
    return -1;
}

static inline int class_of(const uint8_t *classes, uint32_t code) { return code < CODE_SPACE ? classes[code] : 0; }

static inline int is_symbol(uint32_t code) {
    return code == '!' || code == '|' || code == '@' || code == '$' || code == '+' || code == 0x20AC;
}
static inline int is_letter(uint32_t code) { return code >= 'a' && code <= 'z'; }
static inline int is_number(uint32_t code) { return code >= '0' && code <= '9'; }

/* Posts in a view: room for as many code points as the base view has, with the first and last
   code point of the base view that each stands for. */
typedef struct {
    uint32_t *code;
    int32_t *first, *last;
    int64_t used;
} Post;

#define EMIT(post, value, a, b) \
    ((post)->code[(post)->used] = (value), (post)->first[(post)->used] = (int32_t)(a), (post)->last[(post)->used++] = (int32_t)(b))

/* Readings, as moderation/text/sound.py has them. */
typedef struct {
    const uint16_t *by_char;     /* near-homophone class of a code point, plus one; 0 for none */
    const uint64_t *keys;        /* syllables, eight bits a letter, ascending */
    const uint16_t *by_syllable; /* class of each */
    Py_ssize_t known;
    int16_t place[1024];         /* hash of a key -> its number, -1 where there is none */
} Sounds;

int post_room(Post *post, size_t most);
void post_free(Post *post);
int sounds_fill(Sounds *sounds, const Py_buffer *near, const Py_buffer *syllables, const Py_buffer *syllable_near);
void compact_post(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *kind, Post *out);
void sound_post(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *kind, const Sounds *sounds, int letters, Post *out);
int is_spaced(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *class, int least, int share);

/* The functions of the module, by file; kernel.c lists them. */
PyObject *kernel_fold(PyObject *, PyObject *);
PyObject *kernel_unspace(PyObject *, PyObject *);
PyObject *kernel_compact(PyObject *, PyObject *);
PyObject *kernel_sound(PyObject *, PyObject *);
PyObject *kernel_build(PyObject *, PyObject *);
PyObject *kernel_begins(PyObject *, PyObject *);
PyObject *kernel_scan(PyObject *, PyObject *);
PyObject *kernel_clauses(PyObject *, PyObject *);
PyObject *kernel_sieve(PyObject *, PyObject *);
PyObject *kernel_notice(PyObject *, PyObject *);
PyObject *kernel_cells(PyObject *, PyObject *);
PyObject *kernel_restored(PyObject *, PyObject *);
PyObject *kernel_sieve_parts(PyObject *, PyObject *);
PyObject *kernel_restored_sieve(PyObject *, PyObject *);
PyObject *kernel_disguises(PyObject *, PyObject *);
PyObject *kernel_sketches(PyObject *, PyObject *);
PyObject *kernel_sketched(PyObject *, PyObject *);
PyObject *kernel_program(PyObject *, PyObject *);
PyObject *kernel_findings(PyObject *, PyObject *);
PyObject *kernel_collector(PyObject *, PyObject *);
PyObject *kernel_collect(PyObject *, PyObject *);
PyObject *kernel_decision(PyObject *, PyObject *);
PyObject *kernel_decide(PyObject *, PyObject *);

#endif
