/* Hashed n-grams of code points, and the sums of their weights.

   As in the rest of the kernel every function has a reference in numpy that gives the same numbers
   (moderation/classifier), arguments are buffers of plain numbers and results are bytes objects. */

#include "ngrams.h"
#include "wide.h"

#include <math.h>

#define LONGEST 4 /* code points of an n-gram: one prime each */
#define COLUMNS 4 /* bytes a bucket has in a table of weights: one a policy, and one to fill up */
#define POLICIES 3
#define EIGHT 8
#define STRETCH (1 << 16) /* weights that 32 bits add up without a thought */

static const uint32_t primes[LONGEST] = {0x9E3779B1u, 0x85EBCA77u, 0xC2B2AE3Du, 0x27D4EB2Fu};

/* Buckets of a post's n-grams: those of one code point from the first place on, those of two from
   `stride` on, and so forth. */
typedef struct {
    uint32_t *bucket;
    int64_t stride;
} Grams;

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

/* Make room for the n-grams of the longest post, and for eight more of each size. */
static int grams_room(Grams *grams, const int64_t *at, Py_ssize_t posts) {
    int64_t most = 0;
    for (Py_ssize_t post = 0; post < posts; post++)
        if (at[post + 1] - at[post] > most) most = at[post + 1] - at[post];
    grams->stride = most + EIGHT;
    grams->bucket = malloc((size_t)grams->stride * LONGEST * sizeof(uint32_t));
    return grams->bucket ? 0 : no_memory();
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

static void hash_plain(const uint32_t *code, int64_t length, int least, int longest, uint32_t mask, const Grams *grams) {
    for (int64_t i = 0; i < length; i++) {
        int most = length - i < longest ? (int)(length - i) : longest;
        uint32_t hash = 0;
        for (int k = 0; k < most; k++) {
            hash = further(hash, code[i + k], k);
            if (k + 1 >= least) grams->bucket[k * grams->stride + i] = bucket(hash, mask);
        }
    }
}

static void add_plain(const int8_t *table, const uint32_t *which, int64_t count, int64_t *sum) {
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < POLICIES; k++) sum[k] += table[(size_t)COLUMNS * which[i] + (size_t)k];
}

#ifdef WIDE
WIDE static void hash_wide(const uint32_t *code, int64_t length, int64_t readable, int least, int longest, uint32_t mask,
                           const Grams *grams) {
    __m256i kept = _mm256_set1_epi32((int)mask), mixer = _mm256_set1_epi32((int)primes[2]);
    for (int64_t i = 0; i < length; i += EIGHT) {
        uint32_t last[EIGHT + LONGEST] = {0};
        const uint32_t *from = code + i;
        if (readable - i < EIGHT + LONGEST) from = memcpy(last, from, (size_t)(readable - i) * sizeof(uint32_t));
        __m256i hash = _mm256_setzero_si256();
        for (int k = 0; k < longest; k++) {
            __m256i step = _mm256_loadu_si256((const __m256i *)(const void *)(from + k));
            step = _mm256_mullo_epi32(_mm256_add_epi32(step, _mm256_set1_epi32(k)), _mm256_set1_epi32((int)primes[k]));
            hash = _mm256_xor_si256(hash, step);
            hash = _mm256_or_si256(_mm256_slli_epi32(hash, 5), _mm256_srli_epi32(hash, 27));
            if (k + 1 < least) continue;
            __m256i mixed = _mm256_mullo_epi32(hash, mixer);
            mixed = _mm256_and_si256(_mm256_xor_si256(mixed, _mm256_srli_epi32(mixed, 15)), kept);
            _mm256_storeu_si256((__m256i *)(void *)(grams->bucket + k * grams->stride + i), mixed);
        }
    }
}

WIDE static void add_wide(const int8_t *table, const uint32_t *which, int64_t count, int64_t *sum) {
    while (count) {
        int64_t part = count < STRETCH ? count : STRETCH;
        __m128i one = _mm_setzero_si128(), other = one;
        int32_t found[COLUMNS];
        count -= part;
        for (; part > 1; part -= 2, which += 2) {
            int a, b;
            memcpy(&a, table + (size_t)COLUMNS * which[0], sizeof a);
            memcpy(&b, table + (size_t)COLUMNS * which[1], sizeof b);
            one = _mm_add_epi32(one, _mm_cvtepi8_epi32(_mm_cvtsi32_si128(a)));
            other = _mm_add_epi32(other, _mm_cvtepi8_epi32(_mm_cvtsi32_si128(b)));
        }
        _mm_storeu_si128((__m128i *)(void *)found, _mm_add_epi32(one, other));
        for (int k = 0; k < POLICIES; k++) sum[k] += found[k];
        if (part) add_plain(table, which++, 1, sum);
    }
}
#endif

