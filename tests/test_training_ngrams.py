"""The linear model of n-grams is fitted as its recipe says, and runs as it was fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [train]")

from moderation.classifier.features import Ragged
from moderation.classifier.ngrams import load_ngrams
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.training.ngrams import (
    NgramRecipe,
    fit_ngrams,
    ngram_logits,
    ngram_rows,
    stored_ngrams,
)
from moderation.training.recipe import Dataset, bare

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

TABLE = load_table(data_root() / "rules")
SIGNS = ("加微信看片", "hash delivered", "百家乐首存")
FILLER = ("今天天气不错", "we had a long walk", "周末一起爬山吗", "this book is good")


def dataset() -> tuple[Dataset, np.ndarray]:
    """Posts of two families; each policy has a sign of its own, half of the labels are unknown."""
    texts, labels = [], []
    for at in range(240):
        sign = at % 4
        texts.append(FILLER[at % 3] + (" " + SIGNS[sign] if sign < 3 else "") + FILLER[at // 7 % 4])
        labels.append([float(sign == policy) for policy in range(3)])
    targets = np.array(labels, np.float32)
    targets[1::5, 2] = np.nan
    count = len(texts)
    tokens = Ragged(np.zeros(0, np.int32), np.zeros(count + 1, np.int64))
    families = np.array(["corpus" if at % 8 < 2 else "elsewhere" for at in range(count)])
    base = bare(TABLE.base(TextBatch.from_strings(texts)))
    made = Dataset(
        [], texts, targets, np.ones(count, np.float32), np.zeros(count, np.bool_),
        np.zeros(count, np.uint8), np.zeros(count, np.int64), tokens, (tokens,), base,
        families, families,
    )  # fmt: skip
    return made, targets


def test_each_policy_learns_its_own_sign():
    data, targets = dataset()
    rows = np.arange(len(targets))
    model = fit_ngrams(data, rows, targets, NgramRecipe())
    logits = ngram_logits(model, data.base, rows)
    for policy in range(3):
        truth = targets[:, policy] == 1
        known = ~np.isnan(targets[:, policy])
        assert logits[truth, policy].min() > logits[known & ~truth, policy].max()


def test_the_same_posts_give_the_same_weights():
    data, targets = dataset()
    rows = np.arange(len(targets))
    first, second = (fit_ngrams(data, rows, targets, NgramRecipe()) for _ in range(2))
    assert np.array_equal(first.weights, second.weights)
    assert np.array_equal(first.scale, second.scale)
    assert np.array_equal(first.offset, second.offset)


def test_the_corpus_is_shown_whole_and_public_posts_up_to_a_number():
    data, targets = dataset()
    usable = np.arange(len(targets))[8:]
    rows = ngram_rows(data, usable, targets, NgramRecipe(most=20))
    assert set(rows) <= set(usable)
    corpus = data.families == "corpus"
    assert set(usable[corpus[usable]]) <= set(rows)
    public = rows[~corpus[rows]]
    violating = (targets[public] == 1).any(axis=1)
    assert (violating.sum(), (~violating).sum()) == (20, 20)


def test_another_seed_draws_other_posts():
    data, targets = dataset()
    usable = np.arange(len(targets))
    first, second = (
        ngram_rows(data, usable, targets, NgramRecipe(seed=seed, most=20)).tolist()
        for seed in (0, 1)
    )
    assert first != second


def test_what_is_stored_is_what_is_loaded(tmp_path: Path):
    data, targets = dataset()
    model = fit_ngrams(data, np.arange(len(targets)), targets, NgramRecipe())
    np.savez_compressed(tmp_path / "ngrams.npz", **stored_ngrams(model))
    loaded = load_ngrams(tmp_path / "ngrams.npz")
    assert np.array_equal(loaded.weights, model.weights)
    assert np.array_equal(loaded.logits(data.base), model.logits(data.base))
