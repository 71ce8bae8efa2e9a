/* What posts come in as and what the classifier reads of them: UTF-8 as code points, letters by
   script, hashed n-grams and the sums of their weights, rows filled up.

   As in the rest of the kernel every function has a reference in numpy that gives the same numbers
   (moderation/classifier, moderation/text), arguments are buffers of plain numbers and results are bytes objects. */

#include "features.h"
#include "utf8.h"

#define LONGEST 4 /* code points of an n-gram: one prime each */
#define COLUMNS 4 /* bytes a bucket has in a table of weights: one a policy, and one to fill up */
#define POLICIES 3
#define WIDEST (1 << 20)
#define SCRIPTS 5
#define CLASS_KANA 8
#define CLASS_LETTER 16

static const uint32_t primes[LONGEST] = {0x9E3779B1u, 0x85EBCA77u, 0xC2B2AE3Du, 0x27D4EB2Fu};

static int check_buckets(Py_ssize_t buckets) {
    if (buckets >= 1 && buckets <= (Py_ssize_t)1 << 31 && !(buckets & (buckets - 1))) return 0;
    PyErr_Format(PyExc_ValueError, "expected a power of two up to 2**31 of buckets, found %zd", buckets);
    return -1;
}

static int check_size(int size) {
    if (size >= 1 && size <= LONGEST) return 0;
    PyErr_Format(PyExc_ValueError, "expected an n-gram of 1 to %d code points, found %d", LONGEST, size);
    return -1;
}

static int check_weights(const Py_buffer *weights) {
    if (!(weights->len % COLUMNS)) return check_buckets(weights->len / COLUMNS);
    PyErr_Format(PyExc_ValueError, "weights: expected rows of %d bytes, found %zd bytes", COLUMNS, weights->len);
    return -1;
}

/* The hash of an n-gram is that of its first n - 1 code points, taken one step further. */
static inline uint32_t further(uint32_t hash, uint32_t code, int position) {
    hash ^= (code + (uint32_t)position) * primes[position];
    return (hash << 5) | (hash >> 27);
}

static inline uint32_t bucket(uint32_t hash, uint32_t mask) {
    uint32_t mixed = hash * primes[2];
    return (mixed ^ (mixed >> 15)) & mask;
}

/* ngrams(codes, offsets, size, buckets) -> buckets int32, offsets int64 */
PyObject *kernel_ngrams(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer codes, offsets;
    int size;
    Py_ssize_t buckets;
    if (!PyArg_ParseTuple(args, "y*y*in", &codes, &offsets, &size, &buckets)) return NULL;
    PyObject *values = NULL, *bounds = NULL, *result = NULL;
    if (check_offsets(&offsets, &codes) || check_size(size) || check_buckets(buckets)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, total = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t grams = at[post + 1] - at[post] - size + 1;
        total += grams > 0 ? grams : 0;
    }
    values = PyBytes_FromStringAndSize(NULL, 4 * total);
    bounds = PyBytes_FromStringAndSize(NULL, offsets.len);
    if (!values || !bounds) goto done;
    int32_t *out = (int32_t *)(void *)PyBytes_AsString(values);
    int64_t *end = (int64_t *)(void *)PyBytes_AsString(bounds);
    uint32_t mask = (uint32_t)(buckets - 1);
    int64_t made = 0;
    end[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        for (int64_t i = at[post]; i + size <= at[post + 1]; i++) {
            uint32_t hash = 0;
            for (int k = 0; k < size; k++) hash = further(hash, code[i + k], k);
            out[made++] = (int32_t)bucket(hash, mask);
        }
        end[post + 1] = made;
    }
    result = PyTuple_Pack(2, values, bounds);
done:
    Py_XDECREF(values);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    return result;
}

static inline void add(int64_t *sum, const int8_t *weights, uint32_t at) {
    const int8_t *row = weights + (size_t)COLUMNS * at;
    for (int k = 0; k < POLICIES; k++) sum[k] += row[k];
}

/* ngram_sums(codes, offsets, weights, longest) -> sums int64, three a post

   Adds up the weights of every n-gram of 1 to `longest` code points. */
