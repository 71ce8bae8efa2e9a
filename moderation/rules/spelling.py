"""Tell an evaded spelling from words that merely touch once the noise is gone.

In the `compact` view "c.a.s.i.n.o" is casino, but so is the end of one clause beside the start of
the next. A person spots the difference by how the letters are separated; so does this module.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_DIGIT, CLASS_HAN, CLASS_LATIN, CLASS_WORD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable, View
    from moderation.text.ordinary import Ordinary

__all__ = [
    "SIGNS",
    "STRONG_BOND",
    "WEAK_BOND",
    "holds_letters",
    "is_bound",
    "is_chat_word",
    "is_deliberate",
    "is_spoken",
]

STRONG_BOND: Final = 20
"""Ordinary posts in a million in which two characters stand side by side: surely one word."""
WEAK_BOND: Final = 10
"""The same, where both edges of a stretch are so bound to what is outside of it."""
_BRACKETS: Final = frozenset("[]()#@")
_FULL_STOPS: Final = frozenset("。！？")
_CLAUSE: Final = frozenset("。！？；，、：,.!?;:\n…")
_ORDINARY: Final = frozenset(".,;:!?/'’\"-()&+@%=<>[]{}“”‘’—–")
"""Marks that ordinary writing puts between Latin letters."""
_MAX_GAP: Final = 6
_MIN_REPEAT: Final = 3
_DOTS: Final = frozenset(".·•*-_|~")
_NEIGHBOURS: Final = 4
_MAX_LETTERS: Final = 2
_LEAST_KNOWN: Final = 2
"""A table smaller than this knows no words at all."""
_DATES: Final = frozenset("年月日号时点分秒楼室层区栋")
_ADDRESS: Final = frozenset("/@._-#=?&%:~")
_SPACES: Final = frozenset(
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What `str.isspace` is true for."""
SIGNS: Final = (
    _CLAUSE, _BRACKETS, _FULL_STOPS, _ORDINARY, _DOTS, _DATES, _ADDRESS, _SPACES,
)  # fmt: skip
"""What characters are to the eye: the index is a bit of the kernel's table (native/spelling.h)."""


def is_bound(
    base: View,
    classes: NDArray[np.uint8],
    ordinary: Ordinary,
    post: int,
    first: int,
    last: int,
) -> bool:
    """Say whether the edges of a stretch of the base view belong to words outside of it.

    Args:
        base: the base view.
        classes: uint8, shape (0x110000,): character classes.
        ordinary: what ordinary posts are made of.
        post: index of the post.
        first: first code point of the stretch.
        last: last code point of it.
    """

    def bond(at: int) -> int:
        pair = base.codepoints[at : at + 2]
        if not (classes[pair] & CLASS_HAN).all():
            return 0
        return ordinary.per_million(pair.tobytes().decode("utf-32-le"))

    left = bond(first - 1) if first > base.offsets[post] else 0
    right = bond(last) if last + 1 < base.offsets[post + 1] else 0
    return max(left, right) >= STRONG_BOND or min(left, right) >= WEAK_BOND


