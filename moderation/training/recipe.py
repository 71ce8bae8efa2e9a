"""The shipped recipe: fine-tune a teacher, distil it into the fast tier, hold sources out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.classifier.features import (
    Ragged,
    Tokenizer,
    character_ngrams,
    one_line,
    token_bigrams,
)
from moderation.text import TextBatch, identify, load_table
from moderation.training.data import (
    held_out_ids,
    load_corpus,
    load_sources,
    load_unlabelled,
)
from moderation.training.fast import Examples, FastNet, Recipe, train
from moderation.training.teacher import (
    TeacherRecipe,
    fine_tune,
    label,
    piece_features,
    tokenize,
)
from moderation.training.vocabulary import piece_texts, principal_components
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.training.data import Post

__all__ = ["ALONE", "BUCKETS", "FOLDS", "Dataset", "Distilled", "distil", "prepare"]

BUCKETS: Final = 1 << 16
GRAM_INPUTS: Final = ("character_bigrams", "character_trigrams")
FOLDS: Final[dict[str, tuple[str, ...]]] = {
    "pip": ("pip", "weibo", "tgspam"),
    "rsp": ("rsp", "tweeteval", "thucnews", "blogspam"),
    "fbs": ("fbs", "reviews", "cold", "uci", "agora", "drugtweets"),
}
"""Families left out together: every family once, so that one teacher serves several figures. A
figure read off a fold is honest for each family in it, and harder than leaving out one alone."""

ALONE: Final = ("pip", "rsp", "fbs")
"""Families with violations enough for average precision; these are also left out one by one."""

_SOURCE_WEIGHT: Final = {
    "pip_twitter_silver": 0.3,
    "blogspam_popcorn": 0.5,
    "cold_negatives": 0.5,
    "goemotions_reddit": 0.3,
    "kdconv_chat": 0.3,
}
_CORPUS_WEIGHT: Final = 4.0
_HARD_SHARE: Final = {"pip_twitter_silver": 0.2, "blogspam_popcorn": 0.5}
"""How much of a target is the source's label; the rest is the teacher's. Other sources: below."""
_DEFAULT_HARD_SHARE: Final = 0.6
_CORPUS_HARD_SHARE: Final = 0.8
_TEACHER_NEGATIVES: Final = 20_000
_TEACHER_POSITIVES: Final = 3_500
_TEACHER_CORPUS_REPEATS: Final = 3
_SOFT_ROWS: Final = 70_000
_ASK_FIRST: Final = ("tgspam", "pip", "rsp", "fbs", "agora", "drugtweets", "blogspam")
"""Families whose posts the teacher labels first: they look most like what offenders write."""
_TEACHER_DIMENSIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every post, folded and tokenised once.

    Attributes:
        posts: labelled, corpus and unlabelled posts.
        texts: the posts in the base view, line breaks as spaces.
        hard: float32 (posts, policies), the sources' labels, NaN where unknown.
        weights: float32 (posts,).
        held_out: bool (posts,), the corpus' untouched fifth.
        languages: uint8 (posts,), as the engine identifies them.
        tokens, grams: features of the fast tier.
        teacher_tokens: token ids of the teacher.
    """

    posts: list[Post]
    texts: list[str]
    hard: NDArray[np.float32]
    weights: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    languages: NDArray[np.uint8]
    tokens: Ragged
    grams: tuple[Ragged, ...]
    teacher_tokens: list[list[int]]
    families: NDArray[np.str_] = field(repr=False)
    sources: NDArray[np.str_] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Distilled:
    """A student and what its teacher said of all posts (NaN where it was not asked)."""

    net: FastNet
    teacher_logits: NDArray[np.float64]


def prepare(data: Path, corpus: Path, rules: Path, tokenizer: Path, teacher_limit: int) -> Dataset:
    """Load and featurise everything.

    Args:
        data: folder with train/ and unlabelled/.
        corpus: folder with the project's own labelled posts.
        rules: rules folder, for the fold table.
        tokenizer: sentencepiece model of the fast tier.
        teacher_limit: tokens the teacher reads of a post.
    """
    table = load_table(rules)
    written = load_corpus(corpus)
    held_out = held_out_ids(written)
    posts = load_sources(data) + written + load_unlabelled(data)
    batch = TextBatch.from_strings([post.text for post in posts])
    base = table.base(batch)
    texts = one_line(base)
    tokens = Tokenizer(tokenizer).encode(texts)
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
        tokens,
        gram_features(base, tokens),
        tokenize(texts, teacher_limit),
        np.array([p.family for p in posts]),
        np.array([p.source for p in posts]),
    )


