"""Build rules/fold/ordinary.npz: counts of short strings in ordinary posts.

Run `python -m moderation.training.ordinary_table --data FOLDER OUT [--without SOURCE …]`. Only
counts leave the data: Han n-grams of at most four characters and single Latin words that occur in
at least three distinct posts, as hashes. Links and handles are removed before anything is counted,
posts that carry a policy label are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.errors import ConfigError
from moderation.text.batch import TextBatch
from moderation.text.fold import CLASS_HAN, CLASS_LATIN, FoldTable, load_table
from moderation.text.ordinary import AMONG_HAN, span_keys
from moderation.training.data import load_sources, load_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from moderation.training.data import Post

__all__ = ["SOURCES", "build", "count", "ordinary_posts"]

SOURCES: Final = (
    "weibo",
    "reviews",
    "thucnews",
    "cold",
    "tweeteval",
    "uci",
    "goemotions_reddit",
    "kdconv_chat",
)
"""Families of labelled sources, and files without labels, that hold ordinary posts. Not tgspam:
what its groups call harmless includes the trade's own words (figures in rules/fold/README.md)."""

_UNLABELLED: Final = {"cold", "goemotions_reddit", "kdconv_chat"}
"""Sources in which a post that nobody looked at still counts as ordinary."""
_LEAST: Final = {1: 3, 2: 3, 3: 4, 4: 4}
"""Distinct posts that an n-gram must occur in, by its length."""
_LEAST_WORD: Final = 3
_LONGEST_WORD: Final = 20
_PIECE: Final = 20000
_NOT_WORDS: Final = re.compile(
    r"https?://\S*|www\.\S*|\S+@\S+\.\w+|@[\w\-.·]+|\b[ur]/[\w-]+|\[NAME\]|\[RELIGION\]",
    re.IGNORECASE,
)
"""Links, addresses, handles, placeholders."""


def ordinary_posts(data: Path, without: Iterable[str] = ()) -> Iterator[str]:
    """Yield the texts of ordinary posts below a data folder, cleaned of links and handles.

    Args:
        data: folder with `train` and `unlabelled`.
        without: names out of SOURCES to leave out.

    Raises:
        ConfigError: a name in `without` is unknown.
        DataNotFoundError, ShardError: see `moderation.training.data.load_sources`.
    """
    dropped = set(without)
    if not dropped <= set(SOURCES):
        raise ConfigError(f"expected sources out of {', '.join(SOURCES)}, got {sorted(dropped)}")
    kept = set(SOURCES) - dropped
    for post in [*load_sources(data), *load_unlabelled(data)]:
        if post.family in kept and _is_ordinary(post):
            yield _NOT_WORDS.sub(" ", post.text)


def _is_ordinary(post: Post) -> bool:
    if post.family in _UNLABELLED:
        return 1 not in post.labels
    return all(label == 0 for label in post.labels)


def count(texts: Iterable[str], table: FoldTable) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Return keys, ascending, and posts per million of what enough distinct posts contain.

    Han n-grams and Latin words after AMONG_HAN are counted in posts with a Han character and per
    million of those; other Latin words in posts without, and per million of those. Posts that are
    equal in the `base` view count once.
    """
    distinct = list(dict.fromkeys(texts))
    parts: dict[tuple[bool, int], list[NDArray[np.uint64]]] = {}
    seen: set[str] = set()
    totals = {True: 0, False: 0}
    for start in range(0, len(distinct), _PIECE):
        folded = table.base(TextBatch.from_strings(distinct[start : start + _PIECE])).texts()
        fresh = [text for text in dict.fromkeys(folded) if text.strip() and text not in seen]
        seen.update(fresh)
        batch = TextBatch.from_strings(fresh)
        holds_han = _hashed_pairs(batch, table.classes[batch.codepoints], start, parts)
        totals[True] += int(holds_han.sum())
        totals[False] += int((~holds_han).sum())
    rates: dict[int, int] = {}
    for (among_han, least), pairs in sorted(parts.items()):
        hashed = (np.unique(np.concatenate(pairs)) >> np.uint64(32)).astype(np.uint32)
        found, posts = np.unique(hashed, return_counts=True)
        enough = posts >= least
        scaled = np.rint(posts[enough] * (1e6 / max(totals[among_han], 1)))
        for value, rate in zip(found[enough].tolist(), scaled.tolist(), strict=True):
            rates[value] = max(rates.get(value, 0), min(int(rate), 0xFFFF))
    ordered = sorted(rates.items())
    return (
        np.array([value for value, _ in ordered], np.uint32),
        np.array([rate for _, rate in ordered], np.uint16),
    )


def _hashed_pairs(
    batch: TextBatch,
    classes: NDArray[np.uint8],
    first_post: int,
    parts: dict[tuple[bool, int], list[NDArray[np.uint64]]],
) -> NDArray[np.bool_]:
    """Add (key << 32 | post) of every n-gram and word of a folded batch to `parts`.

    Returns:
        Bool, shape (posts,): which posts hold a Han character.
    """
    han = (classes & CLASS_HAN) != 0
    post = np.repeat(np.arange(len(batch)), batch.lengths)
    holds_han = np.bincount(post[han], minlength=len(batch)) > 0

    def add(
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        least: int,
        among_han: bool,
        prefix: str,
    ) -> None:
        hashed = span_keys(batch.codepoints, starts, lengths, prefix).astype(np.uint64)
        number = (post[starts] + first_post).astype(np.uint64)
        pairs = np.unique(hashed << np.uint64(32) | number)
        parts.setdefault((among_han, least), []).append(pairs)

    for length, least in _LEAST.items():
        whole = han[: max(len(han) - length + 1, 0)].copy()
        for step in range(1, length):
            end = len(whole) + step
            whole &= han[step:end] & (post[step:end] == post[: len(whole)])
        starts = np.flatnonzero(whole)
        add(starts, np.full(len(starts), length), least, True, "")
    starts, lengths = _runs((classes & CLASS_LATIN) != 0, post)
    fitting = lengths <= _LONGEST_WORD
    among = holds_han[post[starts]]
    for inside in (False, True):
        chosen = fitting & (among == inside)
        add(starts[chosen], lengths[chosen], _LEAST_WORD, inside, AMONG_HAN if inside else "")
    return holds_han


def _runs(
    inside: NDArray[np.bool_], post: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and lengths of the runs of True that stay inside one post."""
    if not len(inside):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    change = np.flatnonzero((inside[1:] != inside[:-1]) | (post[1:] != post[:-1])) + 1
    bounds = np.concatenate(([0], change, [len(inside)]))
    starts, lengths = bounds[:-1], np.diff(bounds)
    kept = inside[starts]
    return starts[kept], lengths[kept]


def build(texts: Iterable[str], folder: Path) -> Path:
    """Write ordinary.npz into a folder that holds base.npz and return its path.

    The same posts and the same base.npz write the same bytes.
    """
    found, rates = count(texts, load_table(folder.parent))
    path = folder / "ordinary.npz"
    np.savez_compressed(path, key=found, per_million=rates)
    return path


def main(arguments: list[str] | None = None) -> None:
    """Build the table from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the rules/fold folder to write to")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--without", nargs="*", default=[], choices=SOURCES, metavar="SOURCE")
    chosen = parser.parse_args(arguments)
    posts = ordinary_posts(chosen.data, chosen.without)
    sys.stdout.write(f"{build(posts, chosen.folder)}\n")


if __name__ == "__main__":
    main()
