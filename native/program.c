/* Programs: the conditions of all rules as numbers, checked once so that evaluation need not.

   moderation/rules/program.py writes them. */

#include "conditions.h"

#define DEEPEST 500

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
    rows_free(&p->contexts);
    rows_free(&p->written);
    rows_free(&p->lists);
    free(p->kind);
    Py_XDECREF(p->held);
    free(p);
}

static void program_capsule_free(PyObject *capsule) { program_free(PyCapsule_GetPointer(capsule, "moderation.program")); }

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
        fine = within(p->rule[r].root, 0, p->nodes) && within(p->rule[r].exceptions, -1, sets) && within(p->rule[r].literals, 0, sets) &&
               within(p->rule[r].level, NO_LEVEL, p->strong + 1) && within(p->rule[r].policy, 0, p->rules);
    for (int32_t c = 0; c < p->cues && fine; c++) fine = within(p->cue[c], 0, p->nodes);
    fine = fine && p->cues <= 64; /* a bit each */
    return fine ? 0 : wrong("conditions made of others before them, and sets, cues and patterns that are there");
}

enum {
    NODES, CHILDREN, SET_STARTS, SETS, NEEDS, RULES, CUES, NAME_STARTS, NAMES,
    CONTEXT_STARTS, CONTEXTS, WRITTEN_STARTS, WRITTEN, LIST_STARTS, LISTS, ARRAYS
};

static int program_fill(Program *p, const Py_buffer *array) {
    static const struct { int array; size_t width; const char *what; } PLAIN[] = {
        {NODES, 6, "nodes"}, {CHILDREN, 1, "children"}, {NEEDS, 1, "needs"}, {RULES, sizeof(Rule) / 4, "rules"}, {CUES, 1, "cues"},
    };
    for (size_t k = 0; k < sizeof(PLAIN) / sizeof(PLAIN[0]); k++) {
        const Py_buffer *b = &array[PLAIN[k].array];
        if (check_array(PLAIN[k].what, b, 4, -1)) return -1;
        if ((size_t)b->len % (4 * PLAIN[k].width) || b->len / 4 >= INT32_MAX) return wrong(PLAIN[k].what);
    }
    p->node = copied(&array[NODES]);
    p->child = copied(&array[CHILDREN]);
    p->need = copied(&array[NEEDS]);
    p->rule = copied(&array[RULES]);
    p->cue = copied(&array[CUES]);
    if (!p->node || !p->child || !p->need || !p->rule || !p->cue) return -1;
    p->nodes = (int32_t)(array[NODES].len / sizeof(Node));
    p->children = (int32_t)(array[CHILDREN].len / 4);
    p->needs = (int32_t)(array[NEEDS].len / 4);
    p->rules = (int32_t)(array[RULES].len / sizeof(Rule));
    p->cues = (int32_t)(array[CUES].len / 4);
    if (rows_fill(&p->sets, "sets of literals, ascending", &array[SET_STARTS], &array[SETS], p->literals, 1) ||
        rows_fill(&p->names, "field names", &array[NAME_STARTS], &array[NAMES], INT32_MAX, 0) ||
        rows_fill(&p->contexts, "context rules of literals, ascending", &array[CONTEXT_STARTS], &array[CONTEXTS], p->rules, 1) ||
        rows_fill(&p->written, "code points of literals", &array[WRITTEN_STARTS], &array[WRITTEN], CODE_SPACE, 0) ||
        rows_fill(&p->lists, "lists of cues", &array[LIST_STARTS], &array[LISTS], p->cues, 0))
        return -1;
    if (p->contexts.rows != p->literals || p->written.rows != p->literals) return wrong("context rules and code points of each literal");
    if (p->lists.rows != CUE_LISTS) return wrong("every list of cues");
    p->kind = calloc(CODE_SPACE, 1);
    if (!p->kind) return no_memory();
    if (program_members(p) || program_check(p)) return -1;
    for (int32_t r = 0; r < p->rules; r++) if (p->rule[r].policy >= p->policies) p->policies = p->rule[r].policy + 1;
    return 0;
}

/* program(literals, patterns, whole, strong, sketches, nodes, children, set starts, sets, needs,
   rules, cues, name starts, names, context starts,
   contexts, written starts, written, list starts, lists) -> program
   The others are int32; see moderation/rules/program.py. */
PyObject *kernel_program(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer array[ARRAYS];
    PyObject *sketches, *result = NULL;
    int literals, patterns, whole, strong;
    Py_buffer *a = array;
    if (!PyArg_ParseTuple(args, "iiiiOy*y*y*y*y*y*y*y*y*y*y*y*y*y*y*", &literals, &patterns, &whole, &strong, &sketches, &a[0],
                          &a[1], &a[2], &a[3], &a[4], &a[5], &a[6], &a[7], &a[8], &a[9], &a[10], &a[11], &a[12], &a[13], &a[14]))
        return NULL;
    Program *p = calloc(1, sizeof(Program));
    if (!p) { PyErr_NoMemory(); goto done; }
    if (literals < 0 || patterns < 0 || literals >= INT32_MAX - 2 || strong < 0 || strong > 127) { wrong("how many literals, patterns and levels there are"); goto done; }
    p->literals = literals;
    p->patterns = patterns;
    p->whole = whole;
    p->strong = strong;
    if (!(p->sketches = sketches_from(sketches))) goto done;
    p->held = Py_NewRef(sketches);
    if (p->sketches->count != patterns) { wrong("a sketch of each pattern"); goto done; }
    if (program_fill(p, array)) goto done;
    result = PyCapsule_New(p, "moderation.program", program_capsule_free);
    if (result) p = NULL;
done:
    program_free(p);
    for (int k = 0; k < ARRAYS; k++) PyBuffer_Release(&array[k]);
    return result;
}

