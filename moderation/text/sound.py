"""Sound: the view in which what sounds alike is alike.

Han characters become syllables without tone, near-homophones (zh and z, ing and in) one syllable;
words in pinyin become the same syllables in posts that hold Han; leet words become letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN, CLASS_WORD, View
from moderation.text.native import flat, int64, kernel, uint32

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.text.fold import FoldTable

__all__ = ["LEET", "SYLLABLES", "SoundTable", "load_sound"]

SYLLABLES: Final = 0xF0000
"""First private code point: near-homophone class n is written SYLLABLES + n."""
LEET: Final = {
    "0": "o", "1": "i", "!": "i", "|": "i", "2": "s", "3": "e", "€": "e", "4": "a", "@": "a",
    "5": "s", "$": "s", "6": "g", "7": "t", "+": "t", "8": "b", "9": "g",
}  # fmt: skip
"""What a digit or symbol inside a word stands for."""
_SYMBOLS: Final = frozenset("!|@$+€")
_SAME: Final = {"l": "i", "z": "s"}
"""Letters that spammers take for one another, written as one in this view."""
_LONGEST_TOKEN: Final = 48
_LONGEST_SYLLABLE: Final = 6
_CODE_SPACE: Final = 0x110000


@dataclass(frozen=True, slots=True)
class SoundTable:
    """Readings of Han characters.

    Attributes:
        near: uint16, shape (0x110000,): near-homophone class of a character's usual reading,
            plus one; 0 where it has none.
        syllables: toneless pinyin syllables, sorted as `keys` are.
        keys: uint64, shape (syllables,), ascending: the letters, eight bits each.
        syllable_near: uint16, shape (syllables,): the class of each syllable.
        others: further classes of characters with several readings.
        initial: uint8, shape (0x110000,): first letter of the usual reading; 0 for none.
    """

    near: NDArray[np.uint16]
    syllables: tuple[str, ...]
    keys: NDArray[np.uint64]
    syllable_near: NDArray[np.uint16]
    others: dict[str, tuple[int, ...]]
    initial: NDArray[np.uint8]

    def view(self, base: View, table: FoldTable, *, letters: bool = False) -> View:
        """Return the sound view of a base view.

        Posts without Han and without a leet word are empty: all they say stands in the base view.

        Args:
            base: the base view.
            table: the fold table, for character classes.
            letters: keep every Latin word as letters, whatever the post; for rule literals.
        """
        if kernel is None:
            return self.view_reference(base, table, letters=letters)
        codes, offsets, first, last = kernel.sound(
            flat(base.codepoints),
            base.offsets,
            table.classes,
            self.near,
            self.keys,
            self.syllable_near,
            letters,
        )
        return _view(base, uint32(codes), int64(offsets), int64(first), int64(last))

    def view_reference(self, base: View, table: FoldTable, *, letters: bool = False) -> View:
        """Do the same in Python, post by post."""
        rows: list[tuple[int, int, int]] = []
        bounds = [0]
        for begin, end in pairwise(base.offsets.tolist()):
            codes = base.codepoints[begin:end]
            kinds = table.classes[codes].tolist()
            text = codes.tobytes().decode("utf-32-le")
            rows += ((c, a + begin, b + begin) for c, a, b in self._post(text, kinds, letters))
            bounds.append(len(rows))
        columns = np.array(rows, np.int64).reshape(-1, 3).T
        return _view(base, columns[0].astype(np.uint32), np.array(bounds), columns[1], columns[2])

    def _post(self, text: str, kinds: list[int], letters: bool) -> Iterator[tuple[int, int, int]]:
        han = any(kind & CLASS_HAN for kind in kinds)
        every = han or letters or _holds_leet(text)
        at = 0
        while at < len(text):
            char, kind = text[at], kinds[at]
            if kind & CLASS_HAN:
                known = int(self.near[ord(char)])
                yield SYLLABLES + known - 1 if known else ord(char), at, at
            elif not (_is_letter(char) or _is_number(char) or char in "$@"):
                if every and kind & CLASS_WORD:
                    yield ord(char), at, at
            else:
                stop = _word_end(text, at)
                yield from self._word(text[at:stop], at, every, han and not letters)
                at = stop
                continue
            at += 1

    def _word(
        self, word: str, at: int, every: bool, pinyin: bool
    ) -> Iterator[tuple[int, int, int]]:
        any_letter = any(map(_is_letter, word))
        if any_letter and any(c in LEET for c in word):
            yield from _letters([LEET.get(c) or _SAME.get(c, c) for c in word], at)
        elif every:
            plain = any_letter and pinyin and all(map(_is_letter, word))
            cut = self.cut_pinyin(word) if plain else ()
            for number, length in cut:
                yield SYLLABLES + int(self.syllable_near[number]), at, at + length - 1
                at += length
            if not cut:
                yield from _letters(["" if c in _SYMBOLS else _SAME.get(c, c) for c in word], at)

    def cut_pinyin(self, word: str) -> tuple[tuple[int, int], ...]:
        """Cut a Latin word into syllables, the longest first where the rest can be cut too.

        Returns:
            Number and length of each syllable; empty when the word is not pinyin throughout.
        """
        if len(word) > _LONGEST_TOKEN:
            return ()
        number = _numbers(self.syllables)
        can = [False] * len(word) + [True]
        for i in range(len(word) - 1, -1, -1):
            can[i] = any(
                can[i + n] and word[i : i + n] in number
                for n in range(1, min(_LONGEST_SYLLABLE, len(word) - i) + 1)
            )
        if not can[0]:
            return ()
        found: list[tuple[int, int]] = []
        i = 0
        while i < len(word):
            longest = min(_LONGEST_SYLLABLE, len(word) - i)
            n = next(n for n in range(longest, 0, -1) if can[i + n] and word[i : i + n] in number)
            found.append((number[word[i : i + n]], n))
            i += n
        return tuple(found)


def _view(
    base: View,
    codes: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> View:
    return View("sound", codes, offsets, base.source[first], base.last[last], first, last)


def _letters(letters: list[str], at: int) -> Iterator[tuple[int, int, int]]:
    """Yield letters with their places, repeats of a letter as one; "" is left out."""
    run: list[int] | None = None
    for place, letter in enumerate(letters, at):
        if not letter:
            continue
        if run is not None and run[0] == ord(letter) and _is_letter(letter):
            run[2] = place
            continue
        if run is not None:
            yield run[0], run[1], run[2]
        run = [ord(letter), place, place]
    if run is not None:
        yield run[0], run[1], run[2]


def _holds_leet(text: str) -> bool:
    return any(
        (a in LEET and _is_letter(b)) or (b in LEET and _is_letter(a)) for a, b in pairwise(text)
    )


def _word_end(text: str, at: int) -> int:
    """Return where a word of letters, digits and leet symbols ends; final marks stay outside."""
    stop = at
    while stop < len(text) and (
        _is_letter(text[stop]) or _is_number(text[stop]) or text[stop] in _SYMBOLS
    ):
        stop += 1
    while stop > at + 1 and text[stop - 1] in _SYMBOLS and text[stop - 1] not in "$+":
        stop -= 1
    return stop


def _is_letter(char: str) -> bool:
    return "a" <= char <= "z"


def _is_number(char: str) -> bool:
    return "0" <= char <= "9"


@lru_cache(maxsize=4)
def _numbers(syllables: tuple[str, ...]) -> dict[str, int]:
    return {syllable: number for number, syllable in enumerate(syllables)}


@lru_cache(maxsize=4)
def load_sound(rules_folder: Path) -> SoundTable | None:
    """Load `fold/sound.npz` below a rules folder; None where the folder has none."""
    path = rules_folder / "fold" / "sound.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as data:
        names = [str(name) for name in data["syllables"]]
        classes = data["near"].astype(np.uint16)
        near = np.zeros(_CODE_SPACE, np.uint16)
        near[data["char"]] = classes[data["syllable"]] + 1
        initial = np.zeros(_CODE_SPACE, np.uint8)
        initial[data["char"]] = np.array([ord(name[0]) for name in names])[data["syllable"]]
        others: dict[str, tuple[int, ...]] = {}
        for code, number in zip(
            data["extra_char"].tolist(), data["extra_syllable"].tolist(), strict=True
        ):
            more = int(classes[number])
            if more != near[code] - 1:
                others[chr(code)] = (*others.get(chr(code), ()), more)
    keys = np.array([int.from_bytes(name.encode("ascii"), "big") for name in names], np.uint64)
    order = np.argsort(keys)
    near.setflags(write=False)
    return SoundTable(
        near,
        tuple(names[i] for i in order.tolist()),
        keys[order],
        np.ascontiguousarray(classes[order]),
        others,
        initial,
    )