PyObject *kernel_ngram_sums(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer codes, offsets, weights;
    int longest;
    if (!PyArg_ParseTuple(args, "y*y*y*i", &codes, &offsets, &weights, &longest)) return NULL;
    PyObject *sums = NULL;
    if (check_offsets(&offsets, &codes) || check_size(longest) || check_weights(&weights)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    const int8_t *table = weights.buf;
    uint32_t mask = (uint32_t)(weights.len / COLUMNS - 1);
    Py_ssize_t posts = offsets.len / 8 - 1;
    sums = PyBytes_FromStringAndSize(NULL, 8 * POLICIES * posts);
    if (!sums) goto done;
    char *out = PyBytes_AsString(sums);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t sum[POLICIES] = {0};
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            int64_t left = at[post + 1] - i;
            int most = left < longest ? (int)left : longest;
            uint32_t hash = 0;
            for (int k = 0; k < most; k++) {
                hash = further(hash, code[i + k], k);
                add(sum, table, bucket(hash, mask));
            }
        }
        memcpy(out + sizeof sum * (size_t)post, sum, sizeof sum);
    }
done:
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&weights);
    return sums;
}

/* A bucket that a post was seen to have; the stamp is that post's, so that nothing is ever cleared. */
typedef struct {
    uint32_t bucket, stamp;
} Seen;

/* Say whether a post has a bucket for the first time; `mask` leaves half of the slots free, or more. */
static inline int is_new(Seen *seen, uint32_t mask, uint32_t which, uint32_t stamp) {
    for (uint32_t at = which & mask;; at = (at + 1) & mask) {
        if (seen[at].stamp != stamp) {
            seen[at] = (Seen){which, stamp};
            return 1;
        }
        if (seen[at].bucket == which) return 0;
    }
}

/* ngram_set_sums(codes, offsets, weights, longest) -> int64, four a post: sums, and how many buckets

   Adds up the weights of the buckets that a post's n-grams of 1 to `longest` code points fall into,
   each once however often it is hit. */
PyObject *kernel_ngram_set_sums(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer codes, offsets, weights;
    int longest;
    if (!PyArg_ParseTuple(args, "y*y*y*i", &codes, &offsets, &weights, &longest)) return NULL;
    PyObject *sums = NULL;
    Seen *seen = NULL;
    uint32_t *hit = NULL;
    if (check_offsets(&offsets, &codes) || check_size(longest) || check_weights(&weights)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    const int8_t *table = weights.buf;
    uint32_t mask = (uint32_t)(weights.len / COLUMNS - 1);
    Py_ssize_t posts = offsets.len / 8 - 1;
    int64_t most_codes = 0, room = 16;
    for (Py_ssize_t post = 0; post < posts; post++)
        if (at[post + 1] - at[post] > most_codes) most_codes = at[post + 1] - at[post];
    while (room < 2 * LONGEST * most_codes) room *= 2;
    if (room > (int64_t)1 << 31 || posts > UINT32_MAX - 1) {
        PyErr_SetString(PyExc_ValueError, "too long a post, or too many");
        goto done;
    }
    seen = calloc((size_t)room, sizeof(Seen));
    hit = malloc((size_t)room * sizeof(uint32_t));
    sums = PyBytes_FromStringAndSize(NULL, 8 * (POLICIES + 1) * posts);
    if (!seen || !hit || !sums) {
        Py_CLEAR(sums);
        PyErr_NoMemory();
        goto done;
    }
    char *out = PyBytes_AsString(sums);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t sum[POLICIES + 1] = {0}, wanted = 2 * LONGEST * (at[post + 1] - at[post]);
        uint32_t slots = 16;
        while (slots < wanted) slots *= 2; /* a short post's slots stay in the nearest cache */
        /* Where the weights lie is known early, so that memory has time to bring them. */
        int64_t made = 0;
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            int64_t left = at[post + 1] - i;
            int most = left < longest ? (int)left : longest;
            uint32_t hash = 0;
            for (int k = 0; k < most; k++) {
                hash = further(hash, code[i + k], k);
                uint32_t which = bucket(hash, mask);
                if (!is_new(seen, slots - 1, which, (uint32_t)post + 1)) continue;
                PREFETCH(table + (size_t)COLUMNS * which);
                hit[made++] = which;
            }
        }
        for (int64_t i = 0; i < made; i++) add(sum, table, hit[i]);
        sum[POLICIES] = made;
        memcpy(out + sizeof sum * (size_t)post, sum, sizeof sum);
    }
