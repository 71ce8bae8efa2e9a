"""Kinds 1 to 3: other letter forms, invisible characters, noise between characters.

Letter forms come from Unicode blocks and hand-written look-alikes.
"""

from __future__ import annotations

import string
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from evasions.spell import (
    Technique,
    after,
    between,
    either,
    every,
    is_han,
    is_latin,
    lookup,
    one_gap,
    only,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from evasions.spell import Rewrite

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits

_MATH = ((0x1D400, 0x1D41A, 0x1D7CE), (0x1D468, 0x1D482, 0x1D7CE), (0x1D4D0, 0x1D4EA, 0x1D7D8),
         (0x1D56C, 0x1D586, 0x1D7D8), (0x1D5A0, 0x1D5BA, 0x1D7E2), (0x1D5D4, 0x1D5EE, 0x1D7EC),
         (0x1D608, 0x1D622, 0x1D7E2), (0x1D670, 0x1D68A, 0x1D7F6))  # fmt: skip
"""First capital, small letter and digit of the mathematical alphabets without gaps."""
_CYRILLIC = {
    "a": "а", "c": "с", "d": "ԁ", "e": "е", "h": "һ", "i": "і", "j": "ј", "l": "ӏ", "o": "о",
    "p": "р", "q": "ԛ", "s": "ѕ", "v": "ѵ", "w": "ԝ", "x": "х", "y": "у",
}  # fmt: skip
"""Letters that most fonts draw alike; those below only resemble."""
_FAUX_CYRILLIC = {
    "b": "ьвБ", "e": "ёє", "g": "ԍ", "h": "нЂ", "i": "їи",
    "k": "к", "m": "м", "n": "пий", "r": "гя",
    "t": "т", "u": "џц", "w": "шщ", "x": "ж", "y": "ўч", "z": "зӡ",
}  # fmt: skip
_GREEK = {
    "a": "α", "i": "ι", "k": "κ", "n": "η", "o": "ο", "p": "ρ", "t": "τ", "u": "υ", "v": "ν",
    "w": "ω", "x": "χ", "y": "γ",
}  # fmt: skip
_FAUX_GREEK = {
    "b": "β", "c": "ς", "d": "δ", "e": "εξ", "f": "ƒ", "l": "λ", "m": "μ", "n": "πή", "o": "σό",
    "r": "Γ", "s": "ςΣ", "t": "Τ", "u": "μύ", "w": "ψώ", "z": "ζ",
}  # fmt: skip
_STROKED = {
    "a": "ɑ", "b": "ƀ", "c": "ƈ", "d": "ɖđ", "e": "ɇ", "f": "ƒ", "g": "ɡɠ", "h": "ħ", "i": "ıɨ",
    "j": "ʝ", "k": "ƙ", "l": "ł", "m": "ɱ", "n": "ŋɲ", "o": "ø", "p": "ƥ", "q": "ʠ", "r": "ɍ",
    "s": "ʂ", "t": "ŧ", "u": "ʉ", "v": "ʋ", "y": "ɏ", "z": "ƶ",
}  # fmt: skip
_SMALL_CAPITALS = dict(zip(LOWER, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ", strict=True))
_RAISED = dict(zip(LOWER, "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖqʳˢᵗᵘᵛʷˣʸᶻ", strict=True)) | dict(
    zip(DIGITS, "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)
)
_LEET = {
    "a": "4@", "b": "8", "c": "(", "e": "3", "g": "96", "i": "1!", "l": "1|", "o": "0", "s": "5$",
    "t": "7+", "z": "2",
}  # fmt: skip
_ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0328"
_ZERO_WIDTH = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff")
_BIDI = ("\u200e", "\u200f", "\u061c", "\u202a\u202c", "\u2066\u2069", "\u2068\u2069")
_BLANK_LETTERS = ("\u3164", "\u115f", "\uffa0", "\u2800", "\u180e")
_SELECTORS = (*map(chr, range(0xFE00, 0xFE10)), "\U000e0100", "\U000e0101")
_TAGS = tuple(map(chr, range(0xE0061, 0xE007B)))
_COMBINING = ("\u0301", "\u0302", "\u0303", "\u0308", "\u0323", "\u0332", "\u20dd", "\u20e3")
_STRIKES = ("\u0336", "\u0335", "\u0338", "\u034f")
_ZALGO = tuple(map(chr, (*range(0x300, 0x370), *range(0x483, 0x488))))

_PUNCTUATION = (*".,-_*~/|'`^+=:;\"", "..", "--", "/\\")
_WIDE_SYMBOLS = (*"＋＊～／－．、。，！＃＆·丶︱…【】（）《》", "——")
_DINGBATS = tuple("♡♥★☆◆◇●○■□▲△※→←♪♫✿❀〇々ㄨ乂")
_EMOJI = ("❤️", "🔥", "✨", "😂", "💕", "⭐", "🌹", "👍", "😘", "🎀", "🍀", "💯")
_FRAMES = ("【{}】", "({})", "[{}]", "『{}』", "「{}」", "<{}>", "❨{}❩", "{{{}}}")


def _alphabet(upper: int, lower: int, digit: int | None = None) -> dict[str, str]:
    table = {c: chr(upper + n) for n, c in enumerate(UPPER)}
    table |= {c: chr(lower + n) for n, c in enumerate(LOWER)}
    return table | ({} if digit is None else {c: chr(digit + n) for n, c in enumerate(DIGITS)})


def _circled(upper: int, lower: int, one: int, zero: str) -> dict[str, str]:
    table = _alphabet(upper, lower) | {c: chr(one + n) for n, c in enumerate("123456789")}
    return table | {"0": zero}


_ENCLOSED = (
    _circled(0x24B6, 0x24D0, 0x2460, "⓪"),
    _circled(0x249C, 0x249C, 0x2474, "0"),
    _circled(0x1F130, 0x1F130, 0x1F102, "🄁"),
    _circled(0x1F150, 0x1F150, 0x2776, "⓿"),
    _circled(0x1F170, 0x1F170, 0x278A, "🄌"),
)


def _style(tables: Sequence[dict[str, str]]) -> Rewrite:
    """Return a technique that takes one alphabet for the whole stretch."""

    def rewrite(text: str, random: Random) -> str:
        return every(random.choice(tables))(text, random)

    return rewrite


def _flags(text: str, random: Random) -> str:
    letters = {c: [chr(0x1F1E6 + n) + "\u200a"] for n, c in enumerate(LOWER)}
    return every(letters)(text.lower(), random) if any(map(is_latin, text)) else text


def _mixed_case(text: str, random: Random) -> str:
    return "".join(c.upper() if random.random() < 0.5 else c.lower() for c in text)


def _accented(text: str, random: Random) -> str:
    def accents(letter: str) -> list[str]:
        if not is_latin(letter):
            return []
        made = (unicodedata.normalize("NFC", letter + mark) for mark in _ACCENTS)
        return [c for c in made if len(c) == 1]

    return some(accents, 0.7)(text, random)


@cache
def _compatibility() -> dict[str, list[str]]:
    """Return, by Chinese character, its radical and compatibility forms in Unicode."""
    table: dict[str, list[str]] = {}
    for first, last in ((0x2E80, 0x2FD5), (0xF900, 0xFAD9), (0x2F800, 0x2FA1D), (0x3280, 0x32B0)):
        for code in range(first, last + 1):
            plain = unicodedata.normalize("NFKC", chr(code))
            if len(plain) == 1 and plain != chr(code) and is_han(plain):
                table.setdefault(plain, []).append(chr(code))
    return table


def _compatible(text: str, random: Random) -> str:
    return every(_compatibility())(text, random)


def _override(text: str, random: Random) -> str:
    return f"\u202e{text[::-1]}\u202c" if text != text[::-1] else text


def _stretched(text: str, random: Random) -> str:
    spots = [i for i, c in enumerate(text) if is_latin(c)]
    if not spots:
        return text
    at = random.choice([i for i in spots if text[i].lower() in "aeiouy"] or spots)
    return text[:at] + text[at] * random.randint(3, 6) + text[at + 1 :]


def _doubled(text: str, random: Random) -> str:
    times = random.randint(2, 3)
    return "".join(c * times if is_han(c) else c for c in text)


def _framed(text: str, random: Random) -> str:
    frame = random.choice(_FRAMES)
    return "".join(frame.format(c) if is_han(c) or is_latin(c) else c for c in text)


def _lines(text: str, random: Random) -> str:
    return between(("\n",))(text, random)


_LATIN_ONLY = "0123456789" + UPPER + LOWER
_WIDE = {c: chr(ord(c) + 0xFEE0) for c in _LATIN_ONLY}
_MATH_TABLES = [_alphabet(*starts) for starts in _MATH]

TECHNIQUES = (
    Technique(1, "full width", every(_WIDE)),
    Technique(1, "mixed case", _mixed_case),
    Technique(1, "mathematical letters", _style(_MATH_TABLES)),
    Technique(1, "enclosed letters", _style(_ENCLOSED)),
    Technique(1, "flag letters", _flags),
    Technique(1, "small capitals", every(_SMALL_CAPITALS)),
    Technique(1, "raised letters", every(_RAISED)),
    Technique(1, "Cyrillic, same shape", some(lookup(_CYRILLIC), 0.6)),
    Technique(1, "Cyrillic, resembling", some(lookup(_FAUX_CYRILLIC), 0.6)),
    Technique(1, "Greek, same shape", some(lookup(_GREEK), 0.6)),
    Technique(1, "Greek, resembling", some(lookup(_FAUX_GREEK), 0.6)),
    Technique(1, "stroked letters", some(lookup(_STROKED), 0.6)),
    Technique(1, "accents", _accented),
    Technique(1, "leet, a third", some(lookup(_LEET), 0.34)),
    Technique(1, "leet, all", some(lookup(_LEET), 1.0)),
    Technique(1, "Han radicals, compatibility forms", _compatible),
    Technique(2, "zero-width", between(_ZERO_WIDTH)),
    Technique(2, "zero-width, one", one_gap(_ZERO_WIDTH)),
    Technique(2, "bidirectional marks", between(_BIDI)),
    Technique(2, "right-to-left override", _override),
    Technique(2, "variation selectors", after(_SELECTORS)),
    Technique(2, "combining marks", after(_COMBINING)),
    Technique(2, "struck through", after(_STRIKES)),
    Technique(2, "zalgo", after(_ZALGO, least=2, most=5)),
    Technique(2, "soft hyphens", between(("\u00ad",))),
    Technique(2, "blank letters", between(_BLANK_LETTERS)),
    Technique(2, "tag characters", between(_TAGS)),
    Technique(3, "spaces", between((" ",))),
    Technique(3, "odd spaces", between(("\u3000", "\u2003", "\u00a0", "\u2009", "  "))),
    Technique(3, "one mark inside", one_gap((*_PUNCTUATION, *_WIDE_SYMBOLS, " "))),
    Technique(3, "dots", between((".", "·"))),
    Technique(3, "punctuation", between(_PUNCTUATION)),
    Technique(3, "full-width symbols", between(_WIDE_SYMBOLS)),
    Technique(3, "dingbats", between(_DINGBATS)),
    Technique(3, "emoji between", between(_EMOJI)),
    Technique(3, "two to three marks", between((*_PUNCTUATION, *_WIDE_SYMBOLS), least=2, most=3)),
    Technique(3, "each in brackets", _framed),
    Technique(3, "line breaks", _lines),
    Technique(3, "letter stretched", _stretched),
    Technique(3, "characters doubled", only(is_han, _doubled)),
    Technique(3, "digits between", only(is_han, between(tuple(DIGITS)))),
    Technique(3, "letters between", only(is_han, between(tuple("abcxyzk")))),
)
PUNCTUATED = between(_PUNCTUATION)
INVISIBLE = between(_ZERO_WIDTH)
LEET = some(lookup(_LEET), 0.34)
LOOKALIKE = either(some(lookup(_CYRILLIC), 0.6), some(lookup(_GREEK), 0.6))
