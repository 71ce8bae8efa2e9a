/* Facts: what decisions depend on beside the posts, taken once: rules, a region's profile, a model's points. */

#include "decide.h"

static void decision_free(Decision *d) {
    if (!d) return;
    free(d->rule);
    free(d->sub_label);
    free(d->points);
    free(d->mark);
    free(d->kind);
    free(d);
}

static void decision_capsule_free(PyObject *capsule) { decision_free(PyCapsule_GetPointer(capsule, "moderation.decision")); }

enum { RULES, SUB_LABELS, CEILINGS, ESCALATE, FLOORS, WEIGHTS, POINTS_AT, MARKS, KINDS, FACTS };

static int decision_check(const Decision *d) {
    for (Py_ssize_t i = 0; i < d->rules; i++) {
        const Rule *r = &d->rule[i];
        if (!within(r->policy, 0, ANY + 1) || !within(r->sub_label, NONE, d->sub_labels) || !within(r->stance, 0, STANCES) ||
            !within(r->severity, NONE, BLOCK + 2) || (r->policy == ANY && !is_innocent(r->stance)))
            return wrong("rules of known policy, sub-label, stance and severity");
    }
    for (Py_ssize_t i = 0; i < d->sub_labels; i++)
        if (!within(d->sub_label[i].ceiling, PASS, BLOCK + 1) || !within(d->sub_label[i].always, NONE, BLOCK + 1))
            return wrong("known actions for every sub-label");
    for (int i = 0; i < STANCES; i++)
        if (!within(d->ceiling[i], PASS, BLOCK + 1)) return wrong("a known action for every stance");
    return within(d->alone, PASS, BLOCK + 1) ? 0 : wrong("a known action for the classifier alone");
}

static int decision_fill(Decision *d, const Py_buffer *array) {
    if (array[RULES].len % (Py_ssize_t)sizeof(Rule) || array[SUB_LABELS].len % (Py_ssize_t)sizeof(SubLabel) ||
        array[POINTS_AT].len % (8 * POLICIES * POINTS) || check_array("rules", &array[RULES], 4, -1) ||
        check_array("sub-labels", &array[SUB_LABELS], 4, -1) || check_array("points", &array[POINTS_AT], 8, -1) ||
        check_array("ceilings", &array[CEILINGS], 4, STANCES) || check_array("escalate", &array[ESCALATE], 8, STANCES) ||
        check_array("floors", &array[FLOORS], 8, LEVELS) || check_array("weights", &array[WEIGHTS], 8, POLICIES * LEVELS) ||
        check_array("marks", &array[MARKS], 4, -1) || check_array("kinds", &array[KINDS], 4, -1))
        return PyErr_Occurred() ? -1 : wrong("whole rows of rules, sub-labels and points");
    d->rules = array[RULES].len / (Py_ssize_t)sizeof(Rule);
    d->sub_labels = array[SUB_LABELS].len / (Py_ssize_t)sizeof(SubLabel);
    d->languages = array[POINTS_AT].len / (8 * POLICIES * POINTS);
    d->marks = array[MARKS].len / 4;
    d->kinds = array[KINDS].len / 4;
    d->rule = copied(&array[RULES]);
    d->sub_label = copied(&array[SUB_LABELS]);
    d->points = copied(&array[POINTS_AT]);
    d->mark = copied(&array[MARKS]);
    d->kind = copied(&array[KINDS]);
    if (!d->rule || !d->sub_label || !d->points || !d->mark || !d->kind) return -1;
    memcpy(d->ceiling, array[CEILINGS].buf, sizeof d->ceiling);
    memcpy(d->escalate, array[ESCALATE].buf, sizeof d->escalate);
    memcpy(d->floor, array[FLOORS].buf, sizeof d->floor);
    memcpy(d->weight, array[WEIGHTS].buf, sizeof d->weight);
    return decision_check(d);
}

/* decision(rules, sub-labels, ceilings, escalate, floors, weights, points, marks, kinds,
            alone, noise, repeat, stance at) -> decision
   Rules, a profile and a model as moderation/decide/facts.py lays them out. */
PyObject *kernel_decision(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer array[FACTS];
    PyObject *result = NULL;
    int alone;
    unsigned int noise, repeat;
    double stance_at;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*y*iIId", &array[0], &array[1], &array[2], &array[3], &array[4], &array[5],
                          &array[6], &array[7], &array[8], &alone, &noise, &repeat, &stance_at))
        return NULL;
    Decision *d = calloc(1, sizeof(Decision));
    if (!d) { PyErr_NoMemory(); goto done; }
    d->alone = alone;
    d->noise = noise & TRANSFORMS;
    d->repeat = repeat & TRANSFORMS;
    d->stance_at = stance_at;
    if (decision_fill(d, array)) goto done;
    result = PyCapsule_New(d, "moderation.decision", decision_capsule_free);
    if (result) d = NULL;
done:
    decision_free(d);
    for (int k = 0; k < FACTS; k++) PyBuffer_Release(&array[k]);
    return result;
}
