"""Aggregate: the counts of a report, gathered verdict by verdict in memory that does not grow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from moderation.types import ACTIONS, POLICIES

if TYPE_CHECKING:
    from moderation.types import Label, Verdict

__all__ = ["SCORE_BINS", "BoundedCounter", "RuleCount", "Totals", "rules_of"]

SCORE_BINS: Final = 20
"""Bins of equal width; the last one holds 1 as well."""
_MOST_RULES: Final = 4096
_MOST_PAIRS: Final = 1 << 17
_MOST_NAMES: Final = 256
_MOST_PAIRED: Final = 64
"""Rules of one post that are paired with one another; a long post may have hundreds."""


_Name = TypeVar("_Name", str, tuple[str, str], tuple[str, str | None, str])


class BoundedCounter(Generic[_Name]):
    """Counts of names, with a limit on how many names there are; what comes later is `beyond`."""

    def __init__(self, most: int) -> None:
        """Count up to so many names."""
        self._most = most
        self.counts: dict[_Name, int] = {}
        self.beyond = 0

    def add(self, name: _Name) -> None:
        """Count a name once."""
        if name in self.counts:
            self.counts[name] += 1
        elif len(self.counts) < self._most:
            self.counts[name] = 1
        else:
            self.beyond += 1

    def ranked(self) -> list[_Name]:
        """Return the names, the most frequent first."""
        return sorted(self.counts, key=lambda name: (-self.counts[name], name))


@dataclass(slots=True)
class RuleCount:
    """What one rule stands for."""

    policy: str
    posts: int = 0
    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    """Posts by the action of the label that holds the rule's evidence."""
    disguised: int = 0
    """Posts in which every stretch of its evidence was disguised."""


class Totals:
    """The counts of all verdicts so far.

    Attributes:
        posts: verdicts.
        labelled: posts with a label.
        with_error: posts whose verdict carries an error.
        actions: posts by action and language.
        policies: labels by policy and action.
        stances: labels by policy and stance.
        sub_labels: labels by policy, sub-label (or None) and action.
        scores: posts by policy and bin of the score, and among them by action of the label ("" for
            posts without one).
        thresholds: lowest and highest that decided, by policy and "review" or "block".
        rules: by id; None stands for the classifier alone.
        pairs: posts in which both of two rules have evidence, ids in order.
        transforms: labels' disguises, once a post.
        regions, bundles, models: that verdicts name.
        beyond_rules: evidence of rules that there was no room to count.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self.posts = 0
        self.labelled = 0
        self.with_error = 0
        self.actions: Counter[tuple[str, str]] = Counter()
        self.policies: Counter[tuple[str, str]] = Counter()
        self.stances: Counter[tuple[str, str]] = Counter()
        self.sub_labels = BoundedCounter[tuple[str, str | None, str]](_MOST_NAMES)
        self.scores = {policy: [Counter[str]() for _ in range(SCORE_BINS)] for policy in POLICIES}
        self.thresholds: dict[tuple[str, str], tuple[float, float]] = {}
        self.rules: dict[str | None, RuleCount] = {}
        self.pairs = BoundedCounter[tuple[str, str]](_MOST_PAIRS)
        self.transforms = BoundedCounter[str](_MOST_NAMES)
        self.regions = BoundedCounter[str](_MOST_NAMES)
        self.bundles = BoundedCounter[str](_MOST_NAMES)
        self.models = BoundedCounter[str](_MOST_NAMES)
        self.beyond_rules = 0

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        self.posts += 1
        self.with_error += verdict.error is not None
        self.actions[verdict.action, verdict.language] += 1
        self.regions.add(verdict.policy.region)
        self.bundles.add(verdict.policy.bundle)
        self.models.add(verdict.model)
        found = {label.label: label.action for label in verdict.labels}
        for policy, bins in self.scores.items():
            at = min(int(verdict.category_scores[policy] * SCORE_BINS), SCORE_BINS - 1)
            bins[at][found.get(policy, "")] += 1
        if verdict.labels:
            self.labelled += 1
            for label in verdict.labels:
                self._add_label(label)
            self._add_rules(verdict)

    def _add_label(self, label: Label) -> None:
        self.policies[label.label, label.action] += 1
        self.stances[label.label, label.stance] += 1
        self.sub_labels.add((label.label, label.sub_label, label.action))
        kind = "block" if label.action == "block" else "review"
        low, high = self.thresholds.get((label.label, kind), (1.0, 0.0))
        self.thresholds[label.label, kind] = min(low, label.threshold), max(high, label.threshold)

    def _add_rules(self, verdict: Verdict) -> None:
        disguises = {t for label in verdict.labels for e in label.evidence for t in e.transforms}
        for name in disguises:
            self.transforms.add(name)
        for label in verdict.labels:
            plain = {e.rule_id for e in label.evidence if not e.transforms}
            for rule_id in rules_of(label):
                count = self.rules.get(rule_id)
                if count is None:
                    if len(self.rules) >= _MOST_RULES:
                        self.beyond_rules += 1
                        continue
                    count = self.rules[rule_id] = RuleCount(label.label)
                count.posts += 1
                count.actions[label.action] += 1
                count.disguised += rule_id is not None and rule_id not in plain
        ids = {e.rule_id for label in verdict.labels for e in label.evidence if e.rule_id}
        for first, second in combinations(sorted(ids)[:_MOST_PAIRED], 2):
            self.pairs.add((first, second))

    def by_action(self) -> dict[str, int]:
        """Return posts by action."""
        out = dict.fromkeys(ACTIONS, 0)
        for (action, _), count in self.actions.items():
            out[action] += count
        return out

    def top_rules(self, most: int) -> list[tuple[str | None, RuleCount]]:
        """Return the rules with the most posts; of equal ones by id, the classifier last."""
        order = sorted(self.rules.items(), key=lambda x: (-x[1].posts, x[0] is None, x[0] or ""))
        return order[:most]


def rules_of(label: Label) -> list[str | None]:
    """Return the rules in a label's evidence, each once; None for the classifier alone."""
    return list(dict.fromkeys(e.rule_id for e in label.evidence))
