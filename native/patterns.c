/* Patterns: where regular expressions match a post, also behind what hides its words.

   moderation/rules/patterns.py is the reference. Python searches; a pattern is tried only where its
   sketch says that it may match. */

#include "conditions.h"

#define MOST_FOUND 16 /* as moderation/rules/patterns.py has it */

#define VIEW_BASE 0
#define VIEW_COMPACT 1

/* Where a hit begins and ends in the base view. */
void base_span(const State *s, Hit hit, int32_t *first, int32_t *end) {
    Search q = search_in(s, &s->matter->base, hit.start);
    *first = place_in(&q, hit.start);
    *end = place_in(&q, hit.end);
}

/* ------------------------------------------------------------------ texts */

static PyObject *text_of(const uint32_t *code, int64_t length) {
    const uint16_t one = 1;
    int order = *(const uint8_t *)&one ? -1 : 1;
    return PyUnicode_DecodeUTF32((const char *)code, 4 * (Py_ssize_t)length, "surrogatepass", &order);
}

/* By view and place, the longest first: which of two hidden literals that overlap counts. */
typedef struct {
    Hit hit;
    int32_t literal;
} Hidden;

static int by_plainness(const void *a, const void *b) {
    const Hidden *x = a, *y = b;
    int v = MARK_VIEW(x->hit.mark), w = MARK_VIEW(y->hit.mark);
    int64_t long_x = (int64_t)x->hit.end - x->hit.start, long_y = (int64_t)y->hit.end - y->hit.start;
    if (v != w) return v < w ? -1 : 1;
    if (long_x != long_y) return long_x > long_y ? -1 : 1;
    if (x->hit.start != y->hit.start) return x->hit.start < y->hit.start ? -1 : 1;
    return (x->literal > y->literal) - (x->literal < y->literal);
}

/* Hidden literals of the post that do not overlap, by place; the plainest and longest win. */
static Hidden *hidden_of(const State *s, int32_t *count) {
    const Matter *m = s->matter;
    int32_t total = s->literals ? s->row[s->literals] - s->row[0] : 0, found = 0, taken = 0;
    Hidden *hidden = malloc(sizeof(Hidden) * ((size_t)total + 1));
    if (!hidden) { no_memory(); return NULL; }
    for (int32_t i = 0; i < s->literals; i++)
        for (int32_t row = s->row[i]; row < s->row[i + 1]; row++)
            if (MARK_VIEW(m->mark[row])) hidden[found++] = (Hidden){{m->start[row], m->end[row], m->mark[row]}, s->literal[i]};
    qsort(hidden, (size_t)found, sizeof(Hidden), by_plainness);
    for (int32_t k = 0; k < found; k++) {
        int32_t low = 0, high = taken; /* what is taken stands first, by place */
        Hidden one = hidden[k];
        while (low < high) {
            int32_t mid = low + (high - low) / 2;
            if (hidden[mid].hit.start < one.hit.start || (hidden[mid].hit.start == one.hit.start && hidden[mid].hit.end < one.hit.end))
                low = mid + 1;
            else high = mid;
        }
        if (low && hidden[low - 1].hit.end > one.hit.start) continue;
        if (low < taken && hidden[low].hit.start < one.hit.end) continue;
        memmove(hidden + low + 1, hidden + low, sizeof(Hidden) * (size_t)(taken - low));
        hidden[low] = one;
        taken++;
    }
    *count = taken;
    return hidden;
}

static int restored_room(Restored *r, int64_t wanted) {
    if (wanted <= r->room) return 0;
    int64_t room = 2 * wanted;
    uint32_t *code = realloc(r->code, 4 * (size_t)room);
    if (code) r->code = code;
    int64_t *first = realloc(r->first, 8 * (size_t)room);
    if (first) r->first = first;
    int64_t *last = realloc(r->last, 8 * (size_t)room);
    if (last) r->last = last;
    if (!code || !first || !last) return no_memory();
    r->room = room;
    return 0;
}

/* The base view with every hidden literal written out. */
static int restore(State *s) {
    Restored *r = &s->restored;
    if (r->made) return 0;
    const Rows *written = &s->program->written;
    const Seen *base = &s->matter->base;
    int64_t from = base->at[s->post], length = base->at[s->post + 1] - from, origin = s->matter->origin[s->post];
    int32_t count = 0, at = 0;
    Hidden *hidden = hidden_of(s, &count);
    if (!hidden) return -1;
    int64_t most = length;
    for (int32_t k = 0; k < count; k++) most += written->start[hidden[k].literal + 1] - written->start[hidden[k].literal];
    Hit *kept = realloc(r->hidden, sizeof(Hit) * ((size_t)count + 1));
    if (kept) r->hidden = kept;
    if (!kept || restored_room(r, most + 1)) { free(hidden); return kept ? -1 : no_memory(); }
    r->length = 0;
    r->hiddens = count;
    for (int32_t k = 0; k <= count; k++) {
        int32_t begin = (int32_t)length, end = (int32_t)length;
        if (k < count) {
            r->hidden[k] = hidden[k].hit;
            base_span(s, hidden[k].hit, &begin, &end);
            if (begin < at) continue;
        }
        for (int32_t i = at; i < begin; i++) {
            r->code[r->length] = base->code[from + i];
            r->first[r->length] = base->source[from + i] - origin;
            r->last[r->length++] = base->last[from + i] - origin;
        }
        if (k == count) break;
        for (int32_t i = written->start[hidden[k].literal]; i < written->start[hidden[k].literal + 1]; i++) {
            r->code[r->length] = (uint32_t)written->item[i];
            r->first[r->length] = hidden[k].hit.start;
            r->last[r->length++] = (int64_t)hidden[k].hit.end - 1;
        }
        at = end;
    }
    free(hidden);
    r->made = 1;
    return 0;
}