done:
    free(hit);
    free(seen);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&weights);
    return sums;
}

/* pad(values, offsets, rows, width, padding) -> values int32, `width` a row

   Rows that are longer are cut, shorter ones filled up. */
PyObject *kernel_pad(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer values, offsets, rows;
    Py_ssize_t width;
    int padding;
    if (!PyArg_ParseTuple(args, "y*y*y*ni", &values, &offsets, &rows, &width, &padding)) return NULL;
    PyObject *padded = NULL;
    if (check_offsets(&offsets, &values) || check_array("rows", &rows, 8, -1)) goto done;
    Py_ssize_t count = rows.len / 8, known = offsets.len / 8 - 1;
    if (width < 0 || width > WIDEST || (count && width > PY_SSIZE_T_MAX / 4 / count)) {
        PyErr_Format(PyExc_ValueError, "expected a width of 0 to %d, found %zd", WIDEST, width);
        goto done;
    }
    const int32_t *value = values.buf;
    const int64_t *at = offsets.buf, *row = rows.buf;
    for (Py_ssize_t i = 0; i < count; i++)
        if (row[i] < 0 || row[i] >= known) {
            PyErr_SetString(PyExc_ValueError, "a row lies outside of the rows that are there");
            goto done;
        }
    padded = PyBytes_FromStringAndSize(NULL, 4 * width * count);
    if (!padded) goto done;
    int32_t *out = (int32_t *)(void *)PyBytes_AsString(padded);
    for (Py_ssize_t i = 0; i < count; i++, out += width) {
        int64_t held = at[row[i] + 1] - at[row[i]];
        if (held > width) held = width;
        memcpy(out, value + at[row[i]], 4 * (size_t)held);
        for (int64_t k = held; k < width; k++) out[k] = padding;
    }
done:
    PyBuffer_Release(&values);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&rows);
    return padded;
}

/* scripts(codes, offsets, classes, written, source) -> counts int64, five a post

   Han, Latin, kana, other letters, and letters and digits with a Han character counting for two.
   `written` are the code points as written, `source` says which of them each code comes from. A
   letter of another script that folds to a Latin one counts as Latin only where its word holds one
   that was written as Latin. */
PyObject *kernel_scripts(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer codes, offsets, classes, written, source;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*", &codes, &offsets, &classes, &written, &source)) return NULL;
    PyObject *counts = NULL;
    if (check_offsets(&offsets, &codes) || check_array("classes", &classes, 1, CODE_SPACE) ||
        check_array("written", &written, 4, -1) || check_array("source", &source, 8, codes.len / 4))
        goto done;
    const uint32_t *code = codes.buf, *original = written.buf;
    const int64_t *at = offsets.buf, *from = source.buf;
    const uint8_t *class = classes.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, known = written.len / 4;
    for (Py_ssize_t i = 0; i < codes.len / 4; i++)
        if (from[i] < 0 || from[i] >= known) {
            PyErr_SetString(PyExc_ValueError, "a source lies outside of the code points as written");
            goto done;
        }
    counts = PyBytes_FromStringAndSize(NULL, 8 * SCRIPTS * posts);
    if (!counts) goto done;
    char *out = PyBytes_AsString(counts);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t han = 0, latin = 0, kana = 0, other = 0, letters = 0, foreign = 0, own = 0;
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            int kind = class_of(class, code[i]);
            han += (kind & CLASS_HAN) != 0;
            kana += (kind & CLASS_KANA) != 0;
            letters += kind & CLASS_HAN ? 2 : (kind & CLASS_WORD) != 0;
            if (!(kind & (CLASS_LATIN | CLASS_LETTER))) {
                if (!own) latin -= foreign, other += foreign;
                foreign = own = 0;
                continue;
            }
            latin += (kind & CLASS_LATIN) != 0;
            other += (kind & CLASS_LETTER) != 0;
            int as_written = class_of(class, original[from[i]]);
            own |= as_written & CLASS_LATIN;
            foreign += (kind & CLASS_LATIN) && (as_written & CLASS_LETTER);
        }
        if (!own) latin -= foreign, other += foreign;
        int64_t row[SCRIPTS] = {han, latin, kana, other, letters};
        memcpy(out + sizeof row * (size_t)post, row, sizeof row);
    }
