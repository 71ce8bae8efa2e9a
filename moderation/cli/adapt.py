"""moderate adapt and moderate calibrate: a model of one's own from labelled posts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderation.adaptation.adapt import Report

__all__ = ["adapt", "calibrate"]

_Labelled = Annotated[
    list[Path], typer.Argument(metavar="LABELLED", help="Labelled posts, as `eval` reads them.")
]
_Output = Annotated[
    Path, typer.Option("--output", "-o", help="Model folder to make.", show_default=False)
]
_Model = Annotated[
    Path | None, typer.Option("--model", help="Model folder; default: the shipped model.")
]
_Rules = Annotated[
    Path | None, typer.Option("--rules", help="Rules folder; default: the shipped rules.")
]
_Tier = Annotated[
    str | None,
    typer.Option("--tier", help="Tier whose graphs are fitted; default: the model's own default."),
]
_Seed = Annotated[int, typer.Option("--seed", help="Deals posts into folds.")]
_Force = Annotated[
    bool, typer.Option("--force", help="Write the model even where held-out labels show no gain.")
]


def adapt(
    labelled: _Labelled,
    output: _Output,
    model: _Model = None,
    rules: _Rules = None,
    tier: _Tier = None,
    seed: _Seed = 0,
    force: _Force = False,
) -> int:
    """Fit a model to your own labels: heads, calibration and operating points.

    Prints figures before and after on held-out labels. A policy that would get worse stays as it
    was; where none improves nothing is written, and the exit code is 2.
    """
    return _run(labelled, output, model, rules, tier, seed, force=force, heads=True)


def calibrate(
    labelled: _Labelled,
    output: _Output,
    model: _Model = None,
    rules: _Rules = None,
    tier: _Tier = None,
    seed: _Seed = 0,
    force: _Force = False,
) -> int:
    """Fit calibration and operating points to your own labels; the weights stay.

    Prints figures before and after on held-out labels. A policy that would get worse stays as it
    was; where none improves nothing is written, and the exit code is 2.
    """
    return _run(labelled, output, model, rules, tier, seed, force=force, heads=False)


def _run(
    labelled: list[Path],
    output: Path,
    model: Path | None,
    rules: Path | None,
    tier: str | None,
    seed: int,
    *,
    force: bool,
    heads: bool,
) -> int:
    from moderation.adaptation.adapt import adapt as fit_model
    from moderation.resources import data_root
    from moderation.rules import load_ruleset

    base = model if model is not None else data_root() / "models" / "default"
    ruleset = load_ruleset(rules if rules is not None else data_root() / "rules")
    report = fit_model(
        labelled, output, base, ruleset, heads=heads, tier=tier, seed=seed, force=force
    )
    _print(report)
    typer.echo(f"moderate: wrote {output}", err=True)
    return 0


def _print(report: Report) -> None:
    typer.echo(
        f"{'policy':<9} {'language':<8} {'posts':>6} {'viol.':>6} {'AP':>14} {'F1':>14} "
        f"{'log-loss':>14} {'innocent flagged':>17}"
    )
    for row in report.comparisons:
        cells = [
            _change(getattr(row.before, name), getattr(row.after, name), form)
            for name, form in (
                ("average_precision", ".3f"), ("f1", ".3f"), ("log_loss", ".3f"),
                ("flagged_innocent", ".1%"),
            )
        ]  # fmt: skip
        typer.echo(
            f"{row.policy:<9} {row.language:<8} {row.posts:>6} {row.violating:>6} "
            f"{cells[0]:>14} {cells[1]:>14} {cells[2]:>14} {cells[3]:>17}"
        )
    for policy, note in report.outcome.notes.items():
        typer.echo(f"moderate: {policy}: {'; '.join(note.said)}", err=True)
    for policy, lines in report.worse.items():
        typer.echo(f"moderate: {policy}: worse than before: {', '.join(lines)}", err=True)


def _change(before: float, after: float, form: str) -> str:
    shown = [format(value, form) if value == value else "-" for value in (before, after)]
    return " → ".join(shown)
