/* Folding: views of a batch of posts. */

#include "common.h"

int post_room(Post *post, size_t most) {
    free(post->code);
    free(post->first);
    free(post->last);
    post->code = malloc(4 * most + 4);
    post->first = malloc(4 * most + 4);
    post->last = malloc(4 * most + 4);
    post->used = 0;
    return post->code && post->first && post->last ? 0 : -1;
}

void post_free(Post *post) {
    free(post->code);
    free(post->first);
    free(post->last);
}

static PyObject *wide_bytes(const int32_t *number, Py_ssize_t count) {
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, 8 * count);
    if (!bytes) return NULL;
    int64_t *wide = (int64_t *)(void *)PyBytes_AsString(bytes);
    for (Py_ssize_t i = 0; i < count; i++) wide[i] = number[i];
    return bytes;
}

/* Return a view of several posts: codes, offsets, first, last. */
static PyObject *post_bytes(const Post *post, PyObject *bounds) {
    return Py_BuildValue("y#ONN", post->code, 4 * (Py_ssize_t)post->used, bounds, wide_bytes(post->first, (Py_ssize_t)post->used),
                         wide_bytes(post->last, (Py_ssize_t)post->used));
}

/* The class of each code point of a batch; NULL with an error where there is no memory. */
static uint8_t *kinds_of(const Py_buffer *codes, const uint8_t *class) {
    Py_ssize_t total = codes->len / 4;
    const uint32_t *code = codes->buf;
    uint8_t *kind = malloc((size_t)total + 1);
    if (!kind) PyErr_NoMemory();
    for (Py_ssize_t i = 0; kind && i < total; i++) kind[i] = (uint8_t)class_of(class, code[i]);
    return kind;
}

/* ------------------------------------------------------------------ base fold */

/* fold(codes, offsets, target, expansion_start, expansion_length, expansion)
   -> codes uint32, offsets int64, source int64 */
PyObject *kernel_fold(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, target, starts, lengths, expansion;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*", &codes, &offsets, &target, &starts, &lengths, &expansion))
        return NULL;
    PyObject *result = NULL, *text = NULL, *source = NULL, *bounds = NULL;
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
    bounds = PyBytes_FromStringAndSize(NULL, 8 * (posts + 1));
    if (!bounds) goto done;
    int64_t *bound = (int64_t *)(void *)PyBytes_AsString(bounds), long_enough = 0;
    bound[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        for (int64_t i = at[post]; i < at[post + 1]; i++) {
            uint32_t folded = code[i] < CODE_SPACE ? table[code[i]] : REMOVED;
            if (folded < EXPANDED) {
                long_enough++;
            } else if (folded != REMOVED) {
                if (folded - EXPANDED >= (uint64_t)expansions) {
                    PyErr_SetString(PyExc_ValueError, "the fold table names an expansion that it does not hold");
                    goto done;
                }
                long_enough += length[folded - EXPANDED];
            }
        }
        bound[post + 1] = long_enough;
    }
    text = PyBytes_FromStringAndSize(NULL, 4 * (Py_ssize_t)long_enough);
    source = PyBytes_FromStringAndSize(NULL, 8 * (Py_ssize_t)long_enough);
    if (!text || !source) goto done;
    uint32_t *out = (uint32_t *)(void *)PyBytes_AsString(text);
    int64_t *from = (int64_t *)(void *)PyBytes_AsString(source);
    for (int64_t i = 0; i < total; i++) {
        uint32_t folded = code[i] < CODE_SPACE ? table[code[i]] : REMOVED;
        if (folded < EXPANDED) {
            *out++ = folded;
            *from++ = i;
        } else if (folded != REMOVED) {
            const uint32_t *part = parts + start[folded - EXPANDED];
            for (int64_t k = 0; k < length[folded - EXPANDED]; k++) *out++ = part[k], *from++ = i;
        }
    }
    result = PyTuple_Pack(3, text, bounds, source);
done:
    Py_XDECREF(text);
    Py_XDECREF(source);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&target);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&lengths);
    PyBuffer_Release(&expansion);
    return result;
}

/* ------------------------------------------------------------------ spacing */

int is_spaced(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *class, int least, int share) {
    int64_t han = 0, gaps = 0, previous = -1;
    for (int64_t i = begin; i < end; i++) {
        if (class_of(class, code[i]) & CLASS_HAN) {
            han++;
            if (previous >= 0 && previous < i - 1) gaps++;
            previous = i;
        } else if (code[i] != ' ') {
            previous = -1;
        }
    }
    return gaps >= least && gaps * share >= han;
}

/* unspace(codes, offsets, classes, source, least, share)
   Posts whose Han words all stand apart lose the spaces between Han characters: a post with at
   least `least` such gaps, one for every `share` Han characters or more.
   -> None where there is no such post, else codes uint32, offsets int64, source int64, posts uint8 */
