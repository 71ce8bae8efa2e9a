"""Kinds 7, 8 and 10: code words, emoji as words, languages mixed, terms scattered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evasions.bilingual import PAIRS
from evasions.spell import CLOSE, OPEN, Technique, is_han, is_latin, only

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from random import Random

    from evasions.spell import Rewrite

CODE_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "drugs": {
        "大麻": ("叶子", "草", "飞草", "飞行"), "冰毒": ("猪肉", "冰", "肉", "溜冰"),
        "海洛因": ("白粉", "四号", "白面"), "氯胺酮": ("k粉", "k仔", "开凯"),
        "摇头丸": ("糖", "圆子", "快乐丸"), "可卡因": ("可乐", "雪花"),
        "笑气": ("气球", "气弹", "奶油弹"), "依托咪酯": ("上头电子烟", "烟粉", "烟油"),
        "迷药": ("听话水", "乖乖水"), "毒品": ("硬货", "货"), "麻古": ("麻果", "红豆"),
        "蘑菇": ("菇子",), "止咳水": ("快乐水",),
        "cocaine": ("snow", "white girl", "blow", "yayo"), "coke": ("snow", "blow"),
        "heroin": ("smack", "dope", "black tar"), "weed": ("gas", "za", "loud", "tree"),
        "cannabis": ("bud", "za", "420"), "marijuana": ("bud", "tree"), "mdma": ("molly", "mandy"),
        "ecstasy": ("beans", "rolls"), "meth": ("ice", "tina", "crystal"), "lsd": ("acid", "tabs"),
        "ketamine": ("special k", "ket"), "xanax": ("bars", "xans", "zans"),
        "oxycodone": ("blues", "roxys"), "percocet": ("percs", "perks"),
        "shrooms": ("caps", "boomers"), "codeine": ("lean", "drank"), "dealer": ("plug",),
        "drugs": ("candy", "work"),
    },
    "gambling": {
        "赌博": ("菠菜", "博弈"), "博彩": ("菠菜", "bc"), "赌场": ("场子",), "平台": ("台子", "盘"),
        "代理": ("总代", "合伙人"), "百家乐": ("bjl", "百家楽"), "彩票": ("cp", "菜票"),
        "投注": ("下米",), "下注": ("下米",), "上分": ("充米", "上芬"), "下分": ("出米", "下芬"),
        "预测": ("球料", "料"), "足球": ("zq", "球"), "提款": ("出米", "出黑"), "棋牌": ("qp",),
        "casino": ("the house", "cas"), "gambling": ("punting", "the tables"), "slots": ("reels",),
        "sportsbook": ("bookie", "book"), "betting": ("punting",), "bet": ("punt", "wager"),
        "tips": ("picks", "locks"), "deposit": ("reload",), "fixed match": ("sure odds",),
        "fixed matches": ("sure games",), "free spins": ("fs",), "blackjack": ("bj",),
    },
    "porn": {
        "约炮": ("yp", "约泡", "打扑克"), "卖淫": ("楼凤", "上门"), "嫖娼": ("品茶", "喝茶"),
        "小姐": ("技师", "茶"), "裸聊": ("文爱", "视频互动"), "色情": ("涩涩", "瑟瑟"),
        "成人视频": ("学习资料", "老师作品"), "黄片": ("小电影", "资料"),
        "做爱": ("啪啪", "深入交流"), "口交": ("kj", "口活"), "按摩": ("大保健", "spa"),
        "自慰": ("zw", "手动档"), "包夜": ("过夜",), "资源": ("zy", "种子"),
        "丝袜": ("黑丝", "s袜"), "porn": ("corn", "spicy content"), "sex": ("seggs", "fun time"),
        "nudes": ("noods", "spicy pics"), "escort": ("companion", "provider"),
        "onlyfans": ("spicy site", "of"), "hookup": ("nsa fun", "fwb"), "pussy": ("kitty",),
        "dick": ("eggplant",), "boobs": ("melons",), "sexting": ("spicy chat",),
    },
}  # fmt: skip
EMOJI_WORDS = {
    "大麻": "🍃🌿", "叶子": "🍃🍁", "草": "🌿", "冰": "❄️|🧊", "雪": "❄️", "药": "💊", "丸": "💊",
    "蘑菇": "🍄", "菇": "🍄", "气球": "🎈", "烟": "🚬|💨", "猪": "🐷", "肉": "🥩", "糖": "🍬",
    "邮票": "📮", "针": "💉", "骰": "🎲", "赌": "🎰", "老虎机": "🎰", "牌": "🃏", "麻将": "🀄",
    "球": "⚽|🏀", "彩": "🌈", "菠菜": "🥬", "菜": "🥬", "马": "🐎", "牛": "🐮", "龙": "🐉",
    "虎": "🐯", "钱": "💰", "米": "🍚|💰", "红包": "🧧", "金": "💰", "车": "🚗", "飞": "✈️",
    "鸡": "🐔", "炮": "💣", "水": "💦", "床": "🛏️", "骚": "🦊", "狼": "🐺", "黄": "💛", "色": "🎨",
    "福利": "🎁", "视频": "📹", "照片": "📷", "片": "🎬", "奶": "🥛", "胸": "🍒", "嘴": "👄",
    "茶": "🍵", "妹": "💃", "群": "👗", "微信": "🛰️", "weed": "🍃|🌿|🌳", "cannabis": "🍁",
    "snow": "❄️", "coke": "❄️|🥤", "cocaine": "❄️", "ice": "🧊", "meth": "🧊", "pills": "💊",
    "pill": "💊", "xanax": "💊", "bars": "🍫", "mushrooms": "🍄", "shrooms": "🍄", "acid": "🌈",
    "plug": "🔌", "gas": "⛽", "fire": "🔥", "balloons": "🎈", "drugs": "💊", "smoke": "💨",
    "dope": "💉", "candy": "🍬", "casino": "🎰", "slots": "🎰", "slot": "🎰", "dice": "🎲",
    "poker": "♠️|🃏", "blackjack": "🃏", "jackpot": "💰", "bet": "🎲", "betting": "🎲",
    "football": "⚽", "horse": "🐎", "cash": "💵", "money": "💰", "ass": "🍑", "sex": "🍆🍑",
    "dick": "🍆", "pussy": "🐱", "boobs": "🍒", "tits": "🍒", "wet": "💦", "horny": "🥵",
    "nudes": "🍑📸", "hot": "🔥", "porn": "🌽", "videos": "📹", "pics": "📸", "cam": "📷",
    "bed": "🛏️", "massage": "💆",
}  # fmt: skip


def techniques(rules: Path | None) -> list[Technique]:
    """Return the techniques; `rules` is the folder in whose packs code words are looked up."""
    texts = {} if rules is None else _pack_texts(rules)
    known: dict[str, tuple[str, ...]] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for policy, words in CODE_WORDS.items():
        for word, codes in words.items():
            inside = tuple(c for c in codes if c in texts.get(policy, ""))
            known |= {word: inside} if inside else {}
            outside = tuple(c for c in codes if c not in inside)
            unknown |= {word: outside} if outside else {}
    emoji = {word: tuple(signs.split("|")) for word, signs in EMOJI_WORDS.items()}
    to_english: dict[str, tuple[str, ...]] = {}
    to_chinese: dict[str, tuple[str, ...]] = {}
    for chinese, english in PAIRS:
        to_english[chinese] = (*to_english.get(chinese, ()), english)
        to_chinese[english] = (*to_chinese.get(english, ()), chinese)
    found = [
        Technique(7, "code word the pack names", swap(known), report=True),
        Technique(7, "code word it does not name", swap(unknown), report=True),
        Technique(8, "emoji as words", swap(emoji), report=True),
    ]
    return [
        *found,
        Technique(10, "Chinese term in English", swap(to_english)),
        Technique(10, "English term in Chinese", swap(to_chinese)),
        Technique(10, "neighbours swapped (Han)", only(is_han, _swapped)),
        Technique(10, "letters swapped (Latin)", only(is_latin, _shuffled, 4)),
        Technique(10, "halves or words swapped", _halves),
        Technique(10, "term cut by the title's end", _title_cut, whole=True),
        Technique(10, "terms moved to title and tags", _moved, whole=True),
        Technique(10, "one tag a character", _tagged, whole=True),
    ]


def swap(table: Mapping[str, Sequence[str]]) -> Rewrite:
    """Return a technique that replaces the words of a table, longest first, Latin ones whole."""
    words = sorted(table, key=lambda w: (-len(w), w))
    joined = "|".join(
        rf"(?<![a-z]){re.escape(w)}(?![a-z])" if w.isascii() else re.escape(w) for w in words
    )
    compiled = re.compile(joined or r"(?!)", re.IGNORECASE)

    def rewrite(text: str, random: Random) -> str:
        def other(found: re.Match[str]) -> str:
            chosen = random.choice(table[found.group().lower()])
            # English inside Chinese is set apart the way people type it, now and then.
            wide = chosen.isascii() and not found.group().isascii() and random.random() < 0.5
            return f" {chosen} " if wide else chosen

        return compiled.sub(other, text)

    return rewrite


def _swapped(text: str, random: Random) -> str:
    spots = [i for i in range(len(text) - 1) if text[i] != text[i + 1]]
    if not spots:
        return text
    at = random.choice(spots)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _shuffled(text: str, random: Random) -> str:
    """Swap two inner letters: the first and the last stay, and readers do not notice."""
    spots = [i for i in range(1, len(text) - 2) if text[i] != text[i + 1]]
    if not spots:
        return text
    at = random.choice(spots)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _halves(text: str, random: Random) -> str:
    words = text.split(" ")
    if len(words) > 1:
        at = random.randint(1, len(words) - 1)
        return " ".join((*words[at:], *words[:at]))
    if len(text) >= 4 and all(map(is_han, text)):
        return text[len(text) // 2 :] + text[: len(text) // 2]
    return text


_MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")


def _title_cut(text: str, random: Random) -> str:
    """End the title in the middle of the first term, the body's first line in the next, …."""

    def cut(found: re.Match[str]) -> str:
        term = found.group(1)
        return term if len(term) < 2 else f"{term[: len(term) // 2]}\n{term[len(term) // 2 :]}"

    return _MARKED.sub(cut, text)


def _moved(text: str, random: Random) -> str:
    """Take the terms out of the body: the first makes the title, the others the tags."""
    terms = _MARKED.findall(text)
    if not terms:
        return text
    body = _MARKED.sub("", text)
    tags = "".join(f" #{term.replace(' ', '')}" for term in terms[1:])
    return f"{terms[0]}\n{body}\n{tags.strip()}".strip()


def _tagged(text: str, random: Random) -> str:
    """Take the terms out of the body and write them as tags of one character or word each."""
    pieces: Iterable[str] = (
        piece
        for term in _MARKED.findall(text)
        for piece in (re.findall(r"[a-zA-Z0-9]+|\S", term) or [term])
    )
    return f"{_MARKED.sub('', text)}\n{' '.join(f'#{piece}' for piece in pieces)}"


def _pack_texts(rules: Path) -> dict[str, str]:
    return {
        policy: "\n".join(
            path.read_text(encoding="utf-8") for path in sorted((rules / policy).glob("*.yaml"))
        )
        for policy in CODE_WORDS
    }
