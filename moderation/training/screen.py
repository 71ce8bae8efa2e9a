"""Fit a model's screen: `python -m moderation.training.screen --data DIR --model DIR`.

The screen (moderation/classifier/screen.py) imitates the tier that sees every post first: integer
weights of hashed n-grams estimate how far a post lies under the review points, and posts far
enough under all of them leave. The weights are fitted on three quarters of the posts; the margin is
the one at which, of the other quarter's posts that the tier would flag, hardly any leaves.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.sparse as sp

from moderation.classifier import SessionOptions, load_model, posts_of, read_manifest
from moderation.classifier.manifest import CASCADE, FAST, MANIFEST_NAME, digest_file
from moderation.classifier.screen import Screen, fitted_for, ngram_counts
from moderation.engine import is_too_short
from moderation.rules import load_ruleset
from moderation.text import TextBatch, identify
from moderation.text.fold import CLASS_WORD, View
from moderation.text.windows import WINDOW
from moderation.training.data import ORDINARY, load_corpus, load_sources, load_unlabelled
from moderation.training.ngrams import in_eight_bits, ngram_matrix
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.rules import Ruleset

__all__ = ["FILE", "Fitted", "Posts", "fit_screen", "read_posts", "write_screen"]

FILE: Final = "screen.npz"
BUCKETS: Final = 1 << 17
RECALL: Final = 0.9995
"""Share of the held-out posts that a tier would flag that must not leave, rules and all."""
RECALL_ALONE: Final = 0.999
"""The same without any rule: rules keep what they notice from leaving, but rules can be changed."""
HELD_OUT_OF: Final = 4
TARGET: Final = (-6.0, 2.0)
"""Log-odds over the review point outside of which it does not matter how far a post lies."""
UNDERSTATED: Final = 8.0
"""Weight of an estimate that is too low: that lets posts go, one that is too high costs time."""
RIDGE: Final = 1.0
ROUNDS: Final = 4
STEPS: Final = 15
"""Steps of conjugate gradients a round."""
CAUTION: Final = 6.0
"""`Screen.caution`; of 0 to 14 this let most ordinary posts leave at the same recall."""
QUANTILE: Final = 0.9998
"""Share of a policy's weights that the integers -127 to 127 span; the largest are cut."""
_BATCH: Final = 4096
_KEY_LETTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Posts:
    """Posts to fit on, and what the tier says of them.

    Attributes:
        base: their base view.
        relative: float64, shape (posts, policies): log-odds over the review point.
        passed_on: by the tier that can be asked for: bool, shape (posts,), posts that it would flag
            (the cascade: flag or ask its second graph about).
        noticed: bool, shape (posts,): posts that the rules keep from leaving.
        review: float64, shape (posts, policies): log-odds of the review points.
        families: where each comes from.
    """

    base: View
    relative: NDArray[np.float64]
    passed_on: dict[str, NDArray[np.bool_]]
    noticed: NDArray[np.bool_]
    review: NDArray[np.float64]
    families: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A screen, and what of it goes into the manifest.

    Attributes:
        screen: the weights.
        below: by tier: margin under which a post leaves.
        scores: by policy: slope and offset from margin to log-odds over the review point.
        held_out: bool, shape (posts,): posts it was not fitted on.
        margins: float64, shape (posts, policies), of all posts.
    """

    screen: Screen
    below: dict[str, float]
    scores: dict[str, tuple[float, float]]
    held_out: NDArray[np.bool_]
    margins: NDArray[np.float64]


def read_posts(texts: list[str], families: list[str], model: Model, ruleset: Ruleset) -> Posts:
    """Score posts with the tier that a screen is to imitate.

    Posts that say too little to be scored are left out, long ones cut after a window.

    Args:
        texts: the posts.
        families: where each comes from, for the report.
        model: the model, opened at that tier.
        ruleset: the rules in front of it.
    """
    table = ruleset.table
    points = model.manifest.operating_points[model.tier]
    review_of = np.array([[points[p][n].review for p in POLICIES] for n in LANGUAGES])
    views, odds, languages, kept, noticed = [], [], [], [], []
    for start in range(0, len(texts), _BATCH):
        batch = TextBatch.from_strings([text[:WINDOW] for text in texts[start : start + _BATCH]])
        base = table.base(batch)
        found = identify(base, table, batch)
        rows = np.flatnonzero(~is_too_short(base, table))
        noticed.append(np.isin(rows, ruleset.scan(batch, base).posts))
        kept.append(start + rows)
        views.append(posts_of(base, rows))
        languages.append(found[rows])
        odds.append(model.logits(views[-1], languages[-1]))
    language, log_odds = np.concatenate(languages), np.concatenate(odds)
    review = np.log(review_of / (1 - review_of))[language]
    relative = log_odds - review
    flagged = (relative >= 0).any(axis=1)
    passed_on = {model.tier: flagged}
    cascade = model.manifest.cascade
    if cascade is not None and cascade.tiers[0] == model.tier:
        passed_on[CASCADE] = flagged | _asked(cascade.band, log_odds, language)
    return Posts(
        _joined(views), relative, passed_on, np.concatenate(noticed), review,
        np.array(families)[np.concatenate(kept)],
    )  # fmt: skip


def _asked(
    band: dict[str, dict[str, tuple[float, float]]],
    log_odds: NDArray[np.float64],
    language: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Return which posts lie in the cascade's band."""
    bounds = np.array([[band[policy][name] for policy in POLICIES] for name in LANGUAGES])[language]
    scores = 1.0 / (1.0 + np.exp(-log_odds))
    inside = (scores >= bounds[..., 0]) & (scores <= bounds[..., 1])
    return np.asarray(inside.any(axis=1))


