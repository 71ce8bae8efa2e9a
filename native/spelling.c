/* Spelling: evaded spellings told from words that merely touch once the noise is gone.

   moderation/rules/spelling.py and moderation/rules/chance.py are the references, and say why. */

#include "spelling.h"

#define MAX_GAP 6
#define MIN_REPEAT 3
#define NEIGHBOURS 4
#define MAX_LETTERS 2
#define LEAST_KNOWN 2
#define COMMON_PAIR 100
#define COMMON_WORD 3
#define COMMON_LATIN 30
#define PAIR 2
#define LEAST_PINYIN 5
#define AMONG_HAN 1
#define HASH_START 2166136261u

static int class_at(const Judge *j, uint32_t code) { return class_of(j->ordinary.class, code); }

static int is_border(const Judge *j, uint32_t code) { return sign_of(j, code) & (SIGN_SPACE | SIGN_CLAUSE | SIGN_BRACKET); }

/* What stands between character k of a hit and the next. */
static Text gap_after(const Spelling *s, int64_t k) {
    int64_t from = s->last[k] + 1, to = s->first[k + 1];
    return (Text){s->base + from, to > from ? to - from : 0};
}

/* The class of what character k of a hit begins with in the base view. */
static int kind_of(const Spelling *s, int64_t k, const Judge *j) { return class_at(j, s->base[s->first[k]]); }

static int any_sign(Text text, int signs, const Judge *j) {
    for (int64_t i = 0; i < text.length; i++) if (sign_of(j, text.code[i]) & signs) return 1;
    return 0;
}

static int all_signs(Text text, int signs, const Judge *j) {
    for (int64_t i = 0; i < text.length; i++) if (!(sign_of(j, text.code[i]) & signs)) return 0;
    return 1;
}

static int is_one(Text text, uint32_t code) { return text.length == 1 && text.code[0] == code; }

static uint32_t hash_of(Text text, uint32_t hash) {
    for (int64_t i = 0; i < text.length; i++) hash = ordinary_step(hash, text.code[i]);
    return hash;
}

/* Ordinary posts in a million that hold the string of a key. */
static int rate_of(const Judge *j, uint32_t key) {
    int64_t at = ordinary_find(&j->ordinary, key);
    return at < 0 ? 0 : j->ordinary.often[at];
}

/* Return how many ASCII letters and digits a text holds. */
int text_holds_letters(Text text) {
    int found = 0;
    for (int64_t i = 0; i < text.length; i++) {
        uint32_t c = text.code[i];
        found += is_letter(c) || is_number(c) || (c >= 'A' && c <= 'Z');
    }
    return found;
}

static int ends_clause(Text gap, const Judge *j) {
    return gap.length > 1 && sign_of(j, gap.code[0]) & SIGN_CLAUSE && all_signs((Text){gap.code + 1, gap.length - 1}, SIGN_SPACE, j);
}

/* ------------------------------------------------------------------ deliberate spellings */

/* Say how a compact form spells a term: for each of its characters the run of the term that it stands for, and
   whether the term itself has a gap after it. Returns how many characters there are, and adds up the gaps. */
static int64_t shape(const Text *term, const Spelling *s, const Judge *j, int32_t *run, uint8_t *cut, int64_t *breaks) {
    int64_t runs = 0;
    memset(cut, 0, (size_t)s->length);
    for (int64_t i = 0; i < term->length; i++) {
        uint32_t c = term->code[i];
        if (!(class_at(j, c) & CLASS_WORD)) {
            if (runs && !cut[runs - 1]) cut[runs - 1] = 1, ++*breaks;
        } else if (runs < s->length && s->code[runs] == c) {
            run[runs++] = 1;
        } else if (runs) {
            run[runs - 1]++;
        }
    }
    return runs;
}

/* Say whether letters are repeated as the term has them, or often enough to be meant. */
static int runs_fit(const Spelling *s, const int32_t *run) {
    int doubled = s->length > 1, fits = 1;
    for (int64_t k = 0; k < s->length; k++) {
        int64_t found = s->last[k] - s->first[k] + 1, wanted = run ? run[k] : 1;
        doubled &= found >= 2 * wanted;
        fits &= found == wanted || (found >= MIN_REPEAT && found >= wanted);
    }
    return doubled | fits;
}

