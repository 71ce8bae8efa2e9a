/* Disguise: which posts the base view does not yet show as a person reads them. */

#include "automaton.h"

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

#define LONGEST_LEET 24
#define MOST_WAYS 64
#define SURELY 1 /* only a word of the rules may be meant */
#define PERHAPS 2

/* What leet may stand for. */
typedef struct {
    const uint32_t *alike, *ways; /* by code point: as what it is written in an outline; two letters that it may be */
    Py_ssize_t glyphs;            /* how many code points have an entry */
    const uint32_t *outlines, *words; /* keys, ascending */
    Py_ssize_t outlined, worded;
    const Ordinary *ordinary;
} Meanings;

static int holds_key(const uint32_t *keys, Py_ssize_t count, uint32_t key) {
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (keys[middle] < key) low = middle + 1; else high = middle;
    }
    return low < count && keys[low] == key;
}

/* Say whether a word may be meant as leet: see moderation/text/leet.py. Its outline is
   known (SURELY), or it holds what only leet does (PERHAPS). */
static int may_be_meant(const uint32_t *code, int64_t length, const Meanings *m) {
    if (length < 3) return 0;
    uint32_t hash = 2166136261u;
    for (int64_t i = 0; i < length; i++) {
        uint32_t c = code[i];
        if (c == '@' || c == '$') return PERHAPS;
        if (is_letter(c) && i + 2 < length && !is_letter(code[i + 1])) {
            int64_t k = i + 1;
            while (k < length && !is_letter(code[k])) k++;
            if (k < length) return PERHAPS;
        }
        hash = ordinary_step(hash, c < (size_t)m->glyphs ? m->alike[c] : c);
    }
    return length >= 5 && holds_key(m->outlines, m->outlined, hash) ? SURELY : 0;
}

static int is_common(const Ordinary *o, uint32_t key) {
    int64_t at = ordinary_find(o, key);
    return at >= 0 && o->often[at] >= o->common;
}

/* Say whether a word, all of it ASCII or \u20ac, may be meant as another one that is known. */
static int can_be_read(const uint32_t *code, int64_t length, const Meanings *m) {
    int meant = may_be_meant(code, length, m);
    if (!meant || length > LONGEST_LEET) return 0;
    uint32_t way[LONGEST_LEET][2], written = 2166136261u;
    int doubtful[LONGEST_LEET], doubts = 0;
    for (int64_t i = 0; i < length; i++) {
        const uint32_t *read = code[i] < (size_t)m->glyphs ? m->ways + 2 * code[i] : NULL;
        way[i][0] = read && read[0] ? read[0] : code[i];
        way[i][1] = read ? read[1] : 0;
        if (way[i][1]) doubtful[doubts++] = (int)i;
        written = ordinary_step(written, code[i]);
    }
    if (is_common(m->ordinary, written)) return 0;
    int ways = doubts < 7 && 1 << doubts <= MOST_WAYS ? 1 << doubts : 1; /* of too many the first */
    for (int n = 0; n < ways; n++) {
        uint32_t hash = 2166136261u, choice[LONGEST_LEET] = {0};
        for (int k = 0; k < doubts; k++) choice[doubtful[k]] = (uint32_t)(n >> k & 1);
        for (int64_t i = 0; i < length; i++) hash = ordinary_step(hash, way[i][choice[i]]);
        if (holds_key(m->words, m->worded, hash) || (meant == PERHAPS && is_common(m->ordinary, hash))) return 1;
    }
    return 0;
}

/* Say whether a post holds a word that may be meant as leet. */
static int holds_leet(const uint32_t *code, int64_t begin, int64_t end, const int64_t *source, const uint32_t *written,
                      const uint8_t *class, const uint8_t *marks, int foreign, const Meanings *m) {
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
        /* A mark further behind the word counts only where a letter follows that is not ASCII. */
        if (bare + 1 < stop && stop < end && class_of(class, code[stop]) & CLASS_LATIN) return 1;
        if (can_be_read(code + first, bare - first, m)) return 1;
        if (bare < stop && can_be_read(code + first, bare + 1 - first, m)) return 1;
        i = stop - 1;
    }
    return 0;
}

/* disguises(codes, offsets, source, written, written_offsets, classes, marks, alike, ways, outlines, words, ordinary, parts,
             frequency, common, least, share)
   The base view and the posts as they were written; `marks` holds TURNED to GLYPH by code point,
   `alike` what letters and glyphs are written as in an outline, `ways` two letters that each glyph
   may be, `outlines` and `words` keys of what the rules name, `common` how often a word is found
   that is known without them.
   -> uint8 by post: TURNED, BOPOMOFO, LEET, SPACED; at least where such a thing may have to be read. */
PyObject *kernel_disguises(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, source, written, written_offsets, classes, marks, alike, ways, outlines, words, ordinary, parts, frequency;
    int common, least, share;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*y*y*y*y*y*y*iii", &codes, &offsets, &source, &written, &written_offsets, &classes, &marks,
                          &alike, &ways, &outlines, &words, &ordinary, &parts, &frequency, &common, &least, &share))
        return NULL;
    PyObject *result = NULL;
    Py_ssize_t posts = offsets.len / 8 - 1, total = written.len / 4;
    if (check_offsets(&offsets, &codes) || check_offsets(&written_offsets, &written) ||
        check_array("source", &source, 8, codes.len / 4) || check_array("written_offsets", &written_offsets, 8, posts + 1) ||
        check_array("classes", &classes, 1, CODE_SPACE) || check_array("marks", &marks, 1, CODE_SPACE) ||
        check_array("alike", &alike, 4, -1) || check_array("ways", &ways, 4, alike.len / 2) ||
        check_array("outlines", &outlines, 4, -1) || check_array("words", &words, 4, -1) ||
        check_array("ordinary", &ordinary, 4, -1) || check_array("parts", &parts, 4, PARTS) ||
        check_array("frequency", &frequency, 2, ordinary.len / 4))
        goto done;
    const uint32_t *code = codes.buf, *original = written.buf;
    const int64_t *at = offsets.buf, *from = source.buf, *bounds = written_offsets.buf;
    const uint8_t *class = classes.buf, *mark = marks.buf;
    const Ordinary known = {class, ordinary.buf, parts.buf, frequency.buf, ordinary.len / 4, 0, 0, common};
    const Meanings meanings = {alike.buf, ways.buf, alike.len / 4, outlines.buf, words.buf, outlines.len / 4, words.len / 4, &known};
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
        for (int64_t i = at[post]; i < at[post + 1]; i++)
            if (code[i] < CODE_SPACE) found |= mark[code[i]] & GLYPH;
        if (found & (FOREIGN | GLYPH) &&
            holds_leet(code, at[post], at[post + 1], from, original, class, mark, found & FOREIGN, &meanings))
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
    PyBuffer_Release(&ways);
    PyBuffer_Release(&outlines);
    PyBuffer_Release(&words);
    PyBuffer_Release(&ordinary);
    PyBuffer_Release(&parts);
    PyBuffer_Release(&frequency);
    return result;
}