/* Hash the n-grams of `least` to `longest` code points; `readable` code points may be looked at. */
static void hash_grams(const uint32_t *code, int64_t length, int64_t readable, int least, int longest, uint32_t mask,
                       const Grams *grams) {
#ifdef WIDE
    if (is_wide()) {
        hash_wide(code, length, readable, least, longest, mask, grams);
        return;
    }
#endif
    (void)readable;
    hash_plain(code, length, least, longest, mask, grams);
}

static void add_weights(const int8_t *table, const uint32_t *which, int64_t count, int64_t *sum) {
#ifdef WIDE
    if (is_wide()) {
        add_wide(table, which, count, sum);
        return;
    }
#endif
    add_plain(table, which, count, sum);
}

/* ngrams(codes, offsets, size, buckets) -> buckets int32, offsets int64 */
PyObject *kernel_ngrams(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer codes, offsets;
    int size;
    Py_ssize_t buckets;
    if (!PyArg_ParseTuple(args, "y*y*in", &codes, &offsets, &size, &buckets)) return NULL;
    PyObject *values = NULL, *bounds = NULL, *result = NULL;
    Grams grams = {0};
    if (check_offsets(&offsets, &codes) || check_size(size) || check_buckets(buckets)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    Py_ssize_t posts = offsets.len / 8 - 1, total = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t count = at[post + 1] - at[post] - size + 1;
        total += count > 0 ? count : 0;
    }
    if (grams_room(&grams, at, posts)) goto done;
    values = PyBytes_FromStringAndSize(NULL, 4 * total);
    bounds = PyBytes_FromStringAndSize(NULL, offsets.len);
    if (!values || !bounds) goto done;
    uint32_t *out = (uint32_t *)(void *)PyBytes_AsString(values);
    int64_t *end = (int64_t *)(void *)PyBytes_AsString(bounds), made = 0;
    end[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t length = at[post + 1] - at[post], count = length - size + 1;
        hash_grams(code + at[post], length, at[posts] - at[post], size, size, (uint32_t)(buckets - 1), &grams);
        if (count > 0) {
            memcpy(out + made, grams.bucket + (size - 1) * grams.stride, (size_t)count * sizeof(uint32_t));
            made += count;
        }
        end[post + 1] = made;
    }
    result = PyTuple_Pack(2, values, bounds);
done:
    free(grams.bucket);
    Py_XDECREF(values);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    return result;
}

/* Move a post's buckets to the front, each once, and return how many there are. `seen` has a bit for
   every bucket, none of them set before and after. Nothing branches: who repeats is hard to foresee. */
static int64_t only_once(const Grams *grams, int64_t length, int longest, uint8_t *seen) {
    int64_t made = 0;
    uint32_t *hit = grams->bucket;
    for (int k = 0; k < longest && k < length; k++) {
        const uint32_t *which = hit + k * grams->stride;
        for (int64_t i = 0; i < length - k; i++) {
            uint32_t found = which[i];
            unsigned bits = seen[found >> 3], place = found & 7;
            hit[made] = found;
            made += ~(bits >> place) & 1;
            seen[found >> 3] = (uint8_t)(bits | 1u << place);
        }
    }
    for (int64_t i = 0; i < made; i++) seen[hit[i] >> 3] = 0;
    return made;
}

/* Return the sums of every post; each bucket counts `once` however often it is hit, and how many there are is a fourth number. */
static PyObject *sums_of(PyObject *args, int once) {
    Py_buffer codes, offsets, weights;
    int longest;
    if (!PyArg_ParseTuple(args, "y*y*y*i", &codes, &offsets, &weights, &longest)) return NULL;
    PyObject *sums = NULL;
    uint8_t *seen = NULL;
    Grams grams = {0};
    if (check_offsets(&offsets, &codes) || check_size(longest) || check_weights(&weights)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    uint32_t mask = (uint32_t)(weights.len / COLUMNS - 1);
    Py_ssize_t posts = offsets.len / 8 - 1;
    if (grams_room(&grams, at, posts)) goto done;
    if (once && !(seen = calloc((size_t)mask / 8 + 1, 1))) { PyErr_NoMemory(); goto done; }
    size_t width = 8 * (size_t)(POLICIES + once);
    sums = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)width * posts);
    if (!sums) goto done;
    char *out = PyBytes_AsString(sums);
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t sum[POLICIES + 1] = {0}, length = at[post + 1] - at[post];
        hash_grams(code + at[post], length, at[posts] - at[post], 1, longest, mask, &grams);
        if (once) {
            sum[POLICIES] = only_once(&grams, length, longest, seen);
            add_weights(weights.buf, grams.bucket, sum[POLICIES], sum);
        } else {
            for (int k = 0; k < longest && k < length; k++)
                add_weights(weights.buf, grams.bucket + k * grams.stride, length - k, sum);
        }
        memcpy(out + width * (size_t)post, sum, width);
    }