PyObject *kernel_unspace(PyObject *Py_UNUSED(self), PyObject *args) {
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
        int spaced = is_spaced(code, at[post], at[post + 1], class, least, share);
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

/* Letters and digits alone; repeats of a letter stand for one. `kind` begins with the class of the
   post's first code point. Every code point is written, and what is not kept is written over: the
   loop has nothing to guess. */
void compact_post(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *kind, Post *out) {
    int64_t used = out->used;
    for (int64_t i = begin; i < end; i++) {
        int kept = (kind[i - begin] & CLASS_WORD) != 0;
        int repeat = i > begin && code[i] == code[i - 1] && !(kind[i - begin] & CLASS_DIGIT);
        out->code[used] = code[i];
        out->first[used] = (int32_t)i;
        used += kept & !repeat;
        out->last[used - kept] = (int32_t)i;
    }
    out->used = used;
}

/* compact(codes, offsets, classes) -> codes uint32, offsets int64, first int64, last int64 */
PyObject *kernel_compact(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, classes;
    if (!PyArg_ParseTuple(args, "y*y*y*", &codes, &offsets, &classes)) return NULL;
    PyObject *result = NULL, *bounds = NULL;
    Post out = {0};
    uint8_t *kind = NULL;
    if (check_offsets(&offsets, &codes) || check_array("classes", &classes, 1, CODE_SPACE) ||
        !(kind = kinds_of(&codes, classes.buf)))
        goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, total = codes.len / 4;
    if (post_room(&out, (size_t)total) || !(bounds = PyBytes_FromStringAndSize(NULL, 8 * (posts + 1)))) {
        PyErr_NoMemory();
        goto done;
    }
    int64_t *bound = (int64_t *)(void *)PyBytes_AsString(bounds);
    bound[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        compact_post(code, at[post], at[post + 1], kind + at[post], &out);
        bound[post + 1] = out.used;
    }
    result = post_bytes(&out, bounds);
done:
    free(kind);
    post_free(&out);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&classes);
    return result;
}

/* ------------------------------------------------------------------ sound view */

/* Leet: what a digit or symbol inside a word stands for; 0 where it stands for itself. */
static uint32_t leet(uint32_t code) {
    static const char meant[128] = {
        ['0'] = 'o', ['1'] = 'i', ['!'] = 'i', ['|'] = 'i', ['2'] = 's', ['3'] = 'e', ['4'] = 'a', ['@'] = 'a', ['5'] = 's',
        ['$'] = 's', ['6'] = 'g', ['7'] = 't', ['+'] = 't', ['8'] = 'b', ['9'] = 'g',
    };
    return code < 128 ? (uint32_t)meant[code] : code == 0x20AC ? 'e' : 0;
}

static uint32_t syllable_hash(uint64_t key) { return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 54); }

/* Take the tables; -1 with an error where they do not fit together. */
int sounds_fill(Sounds *sounds, const Py_buffer *near, const Py_buffer *syllables, const Py_buffer *syllable_near) {
    if (check_array("near", near, 2, CODE_SPACE) || check_array("syllables", syllables, 8, -1) ||
        check_array("syllable_near", syllable_near, 2, syllables->len / 8))
        return -1;
    sounds->by_char = near->buf;
    sounds->keys = syllables->buf;
    sounds->by_syllable = syllable_near->buf;
    sounds->known = syllables->len / 8;
    memset(sounds->place, -1, sizeof sounds->place);
    if (sounds->known > 1000) {
        PyErr_SetString(PyExc_ValueError, "syllables: expected at most 1000");
        return -1;
    }
    for (Py_ssize_t i = 0; i < sounds->known; i++) {
        uint32_t at = syllable_hash(sounds->keys[i]);
        while (sounds->place[at] >= 0) at = (at + 1) & 1023;
        sounds->place[at] = (int16_t)i;
    }
    return 0;
}

static int find_syllable(const Sounds *sounds, uint64_t key) {
    uint32_t at = syllable_hash(key);
    for (; sounds->place[at] >= 0; at = (at + 1) & 1023)
        if (sounds->keys[sounds->place[at]] == key) return sounds->place[at];
    return -1;
}

/* Say which of the first letters of a word are one syllable: bit n for n letters. */
static int syllables_at(const uint32_t *code, int length, const Sounds *sounds, int *numbers) {
    uint64_t key = 0;
    int found = 0;
    for (int n = 1; n <= 6 && n <= length; n++) {
        key = key << 8 | code[n - 1];
        numbers[n] = find_syllable(sounds, key);
        found |= (numbers[n] >= 0) << n;
    }
    return found;
}

/* Cut a word of up to LONGEST_TOKEN letters into pinyin syllables, the longest first where the rest can be cut as well.
   Writes the syllables' numbers and lengths; returns how many, 0 when the word is no pinyin. */
