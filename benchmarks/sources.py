"""Posts to measure on: a data folder's public sources, and tests/posts where it exists."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from rules_alone import ROOT

from moderation.training.data import load_sources, load_unlabelled
from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.training.data import Post

ORDINARY: Final = {
    "weibo": "microblog posts",
    "tweeteval": "tweets",
    "reviews": "hotel and food reviews",
    "thucnews": "headlines",
    "uci": "SMS, ham",
    "cold": "comments, rude and neutral",
    "tgspam": "group chat, ham (the trade talks there too)",
}
REFERENCE: Final = {"kdconv_chat": "chat lines", "goemotions_reddit": "Reddit comments"}
"""Unlabelled, so only presumed innocent."""
VIOLATING: Final = ("pip_twitter_gt_train", "rsp_ipt_multilabel", "rsp_ipt_binary", "fbs_sms",
                    "agora_listings")  # fmt: skip


@dataclass(frozen=True)
class Public:
    """What a data folder holds."""

    ordinary: dict[str, list[str]]
    """By source: posts that nobody labelled a violation."""
    reference: dict[str, list[str]]
    labelled: dict[str, list[Post]]
    """By file: rows of the sources that hold violations; English promotional tweets left out."""


def load_public(folder: Path, *, reference: bool = True) -> Public:
    """Load a data folder's sources, cleaned and without near-copies.

    Raises:
        DataNotFoundError: the folder holds none of the known files.
    """
    ordinary: dict[str, list[str]] = {name: [] for name in ORDINARY}
    labelled: dict[str, list[Post]] = {name: [] for name in VIOLATING}
    for post in load_sources(folder):
        if post.family in ordinary:
            # A spam row of the chats and messages has no label for porn and gambling.
            if 1 not in post.labels and 0 in post.labels[::2]:
                ordinary[post.family].append(post.text)
        elif post.source in labelled and (post.family, post.language) != ("pip", "en"):
            text = _as_written(folder, post.source)[post.id]
            labelled[post.source].append(replace(post, text=text))
    known: dict[str, list[str]] = {name: [] for name in REFERENCE}
    for post in load_unlabelled(folder) if reference else ():
        if post.family in known:
            known[post.family].append(post.text)
    return Public(ordinary, known, labelled)


@cache
def _as_written(folder: Path, source: str) -> dict[str, str]:
    """Return a source's posts by id, with the links that training leaves out: rules read them."""
    with gzip.open(folder / "train" / f"{source}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {str(row["id"]): row["text"] for row in map(json.loads, lines)}


def positives(posts: list[Post]) -> list[tuple[str, str]]:
    """Return text and policy of every violation."""
    return [
        (post.text, policy)
        for post in posts
        for policy, label in zip(POLICIES, post.labels, strict=True)
        if label == 1
    ]


def written_posts(folder: Path = ROOT / "tests" / "posts") -> dict[str, list[dict[str, str]]]:
    """Return the rows of tests/posts/*.jsonl by file name, or nothing where there are none."""
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
    }
