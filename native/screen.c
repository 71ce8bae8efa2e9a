#include "common.h"

/* ------------------------------------------------------------------ clauses */

/* clauses(posts, hits, starts int64, groups int32, owner int32, needed int32)
   `hits` is a sequence of (rows as scan returns them, offset added to their patterns).
   groups[starts[p]:starts[p + 1]] are the groups that pattern p belongs to, owner[g] the clause of
   group g, needed[c] how many groups clause c wants. -> int32 pairs of post, clause, by post. */
PyObject *kernel_clauses(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_ssize_t posts;
    PyObject *hits;
    Py_buffer starts, groups, owner, needed;
    if (!PyArg_ParseTuple(args, "nO!y*y*y*y*", &posts, &PyTuple_Type, &hits, &starts, &groups, &owner, &needed)) return NULL;
    PyObject *result = NULL;
    Out pairs = {0};
    Py_buffer views[8];
    long long shift[8];
    Py_ssize_t at[8] = {0}, rows[8], count = PyTuple_Size(hits), held = 0;
    Py_ssize_t all_members = groups.len / 4, all_groups = owner.len / 4, all_clauses = needed.len / 4, patterns = starts.len / 8 - 1;
    int32_t *group_post = calloc((size_t)all_groups + 1, 4), *clause_post = calloc((size_t)all_clauses + 1, 4);
    int32_t *met = calloc((size_t)all_clauses + 1, 4);
    if (check_array("starts", &starts, 8, -1) || check_array("groups", &groups, 4, -1) ||
        check_array("owner", &owner, 4, -1) || check_array("needed", &needed, 4, -1))
        goto done;
    if (posts < 0 || posts >= INT32_MAX) { PyErr_SetString(PyExc_ValueError, "expected fewer posts than 2**31"); goto done; }
    if (!group_post || !clause_post || !met) { PyErr_NoMemory(); goto done; }
    if (count > 8) { PyErr_SetString(PyExc_ValueError, "more than eight views"); goto done; }
    for (; held < count; held++) {
        PyObject *pair = PyTuple_GetItem(hits, held);
        if (!PyTuple_Check(pair)) { PyErr_SetString(PyExc_TypeError, "expected tuples of rows and an offset"); goto done; }
        if (!PyArg_ParseTuple(pair, "y*L", &views[held], &shift[held])) goto done;
        rows[held] = views[held].len / 20;
        if (views[held].len % 20 || check_array("rows", &views[held], 4, -1) || shift[held] < 0 || shift[held] > patterns) {
            if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "expected rows of five numbers, and offsets of patterns");
            held++;
            goto done;
        }
    }
    const int64_t *start = starts.buf;
    const int32_t *group = groups.buf, *own = owner.buf, *need = needed.buf;
    for (int32_t post = 0; post < posts; post++)
        for (Py_ssize_t v = 0; v < count; v++) {
            const int32_t *row = views[v].buf;
            row += 5 * at[v];
            for (; at[v] < rows[v] && row[3] == post; at[v]++, row += 5) {
                int64_t pattern = row[0] + shift[v];
                if (pattern < 0 || pattern >= patterns) { PyErr_SetString(PyExc_ValueError, "unknown pattern"); goto done; }
                if (start[pattern] < 0 || start[pattern + 1] > all_members) {
                    PyErr_SetString(PyExc_ValueError, "a pattern's groups lie outside of the groups");
                    goto done;
                }
                for (int64_t k = start[pattern]; k < start[pattern + 1]; k++) {
                    int32_t g = group[k], c = g >= 0 && g < all_groups ? own[g] : -1;
                    if (c < 0 || c >= all_clauses) { PyErr_SetString(PyExc_ValueError, "unknown group or clause"); goto done; }
                    if (group_post[g] == post + 1) continue;
                    group_post[g] = post + 1;
                    if (clause_post[c] != post + 1) clause_post[c] = post + 1, met[c] = 0;
                    if (++met[c] == need[c]) {
                        if (out_reserve(&pairs, 8)) { PyErr_NoMemory(); goto done; }
                        PUSH(&pairs, int32_t, post);
                        PUSH(&pairs, int32_t, c);
                    }
                }
            }
        }
    for (Py_ssize_t v = 0; v < count; v++)
        if (at[v] < rows[v]) { PyErr_SetString(PyExc_ValueError, "expected rows by post, of posts that are there"); goto done; }
    result = out_bytes(&pairs);
done:
    for (Py_ssize_t v = 0; v < held; v++) PyBuffer_Release(&views[v]);
    free(group_post);
    free(clause_post);
    free(met);
    free(pairs.data);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&groups);
    PyBuffer_Release(&owner);
    PyBuffer_Release(&needed);
    return result;
}
