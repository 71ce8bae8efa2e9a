/* Sketches: whether a regular expression may match a text, before it is searched for.

   A sketch runs as an automaton whose states are made when a text first leads to them. The interpreter's lock is held
   while they are. */

#include "sketch.h"

#define MOST_STATES 1024
#define MOST_NEXT (1 << 16) /* entries of `next`, where a sketch has many classes */

#define UNKNOWN 0
#define MATCHED 1
#define STATE 2

enum { ONE, SET, SPLIT, BEHIND, AHEAD, MATCH, INSTRUCTIONS };

static void sketches_free(Sketches *all) {
    if (!all) return;
    for (int32_t n = 0; n < all->count && all->sketch; n++) {
        Sketch *s = &all->sketch[n];
        free(s->next);
        free(s->at);
        free(s->item);
        free(s->before);
        free(s->alike);
    }
    free(all->sketch);
    free(all->row);
    free(all->stack);
    free(all->seen);
    free(all->class);
    free(all->class_of);
    free(all->member);
    free(all);
}

static void sketches_capsule_free(PyObject *capsule) { sketches_free(PyCapsule_GetPointer(capsule, "moderation.sketches")); }

Sketches *sketches_from(PyObject *capsule) { return PyCapsule_GetPointer(capsule, "moderation.sketches"); }

static int is_member(const Sketch *s, int32_t set, int32_t class) { return s->member[(int64_t)set * (s->classes + 1) + class]; }

/* ------------------------------------------------------------------ learning */

/* Find, of each class, the first that every set asked of what stands before agrees on. */
static int find_alike(Sketches *all, Sketch *s) {
    int32_t *set = all->stack, sets = 0;
    if (!(s->alike = malloc(2 * ((size_t)s->classes + 1)))) return -1;
    for (int32_t r = 0; r < s->rows; r++) if (s->row[3 * r] == BEHIND) set[sets++] = s->row[3 * r + 1];
    for (int32_t class = 0; class <= s->classes; class++) {
        int32_t first = 0;
        for (int same = 0; first < class && !same; first += !same) {
            same = 1;
            for (int32_t k = 0; k < sets && same; k++) same = is_member(s, set[k], class) == is_member(s, set[k], first);
        }
        s->alike[class] = (uint16_t)first;
    }
    return 0;
}

/* Make room for one more state, which goes on at some rows at most; -1 where there is none. */
static int state_room(Sketch *s, int32_t rows) {
    int32_t width = s->classes + 1, items = s->states ? s->at[s->states] : 0;
    if (s->states >= MOST_STATES || (s->states && (int64_t)(s->states + 1) * width > MOST_NEXT)) return -1;
    if (s->states == s->states_room) {
        int32_t room = s->states_room ? 2 * s->states_room : 8;
        int32_t *next = realloc(s->next, 4 * (size_t)room * (size_t)width);
        if (next) s->next = next;
        int32_t *at = realloc(s->at, 4 * ((size_t)room + 1));
        if (at) s->at = at;
        uint16_t *before = realloc(s->before, 2 * (size_t)room);
        if (before) s->before = before;
        if (!next || !at || !before) return -1;
        s->states_room = room;
    }
    if (items + rows > s->items_room) {
        int32_t room = 2 * (items + rows);
        int32_t *item = realloc(s->item, 4 * (size_t)room);
        if (!item) return -1;
        s->item = item;
        s->items_room = room;
    }
    if (!s->states) s->at[0] = 0;
    return 0;
}

