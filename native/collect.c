/* Collect: where the literals of a batch stand, given what the automata found in every view.

   moderation/rules/collect.py is the reference. A collector holds what is known of a ruleset's
   literals and of the forms of each view; it is handed one reading after another. */

#include "hits.h"
#include "spelling.h"

#define VIEWS 4 /* base, compact, shape, sound */
#define BASE 0
#define COMPACT 1
#define SHAPE 2
#define SOUND 3

#define LITERAL_TAG 1 /* the literal is a hashtag */
#define LITERAL_HAN 2 /* and ends in a Han character */

#define FRAIL_LENGTH 3 /* as moderation/rules/forms.py has it */
#define SLOTS 2048     /* for evaded spellings; a post fills three in four at most */

enum { OWNERS, LITERALS, OPEN, FOLD, CODES, OFFSETS, WRITTEN, WRITTEN_AT, FORM_BUFFERS };

/* The patterns of one view's automaton. */
typedef struct {
    int kind;
    Py_buffer buffer[FORM_BUFFERS];
    const int64_t *owners;  /* where those of each pattern begin, and the end of the last one's */
    const int64_t *literal; /* of each owner */
    const int64_t *open;    /* which of its edges may lie inside a word */
    const uint8_t *fold;    /* of each owner */
    const uint32_t *code, *written;
    const int64_t *at, *written_at;
    int64_t patterns;
    int64_t *pairs; /* what doubt knows of each pattern of the sound view; NULL elsewhere */
} Forms;

enum { TRAITS, SPACES, TERMS, CLASSES, SIGNS, KEYS, PARTITION, RATES, NEAR, FOLD_MARKS, VIEW_MARKS, FACTS };

typedef struct {
    Forms forms[VIEWS];
    int views;
    Py_buffer buffer[FACTS];
    const uint8_t *traits;
    const int32_t *spaces; /* of each literal's base view */
    const int32_t *term;   /* the pattern of the compact view that each is by itself; -1: none */
    int64_t literals, longest; /* longest: code points of a pattern */
    const int32_t *fold_mark, *view_mark;
    int leet, noise, most;
    Judge judge;
} Collector;

static void collector_free(Collector *c) {
    if (!c) return;
    for (int v = 0; v < c->views; v++) {
        for (int k = 0; k < FORM_BUFFERS; k++) PyBuffer_Release(&c->forms[v].buffer[k]);
        free(c->forms[v].pairs);
    }
    for (int k = 0; k < FACTS; k++) PyBuffer_Release(&c->buffer[k]);
    judge_free(&c->judge);
    free(c);
}

static void collector_capsule_free(PyObject *capsule) { collector_free(PyCapsule_GetPointer(capsule, "moderation.collector")); }

static int forms_fill(Forms *f, int64_t literals, int64_t *longest) {
    const Py_buffer *b = f->buffer;
    if (check_array("literal", &b[LITERALS], 8, -1) || check_array("codes", &b[CODES], 4, -1) || check_array("written", &b[WRITTEN], 4, -1))
        return -1;
    int64_t owners = b[LITERALS].len / 8;
    f->patterns = b[OWNERS].len / 8 - 1;
    if (check_bounds("owners", &b[OWNERS], -1, owners) || check_bounds("pattern offsets", &b[OFFSETS], f->patterns + 1, b[CODES].len / 4) ||
        check_bounds("written offsets", &b[WRITTEN_AT], owners + 1, b[WRITTEN].len / 4) || check_array("open", &b[OPEN], 8, owners) ||
        check_array("fold", &b[FOLD], 1, owners))
        return -1;
    f->owners = b[OWNERS].buf, f->literal = b[LITERALS].buf, f->open = b[OPEN].buf, f->fold = b[FOLD].buf;
    f->code = b[CODES].buf, f->at = b[OFFSETS].buf, f->written = b[WRITTEN].buf, f->written_at = b[WRITTEN_AT].buf;
    int fine = f->kind >= BASE && f->kind < VIEWS;
    for (int64_t o = 0; o < owners && fine; o++) fine = f->literal[o] >= 0 && f->literal[o] < literals && f->fold[o] < FOLDS;
    if (!fine) return wrong("a view from 0 to 3, literals that are there, and folds that are known");
    for (int64_t p = 0; p < f->patterns; p++)
        if (f->at[p + 1] - f->at[p] > *longest) *longest = f->at[p + 1] - f->at[p];
    if (f->kind != SOUND) return 0;
    f->pairs = malloc(8 * (size_t)f->patterns + 8);
    if (!f->pairs) return no_memory();
    for (int64_t p = 0; p < f->patterns; p++) f->pairs[p] = -1;
    return 0;
}

