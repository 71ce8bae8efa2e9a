/* The fast tier's graph: means of token and n-gram vectors, and two dense layers on top.

   The reference is the graph in ONNX Runtime (moderation/classifier/bag.py). Every sum runs in the
   order in which its kernels for processors with AVX2 and FMA take it, so that results are the same
   bit for bit; bag.py compares the two before it relies on it. */

#include "bag.h"
#include "wide.h"

#include <math.h>

#define MOST_COLUMNS 1024
#define MOST_GRAMS 4
#define TILE 6 /* posts that go through the dense layers together */
#define LANES 16
#define MOST_PARTS 6 /* of eight columns: two sums of each, and what is read, fit into sixteen registers */
#define OUTPUTS 4

#ifdef WIDE

/* Vectors of which a post takes the mean. */
typedef struct {
    Py_buffer values, offsets, codes, factor;
    int64_t rows, columns;
    float least; /* the mean is over this many at least */
} Table;

typedef struct {
    Table tokens, grams[MOST_GRAMS];
    Py_buffer weight, constants, hidden, hidden_bias, output, output_bias;
    int64_t kinds, features, units, outputs;
} Bag;

static void table_free(Table *table) {
    PyBuffer_Release(&table->values);
    PyBuffer_Release(&table->offsets);
    PyBuffer_Release(&table->codes);
    PyBuffer_Release(&table->factor);
}

static int check_table(Table *table, Py_ssize_t posts) {
    if (check_offsets(&table->offsets, &table->values) || check_array("factor", &table->factor, 4, -1)) return -1;
    table->rows = table->factor.len / 4;
    table->columns = table->rows ? table->codes.len / table->rows : 0;
    if (table->rows > INT32_MAX || table->columns < LANES || table->columns > MOST_COLUMNS || table->columns % LANES ||
        table->codes.len != table->rows * table->columns) {
        PyErr_Format(PyExc_ValueError, "codes: expected a multiple of %d up to %d columns for each factor", LANES, MOST_COLUMNS);
        return -1;
    }
    if (table->offsets.len / 8 - 1 != posts) {
        PyErr_SetString(PyExc_ValueError, "expected as many posts in every input");
        return -1;
    }
    const int32_t *id = table->values.buf;
    int wrong = 0;
    for (Py_ssize_t i = 0; i < table->values.len / 4; i++) wrong |= id[i] < 0 || id[i] >= table->rows;
    if (wrong) PyErr_SetString(PyExc_ValueError, "a value lies outside of its table");
    return wrong ? -1 : 0;
}

/* Take (values, offsets, codes, factor, least) of every kind of n-gram. */
static int take_grams(Bag *bag, PyObject *grams, Py_ssize_t posts) {
    if (!PyTuple_Check(grams) || PyTuple_Size(grams) > MOST_GRAMS) {
        PyErr_Format(PyExc_ValueError, "expected a tuple of at most %d kinds of n-grams", MOST_GRAMS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_Size(grams); i++) {
        PyObject *one = PyTuple_GetItem(grams, i);
        Table *table = &bag->grams[i];
        if (!PyTuple_Check(one)) {
            PyErr_SetString(PyExc_TypeError, "expected a tuple for every kind of n-gram");
            return -1;
        }
        if (!PyArg_ParseTuple(one, "y*y*y*y*f", &table->values, &table->offsets, &table->codes, &table->factor, &table->least))
            return -1;
        bag->kinds = i + 1;
        if (check_table(table, posts)) return -1;
        bag->features += table->columns;
    }
    return 0;
}

static int check_layers(Bag *bag) {
    if (check_array("weight", &bag->weight, 4, bag->tokens.rows) || check_array("constants", &bag->constants, 4, 4) ||
        check_array("hidden bias", &bag->hidden_bias, 4, -1) || check_array("output bias", &bag->output_bias, 4, -1))
        return -1;
    bag->units = bag->hidden_bias.len / 4;
    bag->outputs = bag->output_bias.len / 4;
    if (bag->units < LANES || bag->units > MOST_COLUMNS || bag->units % LANES || bag->outputs < 1 || bag->outputs > OUTPUTS) {
        PyErr_Format(PyExc_ValueError, "expected a multiple of %d up to %d units and at most %d outputs", LANES, MOST_COLUMNS, OUTPUTS);
        return -1;
    }
    return check_array("hidden", &bag->hidden, 4, bag->features * bag->units) ||
           check_array("output", &bag->output, 4, bag->units * bag->outputs);
}

/* Ask memory for a post's rows. Inlined, since a call that only does so counts as one without effect, and is dropped. */
static inline __attribute__((always_inline)) void fetch(const Table *table, int64_t post) {
    const int64_t *at = table->offsets.buf;
    const int32_t *id = table->values.buf;
    const int8_t *codes = table->codes.buf;
    const float *factor = table->factor.buf;
    for (int64_t i = at[post]; i < at[post + 1]; i++) {
        PREFETCH(factor + id[i]);
        for (int64_t k = 0; k < table->columns; k += 64) PREFETCH(codes + id[i] * table->columns + k);
    }
}

/* Read eight columns of a row. */
WIDE static inline __m256 eight(const int8_t *codes, __m256 factor) {
    __m256 read = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)codes)));
    return _mm256_mul_ps(read, factor);
}

