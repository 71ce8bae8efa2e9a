"""Propose terms for new rules: what sets the violations that no rule catches apart.

Terms come from violations on which no rule fires, near-duplicates counted once. They are ranked
by the log-odds ratio of posts that hold them, violations against innocent posts. A person judges:
what the posts of one seller share is not always what the trade says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import regex

from moderation.evaluation.log_odds import log_odds_z
from moderation.evaluation.near_duplicates import NearDuplicates
from moderation.evaluation.posts import (
    DEFAULT_LEVEL,
    by_post,
    catches,
    is_excused,
    is_unshown,
    read_posts,
)
from moderation.evaluation.terms import TermStatistics, counted_terms, terms
from moderation.rules import Ruleset
from moderation.text import TextBatch
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from moderation.evaluation.labelled import LabelledPosts
    from moderation.rules import Findings
    from moderation.rules.compile import CompiledRules

__all__ = ["Suggestion", "Suggestions", "suggest"]

DEFAULT_SUPPORT: Final = 3
_LONGEST_POST: Final = 4096
"""Characters of a post that are read."""
_BRANCHING: Final = 1.0
_COHESION: Final = 2.0
_LEAST_SCORE: Final = 1.0
_SAME_POSTS: Final = 0.8
"""A part of a better term is left out where so many of its posts hold the better one."""
_CONTEXTS: Final = 3
_AROUND: Final = 12
_HAN: Final = regex.compile(r"\p{Han}")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One term."""

    term: str
    support: int
    """Missed violations that hold it, near-duplicates counted once."""
    negatives: int
    """Innocent labelled posts that hold it."""
    ordinary: int
    """Ordinary posts that hold it."""
    score: float
    """z-score of the log-odds ratio: see `moderation.evaluation.log_odds`."""
    contexts: tuple[str, ...]
    """Folded stretches around it, with numbers, handles and addresses masked."""

    def to_dict(self, *, with_text: bool) -> dict[str, Any]:
        """Return a JSON object."""
        out: dict[str, Any] = {
            "term": self.term,
            "support": self.support,
            "negatives": self.negatives,
            "ordinary": self.ordinary,
            "score": round(self.score, 4),
        }
        return out | ({"contexts": list(self.contexts)} if with_text else {})


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The terms for one policy, the best first, and what they come from."""

    policy: str
    missed: int
    """Violations that no rule catches."""
    distinct: int
    """The same, near-duplicates counted once."""
    negatives: int
    """Innocent labelled posts."""
    ordinary: int
    """Ordinary posts."""
    terms: tuple[Suggestion, ...]

    def to_dict(self, *, with_text: bool = False) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "policy": self.policy,
            "missed": self.missed,
            "distinct": self.distinct,
            "negatives": self.negatives,
            "ordinary": self.ordinary,
            "terms": [term.to_dict(with_text=with_text) for term in self.terms],
        }


def suggest(
    compiled: CompiledRules,
    labelled: Callable[[], Iterable[LabelledPosts]],
    ordinary: Iterable[Sequence[str]] = (),
    *,
    policies: Sequence[str] = POLICIES,
    most: int = 50,
    support: int = DEFAULT_SUPPORT,
    level: str = DEFAULT_LEVEL,
) -> list[Suggestions]:
    """Propose terms for each policy that has violations no rule catches.

    Memory grows with the missed violations; everything else is read as a stream. The same input
    gives the same terms in the same order.

    Args:
        compiled: the rules; what they look for already is not proposed.
        labelled: gives the labelled posts anew at each call; it is called twice.
        ordinary: batches of posts that are taken to be innocent.
        policies: policies to look at.
        most: terms of a policy.
        support: missed posts that have to hold a term.
        level: matches below this level do not count as a catch.
    """
    ruleset = Ruleset(compiled)
    searches = {policy: _Search(policy) for policy in policies}
    for posts in labelled():
        _find_missed(ruleset, posts, searches, level)
    known = {literal.base for literal in compiled.literals}
    for search in searches.values():
        search.choose(known, support)
    for posts in labelled():
        for search in searches.values():
            innocent = posts.labels[:, POLICIES.index(search.policy)] == 0
            texts = [posts.texts[n] for n in np.flatnonzero(innocent).tolist()]
            search.count(_folded(ruleset, texts), ordinary=False)
    for batch in ordinary:
        folded = list(_folded(ruleset, batch))
        for search in searches.values():
            search.count(folded, ordinary=True)
    return [search.suggestions(most) for search in searches.values() if search.missed]


def _find_missed(
    ruleset: Ruleset, posts: LabelledPosts, searches: dict[str, _Search], level: str
) -> None:
    """Hand each search the violations of its policy that no rule catches."""
    columns = [POLICIES.index(policy) for policy in searches]
    violating = np.flatnonzero((posts.labels[:, columns] == 1).any(axis=1)).tolist()
    texts = [posts.texts[n] for n in violating]
    folded = list(_folded(ruleset, texts))
    for index, windows in by_post(read_posts(ruleset, texts)):
        if any(is_unshown(match.rule) for found in windows for match in found.matches):
            continue  # nothing of such a post may be proposed or shown
        for policy, search in searches.items():
            violates = posts.labels[violating[index], POLICIES.index(policy)] == 1
            if violates and not _is_caught(windows, policy, level):
                search.add(folded[index])


def _is_caught(windows: Sequence[Findings], policy: str, level: str) -> bool:
    return any(catches(f, policy, level) and not is_excused(f, policy) for f in windows)


def _folded(ruleset: Ruleset, texts: Sequence[str]) -> Iterator[str]:
    cut = [text[:_LONGEST_POST] for text in texts]
    yield from ruleset.table.base(TextBatch.from_strings(cut)).texts()


class _Search:
    """The search for one policy's terms."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.missed = 0
        self._texts: list[str] = []
        self._seen = NearDuplicates()
        self._statistics = TermStatistics((), ())
        self._negatives: dict[str, int] = {}
        self._ordinary: dict[str, int] = {}
        self._sizes = {False: 0, True: 0}

    def add(self, text: str) -> None:
        """Take in one missed violation."""
        self.missed += 1
        letters = "".join(c for c in text if c.isalpha())
        codepoints = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32)
        if self._seen.is_new(codepoints):
            self._texts.append(text)

    def choose(self, known: set[str], support: int) -> None:
        """Choose the terms that might be proposed."""
        counts = counted_terms(self._texts, support)
        self._statistics = found = TermStatistics(self._texts, counts)
        kept = [
            term
            for term in counts
            if term not in known
            and (not _HAN.match(term) or _is_whole(term, found))
            and len(term) > 1
        ]
        self._negatives = dict.fromkeys(sorted(kept), 0)
        self._ordinary = dict.fromkeys(self._negatives, 0)

    def count(self, texts: Iterable[str], *, ordinary: bool) -> None:
        """Count the terms in innocent posts."""
        counts = self._ordinary if ordinary else self._negatives
        for text in texts:
            self._sizes[ordinary] += 1
            for term in terms(text) & counts.keys():
                counts[term] += 1

    def suggestions(self, most: int) -> Suggestions:
        """Return the best terms."""
        names = list(self._negatives)
        posts = self._statistics.posts
        here = np.array([len(posts[term]) for term in names], np.float64)
        there = np.array([self._negatives[t] + self._ordinary[t] for t in names], np.float64)
        sizes = len(self._texts), sum(self._sizes.values())
        # The prior is what all posts say together, and worth as much as they are: a weak one would
        # rank terms that no innocent post holds last, for want of anything known about them there.
        prior = (here + there + 0.5) / (sum(sizes) + 1.0)
        scores = log_odds_z(here, there, sizes, prior, float(sum(sizes))) if names else here
        order = sorted(range(len(names)), key=lambda n: (-scores[n], -here[n], names[n]))
        chosen: list[Suggestion] = []
        for number in order:
            term = names[number]
            if len(chosen) == most or scores[number] < _LEAST_SCORE:
                break
            if any(self._repeats(term, other.term) for other in chosen):
                continue
            chosen.append(
                Suggestion(
                    term,
                    len(posts[term]),
                    self._negatives[term],
                    self._ordinary[term],
                    float(scores[number]),
                    tuple(self._statistics.contexts(term, _CONTEXTS, _AROUND)),
                )
            )
        return Suggestions(
            self.policy,
            self.missed,
            len(self._texts),
            self._sizes[False],
            self._sizes[True],
            tuple(chosen),
        )

    def _repeats(self, term: str, better: str) -> bool:
        """Say whether a term finds little that a better one does not, being part or whole of it."""
        if better in term:
            return True
        if term not in better:
            return False
        own, other = set(self._statistics.posts[term]), set(self._statistics.posts[better])
        return len(own & other) >= _SAME_POSTS * len(own)


def _is_whole(term: str, found: TermStatistics) -> bool:
    """Say whether a run of Han characters looks like a word and not like a part of one."""
    return found.branching(term) >= _BRANCHING and found.cohesion(term) >= _COHESION
