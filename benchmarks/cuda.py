"""Posts per second by rows of a run on a GPU, and how far its scores are from the processor's.

Where there is no GPU it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import onnxruntime
from measuring import ROOT, alternate, publish
from rules_alone import hardware, table
from traffic import generate

from moderation import Moderator
from moderation.classifier import SessionOptions, cuda_problem, load_model, read_manifest
from moderation.classifier.tier import Tier
from moderation.rules import load_ruleset
from moderation.text import TextBatch
from moderation.types import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS: Final = (16, 64, 128, 256, 512, 1024)
GUARD: Final = 0.002
"""A score within this of a threshold may lead to another action on a GPU."""


def speed(model: Path, posts: list[str], rounds: int) -> str:
    """Return the table of the classifier alone: folded posts in, logits out."""
    table_ = load_ruleset(ROOT / "rules").table
    base = table_.base(TextBatch.from_strings(posts))
    manifest, _ = read_manifest(model)
    stages = {}
    for name in sorted(manifest.tiers):
        for rows in ROWS:
            tier = Tier(model, manifest, name, SessionOptions("cuda", gpu_rows=rows))
            stages[f"{name} {rows}"] = lambda tier=tier: tier.logits(base)  # type: ignore[misc]
    spreads = alternate(stages, rounds)
    rows_ = []
    for stage, spread in spreads.items():
        name, rows = stage.split()
        figures = [f"{value:,.0f}" for value in spread.rates(len(posts))]
        rows_.append([name, rows, *figures])
    return table(["tier", "rows of a run", "posts/s", "lowest", "highest"], rows_)


def everything(model: Path, posts: list[str], rounds: int) -> str:
    """Return the table of `check_batch` on both devices, with how far they are apart."""
    manifest, _ = read_manifest(model)
    rows = []
    for tier in manifest.tier_names:
        devices = {
            device: Moderator(model=model, tier=tier, device=device) for device in ("cpu", "cuda")
        }
        spreads = alternate(
            {
                name: lambda moderator=moderator: moderator.check_batch(posts)  # type: ignore[misc]
                for name, moderator in devices.items()
            },
            rounds,
        )
        cpu, cuda = (moderator.check_batch(posts) for moderator in devices.values())
        points = load_model(model, tier, SessionOptions()).operating_points
        languages = np.array([LANGUAGES.index(verdict.language) for verdict in cpu])
        near = (np.abs(cpu.scores[..., None] - points[languages]) <= GUARD).any(axis=(1, 2))
        other = cpu.actions != cuda.actions
        rates = [f"{spreads[name].rates(len(posts))[0]:,.0f}" for name in devices]
        rows.append(
            [
                tier,
                *rates,
                f"{np.abs(cpu.scores - cuda.scores).max():.4f}",
                f"{int((other & near).sum()):,} of {int(near.sum()):,}",
                f"{int((other & ~near).sum()):,} of {int((~near).sum()):,}",
            ]
        )
    head = ["tier", "CPU, posts/s", "GPU, posts/s", "largest difference of a score",
            f"other actions within {GUARD} of a threshold", "other actions elsewhere"]  # fmt: skip
    return table(head, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md as well")
    chosen = parser.parse_args(arguments)
    problem = cuda_problem()
    if problem is not None:
        publish(f"Not measured on a GPU: {problem}.", "cuda", write=chosen.write)
        return
    posts = generate(chosen.posts)
    body = [
        f"{hardware()}; onnxruntime {onnxruntime.__version__}. {len(posts):,} generated posts; "
        f"medians of {chosen.rounds} rounds in turns.",
        "The classifier alone:",
        speed(chosen.model, posts, chosen.rounds),
        "`check_batch`, everything:",
        everything(chosen.model, posts, chosen.rounds),
    ]
    publish("\n\n".join(body), "cuda", write=chosen.write)


if __name__ == "__main__":
    main()
