"""Resemblance: every pair of texts that say almost the same, found exactly.

Texts are compared by the Jaccard index of their sets of four letters or digits in a row. Two sets
that overlap enough share one of their rarest members, so that only those are looked up (prefix
filter: Chaudhuri, Ganti and Kaushik 2006).
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["grams", "near_duplicates"]

_GRAM: Final = 4


def grams(text: str) -> frozenset[str]:
    """Return a text's runs of four letters or digits, folded; what lies between does not count.

    A shorter text is one run; a text without any is its own, so that emoji resemble themselves.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    letters = "".join(filter(str.isalnum, folded)) or folded
    return frozenset(letters[at : at + _GRAM] for at in range(max(len(letters) - _GRAM + 1, 1)))


def near_duplicates(texts: Sequence[str], least: float) -> list[tuple[int, int, float]]:
    """Return for each text that resembles an earlier one: both positions, and how much.

    Of several earlier ones it is the one it resembles most, and the first of those.

    Args:
        texts: the texts.
        least: Jaccard index from which texts resemble one another, over 0.
    """
    sets = [grams(text) for text in texts]
    common = Counter(gram for own in sets for gram in own)
    index: dict[str, list[int]] = {}
    found: list[tuple[int, int, float]] = []
    for number, own in enumerate(sets):
        rarest = sorted(own, key=lambda gram: (common[gram], gram))
        prefix = rarest[: len(own) - math.ceil(least * len(own)) + 1]
        candidates = sorted({other for gram in prefix for other in index.get(gram, ())})
        best = max(candidates, key=lambda other: _jaccard(own, sets[other]), default=None)
        if best is not None and _jaccard(own, sets[best]) >= least:
            found.append((number, best, _jaccard(own, sets[best])))
        for gram in prefix:
            index.setdefault(gram, []).append(number)
    return found


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
