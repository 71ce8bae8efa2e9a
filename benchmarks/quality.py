"""Leave-sources-out figures of the shipped recipe, classifier alone, tier by tier.

Every post is scored by tiers that never saw the post's source family; probabilities and thresholds
are fitted on the other sources. Tiers come from the work folder that `make train` fills, and are
trained where they are missing (about an hour on two cores for each seed).
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

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


def main() -> None:
    """Score, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, unlabelled/")
    parser.add_argument("--work", type=Path, default=ROOT / "work")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    arguments = parser.parse_args()
    print("families left out together: ", "; ".join(", ".join(f) for f in FOLDS.values()), "\n")
    runs = []
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
    if len(runs) > 1:
        print(spread(runs))


if __name__ == "__main__":
    main()
