"""Leet: words in which digits, symbols or letters of another script stand for Latin letters.

A glyph may stand for several letters (1 for i and l, и for n and i), so a word is read as the
known word that it can be. One that can be none stays as it is.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from moderation.text.fold import CLASS_LATIN, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch
    from moderation.text.fold import FoldTable

__all__ = ["ALIKE", "GLYPHS", "SCRIPTS", "SURELY", "Known", "outline", "plain_letters"]

GLYPHS: Final = {
    "0": "o", "1": "il", "!": "il", "|": "li", "2": "zs", "3": "e", "€": "e", "4": "a", "@": "a",
    "5": "s", "$": "s", "6": "gb", "7": "t", "+": "t", "8": "b", "9": "g", "(": "c",
}  # fmt: skip
"""Digits and symbols, and what each may stand for, the commonest first."""
SCRIPTS: Final = {
    "и": "ni", "й": "ni", "н": "hn", "г": "rg", "я": "ra", "ч": "yh", "ц": "un", "ш": "ws",
    "з": "ze", "ς": "cs", "μ": "mu", "Σ": "se", "λ": "la", "Λ": "av", "η": "nh", "ή": "nh",
    "σ": "os", "ξ": "ez", "ψ": "wy", "υ": "uy", "ν": "vn", "р": "pr", "в": "bv", "с": "cs",
    "у": "yu", "х": "xh",
}  # fmt: skip
"""Letters of other scripts that are read as several Latin ones; the first is the fold's own."""
_ADDRESS: Final = frozenset("/=&?%_")
_LONGEST: Final = 24
_MOST_WAYS: Final = 64
_SHORTEST: Final = 3
_LONG: Final = 5
SURELY: Final = 1 << 20
"""How well a word is known that the rules themselves name: better than any ordinary one."""
_TOKEN: Final = re.compile(r"(?<![a-z])[a-z0-9!|@$€+(]*[0-9!|@$€+(][a-z0-9!|@$€+(]*(?<![!|(])")
_MEANT: Final = re.compile(r"[a-z][0-9!|@$€+(]+[a-z]|[@$]")
"""What only leet holds, of ASCII alone."""
_ASCII: Final = 128
_ENOUGH: Final = 2
"""Words of a post that are surely leet, for its doubtful ones to be read as leet too."""


ALIKE: Final = ("il1!|", "o0", "sz25$", "e3€", "a4@", "gb689", "t7+", "c(")
_OUTLINE: Final = str.maketrans({c: group[0] for group in ALIKE for c in group})


class Known(Protocol):
    """The words that leet may stand for."""

    def __call__(self, words: Sequence[str]) -> Sequence[int]:
        """Return how well known each word is; 0 for one that is not."""

    def names(self, outlined: str) -> bool:
        """Say whether a word that the rules name has this outline."""


def outline(word: str) -> str:
    """Return a word with all glyphs that may stand for one another as one."""
    return word.translate(_OUTLINE)


def _mask(chars: str) -> NDArray[np.bool_]:
    mask = np.zeros(0x110000, np.bool_)
    mask[[ord(c) for c in chars]] = True
    mask.setflags(write=False)
    return mask


_LEET: Final = _mask("".join(GLYPHS))
_FOREIGN: Final = _mask("".join(SCRIPTS) + "".join(c.upper() for c in SCRIPTS))


def plain_letters(base: View, batch: TextBatch, table: FoldTable, known: Known) -> View:
    """Return the base view with leet words as the words that they are read as.

    The same object where there is none.

    Args:
        base: the base view of `batch`.
        batch: the posts as they were given.
        table: the fold table, for character classes.
        known: the words that may be meant.
    """
    codes = base.codepoints
    latin = (table.classes[codes] & CLASS_LATIN) != 0
    original = batch.codepoints[base.source]
    leet = _LEET[codes] & ~latin
    beside = np.zeros(len(codes), np.bool_)
    beside[1:] |= latin[:-1]
    beside[:-1] |= latin[1:]
    foreign = _FOREIGN[original] & beside
    found = np.flatnonzero((leet & beside) | foreign)
    if not len(found):
        return base
    belongs = (latin & (codes < _ASCII)) | _LEET[codes]
    post = _hopeful(base, original, found, belongs, known)
    kept = np.isin(np.searchsorted(base.offsets, found, "right") - 1, post)
    found = found[kept]
    if not len(found):
        return base
    changed: NDArray[np.uint32] | None = None
    post = np.searchsorted(base.offsets, found, "right") - 1
    for number in np.unique(post).tolist():
        begin, end = int(base.offsets[number]), int(base.offsets[number + 1])
        at = found[post == number] - begin
        text = codes[begin:end].tobytes().decode("utf-32-le")
        written = original[begin:end].tobytes().decode("utf-32-le", "surrogatepass")
        for first, word in _words(text, written, at.tolist(), known):
            if changed is None:
                changed = codes.copy()
            changed[begin + first : begin + first + len(word)] = [ord(c) for c in word]
    if changed is None:
        return base
    return View(
        "base", changed, base.offsets, base.source, base.last, base.base_first, base.base_last
    )


