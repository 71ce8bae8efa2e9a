"""Labelled posts for training: public sources and the corpus, cleaned of what names the source."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moderation.errors import DataNotFoundError, ShardError
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "FAMILIES",
    "ORDINARY",
    "Post",
    "held_out_ids",
    "load_corpus",
    "load_sources",
    "load_unlabelled",
]

FAMILIES: Final[dict[str, str]] = {
    "pip_twitter_gt_train": "pip",
    "pip_twitter_silver": "pip",
    "rsp_ipt_multilabel": "rsp",
    "rsp_ipt_binary": "rsp",
    "fbs_sms": "fbs",
    "blogspam_popcorn": "blogspam",
    "agora_listings": "agora",
    "tgspam_zh": "tgspam",
    "drugtweets_noisy": "drugtweets",
    "uci_sms": "uci",
    "weibo_smp2020_benign": "weibo",
    "thucnews_headlines": "thucnews",
    "tweeteval_benign": "tweeteval",
    "zh_reviews_benign": "reviews",
    "cold_negatives": "cold",
}
"""File to source family. A figure for a family is honest only if all of it was left out."""

ORDINARY: Final = ("weibo", "thucnews", "tweeteval", "reviews", "cold", "uci")
"""Families that hold ordinary people's posts, for false-positive rates. Not tgspam: what its groups
call harmless includes the trade itself."""

_TIMESTAMP: Final = re.compile(
    r"^\W*(?:mon|tue|wed|thu|fri|sat|sun)\s+[a-z]{3}\s+\d+\s+[\d:]+\s*\d*\s*", re.IGNORECASE
)
_SHORT_LINK: Final = re.compile(r"https?://t\.co/\w*", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(
    r"\b(?:NAME|URL|DIGIT|PLACE|CELLPHONE|WECHAT|PHONE|QQ_NUM|BANK|ID|ORG|EMAIL)\b"
)
_MASKED_HANDLE: Final = re.compile(r"&lt;#&gt;|&(?:amp|lt|gt|quot);")
_HAN_GAP: Final = re.compile(r"(?<=[\u3400-\u9fff])[ \t]+(?=[\u3400-\u9fff])")
_HELD_OUT_OF: Final = 5
_COMMON_GRAM: Final = 200
_PAIR_JACCARD: Final = 0.33


@dataclass(frozen=True, slots=True)
class Post:
    """One labelled post."""

    id: str
    text: str
    labels: tuple[float | None, ...]
    """One per policy, in the order of POLICIES: 1, 0 or None where nobody looked."""
    language: str
    family: str
    source: str
    """File it came from, without the extension."""
    stance: str | None = None
    sub_label: str | None = None


def load_sources(folder: Path) -> list[Post]:
    """Load every public source below a data folder's `train`.

    Raises:
        DataNotFoundError: the folder holds none of the known files.
        ShardError: a file is damaged; the message names file and line.
    """
    posts: list[Post] = []
    for path in sorted((folder / "train").glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        if name in FAMILIES:
            posts += _unique(_read(path, name))
    if not posts:
        raise DataNotFoundError(f"expected {folder}/train/*.jsonl.gz, found no known source there")
    return posts


def load_unlabelled(folder: Path) -> list[Post]:
    """Load the unlabelled posts below a data folder's `unlabelled`, every label None."""
    nothing = (None,) * len(POLICIES)
    posts: list[Post] = []
    for path in sorted((folder / "unlabelled").glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = (json.loads(line) for line in lines)
            found = (
                Post(r["id"], clean(r["text"], name), nothing, r["lang"], name, name) for r in rows
            )
            posts += _unique(found)
    return posts


def load_corpus(folder: Path) -> list[Post]:
    """Load the posts written for this project, every *.jsonl of a folder."""
    posts: list[Post] = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                row = json.loads(line)
                posts.append(
                    Post(
                        row.get("id", f"{path.stem}-{number:04d}"),
                        row["text"],
                        tuple(row["labels"][p] for p in POLICIES),
                        row["lang"],
                        "corpus",
                        f"corpus/{path.stem}",
                        row["stance"],
                        row["sub_label"],
                    )
                )
    return posts


def held_out_ids(posts: list[Post]) -> frozenset[str]:
    """Return the ids of the corpus posts that are never trained on: about a fifth.

    Posts that resemble one another (minimal pairs: the same words, one offering, one warning) stay
    on the same side. A group goes by the hash of its first id, so that adding posts moves few.
    """
    group = _similar_groups([post.text for post in posts])
    first: dict[int, str] = {}
    for post, number in zip(posts, group, strict=True):
        first[number] = min(first.get(number, post.id), post.id)
    return frozenset(
        post.id
        for post, number in zip(posts, group, strict=True)
        if hashlib.sha256(first[number].encode()).digest()[0] % _HELD_OUT_OF == 0
    )


def _similar_groups(texts: list[str]) -> list[int]:
    """Return a group number for each text; texts whose 4-grams overlap by a third share one."""
    grams = [frozenset(t[i : i + 4] for i in range(max(len(t) - 3, 1))) for t in texts]
    index: dict[str, list[int]] = {}
    parent = list(range(len(texts)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for number, own in enumerate(grams):
        shared: dict[int, int] = {}
        for gram in own:
            known = index.setdefault(gram, [])
            if len(known) <= _COMMON_GRAM:
                for other in known:
                    shared[other] = shared.get(other, 0) + 1
            known.append(number)
        for other, count in shared.items():
            if count >= _PAIR_JACCARD * (len(own) + len(grams[other]) - count):
                parent[root(number)] = root(other)
    return [root(number) for number in range(len(texts))]


def clean(text: str, name: str) -> str:
    """Remove what would let a model recognise the source instead of the offence."""
    if name.startswith("pip_"):
        text = _TIMESTAMP.sub("", text)
    if name == "fbs_sms":
        text = _HAN_GAP.sub("", _PLACEHOLDER.sub(" ", text))
    text = _MASKED_HANDLE.sub(" ", text)
    return _SHORT_LINK.sub(" ", text).strip()


def _read(path: Path, name: str) -> Iterator[Post]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                labels = [row["labels"][p] for p in POLICIES]
                text, language = row["text"], row["lang"]
            except (ValueError, KeyError, TypeError) as error:
                raise ShardError(f"{path}:{number}: expected a labelled row, {error}") from error
            if name.startswith("pip_") and language == "en":
                # English positives of porn and gambling are noise there.
                labels = [None if value == 1 else value for value in labels]
            if name == "uci_sms" and row.get("orig_label") != "ham":
                labels = [value if value == 1 else None for value in labels]
            yield Post(row["id"], clean(text, name), tuple(labels), language, FAMILIES[name], name)


def _unique(posts: Iterator[Post]) -> Iterator[Post]:
    """Drop posts that differ only in digits, marks or case from an earlier one of the file."""
    seen: set[str] = set()
    for post in posts:
        key = re.sub(r"[\W\d_]+", "", post.text).lower()
        if key and key not in seen:
            seen.add(key)
            yield post
