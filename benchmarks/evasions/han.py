"""Kinds 4 to 6: variants, sounds and shapes.

Sources, none of them the engine's tables: OpenCC's dictionaries for traditional forms, pypinyin for
readings, the characters that GB 2312 calls common as homophones, and lists of similar sounds,
similar shapes and character parts where a data folder has them. A technique whose source is missing
is left out, and `missing` says so.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from evasions.spell import (
    Technique,
    every,
    is_han,
    is_latin,
    lookup,
    only,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from evasions.spell import Rewrite

_RARE = {
    "群": "羣", "床": "牀", "峰": "峯", "淫": "婬", "奸": "姦", "裸": "躶", "吃": "喫",
    "烟": "煙菸", "药": "葯藥", "冰": "氷", "泄": "洩", "强": "強彊", "线": "綫線", "台": "臺颱",
    "采": "採埰", "彩": "綵", "乳": "𠃵", "球": "毬", "赌": "賭𧶠", "博": "愽", "脱": "脫",
    "娱": "娯", "场": "塲", "真": "眞", "钱": "銭錢", "款": "欵", "游": "遊", "戏": "戱戲",
    "券": "劵", "证": "証", "码": "碼", "鸡": "雞鷄", "秘": "祕", "鬼": "鬽", "粗": "麤",
    "仙": "僊", "凶": "兇", "炮": "砲", "暖": "煖", "唇": "脣", "奶": "嬭", "妆": "粧", "弃": "棄",
    "拿": "挐", "回": "囘囬", "夜": "亱", "私": "厶", "免": "兔", "闲": "閒", "赔": "賠",
    "凭": "凴", "略": "畧", "够": "夠", "里": "裏裡", "只": "衹祇",
}  # fmt: skip
"""Variants that input methods offer but schoolbooks do not, written down by hand."""
_JAPANESE = {
    "乐": "楽", "气": "気", "图": "図", "卖": "売", "读": "読", "钱": "銭", "铁": "鉄", "药": "薬",
    "发": "発", "变": "変", "广": "広", "黑": "黒", "对": "対", "战": "戦", "检": "検", "经": "経",
    "绘": "絵", "圆": "円", "龙": "竜", "龄": "齢", "应": "応", "实": "実", "传": "伝", "转": "転",
    "关": "関", "价": "価", "佛": "仏", "假": "仮", "泽": "沢", "译": "訳", "释": "釈", "续": "続",
    "专": "専", "单": "単", "圈": "圏", "压": "圧", "处": "処", "带": "帯", "归": "帰", "戏": "戯",
    "抢": "搶", "摄": "摂", "拥": "擁", "每": "毎", "海": "海", "滨": "浜", "恶": "悪", "惠": "恵",
    "乱": "乱", "爱": "愛", "两": "両", "县": "県", "卷": "巻", "团": "団", "围": "囲", "场": "場",
    "盐": "塩", "增": "増", "壳": "殻", "头": "頭", "步": "歩", "残": "残", "总": "総", "缘": "縁",
    "荣": "栄", "营": "営", "严": "厳", "险": "険", "杂": "雑", "静": "静", "显": "顕", "香": "馫",
    "麦": "麦", "鸡": "鶏", "点": "点", "欢": "歓", "权": "権", "观": "観", "劝": "勧", "劲": "勁",
}  # fmt: skip
_FUZZY_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("f", "h"), ("r", "l"))
_FUZZY_FINALS = (("ang", "an"), ("eng", "en"), ("ing", "in"), ("uang", "uan"), ("ong", "eng"))
_UPSIDE_DOWN = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_MIRRORED = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɒdɔbɘʇǫʜiꞁʞlmᴎoqpɿƨƚuvwxγƹ", strict=True))
_DIGRAPHS = {"m": ("rn",), "w": ("vv",), "d": ("cl",), "k": ("|<",), "u": ("|_|",), "n": ("|\\|",),
             "h": ("|-|",), "q": ("cj",)}  # fmt: skip
_RESPELLED = (
    ("ck", "k"), ("ph", "f"), ("x", "ks"), ("qu", "kw"), ("tion", "shun"), ("ee", "ii"),
    ("ea", "ee"), ("oo", "u"), ("ca", "ka"), ("co", "ko"), ("cu", "ku"), ("ci", "si"),
    ("ce", "se"), ("er", "a"), ("s", "z"), ("i", "y"), ("y", "ie"),
)  # fmt: skip
_LISTS = ("similar_sound_chars", "similar_shape_chars", "chaizi_simplified")


def missing(data: Path | None) -> list[str]:
    """Return a note for every source that is not there."""
    notes = []
    if _pypinyin() is None:
        notes.append("pypinyin is not installed: no pinyin, no homophones by reading")
    if _opencc("s2t") is None:
        notes.append("opencc is not installed: no traditional forms")
    lists = [f"lexicons/{name}.txt" for name in _LISTS]
    absent = [name for name in lists if data is None or not (data / name).is_file()]
    return notes + [f"no {name} (--data): what needs it is left out" for name in absent]


def techniques(data: Path | None) -> list[Technique]:
    """Return the techniques whose sources are there."""
    found = [
        Technique(4, "rare variants", some(lookup(_RARE), 1.0)),
        Technique(4, "Japanese forms", some(lookup(_JAPANESE), 1.0)),
        Technique(5, "English spelled by sound", only(is_latin, _respelled, 3)),
        Technique(6, "upside down", only(is_latin, _turned(_UPSIDE_DOWN))),
        Technique(6, "mirrored", only(is_latin, _turned(_MIRRORED))),
        Technique(6, "letters drawn with others", some(lookup(_DIGRAPHS), 1.0)),
        Technique(6, "Latin word cut in two", only(is_latin, _cut_word, 4)),
        Technique(6, "words run together", _run_together),
        Technique(6, "written backwards", _backwards),
    ]
    for name, config in (("traditional", "s2t"), ("Taiwan", "s2tw"), ("Hong Kong", "s2hk")):
        convert = _opencc(config)
        if convert is not None:
            found.append(Technique(4, f"traditional ({name})", _converted(convert)))
    if _opencc("s2t") is not None:
        found.append(Technique(4, "traditional, half", _half_traditional))
    if _pypinyin() is not None:
        found += [
            Technique(3, "pinyin with tone marks", only(is_han, _pinyin("TONE", " "))),
            Technique(5, "homophone, same tone", only(is_han, some(_same_tone))),
            Technique(5, "homophone, other tone", only(is_han, some(_other_tone))),
            Technique(5, "homophone, every character", only(is_han, some(_same_sound, 1.0))),
            Technique(5, "near homophone (z/zh, n/l, an/ang)", only(is_han, some(_near_sound))),
            Technique(5, "full pinyin, joined", only(is_han, _pinyin("NORMAL", ""))),
            Technique(5, "full pinyin, spaced", only(is_han, _pinyin("NORMAL", " "))),
            Technique(5, "pinyin for one character", only(is_han, _one_reading("NORMAL"))),
            Technique(5, "initial for one character", only(is_han, _one_reading("FIRST_LETTER"))),
            Technique(5, "initials", only(is_han, _pinyin("FIRST_LETTER", "")), report=True),
            Technique(5, "bopomofo", only(is_han, _pinyin("BOPOMOFO", "")), report=True),
        ]
    return found + _listed(data)


def homophone(text: str, random: Random) -> str:
    """Replace about half of the Chinese characters by homophones."""
    return only(is_han, some(_same_sound))(text, random) if _pypinyin() is not None else text


def traditional(text: str, random: Random) -> str:
    """Rewrite in traditional characters."""
    convert = _opencc("s2t")
    return text if convert is None else convert(text)


def _listed(data: Path | None) -> list[Technique]:
    """Return the techniques that need lists from a data folder."""
    found: list[Technique] = []
    if data is None:
        return found
    folder = data / "lexicons"
    sounds, shapes = (_pairs(folder / f"{name}.txt") for name in _LISTS[:2])
    parts = _parts(folder / f"{_LISTS[2]}.txt")
    if sounds:
        found.append(Technique(5, "similar sound, from a list", some(_common(sounds))))
    if shapes:
        found.append(Technique(6, "similar shape, from a list", some(_common(shapes))))
        found.append(Technique(6, "similar shape, any character", some(lookup(shapes))))
    if parts:
        joined = {parted: char for char, ways in parts.items() for parted in ways}
        found += [
            Technique(6, "one character split", some(lookup(parts), 0.01)),
            Technique(6, "every character split", some(lookup(parts), 1.0)),
            Technique(6, "two characters joined", _joined(joined)),
        ]
    return found


def _pairs(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2 and len(row[0]) == 1}


def _parts(path: Path) -> dict[str, tuple[str, ...]]:
    """Return ways to write a character as two or three characters that can be typed."""
    table: dict[str, tuple[str, ...]] = {}
    if not path.is_file():
        return table
    for line in path.read_text(encoding="utf-8").splitlines():
        character, *ways = line.split("\t")
        split = [way.split() for way in ways]
        fit = ["".join(way) for way in split if len(way) in {2, 3} and all(map(_typed, way))]
        if len(character) == 1 and fit:
            table[character] = tuple(fit)
    return table


def _typed(part: str) -> bool:
    return len(part) == 1 and (is_common(part) or part in "氵亻扌讠钅艹犭忄纟饣礻衤阝宀疒辶")


@cache
def is_common(character: str) -> bool:
    """Say whether GB 2312 has a character in its first level, the 3,755 common ones."""
    try:
        code = character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and 0xB0 <= code[0] <= 0xD7


@cache
def _common_characters() -> tuple[str, ...]:
    found = []
    for high in range(0xB0, 0xD8):
        for low in range(0xA1, 0xFF):
            try:
                found.append(bytes((high, low)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return tuple(found)


def _common(table: dict[str, str]) -> Callable[[str], Sequence[str]]:
    """Return options that a phone's keyboard offers first."""
    return lambda character: [c for c in table.get(character, "") if is_common(c)]


