"""Forms: how a literal may be written in each view, plainly or evaded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, permutations, product
from typing import TYPE_CHECKING, Final, NamedTuple

from moderation.rules.literals import TAG
from moderation.text import TextBatch
from moderation.text.fold import CLASS_HAN, CLASS_LATIN
from moderation.text.sound import SYLLABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable
    from moderation.text.shape import ShapeTable
    from moderation.text.sound import SoundTable

__all__ = ["FOLDS", "UNGUARDED", "Form", "FormTable"]

FOLDS: Final = (
    "", "split", "join", "initials", "words", "mirror", "order", "shape", "leet", "homophone",
)  # fmt: skip
"""How a literal may be hidden; the index is the value stored in an automaton's arrays."""
UNGUARDED: Final = frozenset({"", "words"})
"""Forms that count even where they are ordinary words."""

_FRAIL: Final = frozenset({"initials", "order", "words"})
_FRAIL_SHORT: Final = frozenset({"homophone", "shape", "leet"})
_SHORT: Final = 3
_PAIR: Final = 2
_LONGEST: Final = 12
_SHORTEST_LEET: Final = 3
_SHORTEST_MIRROR: Final = 5
_MOST_INITIALS: Final = 6
_MOST_COMBINATIONS: Final = 12
_MOST_WORDS: Final = 3
_SHORTEST_WORDS: Final = 8


class Form(NamedTuple):
    """One way in which a literal may stand in a view."""

    text: str
    """What the view is searched for."""
    fold: str
    """How the literal was hidden; "" where the view itself says it all."""
    written: str
    """The form with the gaps that belong to it."""

    @property
    def frail(self) -> bool:
        """True where ordinary text falls into the form by itself: never enough without a cue."""
        return self.fold in _FRAIL or (self.fold in _FRAIL_SHORT and len(self.text) <= _SHORT)


