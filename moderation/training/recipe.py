"""The shipped recipe: fine-tune the deep tier, distil it into the fast one, hold sources out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.classifier.features import (
    Ragged,
    Tokenizer,
    character_ngrams,
    one_line,
    token_bigrams,
)
from moderation.text import TextBatch, View, identify, load_table
from moderation.training.augment import disguised
from moderation.training.data import (
    held_out_ids,
    load_corpus,
    load_sources,
    load_unlabelled,
)
from moderation.training.deep import DeepNet, fine_tune, label, piece_features
from moderation.training.fast import Examples, FastNet, Recipe, train
from moderation.training.vocabulary import piece_weights, principal_components
from moderation.types import POLICIES, STANCES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.training.data import Post
    from moderation.training.deep import DeepRecipe
    from moderation.training.e5 import EncoderFile

__all__ = [
    "BUCKETS",
    "FOLDS",
    "Dataset",
    "Soft",
    "asked_rows",
    "bare",
    "deep_rows",
    "fast_targets",
    "fine_tune_deep",
    "learn",
    "prepare",
    "soft_labels",
]

BUCKETS: Final = 1 << 16
GRAM_INPUTS: Final = ("character_bigrams", "character_trigrams")
FOLDS: Final[dict[str, tuple[str, ...]]] = {
    "pip": ("pip", "weibo", "thucnews", "agora"),
    "rsp": ("rsp", "tweeteval", "cold"),
    "fbs": ("fbs", "reviews", "uci", "blogspam", "drugtweets", "tgspam"),
}
"""Families left out together: every family once, so that one encoder serves several figures. A
figure read off a fold is honest for each family in it, and harder than leaving out one alone."""

_SOURCE_WEIGHT: Final = {
    "pip_twitter_silver": 0.3,
    "blogspam_popcorn": 0.5,
    "cold_negatives": 0.5,
    "goemotions_reddit": 0.3,
    "kdconv_chat": 0.3,
}
_CORPUS_WEIGHT: Final = 4.0
_HARD_SHARE: Final = {"pip_twitter_silver": 0.2, "blogspam_popcorn": 0.5}
_DEFAULT_HARD_SHARE: Final = 0.6
"""How much of a target is the source's label; the rest is the teacher's."""
_DEEP_NEGATIVES: Final = 6_000
_DEEP_POSITIVES: Final = 900
"""Most violating posts of a source and policy that the deep tier is shown."""
_SOFT_ROWS: Final = 24_000
_ASK_FIRST: Final = ("tgspam", "pip", "rsp", "fbs", "agora", "drugtweets", "blogspam")
"""Families whose posts the deep tier labels first: they look most like what offenders write."""
_ASK_FIRST_SHARE: Final = 0.6
DEEP_PIECES: Final = 35_000
"""Pieces with a vector of their own in the deep tier."""
_DEEP_DIMENSIONS: Final = 32
_DISGUISED: Final = "corpus disguised"
"""Source of the disguised copies of corpus posts; they count to the corpus' family."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every post, folded and tokenised once.

    Attributes:
        posts: labelled, corpus and unlabelled posts, and disguised copies of the corpus.
        texts: the posts in the base view, line breaks as spaces.
        hard: float32 (posts, policies), the sources' labels, NaN where unknown.
        weights: float32 (posts,).
        held_out: bool (posts,), the corpus' untouched fifth.
        languages: uint8 (posts,), as the engine identifies them.
        stances: int64 (posts,), index into STANCES, -1 where unknown.
        tokens: token ids, of both tiers.
        grams: hashed features of the fast tier.
    """

    posts: list[Post]
    texts: list[str]
    hard: NDArray[np.float32]
    weights: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    languages: NDArray[np.uint8]
    stances: NDArray[np.int64]
    tokens: Ragged
    grams: tuple[Ragged, ...]
    base: View = field(repr=False)
    """Code points and offsets of the posts in the base view, and nothing else."""
    families: NDArray[np.str_] = field(repr=False)
    sources: NDArray[np.str_] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Soft:
    """What the fast tier learns from a fine-tuned deep tier.

    Attributes:
        rows: int64, posts it was asked about.
        logits: float64 (len(rows), policies), what it said.
        vectors: float32 (pieces, dimensions), what it makes of single tokens.
    """

    rows: NDArray[np.int64]
    logits: NDArray[np.float64]
    vectors: NDArray[np.float32]


def prepare(data: Path, corpus: Path, rules: Path, tokenizer: Path) -> Dataset:
    """Load and featurise everything.

    Args:
        data: folder with train/ and unlabelled/.
        corpus: folder with the project's own labelled posts.
        rules: rules folder, for the fold table.
        tokenizer: sentencepiece model of both tiers.
    """
    table = load_table(rules)
    written = load_corpus(corpus)
    held_out = held_out_ids(written)
    copies = _copies([post for post in written if post.id not in held_out])
    posts = load_sources(data) + written + load_unlabelled(data) + copies
    batch = TextBatch.from_strings([post.text for post in posts])
    base = table.base(batch)
    texts = one_line(base)
    tokens = Tokenizer(tokenizer).encode(base)
    nan = float("nan")
    hard = np.array([[nan if v is None else v for v in p.labels] for p in posts], np.float32)
    weights = np.array(
        [
            _CORPUS_WEIGHT if p.family == "corpus" else _SOURCE_WEIGHT.get(p.source, 1.0)
            for p in posts
        ],
        np.float32,
    )
    return Dataset(
        posts,
        texts,
        hard,
        weights,
        np.array([p.family == "corpus" and p.id in held_out for p in posts]),
        identify(base, table, batch),
        np.array([STANCES.index(p.stance) if p.stance else -1 for p in posts]),
        tokens,
        gram_features(base, tokens),
        bare(base),
        np.array([p.family for p in posts]),
        np.array([p.source for p in posts]),
    )


def _copies(posts: list[Post]) -> list[Post]:
    """Return one disguised copy of each post, with its labels."""
    generator = np.random.default_rng(0)
    return [
        replace(post, text=disguised(post.text, generator), source=_DISGUISED) for post in posts
    ]


def bare(view: View) -> View:
    """Return a view without what leads back to the posts, a tenth of its size."""
    nothing = np.zeros(0, np.int64)
    return View(view.name, view.codepoints, view.offsets, nothing, nothing, nothing, nothing)


def gram_features(base: View, tokens: Ragged) -> tuple[Ragged, ...]:
    """Return the hashed inputs of the fast tier, in the order of GRAM_INPUTS."""
    made = {
        "token_bigrams": lambda: token_bigrams(tokens, BUCKETS),
        "character_bigrams": lambda: character_ngrams(base, 2, BUCKETS),
        "character_trigrams": lambda: character_ngrams(base, 3, BUCKETS),
    }
    return tuple(made[name]() for name in GRAM_INPUTS)


def usable_rows(dataset: Dataset, left_out: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which posts may be trained on when some families are left out, (posts,)."""
    usable: NDArray[np.bool_] = ~np.isin(dataset.families, left_out) & ~dataset.held_out
    return usable