def is_deliberate(
    written: str,
    view: View,
    base: View,
    table: FoldTable,
    ordinary: Ordinary,
    start: int,
    end: int,
) -> bool:
    """Say whether a form found in the compact view is one spelling and not two neighbours.

    Args:
        written: the form, with the gaps that belong to it.
        view: the compact view, or the shape view.
        base: the base view it was made from.
        table: the fold table, for character classes.
        ordinary: what ordinary posts are made of.
        start: first code point of the hit in `view`.
        end: one past the last.
    """
    firsts = view.base_first[start:end].tolist()
    lasts = view.base_last[start:end].tolist()
    offset = firsts[0]
    text = base.codepoints[offset : lasts[-1] + 1].tobytes().decode("utf-32-le")
    form = view.codepoints[start:end].tobytes().decode("utf-32-le")
    # Classes of look-alikes stand for the characters of the shape view, one for one.
    runs, breaks = (
        ([1] * len(form), set()) if view.name == "shape" else _shape(written, form, table)
    )
    if not _runs_fit(runs, [b - a + 1 for a, b in zip(firsts, lasts, strict=True)]):
        return False
    every = {
        k: text[a + 1 - offset : b - offset]
        for k, (a, b) in enumerate(zip(lasts[:-1], firsts[1:], strict=True))
        if b > a + 1
    }
    kinds = table.classes[base.codepoints[view.base_first[start:end]]].tolist()
    if any(k in breaks and _ends_clause(gap) for k, gap in every.items()):
        return False
    gaps = {k: gap for k, gap in every.items() if k not in breaks}
    if any(len(gap) > _MAX_GAP for gap in gaps.values()):
        return False
    borders = any(gap != "." and any(map(_is_border, gap)) for gap in gaps.values())
    if len(set(form)) == 1 and not all(gap in _DOTS for gap in gaps.values()):
        return False  # [love][love]
    if any(holds_letters(gap) for gap in gaps.values()) and _DATES & {text[0], text[-1]}:
        return False
    if len(gaps) == len(form) - 1 - len(breaks) > 1:
        return True  # spaced out letter by letter
    if borders and any(kinds[k] & kinds[k + 1] & CLASS_HAN for k in gaps):
        post = int(np.searchsorted(base.offsets, offset, "right")) - 1
        if is_bound(base, table.classes, ordinary, post, offset, lasts[-1]):
            return False
    pieces = pairwise([-1, *sorted(breaks), len(form) - 1])
    cuts = len(gaps)
    return all(
        _word_fits(
            form[a + 1 : b + 1],
            kinds[a + 1 : b + 1],
            {k - a - 1: g for k, g in gaps.items() if a < k < b},
            cuts,
            ordinary,
        )
        for a, b in pieces
    )


def _is_border(char: str) -> bool:
    """True for what ordinary writing sets between two words or clauses."""
    return char in _SPACES or char in _CLAUSE or char in _BRACKETS


def _runs_fit(wanted: list[int], found: list[int]) -> bool:
    """Say whether letters are repeated as the term has them, or often enough to be meant."""
    pairs = list(zip(wanted, found, strict=True))
    if len(pairs) > 1 and all(length >= 2 * want for want, length in pairs):
        return True  # every letter doubled
    return all(
        length == want or (length >= _MIN_REPEAT and length >= want) for want, length in pairs
    )


def is_spoken(
    literal: Literal, view: View, base: View, table: FoldTable, start: int, end: int
) -> bool:
    """Say whether a literal found in the sound view is one spelling and not two neighbours.

    Args:
        literal: what was found.
        view: the sound view.
        base: the base view it was made from.
        table: the fold table, for character classes.
        start: first code point of the hit in `view`.
        end: one past the last.
    """
    firsts = view.base_first[start + 1 : end].tolist()
    lasts = view.base_last[start : end - 1].tolist()
    cuts = [(a, b) for a, b in zip(lasts, firsts, strict=True) if b > a + 1]
    gaps = [base.codepoints[a + 1 : b].tobytes().decode("utf-32-le") for a, b in cuts]
    if not gaps:
        return True
    if all(gap == " " for gap in gaps):
        if literal.base.count(" ") == len(gaps):
            return True  # the term's own words
        edges = table.classes[base.codepoints[np.array(cuts).ravel()]]
        if (edges & CLASS_LATIN).all():  # pinyin, a word a syllable
            return bool(table.classes[ord(literal.base[-1])] & CLASS_HAN)
    if any(len(gap) > _MAX_GAP or _ends_clause(gap) for gap in gaps):
        return False
    if len(gaps) == end - start - 1 > 1:
        return True  # spaced out
    return not any(any(c in _SPACES or c in _CLAUSE for c in gap) for gap in gaps)


