"""Disguised copies of posts for training: what evaders do to words, done to innocent posts as well.

A copy keeps its post's labels: how a post is spelt must say nothing about what it does. Folds undo
most of the letter forms before a model sees them, so only what they leave is written here: marks
between characters, sound-alikes, pinyin, leet, and words moved into titles and tags.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = ["disguised"]

_MARKS: Final = (" ", " ", ".", "·", "-", "_", "*", "/", "|", "~", "、", "，", "+", "🔥", "✨", "❤")
_LEET: Final = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7", "l": "1", "b": "8"}
_SENTENCE_ENDS: Final = "，。！？；,!?;\n"
_FIRST_LEVEL: Final = range(0xB0, 0xD8)
"""Lead bytes of the first level of GB 2312, the characters that people type."""


def disguised(text: str, generator: np.random.Generator) -> str:
    """Return a copy of a post with one or two kinds of disguise applied to parts of it.

    Args:
        text: the post.
        generator: decides what is done and where; the same state gives the same copy.
    """
    han = sum(map(_is_han, text))
    choices: list[Callable[[str, np.random.Generator], str]] = [_noise, _noise, _layout]
    if han >= 2:
        choices += [_sound_alikes, _sound_alikes, _pinyin]
    if len(text) - han >= 4:
        choices += [_leet, _doubled]
    for at in generator.permutation(len(choices))[: int(generator.integers(1, 3))]:
        text = choices[at](text, generator)
    return text


def _noise(text: str, generator: np.random.Generator) -> str:
    """Put one mark between the characters of up to three stretches."""
    mark = _MARKS[int(generator.integers(len(_MARKS)))]
    characters = list(text)
    for _ in range(int(generator.integers(1, 4))):
        start = int(generator.integers(max(len(characters) - 1, 1)))
        for at in range(start, min(start + int(generator.integers(2, 6)), len(characters) - 1)):
            pair = characters[at][-1], characters[at + 1][0]
            if all(c.isalnum() for c in pair):
                characters[at] += mark
    return "".join(characters)


def _sound_alikes(text: str, generator: np.random.Generator) -> str:
    """Write some characters as others of the same syllable."""
    share = generator.uniform(0.1, 0.4)
    draws = generator.random((len(text), 2))
    out = []
    for character, (whether, which) in zip(text, draws, strict=True):
        group = _same_sound(character) if whether < share else ""
        out.append(group[int(which * len(group))] if group else character)
    return "".join(out)


def _pinyin(text: str, generator: np.random.Generator) -> str:
    """Write up to three Han characters in Latin letters."""
    han = [at for at, character in enumerate(text) if _is_han(character)]
    start = int(generator.integers(len(han)))
    chosen = set(han[start : start + int(generator.integers(1, 4))])
    return "".join(_syllable(c) or c if at in chosen else c for at, c in enumerate(text))


def _leet(text: str, generator: np.random.Generator) -> str:
    """Write letters of some words as the digits and marks that look like them."""
    words = text.split(" ")
    for at, word in enumerate(words):
        if generator.random() < 0.3:
            words[at] = "".join(
                _LEET[c][int(generator.integers(len(_LEET[c])))]
                if c in _LEET and generator.random() < 0.6
                else c
                for c in word.lower()
            )
    return " ".join(words)


def _doubled(text: str, generator: np.random.Generator) -> str:
    """Repeat a letter in some words."""
    words = text.split(" ")
    for at, word in enumerate(words):
        if word.isalpha() and generator.random() < 0.2:
            spot = int(generator.integers(len(word)))
            words[at] = word[:spot] + word[spot] * int(generator.integers(2, 5)) + word[spot + 1 :]
    return " ".join(words)


def _layout(text: str, generator: np.random.Generator) -> str:
    """Break a line after a sentence, or turn a word into a tag at the end."""
    ends = [at for at, character in enumerate(text[:-1]) if character in _SENTENCE_ENDS]
    if ends and generator.random() < 0.6:
        cut = ends[int(generator.integers(len(ends)))] + 1
        return f"{text[:cut].rstrip()}\n{text[cut:].lstrip()}"
    words = [word for word in text.split() if word.isalnum() and 1 < len(word) < 12]
    if not words:
        return text
    return f"{text} #{words[int(generator.integers(len(words)))]}"


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


@lru_cache(maxsize=1 << 14)
def _syllable(character: str) -> str:
    """Return a Han character's commonest syllable without tone; nothing for other characters."""
    from pypinyin import lazy_pinyin

    if not _is_han(character):
        return ""
    found = lazy_pinyin(character, errors="ignore")
    return found[0] if found else ""


@lru_cache(maxsize=1)
def _sound_table() -> dict[str, str]:
    table: dict[str, str] = {}
    for lead in _FIRST_LEVEL:
        for trail in range(0xA1, 0xFF):
            try:
                character = bytes((lead, trail)).decode("gb2312")
            except UnicodeDecodeError:
                continue
            table[_syllable(character)] = table.get(_syllable(character), "") + character
    return table


def _same_sound(character: str) -> str:
    """Return the characters people type that share a syllable, the character itself left out."""
    if not _is_han(character):
        return ""
    return _sound_table().get(_syllable(character), "").replace(character, "")
