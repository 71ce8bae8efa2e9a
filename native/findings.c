/* Findings: what the rules say of the posts of a batch.

   The references are PostMatcher in moderation/rules/evaluate.py and Ruleset._findings. */

#include "conditions.h"

#define REMARK_WITHIN 60 /* as moderation/rules/evaluate.py has it */
#define LEAST_QUOTED 2
#define MOST_QUOTED 120

/* What is returned; `surface` and `odd` are room for judging frail matches, by policy. */
typedef struct {
    Out bounds, matches, hit_bounds, hits, cues, offers;
    Hit *surface;
    uint8_t *known, *odd;
} Table;

static inline int64_t matches_in(const Table *t) { return (int64_t)(t->matches.used / sizeof(Match)); }
static inline int64_t hits_in(const Table *t) { return (int64_t)(t->hits.used / sizeof(Hit)); }
static inline Match *match_at(const Table *t, int64_t at) { return (Match *)(void *)t->matches.data + at; }
static inline int64_t hits_from(const Table *t, int64_t at) { return ((const int64_t *)(const void *)t->hit_bounds.data)[at]; }
static inline const Hit *hit_at(const Table *t, int64_t at) { return (const Hit *)(const void *)t->hits.data + at; }

static int push_number(Out *out, int64_t number) {
    if (out_reserve(out, 8)) return no_memory();
    PUSH(out, int64_t, number);
    return 0;
}

/* ------------------------------------------------------------------ judging */

/* Say whether a hit of one of some cues is not frail and overlaps none of the loose hits. */
static int agreeing_cue(State *s, int list, const Hit *hit, const uint8_t *loose, int64_t count) {
    const Rows *lists = &s->program->lists;
    for (int32_t k = lists->start[list]; k < lists->start[list + 1]; k++) {
        const Found *found = cue_found(s, lists->item[k]);
        if (!found) return -1;
        for (int32_t h = found->from; h < found->to; h++) {
            Hit one = s->kept.hit[h];
            int agrees = !(one.mark & MARK_FRAIL);
            for (int64_t i = 0; i < count && agrees; i++)
                agrees = !(loose && loose[i]) || one.end <= hit[i].start || hit[i].end <= one.start;
            if (agrees) return 1;
        }
    }
    return 0;
}

/* Say whether something agrees with a match; what a loose hit is made of does not. */
static int second_cue(State *s, int list, const Hit *hit, const uint8_t *loose, int64_t count) {
    const Hit *first = NULL;
    for (int64_t i = 0; i < count; i++) {
        if (hit[i].mark & (MARK_CUE | MARK_FRAIL)) continue;
        if (first && (first->start != hit[i].start || first->end != hit[i].end)) return 1;
        first = &hit[i];
    }
    return agreeing_cue(s, list, hit, loose, count);
}

/* Mark the frail hits whose place no other bold hit is sure of; return how many, -1 for an error. */
static int64_t find_loose(const Hit *hit, int64_t count, uint8_t *loose, int *all_rare) {
    int64_t found = 0;
    *all_rare = 1;
    for (int64_t i = 0; i < count; i++) {
        loose[i] = (hit[i].mark & MARK_FRAIL) != 0;
        for (int64_t k = i; loose[i] && k > 0 && hit[k - 1].start == hit[i].start; k--)
            if (hit[k - 1].end == hit[i].end && MARK_VIEW(hit[k - 1].mark) && !(hit[k - 1].mark & MARK_FRAIL)) loose[i] = 0;
        for (int64_t k = i + 1; loose[i] && k < count && hit[k].start == hit[i].start; k++)
            if (hit[k].end == hit[i].end && MARK_VIEW(hit[k].mark) && !(hit[k].mark & MARK_FRAIL)) loose[i] = 0;
        if (!loose[i]) continue;
        found++;
        *all_rare &= hit[i].mark & MARK_RARE;
    }
    return found;
}

