"""Matchers that look for the terms of our rules as they are written: no folding, no conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import regex

from contenders import Contender, need

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

_DOES = "literal hits in lower case; no disguises, no conditions, no stance, no verdict"


def pyahocorasick(terms: Sequence[str]) -> Contender:
    """Return pyahocorasick, every hit of a post as a list."""
    module: Any = need("ahocorasick", "pyahocorasick")
    automaton = module.Automaton(module.STORE_INTS)
    for number, term in enumerate(terms):
        automaton.add_word(term, number)
    automaton.make_automaton()
    return Contender(
        "pyahocorasick, our terms",
        _DOES,
        lambda posts: [list(automaton.iter(post.lower())) for post in posts],
    )


def by_post(terms: Sequence[str]) -> Contender:
    """Return ahocorasick-rs called once a post."""
    automaton = _automaton(terms)
    return Contender(
        "ahocorasick-rs, our terms, post by post",
        _DOES,
        lambda posts: [
            automaton.find_matches_as_indexes(post.lower(), overlapping=True) for post in posts
        ],
    )


def joined(terms: Sequence[str]) -> Contender:
    """Return ahocorasick-rs over all posts as one text."""
    return Contender("ahocorasick-rs, our terms, posts joined", _DOES, _counter(terms))


def block_list(terms: Sequence[str]) -> Contender:
    """Return the same with few terms, a hit of which flags the post."""
    count = _counter(terms)
    return Contender(
        "ahocorasick-rs, block list, posts joined",
        f"the {len(terms)} terms that our strong rules take for enough by themselves",
        count,
        lambda posts: (count(posts) > 0).astype(np.float64),
        graded=False,
    )


def hyperscan(terms: Sequence[str]) -> Contender:
    """Return Hyperscan over UTF-8, with a Python call for every hit."""
    module: Any = need("hyperscan", "hyperscan")
    database = module.Database(mode=module.HS_MODE_BLOCK)
    patterns = [term.encode() for term in terms]
    database.compile(
        expressions=patterns, ids=list(range(len(patterns))), elements=len(patterns), literal=True
    )
    database.scratch = module.Scratch(database)

    def run(posts: Sequence[str]) -> list[list[tuple[int, int]]]:
        found: list[list[tuple[int, int]]] = []

        def hit(number: int, _start: int, end: int, *_: object) -> None:
            found[-1].append((number, end))

        for post in posts:
            found.append([])
            database.scan(post.lower().encode(), match_event_handler=hit)
        return found

    return Contender("Hyperscan, our terms, post by post", _DOES, run)


def alternation(terms: Sequence[str], module: ModuleType = regex) -> Contender:
    """Return one pattern of all terms, the longest first, every hit of a post.

    Args:
        terms: in lower case.
        module: `regex`, or `re` of the standard library.
    """
    longest = sorted(terms, key=lambda term: (-len(term), term))
    pattern = module.compile("|".join(map(module.escape, longest)))
    return Contender(
        f"{module.__name__}, our terms as one alternation",
        "literal hits in lower case that do not overlap; nothing else",
        lambda posts: [pattern.findall(post.lower()) for post in posts],
    )


def alternation_of_re(terms: Sequence[str]) -> Contender:
    """Return the alternation as a pattern of `re`."""
    return alternation(terms, re)


def _automaton(terms: Sequence[str]) -> Any:
    module: Any = need("ahocorasick_rs", "ahocorasick-rs")
    return module.AhoCorasick(list(terms), store_patterns=False)


def _counter(terms: Sequence[str]) -> Callable[[Sequence[str]], NDArray[np.int64]]:
    """Return what counts the hits of each post in one call, each hit led back to its post."""
    automaton = _automaton(terms)

    def count(posts: Sequence[str]) -> NDArray[np.int64]:
        text = "\n".join(posts).lower()
        if len(text) != sum(map(len, posts)) + max(len(posts) - 1, 0):
            # A few letters grow in lower case; then every post is lowered by itself.
            posts = [post.lower() for post in posts]
            text = "\n".join(posts)
        starts = np.cumsum([0, *(len(post) + 1 for post in posts)])
        found = automaton.find_matches_as_indexes(text, overlapping=True)
        first = np.fromiter((hit[1] for hit in found), np.int64, len(found))
        post = np.searchsorted(starts, first, side="right") - 1
        counts: NDArray[np.int64] = np.bincount(post, minlength=len(posts))
        return counts

    return count
