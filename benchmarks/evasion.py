"""How much of what the rules catch they still catch when it is written to slip past them.

Prints, with rules alone (see rules_alone.py):
1. by kind and technique of evasion, the share of flagged posts that stay flagged (recall kept); a
   technique rewrites the stretches that made the rules flag a post, as a spammer would;
2. for contacts, how often the engine still sees one in the rewritten form;
and with --data, unless --quick:
3. what the bolder views cost: ordinary posts that only they flag;
4. how often hidden words are found again in pairs of plain and perturbed text.
The same seed gives the same tables.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from evasions.cases import find_cases, gather, measure
from evasions.contacts import CUES, measure_cues
from evasions.han import missing
from evasions.merges import PER, false_merges
from evasions.recovery import recover
from evasions.registry import KINDS, techniques
from rules_alone import RulesAlone, hardware, load_rules, percent, table
from sources import Public, load_public

from moderation.resources import data_root
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evasions.cases import Case, Outcome
    from evasions.contacts import Seen

LIMIT, QUICK_LIMIT = 1500, 120
ORDINARY_LIMIT = 20_000
"""Ordinary posts that words of the pairs are looked for in."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    started = time.perf_counter()
    folder = arguments.rules or data_root() / "rules"
    rules = load_rules(folder)
    seed, misses = arguments.seed, arguments.misses
    print(f"{hardware()}\nrules {rules.ruleset.digest[:19]}, seed {seed}")
    for note in missing(arguments.data):
        print(f"note: {note}")
    public = load_public(arguments.data) if arguments.data and not arguments.quick else None
    limit = arguments.posts or (QUICK_LIMIT if arguments.quick else LIMIT)
    chosen = [
        t
        for t in techniques(arguments.data, folder)
        if not arguments.kind or t.kind in arguments.kind
    ]
    candidates = gather(rules, public, seed)
    cases = find_cases(rules, candidates, limit)
    outcomes = measure(rules, cases, chosen, seed, misses)
    print(f"\n## Recall kept\n\n{_described(cases)}\n\n{_recall(outcomes)}")
    for outcome in outcomes:
        for miss in outcome.misses:
            _miss(f"{outcome.technique.kind} {outcome.technique.name}", miss.case.text, miss.text)
    contacts = [t for t in chosen if t.find is not None]
    if contacts:
        texts = list(dict.fromkeys(c.text for c in candidates[: 6 * limit]))
        print(_cues(measure_cues(rules, texts, contacts, seed, misses), len(texts)))
    if public is not None:
        _print_public(rules, folder, arguments, public)
    print(f"\n{time.perf_counter() - started:.0f} s")


def _print_public(
    rules: RulesAlone, folder: Path, arguments: argparse.Namespace, public: Public
) -> None:
    misses = arguments.misses
    merged = false_merges(rules, public.ordinary | public.reference, misses)
    head = ("source", "posts", "flagged", f"per {PER}", "only boldly", f"per {PER}", "at most")
    rows = [
        (m.source, str(m.posts), str(m.flagged), f"{PER * m.flagged / m.posts:.1f}", str(m.bold),
         f"{PER * m.bold / m.posts:.1f}", f"{PER * m.touched / m.posts:.1f}")
        for m in merged if m.posts
    ]  # fmt: skip
    print(
        f"\n## False merges: ordinary posts that only the bolder views flag\n\n{table(head, rows)}"
    )
    for source in merged:
        for text, reasons in source.examples:
            print(f"\n[{source.source}] {text!r}\n  {reasons}")
    pairs = arguments.data / "evasion" / "cntp_pairs.jsonl.gz"
    if not pairs.is_file():
        print(f"note: no {pairs}: nothing to find again")
        return
    ordinary = [
        text for name, texts in public.ordinary.items() if name != "tgspam" for text in texts
    ]
    chosen = Random(arguments.seed).sample(ordinary, min(len(ordinary), ORDINARY_LIMIT))
    found = recover(pairs, folder, chosen, misses)
    again = [
        (name, str(count), percent(found.found[name], count))
        for name, count in sorted(found.hidden.items())
    ]
    print(f"\n## Hidden words found again ({found.terms} words of two or more characters)\n")
    print(table(("perturbation", "words hidden", "found again"), again))
    print(
        f"\nfalse finds: {found.false} of {found.ordinary} ordinary posts hold a word that only a"
    )
    print("bolder view shows")
    for name, span, text in found.misses:
        print(f"\n[{name}] {span!r} not found in {text!r}")
    for terms, text in found.false_finds:
        print(f"\n[false find] {terms}: {text!r}")


def _described(cases: Sequence[Case]) -> str:
    origins = sorted({case.origin for case in cases})
    shares = (f"{sum(c.origin == o for c in cases)} {o}" for o in origins)
    policies = (f"{sum(c.policy == p for c in cases)} {p}" for p in POLICIES)
    return (
        f"{len(cases)} posts flagged as written ({', '.join(shares)}; {', '.join(policies)}).\n"
        "A post counts for a technique where cutting out what was changed would lose it.\n"
        "kept: still flagged for the policy; blocked: still blocked; by policy: kept; edited: "
        "characters edited, by characters of the post."
    )


def _recall(outcomes: Sequence[Outcome]) -> str:
    head = ("kind", "technique", "posts", "kept", "blocked", *POLICIES, "edited")
    rows = []
    for kind, name in KINDS.items():
        mine = [o for o in outcomes if o.technique.kind == kind]
        rows += [(f"{kind} {name}", *_row(outcome)) for outcome in mine]
        counted = [o for o in mine if o.posts]
        if counted:
            kept = sum(o.kept / o.posts for o in counted) / len(counted)
            whole = f"**{100 * kept:.1f} %**"
            rows.append((f"**{kind} {name}**", f"**mean of {len(counted)}**", "", whole, *[""] * 5))
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


def _cues(outcomes: Sequence[Seen], texts: int) -> str:
    head = ("technique", "posts", "kept", *(f"{cue} lost" for cue in CUES))
    rows = [
        (o.technique.name, str(o.posts), percent(o.kept, o.posts), *(str(o.lost[c]) for c in CUES))
        for o in outcomes
    ]
    lines = [
        "\n## Contacts seen\n",
        f"Of {texts} violating posts, those in which cutting the contact out takes a cue class",
        "away; kept: the rewritten contact gives every such class back.\n",
        table(head, rows),
    ]
    for outcome in outcomes:
        for before, after in outcome.misses:
            name = outcome.technique.name
            lines.append(f"\n[{name}]\n  as written: {before!r}\n  rewritten:  {after!r}")
    return "\n".join(lines)


def _miss(name: str, before: str, after: str) -> None:
    print(f"\n[{name}]\n  as written: {before!r}\n  hidden:     {after!r}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with lexicons/, train/, evasion/")
    parser.add_argument("--rules", type=Path, help="rules folder; default: the shipped one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--posts", type=int, help=f"posts to hide at most; default {LIMIT}")
    parser.add_argument("--kind", type=int, action="append", help="only this kind; may be repeated")
    parser.add_argument("--misses", type=int, default=0, help="examples to print, each time")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_LIMIT} posts, tables 1 and 2")
    return parser.parse_args()


if __name__ == "__main__":
    main()
