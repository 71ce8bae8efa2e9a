"""Posts that the bare rules catch, hidden by a technique, and whether they are still caught."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from rules_alone import ROOT, flags, spans
from sources import positives

from evasions.spell import CLOSE, OPEN, edits, is_han, is_latin, mark
from moderation.training.data import load_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules_alone import RulesAlone
    from sources import Public

    from evasions.spell import Technique

_STAND_IN = {True: " 某 ", False: " something "}
_PUBLIC = ("pip_twitter_gt_train", "fbs_sms")


@dataclass(frozen=True)
class Case:
    """A violating post; a case proper once the rules flag it as it is written."""

    text: str
    policy: str
    origin: str
    terms: tuple[tuple[int, int], ...] = ()
    """The key terms: the stretches that the matches point at."""


@dataclass(frozen=True)
class Hidden:
    """A case after a technique, and the case with everything that was changed taken out."""

    case: Case
    text: str
    cut: str
    edits: int


@dataclass
class Outcome:
    """What became of the cases that a technique applies to."""

    technique: Technique
    posts: int = 0
    kept: int = 0
    blocked: int = 0
    """Cases still flagged whose action is block."""
    edit_share: float = 0.0
    """Sum over the cases of characters edited by characters of the post."""
    by_policy: Counter[str] = field(default_factory=Counter)
    kept_by_policy: Counter[str] = field(default_factory=Counter)
    misses: list[Hidden] = field(default_factory=list)


def gather(rules: RulesAlone, public: Public | None, seed: int) -> list[Case]:
    """Return violating posts to choose cases from, in an order that the seed decides.

    They are the rules' own `hit` tests, the violations in corpus/ and, from a data folder, those of
    two public sources; the sources take turns, so that a part from the start has some of each.
    """
    origins: dict[str, list[tuple[str, str]]] = {"hit tests": [], "corpus": []}
    for rule in rules.ruleset.rules:
        if not rule.is_context:
            origins["hit tests"] += [(text, rule.policy) for text in rule.tests.hit]
    origins["corpus"] = positives(load_corpus(ROOT / "corpus"))
    if public is not None:
        origins |= {name: positives(public.labelled[name]) for name in _PUBLIC}
    turns: list[tuple[float, Case]] = []
    seen: set[tuple[str, str]] = set()
    for origin, found in origins.items():
        fresh = [x for x in sorted(set(found)) if x not in seen and not {OPEN, CLOSE} & set(x[0])]
        Random(f"{seed} {origin}").shuffle(fresh)
        seen.update(fresh)
        turns += [(turn, Case(text, policy, origin)) for turn, (text, policy) in enumerate(fresh)]
    return [case for _, case in sorted(turns, key=lambda item: item[0])]


def find_cases(rules: RulesAlone, candidates: Sequence[Case], limit: int) -> list[Case]:
    """Return the first `limit` candidates that the rules flag in plain sight, with their key terms.

    In plain sight: a match that needs no bolder view than `base` would do.
    """
    cases: list[Case] = []
    step = 512
    for start in range(0, len(candidates), step):
        part = candidates[start : start + step]
        for case, found in zip(part, rules.findings([c.text for c in part]), strict=True):
            matches = [m for m in found.matches if m.rule.policy == case.policy]
            plain = any(not m.bold and m.level != "weak" for m in matches)
            if plain and case.policy in flags(rules.actions(found)):
                cases.append(replace(case, terms=tuple(spans(matches))))
        if len(cases) >= limit:
            break
    return cases[:limit]


def hide(case: Case, technique: Technique, random: Random) -> Hidden | None:
    """Apply a technique to a case; None where it changes nothing."""
    text = case.text
    if technique.whole:
        assert technique.rewrite is not None
        changed = technique.rewrite(mark(text, case.terms), random)
        if changed in {text, mark(text, case.terms)}:
            return None
        moved = sum((Counter(changed) - Counter(text)).values())
        return Hidden(case, changed, _cut(text, case.terms), moved)
    if technique.find is not None:
        wanted = technique.find(text)
    else:
        assert technique.rewrite is not None
        wanted = [(start, end, technique.rewrite) for start, end in case.terms]
    touched, edited, parts, at = [], 0, [], 0
    for start, end, rewrite in wanted:
        before = text[start:end]
        after = rewrite(before, random)
        parts += [text[at:start], after]
        at = end
        if after != before:
            touched.append((start, end))
            edited += edits(before, after)
    if not touched:
        return None
    return Hidden(case, "".join((*parts, text[at:])), _cut(text, touched), edited)


def measure(
    rules: RulesAlone,
    cases: Sequence[Case],
    techniques: Sequence[Technique],
    seed: int,
    misses: int,
) -> list[Outcome]:
    """Return an outcome for each technique.

    A case counts for a technique only if it would be lost were the changed stretches cut out:
    otherwise the rest of the post is what catches it, and hiding them shows nothing.
    """
    hidden = {
        technique.name: [
            found
            for number, case in enumerate(cases)
            if (found := hide(case, technique, Random(f"{seed} {technique.name} {number}")))
        ]
        for technique in techniques
    }
    cuts = sorted({(h.cut, h.case.policy) for found in hidden.values() for h in found})
    flagged = rules.flagged([cut for cut, _ in cuts])
    needless = {key for key, found in zip(cuts, flagged, strict=True) if key[1] in found}
    outcomes = []
    for technique in techniques:
        outcome = Outcome(technique)
        tried = [h for h in hidden[technique.name] if (h.cut, h.case.policy) not in needless]
        for item, now in zip(tried, rules.findings([h.text for h in tried]), strict=True):
            action = rules.actions(now).get(item.case.policy, "pass")
            outcome.posts += 1
            outcome.edit_share += item.edits / len(item.case.text)
            outcome.by_policy[item.case.policy] += 1
            if action != "pass":
                outcome.kept += 1
                outcome.blocked += action == "block"
                outcome.kept_by_policy[item.case.policy] += 1
            elif len(outcome.misses) < misses:
                outcome.misses.append(item)
        outcomes.append(outcome)
    return outcomes


def _cut(text: str, touched: Sequence[tuple[int, int]]) -> str:
    for start, end in sorted(touched, reverse=True):
        han = any(map(is_han, text[start:end])) or not any(map(is_latin, text[start:end]))
        text = text[:start] + _STAND_IN[han] + text[end:]
    return text
