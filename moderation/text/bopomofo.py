"""Bopomofo: Chinese written in the letters of its own alphabet, read as characters.

A run of two syllables or more becomes as many Han characters of that sound, rare ones, so that
the sound view hears it and no word is written by accident. Tone marks inside the run are dropped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import View

if TYPE_CHECKING:
    from moderation.text.batch import TextBatch
    from moderation.text.sound import SoundTable

__all__ = ["FIRST", "LAST", "read_bopomofo", "to_pinyin"]

FIRST: Final = 0x3105
LAST: Final = 0x3129
_INITIALS: Final = {
    "ㄅ": "b", "ㄆ": "p", "ㄇ": "m", "ㄈ": "f", "ㄉ": "d", "ㄊ": "t", "ㄋ": "n", "ㄌ": "l",
    "ㄍ": "g", "ㄎ": "k", "ㄏ": "h", "ㄐ": "j", "ㄑ": "q", "ㄒ": "x", "ㄓ": "zh", "ㄔ": "ch",
    "ㄕ": "sh", "ㄖ": "r", "ㄗ": "z", "ㄘ": "c", "ㄙ": "s",
}  # fmt: skip
_FINALS: Final = {
    "": "i", "ㄚ": "a", "ㄛ": "o", "ㄜ": "e", "ㄝ": "e", "ㄞ": "ai", "ㄟ": "ei", "ㄠ": "ao",
    "ㄡ": "ou", "ㄢ": "an", "ㄣ": "en", "ㄤ": "ang", "ㄥ": "eng", "ㄦ": "er",
    "ㄧ": "i", "ㄧㄚ": "ia", "ㄧㄛ": "io", "ㄧㄝ": "ie", "ㄧㄠ": "iao", "ㄧㄡ": "iu",
    "ㄧㄢ": "ian", "ㄧㄣ": "in", "ㄧㄤ": "iang", "ㄧㄥ": "ing",
    "ㄨ": "u", "ㄨㄚ": "ua", "ㄨㄛ": "uo", "ㄨㄞ": "uai", "ㄨㄟ": "ui", "ㄨㄢ": "uan",
    "ㄨㄣ": "un", "ㄨㄤ": "uang", "ㄨㄥ": "ong",
    "ㄩ": "v", "ㄩㄝ": "ve", "ㄩㄢ": "van", "ㄩㄣ": "vn", "ㄩㄥ": "iong",
}  # fmt: skip
_ALONE: Final = {
    "i": "yi", "in": "yin", "ing": "ying", "iu": "you", "u": "wu", "ui": "wei", "un": "wen",
    "ong": "weng", "v": "yu", "ve": "yue", "van": "yuan", "vn": "yun", "iong": "yong",
}  # fmt: skip
"""Finals without an initial; the others write y for i and w for u."""
_SYLLABLE: Final = re.compile(r"([ㄅ-ㄙ]?)([ㄧㄨㄩ]?[ㄚ-ㄦ]?)[ˊˇˋ˙¯]?")
_RUN: Final = re.compile(r"[ㄅ-ㄩˊˇˋ˙¯]{2,}")
_SIBILANTS: Final = frozenset("ㄓㄔㄕㄖㄗㄘㄙ")


def to_pinyin(initial: str, final: str) -> str:
    """Return a syllable of bopomofo as toneless pinyin, ü written v; "" where it is none."""
    if final not in _FINALS or (not final and initial not in _SIBILANTS):
        return ""
    sound = _FINALS[final]
    if initial:
        start = _INITIALS[initial]
        if start in {"j", "q", "x"} and sound.startswith("v"):
            sound = "u" + sound[1:]
        return start + sound
    if sound in _ALONE:
        return _ALONE[sound]
    return {"i": "y", "u": "w"}.get(sound[0], sound[0]) + sound[1:]


def read_bopomofo(base: View, batch: TextBatch, sound: SoundTable | None) -> View:
    """Return the base view with bopomofo as Han characters of the same sound.

    The same object where there is none, which is nearly always.

    Args:
        base: the base view of `batch`.
        batch: the posts as they were given.
        sound: the readings; None: nothing is read.
    """
    letters = (batch.codepoints >= FIRST) & (batch.codepoints <= LAST)
    if sound is None or not letters.any():
        return base
    written = batch.codepoints[base.source]
    codes = base.codepoints.copy()
    kept = np.ones(len(codes), np.bool_)
    last = base.last.copy()
    posts = np.unique(
        np.searchsorted(
            base.offsets, np.flatnonzero((written >= FIRST) & (written <= LAST)), "right"
        )
        - 1
    )
    characters = _characters(sound.syllables, sound.near.tobytes(), sound.syllable_near.tobytes())
    for post in posts.tolist():
        begin, end = int(base.offsets[post]), int(base.offsets[post + 1])
        text = written[begin:end].tobytes().decode("utf-32-le", "surrogatepass")
        for run in _RUN.finditer(text):
            parts = _cut(run.group(), characters)
            if len(parts) < 2:
                continue
            kept[begin + run.start() : begin + run.end()] = False
            for first, stop, code in parts:
                at = begin + run.start() + first
                kept[at] = True
                codes[at] = code
                last[at] = base.last[begin + run.start() + stop - 1]
    index = np.flatnonzero(kept)
    same = np.arange(len(index))
    return View(
        "base", codes[index], np.searchsorted(index, base.offsets), base.source[index],
        last[index], same, same,
    )  # fmt: skip


def _cut(run: str, characters: dict[str, int]) -> list[tuple[int, int, int]]:
    """Return start, end and character of each syllable; empty where one of them is none."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(run):
        match = _SYLLABLE.match(run, at)
        code = characters.get(to_pinyin(*match.groups())) if match is not None else None
        if match is None or code is None or match.end() == at:
            return []
        found.append((at, match.end(), code))
        at = match.end()
    return found


@lru_cache(maxsize=4)
def _characters(syllables: tuple[str, ...], near: bytes, classes: bytes) -> dict[str, int]:
    """Return a rare character for each syllable: the last in Unicode of its class."""
    known = np.frombuffer(near, np.uint16)
    last = np.zeros(int(known.max()) + 1, np.int64)
    codes = np.flatnonzero(known)
    last[known[codes]] = codes
    return {
        syllable: int(last[number + 1])
        for syllable, number in zip(
            syllables, np.frombuffer(classes, np.uint16).tolist(), strict=True
        )
    }