def _joined(views: list[View]) -> View:
    """Return views end to end; only code points and offsets are meant to be read."""
    codes = np.concatenate([view.codepoints for view in views])
    lengths = np.concatenate([np.diff(view.offsets) for view in views])
    nothing = np.zeros(0, np.int64)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return View("base", codes, offsets, nothing, nothing, nothing, nothing)


def fit_screen(posts: Posts, classes: NDArray[np.uint8]) -> Fitted:
    """Fit weights, margins and scores.

    Args:
        posts: the posts.
        classes: character classes of the fold table, to tell letters.

    Raises:
        ValueError: of the held-out posts none would be flagged, so that no margin can be chosen.
    """
    held_out = _held_out(posts.base, classes)
    matrix = _matrix(posts.base)
    weights, offset = _fit_weights(matrix[~held_out], posts.relative[~held_out])
    screen = _quantised(weights, offset)
    margins = screen.margins(posts.base)
    best = margins.max(axis=1)
    below = {}
    for tier, flagged in posts.passed_on.items():
        chosen = held_out & flagged
        if not chosen.any():
            raise ValueError(f"tier {tier} flags no held-out post: there is no margin to choose")
        margin = min(
            _margin(best[chosen], RECALL_ALONE, int(chosen.sum())),
            _margin(best[chosen & ~posts.noticed], RECALL, int(chosen.sum())),
        )
        below[tier] = math.floor(margin * 1e4) / 1e4
    leaves = held_out & ~posts.noticed & (best < max(below.values()))
    scores = {}
    for number, policy in enumerate(POLICIES):
        target = 1 / (1 + np.exp(-(posts.relative + posts.review)[leaves, number]))
        scores[policy] = _scale(margins[leaves, number], posts.review[leaves, number], target)
    return Fitted(screen, below, scores, held_out, margins)


def _margin(at_risk: NDArray[np.float64], recall: float, flagged: int) -> float:
    """Return the highest margin under which few enough of the posts at risk lie."""
    allowed = math.floor((1 - recall) * flagged)
    if allowed >= len(at_risk):
        return 0.0
    return min(float(np.sort(at_risk)[allowed]), 0.0)


