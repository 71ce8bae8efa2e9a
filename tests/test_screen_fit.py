"""Fitting a screen: it keeps its recall on posts it was not fitted on, and the model takes it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("scipy")

from engine_support import COFFEE

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model, verify_files
from moderation.classifier.manifest import read_manifest
from moderation.training.data import load_corpus
from moderation.training.screen import (
    RECALL_ALONE,
    Fitted,
    Posts,
    figures_of,
    fit_screen,
    read_posts,
    report,
    write_screen,
)

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


@pytest.fixture(scope="module")
def posts(ruleset: Ruleset, shipped_model: Path) -> Posts:
    corpus = load_corpus(shipped_model.parents[1] / "corpus")[::6]
    model = load_model(shipped_model, "fast", SessionOptions())
    texts = [post.text for post in corpus] + ["", "hi"]
    return read_posts(texts, [post.source for post in corpus] + ["short"] * 2, model, ruleset)


@pytest.fixture(scope="module")
def fitted(posts: Posts, ruleset: Ruleset) -> Fitted:
    return fit_screen(posts, ruleset.table.classes)


def test_posts_that_say_too_little_are_not_fitted_on(posts: Posts):
    assert "short" not in posts.families
    assert len(posts.families) == len(posts.relative) == len(posts.base.offsets) - 1


def test_held_out_posts_that_would_be_flagged_do_not_leave(posts: Posts, fitted: Fitted):
    flagged = posts.passed_on["fast"] & fitted.held_out
    leaves = fitted.margins.max(axis=1) < fitted.below["fast"]
    assert flagged.sum() > 50
    assert leaves[flagged].mean() <= 1 - RECALL_ALONE


def test_posts_that_begin_alike_are_on_one_side(ruleset: Ruleset, shipped_model: Path):
    model = load_model(shipped_model, "fast", SessionOptions())
    texts = [f"{start}, and then {n}" for start in "abcdefgh" for n in range(4)]
    texts += [f"{start} 今天天气很好我们去公园玩 {n}" for start in "abcdefgh" for n in range(4)]
    read = read_posts(texts, ["made"] * len(texts), model, ruleset)
    read.passed_on["fast"][:] = True
    sides = fit_screen(read, ruleset.table.classes).held_out[32:].reshape(-1, 4)
    assert (sides == sides[:, :1]).all()


def test_the_same_posts_give_the_same_screen(posts: Posts, fitted: Fitted, ruleset: Ruleset):
    again = fit_screen(posts, ruleset.table.classes)
    assert np.array_equal(again.screen.weights, fitted.screen.weights)
    assert (again.below, again.scores) == (fitted.below, fitted.scores)


def test_no_flagged_post_leaves_no_margin_to_choose(posts: Posts, ruleset: Ruleset):
    quiet = {"fast": np.zeros(len(posts.families), np.bool_)}
    blind = Posts(
        posts.base, posts.relative, quiet, posts.noticed, posts.review, posts.families
    )  # fmt: skip
    with pytest.raises(ValueError, match="flags no held-out post"):
        fit_screen(blind, ruleset.table.classes)


def test_a_model_takes_its_new_screen(
    posts: Posts, fitted: Fitted, shipped_model: Path, tmp_path: Path
):
    folder = shutil.copytree(shipped_model, tmp_path / "model")
    before = json.loads((folder / "manifest.json").read_bytes())
    write_screen(folder, fitted, figures_of(posts, fitted))
    manifest, _ = read_manifest(folder)
    verify_files(folder, manifest)
    model = load_model(folder, "fast", SessionOptions())
    assert model.screen is not None
    assert np.array_equal(model.screen.margins(posts.base), fitted.margins)
    after = json.loads((folder / "manifest.json").read_bytes())
    for key in before.keys() - {"files", "screen", "provenance"}:
        assert after[key] == before[key]
    assert Moderator(model=folder, tier="fast").check(COFFEE).action == "pass"


def test_the_report_counts_every_held_out_post(posts: Posts, fitted: Fitted):
    last = report(posts, fitted).splitlines()[-1].split()
    assert last[:2] == ["all", str(int(fitted.held_out.sum()))]