static int collector_fill(Collector *c, int strong, int weak) {
    const Py_buffer *b = c->buffer;
    if (check_array("traits", &b[TRAITS], 1, -1)) return -1;
    c->literals = b[TRAITS].len;
    if (check_array("spaces", &b[SPACES], 4, c->literals) || check_array("terms", &b[TERMS], 4, c->literals) ||
        check_array("classes", &b[CLASSES], 1, CODE_SPACE) || check_array("signs", &b[SIGNS], 2, -1) ||
        check_array("ordinary", &b[KEYS], 4, -1) || check_array("parts", &b[PARTITION], 4, PARTS) ||
        check_array("frequency", &b[RATES], 2, b[KEYS].len / 4) || (b[NEAR].len && check_array("near", &b[NEAR], 2, CODE_SPACE)) ||
        check_array("fold marks", &b[FOLD_MARKS], 4, FOLDS) || check_array("view marks", &b[VIEW_MARKS], 4, VIEWS))
        return -1;
    c->traits = b[TRAITS].buf, c->spaces = b[SPACES].buf, c->term = b[TERMS].buf;
    c->fold_mark = b[FOLD_MARKS].buf, c->view_mark = b[VIEW_MARKS].buf;
    c->judge = (Judge){
        {b[CLASSES].buf, b[KEYS].buf, b[PARTITION].buf, b[RATES].buf, b[KEYS].len / 4, strong, weak, 0},
        b[SIGNS].buf, b[SIGNS].len / 2, NULL, NULL, 0,
    };
    if (b[NEAR].len && judge_sounds(&c->judge, b[NEAR].buf)) { PyErr_NoMemory(); return -1; }
    for (int v = 0; v < c->views; v++)
        if (forms_fill(&c->forms[v], c->literals, &c->longest)) return -1;
    if (c->most < 0 || c->most > SLOTS / VIEWS) return wrong("at most 512 evaded spellings a view");
    if (c->views < 2 || c->forms[0].kind != BASE || c->forms[1].kind != COMPACT)
        return wrong("the base view and the compact one first");
    for (int v = 2; v < c->views; v++)
        if (c->forms[v].kind <= COMPACT) return wrong("no base view but the first, and no compact one but the second");
    for (int64_t l = 0; l < c->literals; l++)
        if (c->term[l] < -1 || c->term[l] >= c->forms[1].patterns) return wrong("terms that are patterns of the compact view");
    return 0;
}

/* collector(views, traits uint8, spaces int32, terms int32, classes, signs uint16, ordinary, parts, frequency, near uint16,
             fold marks int32, view marks int32, leet, noise, most, strong, weak) -> collector
   `views` is a tuple, from the plainest to the boldest, of (kind, owners, literal, open, fold uint8, codes uint32, offsets,
   written uint32, written offsets), as an automaton's arrays have them; what is not said otherwise is int64.
   `traits`, `spaces` and `terms` are those of each literal: a term is a pattern of the compact view, or -1. `signs` are
   what characters are to the eye, `near` their near-homophone classes plus one, or empty, `most` how many evaded
   spellings a view is asked for in a post. */
