"""How much of what the rules catch they still catch when it is written to slip past them.

Prints, by kind and technique of evasion, the share of posts that stay flagged (recall kept), with rules
alone (see rules_alone.py). Posts are ones that the rules flag as written; a technique rewrites the
stretches that made them flag, as a spammer would. The same seed gives the same table.
With --data it also prints what the bolder views cost: ordinary posts that only they flag.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from evasions.cases import find_cases, measure
from evasions.han import missing
from evasions.registry import KINDS, techniques
from rules_alone import hardware, load_rules, percent, table

from moderation.resources import data_root
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evasions.cases import Case, Outcome

LIMIT, QUICK_LIMIT = 1500, 120


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    started = time.perf_counter()
    folder = arguments.rules or data_root() / "rules"
    rules = load_rules(folder)
    print(f"{hardware()}\nrules {rules.ruleset.digest[:19]}, seed {arguments.seed}")
    for note in missing(arguments.data):
        print(f"note: {note}")
    limit = arguments.posts or (QUICK_LIMIT if arguments.quick else LIMIT)
    cases = find_cases(rules, arguments.data, limit, arguments.seed)
    chosen = techniques(arguments.data, folder)
    if arguments.kind:
        chosen = [t for t in chosen if t.kind in arguments.kind]
    outcomes = measure(rules, cases, chosen, arguments.seed, arguments.misses)
    print(_described(cases))
    print(_recall(outcomes))
    for outcome in outcomes:
        _print_misses(outcome)
    print(f"\n{time.perf_counter() - started:.0f} s")


def _described(cases: Sequence[Case]) -> str:
    origins = sorted({case.origin for case in cases})
    shares = (f"{sum(c.origin == o for c in cases)} {o}" for o in origins)
    policies = (f"{sum(c.policy == p for c in cases)} {p}" for p in POLICIES)
    return f"\n{len(cases)} posts flagged as written ({', '.join(shares)}; {', '.join(policies)})\n"


def _recall(outcomes: Sequence[Outcome]) -> str:
    head = ("kind", "technique", "posts", "kept", "blocked", *POLICIES, "edited")
    rows = []
    for outcome in outcomes:
        kind = outcome.technique.kind
        rows.append((f"{kind} {KINDS[kind]}", *_row(outcome)))
    for kind, name in KINDS.items():
        mine = [o for o in outcomes if o.technique.kind == kind and o.posts]
        if mine:
            kept = sum(o.kept / o.posts for o in mine) / len(mine)
            rows.append((f"**{kind} {name}**", f"mean of {len(mine)}", "", f"{100 * kept:.1f} %",
                         "", "", "", "", ""))  # fmt: skip
    return table(head, rows, left=2)


def _row(outcome: Outcome) -> tuple[str, ...]:
    posts = outcome.posts
    note = " (report only)" if outcome.technique.report else ""
    return (
        outcome.technique.name + note,
        str(posts),
        percent(outcome.kept, posts),
        percent(outcome.blocked, posts),
        *(percent(outcome.kept_by_policy[p], outcome.by_policy[p], 0) for p in POLICIES),
        f"{outcome.edit_share / posts:.2f}" if posts else "-",
    )


def _print_misses(outcome: Outcome) -> None:
    for miss in outcome.misses:
        print(f"\n[{outcome.technique.kind} {outcome.technique.name}] {miss.case.policy}")
        print(f"  as written: {miss.case.text!r}\n  hidden:     {miss.text!r}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with lexicons/, train/, evasion/")
    parser.add_argument("--rules", type=Path, help="rules folder; default: the shipped one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--posts", type=int, help=f"posts to hide at most; default {LIMIT}")
    parser.add_argument("--kind", type=int, action="append", help="only this kind; may be repeated")
    parser.add_argument("--misses", type=int, default=0, help="posts lost to print per technique")
    parser.add_argument("--quick", action="store_true", help="few posts, nothing that needs --data")
    return parser.parse_args()


if __name__ == "__main__":
    main()
