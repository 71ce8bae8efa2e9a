"""Posts per second, stage by stage. Run it pinned: taskset -c 0 python benchmarks/throughput.py.

`--profile` prints what each stage costs in nanoseconds a code point and a post instead, in
processor time of this process, which other processes disturb less.
"""

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
import pyarrow as pa
from traffic import generate

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model
from moderation.classifier.features import Tokenizer
from moderation.classifier.manifest import CASCADE
from moderation.rules import load_ruleset
from moderation.text import TextBatch, identify
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.text.spacing import unspace
from moderation.types import SCREEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from moderation.classifier import Model
    from moderation.decide import Verdicts
    from moderation.text import View


def median_rate(stage: Callable[[], object], posts: int, runs: int) -> tuple[float, float, float]:
    """Return the median, lowest and highest posts per second over some runs, after a warm-up."""
    stage()
    rates = []
    for _ in range(runs):
        start = time.perf_counter()
        stage()
        rates.append(posts / (time.perf_counter() - start))
    return statistics.median(rates), min(rates), max(rates)


def processor_time(stage: Callable[[], object], runs: int) -> float:
    """Return the least seconds of processor time that a stage takes in some runs."""
    stage()
    taken = []
    for _ in range(runs):
        start = time.process_time()
        stage()
        taken.append(time.process_time() - start)
    return min(taken)


def latencies(moderator: Moderator, posts: list[str]) -> list[float]:
    """Return the seconds of `check` for each of some posts, ascending, after a warm-up."""
    for post in posts[:100]:
        moderator.check(post)
    taken = []
    for post in posts:
        start = time.perf_counter()
        moderator.check(post)
        taken.append(time.perf_counter() - start)
    return sorted(taken)


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")


def screen_stage(model: Model, base: View, verdicts: Verdicts) -> dict[str, Callable[[], object]]:
    """Return the screen's stage, named by what leaves; nothing where the model has no screen."""
    screen = model.screen
    if screen is None:
        return {}
    left = verdicts.tier_names.index(SCREEN)
    share = float((verdicts.tiers == left).mean())
    return {f"screen ({share:.1%} leave)": lambda: screen.margins(base)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="nanoseconds of processor time")
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
    scan = ruleset.scan(batch, base)
    verdicts = moderator.check_batch(posts)
    unscreened = Moderator(tier="fast", screen=False)
    records = pa.record_batch({"id": [f"n{n}" for n in range(len(posts))], "text": posts})
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
        **screen_stage(model, base, verdicts),
        "tokens": lambda: tokenizer.encode(base),
        "fast tier (tokens, n-grams, ONNX)": lambda: model.raw_logits(base),
        "verdicts to JSON lines": verdicts.to_json_lines,
        "verdicts to Arrow": verdicts.to_arrow,
        "check_batch: everything, no screen": lambda: unscreened.check_batch(posts),
        "check_batch: everything, fast tier": lambda: moderator.check_batch(posts),
        "score_batch: Arrow in, Arrow out": lambda: moderator.score_batch(records),
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
    print(f"{ruleset.terms} terms; ", end="")
    if arguments.profile:
        print_profile(stages, len(posts), len(batch.codepoints), arguments.runs)
    else:
        print_rates(stages, len(posts), arguments.runs)
    taken = latencies(moderator, posts[:2000])
    middle, late = (1e3 * taken[int(share * len(taken))] for share in (0.5, 0.99))
    print(f"\ncheck, one post at a time: median {middle:.2f} ms, 99th percentile {late:.2f} ms")


def print_rates(stages: dict[str, Callable[[], object]], posts: int, runs: int) -> None:
    """Print posts per second of every stage."""
    print(f"median, lowest, highest of {runs} runs\n")
    print(f"| {'stage':<34} | {'posts/s':>9} | {'lowest':>9} | {'highest':>9} | us/post |")
    print("|---|---|---|---|---|")
    for name, stage in stages.items():
        middle, low, high = median_rate(stage, posts, runs)
        print(
            f"| {name:<34} | {middle:>9,.0f} | {low:>9,.0f} | {high:>9,.0f} | {1e6 / middle:7.2f} |"
        )


def print_profile(
    stages: dict[str, Callable[[], object]], posts: int, codepoints: int, runs: int
) -> None:
    """Print what every stage costs."""
    print(f"processor time, least of {runs} runs\n")
    print(f"| {'stage':<34} | {'ns/code point':>13} | {'ns/post':>9} |")
    print("|---|---|---|")
    for name, stage in stages.items():
        taken = 1e9 * processor_time(stage, runs)
        print(f"| {name:<34} | {taken / codepoints:>13,.1f} | {taken / posts:>9,.0f} |")


if __name__ == "__main__":
    main()
