"""Moderator: what the evidence of a verdict points at, and the folds it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_support import evidence, found_by_rules

from moderation.text import TextBatch
from moderation.types import POLICIES

if TYPE_CHECKING:
    from moderation import Moderator

CORPUS = Path(__file__).resolve().parent.parent / "corpus"


@pytest.mark.parametrize(
    ("post", "stretch", "transforms"),
    [
        ("our teapot", "teapot", ()),
        ("our ＴＥＡＰＯＴ", "ＴＥＡＰＯＴ", ("width",)),
        ("our Teapot", "Teapot", ("case",)),
        ("our tеapоt", "tеapоt", ("look-alike",)),
        ("our t\u200beapot", "t\u200beapot", ("invisible",)),
        ("our t.e.a.p.o.t", "t.e.a.p.o.t", ("noise",)),
        ("our teapottt", "teapottt", ("repeat",)),
        ("our T.É.A.P.O.T", "T.É.A.P.O.T", ("accent", "case", "noise")),
        ("our d.o.l.l.s", "d.o.l.l.s", ("noise",)),
    ],
)
def test_evidence_names_the_folds_it_needed(
    small: Moderator, post: str, stretch: str, transforms: tuple[str, ...]
):
    (piece,) = found_by_rules(small.check(post))
    assert (post[piece.start : piece.end], set(piece.transforms)) == (stretch, set(transforms))
    assert (piece.rule_id, piece.hit_type) == ("gambling.en.sale", "keyword")


def test_an_innocent_stance_keeps_the_evidence(small: Moderator):
    verdict = small.check("beware of the teapot")
    (label,) = (x for x in verdict.labels if x.label == "gambling")
    assert (label.action, label.stance) == ("pass", "warn")
    assert evidence(small, "beware of the teapot") == ["teapot"]


def stretches(post: str) -> list[tuple[int, int]]:
    """Return the overlapping stretches in which the classifier is asked again."""
    last = max(len(post) - 32, 0)
    return [(start, min(start + 32, len(post))) for start in (*range(0, last, 20), last)]


def test_the_classifier_points_at_the_stretch_that_speaks_most_for_the_label(moderator: Moderator):
    lines = (path.read_text("utf-8").splitlines() for path in sorted(CORPUS.glob("*.jsonl")))
    rows = [json.loads(line) for part in lines for line in part][::7]
    posts = [f"\u200b{row['text']}" for row in rows]
    model, table = moderator._loaded().model, moderator._loaded().ruleset.table
    longer = 0
    for post, verdict in zip(posts, moderator.check_batch(posts), strict=True):
        for label in verdict.labels:
            if label.evidence[0].hit_type != "model":
                continue
            (piece,) = label.evidence
            tried = stretches(post)
            batch = TextBatch.from_strings([post[start:end] for start, end in tried])
            logits = model.raw_logits(table.base(batch))[:, POLICIES.index(label.label)]
            assert (piece.start, piece.end) == tried[int(np.argmax(logits))]
            assert (piece.rule_id, piece.transforms) == (None, ())
            longer += len(tried) > 1
    assert longer > 20
