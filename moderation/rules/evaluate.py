"""Evaluate conditions on one post, given where its literals stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.conditions import (
    WHOLE_TEXT,
    Across,
    AllOf,
    AnyOf,
    Condition,
    Cue,
    InField,
    Near,
    NoneOf,
    Pattern,
    Rule,
    Terms,
)
from moderation.rules.findings import Findings, Hit, PostView, RuleMatch
from moderation.rules.patterns import PATTERN_TIMEOUT_MS, PatternSearch
from moderation.rules.places import Cover, groups
from moderation.text.fields import FieldSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import regex

    from moderation.rules.conditions import Literal
    from moderation.rules.hits import LiteralHits
    from moderation.rules.places import Place

__all__ = [
    "FRAIL_CUES",
    "NOISE",
    "NOISY",
    "OFFER_CUES",
    "PATTERN_TIMEOUT_MS",
    "QUOTED",
    "RARE_CUES",
    "REMARKS",
    "SECOND_CUES",
    "STANCE_CUES",
    "Findings",
    "Hit",
    "PostMatcher",
    "PostView",
    "RuleMatch",
]

OFFER_CUES: Final = ("handle", "call")
STANCE_CUES: Final = (*OFFER_CUES, "ask")
"""Cues that a stance may depend on."""
REMARKS: Final = ("explain", "report")
"""Stances of contexts that are remarks about others' posts."""
_REMARK_WITHIN: Final = 60
_BORDER: Final = 10
"""Characters that the border between two fields counts for in `near`."""
QUOTED: Final = (
    r"""(?<![\p{L}\p{N}])'[^'\n]{2,120}'(?![\p{L}\p{N}])|"[^"\n]{2,120}"|“[^”\n]{2,120}”|「[^」\n]{2,120}」"""
    r"""|『[^』\n]{2,120}』|‘[^’\n]{2,120}’|【[^】\n]{2,120}】|《[^》\n]{2,120}》"""
)
NOISE: Final = r"""[^\p{L}\p{N}\s，。！？、：；,!?:;()\[\]{}'"“”‘’《》【】#@/&+-]"""
"""A mark that ordinary writing does not put between Han characters."""
NOISY: Final = (
    rf"""\p{{Han}}{NOISE}{{1,3}}\p{{Han}}"""
    r"""|(?<!\w)\w(?:[^\w\n]\w){2,}(?!\w)|\p{Han}[-+/]\p{Han}(?:[-+/]|\p{Han}?\s|$)"""
)
"""Marks between Han characters, or characters that stand apart one by one."""
SECOND_CUES: Final = ("contact", "handle", "call", "price", "delivery", "link", "quantity")
"""Cues of which one must stand beside a hit that only a bold view shows."""
FRAIL_CUES: Final = ("contact", "handle", "call")
"""The same for a frail spelling: prices and addresses stand beside anything."""
RARE_CUES: Final = (*FRAIL_CUES, "price", "delivery", "link", "quantity")
"""The same for a frail spelling that is rare: addresses stand beside anything."""


@cache
def _regex(pattern: str) -> regex.Pattern[str]:
    """Compile an expression when it is first searched for."""
    import regex

    return regex.compile(pattern)


