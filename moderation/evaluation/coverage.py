"""What each rule catches of labelled posts: alone, first, and by mistake."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.evaluation.posts import (
    DEFAULT_LEVEL,
    by_post,
    catches,
    is_excused,
    is_unshown,
    read_posts,
)
from moderation.types import NOT_SHOWN, POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moderation.evaluation.labelled import LabelledPosts
    from moderation.rules import Findings, Ruleset

__all__ = ["Coverage", "Example", "PolicyCoverage", "RuleCoverage"]


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """What one rule does to labelled posts."""

    rule_id: str
    true_positives: int
    """Violations of its policy on which it fired."""
    false_positives: int
    """Innocent posts on which it fired."""
    alone: int
    """Violations that no other rule catches."""
    order: int
    """1-based place in the greedy cover: each rule catches the most that is left; 0: nothing."""
    gained: int
    """Violations it adds at that place."""
    recall: float
    """Share of all violations that the rules up to that place catch; NaN outside the cover."""

    @property
    def precision(self) -> float:
        """Share of violations among the posts it fired on; NaN where it never fired."""
        fired = self.true_positives + self.false_positives
        return self.true_positives / fired if fired else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; undefined figures are null."""
        return {
            "rule_id": self.rule_id,
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "precision": _number(self.precision),
            "alone": self.alone,
            "order": self.order or None,
            "gained": self.gained,
            "recall": _number(self.recall),
        }


@dataclass(frozen=True, slots=True)
class Example:
    """A violation that was missed, or an innocent post that was hit."""

    post: str
    """Its id."""
    text: str
    rule_ids: tuple[str, ...]
    excused: bool
    """True where rules fired, and the post's stance was read as innocent."""

    def to_dict(self, *, with_text: bool) -> dict[str, Any]:
        """Return a JSON object."""
        out: dict[str, Any] = {"id": self.post, "rules": list(self.rule_ids)}
        return out | {"excused": self.excused} | ({"text": self.text} if with_text else {})


@dataclass(frozen=True, slots=True)
class PolicyCoverage:
    """What the rules of one policy do to labelled posts."""

    policy: str
    violations: int
    innocent: int
    caught: int
    """Violations on which a rule fired and that no innocent stance excuses."""
    false_hits: int
    """Innocent posts of which the same is true."""
    excused_violations: int
    """Violations on which a rule fired, and that an innocent stance excuses: missed as well."""
    excused_innocent: int
    rules: tuple[RuleCoverage, ...]
    """Every rule of the policy: in the order of the cover, then the others."""
    misses: tuple[Example, ...] = ()
    false: tuple[Example, ...] = ()

    @property
    def missed(self) -> int:
        """Violations that were not caught."""
        return self.violations - self.caught

    @property
    def recall(self) -> float:
        """Share of the violations that were caught; NaN without any."""
        return self.caught / self.violations if self.violations else float("nan")

    @property
    def precision(self) -> float:
        """Share of violations among what was caught; NaN when nothing was."""
        flagged = self.caught + self.false_hits
        return self.caught / flagged if flagged else float("nan")

    def to_dict(self, *, with_text: bool = False) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "policy": self.policy,
            "violations": self.violations,
            "innocent": self.innocent,
            "caught": self.caught,
            "missed": self.missed,
            "recall": _number(self.recall),
            "false_hits": self.false_hits,
            "precision": _number(self.precision),
            "excused_violations": self.excused_violations,
            "excused_innocent": self.excused_innocent,
            "rules": [rule.to_dict() for rule in self.rules],
            "misses": [example.to_dict(with_text=with_text) for example in self.misses],
            "false": [example.to_dict(with_text=with_text) for example in self.false],
        }


@dataclass(slots=True)
class _Counts:
    """Counts of one policy."""

    violations: int = 0
    innocent: int = 0
    excused: Counter[bool] = field(default_factory=Counter)
    caught: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Violations by the rules that fired on them."""
    hit: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Innocent posts by the rules that fired on them."""
    misses: list[Example] = field(default_factory=list)
    false: list[Example] = field(default_factory=list)


