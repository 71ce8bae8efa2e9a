"""Ruleset: immutable compiled rules that scan a batch."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from moderation.rules.automaton import Automaton
from moderation.rules.compile import CompiledRules, compile_rules, rules_digest
from moderation.rules.conditions import LEVELS
from moderation.rules.evaluate import Findings, Hit, PostMatcher
from moderation.rules.spelling import is_deliberate
from moderation.text import VIEWS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.rules.conditions import Rule
    from moderation.text import FoldTable, TextBatch, View

__all__ = ["Ruleset", "load_ruleset"]


class Ruleset:
    """Compiled rules. Two passes: `screen` over every post, `evaluate` over the few it leaves."""

    def __init__(self, compiled: CompiledRules) -> None:
        self._compiled = compiled
        self._by_anchor: dict[int, list[int]] = {}
        for number, anchors in enumerate(compiled.anchors):
            for literal in anchors:
                self._by_anchor.setdefault(literal, []).append(number)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, context rules last."""
        return self._compiled.rules

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
    def _screens(self) -> dict[str, Automaton]:
        wanted: dict[str, set[int]] = {name: set() for name in VIEWS}
        for rule, anchors in zip(self._compiled.rules, self._compiled.anchors, strict=True):
            if not rule.is_context:
                for name in rule.views:
                    wanted[name].update(anchors)
        return self._automata(wanted)

    @cached_property
    def _full(self) -> dict[str, Automaton]:
        every = set(range(len(self._compiled.literals)))
        return self._automata(dict.fromkeys(VIEWS, every))

    def _automata(self, wanted: dict[str, set[int]]) -> dict[str, Automaton]:
        literals = self._compiled.literals
        return {
            name: Automaton(name, [(i, literals[i]) for i in sorted(indices)], self.table)
            for name, indices in wanted.items()
        }

    def screen(self, views: dict[str, View]) -> NDArray[np.int64]:
        """Return the posts, ascending, in which a policy rule might fire.

        Args:
            views: every view of a batch, by name.
        """
        base = views["base"]
        found = [self._screens[name].posts(views[name], base) for name in VIEWS]
        return np.unique(np.concatenate(found))

    def evaluate(self, batch: TextBatch) -> list[Findings]:
        """Return what the rules say of each post, in order.

        Spans are code points of the post's original text.
        """
        if not len(batch):
            return []
        base = self.table.base(batch)
        views = {"base": base, "compact": self.table.compact(base)}
        literals: list[dict[int, list[Hit]]] = [{} for _ in range(len(batch))]
        for name in VIEWS:
            self._collect(name, views[name], base, batch, literals)
        texts = base.texts()
        starts = batch.offsets.tolist()
        bounds = base.offsets.tolist()
        found = []
        for post, hits in enumerate(literals):
            source = base.source[bounds[post] : bounds[post + 1]] - starts[post]
            matcher = PostMatcher(texts[post], source.tolist(), hits, self._compiled.cues)
            found.append(self._findings(matcher))
        return found

    def _collect(
        self,
        name: str,
        view: View,
        base: View,
        batch: TextBatch,
        literals: list[dict[int, list[Hit]]],
    ) -> None:
        """Add the hits of one view to each post's literals."""
        automaton = self._full[name]
        found = automaton.find(view, base)
        table, known = self._compiled.literals, self._compiled
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
        for pattern, start, end, post, left, right, first, last in spans:
            for index in automaton.literals[pattern]:
                literal = table[index]
                if not ((left or literal.left_open) and (right or literal.right_open)):
                    continue
                hits = literals[post].setdefault(index, [])
                if name != "base":
                    if any(h.start <= first and last <= h.end for h in hits):
                        continue  # the base view shows it already
                    if not is_deliberate(literal, view, base, known.table, start, end):
                        continue
                hits.append(Hit(first, last, name))

    def _findings(self, matcher: PostMatcher) -> Findings:
        candidates = {
            number
            for literal, hits in matcher.literals.items()
            if hits
            for number in self._by_anchor.get(literal, ())
        }
        rules = [self._compiled.rules[number] for number in sorted(candidates)]
        fired = [m for rule in rules if (m := matcher.match(rule, LEVELS)) is not None]
        contexts = tuple(m for m in fired if m.rule.is_context)
        return Findings(
            tuple(m for m in fired if not m.rule.is_context),
            contexts,
            matcher.present_cues(),
            matcher.makes_offer(contexts),
            tuple(dict.fromkeys(matcher.timeouts)),
        )


@lru_cache(maxsize=4)
def _cached(folder: Path, digest: str) -> Ruleset:
    compiled = compile_rules(folder)
    if compiled.digest != digest:  # changed while it was read
        compiled = compile_rules(folder)
    return Ruleset(compiled)


def load_ruleset(folder: Path) -> Ruleset:
    """Compile a rules folder, or return the ruleset already compiled from the same bytes.

    Raises:
        RuleError: the files do not compile; it lists every diagnostic.
        DataNotFoundError: the folder or its fold table is missing.
    """
    return _cached(folder, rules_digest(folder))