@dataclass(slots=True)
class PostMatcher:
    """Evaluates conditions on one post; remembers what it has already looked up."""

    read: Callable[[str], PostView]
    """Returns the post in a view, by its name."""
    literals: LiteralHits
    cues: dict[str, Condition]
    table: Sequence[Literal]
    """Every literal, by index."""
    timeouts: list[str] = field(default_factory=list)
    fields: tuple[FieldSpan, ...] = ()
    """Where the post's fields lie; none for a post that was given as one text."""
    _patterns: PatternSearch = field(init=False)
    _cue_hits: dict[str, list[Hit]] = field(default_factory=dict)
    _covers: dict[frozenset[int], Cover | None] = field(default_factory=dict)
    _noisy: bool | None = None
    _base: PostView | None = None
    _compact: PostView | None = None
    _inside: tuple[FieldSpan, ...] | None = None
    """The fields to which `in` has narrowed what is looked at; None: anywhere."""

    def __post_init__(self) -> None:
        self._patterns = PatternSearch(self.read, self.literals, self.table)

    @property
    def base(self) -> PostView:
        """The post in the base view, as rules read it."""
        if self._base is None:
            self._base = self.read("base")
        return self._base

    @property
    def compact(self) -> PostView:
        """The post in the compact view."""
        if self._compact is None:
            self._compact = self.read("compact")
        return self._compact

    @property
    def spans(self) -> tuple[FieldSpan, ...]:
        """The post's fields; the whole text is one where it was given as one."""
        if self.fields:
            return self.fields
        source = self.base.source
        return (FieldSpan(WHOLE_TEXT, 0, int(source[-1]) + 1 if len(source) else 0),)

    def matches(
        self, numbers: list[int], rules: Sequence[Rule], levels: Sequence[str]
    ) -> list[RuleMatch]:
        """Return the matches of those of some rules that hold, in their order.

        Args:
            numbers: which rules to try.
            rules: every rule.
            levels: the ordered scale of evidence.
        """
        tried = (self.match(rules[number], levels) for number in numbers)
        return [match for match in tried if match is not None]

    def match(self, rule: Rule, levels: Sequence[str]) -> RuleMatch | None:
        """Return the rule's match, or None. `levels` is the ordered scale of evidence."""
        bold_allowed = rule.views != ("base",)
        hits = self._hold(rule.condition, rule, bold=False) if "base" in rule.views else None
        bold = hits is None
        if hits is None and bold_allowed and self._may_be_hidden(rule):
            hits = self._hold(rule.condition, rule, bold=True)
        if hits is None:
            return None
        return self._judged(rule, tuple(sorted(set(hits), key=_position)), levels, bold=bold)

    def _judged(
        self, rule: Rule, unique: tuple[Hit, ...], levels: Sequence[str], *, bold: bool
    ) -> RuleMatch:
        """Return the match of a rule that holds: what rests on doubtful hits says less."""
        level, frail = rule.level, False
        if bold:
            sure = {(hit.start, hit.end) for hit in unique if hit.bold and not hit.frail}
            loose = [h for h in unique if h.frail and (h.start, h.end) not in sure]
            doubted = bool(loose)
            cues = RARE_CUES if all(h.rare for h in loose) else FRAIL_CUES
            frail = doubted and not self._second_cue(unique, cues, loose)
            if level == levels[-1] and (doubted or not self._second_cue(unique, SECOND_CUES)):
                level = levels[-2]
        return RuleMatch(rule, level, unique, bold, frail)

    def _may_be_hidden(self, rule: Rule) -> bool:
        if any(map(self.literals.present.isdisjoint, getattr(rule.condition, "needs", ()))):
            return False
        if rule.has_pattern:  # what hides one word may hide what only the pattern knows as well
            return bool(self.literals.bold) or self._is_noisy()
        return not self.literals.bold.isdisjoint(rule.literals)

    def _is_noisy(self) -> bool:
        """Say whether marks stand where ordinary writing has none."""
        if self._noisy is None:
            self._noisy = _regex(NOISY).search(self.base.text) is not None
        return self._noisy

    def surface(self, hit: Hit) -> str:
        """Return the folded text of a hit."""
        first, end = np.searchsorted(self.base.source, (hit.start, hit.end))
        return self.base.text[first:end]

    def cue(self, name: str) -> list[Hit]:
        """Return the hits of a cue class in this post."""
        known = self._cue_hits.get(name)
        if known is None:
            inside, self._inside = self._inside, None
            found = self._hold(self.cues[name], None, bold=True) or []
            self._inside = inside
            known = [h._replace(cue=True) for h in found]
            self._cue_hits[name] = known
        return known

    def present_cues(self, names: Iterable[str] | None = None) -> frozenset[str]:
        """Return which cue classes are in this post; by default every class is looked for."""
        return frozenset(name for name in (names or self.cues) if self.has_cue(name))

    def has_cue(self, name: str) -> bool:
        """Say whether a cue class is in this post."""
        return bool(self.cue(name))

    def late(self) -> tuple[str, ...]:
        """Return ids of rules, or names of cues, whose pattern ran out of time."""
        return tuple(dict.fromkeys(self.timeouts))

    def makes_offer(self, contexts: Sequence[RuleMatch]) -> bool:
        """Say whether an offer's cue is the author's own.

        A cue in quotation marks is somebody else's words, and so is one that a remark about bans
        or reports follows ("posts saying DM me get removed"); one that follows the remark is not
        ("we can't show it here, DM me").
        """
        if not any(map(self.has_cue, OFFER_CUES)):
            return False
        quoted = [found.span() for found in _regex(QUOTED).finditer(self.base.text)]
        source = self.base.source if quoted else ()
        spans = [(int(source[a]), int(source[b - 1]) + 1) for a, b in quoted]
        remarks = [h for m in contexts if m.rule.stance in REMARKS for h in m.hits]
        for name in OFFER_CUES:
            for hit in self.cue(name):
                if any(a <= hit.start and hit.end <= b for a, b in spans):
                    continue
                if any(0 <= r.start - hit.end <= _REMARK_WITHIN for r in remarks):
                    continue
                return True
        return False

    def _second_cue(
        self, hits: Sequence[Hit], names: Sequence[str], loose: Sequence[Hit] = ()
    ) -> bool:
        """Say whether something agrees with a match; what a loose hit is made of does not."""
        spans = {(h.start, h.end) for h in hits if not h.cue and not h.frail}
        return len(spans) > 1 or any(
            not h.frail and all(h.end <= x.start or x.end <= h.start for x in loose)
            for name in names
            for h in self.cue(name)
        )

    def _hold(self, condition: Condition, rule: Rule | None, *, bold: bool) -> list[Hit] | None:
        """Return the hits that make a condition hold, or None when it does not."""
        if isinstance(condition, Terms):
            return self._terms(condition.literals, rule, bold) or None
        if isinstance(condition, Pattern):
            return self._pattern(condition, rule, bold) or None
        if isinstance(condition, Cue):
            return self._narrowed(self.cue(condition.name)) or None
        if isinstance(condition, NoneOf):
            # A veto must be plain to see: letters of two words may not make it.
            blocked = any(self._hold(i, rule, bold=False) is not None for i in condition.items)
            return None if blocked else []
        there = self.literals.present if bold else self.literals.plain
        for group in condition.needs:
            if group.isdisjoint(there):
                return None
        match condition:
            case Near():
                return self._near(condition, rule, bold)
            case AnyOf():
                return self._any_of(condition, rule, bold)
            case AllOf():
                return self._all_of(condition, rule, bold)
            case InField():
                return self._in_fields(condition, rule, bold)
            case Across():
                return self._across(condition, rule, bold)

    def _any_of(self, condition: AnyOf, rule: Rule | None, bold: bool) -> list[Hit] | None:
        hits: list[Hit] | None = None
        for item in condition.items:
            part = self._hold(item, rule, bold=bold)
            if part is not None:
                hits = part if hits is None else hits + part
        return hits

    def _all_of(self, condition: AllOf, rule: Rule | None, bold: bool) -> list[Hit] | None:
        hits: list[Hit] = []
        for item in condition.items:
            part = self._hold(item, rule, bold=bold)
            if part is None:
                return None
            hits += part
        return hits

    def _in_fields(self, condition: InField, rule: Rule | None, bold: bool) -> list[Hit] | None:
        before = self._inside
        self._inside = tuple(
            span
            for span in self.spans
            if span.name in condition.names and (before is None or span in before)
        )
        hits = self._hold(condition.item, rule, bold=bold)
        self._inside = before
        return hits

    def _narrowed(self, hits: list[Hit]) -> list[Hit]:
        """Leave out the hits that `in` does not look at."""
        if self._inside is None:
            return hits
        inside = self._inside
        return [h for h in hits if any(s.start <= h.start and h.end <= s.end for s in inside)]

    def _across(self, condition: Across, rule: Rule | None, bold: bool) -> list[Hit] | None:
        hits: list[Hit] = []
        for item in condition.items:
            part = self._hold(item, rule, bold=bold)
            if part is None:
                return None
            hits += part
        return hits if len({self._field(hit) for hit in hits}) > 1 else None

    def _field(self, hit: Hit) -> int:
        """Return the number of the field that a hit lies in."""
        return sum(span.start <= hit.start for span in self.fields)

    def _places(self, hits: Sequence[Hit], bold: bool) -> list[Place]:
        """Return hits with their places as `near` measures distances."""
        if not bold and not self.fields:
            return [(hit.start, hit.end, hit) for hit in hits]
        edges = np.array([(h.start, h.end) for h in hits], np.int64)
        if bold:  # noise between the words is no distance
            edges = self.compact.source.searchsorted(edges)
        if self.fields:  # nor is the next field as close as the next word
            border = np.array([self._field(h) for h in hits], np.int64) * _BORDER
            edges = edges + border[:, np.newaxis]
        return [(start, end, hit) for (start, end), hit in zip(edges.tolist(), hits, strict=True)]

    def _near(self, condition: Near, rule: Rule | None, bold: bool) -> list[Hit] | None:
        found = []
        for item in condition.items:
            part = self._hold(item, rule, bold=bold)
            if not part:
                return None
            found.append(part)
        return groups([self._places(part, bold) for part in found], condition.within) or None

    def _terms(self, literals: frozenset[int], rule: Rule | None, bold: bool) -> list[Hit]:
        found = self.literals
        present = literals & (self.literals.present if bold else self.literals.plain)
        if not present:
            return []
        hits = self._narrowed([hit for i in sorted(present) for hit in found[i]])
        if not bold:
            hits = [hit for hit in hits if hit.view == "base"]
        elif rule is not None:
            hits = [hit for hit in hits if hit.view in rule.views]
        if hits and rule is not None and rule.exceptions:
            cover = self._cover(rule.exceptions)
            if cover is not None:
                hits = [hit for hit in hits if not cover.holds(hit)]
        return hits

    def _cover(self, exceptions: frozenset[int]) -> Cover | None:
        """Return the stretches that exceptions allow; None where there is none."""
        if exceptions not in self._covers:
            present = exceptions & self.literals.present
            allowed = [hit for i in present for hit in self.literals[i]]
            self._covers[exceptions] = Cover(allowed) if allowed else None
        return self._covers[exceptions]

    def _pattern(self, pattern: Pattern, rule: Rule | None, bold: bool) -> list[Hit]:
        if pattern.require and not self._terms(pattern.require, rule, bold):
            return []
        bold = bold and rule is not None and "compact" in rule.views
        hits = self._patterns.find(pattern, self._inside, bold=bold)
        if hits is None:
            self.timeouts.append(rule.id if rule is not None else "cue")
        return hits or []


def _position(hit: Hit) -> tuple[int, int, str, str, bool, str, bool, bool]:
    """Return all there is to a hit: no two are equal, so the order is always the same."""
    return (hit.start, -hit.end, hit.kind, hit.view, hit.cue, hit.fold, hit.frail, hit.rare)
