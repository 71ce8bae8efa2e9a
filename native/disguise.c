/* Disguise: which posts the base view does not yet show as a person reads them. */

#include "common.h"

#define TURNED 1  /* or what overrides the order of reading */
#define BOPOMOFO 2
#define FOREIGN 4 /* a letter of another script that may be read as several Latin ones */
#define GLYPH 8   /* a digit or symbol that may be read as a letter */
#define LEET 4
#define SPACED 8

static int is_glyph(const uint8_t *marks, uint32_t code) { return code < CODE_SPACE && marks[code] & GLYPH; }

static int belongs(const uint8_t *class, const uint8_t *marks, uint32_t code) {
    return is_glyph(marks, code) || (code < 128 && class[code] & CLASS_LATIN);
}

/* Say whether a word may be meant as leet: see moderation/text/leet.py. Its outline is
   known, or it holds what only leet does. */
static int may_be_meant(const uint32_t *code, int64_t length, const uint32_t *alike, Py_ssize_t alikes,
                        const uint32_t *outlines, Py_ssize_t count) {
    if (length < 3) return 0;
    uint32_t hash = 2166136261u;
    for (int64_t i = 0; i < length; i++) {
        uint32_t c = code[i];
        if (c == '@' || c == '$') return 1;
        if (is_letter(c) && i + 2 < length && !is_letter(code[i + 1])) {
            int64_t k = i + 1;
            while (k < length && !is_letter(code[k])) k++;
            if (k < length) return 1;
        }
        hash = (hash ^ (c < (size_t)alikes ? alike[c] : c)) * 16777619u;
    }
    if (length < 5) return 0;
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (outlines[middle] < hash) low = middle + 1; else high = middle;
    }
    return low < count && outlines[low] == hash;
}

/* Say whether a post holds a word that may be meant as leet. */
static int holds_leet(const uint32_t *code, int64_t begin, int64_t end, const int64_t *source, const uint32_t *written,
                      const uint8_t *class, const uint8_t *marks, int foreign, const uint32_t *alike, Py_ssize_t alikes,
                      const uint32_t *outlines, Py_ssize_t count) {
    for (int64_t i = begin; i < end; i++) {
        int script = foreign && written[source[i]] < CODE_SPACE && marks[written[source[i]]] & FOREIGN;
        if (!script && (!is_glyph(marks, code[i]) || class_of(class, code[i]) & CLASS_LATIN)) continue;
        if (!(i > begin && class_of(class, code[i - 1]) & CLASS_LATIN) &&
            !(i + 1 < end && class_of(class, code[i + 1]) & CLASS_LATIN))
            continue;
        if (script) return 1;
        int64_t first = i, stop = i + 1;
        while (first > begin && belongs(class, marks, code[first - 1])) first--;
        while (stop < end && belongs(class, marks, code[stop])) stop++;
        for (int64_t k = first; k < stop; k++)
            if (written[source[k]] >= 128) return 1;
        int64_t bare = stop;
        while (bare > first && (code[bare - 1] == '!' || code[bare - 1] == '|' || code[bare - 1] == '(')) bare--;
        if (may_be_meant(code + first, bare - first, alike, alikes, outlines, count)) return 1;
        if (bare < stop && may_be_meant(code + first, bare + 1 - first, alike, alikes, outlines, count)) return 1;
        i = stop - 1;
    }
    return 0;
}

/* disguises(codes, offsets, source, written, written_offsets, classes, marks, alike, outlines, least, share)
   The base view and the posts as they were written; `marks` holds TURNED to GLYPH by code point,
   `alike` what letters and glyphs are written as in an outline, `outlines` hashes, ascending.
   -> uint8 by post: TURNED, BOPOMOFO, LEET, SPACED; at least where such a thing may have to be read. */
PyObject *kernel_disguises(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, source, written, written_offsets, classes, marks, alike, outlines;
    int least, share;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*y*ii", &codes, &offsets, &source, &written, &written_offsets, &classes, &marks,
                          &alike, &outlines, &least, &share))
        return NULL;
    PyObject *result = NULL;
    Py_ssize_t posts = offsets.len / 8 - 1, total = written.len / 4;
    if (check_offsets(&offsets, &codes) || check_offsets(&written_offsets, &written) ||
        check_array("source", &source, 8, codes.len / 4) || check_array("written_offsets", &written_offsets, 8, posts + 1) ||
        check_array("classes", &classes, 1, CODE_SPACE) || check_array("marks", &marks, 1, CODE_SPACE) ||
        check_array("alike", &alike, 4, -1) || check_array("outlines", &outlines, 4, -1))
        goto done;
    const uint32_t *code = codes.buf, *original = written.buf;
    const int64_t *at = offsets.buf, *from = source.buf, *bounds = written_offsets.buf;
    const uint8_t *class = classes.buf, *mark = marks.buf;
    int wrong = 0;
    for (Py_ssize_t i = 0; i < codes.len / 4; i++) wrong |= from[i] < 0 || from[i] >= total;
    if (wrong) { PyErr_SetString(PyExc_ValueError, "the base view maps outside of the posts"); goto done; }
    result = PyBytes_FromStringAndSize(NULL, posts);
    if (!result) goto done;
    uint8_t *flags = (uint8_t *)PyBytes_AsString(result);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int found = 0;
        for (int64_t i = bounds[post]; i < bounds[post + 1]; i++)
            if (original[i] < CODE_SPACE) found |= mark[original[i]];
        int flag = found & (TURNED | BOPOMOFO);
        if (holds_leet(code, at[post], at[post + 1], from, original, class, mark, found & FOREIGN, alike.buf, alike.len / 4,
                       outlines.buf, outlines.len / 4))
            flag |= LEET;
        if (is_spaced(code, at[post], at[post + 1], class, least, share)) flag |= SPACED;
        flags[post] = (uint8_t)flag;
    }
done:
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&source);
    PyBuffer_Release(&written);
    PyBuffer_Release(&written_offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&marks);
    PyBuffer_Release(&alike);
    PyBuffer_Release(&outlines);
    return result;
}
