"""Ruleset: immutable compiled rules that scan a batch."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.rules import cache
from moderation.rules.chance import Chance
from moderation.rules.collect import Collector
from moderation.rules.collecting import NativeCollector
from moderation.rules.compiled import rules_digest
from moderation.rules.conditions import LEVELS
from moderation.rules.evaluate import PostMatcher
from moderation.rules.findings import Findings, PostView, RuleMatch
from moderation.rules.hits import Reading, Scan
from moderation.rules.lookout import Lookout
from moderation.rules.matching import match_posts
from moderation.rules.program import Program, context_rules, written_out
from moderation.rules.reference import findings_of
from moderation.rules.start import build_automata, build_screen, build_start, clause_rules
from moderation.rules.stored import (
    load_owners,
    load_program,
    load_rules,
    load_start,
    store_owners,
    store_program,
    store_rules,
    store_start,
)
from moderation.rules.table import FindingsTable
from moderation.text.disguise import disguised
from moderation.text.native import kernel
from moderation.text.undisguise import Undisguiser

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton
    from moderation.rules.compiled import CompiledRules
    from moderation.rules.conditions import Rule
    from moderation.rules.hits import HitTable
    from moderation.rules.known import KnownWords
    from moderation.rules.screen import Screen
    from moderation.rules.start import Start
    from moderation.text import FoldTable, TextBatch, View
    from moderation.text.disguise import Meanings
    from moderation.text.undisguise import Undisguised

__all__ = ["Reading", "Ruleset", "Scan", "load_ruleset", "post_view"]


class Ruleset:
    """Compiled rules. `scan` reads every post, `findings` looks closer at the few it leaves."""

    def __init__(
        self,
        compiled: CompiledRules,
        matcher: type[PostMatcher] | None = None,
        *,
        kept: bool = False,
    ) -> None:
        """Take compiled rules.

        Args:
            compiled: the rules.
            matcher: what evaluates them on a post, such as one that also measures, for a
                profile; None: the native kernel, or the reference where there is none.
            kept: True for all the rules of a folder as they are: their automata are kept on disk.
        """
        self._compiled = compiled
        self._matcher = matcher
        self._kept = kept
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
        disabled = self._compiled.disabled_on(day)
        if not disabled:
            return self
        known = self._by_day.get(disabled)
        if known is None:
            known = Ruleset(self._compiled.on(day), self._matcher)
            known.__dict__["_automata"] = self._automata  # every literal is in it: one is enough
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

    def keep(self) -> None:
        """Make what other processes load from the disk, as far as it is not there."""
        if self._kept and not cache.holds("start", self.digest):
            _ = self._start
        if self._kept and not cache.holds("program", self.digest):
            _ = self._program

    @cached_property
    def _start(self) -> Start | None:
        """What noticing posts begins with, where it is kept on disk."""
        if not self._kept:
            return None
        known = load_start(self._compiled, self._owners)
        if known is None:
            known = build_start(self._compiled)
            store_start(known, self._compiled)
        return known

    def _owners(self, view: str) -> dict[str, NDArray[Any]]:
        """Return the owners of a view's patterns."""
        return self._every_owner[view]

    @cached_property
    def _every_owner(self) -> dict[str, dict[str, NDArray[Any]]]:
        """The owners of every view's patterns, from the disk where they are sound there."""
        known = load_owners(self.digest)
        if known is None:
            automata = build_automata(self._compiled)
            known = {name: automaton.owners for name, automaton in automata.items()}
            store_owners(known, self.digest)
        return known

    @cached_property
    def _automata(self) -> dict[str, Automaton]:
        return build_automata(self._compiled) if self._start is None else self._start.automata

    @cached_property
    def _chance(self) -> Chance:
        return Chance(self.table, self._compiled.ordinary, self._compiled.sound)

    @cached_property
    def _collector(self) -> NativeCollector | None:
        if kernel is None:
            return None
        return NativeCollector(len(self._compiled.literals), self._automata, self._chance)

    @cached_property
    def _known(self) -> KnownWords:
        return self._compiled.known()

    @cached_property
    def _screen(self) -> Screen:
        start = self._start
        return build_screen(self._compiled, self._automata) if start is None else start.screen

    @cached_property
    def _lookout(self) -> Lookout | None:
        if self._start is not None:
            return self._start.lookout
        if kernel is None:
            return None
        return Lookout(self._compiled, self._automata, self._screen)

    @cached_property
    def _contexts(self) -> list[list[int]]:
        return context_rules(self._compiled)

    @cached_property
    def _clause_rules(self) -> NDArray[np.int32]:
        """The rule that each clause is of."""
        start = self._start
        return clause_rules(self._compiled) if start is None else start.clause_rules

    @cached_property
    def _program(self) -> Program | None:
        if kernel is None or self._matcher is not None:
            return None
        if not self._kept:
            return Program(self._compiled)
        known = load_program(self._compiled)
        if known is None:
            arrays = written_out(self._compiled)
            store_program(arrays, self.digest)
            known = Program(self._compiled, arrays)
        return known

    @cached_property
    def _undisguiser(self) -> Undisguiser:
        return Undisguiser(self.table, self._compiled.sound, self._known)

    @cached_property
    def _meanings(self) -> Meanings:
        return self._known.meanings() if self._start is None else self._start.meanings

    def views(self, base: View) -> dict[str, View]:
        """Return every view there are tables for, made from a base view as rules read it."""
        found = {"base": base, "compact": self.table.compact(base)}
        if self._compiled.shapes is not None:
            found["shape"] = self._compiled.shapes.view(found["compact"], self.table)
        if self._compiled.sound is not None:
            found["sound"] = self._compiled.sound.view(base, self.table)
        return found

    def read(self, batch: TextBatch, base: View | None = None) -> Reading:
        """Find every literal in every view of a batch.

        Args:
            batch: the posts.
            base: their base view, when it is known already.
        """
        base = self.table.base(batch) if base is None else base
        return self._found(batch, *self._undisguiser.view(base, batch))

    def _reading(
        self, batch: TextBatch, base: View, posts: NDArray[np.int64], read: Undisguised | None
    ) -> Reading:
        """Do what `read` does, for some posts of a scan, whose disguised posts are read already."""
        spaced = np.zeros(len(posts), np.bool_)
        if read is not None:
            base, spaced = read.within(base, batch, posts)
        return self._found(batch, base, spaced)

    def _found(self, batch: TextBatch, base: View, spaced: NDArray[np.bool_]) -> Reading:
        """Find every literal in every view, given the base view as a person reads it."""
        views = self.views(base)
        hits = {name: self._automata[name].scan(view, base) for name, view in views.items()}
        return Reading(batch, base, spaced, views, hits)

    def scan(self, batch: TextBatch, base: View | None = None) -> Scan:
        """Say which policy rules might hold in which posts of a batch.

        Args:
            batch: the posts.
            base: their base view, when it is known already.
        """
        base = self.table.base(batch) if base is None else base
        hidden = disguised(base, batch, self.table, self._meanings)
        posts = np.flatnonzero(hidden)
        read = self._undisguiser.posts(base, batch, posts) if len(posts) else None
        if self._lookout is None:
            reading = self._reading(batch, base, np.arange(len(batch)), read)
            return Scan(batch, base, read, self.candidates(reading))
        found = self._lookout.clauses(base, hidden)
        if read is not None:
            more = self._lookout.clauses(read.base, np.zeros(len(read.posts), np.bool_)).copy()
            more[:, 0] = read.posts[more[:, 0]]
            found = np.concatenate([found, more])
            found = found[np.argsort(found[:, 0], kind="stable")]
        return Scan(batch, base, read, self._of_rules(found))

    def candidates(self, reading: Reading) -> NDArray[np.int32]:
        """Return which rules could hold in which posts, by what was found in them.

        Returns:
            int32, shape (found, 2): post and number of a policy rule, by post.
        """
        return self._of_rules(self._screen.clauses(reading.hits, len(reading.batch)))

    def _of_rules(self, found: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return pairs of post and rule for pairs of post and clause."""
        rules = found.copy()
        rules[:, 1] = self._clause_rules[found[:, 1]]
        return rules

    def evaluate(
        self,
        batch: TextBatch,
        wanted: NDArray[np.bool_] | None = None,
        *,
        every_cue: bool = True,
        cut: NDArray[np.bool_] | None = None,
    ) -> FindingsTable:
        """Return what the rules say of each post of a batch, in order: see `findings`."""
        posts = np.arange(len(batch))
        return self.findings(self.scan(batch), posts, wanted, every_cue=every_cue, cut=cut)

    def findings(
        self,
        scan: Scan,
        posts: NDArray[np.int64],
        wanted: NDArray[np.bool_] | None = None,
        *,
        every_cue: bool = True,
        cut: NDArray[np.bool_] | None = None,
    ) -> FindingsTable:
        """Return what the rules say of some posts.

        Args:
            scan: what `scan` returned.
            posts: the posts to look at, ascending, none twice.
            wanted: bool, shape (len(posts),): posts whose contexts and cues are needed although no
                policy rule may fire. Elsewhere a post without a policy match has empty findings.
            every_cue: look for every cue class, not only for those the stance depends on.
            cut: bool, shape (all posts, 2), True where a post is a window whose text goes on to
                the left or to the right. What touches a cut may be half a word: the window next to
                it holds it whole, so it does not count here.

        Returns:
            One Findings a post; spans are code points of the post's original text.
        """
        if not len(posts):
            return self._table([])
        part, base = scan.batch, scan.base
        if len(posts) < len(part):
            part = part.take(posts)
            base = base.take(posts, scan.batch, part)
        reading = self._reading(part, base, posts, scan.read)
        candidates = _of_posts(scan.candidates, posts)
        closer = np.ones(len(posts), np.bool_) if wanted is None else wanted
        edges = None if cut is None else cut[posts]
        if self._program is not None:
            hits = self._hits(reading, edges)
            return match_posts(
                self._program, reading, hits, candidates, closer, every_cue=every_cue
            )
        rules: dict[int, set[int]] = {}
        for post, number in candidates.tolist():
            rules.setdefault(post, set()).add(number)
        rest = (self.rules, self._contexts)
        return self._table(
            [
                findings_of(
                    matcher,
                    sorted(rules.get(post, ())),
                    *rest,
                    bool(closer[post]),
                    every_cue=every_cue,
                )
                for post, matcher in enumerate(self._matchers(reading, edges))
            ]
        )

    def _table(self, found: Sequence[Findings]) -> FindingsTable:
        return FindingsTable.from_findings(found, self.rules, self._compiled.cues)

    def holds(self, rule: Rule, batch: TextBatch) -> list[RuleMatch | None]:
        """Return for each post the match of one rule, private or not, tried on every post."""
        matchers = self._matchers(self.read(batch), None)
        return [matcher.match(rule, LEVELS) for matcher in matchers]

    def _hits(self, reading: Reading, cut: NDArray[np.bool_] | None) -> HitTable:
        """Return where the literals of each post stand."""
        compiled = self._compiled
        if self._collector is not None:
            return self._collector.hits(reading, cut)
        collector = Collector(
            reading, compiled.literals, self.table, compiled.ordinary, self._chance
        )
        for name in reading.views:
            collector.collect(name, self._automata[name], cut)
        return collector.hits()

    def _matchers(self, reading: Reading, cut: NDArray[np.bool_] | None) -> list[PostMatcher]:
        """Return what evaluates conditions on each post, one at a time."""
        compiled = self._compiled
        hits = self._hits(reading, cut)
        fields = reading.batch.fields
        return [
            (self._matcher or PostMatcher)(
                partial(post_view, reading, post),
                hits.of(post),
                compiled.cues,
                compiled.literals,
                fields=() if fields is None else fields.of(post),
            )
            for post in range(len(reading.batch))
        ]


def post_view(reading: Reading, post: int, name: str) -> PostView:
    """Return one post of a reading in one view, by its name."""
    view = reading.views[name]
    begin, end = int(view.offsets[post]), int(view.offsets[post + 1])
    origin = int(reading.batch.offsets[post])
    text = view.codepoints[begin:end].tobytes().decode("utf-32-le")
    return PostView(text, view.source[begin:end], view.last[begin:end], origin)


def _of_posts(candidates: NDArray[np.int32], posts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the pairs of some posts, ascending, each post as its place among them."""
    place = np.searchsorted(posts, candidates[:, 0])
    known = place < len(posts)
    known[known] = posts[place[known]] == candidates[known, 0]
    return np.stack([place[known], candidates[known, 1]], axis=1).astype(np.int32)


@lru_cache(maxsize=4)
def _cached(folder: Path, digest: str) -> Ruleset:
    compiled = load_rules(folder, digest)
    if compiled is None:
        from moderation.rules.compile import compile_rules

        compiled = compile_rules(folder)
        if compiled.digest != digest:  # changed while it was read
            compiled = compile_rules(folder)
        store_rules(compiled)
    return Ruleset(compiled, kept=True)


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
