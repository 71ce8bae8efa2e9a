"""What the rules do by themselves: false alarms, recall, precision, speed and its worst cases.

No classifier: see rules_alone.py for what "flagged" and "blocked" mean then. Without --data only
corpus/, tests/posts and the speed tables are printed. --sample prints posts to read by eye: what
is flagged in each ordinary source, and in each labelled one what is flagged wrongly or missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostile import SIZE, hostile, ordinary
from rules_alone import RulesAlone, hardware, load_rules, percent, table
from sources import ORDINARY, REFERENCE, load_public, written_posts
from traffic import generate

from moderation.resources import data_root
from moderation.training.data import Post, load_corpus
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moderation.rules import Findings

ROOT = Path(__file__).resolve().parent.parent
RUNS = 5
CORPUS = "corpus"
"""Written for this project; the rules' authors have read it, so its figures flatter."""


@dataclass(frozen=True)
class Judged:
    """A post, what the rules found in it, and the action by policy that follows."""

    text: str
    found: Findings
    actions: dict[str, str]

    @property
    def flagged(self) -> bool:
        """True where some policy asks for review or block."""
        return any(action != "pass" for action in self.actions.values())

    @property
    def blocked(self) -> bool:
        """True where some policy blocks."""
        return "block" in self.actions.values()

    def reasons(self) -> str:
        """Return the rules that fired and the stretches they point at."""
        return "; ".join(
            f"{m.rule.id} ({m.level}{', bold' if m.bold else ''}): "
            + ", ".join(repr(self.text[h.start : h.end]) for h in m.hits if not h.cue)
            for m in (*self.found.matches, *self.found.contexts)
        )


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    folder = arguments.rules or data_root() / "rules"
    rules = load_rules(folder, arguments.region)
    print(f"{hardware()}\nrules {rules.ruleset.digest[:19]}, region {arguments.region}")
    samples = _Samples(arguments.sample, Random(arguments.seed))
    labelled: dict[str, list[Post]] = {CORPUS: load_corpus(ROOT / "corpus")}
    if arguments.data:
        public = load_public(arguments.data)
        print(_alarms(rules, public.ordinary | public.reference, samples))
        labelled |= public.labelled
    judged = {name: judge(rules, [p.text for p in posts]) for name, posts in labelled.items()}
    print(_recall(labelled, judged, samples))
    print(_by_stance(labelled[CORPUS], judged[CORPUS]))
    print(_written(rules, samples))
    samples.show()
    if not arguments.no_speed:
        print(_throughput(rules, arguments.posts))
        print(_worst_cases(rules, folder))


def judge(rules: RulesAlone, texts: Sequence[str]) -> list[Judged]:
    """Return what the rules say of each post, in order."""
    found = rules.findings(texts)
    return [Judged(t, f, rules.actions(f)) for t, f in zip(texts, found, strict=True)]


class _Samples:
    """Posts drawn for reading by eye, under a heading each."""

    def __init__(self, count: int, random: Random) -> None:
        self._count = count
        self._random = random
        self._drawn: list[tuple[str, int, list[str]]] = []

    def draw(self, heading: str, posts: Sequence[Judged]) -> None:
        """Draw some of the posts."""
        if self._count and posts:
            chosen = self._random.sample(list(posts), min(self._count, len(posts)))
            lines = [f"{p.text!r}\n  {p.actions or 'nothing'} {p.reasons()}" for p in chosen]
            self._drawn.append((heading, len(posts), lines))

    def show(self) -> None:
        """Print everything drawn."""
        for heading, whole, lines in self._drawn:
            print(f"\n### {heading}: {len(lines)} of {whole}\n")
            print("\n".join(lines))


def _alarms(rules: RulesAlone, sources: dict[str, list[str]], samples: _Samples) -> str:
    rows = []
    for name, texts in sources.items():
        judged = judge(rules, texts)
        flagged = [j for j in judged if j.flagged]
        blocked = sum(j.blocked for j in judged)
        by_policy = Counter(p for j in flagged for p, a in j.actions.items() if a != "pass")
        excused = sum(bool(j.found.matches) for j in judged) - len(flagged)
        what = (ORDINARY | REFERENCE)[name]
        rows.append(
            (f"{name}: {what}", str(len(judged)), str(blocked), percent(blocked, len(judged), 3),
             str(len(flagged)), percent(len(flagged), len(judged), 3),
             *(str(by_policy[p]) for p in POLICIES), str(excused))
        )  # fmt: skip
        samples.draw(f"{name}, flagged", flagged)
    head = ("source", "posts", "blocked", "share", "flagged", "share", *POLICIES, "matched, passed")
    note = "the last two are unlabelled, so only presumed innocent; by policy: flagged"
    return f"\n## False alarms on ordinary posts\n\n{note}\n\n{table(head, rows)}"