class Coverage:
    """Counts labelled posts batch by batch; memory grows with the rules, not with the posts."""

    def __init__(
        self,
        ruleset: Ruleset,
        level: str = DEFAULT_LEVEL,
        *,
        misses: int = 0,
        false: int = 0,
    ) -> None:
        """Prepare the counts.

        Args:
            ruleset: the rules; nothing but rules counts here.
            level: matches below this level do not count.
            misses: violations that were missed to keep as examples, of each policy.
            false: innocent posts that were hit to keep.
        """
        self._ruleset = ruleset
        self._level = level
        self._misses = misses
        self._false = false
        self._counts = {policy: _Counts() for policy in POLICIES}

    def read(self, posts: LabelledPosts) -> None:
        """Count one batch."""
        for post, findings in by_post(read_posts(self._ruleset, posts.texts)):
            for column, policy in enumerate(POLICIES):
                label = posts.labels[post, column]
                if not np.isnan(label):
                    self._count(
                        policy, bool(label == 1), findings, posts.ids[post], posts.texts[post]
                    )

    def _count(
        self,
        policy: str,
        violates: bool,
        findings: Sequence[Findings],
        post: str,
        text: str,
    ) -> None:
        counts = self._counts[policy]
        counts.violations += violates
        counts.innocent += not violates
        fired: set[str] = set()
        excused: set[str] = set()
        for each in findings:
            matches = {match.rule.id for match in catches(each, policy, self._level)}
            if matches:
                (excused if is_excused(each, policy) else fired).update(matches)
        rules = tuple(sorted(fired))
        if fired:
            (counts.caught if violates else counts.hit)[rules] += 1
        elif excused:
            counts.excused[violates] += 1
        if bool(fired) == violates:
            return
        kept, most = (counts.misses, self._misses) if violates else (counts.false, self._false)
        if len(kept) < most:
            hidden = any(is_unshown(m.rule) for f in findings for m in (*f.matches, *f.contexts))
            shown = NOT_SHOWN if hidden else text
            kept.append(Example(post, shown, rules or tuple(sorted(excused)), bool(excused)))

    def policies(self) -> tuple[PolicyCoverage, ...]:
        """Return what was counted, for each policy that any post is labelled for."""
        return tuple(
            self._policy(policy, counts)
            for policy, counts in self._counts.items()
            if counts.violations or counts.innocent
        )

    def _policy(self, policy: str, counts: _Counts) -> PolicyCoverage:
        names = [
            rule.id for rule in self._ruleset.rules if rule.policy == policy and not rule.is_context
        ]
        true, false = _each(counts.caught), _each(counts.hit)
        alone = {rules[0]: number for rules, number in counts.caught.items() if len(rules) == 1}
        cover = list(_cover(counts.caught, false))
        places = {name: place for place, (name, _) in enumerate(cover, 1)}
        rules: list[RuleCoverage] = []
        total = 0
        rest = sorted(set(names) - set(places), key=lambda n: (-true[n], false[n], n))
        for name, gained in (*cover, *((name, 0) for name in rest)):
            total += gained
            covered = name in places and counts.violations > 0
            recall = total / counts.violations if covered else float("nan")
            place = places.get(name, 0)
            rules.append(
                RuleCoverage(
                    name, true[name], false[name], alone.get(name, 0), place, gained, recall
                )
            )
        return PolicyCoverage(
            policy,
            counts.violations,
            counts.innocent,
            counts.caught.total(),
            counts.hit.total(),
            counts.excused[True],
            counts.excused[False],
            tuple(rules),
            tuple(counts.misses),
            tuple(counts.false),
        )


def _each(by_rules: Counter[tuple[str, ...]]) -> Counter[str]:
    """Return how many posts each rule fired on."""
    found: Counter[str] = Counter()
    for rules, number in by_rules.items():
        for name in rules:
            found[name] += number
    return found


def _cover(caught: Counter[tuple[str, ...]], false: Counter[str]) -> Iterator[tuple[str, int]]:
    """Yield rules and what each adds: always the one that adds most, then the less mistaken."""
    left = dict(caught)
    while left:
        gains = _each(Counter(left))
        name = min(gains, key=lambda n: (-gains[n], false[n], n))
        yield name, gains[name]
        left = {rules: number for rules, number in left.items() if name not in rules}


def _number(value: float) -> float | None:
    return None if value != value else round(value, 4)
