"""What labels bring: a model that never saw a source, before and after `adapt` on some posts.

For each source a model trained without its family, and with probabilities fitted without it, is
written from what `make train` leaves in the work folder; `sample` picks posts of the source, their
labels go through `adapt`, and the rest is the test. Rules and classifier together, as `scan`
decides; F1 at the review point, and the best that any threshold on the score reaches. The last
column is the shipped recipe trained on the source, test posts included, so it is an upper bound.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from moderation import Moderator
from moderation.adaptation.adapt import NotBetterError, adapt
from moderation.adaptation.sample import sample
from moderation.classifier import SessionOptions, load_model
from moderation.rules import load_ruleset
from moderation.training.build import write_model
from moderation.training.data import Post, load_sources
from moderation.training.trainer import held_out, make_trainer
from moderation.types import POLICIES

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("fbs", "pip", "rsp")
_BATCH = 4096


def decide(model: Path, texts: list[str], tier: str) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and whether each post is reviewed or blocked, (posts, policies)."""
    moderator = Moderator(model=model, tier=tier)
    scores = np.zeros((len(texts), len(POLICIES)))
    flagged = np.zeros(scores.shape, np.bool_)
    for start in range(0, len(texts), _BATCH):
        found = moderator.check_batch(texts[start : start + _BATCH])
        scores[start : start + len(found)] = found.scores
        for post, labels in found.labels.items():
            for label in labels:
                flagged[start + post, POLICIES.index(label.label)] = label.action != "pass"
    return scores, flagged


def f1(labels: np.ndarray, flagged: np.ndarray) -> float:
    """Return F1 of decisions."""
    return float(2 * (labels * flagged).sum() / max(labels.sum() + flagged.sum(), 1))


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the highest F1 of any threshold."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last = np.append(np.diff(scores[order]) != 0, True)
    return float((2 * hits / (np.arange(1, len(hits) + 1) + labels.sum()))[last].max())


def write_rows(path: Path, posts: list[Post], rows: list[int]) -> None:
    """Write labelled rows as a person would hand them in."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            labels: dict[str, Any] = {
                policy: None if value is None else int(value)
                for policy, value in zip(POLICIES, posts[row].labels, strict=True)
            }
            line = {"id": str(row), "text": posts[row].text, "labels": labels}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def main() -> None:
    """Adapt and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/")
    parser.add_argument("--work", type=Path, default=ROOT / "work")
    parser.add_argument("--tier", default="fast", help="fast, deep or cascade")
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ruleset = load_ruleset(ROOT / "rules")
    every = load_sources(arguments.data)
    trainer = make_trainer(arguments.data, ROOT / "corpus", ROOT / "rules", arguments.work, 0)
    found = held_out(trainer)
    print(
        f"{'source':<6} {'policy':<9} {'labels':>6} {'viol.':>5} {'test':>6}  "
        "F1 at review: before  after   knew | best F1: before  after   knew | seconds"
    )
    with tempfile.TemporaryDirectory() as made:
        write_model(trainer, found, ROOT / "rules", Path(made) / "final")
        for source in arguments.sources:
            posts = [
                p for p in every
                if p.family == source and p.source != "pip_twitter_silver"
                and (source, p.language) != ("pip", "en")
            ]  # fmt: skip
            write_model(trainer, found, ROOT / "rules", Path(made) / source, source)
            measure(source, posts, ruleset, arguments, Path(made))


def measure(
    source: str, posts: list[Post], ruleset: Any, arguments: argparse.Namespace, made: Path
) -> None:
    """Adapt the model without a source with each number of labels; print a row a policy."""
    base, tier = made / source, arguments.tier
    texts = [post.text for post in posts]
    truth = np.array([[np.nan if v is None else v for v in p.labels] for p in posts], float)
    known = {
        "before": decide(base, texts, tier),
        "knew": decide(made / "final", texts, tier),
    }
    for count in arguments.labels:
        model = load_model(base, tier, SessionOptions())
        ids = [str(row) for row in range(len(texts))]
        parts = range(0, len(ids), _BATCH)
        batches = ((ids[at : at + _BATCH], texts[at : at + _BATCH]) for at in parts)
        rows = [int(p.data_id) for p in sample(model, ruleset, batches, count, arguments.seed)]
        labelled, out = made / f"{source}-{count}.jsonl", made / f"{source}-{count}"
        write_rows(labelled, posts, rows)
        started = time.process_time()
        try:
            adapt([labelled], out, base, ruleset)
        except NotBetterError as error:
            print(f"{source}: {error}")
            continue
        seconds = time.process_time() - started
        found = known | {"after": decide(out, texts, tier)}
        test = np.ones(len(texts), np.bool_)
        test[rows] = False
        for column, policy in enumerate(POLICIES):
            own = test & ~np.isnan(truth[:, column])
            labels = truth[own, column]
            if not labels.any():
                continue
            order = ("before", "after", "knew")
            at_review = "  ".join(f"{f1(labels, found[n][1][own, column]):.3f}" for n in order)
            best = "  ".join(f"{best_f1(labels, found[n][0][own, column]):.3f}" for n in order)
            positive = int((truth[rows, column] == 1).sum())
            print(
                f"{source:<6} {policy:<9} {count:>6} {positive:>5} {int(own.sum()):>6}  "
                f"{'':<14}{at_review}  |  {'':<8}{best}  | {seconds:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
