"""How a technique touches a stretch of text: which characters, how many, what stands between."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    Rewrite = Callable[[str, Random], str]
    Find = Callable[[str], list[tuple[int, int, Rewrite]]]


@dataclass(frozen=True)
class Technique:
    """One way to hide words.

    Attributes:
        kind: the kind of evasion, 1 to 10; 11 for techniques put together.
        name: what the technique does, in a few words.
        rewrite: a stretch of text and a random source to the rewritten stretch; the same stretch
            where the technique does not apply. None where `find` says what rewrites what.
        find: what to rewrite in a post, and how; None: the post's key terms.
        whole: True where `rewrite` takes the whole post, key terms between marks (see `mark`).
        report: True where nobody expects the engine to keep up, so that the row only informs.
    """

    kind: int
    name: str
    rewrite: Rewrite | None = None
    find: Find | None = None
    whole: bool = False
    report: bool = False


OPEN, CLOSE = "\ue000", "\ue001"
"""Private-use marks around key terms, for techniques that rearrange a whole post."""
_STAND_IN = {True: " 某 ", False: " something "}
"""What a stretch that is cut out leaves behind, by whether it was Chinese."""


def is_han(character: str) -> bool:
    """Say whether a character is a Chinese one."""
    code = ord(character)
    return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x323AF


def is_latin(character: str) -> bool:
    """Say whether a character is a plain Latin letter."""
    return character.isascii() and character.isalpha()


def is_letter(character: str) -> bool:
    """Say whether a character is a letter or digit of any script."""
    return unicodedata.category(character)[0] in "LN"


def every(table: Mapping[str, str | Sequence[str]]) -> Rewrite:
    """Return a technique that replaces every character it knows."""

    def rewrite(text: str, random: Random) -> str:
        return "".join(_pick(table, c, random) for c in text)

    return rewrite


def some(options: Callable[[str], Sequence[str]], share: float = 0.5) -> Rewrite:
    """Return a technique that replaces about a share of the characters it has options for.

    At least one, and of a two-character word just one: readers must still recognise it.
    """

    def rewrite(text: str, random: Random) -> str:
        choices = {at: found for at, c in enumerate(text) if (found := options(c))}
        if not choices:
            return text
        count = max(1, math.floor(len(choices) * share))
        chosen = set(random.sample(sorted(choices), count))
        return "".join(
            random.choice(choices[at]) if at in chosen else c for at, c in enumerate(text)
        )

    return rewrite


def lookup(table: Mapping[str, str | Sequence[str]]) -> Callable[[str], Sequence[str]]:
    """Return a function from a character, of either case, to what a table has for it."""

    def options(character: str) -> Sequence[str]:
        found = table.get(character) or table.get(character.lower()) or ()
        return tuple(x for x in found if x != character)

    return options


def between(fillers: Sequence[str], *, least: int = 1, most: int = 1) -> Rewrite:
    """Return a technique that puts a filler between any two letters that stand side by side."""

    def rewrite(text: str, random: Random) -> str:
        parts = [text[:1]]
        for left, right in pairwise(text):
            if is_letter(left) and is_letter(right):
                parts += random.choices(fillers, k=random.randint(least, most))
            parts.append(right)
        return "".join(parts)

    return rewrite


def one_gap(fillers: Sequence[str]) -> Rewrite:
    """Return a technique that puts one filler in one place between two letters."""

    def rewrite(text: str, random: Random) -> str:
        gaps = [i for i in range(1, len(text)) if is_letter(text[i - 1]) and is_letter(text[i])]
        if not gaps:
            return text
        at = random.choice(gaps)
        return text[:at] + random.choice(fillers) + text[at:]

    return rewrite


def after(marks: Sequence[str], *, least: int = 1, most: int = 1) -> Rewrite:
    """Return a technique that puts marks behind every letter."""

    def rewrite(text: str, random: Random) -> str:
        return "".join(
            c + "".join(random.choices(marks, k=random.randint(least, most))) if is_letter(c) else c
            for c in text
        )

    return rewrite


def chain(*rewrites: Rewrite) -> Rewrite:
    """Return a technique that is several, one after another; each must change something."""

    def rewrite(text: str, random: Random) -> str:
        for step in rewrites:
            changed = step(text, random)
            if changed == text:
                return text
            text = changed
        return text

    return rewrite


def either(*rewrites: Rewrite) -> Rewrite:
    """Return a technique that is the first of several that changes anything."""

    def rewrite(text: str, random: Random) -> str:
        for option in rewrites:
            changed = option(text, random)
            if changed != text:
                return changed
        return text

    return rewrite


def only(test: Callable[[str], bool], apply: Rewrite, least: int = 2) -> Rewrite:
    """Return a technique that is applied to each run of characters that pass a test."""

    def rewrite(text: str, random: Random) -> str:
        parts, run = [], ""
        for character in [*text, ""]:
            if character and test(character):
                run += character
                continue
            parts.append(apply(run, random) if len(run) >= least else run)
            parts.append(character)
            run = ""
        return "".join(parts)

    return rewrite


def mark(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text with OPEN and CLOSE around each span."""
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}{OPEN}{text[start:end]}{CLOSE}{text[end:]}"
    return text


def cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text with each span cut out and a word that says nothing in its place."""
    for start, end in sorted(spans, reverse=True):
        han = any(map(is_han, text[start:end])) or not any(map(is_latin, text[start:end]))
        text = text[:start] + _STAND_IN[han] + text[end:]
    return text


@lru_cache(maxsize=1 << 16)
def edits(before: str, after_: str) -> int:
    """Return the Levenshtein distance: characters inserted, removed or replaced."""
    row = list(range(len(after_) + 1))
    for i, a in enumerate(before, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(after_, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def _pick(table: Mapping[str, str | Sequence[str]], character: str, random: Random) -> str:
    found = table.get(character)
    return character if not found else random.choice(found)
