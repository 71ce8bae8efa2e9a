"""The quality benchmark: seeds of the fast tier alone, and the table of their spread."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnx", reason="needs the extra [train]")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from quality import of_tier, spread, student

from moderation.classifier.features import Ragged
from moderation.evaluation.figures import PolicyFigures
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.training.data import Post
from moderation.training.deep import DeepRecipe
from moderation.training.fast import Recipe
from moderation.training.figures import SourceFigures
from moderation.training.recipe import Dataset, bare
from moderation.training.trainer import Trainer

pytestmark = pytest.mark.train


@pytest.fixture
def trainer(tmp_path):
    texts = ["夜市的烤串", "a walk by the sea", "彩票站关门了"]
    posts = [
        Post(str(at), text, (0, 0, 0), "mixed", "corpus", "corpus/here")
        for at, text in enumerate(texts)
    ]
    tokens = Ragged(np.arange(6, dtype=np.int32), np.array([0, 2, 4, 6]))
    base = load_table(data_root() / "rules").base(TextBatch.from_strings(texts))
    count = len(posts)
    dataset = Dataset(
        posts, texts, np.zeros((count, 3), np.float32), np.ones(count, np.float32),
        np.zeros(count, np.bool_), np.zeros(count, np.uint8), np.zeros(count, np.int64),
        tokens, (tokens,), bare(base),
        np.array(["corpus"] * count), np.array(["corpus/here"] * count),
    )  # fmt: skip
    ids = np.arange(6, dtype=np.int64)
    vectors = np.zeros((6, 4), np.float32)
    return Trainer(
        dataset, None, tmp_path / "none", vectors, ids, Recipe(epochs=2), DeepRecipe(), tmp_path
    )


def figures(tier, precision, positives=5):
    values = PolicyFigures(10, positives, precision, 1.0, 1.0, 1.0, 0.0, 0.0)
    return SourceFigures("pip", "drugs", tier, values)


def test_a_student_differs_in_the_seed_of_the_fast_tier_alone(trainer):
    other = student(trainer, 4)
    assert asdict(other.recipe) == asdict(trainer.recipe) | {"seed": 4}
    assert asdict(other.ngram_recipe) == asdict(trainer.ngram_recipe) | {"seed": 4}
    assert other.deep_recipe is trainer.deep_recipe
    assert other.dataset is trainer.dataset


def test_students_share_the_deep_tier_that_is_kept(trainer):
    assert student(trainer, 4)._deep_path("final", ()) == trainer._deep_path("final", ())


def test_students_are_kept_apart(trainer):
    paths = [
        made._path("fast", "final", asdict(made.recipe))
        for made in (trainer, student(trainer, 1), student(trainer, 2))
    ]
    assert len(set(paths)) == 3


def test_the_spread_of_a_tier_is_mean_and_range_over_its_runs():
    runs = [
        of_tier([figures("fast", value), figures("deep", 0.9)], "fast")
        for value in (0.5, 0.6, 0.85)
    ]
    assert spread(runs).splitlines()[2:] == ["| pip | drugs | fast | 0.650 | 0.500 | 0.850 |"]


def test_sets_without_violations_have_no_spread():
    assert len(spread([[figures("fast", 0.5, positives=0)]]).splitlines()) == 2