PyObject *kernel_collector(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *views, *result = NULL;
    int strong, weak;
    Collector *c = calloc(1, sizeof(Collector));
    if (!c) return PyErr_NoMemory();
    Py_buffer *b = c->buffer;
    if (!PyArg_ParseTuple(args, "O!y*y*y*y*y*y*y*y*y*y*y*iiiii", &PyTuple_Type, &views, &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
                          &b[6], &b[7], &b[8], &b[9], &b[10], &c->leet, &c->noise, &c->most, &strong, &weak)) {
        free(c); /* a failed parse has released what it had taken */
        return NULL;
    }
    if (PyTuple_Size(views) > VIEWS) { wrong("at most four views"); goto done; }
    for (Py_ssize_t v = 0; v < PyTuple_Size(views); v++) {
        PyObject *view = PyTuple_GetItem(views, v);
        Forms *f = &c->forms[v];
        Py_buffer *a = f->buffer;
        if (!PyTuple_Check(view)) { PyErr_SetString(PyExc_TypeError, "expected tuples of a view and its forms"); goto done; }
        if (!PyArg_ParseTuple(view, "iy*y*y*y*y*y*y*y*", &f->kind, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &a[6], &a[7])) goto done;
        c->views++;
    }
    if (collector_fill(c, strong, weak)) goto done;
    result = PyCapsule_New(c, "moderation.collector", collector_capsule_free);
    if (result) c = NULL;
done:
    collector_free(c);
    return result;
}

/* ------------------------------------------------------------------ readings */

enum { CODE, POST_AT, SOURCE, LAST, FIRST_IN_BASE, LAST_IN_BASE, ROWS, VIEW_BUFFERS };

/* A view, and what its automaton found in it: rows of pattern, start, end, post and edges, by post. */
typedef struct {
    Py_buffer buffer[VIEW_BUFFERS];
    const uint32_t *code;
    const int64_t *at, *source, *last, *first_in_base, *last_in_base;
    const int32_t *row;
    int64_t rows, seen;
} Read;

enum { TEXT, TEXT_AT, SPACED, CUT, FIELD_START, FIELD_AT, BATCH_BUFFERS };

typedef struct {
    Read view[VIEWS];
    int views;
    Py_buffer buffer[BATCH_BUFFERS];
    const uint32_t *text;
    const int64_t *text_at;
    const uint8_t *spaced, *cut;
    const int64_t *field_start, *field_at; /* NULL: the posts have no fields */
    int64_t posts;
} Reading;

static void reading_free(Reading *r) {
    for (int v = 0; v < r->views; v++)
        for (int k = 0; k < VIEW_BUFFERS; k++) PyBuffer_Release(&r->view[v].buffer[k]);
    for (int k = 0; k < BATCH_BUFFERS; k++) PyBuffer_Release(&r->buffer[k]);
}

static int read_fill(Read *v, int64_t posts, int plain) {
    const Py_buffer *b = v->buffer;
    int64_t total = b[CODE].len / 4;
    if (check_offsets(&b[POST_AT], &b[CODE]) || check_array("view offsets", &b[POST_AT], 8, posts + 1) ||
        check_array("source", &b[SOURCE], 8, total) || check_array("last", &b[LAST], 8, total) || check_array("rows", &b[ROWS], 4, -1) ||
        (!plain && (check_array("first", &b[FIRST_IN_BASE], 8, total) || check_array("last in base", &b[LAST_IN_BASE], 8, total))))
        return -1;
    if (b[ROWS].len % 20) return wrong("rows of five numbers");
    v->code = b[CODE].buf, v->at = b[POST_AT].buf, v->source = b[SOURCE].buf, v->last = b[LAST].buf;
    v->first_in_base = b[FIRST_IN_BASE].buf, v->last_in_base = b[LAST_IN_BASE].buf;
    v->row = b[ROWS].buf, v->rows = b[ROWS].len / 20;
    return 0;
}