/* Add a rule that holds, whose hits are in the pool: what rests on doubtful hits says less. */
static int add_match(State *s, int32_t number, int bold, Table *t) {
    const Rule *rule = &s->program->rule[number];
    int64_t count = s->pool.used, from = hits_in(t);
    size_t size = sizeof(Hit) * (size_t)count;
    if (out_reserve(&t->hits, size)) return no_memory();
    if (size) memcpy(t->hits.data + t->hits.used, s->pool.hit, size);
    t->hits.used += size;
    int32_t level = rule->level, flags = bold * BOLD_MATCH | (level == NO_LEVEL) * CONTEXT;
    if (bold) {
        uint8_t *loose = malloc((size_t)count + 1);
        if (!loose) return no_memory();
        const Hit *hit = hit_at(t, from);
        int all_rare, agreed = 0;
        int64_t doubted = find_loose(hit, count, loose, &all_rare);
        if (doubted) {
            agreed = second_cue(s, all_rare ? RARE_CUES : FRAIL_CUES, hit, loose, count);
            if (!agreed) flags |= FRAIL_MATCH;
        }
        if (agreed >= 0 && level == s->program->strong) {
            if (!doubted) agreed = second_cue(s, SECOND_CUES, hit, NULL, count);
            if (doubted || !agreed) level--;
        }
        free(loose);
        if (agreed < 0) return -1;
    }
    if (out_reserve(&t->matches, sizeof(Match))) return no_memory();
    PUSH(&t->matches, Match, ((Match){number, level, flags}));
    return push_number(&t->hit_bounds, hits_in(t));
}

/* Say whether two hits read differently in the base view. */
static int differ(const State *s, Hit a, Hit b) {
    int64_t length;
    const uint32_t *code = base_of(s, &length);
    int32_t from_a, to_a, from_b, to_b;
    base_span(s, a, &from_a, &to_a);
    base_span(s, b, &from_b, &to_b);
    int32_t size = to_a > from_a ? to_a - from_a : 0;
    if (size != (to_b > from_b ? to_b - from_b : 0)) return 1;
    return size && memcmp(code + from_a, code + from_b, 4 * (size_t)size) != 0;
}

/* Leave out, of the matches from a number on, what nothing but one doubtful spelling speaks for: one
   stretch that merely sounds like a term is an accident; two different ones are not. */
static void leave_frail(const State *s, Table *t, int64_t from) {
    int64_t to = matches_in(t), kept = from;
    int frail = 0;
    for (int64_t k = from; k < to; k++) frail |= match_at(t, k)->flags & FRAIL_MATCH;
    if (!frail) return;
    memset(t->known, 0, (size_t)s->program->policies);
    memset(t->odd, 0, (size_t)s->program->policies);
    for (int64_t k = from; k < to; k++) {
        int32_t policy = s->program->rule[match_at(t, k)->rule].policy;
        for (int64_t h = hits_from(t, k); h < hits_from(t, k + 1); h++) {
            Hit hit = *hit_at(t, h);
            if (!(hit.mark & MARK_FRAIL)) continue;
            if (!t->known[policy]) t->known[policy] = 1, t->surface[policy] = hit;
            else t->odd[policy] |= (uint8_t)differ(s, t->surface[policy], hit);
        }
    }
    int64_t *bound = (int64_t *)(void *)t->hit_bounds.data;
    Hit *hit = (Hit *)(void *)t->hits.data;
    int64_t begin = bound[from], used = begin;
    for (int64_t k = from; k < to; k++) {
        Match match = *match_at(t, k);
        int64_t end = bound[k + 1];
        if (!(match.flags & FRAIL_MATCH) || t->odd[s->program->rule[match.rule].policy]) {
            memmove(hit + used, hit + begin, sizeof(Hit) * (size_t)(end - begin));
            used += end - begin;
            *match_at(t, kept++) = match;
            bound[kept] = used;
        }
        begin = end;
    }
    t->matches.used = (size_t)kept * sizeof(Match);
    t->hit_bounds.used = (size_t)(kept + 1) * 8;
    t->hits.used = (size_t)used * sizeof(Hit);
}

