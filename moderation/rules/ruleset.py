"""Ruleset: immutable compiled rules that scan a batch."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from moderation.rules.automaton import Automaton
from moderation.rules.compile import CompiledRules, compile_rules, rules_digest
from moderation.rules.conditions import LEVELS
from moderation.rules.evaluate import STANCE_CUES, Findings, Hit, PostMatcher, RuleMatch
from moderation.rules.screen import Screen
from moderation.rules.spelling import is_deliberate
from moderation.text import VIEWS

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.rules.conditions import Rule
    from moderation.text import FoldTable, TextBatch, View

__all__ = ["Ruleset", "load_ruleset"]


class Ruleset:
    """Compiled rules. Two passes: `screen` over every post, `evaluate` over the few it leaves."""

    def __init__(self, compiled: CompiledRules) -> None:
        self._compiled = compiled
        self._contexts: dict[int, list[int]] = {}
        clause_rules: list[int] = []
        for number, (rule, clauses) in enumerate(
            zip(compiled.rules, compiled.clauses, strict=True)
        ):
            if not rule.is_context:
                clause_rules += [number] * len(clauses)
                continue
            for literal in {lit for groups in clauses for lit in min(groups, key=len)}:
                self._contexts.setdefault(literal, []).append(number)
        self._clause_rules = np.array(clause_rules, np.int64)
        self._by_day: dict[tuple[str, ...], Ruleset] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, context rules last."""
        return self._compiled.rules

    @property
    def private(self) -> tuple[Rule, ...]:
        """The building blocks of other rules, which yield no match by themselves."""
        return self._compiled.private

    def on(self, day: date) -> Ruleset:
        """Return the rules that count on a day."""
        disabled = tuple(rule.id for rule in self.rules if not rule.enabled_on(day))
        if not disabled:
            return self
        known = self._by_day.get(disabled)
        if known is None:
            known = Ruleset(self._compiled.on(day))
            known.__dict__["_full"] = self._full  # every literal is in it: one is enough
            known = self._by_day.setdefault(disabled, known)
        return known

    @property
    def table(self) -> FoldTable:
        """The fold table the rules were compiled with."""
        return self._compiled.table

    @property
    def digest(self) -> str:
        """sha256:… over the rules folder."""
        return self._compiled.digest

    @property
    def terms(self) -> int:
        """Number of distinct literals in all rules and cues."""
        return self._compiled.terms

    @cached_property
    def _screen(self) -> Screen:
        compiled = self._compiled
        rules = zip(compiled.rules, compiled.clauses, strict=True)
        policy_rules = [(rule, clauses) for rule, clauses in rules if not rule.is_context]
        wanted = [(rule.views, groups) for rule, clauses in policy_rules for groups in clauses]
        return Screen(wanted, compiled.literals, self.table)

    @cached_property
    def _full(self) -> dict[str, Automaton]:
        literals = list(enumerate(self._compiled.literals))
        return {name: Automaton(name, literals, self.table) for name in VIEWS}

    def screen(self, views: dict[str, View]) -> NDArray[np.int64]:
        """Return the posts, ascending, in which a policy rule might fire.

        Args:
            views: every view of a batch, by name.
        """
        return np.unique(self._screen.clauses(views)[0])

    def evaluate(
        self,
        batch: TextBatch,
        wanted: NDArray[np.bool_] | None = None,
        *,
        every_cue: bool = True,
        cut: NDArray[np.bool_] | None = None,
    ) -> list[Findings]:
        """Return what the rules say of each post, in order.

        Args:
            batch: the posts.
            wanted: posts whose contexts and cues are needed although no policy rule may fire.
                Elsewhere a post without a policy match has empty findings.
            every_cue: look for every cue class, not only for those the stance depends on.
            cut: bool, shape (posts, 2), True where a post is a window whose text goes on to the
                left or to the right. What touches a cut may be half a word: the window next to it
                holds it whole, so it does not count here.

        Returns:
            One Findings a post; spans are code points of the post's original text.
        """
        if not len(batch):
            return []
        views = self._views(batch)
        posts, clauses = self._screen.clauses(views)
        candidates: list[set[int]] = [set() for _ in range(len(batch))]
        for post, number in zip(posts.tolist(), self._clause_rules[clauses].tolist(), strict=True):
            candidates[post].add(number)
        found = []
        for post, matcher in enumerate(self._matchers(batch, views, cut)):
            closer = wanted is None or bool(wanted[post])
            found.append(self._findings(matcher, sorted(candidates[post]), closer, every_cue))
        return found

    def holds(self, rule: Rule, batch: TextBatch) -> list[RuleMatch | None]:
        """Return for each post the match of one rule, private or not, tried on every post."""
        matchers = self._matchers(batch, self._views(batch), None)
        return [matcher.match(rule, LEVELS) for matcher in matchers]

    def _views(self, batch: TextBatch) -> dict[str, View]:
        base = self.table.base(batch)
        return {"base": base, "compact": self.table.compact(base)}

    def _matchers(
        self, batch: TextBatch, views: dict[str, View], cut: NDArray[np.bool_] | None
    ) -> list[PostMatcher]:
        """Find every literal, and return one matcher a post."""
        base = views["base"]
        literals: list[dict[int, list[Hit]]] = [{} for _ in range(len(batch))]
        bold: list[set[int]] = [set() for _ in range(len(batch))]
        for name in VIEWS:
            self._collect(name, views[name], base, batch, literals, bold, cut)
        texts = base.texts()
        starts = batch.offsets.tolist()
        bounds = base.offsets.tolist()
        cues, fields = self._compiled.cues, batch.fields
        return [
            PostMatcher(
                texts[post],
                base.source[bounds[post] : bounds[post + 1]] - starts[post],
                hits,
                cues,
                bold[post],
                fields=() if fields is None else fields.of(post),
            )
            for post, hits in enumerate(literals)
        ]

    def _collect(
        self,
        name: str,
        view: View,
        base: View,
        batch: TextBatch,
        literals: list[dict[int, list[Hit]]],
        bold: list[set[int]],
        cut: NDArray[np.bool_] | None,
    ) -> None:
        """Add the hits of one view to each post's literals."""
        automaton = self._full[name]
        found = automaton.find(view, base)
        table = self._compiled.literals
        if cut is not None:
            touches = (view.source[found.start] == batch.offsets[found.post]) & cut[found.post, 0]
            ends = view.last[found.end - 1] + 1 == batch.offsets[found.post + 1]
            found = found.where(~(touches | (ends & cut[found.post, 1])))
        if batch.fields is not None:  # a term never runs from one field into the next
            start = batch.offsets[found.post]
            first = batch.fields.number(view.source[found.start] - start, found.post)
            last = batch.fields.number(view.last[found.end - 1] - start, found.post)
            found = found.where(first == last)
        origin = batch.offsets[found.post]
        spans = zip(
            found.pattern.tolist(),
            found.start.tolist(),
            found.end.tolist(),
            found.post.tolist(),
            found.left.tolist(),
            found.right.tolist(),
            (view.source[found.start] - origin).tolist(),
            (view.last[found.end - 1] + 1 - origin).tolist(),
            strict=True,
        )
        plain = name == "base"
        for pattern, start, end, post, left, right, first, last in spans:
            for index in automaton.literals[pattern]:
                literal = table[index]
                if not ((left or literal.left_open) and (right or literal.right_open)):
                    continue
                known = literals[post].get(index)
                if known is None:
                    known = literals[post][index] = []
                elif not plain and any(h.start <= first and last <= h.end for h in known):
                    continue  # the base view shows it already
                if plain:
                    known.append(Hit(first, last, name))
                elif is_deliberate(literal, view, base, self.table, start, end):
                    known.append(Hit(first, last, name))
                    bold[post].add(index)

    def _findings(
        self, matcher: PostMatcher, candidates: list[int], wanted: bool, every_cue: bool
    ) -> Findings:
        rules = self._compiled.rules
        matches = _fired(matcher, [rules[number] for number in candidates])
        if not matches and not wanted:
            return Findings(timeouts=tuple(dict.fromkeys(matcher.timeouts)))
        known = {
            number
            for literal, hits in matcher.literals.items()
            if hits
            for number in self._contexts.get(literal, ())
        }
        contexts = _fired(matcher, [rules[number] for number in sorted(known)])
        asked = bool(contexts) or not matches  # otherwise the rules' own stance decides
        names = None if every_cue else STANCE_CUES
        return Findings(
            matches,
            contexts,
            matcher.present_cues(names) if asked or every_cue else frozenset(),
            asked and matcher.makes_offer(contexts),
            tuple(dict.fromkeys(matcher.timeouts)),
        )


def _fired(matcher: PostMatcher, rules: list[Rule]) -> tuple[RuleMatch, ...]:
    return tuple(m for rule in rules if (m := matcher.match(rule, LEVELS)) is not None)


@lru_cache(maxsize=4)
def _cached(folder: Path, digest: str) -> Ruleset:
    compiled = compile_rules(folder)
    if compiled.digest != digest:  # changed while it was read
        compiled = compile_rules(folder)
    return Ruleset(compiled)


def load_ruleset(folder: Path, as_of: date | None = None) -> Ruleset:
    """Compile a rules folder, or return the ruleset already compiled from the same bytes.

    Args:
        folder: the rules folder.
        as_of: leave out the rules that do not count on this day; None: take every rule.

    Raises:
        RuleError: the files do not compile; it lists every diagnostic.
        DataNotFoundError: the folder or its fold table is missing.
    """
    ruleset = _cached(folder, rules_digest(folder))
    return ruleset if as_of is None else ruleset.on(as_of)
