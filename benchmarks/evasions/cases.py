"""Posts that a judge catches, hidden by a technique, and whether they are still caught."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Protocol

from rules_alone import ROOT
from sources import positives

from evasions.spell import CLOSE, OPEN, cut, edits, mark
from moderation.training.data import clean, held_out_ids, load_corpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules_alone import RulesAlone
    from sources import Public

    from evasions.spell import Technique

_PUBLIC = ("pip_twitter_gt_train", "fbs_sms")


class Judge(Protocol):
    """What posts hide from: the rules by themselves, or the classifier."""

    def judged(self, texts: Sequence[str]) -> list[dict[str, str]]:
        """Return pass, review or block by policy for each post; a policy left out passes."""
        ...

    def key_terms(
        self, posts: Sequence[tuple[str, str]]
    ) -> list[tuple[tuple[int, int], ...] | None]:
        """Return what to rewrite in posts given as text and policy.

        None for a post that is not flagged for its policy as it is written.
        """
        ...


@dataclass(frozen=True)
class Case:
    """A violating post; a case proper once a judge flags it as it is written."""

    text: str
    policy: str
    origin: str
    terms: tuple[tuple[int, int], ...] = ()
    """The key terms: the stretches that the judge names."""


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
    every: int = 0
    """Cases with those that the rest of the post gives away; counted where that is asked for."""
    every_kept: int = 0


def rule_posts(rules: RulesAlone, public: Public | None) -> dict[str, list[tuple[str, str]]]:
    """Return by origin the violating posts, with their policies, that the rules are asked about.

    They are the rules' own `hit` tests, the violations in corpus/ and, from a data folder, those of
    two public sources.
    """
    origins: dict[str, list[tuple[str, str]]] = {"hit tests": [], "corpus": []}
    for rule in rules.ruleset.rules:
        if not rule.is_context:
            origins["hit tests"] += [(text, rule.policy) for text in rule.tests.hit]
    origins["corpus"] = positives(load_corpus(ROOT / "corpus"))
    if public is not None:
        origins |= {name: positives(public.labelled[name]) for name in _PUBLIC}
    return origins


def classifier_posts(public: Public | None) -> dict[str, list[tuple[str, str]]]:
    """Return by origin the violating posts, with their policies, for the classifier.

    They are the violations in the fifth of corpus/ that is never trained on and, from a data
    folder, those of two public sources, without what names the source, as training reads them.
    """
    corpus = load_corpus(ROOT / "corpus")
    held_out = held_out_ids(corpus)
    origins = {"corpus": positives([post for post in corpus if post.id in held_out])}
    if public is not None:
        for name in _PUBLIC:
            posts = [replace(p, text=clean(p.text, name)) for p in public.labelled[name]]
            origins[name] = positives(posts)
    return origins


def gather(origins: Mapping[str, Sequence[tuple[str, str]]], seed: int) -> list[Case]:
    """Return posts to choose cases from, in an order that the seed decides.

    Origins take turns, so that a part from the start has some of each.
    """
    turns: list[tuple[float, Case]] = []
    seen: set[tuple[str, str]] = set()
    for origin, found in origins.items():
        fresh = [x for x in sorted(set(found)) if x not in seen and not {OPEN, CLOSE} & set(x[0])]
        Random(f"{seed} {origin}").shuffle(fresh)
        seen.update(fresh)
        turns += [(turn, Case(text, policy, origin)) for turn, (text, policy) in enumerate(fresh)]
    return [case for _, case in sorted(turns, key=lambda item: item[0])]


def find_cases(judge: Judge, candidates: Sequence[Case], limit: int) -> list[Case]:
    """Return the first `limit` candidates that the judge flags as written, with key terms."""
    cases: list[Case] = []
    step = min(limit, 512)
    for start in range(0, len(candidates), step):
        part = candidates[start : start + step]
        found = judge.key_terms([(case.text, case.policy) for case in part])
        cases += [
            replace(case, terms=terms)
            for case, terms in zip(part, found, strict=True)
            if terms is not None
        ]
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
        return Hidden(case, changed, cut(text, case.terms), moved)
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
    return Hidden(case, "".join((*parts, text[at:])), cut(text, touched), edited)


def measure(
    judge: Judge,
    cases: Sequence[Case],
    techniques: Sequence[Technique],
    seed: int,
    misses: int,
    *,
    every: bool = False,
) -> list[Outcome]:
    """Return an outcome for each technique.

    A case counts for a technique only if it would be lost were the changed stretches cut out:
    otherwise the rest of the post is what catches it, and hiding them shows nothing.

    Args:
        judge: what the cases hide from.
        cases: posts that it flags as written.
        techniques: what to do to them.
        seed: decides what the techniques write.
        misses: how many lost posts to keep for each technique.
        every: also count, apart, what becomes of all cases, whatever catches them.
    """
    hidden = {
        technique.name: [
            found
            for number, case in enumerate(cases)
            if (found := hide(case, technique, Random(f"{seed} {technique.name} {number}")))
        ]
        for technique in techniques
    }
    cuts = sorted({_key(h) for found in hidden.values() for h in found})
    judged = judge.judged([text for text, _ in cuts])
    needless = {
        key for key, now in zip(cuts, judged, strict=True) if now.get(key[1], "pass") != "pass"
    }
    outcomes = []
    for technique in techniques:
        outcome = Outcome(technique)
        tried = [h for h in hidden[technique.name] if every or _key(h) not in needless]
        for item, now in zip(tried, judge.judged([h.text for h in tried]), strict=True):
            action = now.get(item.case.policy, "pass")
            if every:
                outcome.every += 1
                outcome.every_kept += action != "pass"
            if _key(item) not in needless:
                _count(outcome, item, action, misses)
        outcomes.append(outcome)
    return outcomes


def _key(item: Hidden) -> tuple[str, str]:
    return item.cut, item.case.policy


def _count(outcome: Outcome, item: Hidden, action: str, misses: int) -> None:
    outcome.posts += 1
    outcome.edit_share += item.edits / len(item.case.text)
    outcome.by_policy[item.case.policy] += 1
    if action != "pass":
        outcome.kept += 1
        outcome.blocked += action == "block"
        outcome.kept_by_policy[item.case.policy] += 1
    elif len(outcome.misses) < misses:
        outcome.misses.append(item)
