"""An evaluation: figures by policy and language, confusion, worst errors, and what they rest on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.evaluation.bootstrap import CONFIDENCE, bootstrap_intervals
from moderation.evaluation.figures import FIGURES, Cells, calibration_error, cell_figures
from moderation.evaluation.worst import WorstError, worst_errors
from moderation.types import ACTIONS, LANGUAGES, POLICIES

if TYPE_CHECKING:
    from moderation.evaluation.decisions import Decisions
    from moderation.types import Label

__all__ = [
    "ALL",
    "NO_LABEL",
    "Evaluation",
    "GroupFigures",
    "evaluate_decisions",
    "group_cells",
    "group_posts",
]

ALL: Final = "all"
"""In place of a language: every post."""
NO_LABEL: Final = "no label"
"""In place of a stance or sub-label found: the verdict has no label that could say one."""
_DECIMALS: Final = 6
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """How one policy fares on the posts of one language."""

    policy: str
    language: str
    """One of LANGUAGES, or ALL."""
    posts: int
    """Posts judged for the policy."""
    positives: int
    values: dict[str, float]
    """FIGURES and `calibration_error`; NaN where a figure is undefined."""
    intervals: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; undefined figures are null."""
        out: dict[str, Any] = {
            "policy": self.policy,
            "language": self.language,
            "posts": self.posts,
            "positives": self.positives,
        }
        for name, value in self.values.items():
            low, high = self.intervals.get(name, (float("nan"), float("nan")))
            out[name] = {"value": _number(value), "low": _number(low), "high": _number(high)}
        return out


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that `moderate eval` says.

    Attributes:
        groups: figures by policy and language; languages without posts are left out.
        stances: posts by stance given, stance found (or NO_LABEL) and action of the verdict.
        sub_labels: posts by sub-label given, and found in the same policy's label (or NO_LABEL;
            "none": a label without one), with that label's action.
        worst: innocent posts that were reviewed or blocked, and violations that passed.
        provenance: what ran on what.
    """

    groups: tuple[GroupFigures, ...]
    stances: tuple[tuple[str, str, str, int], ...]
    sub_labels: tuple[tuple[str, str, str, int], ...]
    worst: tuple[WorstError, ...]
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that docs/evaluation.md describes."""
        keys = ("given", "found", "action", "posts")
        return {
            "schema": _SCHEMA,
            "figures": [group.to_dict() for group in self.groups],
            "stances": [dict(zip(keys, row, strict=True)) for row in self.stances],
            "sub_labels": [dict(zip(keys, row, strict=True)) for row in self.sub_labels],
            "worst_errors": [error.to_dict() for error in self.worst],
            "provenance": self.provenance,
        }


def evaluate_decisions(
    decisions: Decisions,
    provenance: dict[str, Any],
    *,
    resamples: int = 1000,
    seed: int = 0,
    worst: int = 5,
) -> Evaluation:
    """Compare decisions with labels.

    Args:
        decisions: what the engine decided.
        provenance: what to say about where they come from; settings of this function are added.
        resamples: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap, 0 or more. Every group draws from a stream of its own, so that its
            intervals do not depend on the others.
        worst: of each policy, how many posts of each kind of error to name.
    """
    groups = []
    for column, policy in enumerate(POLICIES):
        for number, language in enumerate((ALL, *LANGUAGES)):
            cells = group_cells(decisions, column, language)
            if len(cells.counts):
                groups.append(
                    _group(cells, policy, language, resamples, (seed, column, number)),
                )
    return Evaluation(
        tuple(groups),
        _stances(decisions),
        _sub_labels(decisions),
        tuple(worst_errors(decisions, worst)),
        {
            **provenance,
            "posts": len(decisions),
            "with_error": decisions.with_error,
            "data": decisions.digest,
            "seed": seed,
            "resamples": resamples,
            "confidence": CONFIDENCE,
        },
    )


def group_posts(decisions: Decisions, column: int, language: str) -> np.ndarray[Any, Any]:
    """Return the rows of a language's posts that were judged for a policy, in order."""
    rows = ~np.isnan(decisions.labels[:, column])
    if language != ALL:
        rows &= decisions.languages == LANGUAGES.index(language)
    return np.flatnonzero(rows)


def group_cells(decisions: Decisions, column: int, language: str) -> Cells:
    """Return a language's posts that were judged for a policy, counted."""
    rows = group_posts(decisions, column, language)
    return Cells.count(
        decisions.labels[rows, column],
        decisions.scores[rows, column],
        decisions.actions[rows, column],
        decisions.languages[rows],
    )


def _group(
    cells: Cells, policy: str, language: str, resamples: int, seed: tuple[int, ...]
) -> GroupFigures:
    found = cell_figures(cells, cells.counts.astype(np.float64)[np.newaxis])[0]
    values = dict(zip(FIGURES, found.tolist(), strict=True))
    values["calibration_error"] = calibration_error(cells)
    return GroupFigures(
        policy,
        language,
        int(cells.counts.sum()),
        int(cells.counts[cells.positive].sum()),
        values,
        bootstrap_intervals(cells, resamples, seed),
    )


def _stances(decisions: Decisions) -> tuple[tuple[str, str, str, int], ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for post, given in enumerate(decisions.gold_stances):
        if given is not None:
            label = _strongest(decisions.found.get(post, ()))
            counts[given, *_said(label, label.stance if label else None)] += 1
    return tuple((*key, count) for key, count in sorted(counts.items()))


def _sub_labels(decisions: Decisions) -> tuple[tuple[str, str, str, int], ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for post, given in enumerate(decisions.gold_sub_labels):
        if given is not None:
            policy = given.partition(".")[0]
            label = _strongest(x for x in decisions.found.get(post, ()) if x.label == policy)
            counts[given, *_said(label, label.sub_label if label else None)] += 1
    return tuple((*key, count) for key, count in sorted(counts.items()))


def _strongest(labels: Any) -> Label | None:
    return max(labels, key=lambda x: (ACTIONS.index(x.action), x.score), default=None)


def _said(label: Label | None, found: str | None) -> tuple[str, str]:
    return (NO_LABEL, ACTIONS[0]) if label is None else (found or "none", label.action)


def _number(value: float) -> float | None:
    return round(value, _DECIMALS) if value == value else None
