"""What to label: uncertain, diverse and random posts of a stream, near-duplicates once.

Uncertain posts lie closest to an operating point; labels there move the border most (Lewis and
Gale, "A sequential algorithm for training text classifiers", 1994). Diverse ones lie far apart in
the model's features, so that rare kinds come in (farthest-first traversal: Gonzalez 1985). Random
ones say how probable things are. What is kept of the stream is bounded, and which posts are picked
depends on the seed and the set of posts, not on their order.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.engine import is_too_short
from moderation.text import TextBatch, identify
from moderation.text.fold import CLASS_WORD
from moderation.text.windows import WINDOW
from moderation.types import LANGUAGES, POLICIES, SCORE_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.rules import Ruleset

__all__ = ["Picked", "sample"]

UNCERTAIN: Final = 0.5
DIVERSE: Final = 0.3
"""Shares of the sample; the rest is random."""
NEAR: Final = 4.0
"""Log-odds below the review point down to which a post may come in as diverse."""
JACCARD: Final = 0.6
"""Share of four-letter runs in common from which two posts count as one."""
_SPARE: Final = 6
_DIVERSE_POOL: Final = 12
_LEAST_POOL: Final = 64


@dataclass(frozen=True, slots=True)
class Picked:
    """One post to label."""

    data_id: str
    text: str
    language: str
    picked_by: str
    """uncertain, diverse or random."""
    policy: str | None
    """The policy whose operating point an uncertain post is close to."""
    scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the row for a person to fill in; null in `labels` is "nobody judged"."""
        return {
            "id": self.data_id,
            "text": self.text,
            "language": self.language,
            "picked_by": self.picked_by,
            "policy": self.policy,
            "scores": self.scores,
            "labels": dict.fromkeys(POLICIES),
        }


@dataclass(frozen=True, slots=True)
class _Candidate:
    key: int
    data_id: str
    text: str
    language: int
    log_odds: NDArray[np.float64]
    features: NDArray[np.float32]
    letters: NDArray[np.uint32]

    def grams(self) -> frozenset[bytes]:
        raw = self.letters.tobytes()
        return frozenset(raw[at : at + 16] for at in range(0, max(len(raw) - 12, 1), 4))


@dataclass(slots=True)
class _Pool:
    """Keeps the candidates of least rank, the same text once."""

    size: int
    heap: list[tuple[float, int]] = field(default_factory=list)
    known: dict[int, _Candidate] = field(default_factory=dict)

    def accepts(self, rank: float) -> bool:
        return len(self.heap) < self.size or rank <= -self.heap[0][0]

    def add(self, rank: float, made: _Candidate) -> None:
        before = self.known.get(made.key)
        if before is not None:
            if made.data_id < before.data_id:
                self.known[made.key] = made
            return
        self.known[made.key] = made
        heapq.heappush(self.heap, (-rank, -made.key))
        if len(self.heap) > self.size:
            _, dropped = heapq.heappop(self.heap)
            del self.known[-dropped]

    def ordered(self) -> list[_Candidate]:
        """Return candidates by rank, ties by their key."""
        return [self.known[-key] for _, key in sorted(self.heap, key=lambda e: (-e[0], -e[1]))]


def sample(
    model: Model,
    ruleset: Ruleset,
    batches: Iterable[tuple[list[str], list[str]]],
    count: int,
    seed: int = 0,
) -> list[Picked]:
    """Pick posts for a person to label.

    Args:
        model: whose uncertainty counts.
        ruleset: for its fold table.
        batches: ids and texts; read once.
        count: posts to pick; fewer come back where there are not as many different ones.
        seed: another seed picks other diverse and random posts.

    Returns:
        Posts in an order that mixes the kinds.
    """
    uncertain = round(UNCERTAIN * count)
    diverse = round(DIVERSE * count)
    pools = [_Pool(max(_SPARE * uncertain, _LEAST_POOL)) for _ in POLICIES]
    near = _Pool(max(_DIVERSE_POOL * diverse, _LEAST_POOL))
    every = _Pool(max(_SPARE * count, _LEAST_POOL))
    close = np.zeros(len(POLICIES))
    logit_points = _logit(model.operating_points)
    for ids, texts in batches:
        part = _Part(model, ruleset, ids, texts, seed)
        points = logit_points[part.languages]
        distance = np.abs(part.log_odds[..., None] - points).min(axis=2)
        close += (distance < 1.0).sum(axis=0)
        is_near = np.asarray((part.log_odds > points[..., 0] - NEAR).any(axis=1))
        for post in np.flatnonzero(~part.short).tolist():
            key = part.key(post)
            ranks = [(pool, float(distance[post, at])) for at, pool in enumerate(pools)]
            ranks += [(every, float(key))] + ([(near, float(key))] if is_near[post] else [])
            for pool, rank in ranks:
                if pool.accepts(rank):
                    pool.add(rank, part.candidate(post, key))
    chosen = _Chosen(count)
    _take_uncertain(chosen, pools, uncertain, np.sqrt(close))
    _take_diverse(chosen, near.ordered(), uncertain + diverse)
    for made in every.ordered():
        chosen.take(made, "random", None, count)
    return chosen.picked()


