"""Held-out figures of a recipe: every source scored by a student that never saw its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.evaluation.figures import PolicyFigures, policy_figures
from moderation.training.calibrate import expected_calibration_error, fit_tables
from moderation.training.data import ORDINARY
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moderation.training.recipe import Dataset

__all__ = ["SourceFigures", "calibration_error", "calibration_weights", "held_out_figures", "table"]

CORPUS_WEIGHT: Final = 5.0
"""A fifth of the corpus is held out; it stands for the whole."""
_TRUSTED: Final = ("pip", "fbs", "corpus", *ORDINARY)
"""Families whose labels people gave, by a policy close to ours; only these fit probabilities."""


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """Figures of one set of posts for one policy."""

    name: str
    policy: str
    figures: PolicyFigures


def calibration_weights(dataset: Dataset) -> NDArray[np.float64]:
    """Return how much each post counts when probabilities are fitted, (posts,)."""
    weights = np.where(dataset.families == "corpus", CORPUS_WEIGHT, 1.0)
    weights = np.where(np.isin(dataset.families, _TRUSTED), weights, 0.0)
    return np.where(dataset.sources == "pip_twitter_silver", 0.0, weights)


def held_out_figures(dataset: Dataset, logits: NDArray[np.float64]) -> list[SourceFigures]:
    """Score each source with probabilities and thresholds fitted on the other sources only.

    Args:
        dataset: all posts.
        logits: held-out logits, (posts, policies), NaN where there are none.
    """
    scored = ~np.isnan(logits).any(1)
    weights = calibration_weights(dataset)
    ordinary = np.isin(dataset.families, ORDINARY)
    found: list[SourceFigures] = []
    families = [f for f in np.unique(dataset.families[scored]).tolist() if f != "corpus"]
    for family in [*families, "corpus"]:
        own = scored & (dataset.families == family)
        other = np.flatnonzero(scored & (dataset.families != family))
        calibration, points = fit_tables(
            logits[other], dataset.hard[other], dataset.languages[other], ordinary[other],
            weights[other],
        )  # fmt: skip
        for name, rows in _sets(dataset, family, own):
            for column, policy in enumerate(POLICIES):
                z, language = logits[rows, column], dataset.languages[rows]
                fits = [calibration[policy][LANGUAGES[n]] for n in language]
                limits = [points[policy][LANGUAGES[n]] for n in language]
                odds = z * [f["slope"] for f in fits] + [f["offset"] for f in fits]
                scores = np.round(1.0 / (1.0 + np.exp(-odds)), 4)
                figures = policy_figures(
                    dataset.hard[rows, column].astype(np.float64),
                    z,
                    scores >= [p["review"] for p in limits],
                    scores >= [p["block"] for p in limits],
                )
                if figures.posts:
                    found.append(SourceFigures(name, policy, figures))
    return found


def calibration_error(dataset: Dataset, logits: NDArray[np.float64]) -> dict[str, float]:
    """Return the expected calibration error on the corpus' untouched fifth, by policy.

    Probabilities are fitted without the corpus.
    """
    scored = ~np.isnan(logits).any(1)
    corpus = np.flatnonzero(scored & (dataset.families == "corpus"))
    other = np.flatnonzero(scored & (dataset.families != "corpus"))
    ordinary = np.isin(dataset.families, ORDINARY)[other]
    calibration, _ = fit_tables(
        logits[other], dataset.hard[other], dataset.languages[other], ordinary,
        calibration_weights(dataset)[other],
    )  # fmt: skip
    errors = {}
    for column, policy in enumerate(POLICIES):
        fits = [calibration[policy][LANGUAGES[n]] for n in dataset.languages[corpus]]
        odds = logits[corpus, column] * [f["slope"] for f in fits] + [f["offset"] for f in fits]
        scores = 1.0 / (1.0 + np.exp(-odds))
        errors[policy] = expected_calibration_error(
            scores, dataset.hard[corpus, column].astype(np.float64)
        )
    return errors


def table(found: list[SourceFigures]) -> str:
    """Return figures as a Markdown table."""
    lines = [
        "| posts left out of training | policy | posts | violating | AP | precision | recall | F1 "
        "| innocent reviewed or blocked | innocent blocked |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        f = row.figures
        cells = [f.average_precision, f.precision, f.recall, f.f1]
        shown = [f"{value:.3f}" if value == value and f.positives else "-" for value in cells]
        lines.append(
            f"| {row.name} | {row.policy} | {f.posts} | {f.positives} | {' | '.join(shown)} "
            f"| {_rate(f.flagged_innocent)} | {_rate(f.blocked_innocent)} |"
        )
    return "\n".join(lines)


def _rate(value: float) -> str:
    return f"{value:.3%}" if value == value else "-"


def _sets(
    dataset: Dataset, family: str, own: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield the named sets of one family's posts."""
    if family == "corpus":
        yield "corpus, untouched fifth", np.flatnonzero(own)
        for number, language in enumerate(LANGUAGES[:3]):
            yield f"corpus, {language}", np.flatnonzero(own & (dataset.languages == number))
    elif family == "pip":
        english = np.array([post.language == "en" for post in dataset.posts])
        labelled = own & (dataset.sources == "pip_twitter_gt_train")
        yield "pip (human labels, zh and mixed)", np.flatnonzero(labelled & ~english)
    else:
        yield family, np.flatnonzero(own)
