"""The screen: what leaves before the tiers and what never does; the same by kernel and numpy."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from engine_support import AWKWARD, CASINO_AD, CHIPS_AD, COFFEE
from hypothesis import given
from hypothesis import strategies as st

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model, posts_of, read_manifest
from moderation.classifier.features import character_ngrams
from moderation.classifier.ngrams import LONGEST, filled_up
from moderation.classifier.screen import (
    Screen,
    ScreenScores,
    fitted_for,
    load_screen,
    ngram_counts,
)
from moderation.errors import ModelError
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.text.windows import WINDOW
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from moderation.text import View

ROOT = Path(__file__).resolve().parent.parent
TABLE = load_table(data_root() / "rules")
ORDINARY = [
    COFFEE,
    "周末和同学去爬山，风景很好，就是人太多了",
    "房间很干净，服务员态度也不错，早餐一般，下次还会来住",
    "这部电影真的很好看，尤其是结尾，看得我眼泪都出来了",
    "他说话真难听，一点礼貌都没有",
    "Happy birthday to my little sister, hope you have a wonderful day with your friends",
    "I finally finished the book you lent me and the ending made me cry on the train",
    "Can anyone help with question three of the maths homework?",
]


def random_screen(seed: int, buckets: int = 256) -> Screen:
    made = np.random.default_rng(seed)
    weights = made.integers(-127, 128, (buckets, len(POLICIES))).astype(np.int8)
    return Screen(filled_up(weights), made.random(3), -made.random(3), 2.0)


def base_of(posts: list[str]) -> View:
    return TABLE.base(TextBatch.from_strings(posts))


@pytest.fixture(scope="module")
def posts() -> list[str]:
    """Return every post of the examples, of tests/posts and of a part of the corpus."""
    files = [ROOT / "examples" / "posts.jsonl", *sorted((ROOT / "tests" / "posts").glob("*.jsonl"))]
    found = [
        json.loads(line).get("text", "")
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    for path in sorted((ROOT / "corpus").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()[::20]
        found += [json.loads(line)["text"] for line in lines]
    return [*found, *ORDINARY, *AWKWARD]


@pytest.fixture
def copied(shipped_model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(shipped_model, tmp_path / "model")


def rewrite(folder: Path, **changes: Any) -> Path:
    content = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(content | changes))
    return folder


# The sums.


@given(
    posts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=5),
    seed=st.integers(0, 9),
)
def test_the_kernel_adds_up_what_the_reference_does(posts: list[str], seed: int):
    base, screen = base_of(posts), random_screen(seed)
    assert screen.sums(base).tolist() == screen.sums_reference(base).tolist()


def test_a_sum_is_that_of_every_n_grams_weight():
    base, screen = base_of(["abcabc加", ""]), random_screen(1)
    expected = np.zeros(len(POLICIES), np.int64)
    for size in range(1, LONGEST + 1):
        for bucket in character_ngrams(base, size, 256).values:
            expected += screen.weights[bucket, :3]
    assert screen.sums(base).tolist() == [expected.tolist(), [0, 0, 0]]


@pytest.mark.parametrize("length", range(7))
def test_n_grams_are_counted_as_they_are_made(length: int):
    base = base_of(["字" * length])
    made = sum(len(character_ngrams(base, size, 256).values) for size in range(1, LONGEST + 1))
    assert ngram_counts(np.array([length])).tolist() == [made]


def test_the_neighbours_of_a_post_change_no_bit_of_its_margin(posts: list[str]):
    base, screen = base_of(posts), random_screen(2)
    together = screen.margins(base)
    order = np.random.default_rng(5).permutation(len(posts))
    assert np.array_equal(screen.margins(posts_of(base, order)), together[order])


# What leaves.


@given(
    posts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=6),
    seed=st.integers(0, 9),
    below=st.floats(-40, 40),
)
def test_the_kernel_lets_leave_what_the_reference_does(posts: list[str], seed: int, below: float):
    base, screen, made = base_of(posts), random_screen(seed), np.random.default_rng(seed)
    languages = made.integers(0, len(LANGUAGES), len(posts)).astype(np.uint8)
    may = made.random(len(posts)) < 0.8
    scores = ScreenScores(made.random(3), made.random(3), made.random((len(LANGUAGES), 3)))
    odds, left = screen.leaving(base, languages, may, below, scores)
    expected, leaves = screen.leaving_reference(base, languages, may, below, scores)
    assert odds.tolist() == expected.tolist()
    assert left.tolist() == leaves.tolist()


def test_the_shipped_model_has_a_screen_that_counts(shipped_model: Path):
    model = load_model(shipped_model, "fast", SessionOptions())
    assert model.screen is not None
    figures = model.manifest.provenance["screen"]["fast"]
    assert figures["recall"] >= 0.9995
    assert figures["recall_without_rules"] >= 0.999


def test_plainly_innocent_posts_leave_without_a_label(moderator: Moderator):
    found = moderator.check_batch(ORDINARY)
    assert [v.tier for v in found].count("screen") >= len(ORDINARY) / 2
    assert {v.action for v in found} == {"pass"}
    assert not any(v.labels for v in found if v.tier == "screen")


@pytest.mark.parametrize("post", [CASINO_AD, CHIPS_AD])
def test_what_rules_notice_is_scored_in_full(moderator: Moderator, post: str):
    assert moderator.check(post).tier == "fast"
    assert moderator.check(post) == Moderator(screen=False).check(post)


def test_only_scores_of_posts_that_leave_differ_from_a_run_without_a_screen(
    moderator: Moderator, posts: list[str]
):
    fast = list(moderator.check_batch(posts))
    full = list(Moderator(screen=False).check_batch(posts))
    missed = 0
    for post, one, other in zip(posts, fast, full, strict=True):
        if one.tier == "screen":
            missed += bool(other.labels)
        elif len(post) <= WINDOW:  # of a longer one some windows may have left
            assert one == other
    flagged = sum(bool(verdict.labels) for verdict in full)
    assert missed <= 1 + flagged / 1000
    assert 0 < sum(verdict.tier == "screen" for verdict in fast) < len(posts)
    assert not any(verdict.tier == "screen" for verdict in full)


def test_a_post_that_leaves_scores_below_every_review_point(
    moderator: Moderator, shipped_model: Path, posts: list[str]
):
    points = read_manifest(shipped_model)[0].operating_points["fast"]
    for verdict in moderator.check_batch(posts):
        if verdict.tier == "screen":
            for policy, score in verdict.category_scores.items():
                assert 0 <= score == round(score, 4)
                assert score < points[policy][verdict.language].review


@pytest.mark.parametrize("size", [1, 64, 4096])
def test_the_batch_size_changes_no_byte(moderator: Moderator, posts: list[str], size: int):
    chosen = posts[::4]
    parts = (chosen[at : at + size] for at in range(0, len(chosen), size))
    found = b"".join(moderator.check_batch(part).to_json_lines() for part in parts)
    assert found == moderator.check_batch(chosen).to_json_lines()


@pytest.mark.parametrize("post", [None, "", "hi", "🎰", "加V"])
def test_a_post_that_says_too_little_is_asked_nothing(moderator: Moderator, post: str | None):
    (verdict,) = moderator.check_batch([post])
    assert verdict.tier == "none"


def test_a_long_post_has_the_last_tier_of_any_window(moderator: Moderator):
    quiet = " ".join(ORDINARY[1:6]) * 15
    assert len(quiet) > 2 * WINDOW
    assert moderator.check(quiet).tier == "screen"
    assert moderator.check(f"{quiet} {CASINO_AD}").tier == "fast"


# When it counts.


def test_a_model_without_a_screen_scores_every_post_in_full(copied: Path, posts: list[str]):
    found = Moderator(model=rewrite(copied, screen=None)).check_batch(posts[::8])
    full = Moderator(screen=False).check_batch(posts[::8])
    for one, other in zip(found, full, strict=True):
        assert dataclasses.replace(one, model=other.model) == other


@pytest.mark.parametrize("key", ["operating_points", "calibration"])
def test_a_screen_fitted_to_other_figures_does_not_count(copied: Path, key: str):
    content = json.loads((copied / "manifest.json").read_bytes())
    table = content[key].get("fast", content[key])
    cell = table["drugs"]["en"]
    cell[next(iter(cell))] += 0.0001
    rewrite(copied, **{key: content[key]})
    assert load_model(copied, "fast", SessionOptions()).screen is None
    assert Moderator(model=copied, tier="fast").check(COFFEE).tier == "fast"


def test_what_a_screen_is_fitted_for_does_not_depend_on_the_folder(shipped_model: Path):
    manifest, _ = read_manifest(shipped_model)
    assert manifest.screen is not None
    fit = manifest.screen.tiers["fast"]
    assert fitted_for(manifest, manifest.screen.tier, "fast") == fit.fitted_for


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tier": "wide"}, "the screen imitates a tier that is not there: wide"),
        (
            {"scores": {"porn": {"slope": 1.0, "offset": 0.0}}},
            "lacks scores/drugs, scores/",
        ),
        ({"file": "other.npz"}, "no digest is given for other.npz"),
    ],
)
def test_a_screen_that_lacks_something_says_what(copied: Path, change: dict[str, Any], reason: str):
    content = json.loads((copied / "manifest.json").read_bytes())
    rewrite(copied, screen=content["screen"] | change)
    with pytest.raises(ModelError, match=reason):
        read_manifest(copied)


GOOD: dict[str, Any] = {
    "weights": np.zeros((8, 3), np.int8),
    "scale": np.ones(3),
    "offset": np.ones(3),
    "caution": 1.0,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"weights": np.zeros((6, 3), np.int8)}, r"found shape \(6, 3\)"),
        ({"weights": np.zeros((8, 2), np.int8)}, r"found shape \(8, 2\)"),
        ({"scale": np.ones(2)}, "expected one scale and one offset for each of 3 policies"),
        ({"caution": np.ones(2)}, "expected one number for caution"),
        ({"weights": None}, "not a screen"),
    ],
)
def test_weights_of_another_shape_are_refused(tmp_path: Path, change: dict[str, Any], reason: str):
    path = tmp_path / "screen.npz"
    np.savez(path, **{k: v for k, v in (GOOD | change).items() if v is not None})
    with pytest.raises(ModelError, match=reason) as caught:
        load_screen(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_screen_is_named(tmp_path: Path):
    (tmp_path / "screen.npz").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"screen\.npz: not a screen"):
        load_screen(tmp_path / "screen.npz")


def test_scores_of_a_screen_have_a_cell_for_every_language(shipped_model: Path):
    model = load_model(shipped_model, "fast", SessionOptions())
    base = base_of([COFFEE] * len(LANGUAGES))
    quiet = np.zeros(len(LANGUAGES), np.bool_)
    languages = np.arange(len(LANGUAGES), dtype=np.uint8)
    scored = model.score(base, languages, wanted=quiet, unread=quiet)
    assert np.isfinite(scored.log_odds).all()
