"""Run: a batch on its way through text, rules, classifier and decision, part by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.classifier import posts_of
from moderation.decide.evidence import with_model_evidence
from moderation.decide.facts import Facts
from moderation.decide.labels import NO_LABELS
from moderation.decide.posts import Noticed, decide_posts
from moderation.text.language import languages_of, scripts
from moderation.types import INNOCENT_STANCES, SCORE_DECIMALS, SCREEN, STANCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.decide.labels import LabelTable
    from moderation.decide.profile import Profile
    from moderation.rules import Ruleset
    from moderation.text import FoldTable, TextBatch, View

__all__ = ["Judged", "Loaded", "is_too_short", "judge"]

MIN_LETTERS: Final = 4
"""Fewer letters and digits than this (a "hi", an emoji) give the classifier nothing to go by."""
_LARGEST: Final = 700.0
"""Log-odds beyond this, either way, are a score of 0 or 1; their exponential would overflow."""


@dataclass(frozen=True)
class Loaded:
    """Rules, model and profile, ready to judge posts.

    Attributes:
        ruleset: the rules.
        model: the model.
        profile: the region's profile.
        review: float64, shape (languages, policies): review points.
        screened: the number of the screen among the model's tiers.
        innocent: for each innocent stance that the model tells, its column there.
        stances: the same as indices into STANCES.
    """

    ruleset: Ruleset
    model: Model
    profile: Profile
    review: NDArray[np.float64]
    screened: int
    innocent: NDArray[np.int64]
    stances: NDArray[np.uint8]

    @classmethod
    def of(cls, ruleset: Ruleset, model: Model, profile: Profile) -> Loaded:
        """Prepare what depends on rules, model and profile alone."""
        names = () if profile.model_stance_at is None else model.stance_names
        innocent = [at for at, name in enumerate(names) if name in INNOCENT_STANCES]
        return cls(
            ruleset,
            model,
            profile,
            model.operating_points[..., 0].copy(),
            model.tier_names.index(SCREEN),
            np.array(innocent, np.int64),
            np.array([STANCES.index(names[at]) for at in innocent], np.uint8),
        )

    @cached_property
    def facts(self) -> Facts:
        """What decisions depend on; prepared with the first post that is noticed."""
        points = self.model.operating_points
        return Facts.of(self.ruleset.rules, self.profile, points, self.model.rule_weights)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of the posts of a batch.

    Attributes:
        scores: float64, shape (posts, policies), rounded calibrated probabilities.
        languages: uint8, shape (posts,), indices into LANGUAGES.
        tiers: uint8, shape (posts,), indices into the model's `tier_names`.
        labels: labels by post.
        timeouts: by post the ids of rules, or names of cues, whose pattern ran out of time.
    """

    scores: NDArray[np.float64]
    languages: NDArray[np.uint8]
    tiers: NDArray[np.uint8]
    labels: LabelTable
    timeouts: dict[int, tuple[str, ...]] = field(default_factory=dict)


def judge(
    batch: TextBatch, loaded: Loaded, cut: NDArray[np.bool_] | None, *, screen: bool
) -> Judged:
    """Judge one part of a batch.

    Args:
        batch: its posts, or windows of them.
        loaded: rules, model and profile.
        cut: as for `Ruleset.findings`.
        screen: whether plainly innocent posts may leave by the model's screen.
    """
    ruleset, model = loaded.ruleset, loaded.model
    base = ruleset.table.base(batch)
    counts = scripts(base, ruleset.table, batch.codepoints, base.source)
    languages = languages_of(counts)
    scan = ruleset.scan(batch, base)
    suspect = np.zeros(len(batch), np.bool_)
    if len(scan.candidates):
        suspect[scan.candidates[:, 0]] = True
    scored = model.score(
        base,
        languages,
        wanted=suspect if screen else np.ones(len(batch), np.bool_),
        unread=counts[:, -1] < MIN_LETTERS,
    )
    log_odds = scored.log_odds
    scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(np.minimum(-log_odds, _LARGEST)))
    scores = scores.round(SCORE_DECIMALS)
    noticed = scored.tiers != loaded.screened
    if noticed.any():
        over = scores >= loaded.review.take(languages, axis=0)
        noticed &= over.T.copy().any(axis=0)  # much faster than along rows of three
    (posts,) = (noticed | suspect).nonzero()
    if not len(posts):
        return Judged(scores, languages, scored.tiers, NO_LABELS)
    found = ruleset.findings(scan, posts, noticed[posts], every_cue=False, cut=cut)
    stances = _stances(loaded, base, posts)
    about = Noticed(batch, ruleset.table, posts, found, log_odds, scores, languages, *stances)
    labels, decided = decide_posts(loaded.facts, about)
    scores[posts] = decided
    timeouts = {int(posts[index]): names for index, names in found.timeouts.items()}
    labels = with_model_evidence(labels, batch, base, model)
    return Judged(scores, languages, scored.tiers, labels, timeouts)


def _stances(
    loaded: Loaded, base: View, posts: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | tuple[None, None]:
    """Return the likeliest innocent stance the model reads in posts, and how likely any is."""
    if not len(loaded.innocent):
        return None, None
    found = loaded.model.stances(posts_of(base, posts))
    assert found is not None
    shares = found[:, loaded.innocent]
    return loaded.stances[shares.argmax(axis=1)], shares.sum(axis=1)


def is_too_short(base: View, table: FoldTable) -> NDArray[np.bool_]:
    """Return which posts say too little for the classifier; rules read them all the same."""
    counts = scripts(base, table, base.codepoints, np.arange(len(base.codepoints)))
    short: NDArray[np.bool_] = counts[:, -1] < MIN_LETTERS
    return short
