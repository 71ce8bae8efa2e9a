"""Speed and quality beside other ways to look at the same posts, on one core, in one run.

Run it pinned: taskset -c 0 python benchmarks/peers.py. Contenders take turns within a round; a
round that does not count warms up. A slow contender is given fewer posts, whose lengths are spread
as those of all. One that cannot run here is listed with the reason.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from contenders import Contender, MissingError, classifiers, matching, ours, transformer
from contenders.terms import every_term, lone_terms
from measuring import ROOT, Spread, alternate, evenly, publish, share_of_core
from rules_alone import hardware, table
from traffic import generate

from moderation.classifier import read_manifest
from moderation.training.data import held_out_ids, load_corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from moderation.training.data import Post

FEWEST: Final = 24
_TRIAL: Final = 8
_LANGUAGES: Final = ("zh", "en", "mixed")


@dataclass(frozen=True)
class Field:
    """Who takes part.

    Attributes:
        contenders: those that can run; ours, in its default tier, comes first.
        missing: names of the others, with the reason.
    """

    contenders: tuple[Contender, ...]
    missing: tuple[tuple[str, str], ...]


def makers(
    model: Path, rules: Path, posts: list[Post]
) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """Yield name and maker of every contender; `posts` are what those without a model learn."""
    yield from ours.ours(model)
    every, lone = every_term(rules), lone_terms(rules)
    for name, make, terms in (
        ("ahocorasick-rs, posts joined", matching.joined, every),
        ("ahocorasick-rs, post by post", matching.by_post, every),
        ("pyahocorasick", matching.pyahocorasick, every),
        ("Hyperscan", matching.hyperscan, every),
        ("re", matching.alternation_of_re, every),
        ("regex", matching.alternation, every),
        ("ahocorasick-rs, block list", matching.block_list, lone),
    ):
        yield name, lambda make=make, terms=terms: make(terms)  # type: ignore[misc]
    yield "alt-profanity-check", classifiers.alt_profanity_check
    yield "better-profanity", classifiers.better_profanity
    yield "fastText, taught on corpus/", lambda: classifiers.fasttext(posts)
    yield "TF-IDF + logistic regression", lambda: classifiers.tf_idf(posts)
    manifest, _ = read_manifest(model)
    tokenizer = model / next(iter(manifest.tiers.values())).tokenizer
    yield (
        "transformer of XLM-R base's shape, int8",
        lambda: transformer.transformer(tokenizer, ROOT / "work" / "peers"),
    )


def gather(made: Iterator[tuple[str, Callable[[], Contender]]], only: str = "") -> Field:
    """Make every contender whose name holds `only`; ours, in its default tier, always."""
    contenders: list[Contender] = []
    missing: list[tuple[str, str]] = []
    for name, make in made:
        if contenders and only not in name:
            continue
        try:
            contenders.append(make())
        except MissingError as error:
            missing.append((name, str(error)))
    return Field(tuple(contenders), tuple(missing))


def share_of(posts: list[str], contender: Contender, seconds: float) -> list[str]:
    """Return as many posts as a contender gets through in some seconds, at least FEWEST."""
    trial = evenly(posts, _TRIAL)
    contender.run(trial)  # what is built on first use does not count
    while True:
        start = time.perf_counter()
        contender.run(trial)
        took = time.perf_counter() - start
        if took > seconds / 4 or len(trial) == len(posts):
            break
        trial = evenly(posts, min(len(trial) * 4, len(posts)))
    count = max(int(len(trial) * seconds / max(took, 1e-9)), FEWEST)
    return evenly(posts, count)


def speed(field: Field, posts: dict[str, list[str]], spreads: dict[str, Spread]) -> list[list[str]]:
    """Return the rows of the table of speed, the fastest first."""
    ours = field.contenders[0].name
    base = len(posts[ours]) / spreads[ours].median
    rows = []
    for each in field.contenders:
        mine = posts[each.name]
        rate, low, high = spreads[each.name].rates(len(mine))
        size = sum(len(post.encode(errors="surrogatepass")) for post in mine) / 1e6
        megabytes = size / spreads[each.name].median
        ratio = rate / base
        rows.append(
            (
                rate,
                [
                    f"**{each.name}**" if each.name == ours else each.name,
                    each.does,
                    *(_figure(value) for value in (rate, low, high, megabytes)),
                    f"{ratio:.2f}" if ratio >= 0.01 else f"1/{1 / ratio:,.0f}",
                    f"{len(mine):,}",
                ],
            )
        )
    rows.sort(key=lambda row: -row[0])
    return [row for _, row in rows]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Judged:
    """What a contender says of posts whose labels are known."""

    flagged: NDArray[np.bool_]
    scores: NDArray[np.float64]

    def recall(self, violating: NDArray[np.bool_]) -> float:
        """Return the share of violations that are flagged."""
        return float(self.flagged[violating].mean()) if violating.any() else float("nan")

    def recall_at(self, violating: NDArray[np.bool_], share: float) -> float:
        """Return recall with the threshold moved until so many innocent posts are flagged."""
        innocent = np.sort(self.scores[~violating])[::-1]
        allowed = int(share * len(innocent))
        above = innocent[allowed] if allowed < len(innocent) else -np.inf
        return float((self.scores[violating] > above).mean())


def quality(field: Field, posts: list[Post]) -> list[list[str]]:
    """Return the rows of the table of quality on some labelled posts, in the field's order."""
    violating = np.array([any(label == 1 for label in post.labels) for post in posts])
    languages = np.array([post.language for post in posts])
    texts = [post.text for post in posts]
    rows: list[list[str]] = []
    allowed = None
    for each in field.contenders:
        if each.scores is None:
            continue
        scores = each.scores(texts)
        judged = Judged(scores >= each.threshold, scores)
        false = float(judged.flagged[~violating].mean())
        allowed = false if allowed is None else allowed
        by_language = [
            Judged(judged.flagged[at], scores[at]).recall(violating[at])
            for at in (languages == name for name in _LANGUAGES)
        ]
        moved = f"{judged.recall_at(violating, allowed):.1%}" if each.graded else "-"
        rows.append(
            [
                f"**{each.name}**" if not rows else each.name,
                f"{judged.recall(violating):.1%}",
                f"{false:.1%}",
                *(f"{value:.1%}" for value in by_language),
                moved,
            ]
        )
    return rows


