/* Token ids of folded posts: the likeliest pieces of a unigram model, as sentencepiece finds them.

   The reference is sentencepiece itself (moderation/classifier/features.py). What decides between
   two ways of cutting a post is repeated here step by step, the rounding of sums included. */

#include "tokens.h"

#define MARK 0x2581u /* stands for a space, and before every post */
#define NEWLINE 10u
#define SPACE 32u
#define LONGEST_PIECE 255
#define MOST_SYMBOLS 0xFFFF
#define UNKNOWN_PENALTY 10.0f
#define CAPSULE "moderation.tokenizer"

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3 };

typedef struct {
    int32_t base, check; /* a child lies at base + symbol, and its check is the parent */
    int32_t piece;       /* the piece that ends here, -1 for none */
    float score;
} Cell;

typedef struct {
    Cell *cell;
    size_t room, used;
    uint16_t *symbol; /* by code point; 0: in no piece */
    int32_t symbols, pieces;
    int32_t unknown; /* its id */
    float unknown_score;
} Tokens;

static void tokens_free(Tokens *t) {
    if (!t) return;
    free(t->cell);
    free(t->symbol);
    free(t);
}

static void capsule_free(PyObject *capsule) { tokens_free(PyCapsule_GetPointer(capsule, CAPSULE)); }

/* ------------------------------------------------------------------ the file */

/* A protocol buffer, read field by field. */
typedef struct {
    const uint8_t *at, *end;
} Wire;

typedef struct {
    uint64_t number; /* of the field */
    int kind;        /* 0 varint, 1 eight bytes, 2 a block, 5 four bytes */
    uint64_t value;
    Wire block;
} Field;

static int read_varint(Wire *wire, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64 && wire->at < wire->end; shift += 7) {
        uint8_t byte = *wire->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return 0;
    }
    return -1;
}

/* Return 1 for a field, 0 at the end, -1 where the bytes are no protocol buffer. */
static int read_field(Wire *wire, Field *field) {
    uint64_t tag, size = 0;
    if (wire->at == wire->end) return 0;
    if (read_varint(wire, &tag)) return -1;
    field->number = tag >> 3;
    field->kind = (int)(tag & 7);
    field->value = 0;
    switch (field->kind) {
    case 0: return read_varint(wire, &field->value) ? -1 : 1;
    case 1: size = 8; break;
    case 2:
        if (read_varint(wire, &size)) return -1;
        break;
    case 5: size = 4; break;
    default: return -1;
    }
    if (size > (uint64_t)(wire->end - wire->at)) return -1;
    field->block = (Wire){wire->at, wire->at + size};
    wire->at += size;
    return 1;
}

typedef struct {
    int64_t begin;
    int32_t id, length;
    float score;
} Piece;

typedef struct {
    Piece *piece;
    uint16_t *symbol; /* those of every piece, one behind the other */
    int32_t pieces;   /* that text can hold */
    int64_t used;
} Vocabulary;

static int read_codes(Tokens *t, Vocabulary *found, Wire text) {
    Piece *piece = &found->piece[found->pieces];
    piece->begin = found->used;
    while (text.at < text.end) {
        uint32_t code;
        int bytes = code_point(text.at, text.end - text.at, &code);
        if (!bytes) return -1;
        if (!t->symbol[code]) {
            if (t->symbols == MOST_SYMBOLS) return -1;
            t->symbol[code] = (uint16_t)++t->symbols;
        }
        found->symbol[found->used++] = t->symbol[code];
        text.at += bytes;
    }
    int64_t length = found->used - piece->begin;
    if (length < 1 || length > LONGEST_PIECE) return -1;
    piece->length = (int32_t)length;
    return 0;
}

static int read_piece(Tokens *t, Vocabulary *found, Wire wire, int32_t id) {
    Field field;
    Wire text = {0};
    uint64_t type = NORMAL;
    float score = 0.0f;
    int more;
    while ((more = read_field(&wire, &field)) > 0) {
        if (field.number == 1 && field.kind == 2) text = field.block;
        if (field.number == 2 && field.kind == 5) memcpy(&score, field.block.at, 4);
        if (field.number == 3 && field.kind == 0) type = field.value;
    }
    if (more || !text.at || score != score) return -1;
    if (type == CONTROL) return 0;
    if (type == UNKNOWN) {
        if (t->unknown >= 0) return -1;
        t->unknown = id;
        return 0;
    }
    if (type != NORMAL || read_codes(t, found, text)) return -1;
    found->piece[found->pieces].id = id;
    found->piece[found->pieces++].score = score;
    return 0;
}

