"""Where the time of a ruleset goes: per rule, per cue and per regular expression.

The rules are run as a scan without the native kernel runs them (rules alone, no classifier), with a
clock around each rule's match, each cue's first look-up in a post and each search of a pattern. A
cue is shared: its time is its own, and not that of the rule that happened to ask first. A pattern's
time is part of the time of the rule or the cue it belongs to.
"""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from moderation.evaluation.posts import is_unshown, read_posts
from moderation.rules import Ruleset
from moderation.rules.evaluate import PostMatcher
from moderation.text import TextBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moderation.rules import Hit, Rule, RuleMatch
    from moderation.rules.compile import CompiledRules

__all__ = ["Profiler", "RuleProfile", "Timing"]

_CALIBRATION: Final = 20_000
_MOST_MATCHES: Final = 16
"""The engine takes no more matches of a pattern from one post."""


@dataclass(slots=True)
class Timing:
    """What one rule, cue or pattern has cost."""

    name: str
    """Id of the rule, name of the cue, or source of the pattern."""
    owner: str = ""
    """For a pattern, the rule or cue that it belongs to; of several, the first."""
    unshown: bool = False
    """True where the name of a pattern must not be printed."""
    candidates: int = 0
    """Posts, or windows of long ones, in which it was tried."""
    evaluations: int = 0
    """Times it was tried there: a rule once in the plain text, and once more in bolder views."""
    hits: int = 0
    """Posts, or windows, in which it was found."""
    seconds: float = 0.0
    slowest: float = 0.0
    """Seconds of the dearest candidate."""
    slowest_post: str | None = None
    """Id of the post it was spent on."""
    _slowest_at: int | None = field(default=None, repr=False)

    @property
    def mean(self) -> float:
        """Seconds a candidate takes."""
        return self.seconds / self.candidates if self.candidates else 0.0

    def add(self, seconds: float, hit: bool, at: int, evaluations: int = 1) -> None:
        """Add one candidate, given its place in the batch."""
        self.candidates += 1
        self.evaluations += evaluations
        self.hits += hit
        self.seconds += seconds
        if seconds > self.slowest:
            self.slowest, self._slowest_at = seconds, at

    def settle(self, ids: Sequence[str]) -> None:
        """Name the slowest post, given the ids of a batch."""
        if self._slowest_at is not None:
            self.slowest_post = ids[self._slowest_at]
            self._slowest_at = None


@dataclass(frozen=True, slots=True)
class RuleProfile:
    """A finished profile; every list is sorted by time, the most first."""

    posts: int
    seconds: float
    """Wall time of folding, searching and matching together."""
    matching: float
    """Seconds of it inside rules and cues."""
    overhead: float
    """Seconds that the clock itself takes, once: about what each candidate counts too much."""
    rules: tuple[Timing, ...]
    cues: tuple[Timing, ...]
    patterns: tuple[Timing, ...]


