"""Leave-sources-out figures of the shipped recipe, classifier alone.

Every post is scored by a student whose teacher and itself never saw the post's source family;
probabilities and thresholds are fitted on the other sources. Students come from the work folder
that `make train` fills, and are trained where they are missing (about half an hour on two cores).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from moderation.training.build import THREADS, Students, held_out_predictions, vocabulary
from moderation.training.fast import Recipe
from moderation.training.figures import calibration_error, held_out_figures, table
from moderation.training.recipe import FOLDS, prepare
from moderation.training.teacher import TeacherRecipe

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Score, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, unlabelled/")
    parser.add_argument("--work", type=Path, default=ROOT / "work")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    arguments.work.mkdir(parents=True, exist_ok=True)
    tokenizer, vectors = vocabulary(ROOT / "rules", arguments.work)
    recipe, teacher = Recipe(), TeacherRecipe()
    dataset = prepare(arguments.data, ROOT / "corpus", ROOT / "rules", tokenizer, teacher.limit)
    students = Students(dataset, tokenizer, vectors, recipe, teacher, arguments.work)
    logits = held_out_predictions(students)
    print("families left out together: ", "; ".join(", ".join(f) for f in FOLDS.values()), "\n")
    print(table(held_out_figures(dataset, logits)))
    print("\nexpected calibration error on the corpus' untouched fifth, fitted without the corpus:")
    for policy, error in calibration_error(dataset, logits).items():
        print(f"  {policy}: {error:.4f}")


if __name__ == "__main__":
    main()