/* Try rules, ascending, each once; add those that hold. */
static int add_matches(State *s, const int32_t *rule, int64_t count, Table *t) {
    int64_t from = matches_in(t);
    for (int64_t k = 0; k < count; k++) {
        int bold, held = rule_holds(s, rule[k], &bold);
        if (held < 0 || (held && add_match(s, rule[k], bold, t))) return -1;
    }
    leave_frail(s, t, from);
    return 0;
}

/* ------------------------------------------------------------------ contexts and offers */

static int by_number(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int64_t once(int32_t *number, int64_t count) {
    int64_t kept = 0;
    if (count > 1) qsort(number, (size_t)count, 4, by_number);
    for (int64_t k = 0; k < count; k++) if (!kept || number[kept - 1] != number[k]) number[kept++] = number[k];
    return kept;
}

/* Try the context rules that the post's literals may be part of. */
static int add_contexts(State *s, Table *t) {
    const Rows *contexts = &s->program->contexts;
    int64_t count = 0;
    for (int32_t i = 0; i < s->literals; i++) count += contexts->start[s->literal[i] + 1] - contexts->start[s->literal[i]];
    if (!count) return 0;
    int32_t *rule = malloc(4 * (size_t)count);
    if (!rule) return no_memory();
    count = 0;
    for (int32_t i = 0; i < s->literals; i++)
        for (int32_t k = contexts->start[s->literal[i]]; k < contexts->start[s->literal[i] + 1]; k++) rule[count++] = contexts->item[k];
    int failed = add_matches(s, rule, once(rule, count), t);
    free(rule);
    return failed;
}

static const struct {
    uint32_t open, close;
} QUOTES[] = {
    {'\'', '\''}, {'"', '"'}, {0x201C, 0x201D}, {0x300C, 0x300D}, {0x300E, 0x300F}, {0x2018, 0x2019}, {0x3010, 0x3011}, {0x300A, 0x300B},
};

/* Return one past the end of what is quoted from a place on; 0 where nothing is. */
static int64_t quoted_from(State *s, const uint32_t *code, int64_t length, int64_t i) {
    size_t which = 0;
    while (which < sizeof(QUOTES) / sizeof(QUOTES[0]) && QUOTES[which].open != code[i]) which++;
    if (which == sizeof(QUOTES) / sizeof(QUOTES[0])) return 0;
    uint32_t close = QUOTES[which].close;
    int64_t k = i + 1;
    while (k < length && k - i - 1 <= MOST_QUOTED && code[k] != close && code[k] != '\n') k++;
    if (k == length || code[k] != close || k - i - 1 < LEAST_QUOTED || k - i - 1 > MOST_QUOTED) return 0;
    if (close != '\'') return k + 1;
    const uint8_t *kind = kinds_of(s, SEEN_BASE, code, length);
    if (!kind) return -1;
    if (i && code[i - 1] < CODE_SPACE && kind[code[i - 1]] & KIND_LETTER) return 0;
    return k + 1 < length && code[k + 1] < CODE_SPACE && kind[code[k + 1]] & KIND_LETTER ? 0 : k + 1;
}

/* Write down the stretches of the post that are quoted, as places; return how many, -1 for an error. */
static int64_t find_quoted(State *s, Hit *quoted) {
    int64_t length, found = 0;
    const uint32_t *code = base_of(s, &length);
    const int64_t *source = s->matter->base.source + s->matter->base.at[s->post], origin = s->matter->origin[s->post];
    for (int64_t i = 0; i < length;) {
        int64_t end = quoted_from(s, code, length, i);
        if (end < 0) return -1;
        if (!end) { i++; continue; }
        quoted[found++] = (Hit){(int32_t)(source[i] - origin), (int32_t)(source[end - 1] - origin) + 1, 0};
        i = end;
    }
    return found;
}

/* Say whether a cue at a place is the author's own, given what is quoted and the contexts' matches. */
static int is_own(const State *s, Hit hit, const Hit *quoted, int64_t quotes, const Table *t, int64_t from) {
    for (int64_t k = 0; k < quotes; k++) if (quoted[k].start <= hit.start && hit.end <= quoted[k].end) return 0;
    for (int64_t k = from; k < matches_in(t); k++) {
        if (!(s->program->rule[match_at(t, k)->rule].flags & IS_REMARK)) continue;
        for (int64_t h = hits_from(t, k); h < hits_from(t, k + 1); h++) {
            int64_t distance = (int64_t)hit_at(t, h)->start - hit.end;
            if (distance >= 0 && distance <= REMARK_WITHIN) return 0;
        }
    }
    return 1;
}

/* Say whether an offer's cue is the author's own; the contexts are the matches from a number on. */
static int makes_offer(State *s, const Table *t, int64_t from) {
    const Rows *lists = &s->program->lists;
    int64_t length, quotes = -1;
    base_of(s, &length);
    Hit *quoted = NULL;
    int made = 0;
    for (int32_t k = lists->start[OFFER_CUES]; k < lists->start[OFFER_CUES + 1] && !made; k++) {
        const Found *found = cue_found(s, lists->item[k]);
        if (!found) { made = -1; break; }
        if (hits_of(found) && quotes < 0) {
            quoted = malloc(sizeof(Hit) * ((size_t)length / (LEAST_QUOTED + 2) + 1));
            quotes = quoted ? find_quoted(s, quoted) : no_memory();
            if (quotes < 0) { made = -1; break; }
        }
        for (int32_t h = found->from; h < found->to && !made; h++) made = is_own(s, s->kept.hit[h], quoted, quotes, t, from);
    }
    free(quoted);
    return made;
}

/* Set the bit of every cue that the post has: of all of them, or of those that a stance may depend on. */
static int find_cues(State *s, int every, uint64_t *cues) {
    const Rows *lists = &s->program->lists;
    int32_t from = lists->start[STANCE_CUES], count = every ? s->program->cues : lists->start[STANCE_CUES + 1] - from;
    for (int32_t k = 0; k < count; k++) {
        int32_t cue = every ? k : lists->item[from + k];
        const Found *found = cue_found(s, cue);
        if (!found) return -1;
        if (hits_of(found)) *cues |= 1ULL << cue;
    }
    return 0;
}

/* ------------------------------------------------------------------ batches */

/* Add what the rules say of the post that was entered. */
static int add_post(State *s, const int32_t *rule, int64_t count, int wanted, int every, Table *t) {
    uint64_t cues = 0;
    int offers = 0;
    int64_t from = matches_in(t);
    if (add_matches(s, rule, count, t)) return -1;
    int64_t contexts = matches_in(t);
    if (contexts > from || wanted) {
        if (add_contexts(s, t)) return -1;
        int asked = matches_in(t) > contexts || contexts == from; /* otherwise the rules' own stance decides */
        if ((asked || every) && find_cues(s, every, &cues)) return -1;
        if (asked) offers = makes_offer(s, t, contexts);
        if (offers < 0) return -1;
    }
    if (push_number(&t->bounds, matches_in(t)) || push_number(&t->cues, (int64_t)cues)) return -1;
    if (out_reserve(&t->offers, 1)) return no_memory();
    PUSH(&t->offers, uint8_t, offers);
    return 0;
}

enum {
    BOUNDS, LITERAL, START, END, MARK, ORIGIN, BASE, BASE_AT, BASE_SOURCE, BASE_LAST, COMPACT, COMPACT_AT, COMPACT_SOURCE, COMPACT_LAST,
    FIELD_BOUNDS, FIELDS, CANDIDATES, WANTED, BUFFERS
};

/* Numbers that sums and differences of a few of stay far within 64 bits. */
static int are_places(const Py_buffer *buffer) {
    const int64_t *place = buffer->buf;
    int fine = 1;
    for (Py_ssize_t i = 0; i < buffer->len / 8; i++) fine &= place[i] >= 0 && place[i] < INT32_MAX;
    return fine;
}

static int check_view(Py_buffer *b, Py_ssize_t posts) {
    Py_ssize_t codes = b[0].len / 4;
    if (check_offsets(&b[1], &b[0]) || check_array("view offsets", &b[1], 8, posts + 1) || check_array("view source", &b[2], 8, codes) ||
        check_array("view last", &b[3], 8, codes))
        return -1;
    return are_places(&b[2]) && are_places(&b[3]) ? 0 : wrong("views of posts that are there");
}

/* Rows of places, `width` numbers each, of which the last two are a stretch of a post. */
static int check_stretches(const int32_t *start, const int32_t *end, Py_ssize_t rows, Py_ssize_t width, const char *what) {
    int fine = 1;
    for (Py_ssize_t i = 0; i < rows; i++) fine &= start[i * width] >= 0 && end[i * width] >= start[i * width] && end[i * width] < INT32_MAX / 2;
    return fine ? 0 : wrong(what);
}

static int matter_fill(Matter *m, Py_buffer *b) {
    Py_ssize_t posts = b[BOUNDS].len / 8 - 1, rows = b[LITERAL].len / 4, fields = b[FIELDS].len / (Py_ssize_t)sizeof(Field);
    if (check_bounds("bounds", &b[BOUNDS], -1, rows) || check_array("literal", &b[LITERAL], 4, -1) || check_array("start", &b[START], 4, rows) || check_array("end", &b[END], 4, rows) ||
        check_array("mark", &b[MARK], 4, rows) || check_array("posts", &b[ORIGIN], 8, posts + 1) || check_view(&b[BASE], posts) ||
        check_view(&b[COMPACT], posts) ||
        check_stretches(b[START].buf, b[END].buf, rows, 1, "hits that begin before they end"))
        return -1;
    if (!are_places(&b[ORIGIN])) return wrong("posts that begin somewhere");
    if (b[FIELD_BOUNDS].len) {
        if (check_array("fields", &b[FIELDS], 4, 3 * fields) || check_bounds("field bounds", &b[FIELD_BOUNDS], posts + 1, fields) ||
            check_stretches((const int32_t *)b[FIELDS].buf + 1, (const int32_t *)b[FIELDS].buf + 2, fields, 3, "fields that begin before they end"))
            return -1;
        m->field_bound = b[FIELD_BOUNDS].buf;
        m->field = b[FIELDS].buf;
    }
    m->bound = b[BOUNDS].buf;
    m->literal = b[LITERAL].buf, m->start = b[START].buf, m->end = b[END].buf, m->mark = b[MARK].buf;
    m->origin = b[ORIGIN].buf;
    m->base = (Seen){b[BASE].buf, b[BASE_AT].buf, b[BASE_SOURCE].buf, b[BASE_LAST].buf};
    m->compact = (Seen){b[COMPACT].buf, b[COMPACT_AT].buf, b[COMPACT_SOURCE].buf, b[COMPACT_LAST].buf};
    m->posts = posts;
    return 0;
}

/* Pairs of post and rule, posts ascending. */
static int check_candidates(const Program *p, const Matter *m, const Py_buffer *candidates) {
    if (check_array("candidates", candidates, 4, -1)) return -1;
    const int32_t *pair = candidates->buf;
    int fine = candidates->len % 8 == 0;
    for (Py_ssize_t k = 0; fine && k < candidates->len / 8; k++)
        fine = pair[2 * k] >= (k ? pair[2 * k - 2] : 0) && pair[2 * k] < m->posts && within(pair[2 * k + 1], 0, p->rules);
    return fine ? 0 : wrong("candidates: posts of the batch, ascending, and rules of the program");
}

/* Note a post in which patterns ran out of time. */
static int add_late_post(const State *s, PyObject *late) {
    PyObject *one = Py_BuildValue("(Ly#)", (long long)s->post, (const char *)s->late, 4 * (Py_ssize_t)s->lates);
    int failed = !one || PyList_Append(late, one);
    Py_XDECREF(one);
    return failed ? -1 : 0;
}

static int add_posts(State *s, const Py_buffer *candidates, const uint8_t *wanted, int every, Table *t, PyObject *late) {
    const int32_t *pair = candidates->buf;
    int64_t pairs = candidates->len / 8, at = 0;
    int32_t *rule = malloc(4 * (size_t)pairs + 4);
    int failed = rule ? push_number(&t->bounds, 0) || push_number(&t->hit_bounds, 0) : no_memory();
    for (int64_t post = 0; post < s->matter->posts && !failed; post++) {
        int64_t count = 0;
        for (; at < pairs && pair[2 * at] == post; at++) rule[count++] = pair[2 * at + 1];
        failed = state_enter(s, post) || add_post(s, rule, once(rule, count), wanted[post], every, t);
        if (!failed && s->lates) failed = add_late_post(s, late);
        if (!failed && !(post & 255)) failed = PyErr_CheckSignals();
    }
    free(rule);
    return failed ? -1 : 0;
}

/* findings(program, ask, every, bounds int64, literal, start, end, mark int32, posts int64, base uint32,
            base offsets, source, last int64, compact uint32, compact offsets, source, last int64,
            field bounds int64, fields int32, candidates int32, wanted uint8)
     -> bounds int64, matches int32, hit bounds int64, hits int32, cues uint64, offers uint8, late
   Rows of the literals as HitTable has them; where the posts begin; views; rows of name, start and end
   of each field, by post and place, or nothing; pairs of post and rule, by post; posts whose contexts
   are wanted in any case. What is returned is a FindingsTable's; `late` has pairs of post and rules
   (int32, -1 for a cue) whose patterns ran out of time. `ask` has search and kinds: see
   moderation/rules/matching.py. */
PyObject *kernel_findings(PyObject *Py_UNUSED(self), PyObject *args) {
    PyObject *capsule, *ask, *late = NULL, *result = NULL;
    int every;
    Py_buffer b[BUFFERS];
    if (!PyArg_ParseTuple(args, "OOpy*y*y*y*y*y*y*y*y*y*y*y*y*y*y*y*y*y*", &capsule, &ask, &every, &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
                          &b[6], &b[7], &b[8], &b[9], &b[10], &b[11], &b[12], &b[13], &b[14], &b[15], &b[16], &b[17]))
        return NULL;
    Matter m = {0};
    Table t = {0};
    State *s = NULL;
    const Program *p = PyCapsule_GetPointer(capsule, "moderation.program");
    if (!p || matter_fill(&m, b) || check_candidates(p, &m, &b[CANDIDATES]) || check_array("wanted", &b[WANTED], 1, m.posts)) goto done;
    s = malloc(sizeof(State));
    t.surface = malloc(sizeof(Hit) * ((size_t)p->policies + 1));
    t.known = malloc((size_t)p->policies + 1);
    t.odd = malloc((size_t)p->policies + 1);
    late = PyList_New(0);
    if (!s || !t.surface || !t.known || !t.odd || !late) { if (!PyErr_Occurred()) no_memory(); free(s); s = NULL; goto done; }
    if (state_open(s, p, &m, ask) || add_posts(s, &b[CANDIDATES], b[WANTED].buf, every, &t, late)) goto done;
    PyObject *part[] = {out_bytes(&t.bounds), out_bytes(&t.matches), out_bytes(&t.hit_bounds), out_bytes(&t.hits), out_bytes(&t.cues), out_bytes(&t.offers)};
    if (part[0] && part[1] && part[2] && part[3] && part[4] && part[5])
        result = PyTuple_Pack(7, part[0], part[1], part[2], part[3], part[4], part[5], late);
    for (int k = 0; k < 6; k++) Py_XDECREF(part[k]);
done:
    if (s) state_close(s);
    free(s);
    Out *outs[] = {&t.bounds, &t.matches, &t.hit_bounds, &t.hits, &t.cues, &t.offers};
    for (size_t k = 0; k < sizeof(outs) / sizeof(outs[0]); k++) free(outs[k]->data);
    free(t.surface);
    free(t.known);
    free(t.odd);
    Py_XDECREF(late);
    for (int k = 0; k < BUFFERS; k++) PyBuffer_Release(&b[k]);
    return result;
}