class Profiler:
    """Runs posts through a ruleset and keeps the time."""

    def __init__(self, compiled: CompiledRules) -> None:
        self._rules = {rule.id: Timing(rule.id) for rule in compiled.rules}
        self._cues = {name: Timing(name) for name in compiled.cues}
        self._patterns: dict[str, Timing] = {}
        self._current: PostMatcher | None = None
        self._made = 0
        self._places: dict[int, int] = {}
        self._nested = 0.0
        self._posts = 0
        self._seconds = 0.0
        self._running = False
        self._ruleset = Ruleset(self._with_clocks(compiled), self._timed_matcher())
        self._ruleset.evaluate(TextBatch.from_strings(["-"]))  # builds what is built only once
        self._places.clear()
        self._made = 0

    def read(self, ids: Sequence[str], texts: Sequence[str]) -> None:
        """Run one batch of posts."""
        aside = 0.0

        def settle(posts: list[int], part: TextBatch) -> None:
            nonlocal aside
            begin = perf_counter()
            assert self._made == len(part), "one matcher a post"
            self._made = 0
            names = [ids[post] for post in posts]
            for timing in (*self._rules.values(), *self._cues.values(), *self._patterns.values()):
                timing.settle(names)
            aside += perf_counter() - begin

        with self._clocked():
            start = perf_counter()
            for _ in read_posts(self._ruleset, texts, settle):
                pass
            self._seconds += perf_counter() - start - aside
        self._posts += len(texts)

    def profile(self) -> RuleProfile:
        """Return the profile of what was read."""
        matching = sum(t.seconds for t in (*self._rules.values(), *self._cues.values()))
        return RuleProfile(
            self._posts,
            self._seconds,
            matching,
            _overhead(),
            _sorted(self._rules),
            _sorted(self._cues),
            _sorted(self._patterns),
        )

    def _with_clocks(self, compiled: CompiledRules) -> CompiledRules:
        """Return the same rules with a clock in every pattern."""
        rules = tuple(
            dataclasses.replace(
                rule, condition=self._clock_patterns(rule.condition, rule.id, is_unshown(rule))
            )
            for rule in compiled.rules
        )
        cues = {
            name: self._clock_patterns(condition, name, unshown=False)
            for name, condition in compiled.cues.items()
        }
        return dataclasses.replace(compiled, rules=rules, cues=cues)

    def _clock_patterns(self, node: Any, owner: str, unshown: bool) -> Any:
        """Return a condition whose patterns keep the time, whatever kinds it is made of."""
        if isinstance(node, tuple):
            return tuple(self._clock_patterns(item, owner, unshown) for item in node)
        if not dataclasses.is_dataclass(node) or isinstance(node, type):
            return node
        changed: dict[str, Any] = {}
        for part in dataclasses.fields(node):
            value = getattr(node, part.name)
            if not part.init:
                continue
            if hasattr(value, "finditer"):
                timing = self._patterns.setdefault(
                    value.pattern, Timing(value.pattern, owner, unshown)
                )
                changed[part.name] = _ClockedPattern(value, timing, self)
            elif isinstance(value, tuple) or dataclasses.is_dataclass(value):
                changed[part.name] = self._clock_patterns(value, owner, unshown)
        return dataclasses.replace(node, **changed) if changed else node

    @property
    def current(self) -> PostMatcher | None:
        """The post that is being matched, while the clocks run."""
        return self._current

    def place(self, matcher: PostMatcher) -> int:
        """Return the place of a post in the batch that is being read."""
        return self._places[id(matcher)]

    @contextmanager
    def _clocked(self) -> Iterator[None]:
        """Let the clocks run."""
        self._running = True
        try:
            yield
        finally:
            self._running = False
            self._places.clear()
            self._made = 0
            self._current = None

    def _timed_matcher(self) -> type[PostMatcher]:
        """Return a matcher with a clock around each rule's match and each cue's look-up."""
        profiler = self
        seen_cues: set[str] = set()
        seen_in: object = None

        class TimedMatcher(PostMatcher):
            def __post_init__(self) -> None:
                # The engine makes one a post, in order; it may reuse the memory of another.
                profiler._places[id(self)] = profiler._made
                profiler._made += 1
                super().__post_init__()

            def match(self, rule: Rule, levels: Sequence[str]) -> RuleMatch | None:
                if not profiler._running:
                    return super().match(rule, levels)
                profiler._current, profiler._nested = self, 0.0
                start = perf_counter()
                found = super().match(rule, levels)
                taken = perf_counter() - start - profiler._nested
                plain = found is not None and not found.bold
                again = not plain and not self.literals.bold.isdisjoint(rule.literals)
                place = profiler.place(self)
                profiler._rules[rule.id].add(taken, found is not None, place, 1 + again)
                profiler._nested = 0.0
                return found

            def cue(self, name: str) -> list[Hit]:
                nonlocal seen_in
                if not profiler._running:
                    return super().cue(name)
                if seen_in is not self:
                    seen_in = self
                    seen_cues.clear()
                if name in seen_cues:  # remembered by the matcher: next to nothing
                    return super().cue(name)
                seen_cues.add(name)
                profiler._current = self
                start = perf_counter()
                found = super().cue(name)
                taken = perf_counter() - start
                profiler._nested += taken
                profiler._cues[name].add(taken, bool(found), profiler.place(self))
                return found

        return TimedMatcher


class _ClockedPattern:
    """A compiled pattern that keeps the time of its searches."""

    def __init__(self, pattern: Any, timing: Timing, profiler: Profiler) -> None:
        self._pattern = pattern
        self._timing = timing
        self._profiler = profiler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)

    def finditer(self, *given: Any, **options: Any) -> list[Any]:
        """Search, and keep the time: of the whole search, as the matches are wanted."""
        found: list[Any] = []
        start = perf_counter()
        try:
            for match in self._pattern.finditer(*given, **options):
                found.append(match)
                if len(found) >= _MOST_MATCHES:
                    break
        finally:
            taken = perf_counter() - start
            post = self._profiler.current
            if post is not None:
                self._timing.add(taken, bool(found), self._profiler.place(post))
        return found


def _overhead() -> float:
    """Return the seconds that a clock takes around nothing."""
    timing = Timing("")
    start = perf_counter()
    for _ in range(_CALIBRATION):
        begin = perf_counter()
        timing.add(perf_counter() - begin, False, 0)
    return (perf_counter() - start) / _CALIBRATION


def _sorted(timings: dict[str, Timing]) -> tuple[Timing, ...]:
    return tuple(sorted(timings.values(), key=lambda t: (-t.seconds, t.name)))
