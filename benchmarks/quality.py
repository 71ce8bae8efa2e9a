"""Leave-sources-out figures of the shipped recipe, classifier alone, tier by tier.

Every post is scored by tiers that never saw the post's source family; probabilities and thresholds
are fitted on the other sources. Tiers come from the work folder that `make train` fills, and are
trained where they are missing (about an hour on two cores for each seed). With --fast-seeds the
fast tier and the n-grams are trained again with other seeds, from the soft labels of the deep tier
of the first run: what of the spread is the student's own.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from moderation.training.figures import (
    TIERS,
    SourceFigures,
    calibration_error,
    held_out_figures,
    overview,
    stance_figures,
    table,
)
from moderation.training.recipe import FOLDS
from moderation.training.trainer import held_out, make_trainer

if TYPE_CHECKING:
    from moderation.training.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent


def spread(runs: list[list[SourceFigures]]) -> str:
    """Return mean and range of average precision over seeds, for sets that hold violations."""
    lines = ["| posts left out of training | policy | tier | mean AP | lowest | highest |"]
    lines.append("|---|---|---|---|---|---|")
    for rows in zip(*runs, strict=True):
        values = [row.figures.average_precision for row in rows]
        if rows[0].figures.positives:
            lines.append(
                f"| {rows[0].name} | {rows[0].policy} | {rows[0].tier} "
                f"| {statistics.mean(values):.3f} | {min(values):.3f} | {max(values):.3f} |"
            )
    return "\n".join(lines)


def student(trainer: Trainer, seed: int) -> Trainer:
    """Return a trainer whose fast tier and n-grams have another seed; their teacher is kept."""
    return replace(
        trainer,
        recipe=replace(trainer.recipe, seed=seed),
        ngram_recipe=replace(trainer.ngram_recipe, seed=seed),
    )


def of_tier(run: list[SourceFigures], tier: str) -> list[SourceFigures]:
    """Return the rows of one tier."""
    return [row for row in run if row.tier == tier]


def student_runs(
    trainer: Trainer, first: list[SourceFigures], seeds: int
) -> list[list[SourceFigures]]:
    """Return the fast tier's figures for seeds from 0 on, trained from one deep tier.

    Args:
        trainer: of seed 0.
        first: all figures of that trainer.
        seeds: how many.
    """
    runs = [of_tier(first, "fast")]
    for seed in range(1, seeds):
        found = held_out(student(trainer, seed))
        runs.append(of_tier(held_out_figures(trainer.dataset, found.fast, found.deep), "fast"))
    return runs


def main() -> None:
    """Score, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, unlabelled/")
    parser.add_argument("--work", type=Path, default=ROOT / "work")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    parser.add_argument(
        "--fast-seeds", type=int, default=1, metavar="N",
        help="seeds of the fast tier, from 0 on, all taught by the deep tier of seed 0",
    )  # fmt: skip
    arguments = parser.parse_args()
    if min(arguments.seeds, arguments.fast_seeds) < 1:
        parser.error("--seeds and --fast-seeds: expected at least 1")
    print("families left out together: ", "; ".join(", ".join(f) for f in FOLDS.values()), "\n")
    runs: list[list[SourceFigures]] = []
    students: list[list[SourceFigures]] = []
    for seed in range(arguments.seeds):
        trainer = make_trainer(
            arguments.data, ROOT / "corpus", ROOT / "rules", arguments.work, seed
        )
        found = held_out(trainer)
        runs.append(held_out_figures(trainer.dataset, found.fast, found.deep))
        print(f"seed {seed}\n\n{overview(runs[-1])}\n\n{table(runs[-1])}")
        print("\nexpected calibration error, corpus' untouched fifth, fitted without the corpus:")
        for tier in TIERS:
            errors = calibration_error(trainer.dataset, found.fast, found.deep, tier)
            print(f"  {tier}: " + ", ".join(f"{p} {e:.4f}" for p, e in errors.items()))
        print("\ninnocent stances of the corpus' untouched fifth, fitted without the corpus:")
        for tier in TIERS:
            shares = stance_figures(trainer.dataset, found.fast, found.deep, tier)
            for stance, (posts, flagged, blocked) in shares.items():
                rates = f"{flagged:.1%} flagged, {blocked:.1%} blocked"
                print(f"  {tier} {stance}: {posts} posts, {rates}")
        print()
        if seed == 0 and arguments.fast_seeds > 1:
            students = student_runs(trainer, runs[0], arguments.fast_seeds)
    if len(runs) > 1:
        print(f"{len(runs)} seeds\n\n{spread(runs)}\n")
    if students:
        print(f"{len(students)} seeds of the fast tier, one deep tier\n\n{spread(students)}")


if __name__ == "__main__":
    main()
