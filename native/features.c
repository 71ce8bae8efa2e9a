/* What posts come in as and what is read of them: UTF-8 as code points, letters by script, rows
   filled up.

   As in the rest of the kernel every function has a reference in numpy that gives the same numbers
   (moderation/classifier, moderation/text), arguments are buffers of plain numbers and results are bytes objects. */

#include "features.h"
#include "utf8.h"

#define WIDEST (1 << 20)
#define SCRIPTS 5
#define CLASS_KANA 8
#define CLASS_LETTER 16
#define COUNT_BITS 12 /* of each of five counts in one word */
#define COUNTED 2000  /* code points that such counts are wide enough for */

/* Rows must be some of those that are there. */
static int check_rows(const Py_buffer *rows, Py_ssize_t known) {
    if (check_array("rows", rows, 8, -1)) return -1;
    const int64_t *row = rows->buf;
    int outside = 0;
    for (Py_ssize_t i = 0; i < rows->len / 8; i++) outside |= !within(row[i], 0, known);
    if (outside) PyErr_SetString(PyExc_ValueError, "a row lies outside of the rows that are there");
    return outside ? -1 : 0;
}

/* taken(codes, offsets, rows) -> codes uint32, offsets int64: some posts, in the order given */
PyObject *kernel_taken(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer codes, offsets, rows;
    if (!PyArg_ParseTuple(args, "y*y*y*", &codes, &offsets, &rows)) return NULL;
    PyObject *values = NULL, *bounds = NULL, *result = NULL;
    if (check_offsets(&offsets, &codes) || check_rows(&rows, offsets.len / 8 - 1)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf, *row = rows.buf;
    Py_ssize_t count = rows.len / 8;
    bounds = PyBytes_FromStringAndSize(NULL, 8 * (count + 1));
    if (!bounds) goto done;
    int64_t *end = (int64_t *)(void *)PyBytes_AsString(bounds);
    end[0] = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        end[i + 1] = end[i] + at[row[i] + 1] - at[row[i]];
        if (end[i + 1] > INT32_MAX) {
            PyErr_SetString(PyExc_ValueError, "expected fewer codes than 2**31");
            goto done;
        }
    }
    values = PyBytes_FromStringAndSize(NULL, 4 * (Py_ssize_t)end[count]);
    if (!values) goto done;
    uint32_t *out = (uint32_t *)(void *)PyBytes_AsString(values);
    for (Py_ssize_t i = 0; i < count; i++) memcpy(out + end[i], code + at[row[i]], 4 * (size_t)(end[i + 1] - end[i]));
    result = PyTuple_Pack(2, values, bounds);
done:
    Py_XDECREF(values);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&rows);
    return result;
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
    if (check_offsets(&offsets, &values) || check_rows(&rows, offsets.len / 8 - 1)) goto done;
    Py_ssize_t count = rows.len / 8;
    if (width < 0 || width > WIDEST || (count && width > PY_SSIZE_T_MAX / 4 / count)) {
        PyErr_Format(PyExc_ValueError, "expected a width of 0 to %d, found %zd", WIDEST, width);
        goto done;
    }
    const int32_t *value = values.buf;
    const int64_t *at = offsets.buf, *row = rows.buf;
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

/* 1 for a letter of another script that folds to a Latin one; without a branch, since what is written
   in two scripts is hard to foresee. */
static inline int is_foreign(int kind, int as_written) { return (kind & CLASS_LATIN) & as_written / CLASS_LETTER; }

/* Of letters that are foreign so many count as Latin no longer: their words hold no other. */
static int64_t foreign_words(const uint8_t *class, const uint32_t *code, int64_t begin, int64_t end, const uint32_t *written,
                             const int64_t *from) {
    int64_t found = 0, foreign = 0, own = 0;
    for (int64_t i = begin; i < end; i++) {
        int kind = class_of(class, code[i]);
        if (kind & (CLASS_LATIN | CLASS_LETTER)) {
            int as_written = class_of(class, written[from[i]]);
            own |= as_written & CLASS_LATIN;
            foreign += is_foreign(kind, as_written);
            continue;
        }
        if (!own) found += foreign;
        foreign = own = 0;
    }
    return own ? found : found + foreign;
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
    uint64_t count[CLASS_WORD + 1]; /* what a code point adds to each of the counts, side by side */
    for (uint64_t kind = 0; kind <= CLASS_WORD; kind++) {
        uint64_t letters = kind & CLASS_HAN ? 2 : kind != 0;
        count[kind] = (uint64_t)((kind & CLASS_HAN) != 0) | (uint64_t)((kind & CLASS_LATIN) != 0) << COUNT_BITS |
                      (uint64_t)((kind & CLASS_KANA) != 0) << 2 * COUNT_BITS |
                      (uint64_t)((kind & CLASS_LETTER) != 0) << 3 * COUNT_BITS | letters << 4 * COUNT_BITS;
    }
    counts = PyBytes_FromStringAndSize(NULL, 8 * SCRIPTS * posts);
    if (!counts) goto done;
    char *out = PyBytes_AsString(counts);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t row[SCRIPTS] = {0};
        int foreign = 0;
        for (int64_t first = at[post], stop; first < at[post + 1]; first = stop) {
            uint64_t sum = 0;
            stop = at[post + 1] - first < COUNTED ? at[post + 1] : first + COUNTED;
            for (int64_t i = first; i < stop; i++) {
                int kind = class_of(class, code[i]);
                sum += count[kind & CLASS_WORD];
                if ((uint64_t)from[i] >= (uint64_t)known) {
                    PyErr_SetString(PyExc_ValueError, "a source lies outside of the code points as written");
                    Py_CLEAR(counts);
                    goto done;
                }
                foreign |= is_foreign(kind, class_of(class, original[from[i]]));
            }
            for (int k = 0; k < SCRIPTS; k++) row[k] += (int64_t)(sum >> k * COUNT_BITS & (((uint64_t)1 << COUNT_BITS) - 1));
        }
        if (foreign) { /* few posts have any */
            int64_t moved = foreign_words(class, code, at[post], at[post + 1], original, from);
            row[1] -= moved;
            row[3] += moved;
        }
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
