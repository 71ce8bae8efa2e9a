/* Conditions: which rules hold in a post, given where its literals stand.

   moderation/rules/evaluate.py is the reference. A program holds the conditions of all rules as
   numbers, a matter the places of a batch's literals, a post what has been found out about one of
   its posts. Regular expressions are searched for by Python, which is asked for what it alone can
   say. */

#include "automaton.h"

/* A hit: its place, and all else there is to it (see moderation/rules/marks.py). */
typedef struct {
    int32_t start, end, mark;
} Hit;

#define MARK_CUE (1 << 6)
#define MARK_VIEW(mark) ((mark) >> 7 & 3)

#define MOST_GROUPS 32 /* as moderation/rules/places.py has them */
#define MOST_TRIED 16
#define BORDER 10 /* as moderation/rules/evaluate.py has it */
#define DEEPEST 500

enum { TERMS, PATTERN, CUE, ANY, ALL, NONE, NEAR, INSIDE, ACROSS, OPERATIONS };

/* A condition. Its items are children[from .. from + count), its needs sets of literals. */
typedef struct {
    int32_t op, a, b, c, needs, needed;
} Node;

enum { IN_BASE = 1, IN_BOLD = 2, HAS_PATTERN = 4 };

typedef struct {
    int32_t root, exceptions, literals, views, flags;
} Rule;

/* Rows of numbers that begin where `start` says. */
typedef struct {
    int32_t *start, *item, rows;
} Rows;

/* Patterns' necessary strings: a pattern is tried where the text holds enough of each of its groups. */
typedef struct {
    const Automaton *automaton;
    Rows groups;              /* of each string */
    int32_t *owner, *wanted;  /* the pattern of a group; how many groups a pattern has */
    int32_t *least;           /* how many of a group there must be */
    uint8_t *digit;           /* groups that any digit counts for */
    int32_t count;
} Needed;

typedef struct {
    Node *node;
    int32_t nodes;
    int32_t *child;
    int32_t children;
    Rows sets;  /* literals of each set, ascending */
    Rows member; /* sets of each literal */
    int32_t literals;
    int32_t *need;
    int32_t needs;
    Rule *rule;
    int32_t rules;
    int32_t *cue;
    int32_t cues;
    Rows names; /* field names that each `in` lists */
    int32_t whole; /* name of the only field of a post without fields */
    int32_t patterns;
    Needed needed;
    PyObject *automaton;
} Program;

enum { BOUNDS, LITERAL, START, END, MARK, POSTS, BASE, BASE_AT, BASE_SOURCE, COMPACT, COMPACT_AT, COMPACT_SOURCE, BUFFERS };

typedef struct {
    Py_buffer buffer[BUFFERS];
    Py_ssize_t posts;
} Matter;

typedef struct {
    Hit *hit;
    int32_t used, room;
} Hits;

typedef struct {
    int32_t from, to;
    int32_t state; /* 0 not looked for yet, 1 known, 2 ran out of time, 3 being looked for */
} Found;

typedef struct {
    int32_t set, count;
    int32_t *start, *far, *plain, *before;
} Cover;

typedef struct {
    int32_t name, start, end;
} Field;

enum { SEEN_BASE, SEEN_RESTORED, SEEN_COMPACT, SEEN };

/* One post. */
typedef struct {
    const Program *program;
    const Matter *matter;
    PyObject *owner[2];
    PyObject *ask;
    int64_t post;
    int32_t *literal, *row; /* the post's literals, ascending, and the first row of each */
    int32_t literals;
    uint64_t *plain, *present, *bold; /* sets of which a literal is there */
    int any_bold, noisy, busy;
    Field *field;
    int32_t fields;
    Hits pool, kept;
    Found *cue, *pattern;
    uint64_t *possible[SEEN]; /* patterns whose necessary strings a view holds */
    Cover *cover;
    int32_t covers;
    int32_t *late; /* rules whose pattern ran out of time; -1 for a cue */
    int32_t lates;
} State;

static inline int bit(const uint64_t *bits, int32_t at) { return bits[at >> 6] >> (at & 63) & 1; }
static inline void set_bit(uint64_t *bits, int32_t at) { bits[at >> 6] |= 1ULL << (at & 63); }

static int no_memory(void) {
    PyErr_NoMemory();
    return -1;
}

static int hits_room(Hits *hits, int64_t more) {
    int64_t wanted = (int64_t)hits->used + more, room = hits->room ? hits->room : 64;
    if (wanted <= hits->room) return 0;
    if (wanted > INT32_MAX / 2) return no_memory();
    while (room < wanted) room *= 2;
    Hit *grown = realloc(hits->hit, sizeof(Hit) * (size_t)room);
    if (!grown) return no_memory();
    hits->hit = grown;
    hits->room = (int32_t)room;
    return 0;
}

static int hits_add(Hits *hits, Hit hit) {
    if (hits->used == hits->room && hits_room(hits, 1)) return -1;
    hits->hit[hits->used++] = hit;
    return 0;
}

/* ------------------------------------------------------------------ programs */

static void rows_free(Rows *rows) {
    free(rows->start);
    free(rows->item);
}

static void program_free(Program *p) {
    if (!p) return;
    free(p->node);
    free(p->child);
    rows_free(&p->sets);
    rows_free(&p->member);
    free(p->need);
    free(p->rule);
    free(p->cue);
    rows_free(&p->names);
    rows_free(&p->needed.groups);
    free(p->needed.owner);
    free(p->needed.wanted);
    free(p->needed.digit);
    free(p->needed.least);
    Py_XDECREF(p->automaton);
    free(p);
}

static void program_capsule_free(PyObject *capsule) { program_free(PyCapsule_GetPointer(capsule, "moderation.program")); }

/* A copy of a buffer of int32; at least one number is there, so that it is never NULL. */
static void *copied(const Py_buffer *buffer) {
    void *copy = malloc((size_t)buffer->len + 4);
    if (copy) memcpy(copy, buffer->buf, (size_t)buffer->len);
    else PyErr_NoMemory();
    return copy;
}

static int wrong(const char *what) {
    PyErr_Format(PyExc_ValueError, "expected %s", what);
    return -1;
}

