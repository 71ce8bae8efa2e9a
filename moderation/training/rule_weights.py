"""How much a rule's hit adds to the classifier, fitted on held-out posts that rules hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules import LEVELS
from moderation.rules.stance import is_innocent, resolve_stance
from moderation.text import TextBatch
from moderation.training.calibrate import rule_weight
from moderation.types import POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules import Ruleset
    from moderation.training.recipe import Dataset

__all__ = ["fit_rule_weights"]

_PART: Final = 4096


def fit_rule_weights(
    ruleset: Ruleset,
    dataset: Dataset,
    rows: NDArray[np.int64],
    log_odds: NDArray[np.float64],
) -> dict[str, dict[str, float]]:
    """Return log-odds by policy and level.

    Args:
        ruleset: compiled rules.
        dataset: all posts.
        rows: held-out posts.
        log_odds: what a tier that never saw their source says, calibrated, (len(rows), policies).
    """
    cells: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for start in range(0, len(rows), _PART):
        part = rows[start : start + _PART]
        batch = TextBatch.from_strings([dataset.posts[r].text for r in part])
        scan = ruleset.scan(batch)
        for index, findings in zip(scan.posts, ruleset.findings(scan, scan.posts), strict=True):
            for column, policy in enumerate(POLICIES):
                matches = [m for m in findings.matches if m.rule.policy == policy]
                label = float(dataset.hard[part[index], column])
                if not matches or np.isnan(label) or is_innocent(resolve_stance(findings, policy)):
                    continue
                level = max((m.level or "weak" for m in matches), key=LEVELS.index)
                z = log_odds[start + index, column]
                cells.setdefault((policy, level), []).append((float(z), label))
    table: dict[str, dict[str, float]] = {policy: {} for policy in POLICIES}
    for policy in POLICIES:
        least = 0.0
        for level in LEVELS:  # a stronger level never weighs less than a weaker one
            values = np.array(cells.get((policy, level), []), np.float64).reshape(-1, 2)
            least = max(least, round(rule_weight(values[:, 0], values[:, 1]), 4))
            table[policy][level] = least
    return table