static int cut_pinyin(const uint32_t *code, int length, const Sounds *sounds, int *numbers, int *lengths) {
    uint8_t fits[LONGEST_TOKEN];
    int number[LONGEST_TOKEN][7];
    uint64_t reached = 1, can = 1ULL << length; /* bit i: the letters before i can be cut; those from i on can */
    for (int i = 0; i < length; i++) {
        if (!(reached >> i)) return 0; /* most words end here, after a letter or two */
        fits[i] = reached >> i & 1 ? (uint8_t)syllables_at(code + i, length - i, sounds, number[i]) : 0;
        reached |= (uint64_t)fits[i] << i;
    }
    if (!(reached >> length & 1)) return 0;
    for (int i = length - 1; i >= 0; i--)
        if (can >> i & fits[i]) can |= 1ULL << i;
    int found = 0;
    for (int i = 0; i < length;) {
        int n = 6;
        while (!(can >> i & fits[i] & 1u << n)) n--;
        numbers[found] = number[i][n];
        lengths[found++] = n;
        i += n;
    }
    return found;
}

/* Han characters and pinyin as syllables, leet as letters; nothing for a post that holds neither,
   unless `letters` asks for its words. `kind` as in `compact_post`. */
void sound_post(const uint32_t *code, int64_t begin, int64_t end, const uint8_t *kind, const Sounds *sounds, int letters, Post *out) {
    int han = 0, every = letters;
    for (int64_t i = 0; i < end - begin; i++) han |= kind[i] & CLASS_HAN;
    for (int64_t i = begin; i < end && !(every | han); i++)
        every = leet(code[i]) && ((i > begin && is_letter(code[i - 1])) || (i + 1 < end && is_letter(code[i + 1])));
    every |= han;
    if (!every) return; /* every word with leet in it has it beside a letter */
    for (int64_t i = begin; i < end;) {
        uint32_t c = code[i];
        if (kind[i - begin] & CLASS_HAN) {
            EMIT(out, sounds->by_char[c] ? SYLLABLES + sounds->by_char[c] - 1u : c, i, i);
            i++;
            continue;
        }
        if (!(is_letter(c) || is_number(c) || c == '$' || c == '@')) {
            if (every && kind[i - begin] & CLASS_WORD) EMIT(out, c, i, i);
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
                if (l == previous && is_letter(l)) out->last[out->used - 1] = (int32_t)k;
                else EMIT(out, l, k, k);
                previous = l;
            }
        } else if (every) {
            if (any && han && !letters && any == stop - i && any <= LONGEST_TOKEN)
                cut = cut_pinyin(code + i, any, sounds, numbers, lengths);
            if (cut) {
                int64_t k = i;
                for (int n = 0; n < cut; n++) {
                    EMIT(out, SYLLABLES + sounds->by_syllable[numbers[n]], k, k + lengths[n] - 1);
                    k += lengths[n];
                }
            } else {
                uint32_t previous = 0;
                for (int64_t k = i; k < stop; k++) {
                    uint32_t l = code[k] == 'l' ? 'i' : code[k] == 'z' ? 's' : code[k];
                    if (is_symbol(l)) continue;
                    if (l == previous && is_letter(l)) out->last[out->used - 1] = (int32_t)k;
                    else EMIT(out, l, k, k);
                    previous = l;
                }
            }
        }
        i = stop;
    }
}

/* sound(codes, offsets, classes, near uint16 by code point (class + 1, or 0), syllables uint64 sorted,
   syllable_near uint16, letters) -> codes uint32, offsets int64, first int64, last int64
   With `letters` every Latin word is kept as letters, whatever the post: that is how literals of
   Latin words are folded. */
PyObject *kernel_sound(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer codes, offsets, classes, near, syllables, syllable_near;
    int letters;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*p", &codes, &offsets, &classes, &near, &syllables, &syllable_near, &letters))
        return NULL;
    PyObject *result = NULL, *bounds = NULL;
    Post out = {0};
    Sounds sounds;
    uint8_t *kind = NULL;
    if (check_offsets(&offsets, &codes) || check_array("classes", &classes, 1, CODE_SPACE) ||
        sounds_fill(&sounds, &near, &syllables, &syllable_near) || !(kind = kinds_of(&codes, classes.buf)))
        goto done;
    const int64_t *at = offsets.buf;
    Py_ssize_t posts = offsets.len / 8 - 1;
    if (post_room(&out, (size_t)codes.len / 4) || !(bounds = PyBytes_FromStringAndSize(NULL, 8 * (posts + 1)))) {
        PyErr_NoMemory();
        goto done;
    }
    int64_t *bound = (int64_t *)(void *)PyBytes_AsString(bounds);
    bound[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        sound_post(codes.buf, at[post], at[post + 1], kind + at[post], &sounds, letters, &out);
        bound[post + 1] = out.used;
    }
    result = post_bytes(&out, bounds);
done:
    free(kind);
    post_free(&out);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&near);
    PyBuffer_Release(&syllables);
    PyBuffer_Release(&syllable_near);
    return result;
}
