/* Decide: what the rules found, calibrated log-odds and a region's profile to labels and evidence.

   The reference is moderation/decide/decision.py and evidence.py, post by post; the results are the same
   bit for bit. Probabilities come from the C library's exp, which Python's math.exp calls as well. */

#include "decide.h"

#include <math.h>

#define DECIMALS 10000.0

/* An action, the sub-label it is for, and the rule floor behind it (0: none). */
typedef struct {
    int action, sub_label;
    double floor;
} Outcome;

typedef struct {
    int action, sub_label, stance, severity;
    double score, threshold;
} Verdict;

/* ------------------------------------------------------------------ numbers */

/* Return a probability rounded to four decimals as Python rounds it: correctly, and to even in the middle. */
static double rounded(double x) {
    if (!isfinite(x)) return x;
    double steps = rint(x * DECIMALS);
    /* The product is itself rounded; whether the exact one lies beyond a middle, the sign of a fused one says. */
    double above = fma(x, 2 * DECIMALS, -(2 * steps + 1)), below = fma(x, 2 * DECIMALS, -(2 * steps - 1));
    int odd = fmod(steps, 2) != 0;
    if (above > 0 || (above == 0 && odd))
        steps++;
    else if (below < 0 || (below == 0 && odd))
        steps--;
    return steps / DECIMALS;
}

static double probability(double log_odds) {
    if (log_odds >= 0) return 1.0 / (1.0 + exp(-log_odds));
    double grown = exp(log_odds);
    return grown / (1.0 + grown);
}

static int weaker(int action, int limit) { return limit < action ? limit : action; }

static int action_at(double score, const double *point) {
    if (score >= point[2]) return BLOCK;
    return score >= point[1] ? REVIEW : PASS;
}

/* ------------------------------------------------------------------ one policy of one post */

static int level_of(const Match *match) { return match->level == NO_LEVEL ? 0 : match->level; }

static double floor_of(const Decision *d, const Match *match) { return match->level == NO_LEVEL ? 0.0 : d->floor[match->level]; }

static int ceiling_of(const Decision *d, const Match *match) {
    int sub_label = d->rule[match->rule].sub_label;
    return sub_label == NONE ? BLOCK : d->sub_label[sub_label].ceiling;
}

static int always_of(const Decision *d, const Match *match) {
    int sub_label = d->rule[match->rule].sub_label;
    return sub_label == NONE ? NONE : d->sub_label[sub_label].always;
}

/* What one rule brings about by itself. */
static int by_rule(const Decision *d, const Match *match) {
    int action = level_of(match), always = always_of(d, match);
    if (match->level == STRONG && always != NONE) action = always;
    return weaker(action, ceiling_of(d, match));
}

static int64_t strongest_of(const Found *f) {
    int64_t best = f->own[0];
    for (int64_t i = 1; i < f->owns; i++)
        if (level_of(&f->match[f->own[i]]) > level_of(&f->match[best])) best = f->own[i];
    return best;
}

static int widest(const Decision *d, const Found *f, int level) {
    int action = PASS;
    for (int64_t i = 0; i < f->owns; i++) {
        const Match *match = &f->match[f->own[i]];
        int ceiling = ceiling_of(d, match);
        if ((level == NO_LEVEL || match->level == level) && ceiling > action) action = ceiling;
    }
    return action;
}

static int stance_of(const Decision *d, const Found *f, int policy, int offers, int asks) {
    int innocent = NO_STANCE, context = 0;
    for (int64_t i = f->begin; i < f->end; i++) {
        if (!(f->match[i].flags & CONTEXT)) continue;
        const Rule *rule = &d->rule[f->match[i].rule];
        if (rule->policy != policy && rule->policy != ANY) continue;
        context = 1;
        if (rule->stance < innocent) innocent = rule->stance;
    }
    if (context && !offers) return innocent;
    if (f->owns) {
        const Match *best = NULL;
        int offered = 0;
        for (int64_t i = 0; i < f->owns; i++) {
            const Match *match = &f->match[f->own[i]];
            int offer = d->rule[match->rule].stance == OFFER;
            if (best && (match->level < best->level || (match->level == best->level && offer <= offered))) continue;
            best = match;
            offered = offer;
        }
        return context && offers ? OFFER : d->rule[best->rule].stance;
    }
    if (offers) return OFFER;
    return asks ? SEEK : ENGAGE;
}

