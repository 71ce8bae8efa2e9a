"""Characters that stand for Latin letters and digits, told by their Unicode names and shapes.

A name says which letter a character is (LATIN SMALL LETTER L WITH BAR, PARENTHESIZED DIGIT ONE).
Where it does not, Unicode's confusables say what it looks like. The lists below were written for
this project: which Latin letter each Cyrillic and Greek letter passes for, Latin letters named by
a word (SCHWA), and what neither source tells.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import Final

__all__ = ["confusables", "enclosed", "plain"]

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

_CHOSEN: Final = {
    "ɐ": "a", "ɔ": "c", "ǝ": "e", "ɟ": "f", "ƃ": "g", "ɥ": "h", "ᴉ": "i", "ʞ": "k", "ɯ": "m",
    "ɹ": "r", "ʇ": "t", "ʌ": "v", "ʍ": "w", "ʎ": "y", "Ɔ": "c", "ᵓ": "c",  # upside down
    "∃": "e", "ↄ": "c", "⅁": "g", "⅂": "l", "⅃": "l", "⅄": "y",
    "µ": "u", "μ": "m", "∂": "d", "℮": "e", "ɮ": "b", "ʘ": "o", "ƨ": "s", "լ": "l", "յ": "j",
    "₳": "a", "₣": "f", "₥": "m",  # money that nobody pays with
    "Γ": "r", "Δ": "a", "Η": "h", "Ι": "i", "Λ": "a", "Ν": "n", "Σ": "s", "Υ": "y", "Ω": "o",
    "Д": "a", "ς": "c", "ϒ": "y",
}  # fmt: skip
"""Where names and confusables say nothing, or another letter. Greek capitals differ in shape from
their small letters: Η is an H, η an n."""

_LATIN_NAMES: Final = {
    "ALPHA": "a", "BETA": "b", "CHI": "x", "DELTA": "d", "ENG": "n", "EPSILON": "e", "ESH": "s",
    "ETH": "d", "EZH": "z", "HENG": "h", "IOTA": "i", "KRA": "k", "LAMBDA": "l", "OMEGA": "w",
    "SCHWA": "e", "THORN": "p", "UPSILON": "u", "WYNN": "p",
    "AA": "aa", "AE": "ae", "AO": "ao", "AU": "au", "AV": "av", "AY": "ay", "DB": "db",
    "DEZH": "dz", "DZ": "dz", "HV": "hv", "LS": "ls", "LZ": "lz", "OE": "oe", "OO": "oo",
    "OU": "ou", "QP": "qp", "TC": "tc", "TESH": "ts", "TS": "ts", "TZ": "tz", "UE": "ue",
    "UI": "ui", "UO": "uo", "VY": "vy",
}  # fmt: skip

_GREEK: Final = {
    "ALPHA": "a", "BETA": "b", "GAMMA": "y", "DELTA": "d", "EPSILON": "e", "ZETA": "z",
    "ETA": "n", "THETA": "o", "IOTA": "i", "KAPPA": "k", "LAMDA": "l", "MU": "m", "NU": "v",
    "XI": "e", "OMICRON": "o", "PI": "n", "RHO": "p", "SIGMA": "o", "TAU": "t", "UPSILON": "u",
    "CHI": "x", "PSI": "w", "OMEGA": "w", "DIGAMMA": "f", "LUNATE EPSILON": "e",
    "ARCHAIC KOPPA": "q", "KOPPA": "q", "YOT": "j", "SHO": "p",
}  # fmt: skip
"""By shape first: ρ is a p, ν a v. φ is none."""

_CYRILLIC: Final = {
    "A": "a", "BE": "b", "VE": "b", "ROUNDED VE": "b", "GHE": "r", "DE": "d", "LONG-LEGGED DE": "d",
    "IE": "e", "ZE": "3", "I": "n", "SHORT I": "n", "KA": "k", "BASHKIR KA": "k", "EM": "m",
    "EN": "h", "O": "o", "NARROW O": "o", "BARRED O": "o", "PE": "n", "ER": "p", "ES": "c",
    "WIDE ES": "c", "TE": "t", "TALL TE": "t", "U": "y", "SHORT U": "y", "STRAIGHT U": "y",
    "HA": "x", "TSE": "u", "CHE": "y", "KHAKASSIAN CHE": "y", "SHA": "w", "SHCHA": "w",
    "HARD SIGN": "b", "SOFT SIGN": "b", "SEMISOFT SIGN": "b", "YAT": "b", "E": "e", "YA": "r",
    "DJE": "h", "UKRAINIAN IE": "e", "DZE": "s", "REVERSED DZE": "s", "JE": "j", "TSHE": "h",
    "BYELORUSSIAN-UKRAINIAN I": "i", "YI": "i", "IOTA": "i", "DZHE": "u", "GJE": "r", "KJE": "k",
    "OMEGA": "w", "BROAD OMEGA": "w", "LITTLE YUS": "a", "FITA": "o", "IZHITSA": "v",
    "KOPPA": "c", "SHHA": "h", "ABKHASIAN CHE": "e", "PALOCHKA": "l", "SCHWA": "e",
    "ABKHASIAN DZE": "z", "ZHE": "x", "KOMI DE": "d", "KOMI SJE": "g", "KOMI NJE": "h",
    "KOMI TJE": "t", "REVERSED ZE": "e", "ALEUT KA": "k", "QA": "q", "WE": "w",
}  # fmt: skip
"""By shape first: р is a p, н an h. Letters that pass for none (л, ф, ы, ю) stay as they are."""

_SHAPES: Final = re.compile(
    r"\b(?:LATIN|MODIFIER|EPIGRAPHIC|SUBSCRIPT|LETTER|LIGATURE|SMALL|CAPITAL|TURNED|REVERSED|INVERTED"
    r"|SIDEWAYS|DIAERESIZED|DOTLESS|LONG|SCRIPT|BLACKLETTER|INSULAR|STRETCHED|HALF|VISIGOTHIC"
    r"|BARRED|BROKEN|CLOSED|OPEN|MIDDLE-WELSH|TAILLESS|STIRRUP|GLOTTAL|EGYPTOLOGICAL|OLD POLISH"
    r"|ANGLICANA|SIGMOID|ARCHAIC|VOLAPUK|SANS-SERIF|DIGRAPH|ROTUNDA|BAR|LONGA)\b"
)
"""Words around a letter in a name that do not change which letter it is."""

_ENCLOSED_LETTER: Final = re.compile(
    r"(?:(?:CROSSED )?(?:NEGATIVE )?(?:CIRCLED|SQUARED|PARENTHESIZED)(?: ITALIC)? LATIN"
    r"|TORTOISE SHELL BRACKETED LATIN|REGIONAL INDICATOR SYMBOL)"
    r"(?: CAPITAL| SMALL)? LETTER ([A-Z])"
)
_ENCLOSED_WORD: Final = re.compile(r"(?:NEGATIVE )?SQUARED ([A-Z]+)(?: WITH EXCLAMATION MARK)?")
_ENCLOSED_WORDS: Final = range(0x1F100, 0x1F200)
_ENCLOSED_NUMBER: Final = re.compile(r".*(?:CIRCLED|PARENTHESIZED) (?!IDEOGRAPH).*")

_BRAILLE: Final = 0x2800
_BRAILLE_DOTS: Final = (1, 3, 9, 25, 17, 11, 27, 19, 10, 26)
"""Dots of a to j as bits; k to t add dot 3, u v x y z dots 3 and 6."""


def _braille() -> dict[str, str]:
    dots = dict(zip("abcdefghij", _BRAILLE_DOTS, strict=True))
    dots |= {letter: bits + 4 for letter, bits in zip("klmnopqrst", _BRAILLE_DOTS, strict=True)}
    dots |= {letter: bits + 36 for letter, bits in zip("uvxyz", _BRAILLE_DOTS[:5], strict=True)}
    dots["w"] = 58
    return {chr(_BRAILLE + bits): letter for letter, bits in dots.items()}


@lru_cache(maxsize=1)
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


def plain(char: str) -> str | None:
    """Return the ASCII letters or digit that a character passes for; None for none.

    Compatibility characters (mathematical, full width) are not looked at: NFKC says what they are.
    """
    if char.isascii() or _is_plain(unicodedata.normalize("NFKC", char)):
        return None
    if char in _CHOSEN:
        return _CHOSEN[char]
    name = unicodedata.name(char, "")
    if name.startswith(("GREEK ", "CYRILLIC ")):
        return _foreign(char, name)
    if name.startswith(("LATIN ", "MODIFIER LETTER ", "TURNED ")):
        return _by_latin_name(char, name)
    return _braille().get(char) if name.startswith("BRAILLE") else confusables().get(char)


def _is_plain(text: str) -> bool:
    """True for ASCII letters and digits: a mathematical I is an i, whatever it looks like."""
    return text.isascii() and text.isalnum()


def _foreign(char: str, name: str) -> str | None:
    base = unicodedata.normalize("NFD", char)[0]
    if base != char:
        return plain(base)  # ё, ή and all that carry Greek breathings
    letter = re.match(r"(GREEK|CYRILLIC) (?:CAPITAL|SMALL)(?: LETTER)? (.+?)(?: WITH .*)?$", name)
    if letter is None:
        return confusables().get(char)
    listed = _GREEK if letter[1] == "GREEK" else _CYRILLIC
    found = listed.get(letter[2])
    if found is None or (letter[1] == "GREEK" and char.lower() != char):
        return confusables().get(char, found)
    return found


def _by_latin_name(char: str, name: str) -> str | None:
    if unicodedata.normalize("NFD", char)[0].isascii():
        return None  # an accent, which is told apart from another letter
    words = _SHAPES.sub("", name.partition(" WITH ")[0]).split()
    if len(words) != 1 or not unicodedata.category(char).startswith("L"):
        return confusables().get(char)
    if len(words[0]) == 1:
        return words[0].lower()
    return confusables().get(char, _LATIN_NAMES.get(words[0]))


def enclosed(char: str) -> str | None:
    """Return the letter, word or number in a circle, square, bracket, flag or key; None for none.

    Not what NFKC unpacks as it should (①, ⓐ, ㊙), but ⒫ and ㈠, which it leaves in brackets.
    """
    name = unicodedata.name(char, "")
    if letter := _ENCLOSED_LETTER.fullmatch(name):
        return letter[1].lower()
    if ord(char) in _ENCLOSED_WORDS and (word := _ENCLOSED_WORD.fullmatch(name)):
        return word[1].lower()
    number = unicodedata.numeric(char, None)
    if name == "KEYCAP TEN":
        return "10"
    if number is not None and number == int(number) and _ENCLOSED_NUMBER.fullmatch(name):
        return str(int(number))
    if name.startswith("PARENTHESIZED "):
        return unicodedata.normalize("NFKC", char).strip("()") or None
    return None