def gram_features(base: object, tokens: Ragged) -> tuple[Ragged, ...]:
    """Return the hashed inputs of the fast tier, in the order of GRAM_INPUTS."""
    from moderation.text import View

    assert isinstance(base, View)
    made = {
        "token_bigrams": lambda: token_bigrams(tokens, BUCKETS),
        "character_bigrams": lambda: character_ngrams(base, 2, BUCKETS),
        "character_trigrams": lambda: character_ngrams(base, 3, BUCKETS),
    }
    return tuple(made[name]() for name in GRAM_INPUTS)


def distil(
    dataset: Dataset,
    left_out: tuple[str, ...],
    tokenizer: Path,
    vectors: NDArray[np.float32],
    recipe: Recipe,
    teacher_recipe: TeacherRecipe,
    report: Callable[[str], None] = lambda _: None,
) -> Distilled:
    """Train teacher and student on everything but some source families.

    Args:
        dataset: all posts.
        left_out: families neither teacher nor student may see, labelled or not.
        tokenizer: sentencepiece model of the fast tier.
        vectors: static token vectors; the teacher's own are put beside them.
        recipe: the student's hyper-parameters.
        teacher_recipe: the teacher's.
        report: called with progress lines.
    """
    usable = ~np.isin(dataset.families, left_out) & ~dataset.held_out
    generator = np.random.default_rng(teacher_recipe.seed)
    rows = _teacher_rows(dataset, usable, generator)
    report(f"teacher: {len(rows)} rows, without {', '.join(left_out) or 'nothing'}")
    teacher = fine_tune(
        dataset.teacher_tokens, dataset.hard, np.minimum(dataset.weights, 1.0), rows,
        teacher_recipe, report,
    )  # fmt: skip
    pieces, weight = piece_texts(tokenizer)
    spoken = principal_components(piece_features(teacher, pieces), _TEACHER_DIMENSIONS)
    vectors = np.concatenate([_unit(vectors), _unit(spoken * weight[:, None])], axis=1)
    report("teacher: every piece encoded")
    asked = _asked_rows(dataset, usable, rows, generator)
    logits = np.full(dataset.hard.shape, np.nan)
    logits[asked] = label(teacher, dataset.teacher_tokens, asked)
    targets = _targets(dataset, logits)
    examples = Examples(dataset.tokens, dataset.grams, targets, dataset.weights)
    student_rows = np.flatnonzero(usable & ~np.isnan(targets).all(axis=1))
    report(f"student: {len(student_rows)} rows, the teacher spoke on {len(asked)}")
    net = train(examples, student_rows, vectors, (BUCKETS,) * len(dataset.grams), recipe, report)
    return Distilled(net, logits)


def _teacher_rows(
    dataset: Dataset, usable: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Pick a balanced share: the corpus several times, capped positives, sampled negatives."""
    corpus = np.flatnonzero(usable & (dataset.families == "corpus"))
    public = usable & (dataset.families != "corpus")
    parts = [corpus] * _TEACHER_CORPUS_REPEATS
    chosen = np.zeros(len(usable), np.bool_)
    for policy in range(len(POLICIES)):
        positive = public & (dataset.hard[:, policy] == 1)
        for source in np.unique(dataset.sources[positive]):
            rows = generator.permutation(np.flatnonzero(positive & (dataset.sources == source)))
            chosen[rows[:_TEACHER_POSITIVES]] = True
    parts.append(np.flatnonzero(chosen))
    negative = public & ~(dataset.hard == 1).any(1) & (~np.isnan(dataset.hard)).any(1)
    parts.append(generator.permutation(np.flatnonzero(negative))[:_TEACHER_NEGATIVES])
    return np.concatenate(parts)


def _asked_rows(
    dataset: Dataset,
    usable: NDArray[np.bool_],
    seen: NDArray[np.int64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the rows the teacher labels: what it saw itself, then a sample of the rest."""
    first = np.unique(seen)
    rest = generator.permutation(np.setdiff1d(np.flatnonzero(usable), first))
    early = np.isin(dataset.families[rest], _ASK_FIRST)
    order = np.concatenate([rest[early], rest[~early]])
    return np.sort(np.concatenate([first, order[: max(_SOFT_ROWS - len(first), 0)]]))


def _unit(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Scale an array to a standard deviation of one."""
    return np.asarray(rows / (rows.std() + 1e-9), np.float32)


def _targets(dataset: Dataset, logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mix the sources' labels with the teacher's probabilities."""
    share = np.array(
        [
            _CORPUS_HARD_SHARE
            if post.family == "corpus"
            else _HARD_SHARE.get(post.source, _DEFAULT_HARD_SHARE)
            for post in dataset.posts
        ]
    )[:, None]
    soft = 1.0 / (1.0 + np.exp(-logits))
    mixed = share * dataset.hard + (1 - share) * soft
    out = np.where(np.isnan(dataset.hard), soft, np.where(np.isnan(soft), dataset.hard, mixed))
    return out.astype(np.float32)


def language_names(indices: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Return language names for indices into LANGUAGES."""
    return np.array(LANGUAGES)[indices]