static double fused_of(const Decision *d, const Match *strongest, int policy, double log_odds, double classifier,
                       const double *point) {
    int level = level_of(strongest);
    double fused = rounded(probability(log_odds + d->weight[policy][level]));
    if (level != STRONG && classifier < point[1]) {
        double most = point[3] > classifier ? point[3] : classifier;
        if (most < fused) fused = most;
    }
    return fused;
}

/* The risk level that the rules behind an action ask for; NONE where none of them does. */
static int severity_of(const Decision *d, const Found *f, int action) {
    int asked = 0, highest = NONE;
    for (int64_t i = 0; i < f->owns; i++) {
        const Match *match = &f->match[f->own[i]];
        if (by_rule(d, match) != action) continue;
        int severity = d->rule[match->rule].severity;
        if (severity != NONE) asked = 1;
        else severity = action + 1; /* pass is low, review medium, block high */
        if (severity > highest) highest = severity;
    }
    return asked ? highest : NONE;
}

static void consider(Outcome *best, int action, int sub_label, double floor) {
    if (action > best->action) *best = (Outcome){action, sub_label, floor};
}

/* The strongest outcome of the rules: of several, one that is always acted on, then of the highest level, then the first. */
static void best_rule(const Decision *d, const Found *f, Outcome *best) {
    const Match *chosen = NULL;
    int action = PASS, rank = NONE;
    for (int64_t i = 0; i < f->owns; i++) {
        const Match *match = &f->match[f->own[i]];
        int own = by_rule(d, match), its = (always_of(d, match) != NONE) * LEVELS + level_of(match);
        if (chosen && (own < action || (own == action && its <= rank))) continue;
        chosen = match;
        action = own;
        rank = its;
    }
    consider(best, action, d->rule[chosen->rule].sub_label, floor_of(d, chosen));
}

/* Decide one policy of one post; return 0 where there is nothing to say. */
static int decide_policy(const Decision *d, const Found *f, int policy, double log_odds, const double *point, int offers,
                         int asks, int model_stance, double likely, Verdict *out) {
    double classifier = rounded(probability(log_odds));
    *out = (Verdict){PASS, NONE, NO_STANCE, NONE, classifier, point[1]};
    if (!f->owns && classifier < point[1]) return 0;
    out->stance = stance_of(d, f, policy, offers, asks);
    const Match *strongest = f->owns ? &f->match[strongest_of(f)] : NULL;
    if (is_innocent(out->stance)) {
        int limit = classifier >= d->escalate[out->stance] ? REVIEW : d->ceiling[out->stance];
        out->action = weaker(strongest ? REVIEW : action_at(classifier, point), limit);
        if (strongest) out->sub_label = d->rule[strongest->rule].sub_label;
        return 1;
    }
    int alone = weaker(action_at(classifier, point), d->alone);
    if (!strongest && model_stance != NO_STANCE && rounded(likely) >= d->stance_at) {
        out->stance = model_stance;
        if (alone > PASS) alone--;
    }
    Outcome best = {alone, NONE, 0.0};
    if (strongest) {
        int sub_label = d->rule[strongest->rule].sub_label;
        double fused = fused_of(d, strongest, policy, log_odds, classifier, point), floor = floor_of(d, strongest);
        out->score = floor > fused ? floor : fused;
        best = (Outcome){NONE, NONE, 0.0};
        best_rule(d, f, &best);
        consider(&best, weaker(action_at(fused, point), widest(d, f, strongest->level)), sub_label, 0.0);
        consider(&best, weaker(action_at(classifier, point), widest(d, f, NO_LEVEL)), sub_label, 0.0);
    }
    out->action = best.action;
    out->sub_label = best.sub_label;
    out->threshold = best.floor != 0.0 ? best.floor : point[best.action == BLOCK ? 2 : 1];
    out->severity = severity_of(d, f, best.action);
    return 1;
}

/* ------------------------------------------------------------------ many posts */

enum {
    BOUNDS, MATCHES, HIT_BOUNDS, HITS, CUES, OFFERS, POSTS, LOG_ODDS, SCORES, LANGUAGES,
    CODES, OFFSETS, KIND, CLASSES, TARGET, STANCE, LIKELY, BUFFERS
};

