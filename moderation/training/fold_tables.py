"""Build rules/fold/base.npz from named public sources.

Run `python -m moderation.training.fold_tables rules/fold`. Sources: the Unicode Character Database
that comes with Python (NFKC, case folding, categories, names), and those of
`moderation.training.fold_letters` (look-alike letters) and `moderation.training.fold_variants`
(traditional and variant Han characters). Their licences stand in rules/fold/README.md.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Final

import numpy as np

from moderation.text.fold import (
    CLASS_DIGIT,
    CLASS_HAN,
    CLASS_KANA,
    CLASS_LATIN,
    CLASS_LETTER,
    CLASS_SPACE,
    FOLD_KINDS,
)
from moderation.training.fold_letters import enclosed, plain
from moderation.training.fold_variants import radicals, simplified, variants

__all__ = ["build", "character_class", "fold_character"]

_REMOVED: Final = 0xFFFFFFFF
_EXPANDED: Final = 0x80000000
_CODE_SPACE: Final = 0x110000
_SURROGATES: Final = range(0xD800, 0xE000)
_COMBINING: Final = (
    range(0x0300, 0x0370),
    range(0x0483, 0x048A),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x20D0, 0x2100),
    range(0xFE20, 0xFE30),
)
_INVISIBLE: Final = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
    *(0x2006, 0x2009, 0x200A),  # spaces so thin that nobody parts words with them
    *range(0x1F3FB, 0x1F400),  # emoji skin tones
}
_ALPHABETS: Final = ("GREEK", "CYRILLIC", "ARMENIAN")
_PLUS: Final = "➕✚✙🞤🞥"


def fold_character(char: str) -> tuple[str, str]:
    """Return what one character folds to ("" when it is removed) and the kind of fold.

    What comes out folds no further.
    """
    folded, kind = _step(char)
    while True:
        steps = [_step(part) for part in folded]
        further = "".join(part for part, _ in steps)
        if further == folded:
            return folded, kind
        telling = [found for _, found in steps if found in {"look-alike", "traditional"}]
        folded, kind = further, telling[0] if telling else kind


def _step(char: str) -> tuple[str, str]:
    code = ord(char)
    category = unicodedata.category(char)
    if code in _SURROGATES:
        return "\ufffd", "compatibility"
    if char in "\t\r\v\f\x85":
        return " ", ""
    if char in "\n\u2028\u2029":
        return "\n", ""
    if char in _PLUS:
        return "+", "look-alike"
    if any(code in block for block in _COMBINING):
        return "", "accent"
    if category in {"Cf", "Cc"} or code in _INVISIBLE or _is_variation_selector(code):
        return "", "invisible"
    if category[0] in "NS" and (inner := enclosed(char)):
        known = unicodedata.normalize("NFKC", char) != char
        return inner, "compatibility" if known else "look-alike"
    if (letters := plain(char)) is not None:
        return letters, "look-alike"
    return _han(char) or _by_unicode(char)


def _han(char: str) -> tuple[str, str] | None:
    for forms in (simplified(), variants()):
        if char in forms:
            return forms[char], "traditional"
    return (radicals()[char], "compatibility") if char in radicals() else None


def _by_unicode(char: str) -> tuple[str, str]:
    digit = unicodedata.digit(char, None)
    if digit is not None and not char.isascii():
        return str(digit), "width" if 0xFF10 <= ord(char) <= 0xFF19 else "compatibility"
    compatible = unicodedata.normalize("NFKC", char)
    folded = unicodedata.normalize("NFKC", compatible.casefold())
    result = "".join(map(_without_accents, folded))
    kind = ""
    if result != folded:
        kind = "accent"
    elif compatible != char:
        kind = "width" if 0xFF00 <= ord(char) <= 0xFFEF or char == "\u3000" else "compatibility"
    elif folded != char:
        kind = "case"
    return (result, kind) if result.strip() or not char.strip() else (" ", kind)


def _without_accents(char: str) -> str:
    if "LATIN" not in unicodedata.name(char, ""):
        return char
    kept = [c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn"]
    return "".join(kept)


def _is_variation_selector(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F


_STROKES: Final = frozenset("々〇乂ㄨ丨丶丿亅乁ヽヾー〆")
"""Letters by name that are set between letters like any other mark."""


def character_class(char: str, folded: str = "") -> int:
    """Return the bit set of CLASS_ constants for one character.

    A letter that folds to Latin ones is Latin, unless an alphabet in wide use has it: nobody writes
    full width, mathematics or Deseret in a language of its own.
    """
    if char in _STROKES:
        return 0
    category = unicodedata.category(char)
    name = unicodedata.name(char, "")
    if name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH")):
        return CLASS_HAN
    if category[0] == "N":
        return CLASS_DIGIT
    if category[0] == "L":
        if name.startswith("LATIN"):
            return CLASS_LATIN
        if name.startswith(("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA")):
            return CLASS_KANA
        disguised = folded.isascii() and folded.isalpha() and not name.startswith(_ALPHABETS)
        return CLASS_LATIN if disguised else CLASS_LETTER
    if category in {"Mc", "Mn"}:  # vowel signs of Indic scripts belong to their letters
        return CLASS_LETTER
    return CLASS_SPACE if char.isspace() else 0


def build(folder: Path) -> Path:
    """Write base.npz into a folder and return its path. The same Python writes the same bytes."""
    sources, targets, kinds = [], [], []
    lengths: list[int] = []
    expansion: list[int] = []
    classes = np.zeros(_CODE_SPACE, np.uint8)
    for code in range(_CODE_SPACE):
        char = chr(code)
        category = unicodedata.category(char)
        if category in {"Cn", "Co"} and not _is_variation_selector(code):
            continue
        folded, kind = fold_character(char)
        if code not in _SURROGATES:
            classes[code] = character_class(char, folded)
        if folded == char:
            continue
        sources.append(code)
        kinds.append(FOLD_KINDS.index(kind))
        if len(folded) == 1:
            targets.append(ord(folded))
        elif not folded:
            targets.append(_REMOVED)
        else:
            targets.append(_EXPANDED + len(lengths))
            lengths.append(len(folded))
            expansion.extend(map(ord, folded))
    starts = np.flatnonzero(np.append(True, classes[1:] != classes[:-1]))
    path = folder / "base.npz"
    np.savez_compressed(
        path,
        source=np.array(sources, np.uint32),
        target=np.array(targets, np.uint32),
        kind=np.array(kinds, np.uint8),
        expansion_length=np.array(lengths, np.uint8),
        expansion=np.array(expansion, np.uint32),
        class_start=starts.astype(np.uint32),
        class_value=classes[starts],
        unicode=np.array(unicodedata.unidata_version),
    )
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")