def is_chat_word(view: View, base: View, table: FoldTable, start: int, end: int) -> bool:
    """Say whether initials stand in Chinese and not in a name, an address or English.

    Args:
        view: the compact view.
        base: the base view it was made from.
        table: the fold table, for character classes.
        start: first code point of the hit in `view`.
        end: one past the last.
    """
    first, last = int(view.base_first[start]), int(view.base_last[end - 1])
    if last - first + 1 != end - start:
        return False
    post = int(np.searchsorted(base.offsets, first, "right")) - 1
    begin, stop = int(base.offsets[post]), int(base.offsets[post + 1])
    before = base.codepoints[max(begin, first - _NEIGHBOURS) : first]
    after = base.codepoints[last + 1 : min(stop, last + 1 + _NEIGHBOURS)]
    around = before.tobytes().decode("utf-32-le")[-1:] + after.tobytes().decode("utf-32-le")[:1]
    if any(c in _ADDRESS or table.classes[ord(c)] & (CLASS_LATIN | CLASS_DIGIT) for c in around):
        return False
    return bool(
        (table.classes[before] & CLASS_HAN).any() or (table.classes[after] & CLASS_HAN).any()
    )


def _ends_clause(gap: str) -> bool:
    """True for a comma or full stop as ordinary writing sets it: with a space or line after."""
    return len(gap) > 1 and gap[0] in _CLAUSE and all(c in _SPACES for c in gap[1:])


def _word_fits(
    form: str, kinds: list[int], gaps: dict[int, str], cuts: int, ordinary: Ordinary
) -> bool:
    """Say whether the gaps inside one word of a term look like one spelling.

    `cuts` counts the gaps inside words of the whole term: the more, the less an accident.
    """
    if not gaps or len(gaps) == len(kinds) - 1 > 1:
        return True
    bounds = list(pairwise([-1, *sorted(gaps), len(kinds) - 1]))
    pieces = [form[a + 1 : b + 1] for a, b in bounds]
    if all(kind & CLASS_LATIN for kind in kinds):
        # Two words that happen to make a third are words; the halves of one are not.
        if min(map(ordinary.per_million, pieces)) == 0 or len(ordinary) < _LEAST_KNOWN:
            return True
        if all(gap == " " for gap in gaps.values()):
            return cuts > 1 and max(map(len, pieces)) < 3
    return all(_gap_fits(gap, kinds[k], kinds[k + 1], cuts) for k, gap in gaps.items())


def _shape(term: str, form: str, table: FoldTable) -> tuple[list[int], set[int]]:
    """Say how a compact form spells a term.

    Returns:
        For each character of the form the run of the term it stands for, and the indices after
        which the term itself has a gap.
    """
    runs: list[int] = []
    breaks: set[int] = set()
    for char in term:
        classes = table.classes[ord(char)]
        if not classes & CLASS_WORD:
            if runs:
                breaks.add(len(runs) - 1)
        elif len(runs) < len(form) and form[len(runs)] == char:
            runs.append(1)
        elif runs:
            runs[-1] += 1
    return runs, breaks


def _gap_fits(gap: str, before: int, after: int, cuts: int) -> bool:
    """Say whether one gap may lie inside a word that is not spaced out letter by letter.

    Between Han characters it may, unless a sentence ends there.
    """
    if before & after & CLASS_LATIN:
        return cuts > 1 or not all(c in _ORDINARY or c in _SPACES for c in gap)
    if before & after & CLASS_DIGIT:
        return False
    if before & after & CLASS_HAN:
        return not any(c in _FULL_STOPS for c in gap) and holds_letters(gap) <= _MAX_LETTERS
    return not any(c in _CLAUSE for c in gap)


def holds_letters(gap: str) -> int:
    """Return how many ASCII letters and digits stand in a gap."""
    return sum(1 for c in gap if c.isalnum() and c.isascii())