static int reading_fill(Reading *r) {
    const Py_buffer *b = r->buffer;
    if (check_offsets(&b[TEXT_AT], &b[TEXT])) return -1;
    r->posts = b[TEXT_AT].len / 8 - 1;
    if (check_array("spaced", &b[SPACED], 1, r->posts) || (b[CUT].len && check_array("cut", &b[CUT], 1, 2 * r->posts))) return -1;
    r->text = b[TEXT].buf, r->text_at = b[TEXT_AT].buf, r->spaced = b[SPACED].buf, r->cut = b[CUT].len ? b[CUT].buf : NULL;
    if (b[FIELD_AT].len) {
        if (check_array("field starts", &b[FIELD_START], 8, -1) ||
            check_bounds("fields", &b[FIELD_AT], r->posts + 1, b[FIELD_START].len / 8))
            return -1;
        r->field_start = b[FIELD_START].buf, r->field_at = b[FIELD_AT].buf;
    }
    for (int v = 0; v < r->views; v++)
        if (read_fill(&r->view[v], r->posts, !v)) return -1;
    return 0;
}

/* ------------------------------------------------------------------ collecting */

enum { FINE, MEMORY, LEAVES, UNSPELT };
static const char *const PROBLEMS[] = {
    "", "", "expected rows by post, of patterns that stand in their post", "a form is no spelling of what is written",
};

typedef struct {
    int32_t literal, start, end, mark;
} Place;

/* How far the plain places of a literal that begin here, or before, reach. */
typedef struct {
    int32_t literal, start, far;
} Reach;

/* What is known of the post that is looked at. */
typedef struct {
    Out places;      /* the plain ones first */
    int64_t plain;   /* how many of them; known once a bolder view is looked at */
    Out reach, words; /* by literal and start; start and end of every plain place as one number, ascending */
    Out order;
    int prepared;    /* whether `reach` and `words` are */
    int32_t *run;    /* room for a form's characters */
    uint8_t *cut;
    struct { int32_t post, place; } slot[SLOTS];
} Work;

static int64_t count_of(const Out *out, size_t size) { return (int64_t)(out->used / size); }

static int by_literal_and_start(const void *a, const void *b) {
    const Reach *x = a, *y = b;
    if (x->literal != y->literal) return x->literal < y->literal ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t both(int32_t high, int32_t low) { return (uint64_t)(uint32_t)high << 32 | (uint32_t)low; }

/* Make what is asked of the plain places of a post. */
static int prepare(Work *w) {
    const Place *place = (const Place *)(void *)w->places.data;
    w->prepared = 1;
    w->reach.used = w->words.used = 0;
    if (!w->plain) return FINE;
    if (out_reserve(&w->reach, sizeof(Reach) * (size_t)w->plain) || out_reserve(&w->words, 8 * (size_t)w->plain)) return MEMORY;
    for (int64_t i = 0; i < w->plain; i++) {
        PUSH(&w->reach, Reach, ((Reach){place[i].literal, place[i].start, place[i].end}));
        PUSH(&w->words, uint64_t, both(place[i].start, place[i].end));
    }
    Reach *reach = (Reach *)(void *)w->reach.data;
    qsort(reach, (size_t)w->plain, sizeof(Reach), by_literal_and_start);
    qsort(w->words.data, (size_t)w->plain, 8, by_number);
    for (int64_t i = 1; i < w->plain; i++)
        if (reach[i].literal == reach[i - 1].literal && reach[i].far < reach[i - 1].far) reach[i].far = reach[i - 1].far;
    return FINE;
}

/* Say whether a stretch lies within a plain place of the same literal. */
static int covers(const Work *w, int32_t literal, int32_t start, int32_t end) {
    const Reach *reach = (const Reach *)(void *)w->reach.data;
    int64_t low = 0, high = w->plain;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        const Reach *r = &reach[middle];
        if (r->literal < literal || (r->literal == literal && r->start <= start)) low = middle + 1; else high = middle;
    }
    return low && reach[low - 1].literal == literal && reach[low - 1].far >= end;
}