static int findings_check(const Decision *d, const Py_buffer *b, Py_ssize_t posts) {
    Py_ssize_t matches = b[MATCHES].len / (Py_ssize_t)sizeof(Match), hits = b[HITS].len / (Py_ssize_t)sizeof(Hit);
    if (check_array("matches", &b[MATCHES], 4, matches * 3) || check_array("hits", &b[HITS], 4, hits * 3) ||
        check_bounds("bounds", &b[BOUNDS], posts + 1, matches) || check_bounds("hit bounds", &b[HIT_BOUNDS], matches + 1, hits) ||
        check_array("cues", &b[CUES], 8, posts) || check_array("offers", &b[OFFERS], 1, posts))
        return -1;
    const Match *match = b[MATCHES].buf;
    for (Py_ssize_t i = 0; i < matches; i++) {
        if (!within(match[i].rule, 0, d->rules) || !within(match[i].level, NO_LEVEL, LEVELS))
            return wrong("matches of rules that are there");
        int32_t policy = d->rule[match[i].rule].policy, stance = d->rule[match[i].rule].stance;
        if (match[i].flags & CONTEXT ? !is_innocent(stance) : policy == ANY)
            return wrong("innocent contexts, and a policy for other rules");
    }
    const Hit *hit = b[HITS].buf;
    for (Py_ssize_t i = 0; i < hits; i++)
        if (!within(hit[i].mark, 0, d->marks)) return wrong("hits of known marks");
    return 0;
}

static int decide_check(const Decision *d, const Py_buffer *b) {
    Py_ssize_t posts = b[POSTS].len / 8, all = b[LANGUAGES].len, said = b[STANCE].len ? posts : 0;
    if (check_array("posts", &b[POSTS], 8, posts) || check_array("log-odds", &b[LOG_ODDS], 8, all * POLICIES) ||
        check_array("scores", &b[SCORES], 8, all * POLICIES) || check_offsets(&b[OFFSETS], &b[CODES]) ||
        check_array("offsets", &b[OFFSETS], 8, all + 1) || check_array("kind", &b[KIND], 1, CODE_SPACE) ||
        check_array("classes", &b[CLASSES], 1, CODE_SPACE) || check_array("target", &b[TARGET], 4, CODE_SPACE) ||
        check_array("stance", &b[STANCE], 1, said) || check_array("likely", &b[LIKELY], 8, said) || findings_check(d, b, posts))
        return -1;
    const int64_t *post = b[POSTS].buf;
    const uint8_t *language = b[LANGUAGES].buf, *stance = b[STANCE].buf;
    for (Py_ssize_t i = 0; i < posts; i++)
        if (!within(post[i], 0, all) || language[post[i]] >= d->languages || (said && stance[i] >= STANCES))
            return wrong("posts of the batch, known languages and stances");
    return 0;
}

typedef struct {
    Out labels, numbers, bounds, evidence, spans;
} Columns;

static int add_label(Columns *out, int64_t post, int policy, const Verdict *verdict, int64_t evidence) {
    if (out_reserve(&out->labels, 24) || out_reserve(&out->numbers, 16) || out_reserve(&out->bounds, 8)) return -1;
    int32_t row[6] = {(int32_t)post, policy, verdict->sub_label, verdict->action, verdict->stance, verdict->severity};
    memcpy(out->labels.data + out->labels.used, row, sizeof row);
    out->labels.used += sizeof row;
    PUSH(&out->numbers, double, verdict->score);
    PUSH(&out->numbers, double, verdict->threshold);
    PUSH(&out->bounds, int64_t, evidence);
    return 0;
}

