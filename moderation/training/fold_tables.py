"""Build rules/fold/base.npz from named public sources.

Run `python -m moderation.training.fold_tables rules/fold`. Sources: the Unicode Character Database
that comes with Python (NFKC, case folding, categories, names), the Unicode confusables table as
packaged by confusable-homoglyphs, and the character tables of OpenCC as packaged by
opencc-python-reimplemented. Their licences stand in rules/fold/README.md.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from importlib import resources
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

__all__ = ["build", "character_class", "confusables", "fold_character", "simplified"]

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
_INVISIBLE: Final = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0} | set(
    range(0x1F3FB, 0x1F400)  # emoji skin tones
)
_CONFUSABLE_SCRIPTS: Final = (
    "LATIN",
    "GREEK",
    "CYRILLIC",
    "ARMENIAN",
    "CHEROKEE",
    "COPTIC",
    "LISU",
    "DESERET",
    "MATHEMATICAL",
    "CANADIAN SYLLABICS",
)
_TURNED: Final = {
    "ɐ": "a", "ɔ": "c", "ǝ": "e", "ɟ": "f", "ɓ": "b", "ƃ": "g", "ɥ": "h", "ᴉ": "i", "ɾ": "j",
    "ʞ": "k", "ɯ": "m", "ɹ": "r", "ʇ": "t", "ʌ": "v", "ʍ": "w", "ʎ": "y", "ø": "o", "ł": "l",
    "đ": "d", "ı": "i", "ħ": "h", "ŧ": "t",
}  # fmt: skip
_PLUS: Final = "➕✚✙🞤🞥"
_ENCLOSED_NAMES: Final = (
    "NEGATIVE CIRCLED LATIN CAPITAL LETTER ",
    "NEGATIVE SQUARED LATIN CAPITAL LETTER ",
    "SQUARED LATIN CAPITAL LETTER ",
    "REGIONAL INDICATOR SYMBOL LETTER ",
    "LATIN LETTER SMALL CAPITAL ",
)


def confusables() -> dict[str, str]:
    """Return single characters of look-alike scripts and the ASCII character they resemble."""
    raw = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8")
    found: dict[str, str] = {}
    for char, entries in json.loads(raw).items():
        if len(char) != 1 or ord(char) < 0x80 or not _may_be_lookalike(char):
            continue
        targets = sorted(
            e["c"].lower()
            for e in entries
            if len(e["c"]) == 1 and e["c"].isascii() and e["c"].isalnum()
        )
        if targets:
            letters = [t for t in targets if t.isalpha()]
            found[char] = (letters or targets)[0]
    return found


def _may_be_lookalike(char: str) -> bool:
    name = unicodedata.name(char, "")
    return name.startswith(_CONFUSABLE_SCRIPTS) or unicodedata.category(char) in {"So", "Sm"}


def simplified() -> dict[str, str]:
    """Return traditional and Japanese character forms and their simplified form."""
    folder = resources.files("opencc").joinpath("dictionary")
    table: dict[str, str] = {}
    for line in folder.joinpath("TSCharacters.txt").read_text("utf-8").splitlines():
        source, _, targets = line.partition("\t")
        if len(source) == 1 and targets and len(targets.split()[0]) == 1:
            table[source] = targets.split()[0]
    for line in folder.joinpath("JPVariants.txt").read_text("utf-8").splitlines():
        traditional, _, japanese = line.partition("\t")
        for form in japanese.split():
            if len(form) == 1 and len(traditional) == 1 and form not in table:
                target = table.get(traditional, traditional)
                # A Japanese form that is itself an ordinary simplified character stays.
                if form != target and form not in table.values():
                    table[form] = target
    return {source: target for source, target in table.items() if source != target}


def fold_character(
    char: str, look_alike: dict[str, str], simple: dict[str, str]
) -> tuple[str, str]:
    """Return what one character folds to ("" when it is removed) and the kind of fold."""
    code = ord(char)
    category = unicodedata.category(char)
    if code in _SURROGATES:
        return "\ufffd", "compatibility"
    if char in "\t\r\v\f\x85":
        return " ", ""
    if char in "\n\u2028\u2029":
        return "\n", ""
    if char in _TURNED:
        return _TURNED[char], "look-alike"
    if char in _PLUS:
        return "+", "look-alike"
    if any(code in block for block in _COMBINING):
        return "", "accent"
    if category in {"Cf", "Cc"} or code in _INVISIBLE or _is_variation_selector(code):
        return "", "invisible"
    name = unicodedata.name(char, "")
    for prefix in _ENCLOSED_NAMES:
        if name.startswith(prefix) and len(name) == len(prefix) + 1:
            return name[-1].lower(), "look-alike"
    if char in look_alike and not _is_plain(unicodedata.normalize("NFKC", char)):
        return look_alike[char], "look-alike"
    return _fold_by_unicode(char, look_alike, simple)


def _is_plain(text: str) -> bool:
    """True for ASCII letters and digits: a mathematical I is an i, whatever it looks like."""
    return text.isascii() and text.isalnum()


def _fold_by_unicode(
    char: str, look_alike: dict[str, str], simple: dict[str, str]
) -> tuple[str, str]:
    digit = unicodedata.digit(char, None)
    if digit is not None and not char.isascii():
        return str(digit), "width" if 0xFF10 <= ord(char) <= 0xFF19 else "compatibility"
    compatible = unicodedata.normalize("NFKC", char)
    folded = unicodedata.normalize("NFKC", compatible.casefold())
    kind = ""
    if compatible != char:
        kind = "width" if 0xFF00 <= ord(char) <= 0xFFEF or char == "\u3000" else "compatibility"
    elif folded != char:
        kind = "case"
    out = []
    for part in folded:
        plain = look_alike.get(part, _TURNED.get(part, part))
        if plain != part:
            kind = "look-alike"
        stripped = _without_accents(plain)
        if stripped != plain:
            kind = "accent"
        if stripped in simple:
            stripped, kind = simple[stripped], "traditional"
        out.append(stripped)
    result = "".join(out)
    return (result, kind) if result.strip() or not char.strip() else (" ", kind)


def _without_accents(char: str) -> str:
    if "LATIN" not in unicodedata.name(char, ""):
        return char
    kept = [c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn"]
    return "".join(kept)


def _is_variation_selector(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F


def character_class(char: str) -> int:
    """Return the bit set of CLASS_ constants for one (folded) character."""
    category = unicodedata.category(char)
    name = unicodedata.name(char, "")
    if name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH")) or char == "〇":
        return CLASS_HAN
    if category[0] == "N":
        return CLASS_DIGIT
    if category[0] == "L":
        if name.startswith("LATIN"):
            return CLASS_LATIN
        if name.startswith(("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA")):
            return CLASS_KANA
        return CLASS_LETTER
    if category in {"Mc", "Mn"}:  # vowel signs of Indic scripts belong to their letters
        return CLASS_LETTER
    return CLASS_SPACE if char.isspace() else 0


def build(folder: Path) -> Path:
    """Write base.npz into a folder and return its path. The same Python writes the same bytes."""
    look_alike, simple = confusables(), simplified()
    sources, targets, kinds = [], [], []
    lengths: list[int] = []
    expansion: list[int] = []
    classes = np.zeros(_CODE_SPACE, np.uint8)
    for code in range(_CODE_SPACE):
        char = chr(code)
        category = unicodedata.category(char)
        if category in {"Cn", "Co"} and not _is_variation_selector(code):
            continue
        if code not in _SURROGATES:
            classes[code] = character_class(char)
        folded, kind = fold_character(char, look_alike, simple)
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
