"""Posts written to make rules slow, all of the same size, to set against ordinary text."""

from __future__ import annotations

import random
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

import yaml
from traffic import everyday

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE: Final = 100_000
"""Code points of each post."""
_CONDITIONS: Final = ("any", "all", "near", "none", "exceptions", "require", "lists", "cues")
_CONTROLS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
_EMOJI: Final = ("😀", "👨\u200d👩\u200d👧", "❤️", "👍🏽", "🇨🇳", "🎰", "💊", "🍑", "1️⃣")


def ordinary(language: str, size: int = SIZE) -> str:
    """Return everyday talk of one language, `size` code points of it in one post."""
    source = random.Random(7)
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(everyday(language, source))
        length += len(parts[-1]) + 1
    return " ".join(parts)[:size]


def hostile(rules: Path, hits: list[str], size: int = SIZE) -> dict[str, str]:
    """Return posts by what they are made of.

    Args:
        rules: the rules folder; its terms are read from the YAML files.
        hits: posts that fire a rule each.
        size: code points of each post.
    """
    terms = sorted(set(literals(rules)))
    latin = [t for t in terms if t.isascii()]
    long = sorted(terms, key=lambda t: (-len(t), t))[:400]
    source = random.Random(7)
    shuffled = source.sample(terms, len(terms))
    made = {
        "one Han character (的)": "的",
        "one Han character of terms (赌)": "赌",
        "one Latin letter": "a",
        "one digit": "1",
        "one emoji": "😀",
        "one space": " ",
        "one quotation mark": '"',
        "one combining mark": "\u0301",
        "emoji, joined ones among them": "".join(_EMOJI),
        "one strong term": "上下分",
        "nested repeats of terms": "上上下下分分上下分上上分下下分",
        "a term with its own start": "上下上下分上下分分",
        "one Latin term, run together": "casino",
        "one Latin term, as words": "casino ",
        "terms, zalgo": "".join(c + "\u0301\u0336\u0489\u0323" for c in "上下分casino"),
        "terms, bidirectional controls": "".join(c + _CONTROLS for c in "上下分casino"),
        "spaced single letters": " ".join("onlinecasinobonuscocaineescort") + " ",
        "spaced single Han characters": " ".join("上下分客服百家乐彩金加微信") + " ",
        "long terms but for the last character": " ".join(t[:-1] for t in long) + " ",
        "the same, run together": "".join(t[:-1] for t in long),
        "every term, spaced": " ".join(shuffled) + " ",
        "every term, run together": "".join(shuffled),
        "every Latin term, run together": "".join(latin),
        "every rule's hit": "\n".join(hits) + "\n",
        "contacts": "加V:ab12_3 微信 dm me qq 123**45 私聊 ",
        "prices and quantities": "$40 3克 80元 2 oz 一箱 包邮 ",
        "hosts": "a.b.c.example/x?y=z http://k7.test ",
        "quotation marks around terms": "“上下分”'casino'「彩金」\"dm me\"",
        "pinyin": "shangxiafenbocaijiaweixin",
        "homophones of terms": "菠菜搏彩薄采尚夏芬家薇芯",
    }
    posts = {name: "".join(islice(cycle(unit), size)) for name, unit in made.items()}
    posts["Han characters at random"] = "".join(
        map(chr, source.choices(range(0x4E00, 0x9FA6), k=size))
    )
    posts["characters of terms at random"] = "".join(source.choices("".join(terms), k=size))
    return posts


def literals(rules: Path) -> Iterator[str]:
    """Yield what stands as a literal anywhere in the rule files, as it is written there."""
    for path in sorted(rules.rglob("*.yaml")):
        yield from _strings(yaml.safe_load(path.read_text(encoding="utf-8")), inside=False)


def _strings(node: object, *, inside: bool) -> Iterator[str]:
    match node:
        case str() if inside:
            yield node.strip("*")
        case list():
            for item in node:
                yield from _strings(item, inside=inside)
        case dict():
            for key, value in node.items():
                if key in {"list", "cue", "regex", "tests"}:
                    continue
                yield from _strings(value, inside=inside or key in _CONDITIONS)
