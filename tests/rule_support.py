"""What the tests of rules share: rules written as dicts, folders made of them, and findings."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from moderation.resources import data_root
from moderation.rules import CUES, Findings, Ruleset, compile_rules
from moderation.text import TextBatch

CUE_WORDS = {
    "contact": "write to us",
    "handle": "account77",
    "call": "come and talk",
    "price": "ten coins",
    "delivery": "by post",
    "link": "page.example",
    "quantity": "two boxes",
    "age": "aged twenty",
    "ask": "who has",
    "porn_sign": "a peach",
    "drugs_sign": "a mushroom",
    "gambling_sign": "a playing card",
}
"""The one phrase of each cue class, unless a test writes cues of its own."""

POLICY = {
    "schema": 1,
    "rule_floor": {"strong": 0.97, "medium": 0.75},
    "stances": {
        stance: {"action": "pass", "escalate_at": 0.995}
        for stance in ("explain", "warn", "report", "recover", "figurative")
    },
    "regions": {"cn": {"title": "A region without ceilings"}},
    "classifier_alone": "block",
}


def rule(name: str, **fields: Any) -> dict[str, Any]:
    """Return a strong gambling rule, with some fields as given."""
    given = {"id": f"gambling.en.{name}", "title": name, "sub_label": "gambling.promotion"}
    return given | {"stance": "offer", "level": "strong"} | fields


def context(name: str, stance: str, **fields: Any) -> dict[str, Any]:
    """Return a context rule."""
    return {"id": f"context.en.{name}", "title": name, "stance": stance} | fields


def write_rules(
    folder: Path,
    *rules: dict[str, Any],
    lists: dict[str, list[Any]] | None = None,
    cues: dict[str, list[Any]] | None = None,
    policy: dict[str, Any] | None = None,
    shared: dict[str, list[Any]] | None = None,
) -> Path:
    """Write a rules folder around some rules, each into the pack that its id names.

    `lists` are local to every pack, `shared` stand in lists/.
    """
    rules_folder = folder / "rules"
    (rules_folder / "fold").mkdir(parents=True)
    shutil.copy(data_root() / "rules" / "fold" / "base.npz", rules_folder / "fold")
    words = {name: [CUE_WORDS[name]] for name in CUES} | (cues or {})
    _dump(rules_folder / "cues.yaml", {"schema": 1, "cues": words})
    _dump(rules_folder / "policy.yaml", policy or POLICY)
    if shared:
        (rules_folder / "lists").mkdir()
        _dump(rules_folder / "lists" / "shared.yaml", {"schema": 1, "lists": shared})
    for pack in sorted({given["id"].partition(".")[0] for given in rules}):
        (rules_folder / pack).mkdir()
        content: dict[str, Any] = {"schema": 1, "policy": "any" if pack == "context" else pack}
        if lists:
            content["lists"] = lists
        content["rules"] = [given for given in rules if given["id"].startswith(f"{pack}.")]
        _dump(rules_folder / pack / "pack.yaml", content)
    return rules_folder


def read(ruleset: Ruleset, post: str) -> Findings:
    """Return what the rules say of one post."""
    return ruleset.evaluate(TextBatch.from_strings([post]))[0]


def fired(ruleset: Ruleset, post: str) -> list[str]:
    """Return the last part of the ids of the rules that fired on a post, context rules last."""
    found = read(ruleset, post)
    return [m.rule.id.rpartition(".")[2] for m in (*found.matches, *found.contexts)]


def spans(ruleset: Ruleset, post: str) -> list[str]:
    """Return the stretches of a post that its matches point at."""
    return [post[h.start : h.end] for m in read(ruleset, post).matches for h in m.hits]


def compiled(folder: Path, *rules: dict[str, Any], **options: Any) -> Ruleset:
    """Write and compile a rules folder."""
    return Ruleset(compile_rules(write_rules(folder, *rules, **options)))


def _dump(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def batch(posts: Sequence[str | None]) -> TextBatch:
    """Return posts as a TextBatch."""
    return TextBatch.from_strings(posts)
