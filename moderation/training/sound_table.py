"""Build rules/fold/sound.npz: the syllables of Han characters and which syllables sound alike.

Run `python -m moderation.training.sound_table rules/fold`. Sources: the readings of
pypinyin (kMandarin of Unihan and the list of 8105 standard characters first), its dictionary of
phrases with unusual readings, and kHanyuPinlu of Unihan (readings counted in modern Mandarin
texts) as packaged by pypinyin-dict. Their licences stand in rules/fold/README.md.
"""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN
from moderation.training.fold_tables import character_class

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["build", "further_readings", "near_classes", "near_form", "readings", "toneless"]

_BMP: Final = 0x10000
_PHRASES: Final = 3
"""A further reading stands in at least this many phrases,"""
_SHARE: Final = 0.08
"""and in at least this share of the phrases that hold the character."""

_COMMON: Final = {
    "佛": "fo", "茄": "qie", "肋": "lei", "靓": "liang", "卜": "bu", "伺": "si", "囤": "tun",
    "嚼": "jiao", "诘": "jie", "藉": "jie", "椎": "zhui", "拗": "ao", "琢": "zhuo", "龈": "yin",
    "辗": "zhan", "啜": "chuo", "潦": "liao", "沓": "ta", "俟": "si", "呱": "gua", "鹄": "hu",
}  # fmt: skip
"""Characters whose common reading is not the one that kMandarin puts first."""

_NEAR_INITIALS: Final = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"))
_NEAR_FINALS: Final = (("ang", "an"), ("eng", "en"), ("ing", "in"))


def toneless(reading: str) -> str:
    """Return a pinyin syllable without its tone, ü as it is typed: v ("lǜ" → "lv")."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFD", reading.strip().lower()):
        if char == "\u0308":
            kept[-1] = "v"
        elif unicodedata.category(char) != "Mn":
            kept.append(char)
    return "".join(kept)


def readings() -> dict[str, list[str]]:
    """Return the toneless readings of every Han character below U+10000, the common one first.

    Syllables without a vowel (the interjections m, n, ng, hm) are left out where the character has
    another reading.
    """
    from pypinyin.pinyin_dict import pinyin_dict

    found: dict[str, list[str]] = {}
    for code, listed in pinyin_dict.items():
        char = chr(int(code))
        if int(code) >= _BMP or character_class(char) != CLASS_HAN:
            continue
        every = [_spoken(part) for part in listed.split(",")]
        voiced = [part for part in every if set(part) & set("aeiouv")] or every
        first = [_COMMON[char]] if char in _COMMON else []
        found[char] = list(dict.fromkeys(first + voiced))
    return found


def _spoken(reading: str) -> str:
    """Return one reading as people type it: ê is e."""
    plain = toneless(reading.replace("ê", "e").replace("ế", "e").replace("ề", "e"))
    return plain.replace("ɡ", "g")


def further_readings(known: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the readings besides the common one that are really in use.

    A reading counts as used when kHanyuPinlu lists it (it was met when modern texts were counted),
    or when it stands in at least three phrases of pypinyin's phrase dictionary and in 8 % of the
    phrases that hold the character. For a character of `_COMMON` the reading that kMandarin puts
    first is kept as well.
    """
    from pypinyin.phrases_dict import phrases_dict
    from pypinyin_dict.pinyin_data.khanyupinlu import pinyin_dict as counted

    in_phrases: dict[str, Counter[str]] = defaultdict(Counter)
    for phrase, parts in phrases_dict.items():
        if len(phrase) == len(parts):
            for char, part in zip(phrase, parts, strict=True):
                in_phrases[char][_spoken(part[0])] += 1
    found: dict[str, list[str]] = {}
    for char, listed in known.items():
        used = {_spoken(part) for part in counted.get(ord(char), "").split(",")}
        total = in_phrases[char].total()
        for reading in listed[1:]:
            count = in_phrases[char][reading]
            often = count >= _PHRASES and count >= _SHARE * total
            moved = char in _COMMON and reading == listed[1]
            if reading in used or often or moved:
                found.setdefault(char, []).append(reading)
    return found


def near_form(syllable: str) -> str:
    """Return the form that syllables which are heard or typed alike share: "zhang" → "zan"."""
    for written, heard in _NEAR_INITIALS:
        if syllable.startswith(written):
            syllable = heard + syllable[len(written) :]
            break
    for written, heard in _NEAR_FINALS:
        if syllable.endswith(written):
            return syllable[: -len(written)] + heard
    return syllable


def near_classes(syllables: Iterable[str]) -> list[int]:
    """Return the number of the near-homophone class of each syllable, numbered from 0."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(near_form(syllable), len(numbers)) for syllable in syllables]


def build(folder: Path) -> Path:
    """Write sound.npz into a folder and return its path. The same packages write the same bytes."""
    known = readings()
    further = further_readings(known)
    syllables = sorted(
        {listed[0] for listed in known.values()}
        | {part for more in further.values() for part in more}
    )
    number = {syllable: index for index, syllable in enumerate(syllables)}
    chars = sorted(known)
    pairs = [(char, part) for char in sorted(further) for part in further[char]]
    path = folder / "sound.npz"
    np.savez_compressed(
        path,
        syllables=np.array(syllables, "<U6"),
        near=np.array(near_classes(syllables), np.uint16),
        char=np.array([ord(char) for char in chars], np.uint32),
        syllable=np.array([number[known[char][0]] for char in chars], np.uint16),
        extra_char=np.array([ord(char) for char, _ in pairs], np.uint32),
        extra_syllable=np.array([number[part] for _, part in pairs], np.uint16),
    )
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")