/* Say whether one gap may lie inside a word that is not spaced out letter by letter. */
static int gap_fits(Text gap, int before, int after, int64_t cuts, const Judge *j) {
    int both = before & after;
    if (both & CLASS_LATIN) return cuts > 1 || !all_signs(gap, SIGN_ORDINARY | SIGN_SPACE, j);
    if (both & CLASS_DIGIT) return 0;
    if (both & CLASS_HAN) return !any_sign(gap, SIGN_FULL_STOP, j) && text_holds_letters(gap) <= MAX_LETTERS;
    return !any_sign(gap, SIGN_CLAUSE, j);
}

/* Say whether the gaps inside one word of a term, its characters from..to, look like one spelling. `cuts` counts
   those of the whole term. */
static int word_fits(const Spelling *s, int64_t from, int64_t to, int64_t cuts, const Judge *j) {
    int64_t gaps = 0, longest = 0, begun = from;
    int latin = 1, rarest = INT32_MAX, spaces = 1;
    for (int64_t k = from; k <= to; k++) latin &= kind_of(s, k, j) & CLASS_LATIN;
    for (int64_t k = from; k < to; k++) {
        Text gap = gap_after(s, k);
        gaps += gap.length > 0;
        spaces &= !gap.length || is_one(gap, ' ');
    }
    if (!gaps || (gaps == to - from && gaps > 1)) return 1;
    if (latin) {
        for (int64_t k = from; k <= to; k++) {
            if (k < to && !gap_after(s, k).length) continue;
            Text piece = {s->code + begun, k + 1 - begun};
            int rate = rate_of(j, hash_of(piece, HASH_START));
            if (rate < rarest) rarest = rate;
            if (piece.length > longest) longest = piece.length;
            begun = k + 1;
        }
        /* Two words that happen to make a third are words; the halves of one are not. */
        if (!rarest || j->ordinary.count < LEAST_KNOWN) return 1;
        if (spaces) return cuts > 1 && longest < 3;
    }
    for (int64_t k = from; k < to; k++) {
        Text gap = gap_after(s, k);
        if (gap.length && !gap_fits(gap, kind_of(s, k, j), kind_of(s, k + 1, j), cuts, j)) return 0;
    }
    return 1;
}

/* Say whether a form found in the compact view is one spelling and not two neighbours; -1 where it is no spelling of
   what is written. `written` is NULL in the shape view: classes of look-alikes stand for its characters, one for one.
   `run` and `cut` have room for what is found. */
int is_deliberate(const Spelling *s, const Text *written, int32_t *run, uint8_t *cut, const Judge *j) {
    int64_t n = s->length, breaks = 0, gaps = 0;
    if (!written) memset(cut, 0, (size_t)n);
    else if (shape(written, s, j, run, cut, &breaks) != n) return -1;
    if (!runs_fit(s, written ? run : NULL)) return 0;
    int borders = 0, han = 0, letters = 0, dots = 1, same = 1;
    for (int64_t k = 0; k + 1 < n; k++) {
        same &= s->code[k + 1] == s->code[0];
        Text gap = gap_after(s, k);
        if (!gap.length) continue;
        if (cut[k]) {
            if (ends_clause(gap, j)) return 0;
            continue;
        }
        gaps++;
        if (gap.length > MAX_GAP) return 0;
        for (int64_t i = 0; i < gap.length && !is_one(gap, '.'); i++) borders |= is_border(j, gap.code[i]) != 0;
        dots &= gap.length == 1 && sign_of(j, gap.code[0]) & SIGN_DOT;
        letters |= text_holds_letters(gap) > 0;
        han |= kind_of(s, k, j) & kind_of(s, k + 1, j) & CLASS_HAN;
    }
    Text whole = surface(s);
    if (same && !dots) return 0; /* [love][love] */
    if (letters && (sign_of(j, whole.code[0]) | sign_of(j, whole.code[whole.length - 1])) & SIGN_DATE) return 0;
    if (gaps == n - 1 - breaks && gaps > 1) return 1; /* spaced out letter by letter */
    if (borders && han && is_bound(s->base, s->first[0], s->last[n - 1], s->begin, s->end, &j->ordinary)) return 0;
    int64_t from = 0;
    for (int64_t k = 0; k < n; k++) {
        if (!cut[k] && k + 1 < n) continue;
        if (!word_fits(s, from, k, gaps, j)) return 0;
        from = k + 1;
    }
    return 1;
}