/* True where a part of the file says what is done here: unigram, no fallback to bytes, the mark in
   front; spaces marked, single and none at either end; characters left as they are. */
static int is_as_here(Wire wire, int normalizer) {
    Field field;
    int more;
    while ((more = read_field(&wire, &field)) > 0) {
        if (normalizer && field.kind == 2 && (field.number == 2 || field.number == 6) && field.block.at < field.block.end)
            return 0;
        if (normalizer && field.kind == 0 && field.number >= 3 && field.number <= 5 && !field.value) return 0;
        if (!normalizer && field.kind == 0 && field.number == 3 && field.value != 1) return 0;
        if (!normalizer && field.kind == 0 && (field.number == 24 || field.number == 35) && field.value) return 0;
    }
    return !more;
}

/* Return 0 where the whole file was understood. */
static int read_model(Tokens *t, Vocabulary *found, Wire wire) {
    Field field;
    int32_t id = 0;
    int more;
    while ((more = read_field(&wire, &field)) > 0) {
        if (field.number == 1 && (field.kind != 2 || read_piece(t, found, field.block, id++))) return -1;
        if ((field.number == 2 || field.number == 3) && (field.kind != 2 || !is_as_here(field.block, field.number == 3)))
            return -1;
    }
    if (more || t->unknown < 0 || !found->pieces) return -1;
    float least = found->piece[0].score;
    for (int32_t i = 1; i < found->pieces; i++)
        if (found->piece[i].score < least) least = found->piece[i].score;
    t->unknown_score = least - UNKNOWN_PENALTY;
    t->pieces = id;
    return 0;
}

/* ------------------------------------------------------------------ the double array */

static int grow(Tokens *t, size_t wanted) {
    if (wanted < t->room) return 0;
    if (wanted >= INT32_MAX) return -1;
    size_t room = t->room ? t->room : 1 << 16;
    while (room <= wanted) room *= 2;
    Cell *cell = realloc(t->cell, room * sizeof(Cell));
    if (!cell) return -1;
    t->cell = cell;
    for (size_t i = t->room; i < room; i++) cell[i] = (Cell){0, -1, -1, 0.0f};
    t->room = room;
    return 0;
}

/* Sort pieces by their symbols, by radix from the last place to the first: pieces are short. */
static int sort_pieces(const Vocabulary *v, Piece *spare, int32_t symbols) {
    int32_t longest = 0;
    for (int32_t i = 0; i < v->pieces; i++)
        if (v->piece[i].length > longest) longest = v->piece[i].length;
    int32_t *count = malloc(((size_t)symbols + 2) * 4);
    if (!count) return -1;
    for (int32_t place = longest - 1; place >= 0; place--) {
        memset(count, 0, ((size_t)symbols + 2) * 4);
        for (int32_t i = 0; i < v->pieces; i++) {
            const Piece *p = &v->piece[i];
            count[place < p->length ? v->symbol[p->begin + place] + 1 : 1]++;
        }
        for (int32_t i = 1; i <= symbols + 1; i++) count[i] += count[i - 1];
        for (int32_t i = 0; i < v->pieces; i++) {
            const Piece *p = &v->piece[i];
            spare[count[place < p->length ? v->symbol[p->begin + place] : 0]++] = *p;
        }
        memcpy(v->piece, spare, (size_t)v->pieces * sizeof(Piece));
    }
    free(count);
    return 0;
}

typedef struct {
    int32_t state, low, high, depth; /* the pieces low to high share their first `depth` symbols */
} Node;

/* True where every child but the first finds its place free. */
static int fits(const Tokens *t, size_t base, const int32_t *symbols, int32_t children) {
    for (int32_t k = 1; k < children; k++)
        if (t->cell[base + (size_t)symbols[k]].check >= 0) return 0;
    return 1;
}

