"""Labelled posts as a head sees them: log-odds, pooled features, tokens and rule levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.engine import is_too_short
from moderation.errors import MissingExtraError
from moderation.rules import LEVELS
from moderation.rules.stance import is_innocent, resolve_stance
from moderation.text import TextBatch, identify, windows
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.classifier.features import Ragged
    from moderation.rules import Findings, Ruleset

__all__ = ["Examples", "make_examples", "scored_windows"]

_PART: Final = 1024


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled posts; of a long one the window that the model finds worst.

    Attributes:
        labels: float64, (posts, policies): 1, 0 or NaN.
        languages: uint8, (posts,), indices into LANGUAGES.
        logits: by tier float64, (posts, policies), as they come from the graph.
        features: by tier float64, (posts, any), what the graph pools.
        tokens: by tier scipy CSR matrix of float64, (posts, pieces), counts of token ids.
        levels: int64, (posts, policies): strongest level of the rules that count, index into
            LEVELS; -1 where none fires, or a stance is innocent.
        excused: bool, (posts, policies): rules fire, and an innocent stance excuses the post.
        short: bool, (posts,): too short for the classifier.
    """

    labels: NDArray[np.float64]
    languages: NDArray[np.uint8]
    logits: dict[str, NDArray[np.float64]]
    features: dict[str, NDArray[np.float64]]
    tokens: dict[str, Any]
    levels: NDArray[np.int64]
    excused: NDArray[np.bool_]
    short: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: NDArray[Any]) -> Examples:
        """Return some of the posts."""
        return replace(
            self,
            labels=self.labels[chosen],
            languages=self.languages[chosen],
            logits={name: each[chosen] for name, each in self.logits.items()},
            features={name: each[chosen] for name, each in self.features.items()},
            tokens={name: each[chosen] for name, each in self.tokens.items()},
            levels=self.levels[chosen],
            excused=self.excused[chosen],
            short=self.short[chosen],
        )

    def followed_by(self, other: Examples) -> Examples:
        """Return these posts and then others."""

        def both(key: str) -> NDArray[Any]:
            return np.concatenate([getattr(self, key), getattr(other, key)])

        def each(key: str) -> dict[str, NDArray[Any]]:
            mine, theirs = getattr(self, key), getattr(other, key)
            return {name: np.concatenate([mine[name], theirs[name]]) for name in mine}

        return Examples(
            both("labels"),
            both("languages"),
            each("logits"),
            each("features"),
            {name: _stacked([self.tokens[name], other.tokens[name]]) for name in self.tokens},
            both("levels"),
            both("excused"),
            both("short"),
        )


def make_examples(
    model: Model,
    ruleset: Ruleset,
    texts: Sequence[str],
    labels: NDArray[np.float64],
    *,
    features: bool = True,
    head: bool = False,
) -> Examples:
    """Score posts the way the engine does, and keep what a head may use.

    Args:
        model: the model to correct, behind one of its tiers.
        ruleset: the rules whose hits are weighed.
        texts: the posts.
        labels: (posts, policies).
        head: True keeps the correction of a model that is already adapted in its logits.
        features: False leaves features and tokens out: calibration needs none.

    Raises:
        ModelError: the graph does not give its features.
        MissingExtraError: scipy, which comes with scikit-learn, is not installed.
    """
    texts = scored_windows(model, ruleset, texts)
    parts = [
        _part(model, ruleset, texts[start : start + _PART], features=features, head=head)
        for start in range(0, max(len(texts), 1), _PART)
    ]

    def joined(key: str) -> NDArray[Any]:
        return np.concatenate([part[key] for part in parts])

    names = [tier.name for tier in model.tiers]
    return Examples(
        np.asarray(labels, np.float64),
        joined("languages"),
        {name: joined(f"logits {name}") for name in names},
        {name: joined(f"features {name}") for name in names} if features else {},
        {name: _stacked([part[f"tokens {name}"] for part in parts]) for name in names}
        if features
        else {},
        joined("levels"),
        joined("excused"),
        joined("short"),
    )


def scored_windows(model: Model, ruleset: Ruleset, texts: Sequence[str]) -> list[str]:
    """Return the posts, each long one replaced by the window with the highest log-odds."""
    out = list(texts)
    long = [at for at, text in enumerate(out) if len(text) > windows.WINDOW]
    for at in long:
        batch = TextBatch.from_strings([out[at]])
        cuts = windows.cut(batch)
        pieces = [
            out[at][start : start + length]
            for start, length in zip(cuts.start.tolist(), cuts.length.tolist(), strict=True)
        ]
        part = TextBatch.from_strings(pieces)
        base = ruleset.table.base(part)
        odds = model.logits(base, identify(base, ruleset.table, part)).max(axis=1)
        out[at] = pieces[int(odds.argmax())]
    return out


def _part(
    model: Model, ruleset: Ruleset, texts: Sequence[str], *, features: bool, head: bool
) -> dict[str, Any]:
    batch = TextBatch.from_strings(texts)
    base = ruleset.table.base(batch)
    languages = identify(base, ruleset.table, batch)
    found: dict[str, Any] = {"languages": languages, "short": is_too_short(base, ruleset.table)}
    wanted = ("logits", "features") if features else ("logits",)
    for tier in model.tiers:
        for name, values in zip(wanted, tier.outputs(base, wanted, head=head), strict=True):
            found[f"{name} {tier.name}"] = values
        if features:
            found[f"tokens {tier.name}"] = _counts(*tier.tokens(base))
    with np.errstate(over="ignore"):
        scores = 1.0 / (1.0 + np.exp(-model.logits(base, languages)))
    reviewed = scores >= model.operating_points[languages][..., 0]
    noticed = np.asarray(reviewed.any(axis=1))
    scan = ruleset.scan(batch, base)
    posts = np.union1d(scan.posts, np.flatnonzero(noticed))
    found["levels"] = np.full((len(batch), len(POLICIES)), -1, np.int64)
    found["excused"] = np.zeros((len(batch), len(POLICIES)), np.bool_)
    if len(posts):
        said = ruleset.findings(scan, posts, noticed[posts], every_cue=False, cut=None)
        for post, findings in zip(posts.tolist(), said, strict=True):
            found["levels"][post], found["excused"][post] = _rules(findings)
    return found


def _rules(findings: Findings) -> tuple[list[int], list[bool]]:
    """Return by policy the strongest level that counts, and whether the post is excused."""
    levels, excused = [], []
    for policy in POLICIES:
        levels_found = [
            LEVELS.index(m.level or "weak") for m in findings.matches if m.rule.policy == policy
        ]
        innocent = bool(levels_found) and is_innocent(resolve_stance(findings, policy))
        levels.append(-1 if innocent else max(levels_found, default=-1))
        excused.append(innocent)
    return levels, excused


def _counts(tokens: Ragged, pieces: int) -> Any:
    """Return how often each post holds each token, as a scipy CSR matrix."""
    try:
        from scipy import sparse
    except ImportError:
        raise MissingExtraError("scikit-learn", "eval") from None
    made = sparse.csr_matrix(
        (np.ones(len(tokens.values)), tokens.values.astype(np.int64), tokens.offsets.copy()),
        (len(tokens.offsets) - 1, pieces),
    )
    made.sum_duplicates()
    return made


def _stacked(parts: list[Any]) -> Any:
    from scipy import sparse

    return sparse.vstack(parts, format="csr")