/* A text that patterns are searched for in. */
typedef struct {
    const uint32_t *code;
    const int64_t *first, *last; /* where its code points come from, less `origin` */
    int64_t length, origin;
} Text;

static int text_at(State *s, int view, Text *text) {
    if (view == SEEN_RESTORED) {
        if (restore(s)) return -1;
        *text = (Text){s->restored.code, s->restored.first, s->restored.last, s->restored.length, 0};
        return 0;
    }
    const Seen *seen = view == SEEN_BASE ? &s->matter->base : &s->matter->compact;
    int64_t from = seen->at[s->post], to = seen->at[s->post + 1];
    *text = (Text){seen->code + from, seen->source + from, seen->last + from, to - from, s->matter->origin[s->post]};
    return 0;
}

/* ------------------------------------------------------------------ kinds of code points */

/* The kinds of code points, those of a text among them: what is not known yet is asked for. */
const uint8_t *kinds_of(State *s, int view, const uint32_t *code, int64_t length) {
    uint8_t *kind = s->program->kind;
    int known = 1;
    for (int64_t i = 0; i < length && known; i++) known = code[i] >= CODE_SPACE || kind[code[i]];
    if (known) return kind;
    if (!s->text[view] && !(s->text[view] = text_of(code, length))) return NULL;
    PyObject *found = PyObject_CallMethod(s->ask, "kinds", "O", s->text[view]);
    if (!found) return NULL;
    char *data;
    Py_ssize_t size;
    int failed = PyBytes_AsStringAndSize(found, &data, &size);
    if (!failed && size != length) failed = wrong("the kind of each code point");
    for (int64_t i = 0; i < length && !failed; i++)
        if (code[i] < CODE_SPACE) kind[code[i]] = (uint8_t)data[i] | KIND_KNOWN;
    Py_DECREF(found);
    return failed ? NULL : kind;
}

static inline int kind_at(const uint8_t *kind, const uint32_t *code, int64_t length, int64_t i) {
    return i >= 0 && i < length && code[i] < CODE_SPACE ? kind[code[i]] : 0;
}

static inline int is_joint(uint32_t code) { return code == '-' || code == '+' || code == '/'; }

/* Say whether marks stand at a place where ordinary writing has none: see _NOISE in evaluate.py. */
static int noise_at(const uint8_t *kind, const uint32_t *code, int64_t length, int64_t i) {
    int here = kind_at(kind, code, length, i);
    if (here & KIND_HAN) {
        int64_t k = i + 1;
        while (k <= i + 3 && kind_at(kind, code, length, k) & KIND_NOISE) k++;
        if (k > i + 1 && kind_at(kind, code, length, k) & KIND_HAN) return 1;
        if (i + 2 < length && is_joint(code[i + 1]) && kind_at(kind, code, length, i + 2) & KIND_HAN) {
            k = i + 3;
            if (k == length || is_joint(code[k]) || kind_at(kind, code, length, k) & KIND_SPACE) return 1;
            if (kind_at(kind, code, length, k) & KIND_HAN && kind_at(kind, code, length, k + 1) & KIND_SPACE) return 1;
        }
    }
    if (!(here & KIND_WORD) || kind_at(kind, code, length, i - 1) & KIND_WORD) return 0;
    int pairs = 0;
    int64_t k = i + 1;
    for (; k + 1 < length && code[k] != '\n' && !(kind_at(kind, code, length, k) & KIND_WORD) &&
           kind_at(kind, code, length, k + 1) & KIND_WORD; k += 2) pairs++;
    return pairs > 2 || (pairs == 2 && !(kind_at(kind, code, length, k) & KIND_WORD));
}

int is_noisy(State *s) {
    int64_t length;
    const uint32_t *code = base_of(s, &length);
    const uint8_t *kind = kinds_of(s, SEEN_BASE, code, length);
    if (!kind) return -1;
    for (int64_t i = 0; i < length; i++) if (noise_at(kind, code, length, i)) return 1;
    return 0;
}

/* ------------------------------------------------------------------ patterns */

