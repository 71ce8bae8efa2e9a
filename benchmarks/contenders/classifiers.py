"""Classifiers: those that come taught, and those taught here on the corpus' training part."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import regex

from contenders import Contender, need
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from moderation.training.data import Post

_HAN: Final = regex.compile(r"(\p{Han})")
_EPOCHS: Final = 25
_NONE: Final = "__label__none"


def alt_profanity_check() -> Contender:
    """Return alt-profanity-check: a linear model over words of English tweets."""
    module: Any = need("profanity_check", "alt-profanity-check")
    return Contender(
        "alt-profanity-check",
        "probability that English is offensive; no policies, no Chinese, no evidence",
        module.predict_prob,
        lambda posts: np.asarray(module.predict_prob(list(posts)), np.float64),
    )


def better_profanity() -> Contender:
    """Return better-profanity: a list of English swear words with leet spellings."""
    module: Any = need("better_profanity", "better-profanity")
    filter_ = module.profanity
    filter_.load_censor_words()

    def run(posts: Sequence[str]) -> list[bool]:
        return [filter_.contains_profanity(post) for post in posts]

    return Contender(
        "better-profanity",
        "whether an English swear word or a leet spelling is there; no policies, no Chinese",
        run,
        lambda posts: np.array(run(posts), np.float64),
        graded=False,
    )


def fasttext(posts: Sequence[Post]) -> Contender:
    """Return fastText taught on some posts: words, their bigrams and letters within words."""
    module: Any = need("fasttext", "fasttext-numpy2-wheel")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.txt"
        with path.open("w", encoding="utf-8") as out:
            for post in posts:
                names = [p for p, y in zip(POLICIES, post.labels, strict=True) if y == 1]
                labels = " ".join(f"__label__{name}" for name in names) or _NONE
                out.write(f"{labels} {spaced(post.text)}\n")
        with _silent():
            model = module.train_supervised(
                str(path), loss="ova", epoch=_EPOCHS, lr=0.3, dim=64, wordNgrams=2,
                minn=2, maxn=4, bucket=1 << 18, thread=1, verbose=0,
            )  # fmt: skip

    def run(posts: Sequence[str]) -> tuple[list[list[str]], list[NDArray[np.float32]]]:
        found: tuple[list[list[str]], list[NDArray[np.float32]]] = model.predict(
            [spaced(post) for post in posts], k=len(POLICIES) + 1
        )
        return found

    def scores(posts: Sequence[str]) -> NDArray[np.float64]:
        labels, shares = run(posts)
        return np.array(
            [
                max(share for name, share in zip(*each, strict=True) if name != _NONE)
                for each in zip(labels, shares, strict=True)
            ],
            np.float64,
        )

    return Contender(
        "fastText, taught on corpus/",
        "a probability for each policy; no disguises undone, no evidence, no stance, uncalibrated",
        run,
        scores,
    )


def tf_idf(posts: Sequence[Post]) -> Contender:
    """Return a logistic regression for each policy over TF-IDF of 1 to 4 characters."""
    need("sklearn", "scikit-learn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    targets = np.array([[y == 1 for y in post.labels] for post in posts], np.int64)
    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=3, sublinear_tf=True),
        OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=400, solver="liblinear")),
    )
    model.fit([post.text for post in posts], targets)
    return Contender(
        "TF-IDF + logistic regression, taught on corpus/",
        "a probability for each policy; no disguises undone, no evidence, no stance",
        model.predict_proba,
        lambda posts: np.asarray(model.predict_proba(list(posts)).max(axis=1), np.float64),
    )


def spaced(text: str) -> str:
    """Return a post on one line, lower case, every Han character a word."""
    return " ".join(_HAN.sub(r" \1 ", text.lower()).split())


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Send to nowhere what fastText's C++ writes to standard error while it trains."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