/* Place every piece; return -1 without memory, 1 where a piece stands twice. */
static int place_pieces(Tokens *t, const Vocabulary *v) {
    int failed = -1;
    int32_t waits = 0, children;
    size_t next = 1, most = (size_t)t->symbols + 1;
    Node *waiting = malloc(((size_t)v->used + 1) * sizeof(Node)); /* no more states than symbols */
    int32_t *symbols = malloc(most * 4), *first = malloc((most + 1) * 4);
    if (!waiting || !symbols || !first || grow(t, most)) goto done;
    t->cell[0].check = INT32_MAX; /* the root is nobody's child */
    waiting[waits++] = (Node){0, 0, v->pieces, 0};
    while (waits) {
        Node at = waiting[--waits];
        if (v->piece[at.low].length == at.depth) {
            t->cell[at.state].piece = v->piece[at.low].id;
            t->cell[at.state].score = v->piece[at.low++].score;
            if (at.low < at.high && v->piece[at.low].length == at.depth) {
                failed = 1;
                goto done;
            }
        }
        if (at.low == at.high) continue;
        children = 0;
        for (int32_t i = at.low; i < at.high; i++) {
            int32_t symbol = v->symbol[v->piece[i].begin + at.depth];
            if (children && symbols[children - 1] == symbol) continue;
            symbols[children] = symbol;
            first[children++] = i;
        }
        first[children] = at.high;
        size_t seek = next > (size_t)symbols[0] ? next : (size_t)symbols[0] + 1;
        for (;; seek++) {
            if (grow(t, seek + most)) goto done;
            if (t->cell[seek].check < 0 && fits(t, seek - (size_t)symbols[0], symbols, children)) break;
        }
        if (children == 1) next = seek; /* where one finds no place before, none does */
        int32_t base = (int32_t)(seek - (size_t)symbols[0]);
        t->cell[at.state].base = base;
        for (int32_t k = 0; k < children; k++) {
            int32_t child = base + symbols[k];
            t->cell[child].check = at.state;
            if ((size_t)child >= t->used) t->used = (size_t)child + 1;
            waiting[waits++] = (Node){child, first[k], first[k + 1], at.depth + 1};
        }
    }
    failed = grow(t, t->used + most) ? -1 : 0; /* no step leaves the array */
done:
    free(waiting);
    free(symbols);
    free(first);
    return failed;
}

/* tokenizer(model uint8) -> tokenizer, number of pieces; (None, 0) where sentencepiece has to read it

   `model` is the file of a sentencepiece model. Pieces a user defined, and whatever else is not
   done here, make None of it. */
PyObject *kernel_tokenizer(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer model;
    if (!PyArg_ParseTuple(args, "y*", &model)) return NULL;
    PyObject *result = NULL;
    Vocabulary found = {0};
    Piece *spare = NULL;
    Tokens *t = calloc(1, sizeof(Tokens));
    /* A piece of text takes four bytes of the file or more, a symbol one. */
    size_t most = (size_t)model.len / 4 + 1;
    if (t) t->symbol = calloc(CODE_SPACE, sizeof(uint16_t));
    found.piece = malloc(most * sizeof(Piece));
    spare = malloc(most * sizeof(Piece));
    found.symbol = malloc(((size_t)model.len + 1) * sizeof(uint16_t));
    if (!t || !t->symbol || !found.piece || !spare || !found.symbol) goto memory;
    t->unknown = -1;
    int failed = 1;
    if (model.len < INT32_MAX && !read_model(t, &found, (Wire){model.buf, (const uint8_t *)model.buf + model.len})) {
        if (sort_pieces(&found, spare, t->symbols)) goto memory;
        failed = place_pieces(t, &found);
    }
    if (failed < 0) goto memory;
    if (failed) {
        result = Py_BuildValue("(Oi)", Py_None, 0);
        goto done;
    }
    int32_t pieces = t->pieces;
    PyObject *capsule = PyCapsule_New(t, CAPSULE, capsule_free);
    if (!capsule) goto done;
    t = NULL; /* the capsule's from here on */
    result = Py_BuildValue("(Ni)", capsule, pieces);
    goto done;
memory:
    PyErr_NoMemory();
done:
    tokens_free(t);
    free(found.piece);
    free(found.symbol);
    free(spare);
    PyBuffer_Release(&model);
    return result;
}

/* ------------------------------------------------------------------ posts */

/* The best way to write a post up to some place. */
typedef struct {
    float score;
    int32_t from; /* where its last piece begins; -1: there is none yet */
    int32_t piece;
} Way;

/* Write a post as pieces spell it: a mark in front and for every run of spaces, none at the end.
   Return how many symbols that makes. */
