/* Conditions: which rules hold in a post, given where its literals stand.

   moderation/rules/evaluate.py is the reference. Regular expressions are searched for by Python,
   which is asked for what it alone can say. */

#include "conditions.h"

#define MOST_GROUPS 32 /* as moderation/rules/places.py has them */
#define MOST_TRIED 16
#define BORDER 10    /* as moderation/rules/evaluate.py has it */
#define MOST_FOUND 16 /* as moderation/rules/patterns.py has it */

#define VIEW_BASE 0
#define VIEW_COMPACT 1

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
    s->met = calloc((size_t)program->needed.count + 1, 4);
    s->groups_met = calloc((size_t)program->patterns + 1, 4);
    for (int v = 0; v < SEEN; v++) s->possible[v] = malloc(8 * ((size_t)program->patterns / 64 + 1));
    if (s->plain && s->present && s->bold && s->cue && s->pattern && s->met && s->groups_met && s->possible[0] && s->possible[1] &&
        s->possible[2])
        return 0;
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
    free(s->met);
    free(s->groups_met);
    for (int v = 0; v < SEEN; v++) free(s->possible[v]);
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

static Field field_at(const State *s, int32_t at) {
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

/* Where a code point of the post stands in a view, as numpy's searchsorted finds it: `low` and `high`
   carry over from one key to the next, which matters where the places do not ascend. */
typedef struct {
    const int64_t *place;
    int64_t count, low, high, last, origin;
} Search;

static Search search_in(const State *s, const Seen *view, int32_t first) {
    int64_t begin = view->at[s->post], count = view->at[s->post + 1] - begin, origin = s->matter->origin[s->post];
    return (Search){view->source + begin, count, 0, count, first + origin, origin};
}

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

/* Where a hit begins and ends in the base view. */
void base_span(const State *s, Hit hit, int32_t *first, int32_t *end) {
    Search q = search_in(s, &s->matter->base, hit.start);
    *first = place_in(&q, hit.start);
    *end = place_in(&q, hit.end);
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

static int is_noisy(State *s) {
    int64_t length;
    const uint32_t *code = base_of(s, &length);
    const uint8_t *kind = kinds_of(s, SEEN_BASE, code, length);
    if (!kind) return -1;
    for (int64_t i = 0; i < length; i++) if (noise_at(kind, code, length, i)) return 1;
    return 0;
}

/* ------------------------------------------------------------------ patterns */

/* True for what may be a digit of any script: no other is one, and nearly all of these are. */
static inline int may_be_digit(uint32_t code) {
    return is_number(code) || (code >= 0x660 && (code < 0x2000 || code > 0x9FFF) && (code < 0x1F000 || code > 0x1FAFF));
}

/* Find the patterns whose necessary strings a text holds. */
static void find_possible(State *s, const uint32_t *code, int64_t length, uint64_t *possible) {
    const Program *p = s->program;
    const Needed *needed = &p->needed;
    const Automaton *a = needed->automaton;
    int32_t *met = s->met, *count = s->groups_met;
    memset(met, 0, 4 * (size_t)needed->count);
    memset(count, 0, 4 * (size_t)p->patterns);
    memset(possible, 0, 8 * ((size_t)p->patterns / 64 + 1));
    int32_t digits = 0, state = 0;
    for (int64_t i = 0; i < length; i++) {
        digits += may_be_digit(code[i]);
        uint32_t symbol = code[i] < CODE_SPACE ? a->symbol[code[i]] : 0;
        if (!symbol) { state = 0; continue; }
        state = step(a, state, symbol);
        for (int32_t t = a->cell[state].out >= 0 ? state : a->cell[state].link; t; t = a->cell[t].link)
            for (int32_t k = needed->groups.start[a->cell[t].out]; k < needed->groups.start[a->cell[t].out + 1]; k++)
                met[needed->groups.item[k]]++;
    }
    for (int32_t g = 0; g < needed->count; g++)
        count[needed->owner[g]] += met[g] + (needed->digit[g] ? digits : 0) >= needed->least[g];
    for (int32_t n = 0; n < p->patterns; n++) if (count[n] == needed->wanted[n]) set_bit(possible, n);
}

/* 1 where a pattern may match a view of the post, 0 where it cannot. */
static int may_match(State *s, int32_t pattern, int view) {
    const Program *p = s->program;
    if (!p->needed.automaton || !p->needed.wanted[pattern]) return 1;
    if (s->possible_stamp[view] != s->stamp) {
        Text text;
        if (text_at(s, view, &text)) return -1;
        find_possible(s, text.code, text.length, s->possible[view]);
        s->possible_stamp[view] = s->stamp;
    }
    return bit(s->possible[view], pattern);
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
static int search(State *s, int32_t pattern, int view, const uint8_t *inside) {
    Found *known = &s->pattern[pattern * SEEN + view];
    if (!inside && known->stamp == s->stamp) {
        int32_t count = hits_of(known);
        if (known->state == 2) return -2;
        if (hits_room(&s->pool, count)) return -1;
        if (count) memcpy(s->pool.hit + s->pool.used, s->kept.hit + known->from, sizeof(Hit) * (size_t)count);
        s->pool.used += count;
        return count;
    }
    int possible = may_match(s, pattern, view);
    if (possible < 0) return -1;
    int32_t count = 0, used = s->pool.used;
    if (possible) {
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
    }
    if (!inside) {
        if (count > 0 && hits_room(&s->kept, count)) return -1;
        if (count > 0) memcpy(s->kept.hit + s->kept.used, s->pool.hit + used, sizeof(Hit) * (size_t)count);
        *known = (Found){s->kept.used, s->kept.used + (count > 0 ? count : 0), count == -2 ? 2 : 1, s->stamp};
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

int by_position(const void *a, const void *b) {
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