@dataclass(frozen=True, slots=True)
class FormTable:
    """Writes out the forms of literals."""

    table: FoldTable
    sound: SoundTable | None
    shapes: ShapeTable | None

    def forms(self, literal: Literal, view: str, *, bold: bool) -> Iterator[Form]:
        """Yield the forms of a literal in one view.

        Args:
            literal: the literal.
            view: the view's name.
            bold: also the evaded spellings that a person would have to read twice.
        """
        if view == "base":
            yield Form(literal.base, "", literal.base)
        elif view == "compact":
            for text in literal.compact:
                yield Form(text, "", literal.base.removeprefix(TAG))
            if bold and literal.compact:
                yield from self._evaded(literal)
        elif bold and view == "shape" and self.shapes is not None:
            yield from self._shaped(literal, self.shapes)
        elif bold and view == "sound" and self.sound is not None:
            yield from self._sounding(literal, self.sound)

    def _is_han(self, text: str) -> bool:
        classes = self.table.classes
        return all(classes[ord(c)] & CLASS_HAN for c in text)

    def _han_count(self, text: str) -> int:
        classes = self.table.classes
        return sum(1 for c in text if classes[ord(c)] & CLASS_HAN)

    def _evaded(self, literal: Literal) -> Iterator[Form]:
        text = literal.compact[0]
        if len(text) > _LONGEST * 2:
            return
        if self._is_han(text):
            if 2 <= len(text) <= _LONGEST:
                yield from self._split(text)
                yield from _reordered(text)
                yield from self._initials(text)
        elif self._han_count(text) == 0 and not (literal.left_open or literal.right_open):
            yield from self._latin(literal, text)
        elif self._han_count(text) >= 2:
            yield from self._split(text)

    def _split(self, text: str) -> Iterator[Form]:
        shapes = self.shapes
        if shapes is None:
            return
        found = [
            text[:at] + parts + text[at + 1 :]
            for at, char in enumerate(text)
            for parts in shapes.split.get(char, ())
        ]
        found.append("".join(shapes.split.get(c, (c,))[0] for c in text))
        for form in dict.fromkeys(found):
            if form != text:
                yield Form(form, "split", form)
        for at, pair in enumerate(pairwise(text)):
            one = shapes.joined.get("".join(pair))
            if one is not None and len(text) > 2:
                form = text[:at] + one + text[at + 2 :]
                yield Form(form, "join", form)

    def _initials(self, text: str) -> Iterator[Form]:
        if self.sound is None or len(text) > _MOST_INITIALS:
            return
        codes = [int(self.sound.initial[ord(c)]) for c in text]
        if not all(codes):
            return
        letters = [chr(code) for code in codes]
        if len(letters) > 2 and all(a != b for a, b in pairwise(letters)):
            form = "".join(letters)
            yield Form(form, "initials", form)
        if len(text) <= 3:
            for at in range(len(text)):
                form = text[:at] + letters[at] + text[at + 1 :]
                yield Form(form, "initials", form)

    def _latin(self, literal: Literal, text: str) -> Iterator[Form]:
        classes = self.table.classes
        written = literal.base.removeprefix(TAG)
        words = written.split()
        if not all(c == " " or classes[ord(c)] & CLASS_LATIN for c in written):
            return
        if 1 < len(words) <= _MOST_WORDS and len(text) >= _SHORTEST_WORDS:
            for order in permutations(words):
                if list(order) != words:
                    yield Form("".join(map(_collapsed, order)), "words", " ".join(order))
        if len(text) >= _SHORTEST_MIRROR:
            if text[::-1] != text:
                turned = [word[::-1] for word in words[::-1]]
                yield Form("".join(map(_collapsed, turned)), "mirror", " ".join(turned))
            if len(words) == 1:
                for swapped in _reordered(text):
                    if swapped.text[0] == text[0]:  # readers take the first letter as it is
                        yield Form(_collapsed(swapped.text), "order", swapped.written)

    def _shaped(self, literal: Literal, shapes: ShapeTable) -> Iterator[Form]:
        if not literal.compact:
            return
        text = literal.compact[0]
        if self._han_count(text) < 2 or len(text) > _LONGEST:
            return
        if not self._is_han(text):
            return
        own = [(shapes.fold(c), *shapes.looks.get(c, ())) for c in text]
        for form in _combined(own):
            yield Form(form, "shape", form)

    def _sounding(self, literal: Literal, sound: SoundTable) -> Iterator[Form]:
        if not literal.compact:
            return
        text = literal.compact[0]
        han = self._han_count(text)
        if han == 1 or len(text) > _LONGEST * 2:
            return
        if not han and (
            len(text) < _SHORTEST_LEET or literal.left_open or literal.right_open
            or any(c.isdigit() for c in text)
        ):  # fmt: skip
            return
        written = literal.base.removeprefix(TAG)
        base = self.table.base(TextBatch.from_strings([written]))
        view = sound.view(base, self.table, letters=not han)
        codes = view.text()
        if not han:
            if len(codes) >= _SHORTEST_LEET:
                yield Form(codes, "leet", written)
            return
        chars = [written[int(i)] for i in view.base_first]
        # Two characters fall into too much; longer terms are found in every reading.
        others = sound.others if han > _PAIR else {}
        ways = [
            (code, *(chr(SYLLABLES + n) for n in others.get(char, ())))
            for char, code in zip(chars, codes, strict=True)
        ]
        for form in _combined(ways):
            if len(set(form)) > 1:  # anybody sighs "ai ai ai"
                yield Form(form, "homophone", form)


def _reordered(text: str) -> Iterator[Form]:
    seen = {text}
    swapped = [text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in range(len(text) - 1)]
    for form in (*swapped, text[::-1]):
        if form not in seen:
            seen.add(form)
            yield Form(form, "order", form)


def _combined(ways: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the combinations of each place's ways, the first of each place first."""
    total = 1
    for way in ways:
        total *= len(way)
    if total <= _MOST_COMBINATIONS:
        yield from map("".join, product(*ways))
        return
    first = [way[0] for way in ways]
    yield "".join(first)
    for at, way in enumerate(ways):
        for other in way[1:]:
            yield "".join([*first[:at], other, *first[at + 1 :]])


def _collapsed(text: str) -> str:
    return "".join(c for i, c in enumerate(text) if not i or text[i - 1] != c)