@cache
def _pypinyin() -> object | None:
    try:
        import pypinyin
    except ImportError:
        return None
    return pypinyin


@cache
def _opencc(config: str) -> Callable[[str], str] | None:
    try:
        import opencc
    except ImportError:
        return None
    convert: Callable[[str], str] = opencc.OpenCC(config).convert
    return convert


@cache
def _reading(character: str, style: str = "TONE3") -> str:
    import pypinyin

    return pypinyin.lazy_pinyin(character, style=pypinyin.Style[style], errors="ignore")[0]


@cache
def _by_sound() -> dict[str, list[str]]:
    """Return the common characters by syllable."""
    table: dict[str, list[str]] = {}
    for character in _common_characters():
        table.setdefault(_reading(character, "NORMAL"), []).append(character)
    return table


@cache
def _same_sound(character: str) -> tuple[str, ...]:
    if not is_han(character):
        return ()
    try:
        syllable = _reading(character, "NORMAL")
    except IndexError:  # no reading is known
        return ()
    return tuple(c for c in _by_sound().get(syllable, ()) if c != character)


@cache
def _same_tone(character: str) -> tuple[str, ...]:
    return tuple(c for c in _same_sound(character) if _reading(c) == _reading(character))


@cache
def _other_tone(character: str) -> tuple[str, ...]:
    return tuple(c for c in _same_sound(character) if _reading(c) != _reading(character))