static int by_number(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Return the state that goes on at the rows behind the last state's, made where there is none yet. */
static int32_t state_of(Sketch *s, int32_t rows, uint16_t before) {
    int32_t width = s->classes + 1, *item = s->item + s->at[s->states];
    if (rows > 1) qsort(item, (size_t)rows, 4, by_number);
    for (int32_t n = 0; n < s->states; n++)
        if (s->before[n] == before && s->at[n + 1] - s->at[n] == rows && !memcmp(s->item + s->at[n], item, 4 * (size_t)rows)) return n;
    memset(s->next + (int64_t)s->states * width, 0, 4 * (size_t)width); /* UNKNOWN */
    s->before[s->states] = before;
    s->at[s->states + 1] = s->at[s->states] + rows;
    return s->states++;
}

/* Forget when rows were reached, before the time that is counted by runs out. */
static int32_t next_time(Sketches *all) {
    if (all->time == INT32_MAX) {
        memset(all->seen, 0, 4 * ((size_t)all->longest + 1));
        all->time = 0;
    }
    return ++all->time;
}

static inline void reach(Sketches *all, int32_t row, int32_t *waiting) {
    if (all->seen[row] == all->time) return;
    all->seen[row] = all->time;
    all->stack[(*waiting)++] = row;
}

/* Work out where a class leads to from a state, given where the state's entries begin; without room for what it leads to, a match is possible. */
static int32_t learn(Sketches *all, Sketch *s, int32_t entries, int32_t class) {
    int32_t waiting = 0, rows = 0, state = entries / (s->classes + 1);
    int full = state_room(s, s->rows);
    int32_t *next = &s->next[entries + class];
    if (full) return *next = MATCHED;
    int32_t before = s->before[state], *item = s->item + s->at[s->states];
    next_time(all);
    reach(all, 0, &waiting);
    for (int32_t k = s->at[state]; k < s->at[state + 1]; k++) reach(all, s->item[k], &waiting);
    while (waiting) {
        int32_t r = all->stack[--waiting], a = s->row[3 * r + 1];
        switch (s->row[3 * r]) {
            case MATCH: return *next = MATCHED;
            case ONE: if (a == class || !class) item[rows++] = r + 1; break;
            case SET: if (is_member(s, a, class)) item[rows++] = r + 1; break;
            case BEHIND: if (is_member(s, a, before)) reach(all, r + 1, &waiting); break;
            case AHEAD: if (is_member(s, a, class)) reach(all, r + 1, &waiting); break;
            default:
                reach(all, a, &waiting);
                reach(all, s->row[3 * r + 2], &waiting);
        }
    }
    return *next = STATE + state_of(s, rows, s->alike[class]) * (s->classes + 1);
}

/* Make a sketch ready to run; -1 where there is no memory. */
static int sketch_open(Sketches *all, Sketch *s) {
    if (!s->alike && find_alike(all, s)) return -1;
    if (state_room(s, 1)) return -1;
    state_of(s, 0, s->alike[s->classes]);
    return 0;
}

/* Say whether an expression may match a text, given the class of each of its code points. */
int sketch_matches(Sketches *all, int32_t number, const uint16_t *class, int64_t length) {
    Sketch *s = &all->sketch[number];
    if (!s->rows || (!s->states && sketch_open(all, s))) return 1;
    int32_t entries = 0; /* of the state */
    for (int64_t i = 0; i <= length; i++) {
        int32_t own = i < length ? s->class[class[i]] : s->classes, next = s->next[entries + own];
        if (next == UNKNOWN) next = learn(all, s, entries, own);
        if (next == MATCHED) return 1;
        entries = next - STATE;
    }
    return 0;
}

/* ------------------------------------------------------------------ checking */

static int rows_are_sound(const Sketch *s) {
    int fine = !s->rows || s->row[3 * (s->rows - 1)] == MATCH;
    for (int32_t r = 0; r < s->rows && fine; r++) {
        int32_t op = s->row[3 * r], a = s->row[3 * r + 1], b = s->row[3 * r + 2];
        int32_t limit = op == ONE ? s->classes : op == SPLIT ? s->rows : s->sets;
        fine = within(op, 0, INSTRUCTIONS) && (op == MATCH || within(a, 0, limit)) && (op != SPLIT || within(b, 0, s->rows));
    }
    return fine;
}

enum { STARTS, ROWS, SIZES, CLASSES, MEMBERS, CODES, CODE_CLASSES, ARRAYS };

static int sketches_fill(Sketches *all, const Py_buffer *b) {
    for (int k = 0; k < ARRAYS; k++)
        if (check_array("sketches", &b[k], k == CLASSES || k == CODE_CLASSES ? 2 : k == MEMBERS ? 1 : 4, -1)) return -1;
    Py_ssize_t count = b[STARTS].len / 4 - 1, rows = b[ROWS].len / 12, runs = b[CODES].len / 4;
    const int32_t *start = b[STARTS].buf, *size = b[SIZES].buf, *code = b[CODES].buf;
    const uint16_t *run = b[CODE_CLASSES].buf;
    if (count < 0 || count >= INT32_MAX || rows >= INT32_MAX / 3 || b[ROWS].len % 12 || b[SIZES].len != 8 * count || start[0] != 0 ||
        start[count] != rows || b[CODE_CLASSES].len != 2 * runs || (count && b[CLASSES].len % (2 * count)))
        return wrong("rows and sizes of every sketch");
    Py_ssize_t classes = count ? b[CLASSES].len / 2 / count : 1, members = 0;
    if (!within(classes, 1, 1 << 16)) return wrong("fewer classes than 2**16, and one at least");
    all->classes = (int32_t)classes;
    all->sketch = calloc((size_t)count + 1, sizeof(Sketch));
    all->row = copied(&b[ROWS]);
    all->class = copied(&b[CLASSES]);
    all->member = copied(&b[MEMBERS]);
    if (!all->sketch) return no_memory();
    if (!all->row || !all->class || !all->member) return -1;
    all->count = (int32_t)count;
    for (int32_t n = 0; n < all->count; n++) {
        Sketch *s = &all->sketch[n];
        if (start[n + 1] < start[n] || start[n + 1] > rows) return wrong("rows of sketches that ascend");
        *s = (Sketch){.row = all->row + 3 * (int64_t)start[n], .rows = start[n + 1] - start[n], .class = all->class + n * classes,
                      .member = all->member + members, .sets = size[2 * n], .classes = size[2 * n + 1]};
        if (s->sets < 0 || !within(s->classes, 1, 1 << 16) || (int64_t)s->sets * (s->classes + 1) > b[MEMBERS].len - members)
            return wrong("members of every set of a sketch");
        members += (int64_t)s->sets * (s->classes + 1);
        int fine = rows_are_sound(s);
        for (Py_ssize_t c = 0; c < classes; c++) fine &= s->class[c] < s->classes;
        if (!fine) return wrong("instructions, sets and classes that a sketch has");
        if (s->rows > all->longest) all->longest = s->rows;
    }
    if (members != b[MEMBERS].len) return wrong("members of every set of a sketch");
    all->stack = malloc(4 * ((size_t)all->longest + 1));
    all->seen = calloc((size_t)all->longest + 1, 4);
    all->class_of = calloc(CODE_SPACE, 2);
    if (!all->stack || !all->seen || !all->class_of) return no_memory();
    for (Py_ssize_t n = 0; n < runs && count; n++) { /* without sketches nothing asks for a class */
        int32_t end = n + 1 < runs ? code[n + 1] : CODE_SPACE;
        if (code[n] < 0 || end < code[n] || end > CODE_SPACE || run[n] >= classes) return wrong("runs of code points, by place, and their classes");
        for (int32_t c = code[n]; c < end; c++) all->class_of[c] = run[n];
    }
    return 0;
}

/* sketches(starts, rows, sizes, classes uint16, members uint8, codes, code classes uint16) -> sketches
   Those of every pattern, as moderation/rules/sketch.py has them; what is not said otherwise is int32. */
PyObject *kernel_sketches(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer b[ARRAYS];
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6])) return NULL;
    Sketches *all = calloc(1, sizeof(Sketches));
    if (!all) { PyErr_NoMemory(); goto done; }
    if (sketches_fill(all, b)) goto done;
    result = PyCapsule_New(all, "moderation.sketches", sketches_capsule_free);
    if (result) all = NULL;
done:
    sketches_free(all);
    for (int k = 0; k < ARRAYS; k++) PyBuffer_Release(&b[k]);
    return result;
}

/* sketched(sketches, codes uint32) -> uint8 for each pattern: whether it may match a text */
PyObject *kernel_sketched(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *result = NULL;
    Py_buffer codes;
    uint16_t *class = NULL;
    if (!PyArg_ParseTuple(args, "Oy*", &capsule, &codes)) return NULL;
    Sketches *all = sketches_from(capsule);
    if (!all || check_array("codes", &codes, 4, -1)) goto done;
    Py_ssize_t length = codes.len / 4;
    if (!(class = malloc(2 * (size_t)length + 2))) { PyErr_NoMemory(); goto done; }
    for (Py_ssize_t i = 0; i < length; i++) class[i] = sketch_class(all, ((const uint32_t *)codes.buf)[i]);
    if (!(result = PyBytes_FromStringAndSize(NULL, all->count))) goto done;
    char *found = PyBytes_AsString(result);
    for (int32_t n = 0; n < all->count; n++) found[n] = (char)sketch_matches(all, n, class, length);
done:
    free(class);
    PyBuffer_Release(&codes);
    return result;
}