done:
    free(grams.bucket);
    free(seen);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&weights);
    return sums;
}

/* ngram_sums(codes, offsets, weights, longest) -> sums int64, three a post

   Adds up the weights of every n-gram of 1 to `longest` code points. */
PyObject *kernel_ngram_sums(PyObject *self, PyObject *args) {
    (void)self;
    return sums_of(args, 0);
}

/* ngram_set_sums(codes, offsets, weights, longest) -> int64, four a post: sums, and how many buckets

   Adds up the weights of the buckets that a post's n-grams of 1 to `longest` code points fall into,
   each once however often it is hit. */
PyObject *kernel_ngram_set_sums(PyObject *self, PyObject *args) {
    (void)self;
    return sums_of(args, 1);
}

/* How many n-grams of 1 to `longest` code points a post has. */
static inline int64_t gram_count(int64_t length, int longest) {
    int64_t count = 0;
    for (int k = 0; k < longest && k < length; k++) count += length - k;
    return count;
}

/* screened(sums, offsets, longest, scale, offset, caution, below, may, languages, slopes, shifts, review)
   -> log-odds float64, three a post, those of posts that stay -inf; 1 for a post that leaves, uint8

   Of sums as `ngram_sums` returns them and posts that may leave; what the numbers mean,
   moderation/classifier/screen.py says. */
PyObject *kernel_screened(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer sums, offsets, scale, offset, may, languages, slopes, shifts, review;
    int longest;
    double caution, below;
    if (!PyArg_ParseTuple(args, "y*y*iy*y*ddy*y*y*y*y*", &sums, &offsets, &longest, &scale, &offset, &caution, &below, &may,
                          &languages, &slopes, &shifts, &review))
        return NULL;
    PyObject *found = NULL, *left = NULL, *result = NULL;
    Py_ssize_t posts = offsets.len / 8 - 1, known = review.len / (8 * POLICIES);
    const int64_t *at = offsets.buf, *sum = sums.buf;
    const double *by = scale.buf, *to = offset.buf, *slope = slopes.buf, *shift = shifts.buf, *point = review.buf;
    const uint8_t *asked = may.buf, *language = languages.buf;
    if (check_array("offsets", &offsets, 8, -1) || check_size(longest) ||
        check_bounds("offsets", &offsets, posts + 1, posts < 0 ? 0 : at[posts]) ||
        check_array("sums", &sums, 8, POLICIES * posts) || check_array("scale", &scale, 8, POLICIES) ||
        check_array("offset", &offset, 8, POLICIES) || check_array("may", &may, 1, posts) ||
        check_array("languages", &languages, 1, posts) || check_array("slopes", &slopes, 8, POLICIES) ||
        check_array("shifts", &shifts, 8, POLICIES) || check_array("review", &review, 8, POLICIES * known))
        goto done;
    found = PyBytes_FromStringAndSize(NULL, 8 * POLICIES * posts);
    left = PyBytes_FromStringAndSize(NULL, posts);
    if (!found || !left) goto done;
    double *odds = (double *)(void *)PyBytes_AsString(found);
    char *leaves = PyBytes_AsString(left);
    for (Py_ssize_t post = 0; post < posts; post++, sum += POLICIES, odds += POLICIES) {
        int64_t count = gram_count(at[post + 1] - at[post], longest);
        double root = sqrt((double)(count ? count : 1)), margin[POLICIES];
        int low = asked[post] != 0;
        if (language[post] >= known) {
            wrong("languages that have review points");
            goto done;
        }
        for (int k = 0; k < POLICIES; k++) {
            margin[k] = ((double)sum[k] * by[k] + caution) / root + to[k];
            low &= margin[k] < below;
        }
        for (int k = 0; k < POLICIES; k++)
            odds[k] = low ? margin[k] * slope[k] + shift[k] + point[POLICIES * language[post] + k] : (double)-INFINITY;
        leaves[post] = (char)low;
    }
    result = PyTuple_Pack(2, found, left);
done:
    Py_XDECREF(found);
    Py_XDECREF(left);
    PyBuffer_Release(&sums);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&scale);
    PyBuffer_Release(&offset);
    PyBuffer_Release(&may);
    PyBuffer_Release(&languages);
    PyBuffer_Release(&slopes);
    PyBuffer_Release(&shifts);
    PyBuffer_Release(&review);
    return result;
}
