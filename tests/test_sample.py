"""moderate sample: uncertain, diverse and random posts, each kind of text once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("onnx")

from engine_support import CASINO_AD, CHIPS_AD

from moderation.adaptation.pool import pooling_model
from moderation.adaptation.sample import sample
from moderation.cli import main
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moderation.classifier import Model
    from moderation.rules import Ruleset

WORDS = ["chips", "bonus", "table", "river", "kettle", "market", "sunset", "deal", "cat", "odds"]
HAN = ["上分", "茶馆", "天气", "客服", "下注", "面条", "晚霞", "彩票", "猫咪", "药店"]


def posts(count: int) -> list[str]:
    """Return different short posts of made-up words."""
    out = []
    for n in range(count):
        words = [WORDS[(n * step + n // 7) % len(WORDS)] for step in (1, 3, 5, 9)]
        han = "".join(HAN[(n * step + n // 5) % len(HAN)] for step in (1, 3, 7))
        out.append(f"{' '.join(words)} {n * 7919} {han}" if n % 2 else f"{han}{n * 104729}，{han}")
    return out


@pytest.fixture(scope="module")
def model(shipped_model: Path) -> Iterator[Model]:
    with pooling_model(shipped_model, "fast") as loaded:
        yield loaded


def batches(texts: list[str], size: int = 128) -> Iterator[tuple[list[str], list[str]]]:
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        yield [text[:40] for text in part], part


def test_half_is_uncertain_a_third_diverse_and_the_rest_random(model: Model, ruleset: Ruleset):
    picked = sample(model, ruleset, batches(posts(600)), 60)
    kinds = Counter(each.picked_by for each in picked)
    assert len(picked) == 60
    assert kinds["uncertain"] == 30
    assert kinds["diverse"] <= 18
    assert kinds["random"] >= 12
    assert {each.policy for each in picked if each.picked_by == "uncertain"} <= set(POLICIES)


def test_neither_order_nor_batches_change_what_is_picked(model: Model, ruleset: Ruleset):
    texts = posts(400)
    first = sample(model, ruleset, batches(texts), 40)
    assert sample(model, ruleset, batches(texts[::-1], 37), 40) == first
    assert sample(model, ruleset, batches(texts), 40, seed=1) != first


def test_near_duplicates_are_picked_once(model: Model, ruleset: Ruleset):
    copies = [f"{CASINO_AD} {'!' * n}" for n in range(30)] + [CHIPS_AD] * 30
    picked = sample(model, ruleset, batches(copies), 20)
    assert len(picked) == 2


def test_posts_without_letters_are_not_picked(model: Model, ruleset: Ruleset):
    assert sample(model, ruleset, batches(["", "🎰", "a", "?!"]), 5) == []


def test_uncertain_posts_lie_closer_to_a_point_than_the_rest(model: Model, ruleset: Ruleset):
    picked = sample(model, ruleset, batches([*posts(300), CASINO_AD, CHIPS_AD]), 40)

    def distance(scores: dict[str, float]) -> float:
        return min(abs(score - 0.4) for score in scores.values())

    near = [distance(p.scores) for p in picked if p.picked_by == "uncertain"]
    random = [distance(p.scores) for p in picked if p.picked_by == "random"]
    assert sum(near) / len(near) <= sum(random) / len(random)


def test_the_command_writes_rows_to_fill_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, out = tmp_path / "posts.jsonl", tmp_path / "to-label.jsonl"
    rows = [{"id": f"n{n}", "text": text} for n, text in enumerate(posts(80))]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
    assert main(["sample", str(source), "-n", "10", "-o", str(out)]) == 3
    picked = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(picked) == 10
    known = {row["id"]: row["text"] for row in rows}
    for row in picked:
        assert known[row["id"]] == row["text"]
        assert row["labels"] == {"porn": None, "drugs": None, "gambling": None}
        assert row["picked_by"] in {"uncertain", "diverse", "random"}
        assert set(row["scores"]) == set(POLICIES)
    err = capsys.readouterr().err
    assert "picked 10 posts: 5 uncertain" in err
    assert "malformed_json" in err


def test_an_input_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "posts.jsonl"
    source.write_text('{"text": "a post about tea"}\n')
    assert main(["sample", str(source), "-o", str(source)]) == 2
    assert source.read_text() == '{"text": "a post about tea"}\n'
    assert "--output" in capsys.readouterr().err
