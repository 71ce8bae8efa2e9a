"""How much of what is caught is still caught when it is written to slip past.

Prints, with rules alone (see rules_alone.py):
1. by kind and technique of evasion, the share of flagged posts that stay flagged (recall kept); a
   technique rewrites the stretches that made the rules flag a post, as a spammer would;
2. for contacts, how often the engine still sees one in the rewritten form;
and with --data, unless --quick:
3. what the bolder views cost: ordinary posts that only they flag;
4. how often hidden words are found again in pairs of plain and perturbed text.
With --classifier the first table is of the classifier alone instead (see classifier_alone.py), and
the other three, which are of rules, are left out. The same seed gives the same tables.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from classifier_alone import load_classifier
from evasions.cases import classifier_posts, find_cases, gather, measure, rule_posts
from evasions.contacts import CUES, measure_cues
from evasions.han import missing
from evasions.merges import PER, false_merges
from evasions.recovery import recover
from evasions.registry import KINDS, techniques
from rules_alone import RulesAlone, hardware, load_rules, percent, table
from sources import Public, load_public

from moderation.errors import ModerationError
from moderation.resources import data_root
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classifier_alone import ClassifierAlone
    from evasions.cases import Case, Outcome
    from evasions.contacts import Seen
    from evasions.spell import Technique

LIMIT, QUICK_LIMIT = 1500, 120
ORDINARY_LIMIT = 20_000
"""Ordinary posts that words of the pairs are looked for in."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    started = time.perf_counter()
    folder = arguments.rules or data_root() / "rules"
    print(hardware())
    chosen = [
        t
        for t in techniques(arguments.data, folder)
        if not arguments.kind or t.kind in arguments.kind
    ]
    try:
        if arguments.classifier is None:
            _measure_rules(load_rules(folder), folder, chosen, arguments)
        else:
            judge = load_classifier(arguments.classifier, arguments.tier, folder)
            _measure_classifier(judge, chosen, arguments)
    except ModerationError as error:
        sys.exit(f"error: {error}")
    print(f"\n{time.perf_counter() - started:.0f} s")


def _measure_rules(
    rules: RulesAlone, folder: Path, chosen: Sequence[Technique], arguments: argparse.Namespace
) -> None:
    seed, misses, limit = arguments.seed, arguments.misses, arguments.posts
    print(f"rules {rules.ruleset.digest[:19]}, seed {seed}")
    public = _public(arguments)
    candidates = gather(rule_posts(rules, public), seed)
    cases = find_cases(rules, candidates, limit)
    outcomes = measure(rules, cases, chosen, seed, misses)
    print(f"\n## Recall kept\n\n{_described(cases)}\n\n{_recall(outcomes)}")
    _print_misses(outcomes)
    contacts = [t for t in chosen if t.find is not None]
    if contacts:
        texts = list(dict.fromkeys(c.text for c in candidates[: 6 * limit]))
        print(_cues(measure_cues(rules, texts, contacts, seed, misses), len(texts)))
    if public is not None:
        _print_public(rules, folder, arguments, public)


def _measure_classifier(
    judge: ClassifierAlone, chosen: Sequence[Technique], arguments: argparse.Namespace
) -> None:
    seed, model = arguments.seed, judge.model
    print(
        f"model {model.manifest.name}@{model.manifest.version} {model.digest[:19]}, "
        f"tier {model.tier}; "
        f"key terms by rules {judge.rules.ruleset.digest[:19]}, seed {seed}"
    )
    public = _public(arguments, reference=False)
    candidates = gather(classifier_posts(public), seed)
    cases = find_cases(judge, candidates, arguments.posts)
    outcomes = measure(judge, cases, chosen, seed, arguments.misses, every=True)
    ruled = sum(map(bool, judge.named([(case.text, case.policy) for case in cases])))
    none = sum(not case.terms for case in cases)
    print(
        f"\n## Recall kept by the classifier alone\n\n{_described(cases)}\n"
        "every post, kept: the same of all posts that the technique changes, counted or not.\n"
        f"Key terms: {ruled} by the rules' matches, {len(cases) - ruled - none} by what the "
        f"classifier would miss most, {none} without any.\n\n{_recall(outcomes, every=True)}"
    )
    _print_misses(outcomes)


def _public(arguments: argparse.Namespace, *, reference: bool = True) -> Public | None:
    for note in missing(arguments.data):
        print(f"note: {note}")
    if not arguments.data or arguments.quick:
        return None
    return load_public(arguments.data, reference=reference)


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


def _recall(outcomes: Sequence[Outcome], *, every: bool = False) -> str:
    head = ["kind", "technique", "posts", "kept", "blocked", *POLICIES, "edited"]
    head += ["every post", "kept"] if every else []
    rows: list[tuple[str, ...]] = []
    for kind, name in KINDS.items():
        mine = [o for o in outcomes if o.technique.kind == kind]
        rows += [(f"{kind} {name}", *_row(outcome, every=every)) for outcome in mine]
        counted = [o for o in mine if o.posts]
        if counted:
            kept = _mean([o.kept / o.posts for o in counted])
            mean = [f"**{kind} {name}**", f"**mean of {len(counted)}**", "", kept]
            mean += [""] * (len(POLICIES) + 2)
            mean += ["", _mean([o.every_kept / o.every for o in counted])] if every else []
            rows.append(tuple(mean))
    return table(head, rows, left=2)


def _mean(shares: Sequence[float]) -> str:
    return f"**{100 * sum(shares) / len(shares):.1f} %**"


def _row(outcome: Outcome, *, every: bool) -> tuple[str, ...]:
    posts = outcome.posts
    whole = (str(outcome.every), percent(outcome.every_kept, outcome.every)) if every else ()
    note = " (report only)" if outcome.technique.report else ""
    return (
        outcome.technique.name + note,
        str(posts),
        percent(outcome.kept, posts),
        percent(outcome.blocked, posts),
        *(percent(outcome.kept_by_policy[p], outcome.by_policy[p], 0) for p in POLICIES),
        f"{outcome.edit_share / posts:.2f}" if posts else "-",
        *whole,
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


def _print_misses(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for miss in outcome.misses:
            _miss(f"{outcome.technique.kind} {outcome.technique.name}", miss.case.text, miss.text)


def _miss(name: str, before: str, after: str) -> None:
    print(f"\n[{name}]\n  as written: {before!r}\n  hidden:     {after!r}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with lexicons/, train/, evasion/")
    parser.add_argument("--rules", type=Path, help="rules folder; default: the shipped one")
    parser.add_argument(
        "--classifier", type=Path, nargs="?", const=data_root() / "models" / "default",
        metavar="MODEL", help="measure a model folder (default: the shipped one), not the rules",
    )  # fmt: skip
    parser.add_argument(
        "--tier", choices=("fast", "deep", "cascade"), help="of the model; default: its own"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--posts", type=int, help=f"posts to hide at most; default {LIMIT}")
    parser.add_argument("--kind", type=int, action="append", help="only this kind; may be repeated")
    parser.add_argument("--misses", type=int, default=0, help="examples to print, each time")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_LIMIT} posts, tables 1 and 2; no public ones"
    )
    arguments = parser.parse_args()
    if arguments.tier and arguments.classifier is None:
        parser.error("--tier needs --classifier: rules have no tiers")
    if arguments.posts is None:
        arguments.posts = QUICK_LIMIT if arguments.quick else LIMIT
    return arguments


if __name__ == "__main__":
    main()