/* Work out the class of each code point of a view of the post. */
static int classify(State *s, int view, const Text *text) {
    if (text->length > s->class_room[view]) {
        uint16_t *class = realloc(s->class[view], 4 * (size_t)text->length);
        if (!class) return no_memory();
        s->class[view] = class;
        s->class_room[view] = 2 * text->length;
    }
    for (int64_t i = 0; i < text->length; i++) s->class[view][i] = sketch_class(s->program->sketches, text->code[i]);
    s->class_stamp[view] = s->stamp;
    return 0;
}

/* Add where a pattern matched a view, as a hit on the post. */
static int add_found(State *s, const Text *text, int view, int64_t start, int64_t end) {
    int64_t a = text->first[start] - text->origin, b = text->last[end - 1] - text->origin;
    Hit hit = {(int32_t)(a < b ? a : b), (int32_t)((a > b ? a : b) + 1), MARK_OF(1, view == SEEN_BASE ? VIEW_BASE : VIEW_COMPACT, 0, 0, 0)};
    if (view == SEEN_RESTORED) {
        int fold = 0, frail = 0, rare = 1;
        for (int32_t k = 0; k < s->restored.hiddens; k++) {
            Hit inside = s->restored.hidden[k];
            if (inside.start < hit.start || inside.end > hit.end) continue;
            int its = MARK_FOLD(inside.mark);
            if (its && (!fold || its < fold)) fold = its;
            if (inside.mark & MARK_FRAIL) frail = 1, rare &= inside.mark & MARK_RARE;
        }
        hit.mark = MARK_OF(1, VIEW_COMPACT, fold, frail, frail && rare);
    }
    return hits_add(&s->pool, hit);
}

/* Search a stretch of a view for a pattern; -1 for an error, -2 where it ran out of time. */
static int search_stretch(State *s, int32_t pattern, int view, const Text *text, int64_t from, int64_t to, int32_t most) {
    PyObject *string;
    if (s->class_stamp[view] != s->stamp && classify(s, view, text)) return -1;
    if (!sketch_matches(s->program->sketches, pattern, s->class[view] + from, to - from)) return 0;
    if (from == 0 && to == text->length) {
        if (!s->text[view] && !(s->text[view] = text_of(text->code, text->length))) return -1;
        string = Py_NewRef(s->text[view]);
    } else if (!(string = text_of(text->code + from, to - from))) return -1;
    PyObject *found = PyObject_CallMethod(s->ask, "search", "iOi", pattern, string, most);
    Py_DECREF(string);
    if (!found) return -1;
    int32_t count = 0;
    if (found == Py_None) count = -2;
    else {
        char *data;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(found, &data, &size)) count = -1;
        else if (size % 8) count = wrong("begin and end of each match");
        for (Py_ssize_t k = 0; count >= 0 && k < size / 8; k++) {
            int32_t span[2];
            memcpy(span, data + 8 * k, 8);
            if (span[0] < 0 || span[1] <= span[0] || span[1] > to - from) count = wrong("matches within the text");
            else count = add_found(s, text, view, from + span[0], from + span[1]) ? -1 : count + 1;
        }
    }
    Py_DECREF(found);
    return count;
}

/* Search a view for a pattern; its hits are added to the pool. Returns how many, -1 for an error
   and -2 where it ran out of time. */
int search(State *s, int32_t pattern, int view, const uint8_t *inside) {
    Found *known = &s->pattern[pattern * SEEN + view];
    if (!inside && known->stamp == s->stamp) {
        int32_t count = hits_of(known);
        if (known->state == 2) return -2;
        if (hits_room(&s->pool, count)) return -1;
        if (count) memcpy(s->pool.hit + s->pool.used, s->kept.hit + known->from, sizeof(Hit) * (size_t)count);
        s->pool.used += count;
        return count;
    }
    int32_t count = 0, used = s->pool.used;
    Text text;
    if (text_at(s, view, &text)) return -1;
    if (!inside) count = search_stretch(s, pattern, view, &text, 0, text.length, MOST_FOUND);
    else {
        Search q = {text.first, text.length, 0, text.length, 0, text.origin};
        int first = 1;
        for (int32_t f = 0; f < (s->fields ? s->fields : 1) && count >= 0; f++) {
            if (!inside[f]) continue;
            Field field = field_at(s, f);
            if (first) q.last = field.start + q.origin, first = 0;
            int32_t from = place_in(&q, field.start), to = place_in(&q, field.end);
            if (from >= to) continue;
            int32_t more = search_stretch(s, pattern, view, &text, from, to, MOST_FOUND - count);
            count = more < 0 ? more : count + more;
        }
    }
    if (count == -2) s->pool.used = used;
    if (count == -1) return -1;
    if (!inside) {
        if (count > 0 && hits_room(&s->kept, count)) return -1;
        if (count > 0) memcpy(s->kept.hit + s->kept.used, s->pool.hit + used, sizeof(Hit) * (size_t)count);
        *known = (Found){s->kept.used, s->kept.used + (count > 0 ? count : 0), count == -2 ? 2 : 1, s->stamp};
        s->kept.used = known->to;
    }
    return count;
}