def report(
    field: Field,
    shares: dict[str, list[str]],
    spreads: dict[str, Spread],
    held_out: list[Post],
    rounds: int,
) -> str:
    """Return both tables with what they were measured on and how."""
    ours = field.contenders[0].name
    wide = max(
        (each.rates(1)[2] - each.rates(1)[1]) / each.rates(1)[0] for each in spreads.values()
    )
    posts = max(shares.values(), key=len)
    length = sum(map(len, posts)) / len(posts)
    violating = sum(any(label == 1 for label in post.labels) for post in held_out)
    lines = [
        f"{hardware()}.",
        f"{len(posts):,} generated posts of {length:.0f} code points; medians, lowest and highest "
        f"of {rounds} rounds in turns after one that does not count. Between lowest and highest "
        f"lie at most {wide:.0%} of a median; the process had "
        f"{share_of_core(list(spreads.values())):.0%} of the core.",
        "",
        table(
            ["contender", "what it does and does not", "posts/s", "lowest", "highest", "MB/s",
             f"ratio to {ours}", "posts"],
            speed(field, shares, spreads),
            left=2,
        ),
    ]  # fmt: skip
    if field.missing:
        lines += ["", table(["not measured", "why"], map(list, field.missing), left=2)]
    lines += [
        "",
        f"The corpus' untouched fifth, {len(held_out):,} posts, {violating:,} of them violating "
        "a policy; flagged means reviewed or blocked, or a score of 0.5 and more. Innocent posts "
        "here were written to resemble violations; the authors of the rules have read them all.",
        "",
        table(
            ["contender", "violations flagged", "innocents flagged", *_LANGUAGES,
             "flagged at our share of innocents"],
            quality(field, held_out),
        ),
    ]  # fmt: skip
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a contender in a round")
    parser.add_argument("--only", default="", help="part of the names of those that take part")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md as well")
    chosen = parser.parse_args(arguments)
    corpus = load_corpus(ROOT / "corpus")
    untouched = held_out_ids(corpus)
    taught = [post for post in corpus if post.id not in untouched]
    field = gather(makers(chosen.model, ROOT / "rules", taught), chosen.only)
    posts = generate(chosen.posts)
    shares = {each.name: share_of(posts, each, chosen.seconds) for each in field.contenders}
    spreads = alternate(
        {
            each.name: lambda each=each: each.run(shares[each.name])  # type: ignore[misc]
            for each in field.contenders
        },
        chosen.rounds,
    )
    held_out = [post for post in corpus if post.id in untouched]
    body = report(field, shares, spreads, held_out, chosen.rounds)
    publish(body, "peers", write=chosen.write)


if __name__ == "__main__":
    main()
