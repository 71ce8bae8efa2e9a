/* Whether a hit of a bolder view is one spelling, and how likely ordinary text falls into it. */

#ifndef MODERATION_SPELLING_H
#define MODERATION_SPELLING_H

#include "automaton.h"

/* How a literal may be hidden, as moderation/rules/forms.py has it. */
enum { FOLD_NONE, FOLD_SPLIT, FOLD_JOIN, FOLD_INITIALS, FOLD_WORDS, FOLD_MIRROR, FOLD_ORDER, FOLD_SHAPE, FOLD_LEET, FOLD_HOMOPHONE, FOLDS };

/* What a character is to the eye: bits of a table by code point (moderation/rules/collecting.py). */
#define SIGN_CLAUSE 1
#define SIGN_BRACKET 2
#define SIGN_FULL_STOP 4
#define SIGN_ORDINARY 8
#define SIGN_DOT 16
#define SIGN_DATE 32
#define SIGN_ADDRESS 64
#define SIGN_SPACE 128
#define SIGN_STROKE 256  /* a letter that counts as noise */
#define SIGN_NUMERAL 512 /* a number that does */

enum { SURE, RARE, LIKELY };

/* What spellings are judged by. */
typedef struct {
    Ordinary ordinary;
    const uint16_t *signs;
    Py_ssize_t signed_codes; /* code points that have an entry */
    int32_t *sounding; /* where the characters of each near-homophone class begin, and the end of the last one's */
    uint32_t *sounded; /* characters that ordinary posts hold */
    uint32_t sounds;
} Judge;

/* A hit of a bolder view. */
typedef struct {
    const uint32_t *code; /* its code points in the view */
    const int64_t *first, *last; /* what each of them stands for in the base view */
    int64_t length;
    const uint32_t *base;
    int64_t begin, end; /* of its post in the base view */
} Spelling;

/* Code points. */
typedef struct {
    const uint32_t *code;
    int64_t length;
} Text;

static inline int sign_of(const Judge *j, uint32_t code) { return code < (size_t)j->signed_codes ? j->signs[code] : 0; }

/* What stands in the base view from the first character of a hit to its last. */
static inline Text surface(const Spelling *s) {
    return (Text){s->base + s->first[0], s->last[s->length - 1] - s->first[0] + 1};
}

int judge_sounds(Judge *j, const uint16_t *near);
void judge_free(Judge *j);
int text_holds_letters(Text text);
int is_deliberate(const Spelling *s, const Text *written, int32_t *run, uint8_t *cut, const Judge *j);
int is_spoken(const Spelling *s, int64_t spaces, int ends_in_han, const Judge *j);
int is_chat_word(const Spelling *s, const Judge *j);
int doubt(int fold, Text form, Text written, Text term, int64_t *pairs, const Judge *j);

#endif