def _recall(
    labelled: dict[str, list[Post]], judged: dict[str, list[Judged]], samples: _Samples
) -> str:
    rows = []
    for name, posts in labelled.items():
        for number, policy in enumerate(POLICIES):
            pairs = list(zip(posts, judged[name], strict=True))
            positive = [j for p, j in pairs if p.labels[number] == 1]
            negative = [j for p, j in pairs if p.labels[number] == 0]
            if not positive:
                continue
            hit = [j for j in positive if j.actions.get(policy, "pass") != "pass"]
            blocked = sum(j.actions.get(policy) == "block" for j in positive)
            wrong = [j for j in negative if j.actions.get(policy, "pass") != "pass"]
            wrong_block = sum(j.actions.get(policy) == "block" for j in negative)
            flagged = len(hit) + len(wrong)
            rows.append(
                (name, policy, str(len(positive)), str(len(negative)),
                 percent(len(hit), len(positive)), percent(blocked, len(positive)),
                 percent(len(hit), flagged), percent(blocked, blocked + wrong_block),
                 str(len(wrong)))
            )  # fmt: skip
            samples.draw(f"{name}, {policy}, flagged though labelled 0", wrong)
            missed = [j for j in positive if j.actions.get(policy, "pass") == "pass"]
            samples.draw(f"{name}, {policy}, missed", missed)
    head = ("source", "policy", "violations", "others", "recall, flag", "recall, block",
            "precision, flag", "precision, block", "wrong")  # fmt: skip
    note = "precision counts rows labelled 0 for the policy; public labels are far from clean"
    return f"\n## Recall and precision\n\n{note}\n\n{table(head, rows, left=2)}"


def _by_stance(posts: list[Post], judged: list[Judged]) -> str:
    parts = []
    for title, key in (
        ("stance", lambda p: f"{p.stance}{'' if 1 in p.labels else ' (innocent)'}"),
        ("sub-label", lambda p: p.sub_label if 1 in p.labels else None),
        ("language", lambda p: f"{p.language}{'' if 1 in p.labels else ' (innocent)'}"),
    ):
        groups: dict[str, list[Judged]] = {}
        for post, item in zip(posts, judged, strict=True):
            name = key(post)
            if name is not None:
                groups.setdefault(name, []).append(item)
        parts.append(f"\n## {CORPUS} by {title}\n\n{_grouped(title, groups)}")
    return "\n".join(parts)


def _written(rules: RulesAlone, samples: _Samples) -> str:
    groups: dict[str, list[Judged]] = {}
    for name, rows in written_posts().items():
        judged = judge(rules, [row["text"] for row in rows])
        for row, item in zip(rows, judged, strict=True):
            groups.setdefault(f"{name}, {row['lang']}", []).append(item)
            kind = row.get("kind") or row.get("stance")
            if kind:
                groups.setdefault(f"{name}: {kind}", []).append(item)
        samples.draw(f"{name}, flagged", [j for j in judged if j.flagged])
        samples.draw(f"{name}, passed", [j for j in judged if not j.flagged])
    if not groups:
        return "\nnote: no tests/posts: no hard negatives, no explainers"
    return f"\n## tests/posts\n\n{_grouped('posts of', groups)}"


def _grouped(title: str, groups: dict[str, list[Judged]]) -> str:
    rows = [
        (name, str(len(items)), percent(sum(j.flagged for j in items), len(items)),
         percent(sum(j.blocked for j in items), len(items)),
         percent(sum(bool(j.found.matches) for j in items), len(items)))
        for name, items in sorted(groups.items())
    ]  # fmt: skip
    return table((title, "posts", "flagged", "blocked", "some rule matched"), rows)


def _throughput(rules: RulesAlone, count: int) -> str:
    posts = generate(count)
    whole = _seconds(lambda: rules.stage(posts))
    characters = sum(map(len, posts))
    rates = sorted(count / seconds for seconds in whole)
    return (
        f"\n## Speed\n\nrules stage (fold, scan, evaluate; from str to findings) on {count} "
        f"generated posts, {characters / count:.1f} code points each:\n"
        f"median {statistics.median(rates):,.0f} posts/s, lowest {rates[0]:,.0f}, highest "
        f"{rates[-1]:,.0f} of {RUNS} runs; "
        f"{characters / statistics.median(whole) / 1e6:.2f} million code points/s"
    )


def _worst_cases(rules: RulesAlone, folder: Path) -> str:
    hits = [r.tests.hit[0] for r in rules.ruleset.rules if r.tests.hit and not r.is_context]
    usual = {f"ordinary text, {lang}": ordinary(lang) for lang in ("mixed", "zh", "en")}
    measure = usual["ordinary text, mixed"]
    rows = []
    for name, text in (usual | hostile(folder, hits)).items():
        pairs = [(_once(rules, text), _once(rules, measure)) for _ in range(RUNS + 1)][1:]
        taken = statistics.median(seconds for seconds, _ in pairs)
        ratio = statistics.median(seconds / unit for seconds, unit in pairs)
        timeouts = {t for found in rules.stage([text]) for t in found.timeouts}
        rows.append((name, f"{1000 * taken:.1f}", f"{ratio:.2f}", str(len(timeouts))))
    head = ("one post made of", "ms", "against mixed ordinary text", "patterns out of time")
    note = f"median of {RUNS}, each run beside one of ordinary text"
    return f"\n## Worst cases: {SIZE:,} code points\n\n{note}\n\n{table(head, rows)}"


def _once(rules: RulesAlone, text: str) -> float:
    start = time.perf_counter()
    rules.stage([text])
    return time.perf_counter() - start


def _seconds(stage: Callable[[], object]) -> list[float]:
    """Return the seconds of RUNS runs, after one that warms up."""
    stage()
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        stage()
        taken.append(time.perf_counter() - start)
    return taken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with train/ and unlabelled/")
    parser.add_argument("--rules", type=Path, help="rules folder; default: the shipped one")
    parser.add_argument("--region", default="cn")
    parser.add_argument("--sample", type=int, default=0, help="posts to print of every kind")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--posts", type=int, default=20_000, help="generated posts, for the speed")
    parser.add_argument("--no-speed", action="store_true", help="leave the speed tables out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