def fine_tune_deep(
    dataset: Dataset,
    rows: NDArray[np.int64],
    file: EncoderFile,
    encoder_ids: NDArray[np.int64],
    recipe: DeepRecipe,
    report: Callable[[str], None] = lambda _: None,
) -> DeepNet:
    """Fine-tune the encoder.

    Args:
        dataset: all posts.
        rows: posts to train on, see `deep_rows`.
        file: the encoder's weights.
        encoder_ids: the encoder's id of each piece.
        recipe: hyper-parameters.
        report: called with progress lines.
    """
    report(f"deep: {len(rows)} rows")
    return fine_tune(
        DeepNet(file, encoder_ids, recipe), dataset.tokens, dataset.hard, dataset.stances,
        np.minimum(dataset.weights, 1.0), rows, recipe, report,
    )  # fmt: skip


def soft_labels(
    dataset: Dataset,
    rows: NDArray[np.int64],
    net: DeepNet,
    kept: NDArray[np.int64],
    tokenizer: Path,
    limit: int,
) -> Soft:
    """Ask a fine-tuned deep tier about posts and about single tokens.

    Args:
        dataset: all posts.
        rows: posts to ask about, see `asked_rows`.
        net: the deep tier.
        kept: pieces to ask about; the others' vectors are zero.
        tokenizer: sentencepiece model of both tiers.
        limit: tokens that are read of a post.
    """
    logits, _ = label(net, dataset.tokens, rows, limit)
    scores, weight = piece_weights(tokenizer)
    vectors = np.zeros((len(scores), _DEEP_DIMENSIONS), np.float32)
    vectors[kept] = principal_components(piece_features(net, kept), _DEEP_DIMENSIONS)
    return Soft(rows, logits, (vectors * weight[:, None]).astype(np.float32))


