"""Kind 9: contacts rewritten, and whether the engine still sees a contact there."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from rules_alone import BATCH

from evasions.spell import Technique
from moderation.text import TextBatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules_alone import RulesAlone

    from evasions.spell import Rewrite

CUES = ("contact", "handle", "call", "link")
"""Cue classes that a way of being reached belongs to."""
_CONTACTS: dict[str, tuple[str, str]] = {
    "wechat": (
        r"微信|(?i:(?<![a-z])(?:vx|wx|wechat|weixin|v信)(?![a-z]))",
        "V|薇|薇❤|卫星|威信|微❤️|徽信|v芯|➕V|VX|絶信|V信|葳信|薇心",
    ),
    "add me": (r"加(?=[我微薇vVqQ群好友])", "➕|＋|家|嘉|茄|jia|十"),
    "qq": (r"(?<![a-zA-Z])[qQ]{2}(?![a-zA-Z])", "扣扣|企鹅|🐧|Q.Q|球球|蔻蔻|叩叩"),
    "group": (r"群(?!众|体|岛|山)", "裙|君羊|👗|宭|q裙|羣|峮"),
    "telegram": (
        r"(?i)(?<![a-z])(?:telegram|tg)(?![a-z])|电报",
        "纸飞机|飞机|✈️|TG|t3legram|电🐔|tele gram|teIegram|te1egram|T.G",
    ),
    "whatsapp": (r"(?i)whats ?app", "whats4pp|Whats App|wh@tsapp|WhatsÁpp|w.app|wassap|wats app"),
    "signal": (r"(?i)(?<![a-z])signal(?![a-z])", "s1gnal|sig nal|$ignal|sïgnal"),
    "snapchat": (
        r"(?i)(?<![a-z])(?:snapchat|snap)(?![a-z])",
        "👻|sn4p|s n a p|snäp|sn@p|snapp",
    ),
    "instagram": (
        r"(?i)(?<![a-z])(?:instagram|insta|ig)(?![a-z])",
        "1nsta|in$ta|I.G|📷gram|1g",
    ),
    "dm me": (
        r"(?i)(?<![a-z])(?:dm|pm|hmu|message|text|hit)(?: me)(?: up)?(?![a-z])",
        "d m me|D.M me|inb0x me|dee em me|slide in|📩 me|🄳🄼 me|dm m3|d/m me",
    ),
    "link in bio": (
        r"(?i)link(?:s| is)? in (?:my |the )?bio",
        "l1nk in b1o|🔗 in bio|check my pr0file|LlNK lN BlO|look at my page 👆|link n bio",
    ),
    "profile": (
        r"看?(?:主页|头像|简介|置顶)|同名",
        "看🏠|看猪叶|主ye|主.页|看煮页|看头✘|zhu页|看竹页|同mina",
    ),
    "private chat": (
        r"私聊|私信|私我|滴滴我|滴我|戳我|联系我",
        "斯聊|丝信|司我|sl我|思信|dd我|🐔聊|si我|私❤",
    ),
}
"""What a contact is called: how it is written plainly, and how spammers write it."""
_HANDLE = r"(?<![A-Za-z0-9])(?=[A-Za-z0-9_]*\d)[A-Za-z0-9_]{4,20}(?![A-Za-z0-9])"
_HOST = (
    r"(?i)(?<![a-z0-9])[a-z0-9-]{2,30}(?:\.[a-z0-9-]{2,20})*"
    r"\.(?:com|net|org|top|vip|cc|xyz|example|test|me|cn|io)(?![a-z])(?:/[^\s]*)?"
)
_FIGURES = "0123456789"
_ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS: dict[str, dict[str, str]] = {
    "Han digits": dict(zip(_FIGURES, "零一二三四五六七八九", strict=True)),
    "formal digits": dict(zip(_FIGURES, "零壹贰叁肆伍陆柒捌玖", strict=True)),
    "radio digits": dict(zip(_FIGURES, "洞幺两三四五六拐八勾", strict=True)),
    "circled digits": dict(zip(_FIGURES, "⓪①②③④⑤⑥⑦⑧⑨", strict=True)),
    "keycap digits": {c: f"{c}\ufe0f\u20e3" for c in _FIGURES},
    "English digits": dict(zip(_FIGURES, (f" {word} " for word in _ENGLISH), strict=True)),
}


@dataclass
class Seen:
    """How often the cues that a contact gave are given again by its rewritten form."""

    technique: Technique
    posts: int = 0
    kept: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    """By cue class, the posts in which it is gone."""
    misses: list[tuple[str, str]] = field(default_factory=list)


def techniques() -> list[Technique]:
    """Return the techniques of kind 9."""
    words = {name: (shape, _one_of(forms)) for name, (shape, forms) in _CONTACTS.items()}
    found = [_technique(f"{name} rewritten", [way]) for name, way in words.items()]
    found += [
        _technique(f"handle in {name}", [(_HANDLE, _figures(table))])
        for name, table in _DIGITS.items()
    ]
    circled = (_HANDLE, _figures(_DIGITS["circled digits"]))
    return [
        *found,
        _technique("handle spaced out", [(_HANDLE, lambda text, random: " ".join(text))]),
        _technique("domain split", [(_HOST, _split)]),
        _technique("domain with words", [(_HOST, _worded)]),
        _technique("every contact rewritten", [*words.values(), (_HOST, _split), circled]),
    ]


def measure_cues(
    rules: RulesAlone,
    texts: Sequence[str],
    chosen: Sequence[Technique],
    seed: int,
    misses: int,
) -> list[Seen]:
    """Return for each technique how often the cues of a contact survive it.

    A post counts where cutting the contact out takes a cue away; it is kept where the rewritten
    contact gives back every cue that the cut took.
    """
    outcomes = []
    before = dict(zip(texts, _cues(rules, texts), strict=True))
    for technique in chosen:
        assert technique.find is not None
        outcome = Seen(technique)
        rows = []
        for number, text in enumerate(texts):
            wanted = technique.find(text) if before[text] else []
            if wanted:
                random = Random(f"{seed} {technique.name} {number}")
                rows.append((text, _replace(text, wanted, random), _replace(text, wanted, None)))
        hidden = _cues(rules, [row[1] for row in rows])
        cut = _cues(rules, [row[2] for row in rows])
        for (text, changed, _), now, rest in zip(rows, hidden, cut, strict=True):
            given = before[text] - rest
            if not given or changed == text:
                continue
            outcome.posts += 1
            outcome.lost.update(given - now)
            outcome.kept += given <= now
            if not given <= now and len(outcome.misses) < misses:
                outcome.misses.append((text, changed))
        outcomes.append(outcome)
    return outcomes


def _cues(rules: RulesAlone, texts: Sequence[str]) -> list[frozenset[str]]:
    found: list[frozenset[str]] = []
    for start in range(0, len(texts), BATCH):
        part = rules.ruleset.evaluate(TextBatch.from_strings(texts[start : start + BATCH]))
        found += [findings.cues & frozenset(CUES) for findings in part]
    return found


def _replace(text: str, wanted: Sequence[tuple[int, int, Rewrite]], random: Random | None) -> str:
    """Return a text with stretches rewritten or, without a random source, cut out."""
    for start, end, rewrite in reversed(wanted):
        new = " 某 " if random is None else rewrite(text[start:end], random)
        text = text[:start] + new + text[end:]
    return text


def _technique(name: str, shapes: Sequence[tuple[str, Rewrite]]) -> Technique:
    compiled = [(re.compile(shape), rewrite) for shape, rewrite in shapes]

    def find(text: str) -> list[tuple[int, int, Rewrite]]:
        found = [(*m.span(), rewrite) for shape, rewrite in compiled for m in shape.finditer(text)]
        kept: list[tuple[int, int, Rewrite]] = []
        for start, end, rewrite in sorted(found, key=lambda item: item[:2]):
            if not kept or start >= kept[-1][1]:
                kept.append((start, end, rewrite))
        return kept

    return Technique(9, name, find=find)


def _one_of(forms: str) -> Rewrite:
    return lambda text, random: random.choice(forms.split("|"))


def _figures(table: Mapping[str, str]) -> Rewrite:
    return lambda text, random: "".join(table.get(c, c) for c in text)


def _split(text: str, random: Random) -> str:
    name, dot, rest = text.rpartition(".")
    return f"{name[: len(name) // 2]} {name[len(name) // 2 :]} {dot} {rest}"


def _worded(text: str, random: Random) -> str:
    return text.replace(".", random.choice((" 点 ", "点", " dot ", "(dot)", "[.]", "。", "•")))
