"""Posts per second, stage by stage. Run it pinned: taskset -c 0 python benchmarks/throughput.py."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import onnxruntime
from traffic import generate

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model
from moderation.classifier.features import Tokenizer, one_line
from moderation.classifier.manifest import CASCADE
from moderation.rules import load_ruleset
from moderation.text import TextBatch, identify
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.text.spacing import unspace

if TYPE_CHECKING:
    from collections.abc import Callable


def median_rate(stage: Callable[[], object], posts: int, runs: int) -> tuple[float, float, float]:
    """Return the median, lowest and highest posts per second over some runs, after a warm-up."""
    stage()
    rates = []
    for _ in range(runs):
        start = time.perf_counter()
        stage()
        rates.append(posts / (time.perf_counter() - start))
    return statistics.median(rates), min(rates), max(rates)


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    posts = generate(arguments.posts)
    moderator = Moderator(tier="fast")
    assert moderator.rules is not None
    assert moderator.model is not None
    ruleset = load_ruleset(moderator.rules)
    model = load_model(moderator.model, "fast", SessionOptions())
    table = ruleset.table
    tokenizer = Tokenizer(moderator.model / model.manifest.tiers["fast"].tokenizer)
    batch = TextBatch.from_strings(posts)
    base = table.base(batch)
    sound, shapes = load_sound(moderator.rules), load_shapes(moderator.rules)
    assert sound is not None
    assert shapes is not None
    compact = table.compact(base)
    texts = one_line(base)
    scan = ruleset.scan(batch, base)
    verdicts = moderator.check_batch(posts)
    stages: dict[str, Callable[[], object]] = {
        "text batch from str": lambda: TextBatch.from_strings(posts),
        "base view": lambda: table.base(batch),
        "spaced posts read without spaces": lambda: unspace(base, table),
        "compact view": lambda: table.compact(base),
        "shape view": lambda: shapes.view(compact, table),
        "sound view": lambda: sound.view(base, table),
        "language": lambda: identify(base, table, batch),
        "rules: scan, views included": lambda: ruleset.scan(batch, base),
        f"rules: look at the {len(scan.posts) / len(posts):.1%} left": lambda: ruleset.findings(
            scan, scan.posts, np.zeros(len(scan.posts), np.bool_), every_cue=False
        ),
        "tokens": lambda: tokenizer.encode(texts),
        "fast tier (tokens, n-grams, ONNX)": lambda: model.raw_logits(base),
        "verdicts to JSON lines": verdicts.to_json_lines,
        "check_batch: everything, fast tier": lambda: moderator.check_batch(posts),
    }
    if CASCADE in model.manifest.tier_names:
        languages = identify(base, table, batch)
        both = load_model(moderator.model, CASCADE, SessionOptions())
        asked = float(both.asked(model.logits(base, languages), languages).mean())
        cascade = Moderator(tier=CASCADE)
        stages[f"the same, cascade ({asked:.1%} asked)"] = lambda: cascade.check_batch(posts)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{processor()}, {cores} core(s), Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, onnxruntime {onnxruntime.__version__}, 1 thread")
    print(
        f"{len(posts)} generated posts, {len(batch.codepoints) / len(posts):.1f} code points each"
    )
    print(f"{ruleset.terms} terms; median, lowest, highest of {arguments.runs} runs\n")
    print(f"| {'stage':<34} | {'posts/s':>9} | {'lowest':>9} | {'highest':>9} | us/post |")
    print("|---|---|---|---|---|")
    for name, stage in stages.items():
        middle, low, high = median_rate(stage, len(posts), arguments.runs)
        print(
            f"| {name:<34} | {middle:>9,.0f} | {low:>9,.0f} | {high:>9,.0f} | {1e6 / middle:7.2f} |"
        )


if __name__ == "__main__":
    main()