/* Rows from two buffers of int32: where each begins, and their numbers from 0 to below `limit`. */
static int rows_fill(Rows *rows, const char *what, const Py_buffer *start, const Py_buffer *item, int32_t limit, int ascending) {
    if (check_array(what, start, 4, -1) || check_array(what, item, 4, -1)) return -1;
    rows->start = copied(start);
    rows->item = copied(item);
    if (!rows->start || !rows->item) return -1;
    Py_ssize_t count = start->len / 4, items = item->len / 4;
    if (count < 1 || count >= INT32_MAX || items >= INT32_MAX) return wrong(what);
    rows->rows = (int32_t)count - 1;
    if (rows->start[0] != 0 || rows->start[count - 1] != items) return wrong(what);
    for (int32_t r = 0; r < rows->rows; r++) {
        if (rows->start[r + 1] < rows->start[r]) return wrong(what);
        for (int32_t k = rows->start[r]; k < rows->start[r + 1]; k++) {
            if (rows->item[k] < 0 || rows->item[k] >= limit) return wrong(what);
            if (ascending && k > rows->start[r] && rows->item[k] <= rows->item[k - 1]) return wrong(what);
        }
    }
    return 0;
}

/* The sets that each literal is a member of. */
static int program_members(Program *p) {
    int32_t total = p->sets.start[p->sets.rows];
    p->member.rows = p->literals;
    p->member.start = calloc((size_t)p->literals + 2, 4);
    p->member.item = malloc((size_t)total * 4 + 4);
    if (!p->member.start || !p->member.item) return no_memory();
    int32_t *at = p->member.start;
    for (int32_t k = 0; k < total; k++) at[p->sets.item[k] + 2]++;
    for (int32_t i = 2; i < p->literals + 2; i++) at[i] += at[i - 1];
    for (int32_t set = 0; set < p->sets.rows; set++)
        for (int32_t k = p->sets.start[set]; k < p->sets.start[set + 1]; k++) p->member.item[at[p->sets.item[k] + 1]++] = set;
    return 0;
}

static inline int within(int32_t number, int32_t least, int32_t limit) { return number >= least && number < limit; }

static int program_check(const Program *p) {
    int32_t sets = p->sets.rows;
    int32_t *depth = calloc((size_t)p->nodes + 1, 4);
    if (!depth) return no_memory();
    int fine = 1;
    for (int32_t n = 0; n < p->nodes && fine; n++) {
        const Node *node = &p->node[n];
        fine = within(node->op, 0, OPERATIONS) && node->needed >= 0 && within(node->needs, 0, p->needs + 1) &&
               node->needed <= p->needs - node->needs;
        if (!fine) break;
        switch (node->op) {
            case TERMS: fine = within(node->a, 0, sets); break;
            case PATTERN: fine = within(node->a, 0, p->patterns) && within(node->b, -1, sets); break;
            case CUE: fine = within(node->a, 0, p->cues); break;
            default:
                fine = node->b >= 1 && within(node->a, 0, p->children) && node->b <= p->children - node->a &&
                       (node->op != INSIDE || (node->b == 1 && within(node->c, 0, p->names.rows)));
                for (int32_t k = node->a; fine && k < node->a + node->b; k++) {
                    fine = within(p->child[k], 0, n); /* so that no condition is part of itself */
                    if (fine && depth[p->child[k]] >= depth[n]) depth[n] = depth[p->child[k]] + 1;
                }
                fine = fine && depth[n] < DEEPEST;
        }
    }
    free(depth);
    for (int32_t k = 0; k < p->needs && fine; k++) fine = within(p->need[k], 0, sets);
    for (int32_t r = 0; r < p->rules && fine; r++)
        fine = within(p->rule[r].root, 0, p->nodes) && within(p->rule[r].exceptions, -1, sets) && within(p->rule[r].literals, 0, sets);
    for (int32_t c = 0; c < p->cues && fine; c++) fine = within(p->cue[c], 0, p->nodes);
    return fine ? 0 : wrong("conditions made of others before them, and sets, cues and patterns that are there");
}

enum { NODES, CHILDREN, SET_STARTS, SETS, NEEDS, RULES, CUES, NAME_STARTS, NAMES, GROUP_STARTS, GROUPS, OWNER, DIGIT, LEAST, ARRAYS };

static int program_fill(Program *p, const Py_buffer *array) {
    static const struct { int array, width; const char *what; } PLAIN[] = {
        {NODES, 6, "nodes"}, {CHILDREN, 1, "children"}, {NEEDS, 1, "needs"}, {RULES, 5, "rules"}, {CUES, 1, "cues"}, {OWNER, 1, "owner"},
    };
    for (size_t k = 0; k < sizeof(PLAIN) / sizeof(PLAIN[0]); k++) {
        const Py_buffer *b = &array[PLAIN[k].array];
        if (check_array(PLAIN[k].what, b, 4, -1)) return -1;
        if (b->len % (4 * PLAIN[k].width) || b->len / 4 >= INT32_MAX) return wrong(PLAIN[k].what);
    }
    p->node = copied(&array[NODES]);
    p->child = copied(&array[CHILDREN]);
    p->need = copied(&array[NEEDS]);
    p->rule = copied(&array[RULES]);
    p->cue = copied(&array[CUES]);
    p->needed.owner = copied(&array[OWNER]);
    p->needed.digit = copied(&array[DIGIT]);
    p->needed.least = copied(&array[LEAST]);
    if (!p->node || !p->child || !p->need || !p->rule || !p->cue || !p->needed.owner || !p->needed.digit || !p->needed.least) return -1;
    p->nodes = (int32_t)(array[NODES].len / sizeof(Node));
    p->children = (int32_t)(array[CHILDREN].len / 4);
    p->needs = (int32_t)(array[NEEDS].len / 4);
    p->rules = (int32_t)(array[RULES].len / sizeof(Rule));
    p->cues = (int32_t)(array[CUES].len / 4);
    p->needed.count = (int32_t)(array[OWNER].len / 4);
    if (check_array("digit", &array[DIGIT], 1, p->needed.count) || check_array("least", &array[LEAST], 4, p->needed.count) ||
        rows_fill(&p->sets, "sets of literals, ascending", &array[SET_STARTS], &array[SETS], p->literals, 1) ||
        rows_fill(&p->names, "field names", &array[NAME_STARTS], &array[NAMES], INT32_MAX, 0) ||
        rows_fill(&p->needed.groups, "groups of strings", &array[GROUP_STARTS], &array[GROUPS], p->needed.count, 0))
        return -1;
    if (p->needed.automaton && p->needed.groups.rows != p->needed.automaton->patterns) return wrong("groups for each string");
    p->needed.wanted = calloc((size_t)p->patterns + 1, 4);
    if (!p->needed.wanted) return no_memory();
    for (int32_t g = 0; g < p->needed.count; g++) {
        if (!within(p->needed.owner[g], 0, p->patterns)) return wrong("groups of patterns that are there");
        p->needed.wanted[p->needed.owner[g]]++;
    }
    return program_members(p) || program_check(p) ? -1 : 0;
}