/* Decide every post; `scores` are those of the posts, and take what is decided. */
static int decide_posts(const Decision *d, const Py_buffer *b, int ask, double *scores, int64_t *own, Columns *out) {
    const int64_t *bound = b[BOUNDS].buf, *post = b[POSTS].buf;
    const uint64_t *cues = b[CUES].buf;
    const uint8_t *offers = b[OFFERS].buf, *language = b[LANGUAGES].buf, *stance = b[STANCE].buf;
    const double *log_odds = b[LOG_ODDS].buf, *score = b[SCORES].buf, *likely = b[LIKELY].buf;
    Written written = {b[CODES].buf, b[TARGET].buf, b[OFFSETS].buf, b[KIND].buf, b[CLASSES].buf};
    int said = b[STANCE].len > 0;
    int64_t evidence = 0;
    if (out_reserve(&out->bounds, 8)) return -1;
    PUSH(&out->bounds, int64_t, 0);
    for (Py_ssize_t i = 0; i < b[POSTS].len / 8; i++) {
        Found found = {b[MATCHES].buf, b[HIT_BOUNDS].buf, b[HITS].buf, bound[i], bound[i + 1], own, 0};
        for (int policy = 0; policy < POLICIES; policy++) {
            const double *point = d->points + ((int64_t)language[post[i]] * POLICIES + policy) * POINTS;
            double before = score[post[i] * POLICIES + policy];
            scores[i * POLICIES + policy] = before;
            found.owns = 0;
            for (int64_t m = bound[i]; m < bound[i + 1]; m++)
                if (!(found.match[m].flags & CONTEXT) && d->rule[found.match[m].rule].policy == policy) own[found.owns++] = m;
            if (!found.owns && before < point[0]) continue;
            Verdict verdict;
            int model_stance = said ? stance[i] : NO_STANCE;
            int says = decide_policy(d, &found, policy, log_odds[post[i] * POLICIES + policy], point, offers[i],
                                     ask >= 0 && cues[i] >> ask & 1, model_stance, said ? likely[i] : 0.0, &verdict);
            scores[i * POLICIES + policy] = verdict.score;
            if (!says) continue;
            int64_t more = evidence_of(d, &found, &written, post[i], &out->spans, &out->evidence);
            if (more < 0 || add_label(out, post[i], policy, &verdict, evidence += more)) return -1;
        }
    }
    return 0;
}

/* decide(decision, ask, bounds, matches, hit bounds, hits, cues, offers, posts, log-odds, scores, languages,
          codes, offsets, kind, classes, target, stance, likely)
   -> scores float64, labels int32, numbers float64, bounds int64, evidence int32

   The number of the cue class of questions, or -1; a FindingsTable on some posts; of the whole batch log-odds,
   scores, languages and code points; the fold table; for each of the posts the stance that the model reads in it
   and how likely that is, or nothing. Labels are rows of post, policy, sub-label, action, stance and severity;
   numbers their score and threshold; evidence, from bound to bound, rows of start, end, rule, kind, transforms
   and -1, for no field. */
PyObject *kernel_decide(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer b[BUFFERS];
    PyObject *capsule, *result = NULL, *scores = NULL, *part[4] = {NULL};
    int ask;
    if (!PyArg_ParseTuple(args, "Oiy*y*y*y*y*y*y*y*y*y*y*y*y*y*y*y*y*", &capsule, &ask, &b[0], &b[1], &b[2], &b[3],
                          &b[4], &b[5], &b[6], &b[7], &b[8], &b[9], &b[10], &b[11], &b[12], &b[13], &b[14], &b[15], &b[16]))
        return NULL;
    Columns out = {0};
    int64_t *own = NULL;
    const Decision *d = PyCapsule_GetPointer(capsule, "moderation.decision");
    if (!d || decide_check(d, b)) goto done;
    if (!within(ask, NONE, 64)) { wrong("one of 64 cues, or -1"); goto done; }
    own = malloc(8 * (size_t)(b[MATCHES].len / (Py_ssize_t)sizeof(Match)) + 8);
    scores = PyBytes_FromStringAndSize(NULL, b[POSTS].len * POLICIES);
    if (!own || !scores || decide_posts(d, b, ask, (double *)(void *)PyBytes_AsString(scores), own, &out)) {
        if (!PyErr_Occurred()) PyErr_NoMemory();
        goto done;
    }
    Out *column[4] = {&out.labels, &out.numbers, &out.bounds, &out.evidence};
    int made = 1;
    for (int k = 0; k < 4; k++) made &= (part[k] = out_bytes(column[k])) != NULL;
    if (made) result = PyTuple_Pack(5, scores, part[0], part[1], part[2], part[3]);
done:
    for (int k = 0; k < 4; k++) Py_XDECREF(part[k]);
    Py_XDECREF(scores);
    free(own);
    free(out.labels.data);
    free(out.numbers.data);
    free(out.bounds.data);
    free(out.evidence.data);
    free(out.spans.data);
    for (int k = 0; k < BUFFERS; k++) PyBuffer_Release(&b[k]);
    return result;
}
