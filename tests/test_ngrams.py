"""The n-grams beside a tier's graph: the same by kernel and numpy, and added to its logits."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_support import AWKWARD, CASINO_AD, COFFEE
from hypothesis import given
from hypothesis import strategies as st

from moderation.classifier import SessionOptions, load_model, posts_of
from moderation.classifier.features import character_ngrams
from moderation.classifier.manifest import digest_file, read_manifest
from moderation.classifier.ngrams import LONGEST, NgramModel, filled_up, load_ngrams
from moderation.classifier.screen import fitted_for
from moderation.errors import ModelError
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text import View

TABLE = load_table(data_root() / "rules")
POSTS = [COFFEE, CASINO_AD, "", *AWKWARD]


def random_model(seed: int, buckets: int = 256) -> NgramModel:
    made = np.random.default_rng(seed)
    weights = made.integers(-127, 128, (buckets, len(POLICIES))).astype(np.int8)
    return NgramModel(filled_up(weights), made.random(3), -made.random(3))


def base_of(posts: list[str]) -> View:
    return TABLE.base(TextBatch.from_strings(posts))


def write(path: Path, model: NgramModel) -> Path:
    weights = model.weights[:, : len(POLICIES)]
    np.savez(path, weights=weights, scale=model.scale, offset=model.offset)
    return path


def with_ngrams(shipped: Path, folder: Path, model: NgramModel, weight: float = 0.5) -> Path:
    """Copy a model folder and give its fast tier other n-grams."""
    shutil.copytree(shipped, folder)
    path = write(folder / "other.npz", model)
    content = json.loads((folder / "manifest.json").read_bytes())
    content["tiers"]["fast"]["ngrams"] = {"file": path.name, "weight": weight}
    content["files"][path.name] = {"sha256": digest_file(path), "bytes": path.stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


@given(
    posts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=5),
    seed=st.integers(0, 9),
    bits=st.integers(0, 12),
)
def test_the_kernel_adds_up_what_the_reference_does(posts: list[str], seed: int, bits: int):
    base, model = base_of(posts), random_model(seed, 1 << bits)
    assert model.sums(base).tolist() == model.sums_reference(base).tolist()


def test_a_bucket_counts_once_however_often_it_is_hit():
    base, model = base_of(["abcabc加" * 3, ""]), random_model(1)
    buckets = {
        int(bucket)
        for size in range(1, LONGEST + 1)
        for bucket in character_ngrams(base, size, 256).values
    }
    sums = model.weights[sorted(buckets), :3].astype(int).sum(axis=0).tolist()
    assert model.sums(base).tolist() == [[*sums, len(buckets)], [0, 0, 0, 0]]


def test_a_long_post_among_short_ones_is_added_up_as_by_itself():
    posts = ["短", "很长" * 700 + "结尾", "short"]
    model = random_model(3, 1 << 12)
    alone = [model.sums(base_of([post]))[0].tolist() for post in posts]
    assert model.sums(base_of(posts)).tolist() == alone


def test_the_neighbours_of_a_post_change_no_bit_of_its_logits():
    base, model = base_of(POSTS), random_model(2)
    together = model.logits(base)
    order = np.random.default_rng(5).permutation(len(POSTS))
    assert np.array_equal(model.logits(posts_of(base, order)), together[order])


def test_an_empty_post_gets_the_offset():
    model = random_model(4)
    assert model.logits(base_of([""]))[0].tolist() == model.offset.tolist()


def test_a_tier_adds_the_n_grams_to_what_its_graph_says(shipped_model: Path, tmp_path: Path):
    nothing = NgramModel(filled_up(np.zeros((2, 3), np.int8)), np.ones(3), np.zeros(3))
    given_ = random_model(6)
    base = base_of(POSTS)
    plain, more = (
        load_model(with_ngrams(shipped_model, tmp_path / name, made), "fast", SessionOptions())
        for name, made in (("plain", nothing), ("more", given_))
    )
    found = more.raw_logits(base) - plain.raw_logits(base)
    assert np.allclose(found, 0.5 * given_.logits(base), atol=1e-4)


def test_other_n_grams_or_another_weight_make_a_screen_stale(shipped_model: Path, tmp_path: Path):
    made = [
        with_ngrams(shipped_model, tmp_path / str(at), random_model(seed), weight)
        for at, (seed, weight) in enumerate([(7, 0.5), (8, 0.5), (7, 1.0)])
    ]
    found = {fitted_for(read_manifest(folder)[0], "fast", "fast") for folder in made}
    assert len(found) == len(made)


def test_n_grams_without_a_digest_are_refused(shipped_model: Path, tmp_path: Path):
    folder = with_ngrams(shipped_model, tmp_path / "model", random_model(8))
    content = json.loads((folder / "manifest.json").read_bytes())
    del content["files"]["other.npz"]
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"no digest is given for other\.npz"):
        load_model(folder, "fast", SessionOptions())


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"weights": np.zeros((3, 3), np.int8)}, "power of two"),
        ({"weights": np.zeros((4, 2), np.int8)}, "3 policies"),
        ({"scale": np.ones(2)}, "one scale"),
        ({"offset": np.ones((3, 1))}, "one offset"),
    ],
)
def test_weights_of_another_shape_are_refused(tmp_path: Path, arrays: dict, said: str):
    right = {"weights": np.zeros((4, 3), np.int8), "scale": np.ones(3), "offset": np.zeros(3)}
    np.savez(tmp_path / "ngrams.npz", **(right | arrays))
    with pytest.raises(ModelError, match=said):
        load_ngrams(tmp_path / "ngrams.npz")


def test_a_file_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "ngrams.npz").write_bytes(b"not an archive")
    with pytest.raises(ModelError, match="not a model of n-grams"):
        load_ngrams(tmp_path / "ngrams.npz")
