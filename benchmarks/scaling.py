"""How cost grows: with the length of posts, with their number, and with the number of rules.

Figures are processor time, which other work on the machine disturbs least. `--posts` sets the
largest number of posts sent through `moderate scan`; they are generated on the fly.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import yaml
from measuring import ROOT, alternate, publish
from rules_alone import hardware, load_rules, table
from traffic import everyday, generate

from moderation import Moderator
from moderation.rules import load_ruleset
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LENGTHS: Final = (10, 30, 100, 300, 1_000, 3_000, 10_000)
CODEPOINTS: Final = 400_000
POOL: Final = 20_000
SMALLEST: Final = 10_000
MOST_FACTORS: Final = 4
"""As many rulesets as a process keeps compiled."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TERMS: Final = ("any", "all", "near", "none", "exceptions", "require")


def posts_of_length(length: int, codepoints: int = CODEPOINTS) -> list[str]:
    """Return everyday posts of exactly one length, about so many code points in all."""
    source = random.Random(length)
    posts = []
    for _ in range(max(codepoints // length, 1)):
        language = source.choices(("zh", "en", "mixed"), (0.5, 0.4, 0.1))[0]
        text = everyday(language, source)
        while len(text) < length:
            text += f" {everyday(language, source)}"
        posts.append(text[:length])
    return posts


def by_length(rounds: int, codepoints: int) -> str:
    """Return the table of cost against length."""
    moderator = Moderator()
    posts = {length: posts_of_length(length, codepoints) for length in LENGTHS}
    spreads = alternate(
        {
            str(length): lambda part=part: moderator.check_batch(part)  # type: ignore[misc]
            for length, part in posts.items()
        },
        rounds,
    )
    rows = []
    for length, part in posts.items():
        busy = sorted(spreads[str(length)].processor)[rounds // 2]
        each = 1e6 * busy / len(part)
        rows.append(
            [f"{length:,}", f"{len(part):,}", f"{1e6 / each:,.0f}", f"{each:,.1f}",
             f"{1e3 * each / length:,.0f}"]
        )  # fmt: skip
    head = ["code points", "posts", "posts/s", "µs a post", "ns a code point"]
    return table(head, rows, left=0)


def lines(count: int, posts: Sequence[str]) -> Iterator[bytes]:
    """Yield records with an id of their own each, the texts over and over."""
    texts = [json.dumps(post, ensure_ascii=False) for post in posts]
    for number, text in enumerate(islice(cycle(texts), count)):
        yield f'{{"id": "{number}", "text": {text}}}\n'.encode(errors="surrogatepass")


WATCHED: Final = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
"""Runs a command and tells its processor time and peak: a process between, since Linux counts to a
command the memory of whoever starts it, and this one has models and posts in it."""


def scan(count: int, posts: Sequence[str]) -> tuple[float, float, float]:
    """Send posts through `moderate scan`; return wall and processor seconds, and peak MB."""
    command = [sys.executable, str(ROOT / "cli.py"), "scan", "-", "-q", "-o", os.devnull,
               "--format", "jsonl"]  # fmt: skip
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHED, *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as pipe:
            pipe.writelines(lines(count, posts))
        busy, peak = process.stdout.read().split()
        process.stdout.close()
        if process.wait():
            raise SystemExit(f"moderate scan ended with {process.returncode} on {count} posts")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return time.perf_counter() - start, float(busy), float(peak) / scale


def by_count(largest: int) -> str:
    """Return the table of cost against the number of posts."""
    posts = generate(POOL)
    nothing = scan(1, posts)[1]
    rows = []
    count = SMALLEST
    while count <= largest:
        wall, busy, peak = scan(count, posts)
        rows.append(
            [f"{count:,}", f"{wall:,.1f}", f"{busy:,.1f}",
             f"{1e6 * max(busy - nothing, 0.0) / count:,.1f}", f"{peak:,.0f}"]
        )  # fmt: skip
        count *= 10
    head = ["posts", "seconds", "processor seconds", "µs a post, start-up left out", "peak MB"]
    return f"Start-up: {nothing:.1f} processor seconds.\n\n{table(head, rows, left=0)}"


def more_rules(folder: Path, target: Path, factor: int) -> Path:
    """Copy a rules folder, every policy rule `factor` times: once as it is, else of made-up terms.

    Made-up terms are as long as those they stand for and of the same scripts; nobody writes them,
    so that the cost of carrying rules is measured, not that of more matches.
    """
    shutil.copytree(folder, target)
    for policy in POLICIES:
        for path in sorted((folder / policy).glob("*.yaml")):
            pack = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
            for copy in range(1, factor):
                made = _made_up(pack, random.Random(f"{path.name}{copy}"), copy)
                text = yaml.dump(
                    made, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=1000
                )
                name = f"{path.stem}_more_{copy:02}.yaml"
                (target / policy / name).write_text(text, encoding="utf-8")
    return target


def _made_up(pack: dict[str, Any], source: random.Random, copy: int) -> dict[str, Any]:
    known: dict[str, str] = {}

    def term(text: str) -> str:
        if text not in known:
            known[text] = "".join(_like(c, source) for c in text)
        return known[text]

    def inside(node: Any) -> Any:
        match node:
            case str():
                return term(node)
            case list():
                return [inside(item) for item in node]
            case dict():
                return {k: inside(v) if k in _TERMS else v for k, v in node.items()}
        return node

    def rule(node: dict[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in node.items() if k not in {"tests", "notes", "allow"}}
        made = {k: inside(v) if k in _TERMS else v for k, v in kept.items()}
        return made | {"id": f"{node['id']}-more-{copy}"}

    lists = {name: inside(items) for name, items in pack.get("lists", {}).items()}
    return pack | {"lists": lists, "rules": [rule(node) for node in pack["rules"]]}


def _like(character: str, source: random.Random) -> str:
    """Return a random character of the same kind; what is neither Han nor a letter stays."""
    if "\u4e00" <= character <= "\u9fff":
        return chr(source.randrange(0x4E00, 0x9FA6))
    if character.isascii() and character.isalpha():
        return chr(source.randrange(ord("a"), ord("z") + 1))
    return character


def by_rules(factors: Sequence[int], rounds: int, count: int) -> str:
    """Return the table of cost against the number of rules, the rules' stage and everything."""
    posts = generate(count)
    with tempfile.TemporaryDirectory() as folder:
        stages: dict[str, Any] = {}
        sizes: dict[int, tuple[int, int, float]] = {}
        for factor in factors:
            rules = more_rules(ROOT / "rules", Path(folder) / str(factor), factor)
            start = time.process_time()
            ruleset = load_ruleset(rules)
            alone, moderator = load_rules(rules), Moderator(rules=rules)
            alone.stage(posts[:64])
            sizes[factor] = (len(ruleset.rules), ruleset.terms, time.process_time() - start)
            stages[f"rules {factor}"] = lambda alone=alone: alone.stage(posts)
            stages[f"all {factor}"] = lambda moderator=moderator: moderator.check_batch(posts)
        spreads = alternate(stages, rounds)
    rows = []
    first: dict[str, float] = {}
    for factor in factors:
        row = [f"{factor} ×", *(f"{size:,}" for size in sizes[factor][:2])]
        row.append(f"{sizes[factor][2]:,.1f}")
        for stage in ("rules", "all"):
            busy = sorted(spreads[f"{stage} {factor}"].processor)[rounds // 2]
            first.setdefault(stage, busy)
            row += [f"{1e6 * busy / count:,.1f}", f"{busy / first[stage]:.2f}"]
        rows.append(row)
    head = ["rules", "rules and contexts", "terms", "seconds to compile", "rules: µs a post",
            "ratio", "everything: µs a post", "ratio"]  # fmt: skip
    return table(head, rows, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=float, default=1e5, help="most that are scanned, to 1e7")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--codepoints", type=int, default=CODEPOINTS, help="of a length's posts")
    parser.add_argument(
        "--factors", type=int, nargs="+", default=[1, 20], help="how many times the rules"
    )
    parser.add_argument("--write", action="store_true", help="into docs/performance.md as well")
    chosen = parser.parse_args(arguments)
    if len(chosen.factors) > MOST_FACTORS:
        parser.error(f"--factors: expected at most {MOST_FACTORS}, found {len(chosen.factors)}")
    parts = [
        f"{hardware()}. Processor time, medians of {chosen.rounds} rounds in turns.",
        "By length, `check_batch`, everyday posts:",
        by_length(chosen.rounds, chosen.codepoints),
        "By number of posts, `moderate scan`, one process, JSONL from a pipe:",
        by_count(int(chosen.posts)),
        "By number of rules; what is added never matches:",
        by_rules(chosen.factors, chosen.rounds, min(POOL, int(chosen.posts))),
    ]
    publish("\n\n".join(parts), "scaling", write=chosen.write)


if __name__ == "__main__":
    main()
