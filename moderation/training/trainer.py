"""Train the tiers fold by fold, and keep what is made, so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from moderation.classifier.manifest import digest_file
from moderation.classifier.ngrams import NgramModel, load_ngrams
from moderation.text import load_table
from moderation.training.data import ORDINARY
from moderation.training.deep import DeepNet, DeepRecipe, label
from moderation.training.deep_export import kept_pieces
from moderation.training.e5 import EncoderFile, find_weights, read_encoder_file
from moderation.training.fast import Examples, FastNet, Recipe, predict
from moderation.training.ngrams import (
    WEIGHTS,
    NgramRecipe,
    fit_ngrams,
    ngram_logits,
    ngram_rows,
    stored_ngrams,
)
from moderation.training.recipe import (
    BUCKETS,
    DEEP_PIECES,
    FOLDS,
    Dataset,
    Soft,
    asked_rows,
    deep_rows,
    fast_targets,
    fine_tune_deep,
    learn,
    prepare,
    soft_labels,
)
from moderation.training.vocabulary import (
    build_vocabulary,
    piece_weights,
    sentencepiece_model,
    static_vectors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["THREADS", "HeldOut", "Trainer", "held_out", "make_trainer", "say"]

THREADS: Final = 2
_DIMENSIONS: Final = 64
_SAMPLE: Final = 1_500
"""Posts of an ordinary family that the deep tier is asked about; of other families, three times."""


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
        spelt = ngram_logits(trainer.ngrams(fold, families), dataset.base, rows)
        found.fast[rows] += WEIGHTS["fast"] * spelt
        found.deep[rows] += WEIGHTS["deep"] * spelt  # NaN stays where it was not asked
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


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains the tiers of a fold, or takes them from the work folder if their inputs are the same.

    Attributes:
        dataset: all posts.
        file: the e5 encoder's weights.
        tokenizer: sentencepiece model of both tiers.
        vectors: static token vectors, (pieces, dimensions).
        encoder_ids: the encoder's id of each piece, (pieces,).
        recipe, deep_recipe, ngram_recipe: hyper-parameters of the tiers, and of the n-grams
            that both add.
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
    ngram_recipe: NgramRecipe = field(default_factory=NgramRecipe)

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
        path = self._deep_path(name, families)
        if not path.is_file():
            started = time.monotonic()
            made = fine_tune_deep(
                self.dataset, deep_rows(self.dataset, families, self.deep_recipe.seed),
                self.file, self.encoder_ids, self.deep_recipe,
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
        path = self._path("said", name, self._deep_path(name, families).name, rows)
        if not path.is_file():
            logits, _ = label(
                self.deep(name, families), self.dataset.tokens, rows, self.deep_recipe.use_limit
            )
            _store(path, {"logits": logits})
        return _stored(path)["logits"]

    def soft(self, name: str, families: tuple[str, ...]) -> Soft:
        """Return what the fast tier of a fold learns from its deep tier."""
        rows = asked_rows(self.dataset, families, self.deep_recipe.seed)
        path = self._path("soft", name, self._deep_path(name, families).name, rows, self.kept())
        if not path.is_file():
            started = time.monotonic()
            made = soft_labels(
                self.dataset, rows, self.deep(name, families), self.kept(), self.tokenizer,
                self.deep_recipe.use_limit,
            )  # fmt: skip
            _store(path, {"rows": made.rows, "logits": made.logits, "vectors": made.vectors})
            say(f"{name}: soft labels in {time.monotonic() - started:.0f} s")
        kept = _stored(path)
        return Soft(kept["rows"], kept["logits"], kept["vectors"])

    def fast(self, name: str, families: tuple[str, ...]) -> FastNet:
        """Return the fast tier that never saw some families."""
        soft = self.soft(name, families)
        rows, targets = fast_targets(self.dataset, families, soft)
        path = self._path(
            "fast", name, asdict(self.recipe),
            rows, targets, self.dataset.weights[rows], soft.vectors, self.vectors,
            *(grams.values for grams in self.dataset.grams),
        )  # fmt: skip
        if not path.is_file():
            started = time.monotonic()
            made = learn(
                self.dataset, rows, targets, soft.vectors, self.vectors, self.recipe,
                lambda line: say(f"{name}: {line}"),
            )  # fmt: skip
            _store(path, {k: v.detach().numpy() for k, v in made.state_dict().items()})
            say(f"{name}: fast tier in {time.monotonic() - started:.0f} s")
        state = {k: torch.from_numpy(v) for k, v in _stored(path).items()}
        buckets = (BUCKETS,) * len(self.dataset.grams)
        net = FastNet(state["tokens"].numpy(), buckets, self.recipe)
        net.load_state_dict(state)
        return net.eval()

    def ngrams(self, name: str, families: tuple[str, ...]) -> NgramModel:
        """Return the n-grams beside the tiers that never saw some families."""
        usable, targets = fast_targets(self.dataset, families, self.soft(name, families))
        rows = ngram_rows(self.dataset, usable, targets, self.ngram_recipe)
        path = self._path(
            "ngrams", name, asdict(self.ngram_recipe),
            rows, targets[rows], self.dataset.weights[rows],
            self.dataset.base.codepoints, self.dataset.base.offsets,
        )  # fmt: skip
        if not path.is_file():
            started = time.monotonic()
            made = fit_ngrams(self.dataset, rows, targets, self.ngram_recipe)
            _store(path, stored_ngrams(made))
            say(f"{name}: n-grams in {time.monotonic() - started:.0f} s")
        return load_ngrams(path)

    def _path(self, kind: str, name: str, settings: object, *arrays: NDArray[Any]) -> Path:
        """Return where something is kept: its name holds a digest of all that it is made from."""
        digest = hashlib.sha256(json.dumps(settings).encode())
        tokens = self.dataset.tokens
        every: tuple[NDArray[Any], ...] = (tokens.values, tokens.offsets, self.encoder_ids, *arrays)
        for array in every:
            digest.update(array.tobytes())
        return self.work / f"{kind}-{name}-{digest.hexdigest()[:16]}.npz"

    def _deep_path(self, name: str, families: tuple[str, ...]) -> Path:
        dataset = self.dataset
        rows = deep_rows(dataset, families, self.deep_recipe.seed)
        return self._path(
            "deep", name, asdict(self.deep_recipe),
            rows, dataset.hard[rows], np.minimum(dataset.weights[rows], 1.0), dataset.stances[rows],
        )  # fmt: skip


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
    tokenizer, cache = work / f"tokenizer-{tag}.model", work / f"vectors-{tag}-{_DIMENSIONS}.npz"
    if not (tokenizer.is_file() and cache.is_file()):
        kept = build_vocabulary(file, load_table(rules))
        say(f"vocabulary: {len(kept.pieces)} pieces; encoding each (two minutes)")
        vectors = static_vectors(file, kept, _DIMENSIONS)
        tokenizer.write_bytes(sentencepiece_model(kept))
        _store(cache, {"vectors": vectors, "encoder_ids": kept.encoder_ids})
    stored = _stored(cache)
    return tokenizer, stored["vectors"], stored["encoder_ids"]


def say(line: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