/* ------------------------------------------------------------------ sounds and initials */

/* Say whether a literal found in the sound view is one spelling; `spaces` counts its own, `ends_in_han` its last character. */
int is_spoken(const Spelling *s, int64_t spaces, int ends_in_han, const Judge *j) {
    int64_t gaps = 0;
    int plain = 1, latin = 1, fits = 1, border = 0;
    for (int64_t k = 0; k + 1 < s->length; k++) {
        Text gap = gap_after(s, k);
        if (!gap.length) continue;
        gaps++;
        plain &= is_one(gap, ' ');
        latin &= class_at(j, s->base[s->last[k]]) & class_at(j, s->base[s->first[k + 1]]) & CLASS_LATIN;
        fits &= gap.length <= MAX_GAP && !ends_clause(gap, j);
        border |= any_sign(gap, SIGN_SPACE | SIGN_CLAUSE, j);
    }
    if (!gaps) return 1;
    if (plain && spaces == gaps) return 1; /* the term's own words */
    if (plain && latin) return ends_in_han; /* pinyin, a word a syllable */
    if (!fits) return 0;
    return (gaps == s->length - 1 && gaps > 1) || !border;
}

/* Say whether initials stand in Chinese and not in a name, an address or English. */
int is_chat_word(const Spelling *s, const Judge *j) {
    int64_t first = s->first[0], last = s->last[s->length - 1];
    if (last - first + 1 != s->length) return 0;
    int64_t from = first - NEIGHBOURS > s->begin ? first - NEIGHBOURS : s->begin;
    int64_t to = last + 1 + NEIGHBOURS < s->end ? last + 1 + NEIGHBOURS : s->end;
    int han = 0;
    for (int64_t i = from; i < to; i++) {
        if (i >= first && i <= last) continue;
        int kind = class_at(j, s->base[i]);
        int beside = i == first - 1 || i == last + 1;
        if (beside && (kind & (CLASS_LATIN | CLASS_DIGIT) || sign_of(j, s->base[i]) & SIGN_ADDRESS)) return 0;
        han |= kind & CLASS_HAN;
    }
    return han != 0;
}

/* ------------------------------------------------------------------ chance */

/* Say whether a text holds another one. */
static int holds(Text text, Text part) {
    for (int64_t i = 0; i + part.length <= text.length; i++)
        if (!memcmp(text.code + i, part.code, 4 * (size_t)part.length)) return 1;
    return 0;
}

/* Say whether two characters that are not the term's own are an ordinary word. */
static int holds_word(Text written, Text term, const Judge *j) {
    for (int64_t i = 0; i + 1 < written.length; i++) {
        Text pair = {written.code + i, 2};
        if (!holds(term, pair) && rate_of(j, hash_of(pair, HASH_START)) >= COMMON_WORD) return 1;
    }
    return 0;
}

static int in_word(const Judge *j, uint32_t code) {
    return class_at(j, code) & CLASS_WORD || sign_of(j, code) & (SIGN_STROKE | SIGN_NUMERAL);
}

/* Say whether what is written as pinyin may be a name, a sigh, English, or a word beside other characters. */
static int pinyin_by_chance(Text written, Text term, const Judge *j) {
    const uint32_t *code = written.code;
    int64_t parts = 0, letters = 0;
    for (int64_t i = 0, stop = 0; i < written.length; i = stop) {
        int han = class_at(j, code[i]) & CLASS_HAN;
        while (stop < written.length && (class_at(j, code[stop]) & CLASS_HAN) == han) stop++;
        parts++;
        if (han && !holds(term, (Text){code + i, stop - i})) return 1;
        for (int64_t k = i; k < stop && !han; k++) { /* what ends a word is part of none */
            Text word = {code + k, 0};
            for (; k < stop && in_word(j, code[k]); k++, word.length++)
                if (class_at(j, code[k]) & CLASS_DIGIT || sign_of(j, code[k]) & SIGN_NUMERAL) return 1;
            letters += word.length;
            if (word.length && rate_of(j, hash_of(word, ordinary_step(HASH_START, AMONG_HAN))) >= COMMON_LATIN) return 1;
        }
    }
    return letters < (parts == 1 ? LEAST_PINYIN : PAIR);
}