/* program(literals, patterns, whole, automaton or None, nodes, children, set starts, sets, needs,
   rules, cues, name starts, names, group starts, groups, owner, digit uint8, least) -> program
   The others are int32; see moderation/rules/program.py. */
PyObject *kernel_program(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer array[ARRAYS];
    PyObject *automaton, *result = NULL;
    int literals, patterns, whole;
    if (!PyArg_ParseTuple(args, "iiiOy*y*y*y*y*y*y*y*y*y*y*y*y*y*", &literals, &patterns, &whole, &automaton, &array[0], &array[1],
                          &array[2], &array[3], &array[4], &array[5], &array[6], &array[7], &array[8], &array[9], &array[10],
                          &array[11], &array[12], &array[13]))
        return NULL;
    Program *p = calloc(1, sizeof(Program));
    if (!p) { PyErr_NoMemory(); goto done; }
    if (literals < 0 || patterns < 0 || literals >= INT32_MAX - 2) { wrong("how many literals and patterns there are"); goto done; }
    p->literals = literals;
    p->patterns = patterns;
    p->whole = whole;
    if (automaton != Py_None) {
        p->needed.automaton = PyCapsule_GetPointer(automaton, "moderation.automaton");
        if (!p->needed.automaton) goto done;
        p->automaton = Py_NewRef(automaton);
    }
    if (program_fill(p, array)) goto done;
    result = PyCapsule_New(p, "moderation.program", program_capsule_free);
    if (result) p = NULL;
done:
    program_free(p);
    for (int k = 0; k < ARRAYS; k++) PyBuffer_Release(&array[k]);
    return result;
}

/* ------------------------------------------------------------------ matter */

static void matter_free(Matter *m) {
    if (!m) return;
    for (int k = 0; k < BUFFERS; k++) PyBuffer_Release(&m->buffer[k]);
    free(m);
}

static void matter_capsule_free(PyObject *capsule) { matter_free(PyCapsule_GetPointer(capsule, "moderation.matter")); }

static int matter_check(Matter *m) {
    Py_buffer *b = m->buffer;
    if (check_array("bounds", &b[BOUNDS], 8, -1)) return -1;
    m->posts = b[BOUNDS].len / 8 - 1;
    if (check_array("literal", &b[LITERAL], 4, -1)) return -1;
    Py_ssize_t rows = b[LITERAL].len / 4;
    if (m->posts < 0 || check_array("start", &b[START], 4, rows) || check_array("end", &b[END], 4, rows) ||
        check_array("mark", &b[MARK], 4, rows) || check_array("posts", &b[POSTS], 8, m->posts + 1) ||
        check_offsets(&b[BASE_AT], &b[BASE]) || check_array("base offsets", &b[BASE_AT], 8, m->posts + 1) ||
        check_array("base source", &b[BASE_SOURCE], 8, b[BASE].len / 4) || check_offsets(&b[COMPACT_AT], &b[COMPACT]) ||
        check_array("compact offsets", &b[COMPACT_AT], 8, m->posts + 1) ||
        check_array("compact source", &b[COMPACT_SOURCE], 8, b[COMPACT].len / 4))
        return PyErr_Occurred() ? -1 : wrong("bounds of posts");
    const int64_t *bound = b[BOUNDS].buf;
    int fine = rows < INT32_MAX && bound[0] == 0 && bound[m->posts] == rows;
    for (Py_ssize_t i = 0; i < m->posts && fine; i++) fine = bound[i] <= bound[i + 1];
    return fine ? 0 : wrong("bounds that ascend from 0 to the number of rows");
}

/* matter(bounds, literal, start, end, mark, posts, base, base offsets, base source,
          compact, compact offsets, compact source) -> matter
   Rows of the literals of a batch's posts, as HitTable has them; where the posts begin; views. */
PyObject *kernel_matter(PyObject *Py_UNUSED(self), PyObject *args) {
    Matter *m = calloc(1, sizeof(Matter));
    if (!m) return PyErr_NoMemory();
    Py_buffer *b = m->buffer;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*y*y*y*y*", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &b[7], &b[8], &b[9],
                          &b[10], &b[11])) {
        free(m); /* a failed parse has released what it had taken */
        return NULL;
    }
    PyObject *result = matter_check(m) ? NULL : PyCapsule_New(m, "moderation.matter", matter_capsule_free);
    if (!result) matter_free(m);
    return result;
}

/* ------------------------------------------------------------------ posts */

static void state_free(State *s) {
    if (!s) return;
    free(s->literal);
    free(s->row);
    free(s->plain);
    free(s->present);
    free(s->bold);
    free(s->field);
    free(s->pool.hit);
    free(s->kept.hit);
    free(s->cue);
    free(s->pattern);
    for (int v = 0; v < SEEN; v++) free(s->possible[v]);
    for (int32_t c = 0; c < s->covers; c++) free(s->cover[c].start);
    free(s->cover);
    free(s->late);
    Py_XDECREF(s->owner[0]);
    Py_XDECREF(s->owner[1]);
    free(s);
}

static void state_capsule_free(PyObject *capsule) { state_free(PyCapsule_GetPointer(capsule, "moderation.post")); }

static inline const int32_t *column(const State *s, int which) { return s->matter->buffer[which].buf; }
static inline const int64_t *wide(const State *s, int which) { return s->matter->buffer[which].buf; }

