"""Moderator: what the evidence of a verdict points at, and the folds it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_support import evidence, found_by_rules

if TYPE_CHECKING:
    from moderation import Moderator


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