/* Say whether letters or digits stand in fewer than every gap, or beside other characters. */
static int noise_by_chance(Text written, Text term, const Judge *j) {
    int64_t plain = 0;
    int whole = 1, even = 1, own = 1;
    for (int64_t i = 0; i < written.length; i++) {
        int kind = class_at(j, written.code[i]);
        if (!(kind & CLASS_HAN)) {
            whole &= (kind & (CLASS_LATIN | CLASS_DIGIT)) != 0;
            continue;
        }
        even &= i % 2 == 0;
        own &= plain < term.length && term.code[plain] == written.code[i];
        plain++;
    }
    return !(whole && even && written.length == 2 * plain - 1 && own && plain == term.length && plain > PAIR);
}

/* Gather the characters that ordinary posts hold by how they sound; `near` holds the near-homophone class of every
   code point, plus one. -1 where there is no memory for it. */
int judge_sounds(Judge *j, const uint16_t *near) {
    uint32_t sounds = 0, held = 0;
    for (uint32_t c = 0; c < CODE_SPACE; c++) if (near[c] > sounds) sounds = near[c];
    j->sounding = calloc((size_t)sounds + 2, 4);
    j->sounded = malloc(4 * (size_t)j->ordinary.count + 4);
    uint32_t *found = malloc(4 * (size_t)j->ordinary.count + 4);
    if (!j->sounding || !j->sounded || !found) { free(found); return -1; }
    for (uint32_t c = 0; c < CODE_SPACE; c++) {
        if (!near[c] || held == j->ordinary.count || ordinary_find(&j->ordinary, ordinary_step(HASH_START, c)) < 0) continue;
        found[held++] = c;
        j->sounding[near[c] + 1]++;
    }
    int32_t *at = j->sounding + 1; /* moves from where a class begins to where it ends */
    for (uint32_t n = 1; n <= sounds; n++) at[n] += at[n - 1];
    for (uint32_t k = 0; k < held; k++) j->sounded[at[near[found[k]] - 1]++] = found[k];
    free(found);
    j->sounds = sounds;
    return 0;
}

void judge_free(Judge *j) {
    free(j->sounding);
    free(j->sounded);
}

static Text sounding(const Judge *j, uint32_t code) {
    if (code < SYLLABLES || code - SYLLABLES >= j->sounds) return (Text){j->sounded, 0};
    const int32_t *at = j->sounding + (code - SYLLABLES);
    return (Text){j->sounded + at[0], at[1] - at[0]};
}

/* Return the ordinary posts in a million that hold a pair of two sounds, added up over all such pairs. */
static int64_t pair_rate(const uint32_t *form, const Judge *j) {
    Text first = sounding(j, form[0]), second = sounding(j, form[1]);
    int64_t found = 0;
    for (int64_t a = 0; a < first.length; a++) {
        uint32_t hash = ordinary_step(HASH_START, first.code[a]);
        for (int64_t b = 0; b < second.length; b++) found += rate_of(j, ordinary_step(hash, second.code[b]));
    }
    return found;
}

/* Say how likely ordinary text is to fall into a frail spelling by itself: a form of so many characters, of a term.
   `pairs` is the pair_rate of a form of two sounds, -1 where it is not known yet. */
int doubt(int fold, Text form, Text written, Text term, int64_t *pairs, const Judge *j) {
    int han = 1;
    for (int64_t i = 0; i < written.length; i++) han &= (class_at(j, written.code[i]) & CLASS_HAN) != 0;
    if (fold == FOLD_HOMOPHONE && han && form.length == PAIR) {
        if (*pairs < 0) *pairs = pair_rate(form.code, j);
        return *pairs - rate_of(j, hash_of(term, HASH_START)) >= COMMON_PAIR ? LIKELY : RARE;
    }
    if (fold == FOLD_HOMOPHONE && han) return holds_word(written, term, j) ? LIKELY : RARE;
    if (fold == FOLD_HOMOPHONE) return pinyin_by_chance(written, term, j) ? LIKELY : SURE;
    if (fold == FOLD_SHAPE) return han || noise_by_chance(written, term, j) ? LIKELY : SURE;
    if (fold == FOLD_ORDER && han && form.length > PAIR) return holds_word(written, term, j) ? LIKELY : RARE;
    return LIKELY;
}