/* Add up `parts` times eight columns of a post's vectors, four by four, all of them in registers. */
WIDE static inline __attribute__((always_inline)) void sum_parts(const Table *table, int64_t post, int64_t column, int parts,
                                                                  float *sum) {
    const int64_t *at = table->offsets.buf;
    const int32_t *id = (const int32_t *)table->values.buf + at[post];
    const int8_t *codes = (const int8_t *)table->codes.buf + column;
    const float *factor = table->factor.buf;
    int64_t count = at[post + 1] - at[post], columns = table->columns;
    __m256 total[MOST_PARTS], four[MOST_PARTS];
    for (int k = 0; k < parts; k++) total[k] = _mm256_setzero_ps();
    for (int64_t i = 0; i < count; i += 4) {
        int most = count - i < 4 ? (int)(count - i) : 4;
        const int8_t *row = codes + id[i] * columns;
        __m256 scale = _mm256_broadcast_ss(factor + id[i]);
        for (int k = 0; k < parts; k++) four[k] = eight(row + 8 * k, scale);
        for (int j = 1; j < most; j++) {
            row = codes + id[i + j] * columns;
            scale = _mm256_broadcast_ss(factor + id[i + j]);
            for (int k = 0; k < parts; k++) four[k] = _mm256_add_ps(four[k], eight(row + 8 * k, scale));
        }
        for (int k = 0; k < parts; k++) total[k] = _mm256_add_ps(total[k], four[k]);
    }
    for (int k = 0; k < parts; k++) _mm256_storeu_ps(sum + column + 8 * k, total[k]);
}

/* Add up a post's vectors. */
WIDE static void sum_rows(const Table *table, int64_t post, float *sum) {
    int64_t column = 0;
    for (; table->columns - column >= 8 * MOST_PARTS; column += 8 * MOST_PARTS) sum_parts(table, post, column, MOST_PARTS, sum);
    for (; column < table->columns; column += LANES) sum_parts(table, post, column, LANES / 8, sum);
}