static int state_literals(State *s) {
    const Program *p = s->program;
    int32_t from = (int32_t)wide(s, BOUNDS)[s->post], to = (int32_t)wide(s, BOUNDS)[s->post + 1];
    const int32_t *literal = column(s, LITERAL), *mark = column(s, MARK);
    size_t words = (size_t)p->sets.rows / 64 + 1;
    s->literal = malloc(4 * (size_t)(to - from) + 4);
    s->row = malloc(4 * (size_t)(to - from) + 8);
    s->plain = calloc(words, 8);
    s->present = calloc(words, 8);
    s->bold = calloc(words, 8);
    s->cue = calloc((size_t)p->cues + 1, sizeof(Found));
    if (!s->literal || !s->row || !s->plain || !s->present || !s->bold || !s->cue) return no_memory();
    for (int32_t row = from; row < to;) {
        int32_t number = literal[row], end = row + 1;
        if (!within(number, 0, p->literals)) return wrong("literals of the program");
        while (end < to && literal[end] == number) end++;
        if (s->literals && number <= s->literal[s->literals - 1]) return wrong("literals that ascend within a post");
        int plain = !MARK_VIEW(mark[row]), bold = MARK_VIEW(mark[end - 1]) != 0;
        for (int32_t k = p->member.start[number]; k < p->member.start[number + 1]; k++) {
            int32_t set = p->member.item[k];
            set_bit(s->present, set);
            if (plain) set_bit(s->plain, set);
            if (bold) set_bit(s->bold, set);
        }
        s->any_bold |= bold;
        s->literal[s->literals] = number;
        s->row[s->literals++] = row;
        row = end;
    }
    s->row[s->literals] = to;
    return 0;
}

/* post(program, matter, number, fields) -> post
   `fields` are int32 rows of name, start and end, by place; none for a post given as one text. */
PyObject *kernel_post(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *program, *matter, *result = NULL;
    Py_ssize_t post;
    Py_buffer fields;
    if (!PyArg_ParseTuple(args, "OOny*", &program, &matter, &post, &fields)) return NULL;
    State *s = calloc(1, sizeof(State));
    if (!s) { PyErr_NoMemory(); goto done; }
    s->program = PyCapsule_GetPointer(program, "moderation.program");
    if (!s->program) goto done;
    s->matter = PyCapsule_GetPointer(matter, "moderation.matter");
    if (!s->matter) goto done;
    s->owner[0] = Py_NewRef(program);
    s->owner[1] = Py_NewRef(matter);
    s->post = post;
    s->noisy = -1;
    if (post < 0 || post >= s->matter->posts) { wrong("a post that is there"); goto done; }
    if (check_array("fields", &fields, 4, -1)) goto done;
    if (fields.len % sizeof(Field) || fields.len / 4 >= INT32_MAX) { wrong("name, start and end of each field"); goto done; }
    s->field = copied(&fields);
    if (!s->field) goto done;
    s->fields = (int32_t)(fields.len / (Py_ssize_t)sizeof(Field));
    if (state_literals(s)) goto done;
    result = PyCapsule_New(s, "moderation.post", state_capsule_free);
    if (result) s = NULL;
done:
    state_free(s);
    PyBuffer_Release(&fields);
    return result;
}

/* ------------------------------------------------------------------ covers */

typedef struct {
    int32_t start, end, plain;
} Stretch;

static int by_start(const void *a, const void *b) {
    int32_t x = ((const Stretch *)a)->start, y = ((const Stretch *)b)->start;
    return (x > y) - (x < y);
}

/* Return the stretches that a set of exceptions allows. */
static const Cover *cover_of(State *s, int32_t set) {
    for (int32_t c = 0; c < s->covers; c++) if (s->cover[c].set == set) return &s->cover[c];
    const Rows *sets = &s->program->sets;
    Stretch *stretch = NULL;
    int32_t count = 0, room = 0;
    for (int32_t i = 0, k = sets->start[set]; i < s->literals && k < sets->start[set + 1];) {
        if (s->literal[i] < sets->item[k]) { i++; continue; }
        if (s->literal[i] > sets->item[k]) { k++; continue; }
        if (count + s->row[i + 1] - s->row[i] > room) {
            room = 2 * room + s->row[i + 1] - s->row[i] + 8;
            Stretch *grown = realloc(stretch, sizeof(Stretch) * (size_t)room);
            if (!grown) { free(stretch); PyErr_NoMemory(); return NULL; }
            stretch = grown;
        }
        for (int32_t row = s->row[i]; row < s->row[i + 1]; row++) {
            int32_t end = column(s, END)[row];
            stretch[count++] = (Stretch){column(s, START)[row], end, MARK_VIEW(column(s, MARK)[row]) ? -1 : end};
        }
        i++, k++;
    }
    if (count) qsort(stretch, (size_t)count, sizeof(Stretch), by_start);
    Cover cover = {set, 0, malloc(16 * ((size_t)count + 1)), NULL, NULL, NULL};
    Cover *grown = realloc(s->cover, sizeof(Cover) * ((size_t)s->covers + 1));
    if (grown) s->cover = grown;
    if (!grown || !cover.start) { free(stretch); free(cover.start); PyErr_NoMemory(); return NULL; }
    cover.far = cover.start + count + 1;
    cover.plain = cover.far + count + 1;
    cover.before = cover.plain + count + 1;
    int32_t farthest = -1, n = 0;
    for (int32_t k = 0; k < count; n++) {
        int32_t far = -1, plain = -1, start = stretch[k].start;
        for (; k < count && stretch[k].start == start; k++) {
            if (stretch[k].end > far) far = stretch[k].end;
            if (stretch[k].plain > plain) plain = stretch[k].plain;
        }
        cover.start[n] = start, cover.far[n] = far, cover.plain[n] = plain, cover.before[n] = farthest;
        if (far > farthest) farthest = far;
    }
    cover.before[n] = farthest;
    cover.count = n;
    free(stretch);
    s->cover[s->covers] = cover;
    return &s->cover[s->covers++];
}

/* Say whether an allowed stretch covers a hit: is longer, or what a bold hit really says. */
static int covered(const Cover *cover, Hit hit) {
    int32_t low = 0, high = cover->count;
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (cover->start[mid] < hit.start) low = mid + 1;
        else high = mid;
    }
    if (cover->before[low] >= hit.end) return 1;
    if (low == cover->count || cover->start[low] != hit.start) return 0;
    return cover->far[low] > hit.end || (MARK_VIEW(hit.mark) && cover->plain[low] >= hit.end);
}