static int64_t spell(const Tokens *t, const uint32_t *code, int64_t length, uint16_t *symbol) {
    int64_t used = 0, kept = 0;
    int after_space = 1;
    uint16_t mark = t->symbol[MARK];
    symbol[used++] = mark;
    for (int64_t i = 0; i < length; i++) {
        uint32_t c = code[i];
        int space = c == SPACE || c == NEWLINE;
        if (space && after_space) continue;
        after_space = space;
        symbol[used++] = space ? mark : c < CODE_SPACE ? t->symbol[c] : 0;
        if (!space && c != MARK) kept = used;
    }
    return kept;
}

/* Find the likeliest pieces; `way` has one place more than there are symbols. */
static void find_ways(const Tokens *t, const uint16_t *symbol, int64_t length, Way *way) {
    const Cell *cell = t->cell;
    const int32_t root = cell[0].base;
    for (int64_t i = 0; i <= length; i++) way[i].from = -1;
    way[0].score = 0.0f;
    for (int64_t i = 0; i < length; i++) {
        float here = way[i].score;
        int single = 0;
        int32_t state = 0, base = root;
        for (int64_t k = i; k < length && symbol[k]; k++) {
            int32_t child = base + symbol[k];
            if (cell[child].check != state) break;
            state = child;
            base = cell[child].base;
            if (cell[child].piece < 0) continue;
            float score = cell[child].score + here;
            Way *to = &way[k + 1];
            if (to->from < 0 || score > to->score) *to = (Way){score, (int32_t)i, cell[child].piece};
            single |= k == i;
        }
        if (single) continue;
        float score = t->unknown_score + here;
        Way *to = &way[i + 1];
        if (to->from < 0 || score > to->score) *to = (Way){score, (int32_t)i, t->unknown};
    }
}

/* Write the ids of the way to the end; unknown ones beside each other are one. Return how many. */
static int64_t take_way(const Tokens *t, const Way *way, int64_t length, int32_t *id) {
    int64_t used = 0;
    for (int64_t at = length; at > 0; at = way[at].from)
        if (way[at].piece != t->unknown || !used || id[used - 1] != t->unknown) id[used++] = way[at].piece;
    for (int64_t a = 0, b = used - 1; a < b; a++, b--) {
        int32_t moved = id[a];
        id[a] = id[b];
        id[b] = moved;
    }
    return used;
}

/* encode(tokenizer, codes, offsets) -> ids int32, offsets int64 */
PyObject *kernel_encode(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *capsule;
    Py_buffer codes, offsets;
    if (!PyArg_ParseTuple(args, "Oy*y*", &capsule, &codes, &offsets)) return NULL;
    PyObject *values = NULL, *bounds = NULL, *result = NULL;
    uint16_t *symbol = NULL;
    Way *way = NULL;
    Out ids = {0};
    const Tokens *t = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!t || check_offsets(&offsets, &codes)) goto done;
    const uint32_t *code = codes.buf;
    const int64_t *at = offsets.buf;
    Py_ssize_t posts = offsets.len / 8 - 1;
    int64_t longest = 0;
    for (Py_ssize_t post = 0; post < posts; post++)
        if (at[post + 1] - at[post] > longest) longest = at[post + 1] - at[post];
    symbol = malloc(((size_t)longest + 1) * sizeof(uint16_t));
    way = malloc(((size_t)longest + 2) * sizeof(Way));
    bounds = PyBytes_FromStringAndSize(NULL, offsets.len);
    if (!bounds) goto done;
    if (!symbol || !way) {
        PyErr_NoMemory();
        goto done;
    }
    int64_t *end = (int64_t *)(void *)PyBytes_AsString(bounds);
    end[0] = 0;
    for (Py_ssize_t post = 0; post < posts; post++) {
        int64_t length = spell(t, code + at[post], at[post + 1] - at[post], symbol);
        if (out_reserve(&ids, 4 * (size_t)length + 4)) {
            PyErr_NoMemory();
            goto done;
        }
        find_ways(t, symbol, length, way);
        ids.used += 4 * (size_t)take_way(t, way, length, (int32_t *)(void *)(ids.data + ids.used));
        end[post + 1] = (int64_t)(ids.used / 4);
    }
    values = out_bytes(&ids);
    if (values) result = PyTuple_Pack(2, values, bounds);
done:
    free(ids.data);
    free(symbol);
    free(way);
    Py_XDECREF(values);
    Py_XDECREF(bounds);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&offsets);
    return result;
}