done:
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&written);
    PyBuffer_Release(&source);
    return counts;
}

enum { ZH, EN, MIXED, OTHER_LANGUAGE }; /* as moderation/types.py has them */

/* languages(counts int64, han, low, high, kana, foreign) -> uint8 a post
   Of rows as `scripts` returns them; what the numbers mean, moderation/text/language.py says. */
PyObject *kernel_languages(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer counts;
    double han, low, high, kana, foreign;
    if (!PyArg_ParseTuple(args, "y*ddddd", &counts, &han, &low, &high, &kana, &foreign)) return NULL;
    Py_ssize_t posts = counts.len / (8 * SCRIPTS);
    PyObject *found = check_array("counts", &counts, 8, SCRIPTS * posts) ? NULL : PyBytes_FromStringAndSize(NULL, posts);
    const int64_t *row = counts.buf;
    char *out = found ? PyBytes_AsString(found) : NULL;
    for (Py_ssize_t post = 0; out && post < posts; post++, row += SCRIPTS) {
        double latin = (double)row[1], known = (double)row[0] * han + latin, share = known > 0 ? latin / known : 0;
        int other = known == 0 || (double)row[3] * foreign > known || (double)row[2] * han > kana * known;
        out[post] = (char)(other ? OTHER_LANGUAGE : share > high ? EN : share < low ? ZH : MIXED);
    }
    PyBuffer_Release(&counts);
    return found;
}

/* decode(data, offsets, nulls) -> codes uint32, offsets int64; None where bytes are not UTF-8

   Offsets are bytes of `data`; what lies under a null is left alone. */
PyObject *kernel_decode(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer data, offsets, nulls;
    if (!PyArg_ParseTuple(args, "y*y*y*", &data, &offsets, &nulls)) return NULL;
    PyObject *result = NULL, *bounds = NULL, *made = NULL;
    Out codes = {0};
    Py_ssize_t posts = offsets.len / 8 - 1;
    if (check_array("offsets", &offsets, 8, -1)) goto done;
    if (posts < 0) {
        PyErr_SetString(PyExc_ValueError, "expected one offset or more");
        goto done;
    }
    if (check_array("nulls", &nulls, 1, posts)) goto done;
    const int64_t *at = offsets.buf;
    const uint8_t *byte = data.buf, *null = nulls.buf;
    int wrong = at[0] < 0 || at[posts] > data.len;
    for (Py_ssize_t i = 0; i < posts; i++) wrong |= at[i + 1] < at[i];
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, "expected offsets that ascend within the data");
        goto done;
    }
    bounds = PyBytes_FromStringAndSize(NULL, offsets.len);
    if (!bounds) goto done;
    if (out_reserve(&codes, 4 * (size_t)(at[posts] - at[0]) + 4)) {
        PyErr_NoMemory();
        goto done;
    }
    int64_t *end = (int64_t *)(void *)PyBytes_AsString(bounds);
    end[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        for (int64_t i = at[post]; !null[post] && i < at[post + 1];) {
            uint32_t code;
            int used = code_point(byte + i, at[post + 1] - i, &code);
            if (!used) {
                Py_INCREF(Py_None);
                result = Py_None;
                goto done;
            }
            PUSH(&codes, uint32_t, code);
            i += used;
        }
        end[post + 1] = (int64_t)(codes.used / 4);
    }
    made = out_bytes(&codes);
    if (made) result = PyTuple_Pack(2, made, bounds);
done:
    free(codes.data);
    Py_XDECREF(made);
    Py_XDECREF(bounds);
    PyBuffer_Release(&data);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&nulls);
    return result;
}