/* ------------------------------------------------------------------ fields */

/* The number of the field that a place lies in. */
static int32_t field_of(const State *s, int32_t place) {
    int32_t low = 0, high = s->fields; /* fields are in order of place */
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (s->field[mid].start <= place) low = mid + 1;
        else high = mid;
    }
    return low;
}

static Field field_at(const State *s, int32_t at) {
    if (s->fields) return s->field[at];
    int64_t from = wide(s, BASE_AT)[s->post], to = wide(s, BASE_AT)[s->post + 1];
    int64_t length = from < to ? wide(s, BASE_SOURCE)[to - 1] - wide(s, POSTS)[s->post] + 1 : 0;
    return (Field){s->program->whole, 0, (int32_t)length};
}

/* Say whether a hit lies in a field that is looked at; NULL: anywhere. */
static int lies_inside(const State *s, const uint8_t *inside, Hit hit) {
    if (!inside) return 1;
    for (int32_t f = 0; f < (s->fields ? s->fields : 1); f++) {
        if (!inside[f]) continue;
        Field field = field_at(s, f);
        if (field.start <= hit.start && hit.end <= field.end) return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------ near */

typedef struct {
    int32_t start, end, hit;
} Place;

static int by_place(const void *a, const void *b) {
    const Place *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (x->hit > y->hit) - (x->hit < y->hit);
}

static inline int apart(Hit a, Hit b) { return (a.mark | b.mark) & MARK_CUE || b.start >= a.end || a.start >= b.end; }

/* Say whether each part has a hit of its own; `close` holds them end to end, `at` where each begins. */
static int stand_apart(const Hit *hit, const int32_t *close, const int32_t *at, int32_t part, int32_t parts, int32_t *taken) {
    if (part == parts) return 1;
    int32_t to = at[part] + MOST_TRIED < at[part + 1] ? at[part] + MOST_TRIED : at[part + 1];
    for (int32_t k = at[part]; k < to; k++) {
        int free_ = 1;
        for (int32_t other = 0; other < part && free_; other++) free_ = apart(hit[close[k]], hit[taken[other]]);
        if (!free_) continue;
        taken[part] = close[k];
        if (stand_apart(hit, close, at, part + 1, parts, taken)) return 1;
    }
    return 0;
}

/* Where a code point stands in the compact view, as numpy's searchsorted finds it: `low` and `high`
   carry over from one key to the next, which matters where the places do not ascend. */
typedef struct {
    const int64_t *place;
    int64_t count, low, high, last, origin;
} Search;

static int32_t place_in(Search *q, int32_t place) {
    int64_t key = place + q->origin;
    if (q->last < key) q->high = q->count;
    else {
        q->low = 0;
        q->high = q->high < q->count ? q->high + 1 : q->count;
    }
    q->last = key;
    while (q->low < q->high) {
        int64_t mid = q->low + (q->high - q->low) / 2;
        if (q->place[mid] < key) q->low = mid + 1;
        else q->high = mid;
    }
    return (int32_t)q->low;
}

static void places(const State *s, int32_t from, int32_t to, int bold, Place *out) {
    int64_t begin = wide(s, COMPACT_AT)[s->post], end = wide(s, COMPACT_AT)[s->post + 1];
    Search q = {wide(s, COMPACT_SOURCE) + begin, end - begin, 0, end - begin, 0, wide(s, POSTS)[s->post]};
    for (int32_t k = from; k < to; k++, out++) {
        Hit hit = s->pool.hit[k];
        int32_t shift = s->fields ? BORDER * field_of(s, hit.start) : 0;
        if (bold) {
            if (k == from) q.last = hit.start + q.origin;
            int32_t first = place_in(&q, hit.start);
            *out = (Place){first + shift, place_in(&q, hit.end) + shift, k};
        } else *out = (Place){hit.start + shift, hit.end + shift, k};
    }
}

/* First place that does not begin before, or begins after, a number. */
static int32_t bisect(const Place *place, int32_t count, int64_t number, int right) {
    int32_t low = 0;
    while (low < count) {
        int32_t mid = low + (count - low) / 2;
        if (right ? place[mid].start <= number : place[mid].start < number) low = mid + 1;
        else count = mid;
    }
    return low;
}

/* Of hits that stand end to end in the pool, part by part, keep those of every part that stand near
   a hit of the first. Returns whether there are any. */
static int groups(State *s, const int32_t *bound, int32_t parts, int64_t within_, int bold) {
    int32_t from = bound[0], total = bound[parts] - from;
    Place *place = malloc(sizeof(Place) * (size_t)total);
    int32_t *close = malloc(4 * ((size_t)total + 2 * (size_t)parts + 2));
    int64_t *longest = malloc(8 * (size_t)parts);
    int result = -1;
    if (!place || !close || !longest) { no_memory(); goto done; }
    int32_t *at = close + total, *taken = at + parts + 1;
    for (int32_t n = 0; n < parts; n++) {
        Place *part = place + bound[n] - from;
        int32_t count = bound[n + 1] - bound[n];
        places(s, bound[n], bound[n + 1], bold, part);
        if (count > 1) qsort(part, (size_t)count, sizeof(Place), by_place);
        longest[n] = INT32_MIN;
        for (int32_t k = 0; k < count; k++) if (part[k].end - part[k].start > longest[n]) longest[n] = part[k].end - part[k].start;
    }
    int32_t used = s->pool.used, seen = 0;
    for (int32_t k = 0; k < bound[1] - from && seen < MOST_GROUPS; k++) {
        Place first = place[k];
        Hit hit = s->pool.hit[first.hit];
        int32_t n = 0;
        for (int32_t part = 1; part < parts; part++) {
            const Place *others = place + bound[part] - from;
            int32_t count = bound[part + 1] - bound[part];
            int32_t low = bisect(others, count, first.start - within_ - longest[part], 0);
            int32_t high = bisect(others, count, first.end + within_, 1);
            at[part - 1] = n;
            for (int32_t i = low; i < high; i++)
                if (first.start - others[i].end <= within_ && apart(hit, s->pool.hit[others[i].hit])) close[n++] = others[i].hit;
        }
        at[parts - 1] = n;
        if (!stand_apart(s->pool.hit, close, at, 0, parts - 1, taken)) continue;
        if (hits_room(&s->pool, n + 1)) goto done;
        s->pool.hit[s->pool.used++] = hit;
        for (int32_t i = 0; i < n; i++) s->pool.hit[s->pool.used++] = s->pool.hit[close[i]];
        seen++;
    }
    int32_t found = s->pool.used - used;
    memmove(s->pool.hit + from, s->pool.hit + used, sizeof(Hit) * (size_t)found);
    s->pool.used = from + found;
    result = found > 0;
done:
    free(place);
    free(close);
    free(longest);
    return result;
}

/* ------------------------------------------------------------------ patterns */

/* True for what may be a digit of any script: no other is one, and nearly all of these are. */
static inline int may_be_digit(uint32_t code) {
    return is_number(code) || (code >= 0x660 && (code < 0x2000 || code > 0x9FFF) && (code < 0x1F000 || code > 0x1FAFF));
}

/* Find the patterns whose necessary strings a text holds. */
static uint64_t *possible_in(const Program *p, const uint32_t *code, int64_t length) {
    const Needed *needed = &p->needed;
    const Automaton *a = needed->automaton;
    uint64_t *possible = calloc((size_t)p->patterns / 64 + 1, 8);
    int32_t *met = calloc((size_t)needed->count + 1, 4), *count = calloc((size_t)p->patterns + 1, 4);
    if (!possible || !met || !count) {
        free(possible);
        possible = NULL;
        PyErr_NoMemory();
        goto done;
    }
    int32_t digits = 0, state = 0;
    for (int64_t i = 0; i < length; i++) {
        digits += may_be_digit(code[i]);
        uint32_t symbol = code[i] < CODE_SPACE ? a->symbol[code[i]] : 0;
        if (!symbol) { state = 0; continue; }
        state = step(a, state, symbol);
        for (int32_t s = a->cell[state].out >= 0 ? state : a->cell[state].link; s; s = a->cell[s].link)
            for (int32_t k = needed->groups.start[a->cell[s].out]; k < needed->groups.start[a->cell[s].out + 1]; k++)
                met[needed->groups.item[k]]++;
    }
    for (int32_t g = 0; g < needed->count; g++)
        count[needed->owner[g]] += met[g] + (needed->digit[g] ? digits : 0) >= needed->least[g];
    for (int32_t n = 0; n < p->patterns; n++) if (count[n] == needed->wanted[n]) set_bit(possible, n);
done:
    free(met);
    free(count);
    return possible;
}

/* 1 where a pattern may match a view of the post, 0 where it cannot. */
static int may_match(State *s, int32_t pattern, int view) {
    const Program *p = s->program;
    if (!p->needed.automaton || !p->needed.wanted[pattern]) return 1;
    if (!s->possible[view]) {
        if (view == SEEN_RESTORED) {
            PyObject *text = PyObject_CallMethod(s->ask, "restored", NULL);
            char *data;
            Py_ssize_t length;
            if (!text) return -1;
            if (!PyBytes_AsStringAndSize(text, &data, &length) && (length % 4 ? wrong("whole code points") : 0) == 0) {
                uint32_t *code = malloc((size_t)length + 4);
                if (code) {
                    memcpy(code, data, (size_t)length);
                    s->possible[view] = possible_in(p, code, length / 4);
                    free(code);
                } else no_memory();
            }
            Py_DECREF(text);
        } else {
            int which = view == SEEN_BASE ? BASE : COMPACT;
            int64_t from = wide(s, which + 1)[s->post], to = wide(s, which + 1)[s->post + 1];
            s->possible[view] = possible_in(p, (const uint32_t *)s->matter->buffer[which].buf + from, to - from);
        }
        if (!s->possible[view]) return -1;
    }
    return bit(s->possible[view], pattern);
}

/* Search a view for a pattern; its hits are added to the pool. Returns how many, -1 for an error
   and -2 where it ran out of time. */
static int search(State *s, int32_t pattern, int view, const uint8_t *inside) {
    if (!s->pattern) {
        s->pattern = calloc((size_t)s->program->patterns * SEEN + 1, sizeof(Found));
        if (!s->pattern) return no_memory();
    }
    Found *known = &s->pattern[pattern * SEEN + view];
    if (!inside && known->state == 2) return -2;
    if (!inside && known->state == 1) {
        int32_t count = known->to - known->from;
        if (hits_room(&s->pool, count)) return -1;
        if (count) memcpy(s->pool.hit + s->pool.used, s->kept.hit + known->from, sizeof(Hit) * (size_t)count);
        s->pool.used += count;
        return count;
    }
    int possible = may_match(s, pattern, view);
    if (possible < 0) return -1;
    int32_t count = 0, used = s->pool.used;
    if (possible) {
        int32_t fields = s->fields ? s->fields : 1;
        PyObject *found = inside ? PyObject_CallMethod(s->ask, "search", "iiy#", pattern, view, (const char *)inside, (Py_ssize_t)fields)
                                 : PyObject_CallMethod(s->ask, "search", "iiO", pattern, view, Py_None);
        if (!found) return -1;
        if (found == Py_None) count = -2;
        else {
            char *data;
            Py_ssize_t length;
            if (PyBytes_AsStringAndSize(found, &data, &length)) count = -1;
            else if (length % (Py_ssize_t)sizeof(Hit)) count = wrong("start, end and mark of each hit");
            else if (hits_room(&s->pool, length / (Py_ssize_t)sizeof(Hit))) count = -1;
            else {
                count = (int32_t)(length / (Py_ssize_t)sizeof(Hit));
                memcpy(s->pool.hit + used, data, (size_t)length);
                s->pool.used += count;
            }
        }
        Py_DECREF(found);
        if (count == -1) return -1;
    }
    if (!inside) {
        if (count > 0 && hits_room(&s->kept, count)) return -1;
        if (count > 0) memcpy(s->kept.hit + s->kept.used, s->pool.hit + used, sizeof(Hit) * (size_t)count);
        *known = (Found){s->kept.used, s->kept.used + (count > 0 ? count : 0), count == -2 ? 2 : 1};
        s->kept.used = known->to;
    }
    return count;
}

static int add_late(State *s, int32_t rule) {
    int32_t *grown = realloc(s->late, 4 * ((size_t)s->lates + 1));
    if (!grown) return no_memory();
    s->late = grown;
    s->late[s->lates++] = rule;
    return 0;
}

/* ------------------------------------------------------------------ evaluation */

static int hold(State *s, int32_t number, int32_t rule, int bold, const uint8_t *inside);

static int add_literal(State *s, int32_t i, const Rule *rule, int bold, const uint8_t *inside, int32_t exceptions) {
    for (int32_t row = s->row[i]; row < s->row[i + 1]; row++) {
        Hit hit = {column(s, START)[row], column(s, END)[row], column(s, MARK)[row]};
        int view = MARK_VIEW(hit.mark);
        if (!bold ? view != 0 : rule && !(rule->views >> view & 1)) continue;
        if (!lies_inside(s, inside, hit)) continue;
        if (exceptions >= 0) {
            const Cover *cover = cover_of(s, exceptions);
            if (!cover) return -1;
            if (covered(cover, hit)) continue;
        }
        if (hits_add(&s->pool, hit)) return -1;
    }
    return 0;
}

static int32_t bisect_int(const int32_t *number, int32_t low, int32_t high, int32_t wanted) {
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (number[mid] < wanted) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* Add the hits of a set's literals. */
static int terms(State *s, int32_t set, int32_t number, int bold, const uint8_t *inside) {
    if (!bit(bold ? s->present : s->plain, set)) return 0;
    const Rule *rule = number >= 0 ? &s->program->rule[number] : NULL;
    int32_t exceptions = rule && rule->exceptions >= 0 && bit(s->present, rule->exceptions) ? rule->exceptions : -1;
    const Rows *sets = &s->program->sets;
    int32_t from = sets->start[set], to = sets->start[set + 1], used = s->pool.used;
    if (to - from < s->literals) {
        for (int32_t k = from, i = 0; k < to; k++) {
            i = bisect_int(s->literal, i, s->literals, sets->item[k]);
            if (i < s->literals && s->literal[i] == sets->item[k] && add_literal(s, i, rule, bold, inside, exceptions)) return -1;
        }
    } else
        for (int32_t i = 0, k = from; i < s->literals; i++) {
            k = bisect_int(sets->item, k, to, s->literal[i]);
            if (k < to && sets->item[k] == s->literal[i] && add_literal(s, i, rule, bold, inside, exceptions)) return -1;
        }
    return s->pool.used > used;
}

static int pattern(State *s, const Node *node, int32_t number, int bold, const uint8_t *inside) {
    int32_t used = s->pool.used;
    if (node->b >= 0) {
        int there = terms(s, node->b, number, bold, inside);
        s->pool.used = used;
        if (there <= 0) return there;
    }
    bold = bold && number >= 0 && s->program->rule[number].views >> 1 & 1;
    for (int view = SEEN_BASE; view < (bold ? SEEN : SEEN_RESTORED); view++) {
        if (view == SEEN_RESTORED && !s->any_bold) continue;
        int found = search(s, node->a, view, inside);
        if (found == -2) return add_late(s, number) ? -1 : 0;
        if (found) return found < 0 ? -1 : 1;
    }
    return 0;
}

/* Look for a cue, once. */
static const Found *cue_found(State *s, int32_t cue) {
    Found *known = &s->cue[cue];
    if (known->state == 1) return known;
    if (known->state == 3) {
        PyErr_SetString(PyExc_ValueError, "a cue asks for itself");
        return NULL;
    }
    known->state = 3;
    int32_t used = s->pool.used;
    int held = hold(s, s->program->cue[cue], -1, 1, NULL);
    int32_t count = held > 0 ? s->pool.used - used : 0;
    if (held < 0 || hits_room(&s->kept, count)) { known->state = 0; return NULL; }
    known->from = s->kept.used;
    for (int32_t k = used; k < used + count; k++) {
        Hit hit = s->pool.hit[k];
        hit.mark |= MARK_CUE;
        s->kept.hit[s->kept.used++] = hit;
    }
    known->to = s->kept.used;
    known->state = 1;
    s->pool.used = used;
    return known;
}

static int cue(State *s, int32_t number, const uint8_t *inside) {
    const Found *found = cue_found(s, number);
    if (!found) return -1;
    int32_t used = s->pool.used;
    for (int32_t k = found->from; k < found->to; k++)
        if (lies_inside(s, inside, s->kept.hit[k]) && hits_add(&s->pool, s->kept.hit[k])) return -1;
    return s->pool.used > used;
}

static int near(State *s, const Node *node, int32_t rule, int bold, const uint8_t *inside) {
    int32_t *bound = malloc(4 * ((size_t)node->b + 1));
    if (!bound) return no_memory();
    int held = 1;
    bound[0] = s->pool.used;
    for (int32_t k = 0; k < node->b && held > 0; k++) {
        held = hold(s, s->program->child[node->a + k], rule, bold, inside);
        bound[k + 1] = s->pool.used;
        if (held > 0 && bound[k + 1] == bound[k]) held = 0;
    }
    if (held > 0) held = groups(s, bound, node->b, node->c, bold);
    free(bound);
    return held;
}

static int in_fields(State *s, const Node *node, int32_t rule, int bold, const uint8_t *inside) {
    int32_t fields = s->fields ? s->fields : 1;
    const Rows *names = &s->program->names;
    uint8_t *narrower = calloc((size_t)fields, 1);
    if (!narrower) return no_memory();
    for (int32_t f = 0; f < fields; f++) {
        Field field = field_at(s, f);
        if (inside && !inside[f]) continue;
        for (int32_t k = names->start[node->c]; k < names->start[node->c + 1]; k++) narrower[f] |= names->item[k] == field.name;
    }
    int held = hold(s, s->program->child[node->a], rule, bold, narrower);
    free(narrower);
    return held;
}

/* Say whether a condition holds; the hits that make it hold are added to the pool. */
static int hold(State *s, int32_t number, int32_t rule, int bold, const uint8_t *inside) {
    const Program *p = s->program;
    const Node *node = &p->node[number];
    const int32_t *item = p->child + node->a;
    int32_t used = s->pool.used;
    int held = 0;
    if (node->op == TERMS) return terms(s, node->a, rule, bold, inside);
    if (node->op == PATTERN) return pattern(s, node, rule, bold, inside);
    if (node->op == CUE) return cue(s, node->a, inside);
    if (node->op == NONE) {
        /* A veto must be plain to see: letters of two words may not make it. */
        for (int32_t k = 0; k < node->b && !held; k++) held = hold(s, item[k], rule, 0, inside);
        s->pool.used = used;
        return held < 0 ? -1 : !held;
    }
    const uint64_t *there = bold ? s->present : s->plain;
    for (int32_t k = 0; k < node->needed; k++) if (!bit(there, p->need[node->needs + k])) return 0;
    switch (node->op) {
        case ANY:
            for (int32_t k = 0; k < node->b; k++) {
                int32_t before = s->pool.used;
                int one = hold(s, item[k], rule, bold, inside);
                if (one < 0) return -1;
                if (one) held = 1;
                else s->pool.used = before;
            }
            break;
        case ALL:
        case ACROSS:
            held = 1;
            for (int32_t k = 0; k < node->b && held > 0; k++) held = hold(s, item[k], rule, bold, inside);
            if (held > 0 && node->op == ACROSS) {
                held = 0;
                for (int32_t k = used + 1; k < s->pool.used && !held; k++)
                    held = field_of(s, s->pool.hit[k].start) != field_of(s, s->pool.hit[used].start);
            }
            break;
        case NEAR: held = near(s, node, rule, bold, inside); break;
        case INSIDE: held = in_fields(s, node, rule, bold, inside); break;
    }
    if (held <= 0) s->pool.used = used;
    return held;
}

static int may_be_hidden(State *s, int32_t number) {
    const Program *p = s->program;
    const Rule *rule = &p->rule[number];
    const Node *root = &p->node[rule->root];
    for (int32_t k = 0; k < root->needed; k++) if (!bit(s->present, p->need[root->needs + k])) return 0;
    if (!(rule->flags & HAS_PATTERN)) return bit(s->bold, rule->literals);
    if (s->any_bold) return 1; /* what hides one word may hide what only the pattern knows as well */
    if (s->noisy < 0) {
        PyObject *found = PyObject_CallMethod(s->ask, "noisy", NULL);
        if (!found) return -1;
        s->noisy = PyObject_IsTrue(found);
        Py_DECREF(found);
        if (s->noisy < 0) return -1;
    }
    return s->noisy;
}

static int by_position(const void *a, const void *b) {
    const Hit *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end > y->end ? -1 : 1;
    return (x->mark > y->mark) - (x->mark < y->mark);
}

/* The hits of the pool, each once, by place: the longest first of those that begin together. */
static PyObject *unique(State *s) {
    Hit *hit = s->pool.hit;
    int32_t count = s->pool.used, kept = 0;
    if (count > 1) qsort(hit, (size_t)count, sizeof(Hit), by_position);
    for (int32_t k = 0; k < count; k++) if (!kept || by_position(&hit[kept - 1], &hit[k])) hit[kept++] = hit[k];
    return PyBytes_FromStringAndSize((const char *)hit, (Py_ssize_t)sizeof(Hit) * kept);
}

static State *entered(PyObject *capsule, PyObject *ask) {
    State *s = PyCapsule_GetPointer(capsule, "moderation.post");
    if (!s) return NULL;
    if (s->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the post is being matched already");
        return NULL;
    }
    s->busy = 1;
    s->ask = ask;
    s->pool.used = 0;
    return s;
}

static void left(State *s) {
    s->busy = 0;
    s->ask = NULL;
}

/* match(post, ask, rules) -> [(rule, bold, hits)]
   Of a list of rules those that hold, whether only a bolder view shows it, and int32 rows of start,
   end and mark as bytes. `ask` searches for patterns: see moderation/rules/matching.py. */
PyObject *kernel_match(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *ask, *rules;
    if (!PyArg_ParseTuple(args, "OOO!", &capsule, &ask, &PyList_Type, &rules)) return NULL;
    State *s = entered(capsule, ask);
    if (!s) return NULL;
    PyObject *result = PyList_New(0);
    for (Py_ssize_t k = 0; result && k < PyList_Size(rules); k++) {
        long number = PyLong_AsLong(PyList_GetItem(rules, k));
        int held = 0, bold = 0;
        if (PyErr_Occurred()) held = -1;
        else if (number < 0 || number >= s->program->rules) held = wrong("rules of the program");
        else {
            const Rule *rule = &s->program->rule[number];
            s->pool.used = 0;
            if (rule->flags & IN_BASE) held = hold(s, rule->root, (int32_t)number, 0, NULL);
            if (!held && rule->flags & IN_BOLD) {
                bold = 1;
                held = may_be_hidden(s, (int32_t)number);
                if (held > 0) held = hold(s, rule->root, (int32_t)number, 1, NULL);
            }
        }
        if (held > 0) {
            PyObject *hits = unique(s);
            PyObject *found = hits ? Py_BuildValue("(liN)", number, bold, hits) : NULL;
            if (!found || PyList_Append(result, found)) held = -1;
            Py_XDECREF(found);
        }
        if (held < 0) Py_CLEAR(result);
    }
    left(s);
    return result;
}

/* cue(post, ask, number) -> the hits of a cue as bytes, as match has them */
PyObject *kernel_cue(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *ask;
    int number;
    if (!PyArg_ParseTuple(args, "OOi", &capsule, &ask, &number)) return NULL;
    State *s = entered(capsule, ask);
    if (!s) return NULL;
    PyObject *result = NULL;
    if (!within(number, 0, s->program->cues)) wrong("a cue of the program");
    else {
        const Found *found = cue_found(s, number);
        if (found) result = PyBytes_FromStringAndSize((const char *)(s->kept.hit + found->from),
                                                      (Py_ssize_t)sizeof(Hit) * (found->to - found->from));
    }
    left(s);
    return result;
}

/* late(post) -> int32 numbers of the rules whose patterns ran out of time, -1 for a cue */
PyObject *kernel_late(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule;
    if (!PyArg_ParseTuple(args, "O", &capsule)) return NULL;
    const State *s = PyCapsule_GetPointer(capsule, "moderation.post");
    return s ? PyBytes_FromStringAndSize((const char *)s->late, 4 * (Py_ssize_t)s->lates) : NULL;
}
