/* Evidence: the stretches of a post that speak for a label, and how they were disguised. */

#include "decide.h"

#define MOST_SPANS 8     /* stretches that a rule gives a post */
#define MOST_EVIDENCE 64 /* stretches of a label */

typedef struct {
    int32_t start, end, rule, kind;
    uint32_t transforms;
    int32_t rank, order;
} Span;

/* The folds without which a stretch would not have been found. */
static uint32_t transforms_of(const Decision *d, const Written *w, const uint32_t *code, int64_t count, uint32_t mark) {
    uint32_t found = mark & TRANSFORMS;
    for (int64_t i = 0; i < count; i++) {
        uint8_t kind = code[i] < CODE_SPACE ? w->kind[code[i]] : 0;
        if (kind && kind < d->kinds) found |= d->kind[kind];
    }
    if (!(mark & SAYS_BOLD)) return found;
    /* Two may be the term's own ("dolls"); three side by side are somebody's doing. */
    uint32_t before = REMOVED;
    int run = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t folded = code[i] < CODE_SPACE ? w->target[code[i]] : REMOVED;
        if (folded >= CODE_SPACE) continue;
        int class = w->class[folded];
        if (!(class & CLASS_WORD)) found |= d->noise;
        run = folded == before && (class & CLASS_WORD) && !(class & CLASS_DIGIT) ? run + 1 : 0;
        if (run == 2) found |= d->repeat;
        before = folded;
    }
    return found;
}

static int by_place(const void *one, const void *other) {
    const Span *a = one, *b = other;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static int64_t clamped(int64_t place, int64_t length) { return place < 0 ? 0 : place > length ? length : place; }

int64_t evidence_of(const Decision *d, const Found *f, const Written *w, int64_t post, Out *spans, Out *out) {
    const uint32_t *code = w->code + w->at[post];
    int64_t length = w->at[post + 1] - w->at[post], written = 0;
    spans->used = 0;
    for (int64_t i = 0; i < f->owns; i++) {
        int64_t row = f->own[i], taken = 0;
        const Rule *rule = &d->rule[f->match[row].rule];
        for (int64_t h = f->hit_at[row]; h < f->hit_at[row + 1] && taken < MOST_SPANS; h++) {
            const Hit *hit = &f->hit[h];
            uint32_t mark = d->mark[hit->mark];
            if (mark & SAYS_CUE) continue;
            int64_t first = clamped(hit->start, length), last = clamped(hit->end, length);
            uint32_t transforms = transforms_of(d, w, code + first, last - first, mark);
            if (out_reserve(spans, sizeof(Span))) return -1;
            int32_t order = (int32_t)(spans->used / sizeof(Span));
            Span span = {hit->start, hit->end, f->match[row].rule, mark & SAYS_REGEX ? 1 : 0, transforms, rule->rank, order};
            PUSH(spans, Span, span);
            taken++;
        }
    }
    Span *span = (Span *)(void *)spans->data;
    int64_t count = (int64_t)(spans->used / sizeof(Span)), group = 0;
    if (count > 1) qsort(span, (size_t)count, sizeof(Span), by_place);
    if (out_reserve(out, sizeof(int32_t[6]) * MOST_EVIDENCE)) return -1;
    for (int64_t i = 0; i < count && written < MOST_EVIDENCE; i++) {
        const Span *s = &span[i], *g = &span[group];
        if (s->start != g->start || s->end != g->end || s->rank != g->rank) group = i;
        int known = 0; /* one rule may have found the same words twice */
        for (int64_t k = group; k < i && !known; k++) known = span[k].kind == s->kind && span[k].transforms == s->transforms;
        if (known) continue;
        int32_t row[6] = {s->start, s->end, s->rule, s->kind, (int32_t)s->transforms, NONE};
        memcpy(out->data + out->used, row, sizeof row);
        out->used += sizeof row;
        written++;
    }
    return written;
}