/* Say whether a stretch is a literal of any rule, plainly written. */
static int is_word(const Work *w, int32_t start, int32_t end) {
    const uint64_t *words = (const uint64_t *)(void *)w->words.data, wanted = both(start, end);
    int64_t low = 0, high = w->plain;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (words[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low < w->plain && words[low] == wanted;
}

/* The slot of an evaded spelling; it is taken where the post has one of this literal at this place already. */
static int32_t slot_of(const Work *w, int32_t post, int32_t literal, int32_t start, int32_t end) {
    const Place *place = (const Place *)(void *)w->places.data;
    uint64_t hash = (both(literal, start) * 0x9E3779B97F4A7C15u ^ (uint32_t)end) * 0xD6E8FEB86659FD93u;
    int32_t at = (int32_t)(hash >> 40) % SLOTS;
    for (; w->slot[at].post == post + 1; at = (at + 1) % SLOTS) {
        const Place *p = &place[w->slot[at].place];
        if (p->literal == literal && p->start == start && p->end == end) break;
    }
    return at;
}

static int add(Work *w, Place place) {
    if (out_reserve(&w->places, sizeof(Place))) return MEMORY;
    PUSH(&w->places, Place, place);
    return FINE;
}

/* The number of the field that a place of a post lies in. */
static int64_t field_of(const Reading *r, int64_t post, int64_t place) {
    int64_t low = r->field_at[post], high = r->field_at[post + 1];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (r->field_start[middle] <= place) low = middle + 1; else high = middle;
    }
    return low;
}

/* Say whether a stretch touches no cut and lies within one field. */
static int is_allowed(const Reading *r, int64_t post, int64_t start, int64_t end) {
    int64_t length = r->text_at[post + 1] - r->text_at[post];
    if (r->cut && ((start == 0 && r->cut[2 * post]) || (end == length && r->cut[2 * post + 1]))) return 0;
    return !r->field_at || field_of(r, post, start) == field_of(r, post, end - 1);
}

/* A row of a view: what was found, and where in the post. */
typedef struct {
    int32_t pattern, edges;
    int64_t from, to; /* in the view */
    int64_t start, end; /* in the original post */
} Found;

/* Take the next row of a post; 0 where there is none, and a problem below 0. */
static int next_row(const Reading *r, Read *v, const Forms *f, int64_t post, Found *found) {
    const int32_t *row = v->row + 5 * v->seen;
    if (v->seen == v->rows || row[3] != post) return 0;
    *found = (Found){row[0], row[4], row[1], row[2], 0, 0};
    if (found->pattern < 0 || found->pattern >= f->patterns || found->from < v->at[post] || found->to > v->at[post + 1] ||
        found->to - found->from != f->at[found->pattern + 1] - f->at[found->pattern] || found->to == found->from)
        return -LEAVES;
    /* Words that are read from the other end start where they are stored last. */
    int64_t a = v->source[found->from], b = v->last[found->to - 1], begin = r->text_at[post], end = r->text_at[post + 1];
    if (a < begin || a >= end || b < begin || b >= end) return -LEAVES;
    found->start = (a < b ? a : b) - begin;
    found->end = (a < b ? b : a) + 1 - begin;
    v->seen++;
    return 1;
}

/* Say whether the base view holds digits or symbols that are read as letters between two places. */
static int is_leet(const Reading *r, const uint8_t *class, int64_t from, int64_t to) {
    const Read *base = &r->view[0];
    for (int64_t i = from; i < to; i++) {
        int64_t at = base->source[i];
        if (!(class_of(class, base->code[i]) & CLASS_LATIN) || at < 0 || at >= r->text_at[r->posts]) continue;
        if (r->text[at] < 128 && !(class[r->text[at]] & CLASS_LATIN)) return 1;
    }
    return 0;
}

static int collect_plain(const Collector *c, Reading *r, Work *w, int64_t post) {
    Read *base = &r->view[0];
    const Forms *f = &c->forms[0];
    Found found;
    int more;
    while ((more = next_row(r, base, f, post, &found)) > 0) {
        if (!is_allowed(r, post, found.start, found.end)) continue;
        int mark = -1;
        for (int64_t o = f->owners[found.pattern]; o < f->owners[found.pattern + 1]; o++) {
            if ((found.edges | f->open[o]) != 3) continue;
            if (mark < 0) {
                int spaced = r->spaced[post] && found.end - found.start > found.to - found.from;
                mark = is_leet(r, c->judge.ordinary.class, found.from, found.to) ? c->leet : spaced ? c->noise : 0;
            }
            if (add(w, (Place){(int32_t)f->literal[o], (int32_t)found.start, (int32_t)found.end, mark})) return MEMORY;
        }
    }
    w->plain = count_of(&w->places, sizeof(Place));
    return -more;
}

static Text pattern_of(const Forms *f, int64_t pattern) {
    return (Text){f->code + f->at[pattern], f->at[pattern + 1] - f->at[pattern]};
}

static int is_frail(int fold, int64_t length) {
    if (fold == FOLD_INITIALS || fold == FOLD_ORDER || fold == FOLD_WORDS) return 1;
    return length <= FRAIL_LENGTH && (fold == FOLD_HOMOPHONE || fold == FOLD_SHAPE || fold == FOLD_LEET);
}

/* Say whether what is written, without its spaces, is a form. */
static int is_as_written(Text written, Text form) {
    int64_t n = 0;
    for (int64_t i = 0; i < written.length; i++) {
        if (written.code[i] == ' ') continue;
        if (n == form.length || written.code[i] != form.code[n++]) return 0;
    }
    return n == form.length;
}

/* Say whether a hit of a bolder view is one spelling and not words that merely touch; -1: no spelling of its form. */
static int is_spelling(const Collector *c, const Forms *f, Work *w, int64_t owner, Text form, const Spelling *s, int whole) {
    int64_t literal = f->literal[owner];
    int fold = f->fold[owner];
    if (c->traits[literal] & LITERAL_TAG && (s->first[0] == s->begin || s->base[s->first[0] - 1] != '#')) return 0;
    if (whole && (f->kind == SHAPE || f->kind == SOUND)) return 1;
    if (f->kind == SOUND) return is_spoken(s, c->spaces[literal], c->traits[literal] & LITERAL_HAN, &c->judge);
    if (fold == FOLD_INITIALS && !is_chat_word(s, &c->judge)) return 0;
    Text written = {f->written + f->written_at[owner], f->written_at[owner + 1] - f->written_at[owner]};
    if (whole && is_as_written(written, form)) return 1;
    return is_deliberate(s, f->kind == SHAPE ? NULL : &written, w->run, w->cut, &c->judge);
}

/* Lay a hit of a bolder view over the base view. */
static int spelling_of(const Reading *r, const Read *v, int64_t post, const Found *found, Spelling *s) {
    const Read *base = &r->view[0];
    *s = (Spelling){
        v->code + found->from, v->first_in_base + found->from, v->last_in_base + found->from, found->to - found->from,
        base->code, base->at[post], base->at[post + 1],
    };
    int fine = s->first[0] <= s->last[s->length - 1];
    for (int64_t k = 0; k < s->length; k++)
        fine &= s->first[k] >= s->begin && s->first[k] < s->end && s->last[k] >= s->begin && s->last[k] < s->end;
    return fine ? FINE : LEAVES;
}

static int collect_bold(const Collector *c, Reading *r, Work *w, int view, int64_t post) {
    Read *v = &r->view[view];
    const Forms *f = &c->forms[view];
    Found found;
    int more, tried = 0;
    while ((more = next_row(r, v, f, post, &found)) > 0) {
        if (tried >= c->most || !is_allowed(r, post, found.start, found.end)) continue;
        Text form = pattern_of(f, found.pattern);
        int32_t start = (int32_t)found.start, end = (int32_t)found.end;
        Spelling s = {0};
        int whole = 0;
        for (int64_t o = f->owners[found.pattern]; o < f->owners[found.pattern + 1]; o++) {
            if ((found.edges | f->open[o]) != 3) continue;
            if (tried++ >= c->most) break;
            int32_t literal = (int32_t)f->literal[o];
            if (!w->prepared && prepare(w)) return MEMORY;
            if (covers(w, literal, start, end)) continue; /* what a plainer view shows already is left out */
            int32_t slot = slot_of(w, (int32_t)post, literal, start, end);
            if (w->slot[slot].post == post + 1) continue;
            int fold = f->fold[o], frail = is_frail(fold, form.length);
            /* It says what it says, and rules that mean it list it. */
            if ((frail || fold == FOLD_HOMOPHONE) && is_word(w, start, end)) continue;
            if (!s.code) {
                if (spelling_of(r, v, post, &found, &s)) return LEAVES;
                whole = surface(&s).length == s.length;
            }
            int meant = is_spelling(c, f, w, o, form, &s, whole);
            if (meant < 0) return UNSPELT;
            if (!meant) continue;
            Text written = surface(&s);
            frail |= f->kind == SHAPE && !whole && text_holds_letters(written) > 0;
            int mark = c->view_mark[f->kind] | c->fold_mark[fold];
            if (frail) {
                Text term = c->term[literal] < 0 ? (Text){NULL, 0} : pattern_of(&c->forms[1], c->term[literal]);
                int64_t unknown = -1;
                int doubtful = doubt(fold, form, written, term, f->pairs ? &f->pairs[found.pattern] : &unknown, &c->judge);
                if (doubtful != SURE) mark |= doubtful == RARE ? MARK_FRAIL | MARK_RARE : MARK_FRAIL;
            }
            w->slot[slot].post = (int32_t)post + 1;
            w->slot[slot].place = (int32_t)count_of(&w->places, sizeof(Place));
            if (add(w, (Place){literal, start, end, mark})) return MEMORY;
        }
    }
    return -more;
}

enum { LITERAL_OUT, START_OUT, END_OUT, MARK_OUT, COLUMNS };

/* Write down the places of a post by literal, in the order in which they were found. */
static int write_places(Work *w, Out *column) {
    const Place *place = (const Place *)(void *)w->places.data;
    int64_t count = count_of(&w->places, sizeof(Place));
    if (!count) return FINE;
    w->order.used = 0;
    if (out_reserve(&w->order, 8 * (size_t)count)) return MEMORY;
    for (int k = 0; k < COLUMNS; k++) if (out_reserve(&column[k], 4 * (size_t)count)) return MEMORY;
    for (int64_t i = 0; i < count; i++) PUSH(&w->order, uint64_t, both(place[i].literal, (int32_t)i));
    qsort(w->order.data, (size_t)count, 8, by_number);
    const uint64_t *order = (const uint64_t *)(void *)w->order.data;
    for (int64_t i = 0; i < count; i++) {
        const Place *p = &place[(uint32_t)order[i]];
        PUSH(&column[LITERAL_OUT], int32_t, p->literal);
        PUSH(&column[START_OUT], int32_t, p->start);
        PUSH(&column[END_OUT], int32_t, p->end);
        PUSH(&column[MARK_OUT], int32_t, p->mark);
    }
    return FINE;
}

static int collect_post(const Collector *c, Reading *r, Work *w, int64_t post, Out *column) {
    w->places.used = 0;
    w->prepared = 0;
    int problem = collect_plain(c, r, w, post);
    for (int v = 1; v < r->views && !problem; v++) problem = collect_bold(c, r, w, v, post);
    return problem ? problem : write_places(w, column);
}

static Work *work_made(const Collector *c) {
    Work *w = calloc(1, sizeof(Work));
    if (!w) return NULL;
    w->run = malloc(4 * (size_t)c->longest + 4);
    w->cut = malloc((size_t)c->longest + 1);
    if (w->run && w->cut) return w;
    free(w->run);
    free(w->cut);
    free(w);
    return NULL;
}

static void work_free(Work *w) {
    if (!w) return;
    free(w->places.data);
    free(w->reach.data);
    free(w->words.data);
    free(w->order.data);
    free(w->run);
    free(w->cut);
    free(w);
}

/* Collect the places of every post, and write down where those of each begin; -1 with an error. */
static int collect(const Collector *c, Reading *r, int64_t *bound, Out *column) {
    Work *w = work_made(c);
    int problem = w ? FINE : MEMORY;
    bound[0] = 0;
    for (int64_t post = 0; post < r->posts && !problem; post++) {
        problem = collect_post(c, r, w, post, column);
        bound[post + 1] = count_of(&column[LITERAL_OUT], 4);
    }
    for (int v = 0; v < r->views && !problem; v++)
        if (r->view[v].seen < r->view[v].rows) problem = LEAVES;
    work_free(w);
    if (problem == MEMORY) PyErr_NoMemory();
    else if (problem) PyErr_SetString(PyExc_ValueError, PROBLEMS[problem]);
    return problem ? -1 : 0;
}

/* collect(collector, views, text uint32, text offsets, spaced uint8, cut uint8, field starts, field offsets)
   -> bounds int64; literal, start, end and mark int32, as moderation/rules/hits.py has them
   `views` is a tuple, one for each of the collector's, of (codes uint32, offsets, source, last, first, last in base, rows
   int32 as scan returns them); `first` and `last in base` of the base view may be empty. `cut` is empty where no post is
   cut, `field offsets` where none has fields. What is not said otherwise is int64. */
PyObject *kernel_collect(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *views, *result = NULL, *bounds = NULL, *made[COLUMNS] = {NULL};
    Out column[COLUMNS] = {{0}};
    Reading r = {0};
    Py_buffer *b = r.buffer;
    if (!PyArg_ParseTuple(args, "OO!y*y*y*y*y*y*", &capsule, &PyTuple_Type, &views, &b[0], &b[1], &b[2], &b[3], &b[4], &b[5])) return NULL;
    const Collector *c = PyCapsule_GetPointer(capsule, "moderation.collector");
    if (!c) goto done;
    if (PyTuple_Size(views) != c->views) { wrong("as many views as the collector has"); goto done; }
    for (Py_ssize_t v = 0; v < c->views; v++) {
        PyObject *view = PyTuple_GetItem(views, v);
        Py_buffer *a = r.view[v].buffer;
        if (!PyTuple_Check(view)) { PyErr_SetString(PyExc_TypeError, "expected tuples of a view and what was found in it"); goto done; }
        if (!PyArg_ParseTuple(view, "y*y*y*y*y*y*y*", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &a[6])) goto done;
        r.views++;
    }
    if (reading_fill(&r) || !(bounds = PyBytes_FromStringAndSize(NULL, 8 * (Py_ssize_t)(r.posts + 1)))) goto done;
    if (collect(c, &r, (int64_t *)(void *)PyBytes_AsString(bounds), column)) goto done;
    for (int k = 0; k < COLUMNS; k++)
        if (!(made[k] = out_bytes(&column[k]))) goto done;
    result = PyTuple_Pack(5, bounds, made[LITERAL_OUT], made[START_OUT], made[END_OUT], made[MARK_OUT]);
done:
    for (int k = 0; k < COLUMNS; k++) {
        free(column[k].data);
        Py_XDECREF(made[k]);
    }
    Py_XDECREF(bounds);
    reading_free(&r);
    return result;
}
