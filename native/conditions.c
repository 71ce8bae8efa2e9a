/* Conditions: which rules hold in a post, given where its literals stand.

   moderation/rules/evaluate.py is the reference. What regular expressions find, patterns.c says. */

#include "conditions.h"

#define MOST_GROUPS 32 /* as moderation/rules/places.py has them */
#define MOST_TRIED 16
#define BORDER 10 /* as moderation/rules/evaluate.py has it */

/* ------------------------------------------------------------------ posts */

/* Make room for looking at one post after another. */
int state_open(State *s, const Program *program, const Matter *matter, PyObject *ask) {
    size_t words = (size_t)program->sets.rows / 64 + 1;
    memset(s, 0, sizeof(*s));
    s->program = program;
    s->matter = matter;
    s->ask = ask;
    s->plain = malloc(8 * words);
    s->present = malloc(8 * words);
    s->bold = malloc(8 * words);
    s->cue = calloc((size_t)program->cues + 1, sizeof(Found));
    s->pattern = calloc((size_t)program->patterns * SEEN + 1, sizeof(Found));
    if (s->plain && s->present && s->bold && s->cue && s->pattern) return 0;
    return no_memory();
}

/* Forget the post that was looked at. */
static void state_leave(State *s) {
    for (int v = 0; v < SEEN; v++) Py_CLEAR(s->text[v]);
    for (int32_t c = 0; c < s->covers; c++) free(s->cover[c].start);
    s->covers = s->lates = s->literals = s->fields = 0;
    s->pool.used = s->kept.used = 0;
    s->restored.made = s->restored.hiddens = 0;
    s->field = NULL;
}

void state_close(State *s) {
    state_leave(s);
    free(s->literal);
    free(s->row);
    free(s->plain);
    free(s->present);
    free(s->bold);
    free(s->pool.hit);
    free(s->kept.hit);
    free(s->cue);
    free(s->pattern);
    for (int v = 0; v < SEEN; v++) free(s->class[v]);
    free(s->restored.code);
    free(s->restored.first);
    free(s->restored.last);
    free(s->restored.hidden);
    free(s->cover);
    free(s->late);
}

static int state_literals(State *s) {
    const Program *p = s->program;
    const Matter *m = s->matter;
    int32_t from = (int32_t)m->bound[s->post], to = (int32_t)m->bound[s->post + 1];
    size_t words = (size_t)p->sets.rows / 64 + 1;
    if (to - from + 1 > s->literals_room) {
        int32_t room = 2 * (to - from + 1);
        int32_t *literal = realloc(s->literal, 4 * (size_t)room);
        if (literal) s->literal = literal;
        int32_t *row = realloc(s->row, 4 * (size_t)room);
        if (row) s->row = row;
        if (!literal || !row) return no_memory();
        s->literals_room = room;
    }
    memset(s->plain, 0, 8 * words);
    memset(s->present, 0, 8 * words);
    memset(s->bold, 0, 8 * words);
    s->any_bold = 0;
    for (int32_t row = from; row < to;) {
        int32_t number = m->literal[row], end = row + 1;
        if (!within(number, 0, p->literals)) return wrong("literals of the program");
        while (end < to && m->literal[end] == number) end++;
        if (s->literals && number <= s->literal[s->literals - 1]) return wrong("literals that ascend within a post");
        int plain = !MARK_VIEW(m->mark[row]), bold = MARK_VIEW(m->mark[end - 1]) != 0;
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

/* Turn to a post of the batch. */
int state_enter(State *s, int64_t post) {
    const Matter *m = s->matter;
    state_leave(s);
    s->post = post;
    s->stamp++;
    s->noisy = -1;
    if (m->field_bound) {
        s->field = (const Field *)m->field + m->field_bound[post];
        s->fields = (int32_t)(m->field_bound[post + 1] - m->field_bound[post]);
    }
    return state_literals(s);
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
            int32_t end = s->matter->end[row];
            stretch[count++] = (Stretch){s->matter->start[row], end, MARK_VIEW(s->matter->mark[row]) ? -1 : end};
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

Field field_at(const State *s, int32_t at) {
    if (s->fields) return s->field[at];
    const Seen *base = &s->matter->base;
    int64_t from = base->at[s->post], to = base->at[s->post + 1];
    int64_t length = from < to ? base->source[to - 1] - s->matter->origin[s->post] + 1 : 0;
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

static void places(const State *s, int32_t from, int32_t to, int bold, Place *out) {
    Search q = search_in(s, &s->matter->compact, from < to ? s->pool.hit[from].start : 0);
    for (int32_t k = from; k < to; k++, out++) {
        Hit hit = s->pool.hit[k];
        int32_t shift = s->fields ? BORDER * field_of(s, hit.start) : 0;
        if (bold) {
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

/* ------------------------------------------------------------------ evaluation */

static int add_late(State *s, int32_t rule) {
    int32_t *grown = realloc(s->late, 4 * ((size_t)s->lates + 1));
    if (!grown) return no_memory();
    s->late = grown;
    s->late[s->lates++] = rule;
    return 0;
}

static int hold(State *s, int32_t number, int32_t rule, int bold, const uint8_t *inside);

static int add_literal(State *s, int32_t i, const Rule *rule, int bold, const uint8_t *inside, int32_t exceptions) {
    for (int32_t row = s->row[i]; row < s->row[i + 1]; row++) {
        Hit hit = {s->matter->start[row], s->matter->end[row], s->matter->mark[row]};
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
const Found *cue_found(State *s, int32_t cue) {
    Found *known = &s->cue[cue];
    if (known->stamp == s->stamp) {
        if (known->state == 1) return known;
        PyErr_SetString(PyExc_ValueError, "a cue asks for itself");
        return NULL;
    }
    *known = (Found){0, 0, 3, s->stamp};
    int32_t used = s->pool.used;
    int held = hold(s, s->program->cue[cue], -1, 1, NULL);
    int32_t count = held > 0 ? s->pool.used - used : 0;
    if (held < 0 || hits_room(&s->kept, count)) return NULL;
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
    if (s->noisy < 0) s->noisy = is_noisy(s);
    return s->noisy;
}

static int by_position(const void *a, const void *b) {
    const Hit *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end > y->end ? -1 : 1;
    return (x->mark > y->mark) - (x->mark < y->mark);
}

/* Say whether a rule holds: the hits that make it hold are in the pool, each once, by place, the
   longest first of those that begin together. `bold`: only a bolder view shows it. */
int rule_holds(State *s, int32_t number, int *bold) {
    const Rule *rule = &s->program->rule[number];
    int held = 0;
    s->pool.used = 0;
    *bold = 0;
    if (rule->flags & IN_BASE) held = hold(s, rule->root, number, 0, NULL);
    if (!held && rule->flags & IN_BOLD) {
        *bold = 1;
        held = may_be_hidden(s, number);
        if (held > 0) held = hold(s, rule->root, number, 1, NULL);
    }
    if (held <= 0) return held;
    Hit *hit = s->pool.hit;
    int32_t count = s->pool.used, kept = 0;
    if (count > 1) qsort(hit, (size_t)count, sizeof(Hit), by_position);
    for (int32_t k = 0; k < count; k++) if (!kept || by_position(&hit[kept - 1], &hit[k])) hit[kept++] = hit[k];
    s->pool.used = kept;
    return 1;
}
