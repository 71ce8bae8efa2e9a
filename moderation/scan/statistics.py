"""Statistics: counts of verdicts that add up, batch by batch and shard by shard."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.decide.labels import (
    ACTION,
    EVERY_SUB_LABEL,
    NONE,
    POLICY,
    POST,
    RULE,
    STANCE,
    SUB_LABEL,
)
from moderation.types import ACTIONS, LANGUAGES, POLICIES, STANCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moderation.scan.rejections import Rejection
    from moderation.scan.sinks import Scored

__all__ = ["SCORE_BINS", "Statistics", "merged"]

SCORE_BINS: Final = 50
"""Equal bins of a score histogram from 0 to 1; a score at an edge counts in the upper bin."""
_COUNTED: Final = (POLICY, SUB_LABEL, ACTION, STANCE)


class Statistics:
    """Counts of posts and rejections; adding two scans' up gives those of both."""

    def __init__(self, counts: Mapping[str, Any] | None = None) -> None:
        """Start from counts that `to_dict` returned, or from nothing."""
        self._counts: dict[str, Any] = merged(_nothing(), counts) if counts else _nothing()

    def add(self, scored: Scored) -> None:
        """Count one batch."""
        verdicts = scored.verdicts
        counts = self._counts
        counts["posts"] += len(scored)
        counts["characters"] += sum(map(len, scored.texts))
        counts["with_error"] += len(verdicts.errors)
        pairs = verdicts.languages.astype(np.int64) * len(ACTIONS) + verdicts.actions
        table = np.bincount(pairs, minlength=len(LANGUAGES) * len(ACTIONS)).tolist()
        for at, count in enumerate(table):
            language, action = divmod(at, len(ACTIONS))
            counts["languages"][LANGUAGES[language]][ACTIONS[action]] += count
            counts["actions"][ACTIONS[action]] += count
        bins = (verdicts.scores * SCORE_BINS + 1e-9).astype(np.int64).clip(0, SCORE_BINS - 1)
        for policy, name in enumerate(POLICIES):
            found = np.bincount(bins[:, policy], minlength=SCORE_BINS).tolist()
            counts["scores"][name] = _added(counts["scores"][name], found)
        labels = verdicts.labels
        kinds = Counter(map(tuple, labels.labels[:, _COUNTED].tolist()))
        for (policy, sub_label, action, stance), count in kinds.items():
            name = POLICIES[policy]
            _count(counts["policies"], name, action, count)
            sub_name = name if sub_label == NONE else EVERY_SUB_LABEL[sub_label]
            _count(counts["sub_labels"], sub_name, action, count)
            _count(counts["stances"], STANCES[stance], action, count)
        posts = np.repeat(labels.labels[:, POST], np.diff(labels.bounds)).tolist()
        once = set(zip(posts, labels.spans[:, RULE].tolist(), strict=True))
        for rule, count in Counter(rule for _, rule in once if rule != NONE).items():
            name = labels.names.rule_ids[rule]
            counts["rules"][name] = counts["rules"].get(name, 0) + count

    def reject(self, rejection: Rejection) -> None:
        """Count one rejected record or input."""
        rejected = self._counts["rejected"]
        rejected[rejection.reason] = rejected.get(rejection.reason, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain objects, in a fixed order."""
        return merged(self._counts, {})


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sum of two statistics: numbers and histograms added, whatever their depth.

    The order of the keys does not depend on which came first.
    """
    out: dict[str, Any] = {}
    for name in sorted(one.keys() | other.keys(), key=_place):
        ours, theirs = one.get(name), other.get(name)
        if isinstance(ours, dict) or isinstance(theirs, dict):
            out[name] = merged(ours or {}, theirs or {})
        elif isinstance(ours, list) and isinstance(theirs, list):
            out[name] = _added(ours, theirs)
        elif ours is None or theirs is None:
            out[name] = theirs if ours is None else ours
        else:
            out[name] = ours + theirs
    return out


def _added(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _count(table: dict[str, dict[str, int]], name: str, action: int, count: int) -> None:
    row = table.setdefault(name, dict.fromkeys(ACTIONS, 0))
    row[ACTIONS[action]] += count


def _nothing() -> dict[str, Any]:
    return {
        "posts": 0,
        "characters": 0,
        "with_error": 0,
        "rejected": {},
        "actions": dict.fromkeys(ACTIONS, 0),
        "policies": {},
        "sub_labels": {},
        "stances": {},
        "languages": {name: dict.fromkeys(ACTIONS, 0) for name in LANGUAGES},
        "scores": {name: [0] * SCORE_BINS for name in POLICIES},
        "rules": {},
    }


_ORDER: Final = {name: at for at, name in enumerate((*_nothing(), *ACTIONS, *LANGUAGES, *POLICIES))}


def _place(name: str) -> tuple[int, str]:
    return _ORDER.get(name, len(_ORDER)), name