def _held_out(base: View, classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return a quarter of the posts, those that begin with the same letters on the same side."""
    found = np.zeros(len(base.offsets) - 1, np.bool_)
    letters = (classes[base.codepoints] & CLASS_WORD) != 0
    for post, (first, last) in enumerate(zip(base.offsets, base.offsets[1:], strict=False)):
        own = base.codepoints[first:last][letters[first:last]][:_KEY_LETTERS]
        found[post] = zlib.crc32(own.tobytes()) % HELD_OUT_OF == 0
    return found


def _matrix(base: View) -> sp.csr_matrix:
    """Return how often each bucket's n-grams stand in each post, over the root of their number."""
    root = np.sqrt(np.maximum(ngram_counts(np.diff(base.offsets)), 1))
    scaled = sp.diags((1 / root).astype(np.float32)) @ ngram_matrix(base, BUCKETS)
    return sp.csr_matrix(scaled)


def _fit_weights(
    matrix: sp.csr_matrix, relative: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit weights and offsets of every policy by asymmetric least squares.

    Expectile regression (Newey and Powell, 1987): an estimate that is too low weighs more, and one
    on the far side of the target's bounds weighs next to nothing. Each round solves the ridge
    regression that the last round's weights make, by conjugate gradients.
    """
    low, high = TARGET
    target = np.clip(relative, low, high).astype(np.float32)
    across = matrix.T.tocsr()
    weights = np.zeros((matrix.shape[1], len(POLICIES)), np.float32)
    offset = target.mean(axis=0)
    for _ in range(ROUNDS):
        found = matrix @ weights + offset
        cost = np.where(found < target, UNDERSTATED, 1.0).astype(np.float32)
        beyond = ((target >= high) & (found > high)) | ((target <= low) & (found < low))
        cost[beyond] = 1e-3
        offset = offset + (cost * (target - found)).sum(axis=0) / cost.sum(axis=0)
        weights = _solve(matrix, across, cost, target - offset, weights)
    return weights, offset


def _solve(
    matrix: sp.csr_matrix,
    across: sp.csr_matrix,
    cost: NDArray[np.float32],
    target: NDArray[np.float32],
    start: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Take STEPS of conjugate gradients, every policy by itself, from where the last round was."""

    def normal(weights: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = across @ (cost * (matrix @ weights)) + RIDGE * weights
        return found

    left = across @ (cost * target) - normal(start)
    way, squared, weights = left.copy(), (left * left).sum(axis=0), start
    for _ in range(STEPS):
        if not squared.all():
            break
        bent = normal(way)
        step = squared / (way * bent).sum(axis=0)
        weights = weights + step * way
        left = left - step * bent
        now = (left * left).sum(axis=0)
        way = left + (now / squared) * way
        squared = now
    return weights


def _quantised(weights: NDArray[np.float32], offset: NDArray[np.float32]) -> Screen:
    return Screen(*in_eight_bits(weights, QUANTILE), offset.astype(np.float64), CAUTION)


def _scale(
    margins: NDArray[np.float64], review: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit slope and offset so that the scores have the tier's mean probability (Platt scaling)."""
    slope, offset = 1.0, 0.0
    if not len(margins):
        return slope, offset
    columns = np.stack([margins, np.ones_like(margins)], axis=1)
    for _ in range(25):
        found = 1 / (1 + np.exp(-(columns @ [slope, offset] + review)))
        pull = columns.T @ (target - found) - [1e-3 * (slope - 1.0), 0.0]
        bend = (columns * (found * (1 - found))[:, None]).T @ columns + 1e-3 * np.eye(2)
        move = np.clip(np.linalg.solve(bend, pull), -1.0, 1.0)
        slope, offset = slope + float(move[0]), offset + float(move[1])
    return round(max(slope, 0.0), 6), round(offset, 6)


def write_screen(folder: Path, fitted: Fitted, figures: dict[str, Any]) -> None:
    """Write the weights into a model folder, and the screen's entry into its manifest."""
    np.savez_compressed(
        folder / FILE,
        weights=fitted.screen.weights[:, : len(POLICIES)],
        scale=fitted.screen.scale,
        offset=fitted.screen.offset,
        caution=fitted.screen.caution,
    )
    manifest, _ = read_manifest(folder)
    tier = next(name for name in fitted.below if name != CASCADE)
    path = folder / MANIFEST_NAME
    content = json.loads(path.read_bytes())
    content["files"][FILE] = {
        "sha256": digest_file(folder / FILE),
        "bytes": (folder / FILE).stat().st_size,
    }
    content["screen"] = {
        "file": FILE,
        "tier": tier,
        "tiers": {
            name: {"below": below, "fitted_for": fitted_for(manifest, tier, name)}
            for name, below in fitted.below.items()
        },
        "scores": {
            policy: {"slope": slope, "offset": offset}
            for policy, (slope, offset) in fitted.scores.items()
        },
    }
    content.setdefault("provenance", {})["screen"] = figures
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def figures_of(posts: Posts, fitted: Fitted) -> dict[str, Any]:
    """Return what the screen does to the held-out posts, by tier."""
    ordinary = np.isin(posts.families, ORDINARY)
    found: dict[str, Any] = {}
    for tier, flagged in posts.passed_on.items():
        low = fitted.margins.max(axis=1) < fitted.below[tier]
        leaves = low & ~posts.noticed
        chosen = fitted.held_out & flagged
        found[tier] = {
            "held_out": int(fitted.held_out.sum()),
            "flagged": int(chosen.sum()),
            "recall": _share(~leaves[chosen], 5),
            "recall_without_rules": _share(~low[chosen], 5),
            "ordinary_posts_that_leave": _share(leaves[fitted.held_out & ordinary], 4),
        }
    return found


def _share(which: NDArray[np.bool_], decimals: int) -> float | None:
    """Return the share that is true; None of nothing."""
    return round(float(which.mean()), decimals) if len(which) else None


def report(posts: Posts, fitted: Fitted) -> str:
    """Return the held-out figures as a table by family."""
    lines = []
    for tier, flagged in posts.passed_on.items():
        leaves = (fitted.margins.max(axis=1) < fitted.below[tier]) & ~posts.noticed
        lines.append(f"tier {tier}: posts leave below a margin of {fitted.below[tier]}")
        lines.append(f"{'held out':<20} {'posts':>7} {'leave':>7} {'flagged':>8} {'missed':>7}")
        for family in (*np.unique(posts.families).tolist(), "all"):
            own = fitted.held_out & ((posts.families == family) | (family == "all"))
            if own.any():
                lines.append(
                    f"{family:<20} {own.sum():>7} {leaves[own].mean():>7.1%} "
                    f"{(own & flagged).sum():>8} {(own & flagged & leaves).sum():>7}"
                )
    return "\n".join(lines)


def main() -> int:
    """Parse the command line, fit and write."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train/ and unlabelled/"
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder, rewritten")
    parser.add_argument("--corpus", type=Path, default=root / "corpus")
    parser.add_argument("--rules", type=Path, default=root / "rules")
    arguments = parser.parse_args()
    sources = load_sources(arguments.data) + load_unlabelled(arguments.data)
    sources += load_corpus(arguments.corpus)
    model = load_model(arguments.model, FAST, SessionOptions())
    ruleset = load_ruleset(arguments.rules)
    texts, families = [post.text for post in sources], [post.family for post in sources]
    posts = read_posts(texts, families, model, ruleset)
    fitted = fit_screen(posts, ruleset.table.classes)
    write_screen(arguments.model, fitted, figures_of(posts, fitted))
    sys.stdout.write(report(posts, fitted) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
