"""moderation-engine itself: the rules alone, and every tier that the model folder has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rules_alone import flags, load_rules

from contenders import Contender, MissingError
from moderation import Moderator
from moderation.classifier import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_VERDICT = "disguises undone, conditions, stance, evidence with places, action for a region"


def ours(model: Path) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """Yield name and maker of each of ours; the first is the default one."""
    manifest, _ = read_manifest(model)
    default = manifest.default_tier
    yield f"ours, {default}, check_batch", lambda: checked(model, default)
    yield f"ours, {default}, score_batch", lambda: scored(model, default)
    yield "ours, rules alone", rules_alone
    for tier in ("fast", "cascade", "deep"):
        if tier != default:
            yield f"ours, {tier}, check_batch", _maker(model, tier, manifest.tier_names)


def _maker(model: Path, tier: str, names: Sequence[str]) -> Callable[[], Contender]:
    def make() -> Contender:
        if tier not in names:
            raise MissingError(f"the model folder has no such tier; it has {', '.join(names)}")
        return checked(model, tier)

    return make


def checked(model: Path, tier: str) -> Contender:
    """Return `check_batch` with one tier: rules, classifier, decision."""
    moderator = Moderator(model=model, tier=tier)

    def scores(posts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([v.action != "pass" for v in moderator.check_batch(posts)], np.float64)

    return Contender(
        f"ours, {tier}, check_batch",
        f"calibrated probabilities, {_VERDICT}",
        moderator.check_batch,
        scores,
        graded=False,
    )


def scored(model: Path, tier: str) -> Contender:
    """Return `score_batch` with one tier: an Arrow batch in and one out."""
    moderator = Moderator(model=model, tier=tier)
    try:
        import pyarrow
    except ImportError:
        raise MissingError("not installed here (pip install pyarrow)") from None
    last: list[tuple[Sequence[str], object]] = []

    def run(posts: Sequence[str]) -> object:
        # A stage is given the same list in every round; the warm-up makes its batch.
        if not last or last[0][0] is not posts:
            last[:] = [(posts, pyarrow.record_batch({"text": list(posts)}))]
        return moderator.score_batch(last[0][1])

    return Contender(
        f"ours, {tier}, score_batch", "the same, from an Arrow batch to an Arrow batch", run
    )


def rules_alone() -> Contender:
    """Return the rules by themselves, with what they would do where there is no classifier."""
    alone = load_rules()

    def run(posts: Sequence[str]) -> list[dict[str, str]]:
        return [alone.actions(found) for found in alone.stage(posts)]

    return Contender(
        "ours, rules alone",
        f"{_VERDICT}; no probabilities",
        run,
        lambda posts: np.array([bool(flags(each)) for each in alone.judged(posts)], np.float64),
        graded=False,
    )