/* Add up the weights of a post's tokens in eight lanes. */
static float sum_weights(const Bag *bag, int64_t post) {
    const int64_t *at = bag->tokens.offsets.buf;
    const int32_t *id = bag->tokens.values.buf;
    const float *weight = bag->weight.buf;
    float lane[8] = {0.0f};
    for (int64_t i = at[post]; i < at[post + 1]; i++) lane[(i - at[post]) & 7] += weight[id[i]];
    for (int k = 0; k < 4; k++) lane[k] += lane[k + 4];
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/* The logarithm of a number from 1 on: a rational function of the mantissa, less one, as Eigen has it. */
static float logarithm(float x) {
    int exponent;
    float m = frexpf(x, &exponent);
    if (m < 0.707106781186547524f) {
        exponent--;
        m = (m - 1.0f) + m;
    } else {
        m = m - 1.0f;
    }
    float p = m * 0.18256296349849254f + 1.0000000190281063f;
    p = m * (m * p + 1.0000000190281136f);
    float q = m * 0.049616247954120038f + 0.59923249590823520f;
    q = m * q + 1.4999999999999927f;
    q = m * q + 1.0f;
    return (float)exponent * 0.6931471805599453f + p / q;
}

WIDE static void post_features(const Bag *bag, int64_t post, float *feature) {
    const float *constant = bag->constants.buf; /* epsilon, token scale, one, length scale */
    float weight = sum_weights(bag, post), safe = weight + constant[0];
    sum_rows(&bag->tokens, post, feature);
    for (int64_t k = 0; k < bag->tokens.columns; k++) feature[k] = feature[k] / safe * constant[1];
    feature += bag->tokens.columns;
    *feature++ = logarithm(weight + constant[2]) * constant[3];
    for (int64_t i = 0; i < bag->kinds; i++) {
        const Table *table = &bag->grams[i];
        const int64_t *at = table->offsets.buf;
        float count = (float)(at[post + 1] - at[post]);
        if (count < table->least) count = table->least;
        sum_rows(table, post, feature);
        for (int64_t k = 0; k < table->columns; k++) feature[k] = feature[k] / count;
        feature += table->columns;
    }
}

/* Take a tile of posts through both layers; `output` has four columns. */
WIDE static void layers(const Bag *bag, const float *feature, const float *output, float *unit, float *logit) {
    const float *matrix = bag->hidden.buf, *bias = bag->hidden_bias.buf, *last = bag->output_bias.buf;
    int64_t units = bag->units, features = bag->features;
    __m256 none = _mm256_setzero_ps();
    for (int64_t j = 0; j < units; j += LANES) {
        __m256 low[TILE], high[TILE];
        for (int r = 0; r < TILE; r++) low[r] = high[r] = none;
        for (int64_t k = 0; k < features; k++) {
            __m256 a = _mm256_loadu_ps(matrix + k * units + j), b = _mm256_loadu_ps(matrix + k * units + j + 8);
            for (int r = 0; r < TILE; r++) {
                __m256 x = _mm256_broadcast_ss(feature + r * features + k);
                low[r] = _mm256_fmadd_ps(x, a, low[r]);
                high[r] = _mm256_fmadd_ps(x, b, high[r]);
            }
        }
        __m256 a = _mm256_loadu_ps(bias + j), b = _mm256_loadu_ps(bias + j + 8);
        for (int r = 0; r < TILE; r++) {
            _mm256_storeu_ps(unit + r * units + j, _mm256_max_ps(_mm256_add_ps(low[r], a), none));
            _mm256_storeu_ps(unit + r * units + j + 8, _mm256_max_ps(_mm256_add_ps(high[r], b), none));
        }
    }
    __m128 sum[TILE];
    for (int r = 0; r < TILE; r++) sum[r] = _mm_setzero_ps();
    for (int64_t k = 0; k < units; k++)
        for (int r = 0; r < TILE; r++)
            sum[r] = _mm_fmadd_ps(_mm_broadcast_ss(unit + r * units + k), _mm_loadu_ps(output + OUTPUTS * k), sum[r]);
    for (int r = 0; r < TILE; r++) {
        float row_[OUTPUTS];
        _mm_storeu_ps(row_, sum[r]);
        for (int64_t k = 0; k < bag->outputs; k++) logit[r * bag->outputs + k] = row_[k] + last[k];
    }
}

/* Fill in what the graph gives for every post; return -1 without memory. */
static int run(const Bag *bag, int64_t posts, char *features, char *logits) {
    size_t wide = (size_t)bag->features, width = wide * 4, units = (size_t)bag->units, outputs = (size_t)bag->outputs;
    float *feature = calloc(TILE * (wide + units + OUTPUTS) + OUTPUTS * units, 4);
    if (!feature) return -1;
    float *unit = feature + TILE * wide, *logit = unit + TILE * units, *output = logit + TILE * OUTPUTS;
    const float *matrix = bag->output.buf;
    for (size_t k = 0; k < units; k++) memcpy(output + OUTPUTS * k, matrix + outputs * k, outputs * 4);
    for (int64_t first = 0; first < posts; first += TILE) {
        int64_t held = posts - first < TILE ? posts - first : TILE;
        for (int64_t r = 0; r < held; r++) {
            int64_t post = first + r;
            if (post + 1 < posts) { /* the tables are larger than the caches */
                fetch(&bag->tokens, post + 1);
                for (int64_t i = 0; i < bag->kinds; i++) fetch(&bag->grams[i], post + 1);
            }
            post_features(bag, post, feature + r * bag->features);
        }
        layers(bag, feature, output, unit, logit);
        memcpy(features + width * (size_t)first, feature, width * (size_t)held);
        memcpy(logits + outputs * 4 * (size_t)first, logit, outputs * 4 * (size_t)held);
    }
    free(feature);
    return 0;
}

/* bag(values, offsets, codes, factor, weight, constants, n-grams, hidden, bias, output, bias)
   -> features float32, logits float32; None on a processor whose sums would be rounded otherwise

   Token ids, their offsets, 8-bit vectors, a factor and a weight for each; epsilon, token scale, one
   and length scale; for every kind of n-gram (values, offsets, codes, factor, least); two layers. */
PyObject *kernel_bag(PyObject *self, PyObject *args) {
    (void)self;
    Bag bag = {0};
    PyObject *grams, *features = NULL, *logits = NULL, *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*Oy*y*y*y*", &bag.tokens.values, &bag.tokens.offsets, &bag.tokens.codes,
                          &bag.tokens.factor, &bag.weight, &bag.constants, &grams, &bag.hidden, &bag.hidden_bias,
                          &bag.output, &bag.output_bias))
        return NULL;
    Py_ssize_t posts = bag.tokens.offsets.len / 8 - 1;
    if (check_table(&bag.tokens, posts)) goto done;
    bag.features = bag.tokens.columns + 1;
    if (take_grams(&bag, grams, posts) || check_layers(&bag)) goto done;
    if (!is_wide()) {
        Py_INCREF(Py_None);
        result = Py_None;
        goto done;
    }
    features = PyBytes_FromStringAndSize(NULL, 4 * posts * bag.features);
    logits = PyBytes_FromStringAndSize(NULL, 4 * posts * bag.outputs);
    if (!features || !logits) goto done;
    if (run(&bag, posts, PyBytes_AsString(features), PyBytes_AsString(logits)))
        PyErr_NoMemory();
    else
        result = PyTuple_Pack(2, features, logits);
done:
    Py_XDECREF(features);
    Py_XDECREF(logits);
    table_free(&bag.tokens);
    for (int64_t i = 0; i < bag.kinds; i++) table_free(&bag.grams[i]);
    PyBuffer_Release(&bag.weight);
    PyBuffer_Release(&bag.constants);
    PyBuffer_Release(&bag.hidden);
    PyBuffer_Release(&bag.hidden_bias);
    PyBuffer_Release(&bag.output);
    PyBuffer_Release(&bag.output_bias);
    return result;
}

#else

PyObject *kernel_bag(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    Py_RETURN_NONE;
}

#endif