def _hopeful(
    base: View,
    original: NDArray[np.uint32],
    found: NDArray[np.int64],
    belongs: NDArray[np.bool_],
    known: Known,
) -> NDArray[np.int64]:
    """Return the posts that hold a word which may be meant, before any post is read."""
    edge = np.zeros(len(belongs) + 1, np.bool_)
    edge[1:-1] = belongs[1:] != belongs[:-1]
    edge[base.offsets] = True
    bounds = np.flatnonzero(edge)
    run = np.unique(np.searchsorted(bounds, found, "right") - 1)
    text = base.codepoints.tobytes().decode("utf-32-le", "surrogatepass")
    foreign = np.concatenate(([0], np.cumsum(original >= _ASCII)))
    first, end = bounds[run], bounds[run + 1]
    plain = foreign[end] == foreign[first]
    hopeful = []
    for at, (begin, stop, simple) in enumerate(
        zip(first.tolist(), end.tolist(), plain.tolist(), strict=True)
    ):
        token = text[begin:stop]
        bare = token.rstrip("!|(")
        # The first mark behind a word may be its last letter: tramado!
        either = {bare, token[: len(bare) + 1]}
        if not simple or any(_may_be_meant(word, word, known) for word in either):
            hopeful.append(at)
    starts = first[np.array(hopeful, np.int64)]
    return np.unique(np.searchsorted(base.offsets, starts, "right") - 1)


def _words(text: str, written: str, places: list[int], known: Known) -> list[tuple[int, str]]:
    """Return where a post has leet words, and what they are read as."""
    sure: dict[int, str] = {}
    end = -1
    for place in places:
        if place < end:
            continue
        first, end = _token(text, place)
        token, glyphs = text[first:end], written[first:end]
        if not _may_be_meant(token, glyphs, known):
            continue
        word, rate = _read(token, glyphs, known)
        if word and _stands_alone(text, first, end) and _is_meant(token, glyphs, rate):
            sure[first] = word
    if len(sure) < _ENOUGH:
        return list(sure.items())
    for found in _TOKEN.finditer(text):  # who writes so twice writes so throughout
        first, end = found.span()
        spelt = found.group()
        if first in sure or not _stands_alone(text, first, end):
            continue
        if spelt == "@":
            sure[first] = "a"
        elif not spelt.isdigit():
            word, _ = _read(spelt, written[first:end], known)
            if word:
                sure[first] = word
    return list(sure.items())


def _stands_alone(text: str, first: int, end: int) -> bool:
    """False inside an address."""
    around = text[max(first - 1, 0) : first] + text[end : end + 1]
    return not any(c in _ADDRESS for c in around)


def _token(text: str, place: int) -> tuple[int, int]:
    first, end = place, place + 1
    while first > 0 and _belongs(text[first - 1]):
        first -= 1
    while end < len(text) and _belongs(text[end]):
        end += 1
    while end > place + 1 and text[end - 1] in "!|(":
        end -= 1
    return first, end


def _belongs(char: str) -> bool:
    return "a" <= char <= "z" or char in GLYPHS


def _may_be_meant(token: str, glyphs: str, known: Known) -> bool:
    """Say whether reading a word could show leet; cheaper than reading it."""
    if len(token) < _SHORTEST:
        return False
    if not glyphs.isascii():
        return True
    if len(token) >= _LONG and known.names(outline(token)):
        return True
    return _MEANT.search(token) is not None


def _is_meant(token: str, glyphs: str, rate: int) -> bool:
    """Say whether a word is leet beyond doubt: 5pm, mp3 and 20s are not."""
    if len(token) < _SHORTEST:
        return False
    foreign = [not c.isascii() for c in glyphs]
    if any(foreign):
        return not all(foreign)
    letters = [k for k, c in enumerate(token) if "a" <= c <= "z"]
    if len(token) >= _LONG and rate >= SURELY:
        return bool(letters)
    if len(letters) > 1 and any(c in GLYPHS for c in token[letters[0] : letters[-1]]):
        return True
    return any(c in "@$" for c in token) and len(token) > _SHORTEST and bool(letters)


def _read(token: str, glyphs: str, known: Known) -> tuple[str, int]:
    """Return the best known word that a token can be, and how well it is known; "" for none."""
    if not 1 < len(token) <= _LONGEST:
        return "", 0
    ways = [
        SCRIPTS.get(g.lower(), "") or GLYPHS.get(c, c) for c, g in zip(token, glyphs, strict=True)
    ]
    total = 1
    for way in ways:
        total *= len(way)
    if total > _MOST_WAYS:
        ways = [way[0] for way in ways]
    words = [token, *("".join(way) for way in product(*ways))]
    scores = known(words)
    if scores[0] and glyphs.isascii():
        return "", 0  # the word is known as it is written
    best = max(range(len(words)), key=lambda k: (scores[k], -k))
    return (words[best], scores[best]) if scores[best] and best else ("", 0)