def _take_uncertain(
    chosen: _Chosen, pools: list[_Pool], count: int, shares: NDArray[np.float64]
) -> None:
    """Take from each policy's pool in turn, more often where more posts are close."""
    queues = [iter(pool.ordered()) for pool in pools]
    taken = np.zeros(len(pools))
    open_pools = set(range(len(pools)))
    shares = np.maximum(shares, 1.0)
    while open_pools and len(chosen) < count:
        at = min(open_pools, key=lambda pool: ((taken[pool] + 1) / shares[pool], pool))
        made = next(queues[at], None)
        if made is None:
            open_pools.discard(at)
        elif chosen.take(made, "uncertain", POLICIES[at], count):
            taken[at] += 1


def _take_diverse(chosen: _Chosen, pool: list[_Candidate], count: int) -> None:
    """Take the post that lies farthest from all that were taken, again and again."""
    if not pool:
        return
    features = np.stack([made.features for made in pool]).astype(np.float64)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    features /= np.linalg.norm(features, axis=1, keepdims=True) + 1e-9
    index = {made.key: at for at, made in enumerate(pool)}
    distance = np.full(len(pool), np.inf)
    for key in chosen.keys:
        if key in index:
            distance = np.minimum(distance, 1.0 - features @ features[index[key]])
    while len(chosen) < count and (distance > 0).any():
        at = int(distance.argmax())
        chosen.take(pool[at], "diverse", None, count)
        distance = np.minimum(distance, 1.0 - features @ features[at])
        distance[at] = -1.0


class _Chosen:
    """The posts picked so far, and what tells near-duplicates of them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._rows: dict[int, tuple[_Candidate, str, str | None]] = {}
        self._grams: list[frozenset[bytes]] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def keys(self) -> list[int]:
        return list(self._rows)

    def take(self, made: _Candidate, by: str, policy: str | None, most: int) -> bool:
        """Add a post unless there are enough or it resembles one; say whether it was added."""
        if len(self._rows) >= most or made.key in self._rows:
            return False
        grams = made.grams()
        for other in self._grams:
            shared = len(grams & other)
            if shared >= JACCARD * (len(grams) + len(other) - shared):
                return False
        self._grams.append(grams)
        self._rows[made.key] = (made, by, policy)
        return True

    def picked(self) -> list[Picked]:
        with np.errstate(over="ignore"):
            return [
                Picked(
                    made.data_id,
                    made.text,
                    LANGUAGES[made.language],
                    by,
                    policy,
                    dict(
                        zip(
                            POLICIES,
                            np.round(1 / (1 + np.exp(-made.log_odds)), SCORE_DECIMALS).tolist(),
                            strict=True,
                        )
                    ),
                )
                for _, (made, by, policy) in sorted(self._rows.items())
            ]


class _Part:
    """One batch of posts, scored; long ones by their first window."""

    def __init__(
        self, model: Model, ruleset: Ruleset, ids: list[str], texts: list[str], seed: int
    ) -> None:
        self._ids, self._texts = ids, texts
        self._salt = seed.to_bytes(8, "little", signed=True)
        batch = TextBatch.from_strings([text[:WINDOW] for text in texts])
        self._base = ruleset.table.base(batch)
        self._classes = ruleset.table.classes
        self.languages = identify(self._base, ruleset.table, batch)
        self.log_odds = model.logits(self._base, self.languages)
        self.short = is_too_short(self._base, ruleset.table)
        (self._features,) = model.tiers[0].outputs(self._base, ("features",))

    def key(self, post: int) -> int:
        """Return a number that stands for the text and the seed."""
        raw = self._texts[post].encode("utf-8", "surrogatepass")
        # 53 bits: a float holds them, so a rank can be a key.
        return int.from_bytes(blake2b(raw, digest_size=8, key=self._salt).digest(), "big") >> 11

    def candidate(self, post: int, key: int) -> _Candidate:
        first, last = self._base.offsets[post : post + 2]
        codes = self._base.codepoints[first:last]
        return _Candidate(
            key,
            self._ids[post],
            self._texts[post],
            int(self.languages[post]),
            self.log_odds[post],
            self._features[post].astype(np.float32),
            codes[(self._classes[codes] & CLASS_WORD) != 0].astype(np.uint32),
        )


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(clipped) - np.log1p(-clipped)
