"""Facts: rules, a region's profile and a model's points as flat arrays, prepared once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.decide.labels import EVERY_SUB_LABEL, NONE, Names, transform_bits
from moderation.rules.conditions import LEVELS
from moderation.rules.marks import MARKS, hit_of
from moderation.text.fold import FOLD_KINDS
from moderation.text.native import flat, kernel
from moderation.types import ACTIONS, POLICIES, RISK_LEVELS, SCORE_DECIMALS, STANCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from moderation.decide.profile import Profile
    from moderation.rules import Rule

__all__ = ["Facts", "rounded_points"]

_ANY: Final = len(POLICIES)
"""The policy of a context rule that speaks for every one."""
_CUE, _BOLD, _REGEX = 1 << 29, 1 << 30, 1 << 31
"""Beside the transforms of a mark: what it says of a hit."""


def rounded_points(points: NDArray[np.float64]) -> tuple[float, float]:
    """Return a policy's review and block point as scores are held against them."""
    review, block = (round(float(point), SCORE_DECIMALS) for point in points)
    return review, block


@dataclass(frozen=True, slots=True)
class Facts:
    """What decisions depend on beside the posts.

    Attributes:
        rules: every rule, by number, as in a FindingsTable.
        profile: the region's profile.
        points: float64, shape (languages, policies, 2): review and block thresholds.
        weights: log-odds that a hit adds, by policy and rule level.
        names: what the numbers of decided labels stand for.
        native: the same for the kernel; None where there is none.
    """

    rules: tuple[Rule, ...]
    profile: Profile
    points: NDArray[np.float64]
    weights: Mapping[str, Mapping[str, float]]
    names: Names
    native: Any

    @classmethod
    def of(
        cls,
        rules: tuple[Rule, ...],
        profile: Profile,
        points: NDArray[np.float64],
        weights: Mapping[str, Mapping[str, float]],
    ) -> Facts:
        """Prepare what decisions depend on."""
        native = None if kernel is None else _native(rules, profile, points, weights)
        names = Names(tuple(rule.id for rule in rules))
        return cls(rules, profile, points, weights, names, native)


def _native(
    rules: Sequence[Rule],
    profile: Profile,
    points: NDArray[np.float64],
    weights: Mapping[str, Mapping[str, float]],
) -> Any:
    stances = [profile.stances.get(name) for name in STANCES]
    ceilings = ["pass" if stance is None else stance.action for stance in stances]
    escalate = [math.inf if stance is None else stance.escalate_at for stance in stances]
    at = profile.model_stance_at
    return kernel.decision(
        _rules(rules),
        np.array([_limits(name, profile) for name in EVERY_SUB_LABEL], np.int32),
        np.array([ACTIONS.index(action) for action in ceilings], np.int32),
        np.array(escalate, np.float64),
        np.array([profile.rule_floor.get(level, 0.0) for level in LEVELS], np.float64),
        np.array(
            [[weights.get(name, {}).get(level, 0.0) for level in LEVELS] for name in POLICIES],
            np.float64,
        ),
        flat(np.array([[_points(policy) for policy in language] for language in points])),
        _marks(),
        np.array([transform_bits(name) if name else 0 for name in FOLD_KINDS], np.uint32),
        ACTIONS.index(profile.classifier_alone),
        transform_bits("noise"),
        transform_bits("repeat"),
        math.inf if at is None else at,
    )


def _rules(rules: Sequence[Rule]) -> NDArray[np.int32]:
    """Return rows of policy, sub-label, stance, severity, and place among the sorted ids."""
    rank = {name: at for at, name in enumerate(sorted({rule.id for rule in rules}))}
    rows = [
        (
            POLICIES.index(rule.policy) if rule.policy in POLICIES else _ANY,
            NONE if rule.sub_label is None else EVERY_SUB_LABEL.index(rule.sub_label),
            STANCES.index(rule.stance),
            NONE if rule.severity is None else RISK_LEVELS.index(rule.severity),
            rank[rule.id],
        )
        for rule in rules
    ]
    return np.array(rows, np.int32).reshape(-1, 5)


def _limits(sub_label: str, profile: Profile) -> tuple[int, int]:
    """Return a sub-label's ceiling, and what it is always met with, or NONE."""
    always = profile.always.get(sub_label)
    ceiling = profile.ceiling.get(sub_label, "block")
    return ACTIONS.index(ceiling), NONE if always is None else ACTIONS.index(always)


def _points(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the review point, and rounded: review, block and the score just below block."""
    review, block = rounded_points(points)
    below = round(block - 10.0**-SCORE_DECIMALS, SCORE_DECIMALS)
    return float(points[0]), review, block, below


def _marks() -> NDArray[np.uint32]:
    """Return what each mark of a hit says: transforms, and whether it is cue, bold, a pattern's."""
    found = []
    for mark in range(MARKS):
        hit = hit_of(0, 0, mark)
        fold = "order" if hit.fold == "words" else hit.fold
        bits = transform_bits(fold) if fold else 0
        found.append(bits | hit.cue * _CUE | hit.bold * _BOLD | (hit.kind == "regex") * _REGEX)
    return np.array(found, np.uint32)