def fast_targets(
    dataset: Dataset, left_out: tuple[str, ...], soft: Soft
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the rows the fast tier learns from, and what: float32 (posts, policies) or NaN.

    Args:
        dataset: all posts.
        left_out: families it may not see, labelled or not.
        soft: what a deep tier that did not see them either says.
    """
    logits = np.full(dataset.hard.shape, np.nan)
    logits[soft.rows] = soft.logits
    targets = _targets(dataset, logits)
    usable = usable_rows(dataset, left_out)
    return np.flatnonzero(usable & ~np.isnan(targets).all(axis=1)), targets


def learn(
    dataset: Dataset,
    rows: NDArray[np.int64],
    targets: NDArray[np.float32],
    spoken: NDArray[np.float32],
    vectors: NDArray[np.float32],
    recipe: Recipe,
    report: Callable[[str], None] = lambda _: None,
) -> FastNet:
    """Train the fast tier.

    Args:
        dataset: all posts.
        rows: posts to train on, see `fast_targets`.
        targets: probabilities, float32 (posts, policies), NaN where unknown.
        spoken: the deep tier's vectors of single tokens.
        vectors: static token vectors, put before them.
        recipe: hyper-parameters.
        report: called with progress lines.
    """
    report(f"fast: {len(rows)} rows")
    examples = Examples(dataset.tokens, dataset.grams, targets, dataset.weights)
    start = np.concatenate([_unit(vectors), _unit(spoken)], axis=1)
    return train(examples, rows, start, (BUCKETS,) * len(dataset.grams), recipe, report)


def deep_rows(dataset: Dataset, left_out: tuple[str, ...], seed: int) -> NDArray[np.int64]:
    """Pick what the deep tier learns from when some families are left out: a balanced share.

    The corpus and its disguised copies, capped positives, sampled negatives.
    """
    usable, generator = usable_rows(dataset, left_out), np.random.default_rng(seed)
    corpus = np.flatnonzero(usable & (dataset.families == "corpus"))
    public = usable & (dataset.families != "corpus")
    chosen = np.zeros(len(usable), np.bool_)
    for policy in range(len(POLICIES)):
        positive = public & (dataset.hard[:, policy] == 1)
        for source in np.unique(dataset.sources[positive]):
            rows = generator.permutation(np.flatnonzero(positive & (dataset.sources == source)))
            chosen[rows[:_DEEP_POSITIVES]] = True
    negative = public & ~(dataset.hard == 1).any(1) & (~np.isnan(dataset.hard)).any(1)
    return np.concatenate(
        [
            corpus,
            np.flatnonzero(chosen),
            generator.permutation(np.flatnonzero(negative))[:_DEEP_NEGATIVES],
        ]
    )


def asked_rows(dataset: Dataset, left_out: tuple[str, ...], seed: int) -> NDArray[np.int64]:
    """Return the rows the deep tier labels: offenders' places first, then the rest.

    Not the corpus: the tier has learnt its labels, people gave them by this policy.
    """
    usable, generator = usable_rows(dataset, left_out), np.random.default_rng(seed + 1)
    rest = generator.permutation(np.flatnonzero(usable & (dataset.families != "corpus")))
    early = np.isin(dataset.families[rest], _ASK_FIRST)
    first = rest[early][: int(_SOFT_ROWS * _ASK_FIRST_SHARE)]
    others = rest[~early][: _SOFT_ROWS - len(first)]
    return np.sort(np.concatenate([first, others]))


def _unit(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Scale an array to a standard deviation of one."""
    return np.asarray(rows / (rows.std() + 1e-9), np.float32)


def _targets(dataset: Dataset, logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mix the sources' labels with the teacher's probabilities."""
    share = np.array([_HARD_SHARE.get(post.source, _DEFAULT_HARD_SHARE) for post in dataset.posts])[
        :, None
    ]
    soft = 1.0 / (1.0 + np.exp(-logits))
    mixed = share * dataset.hard + (1 - share) * soft
    out = np.where(np.isnan(dataset.hard), soft, np.where(np.isnan(soft), dataset.hard, mixed))
    return out.astype(np.float32)