@cache
def _near_sound(character: str) -> tuple[str, ...]:
    if not is_han(character):
        return ()
    try:
        syllable = _reading(character, "NORMAL")
    except IndexError:
        return ()
    near = set()
    for pair in _FUZZY_INITIALS:
        for one, other in (pair, pair[::-1]):
            if syllable.startswith(one):
                near.add(other + syllable.removeprefix(one))
    for pair in _FUZZY_FINALS:
        for one, other in (pair, pair[::-1]):
            if syllable.endswith(one):
                near.add(syllable.removesuffix(one) + other)
    return tuple(c for other in sorted(near - {syllable}) for c in _by_sound().get(other, ()))


def _pinyin(style: str, joiner: str) -> Rewrite:
    def rewrite(text: str, random: Random) -> str:
        import pypinyin

        return joiner.join(pypinyin.lazy_pinyin(text, style=pypinyin.Style[style]))

    return rewrite


def _one_reading(style: str) -> Rewrite:
    """Return a technique that writes one character of a word as its reading."""

    def rewrite(text: str, random: Random) -> str:
        import pypinyin

        readings = pypinyin.lazy_pinyin(text, style=pypinyin.Style[style])
        if len(readings) != len(text):
            return text
        at = random.randrange(len(text))
        return text[:at] + readings[at] + text[at + 1 :]

    return rewrite


def _converted(convert: Callable[[str], str]) -> Rewrite:
    return lambda text, random: convert(text)


def _half_traditional(text: str, random: Random) -> str:
    changed = traditional(text, random)
    if len(changed) != len(text):
        return changed
    different = [i for i, (a, b) in enumerate(zip(text, changed, strict=True)) if a != b]
    kept = set(random.sample(different, len(different) // 2))
    return "".join(text[i] if i in kept else c for i, c in enumerate(changed))


def _turned(table: dict[str, str]) -> Rewrite:
    return lambda text, random: every(table)(text.lower()[::-1], random)


def _backwards(text: str, random: Random) -> str:
    return text[::-1]


def _respelled(text: str, random: Random) -> str:
    """Spell one or two places of a word by ear."""
    lowered = text.lower()
    fit = [pair for pair in _RESPELLED if pair[0] in lowered]
    if not fit:
        return text
    for old, new in random.sample(fit, min(len(fit), 1 + (len(text) > 6))):
        lowered = lowered.replace(old, new, 1)
    return lowered


def _cut_word(text: str, random: Random) -> str:
    at = random.randint(2, len(text) - 2)
    return f"{text[:at]} {text[at:]}"


def _run_together(text: str, random: Random) -> str:
    return "".join(text.split(" ")) if any(map(is_latin, text)) else text


def _joined(table: dict[str, str]) -> Rewrite:
    def rewrite(text: str, random: Random) -> str:
        for at in range(len(text) - 1):
            if text[at : at + 2] in table:
                return text[:at] + table[text[at : at + 2]] + text[at + 2 :]
        return text

    return rewrite
