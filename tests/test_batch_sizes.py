"""A scan's bytes do not depend on how many posts are scored together, whatever the tier."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model
from moderation.text import TextBatch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from traffic import generate

POSTS = [*generate(360), *(" ".join(generate(12)[n:]) for n in range(0, 12, 3)), "", "hi"]


def lines(moderator: Moderator, size: int) -> bytes:
    return b"".join(
        moderator.check_batch(POSTS[start : start + size]).to_json_lines()
        for start in range(0, len(POSTS), size)
    )


@pytest.mark.parametrize("tier", ["fast", "cascade"])
def test_batches_of_any_size_give_the_same_bytes(tier: str):
    moderator = Moderator(tier=tier)
    together = lines(moderator, 4096)
    tiers = {json.loads(line)["tier"] for line in together.splitlines()}
    assert tiers >= {"screen", "fast", *(["deep"] if tier == "cascade" else [])}
    assert lines(moderator, 64) == together
    assert lines(moderator, 1) == together


@pytest.mark.parametrize("name", ["fast", "deep"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 17])
def test_no_bit_of_the_shipped_graphs_depends_on_the_company(
    shipped_model: Path, table, name: str, size: int
):
    tier = load_model(shipped_model, name, SessionOptions()).tiers[0]
    posts = [post[: 6 * n + 3] for n, post in enumerate(POSTS[:17])]
    wanted = ("logits", "features")

    def outputs(chosen: list[str]) -> list[np.ndarray]:
        return tier.outputs(table.base(TextBatch.from_strings(chosen)), wanted)

    together = outputs(posts)
    order = np.random.default_rng(size).permutation(len(posts))
    for start in range(0, len(posts), size):
        part = order[start : start + size]
        for found, expected in zip(outputs([posts[i] for i in part]), together, strict=True):
            assert np.array_equal(found, expected[part])
