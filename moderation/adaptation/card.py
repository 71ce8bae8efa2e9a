"""Before and after: what a fit changed on held-out labels, as figures and as a model card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.adaptation.head import log_loss
from moderation.evaluation.figures import average_precision
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.adaptation.examples import Examples
    from moderation.adaptation.fit import Held, Outcome

__all__ = ["Comparison", "Figures", "card", "comparisons", "worse"]

_JUDGED: Final = (("average_precision", 1), ("f1", 1), ("log_loss", -1))
"""What must not get worse, and which way is better."""
_RESAMPLES: Final = 200
TOLERANCE: Final = 0.0005
"""Figures are printed with three decimals; less than that is no change."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How decisions fare on labelled posts; NaN where undefined."""

    average_precision: float
    f1: float
    precision: float
    recall: float
    log_loss: float
    flagged_innocent: float
    blocked_innocent: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One policy and language, by the shipped model and by the fitted one."""

    policy: str
    language: str
    """One of LANGUAGES, or all."""
    posts: int
    violating: int
    before: Figures
    after: Figures
    noise: dict[str, float]
    """Standard error of the change in average precision, F1 and log-loss: a paired bootstrap."""


def comparisons(examples: Examples, outcome: Outcome) -> list[Comparison]:
    """Compare for each policy all posts, and each language that has any."""
    found = []
    usable = ~np.isnan(examples.labels) & ~examples.short[:, None]
    for column, policy in enumerate(POLICIES):
        for number, language in enumerate((*LANGUAGES, "all")):
            rows = np.flatnonzero(usable[:, column])
            if language != "all":
                rows = rows[examples.languages[rows] == number]
            if not len(rows):
                continue
            labels = examples.labels[rows, column]
            before, after = (
                _figures(labels, held, rows, column) for held in (outcome.before, outcome.after)
            )
            violating = int((labels == 1).sum())
            noise = _noise(examples, outcome, rows, column) if language == "all" else {}
            found.append(Comparison(policy, language, len(rows), violating, before, after, noise))
    return found


def _noise(
    examples: Examples, outcome: Outcome, rows: NDArray[np.int64], column: int
) -> dict[str, float]:
    generator = np.random.default_rng(0)
    changes: dict[str, list[float]] = {name: [] for name, _ in _JUDGED}
    for _ in range(_RESAMPLES):
        drawn = generator.choice(rows, len(rows))
        labels = examples.labels[drawn, column]
        if not (labels == 1).any():
            continue
        before, after = (
            _figures(labels, held, drawn, column) for held in (outcome.before, outcome.after)
        )
        for name, values in changes.items():
            values.append(getattr(after, name) - getattr(before, name))
    return {name: float(np.std(values)) if values else 0.0 for name, values in changes.items()}


def _figures(
    labels: NDArray[np.float64], held: Held, rows: NDArray[np.int64], column: int
) -> Figures:
    odds, flagged = held.log_odds[rows, column], held.flagged[rows, column]
    truth, blocked = labels == 1, held.blocked[rows, column]
    hits = float((truth & flagged).sum())
    innocent = ~truth
    return Figures(
        average_precision(labels, odds),
        _share(2 * hits, float(truth.sum() + flagged.sum())) if truth.any() else float("nan"),
        _share(hits, float(flagged.sum())),
        _share(hits, float(truth.sum())),
        float(log_loss(odds, labels).mean()),
        _share(float((flagged & innocent).sum()), float(innocent.sum())),
        _share(float((blocked & innocent).sum()), float(innocent.sum())),
    )


def worse(found: list[Comparison]) -> dict[str, list[str]]:
    """Return by policy what got worse over all languages, by more than chance makes likely."""
    told: dict[str, list[str]] = {}
    for row in found:
        if row.language != "all":
            continue
        for name, sign in _JUDGED:
            before, after = getattr(row.before, name), getattr(row.after, name)
            if sign * (after - before) < -max(row.noise[name], TOLERANCE):
                shown = name.replace("_", " ").replace("f1", "F1 at the review point")
                line = f"{shown} {before:.3f} before, {after:.3f} after"
                told.setdefault(row.policy, []).append(line)
    return told


_HEADER: Final = (
    "| policy | language | posts | violating | AP | F1 | precision | recall | log-loss "
    "| innocent flagged | innocent blocked |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def table(found: list[Comparison]) -> str:
    """Return figures before → after as a Markdown table."""
    lines = [_HEADER]
    for row in found:
        cells = [
            f"{_shown(getattr(row.before, name), form)} → {_shown(getattr(row.after, name), form)}"
            for name, form in (
                ("average_precision", ".3f"), ("f1", ".3f"), ("precision", ".3f"),
                ("recall", ".3f"), ("log_loss", ".3f"), ("flagged_innocent", ".1%"),
                ("blocked_innocent", ".1%"),
            )
        ]  # fmt: skip
        head = f"| {row.policy} | {row.language} | {row.posts} | {row.violating} |"
        lines.append(f"{head} {' | '.join(cells)} |")
    return "\n".join(lines)


def card(
    *,
    title: str,
    base: str,
    how: str,
    found: list[Comparison],
    outcome: Outcome,
    settings: dict[str, object],
) -> str:
    """Return MODEL_CARD.md.

    Args:
        title: name of the model and what was done.
        base: reference of the model it came from.
        how: a paragraph on the method.
        found: figures.
        outcome: for the notes.
        settings: seeds, counts, package versions.
    """
    notes = [
        f"* {policy}: {note.violating} violating, {note.innocent} innocent labels. "
        + "; ".join(note.said)
        for policy, note in outcome.notes.items()
    ]
    listed = [f"| {name} | {value} |" for name, value in settings.items()]
    return "\n".join(
        [
            f"# {title}", "", f"Made from `{base}`.", "", how, "", "## Before → after",
            "On the labelled posts, each judged by corrections, calibration and operating points "
            "that had not seen it (five folds). The widths of the priors were chosen on all folds, "
            "so the figures after are a little kind. F1, precision and recall are those of review "
            "or block by rules and classifier together.",
            "", table(found), "", "## What was done", *notes, "", "## Settings",
            "| setting | value |", "|---|---|", *listed, "",
            "What the model it came from was made of and cannot do: `BASE_MODEL_CARD.md`, where "
            "that model had a card.", "",
        ]
    )  # fmt: skip


def _shown(value: float, form: str) -> str:
    return format(value, form) if value == value else "-"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
