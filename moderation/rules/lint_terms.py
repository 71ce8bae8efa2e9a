"""Lint of terms: shadowed, doubled, folded, ordinary, or weak as a veto."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.clauses import literals_of
from moderation.rules.conditions import (
    Across,
    AllOf,
    AnyOf,
    Condition,
    InField,
    Near,
    NoneOf,
    Terms,
)
from moderation.rules.finding import Finding
from moderation.text import TextBatch
from moderation.text.fold import CLASS_DIGIT, CLASS_LATIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moderation.rules.compile import CompiledRules
    from moderation.rules.conditions import Literal, Rule
    from moderation.rules.outline import Outline, TermGroup, WrittenTerm
    from moderation.text import FoldTable

__all__ = ["COMMON_PER_MILLION", "lint_terms"]

COMMON_PER_MILLION: Final = 50
"""Ordinary posts in a million from which a term counts as a common word."""
SHIELD_PER_MILLION: Final = 5000
"""The same for a veto, which has to be an everyday word to be a shield for anybody."""
_OFFER_CUES: Final = ("contact", "handle", "call")
_HARMLESS_FOLDS: Final = {"case", "width"}
_EMOJI_STYLE: Final = "\ufe0f"
"""What keyboards add to an emoji; nobody sees it."""
_ANY_OF: Final = {"list", "any", "none", "require"}
"""Groups of which one term is enough."""


def lint_terms(
    compiled: CompiledRules, outline: Outline, ordinary: Callable[[str], int | None] | None
) -> Iterator[Finding]:
    """Yield what is wrong with the terms: L101, L105, L106, L107, L109."""
    lint = _TermLint(compiled, outline, ordinary)
    for group in outline.groups:
        yield from lint.folded(group)
        yield from lint.doubled(group)
        if group.kind == "exceptions":
            yield from lint.exceptions(group)
        elif group.kind == "none":
            yield from lint.vetoes(group)
    for rule in compiled.rules:
        yield from lint.alone(rule)


@dataclass(slots=True)
class _TermLint:
    compiled: CompiledRules
    outline: Outline
    ordinary: Callable[[str], int | None] | None
    rules: dict[str, Rule] = field(init=False)
    lists: dict[tuple[str, str], TermGroup] = field(init=False)
    """Every list that holds anything, by file ("" for shared lists) and name."""
    allowing: set[tuple[str, str]] = field(init=False)
    """Lists that only exceptions name."""
    offers: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        rules = (*self.compiled.rules, *self.compiled.private)
        self.rules = {rule.id: rule for rule in rules}
        self.lists = {
            key: group
            for group in self.outline.groups
            if group.kind == "list"
            for key in ((group.place.path, group.owner), ("", group.owner))
            if key in self.outline.lists and self.outline.lists[key].path == group.place.path
        }
        named: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
        for group in self.outline.groups:
            named[group.kind == "exceptions"] |= {self._key(group, n) for n in group.lists}
        self.allowing = named[True] - named[False]
        cues = self.compiled.cues
        self.offers = frozenset().union(
            *(literals_of(cues[name]) for name in _OFFER_CUES if name in cues)
        )

    def _key(self, group: TermGroup, name: str) -> tuple[str, str]:
        local = (group.place.path, name)
        return local if local in self.outline.lists else ("", name)

    def _all_terms(self, group: TermGroup) -> list[WrittenTerm]:
        """Return a group's terms and those of the lists it names, each once."""
        found = list(group.terms)
        waiting, seen = [self._key(group, n) for n in group.lists], set()
        while waiting:
            key = waiting.pop()
            if key in seen or key not in self.lists:
                continue
            seen.add(key)
            inner = self.lists[key]
            found += inner.terms
            waiting += [self._key(inner, n) for n in inner.lists]
        return found

    def _literal(self, term: WrittenTerm) -> Literal:
        return self.compiled.literals[term.literal]

    def folded(self, group: TermGroup) -> Iterator[Finding]:
        """L106: the fold changes more of a term than case and width."""
        table = self.compiled.table
        for term in group.terms:
            written = term.written.replace(_EMOJI_STYLE, "")
            codes = TextBatch.from_strings([written]).codepoints
            kinds = sorted(table.kinds(codes) - _HARMLESS_FOLDS)
            if kinds:
                base = self._literal(term).base
                why = ", ".join(kinds)
                message = f"the term {term.written!r} is folded to {base!r} ({why}): write that"
                yield Finding("L106", "warning", message, term.place, group.owner)

    def doubled(self, group: TermGroup) -> Iterator[Finding]:
        """L107: a term stands twice, or holds another one of which one is enough."""
        first: dict[int, WrittenTerm] = {}
        for term in group.terms:
            known = first.setdefault(term.literal, term)
            if known is not term:
                message = f"the term {term.written!r} stands twice (line {known.place.line})"
                yield Finding("L107", "warning", message, term.place, group.owner)
        if group.kind not in _ANY_OF or self._key(group, group.owner) in self.allowing:
            return
        others = {t.literal: t for t in reversed(self._all_terms(group))}
        bases = [(self._literal(t), t) for t in others.values()]
        for term in first.values():
            long = self._literal(term)
            for short, other in bases:
                inside = short.base in long.base and short != long
                if inside and _makes_useless(short, long, self.compiled.table):
                    message = f"the term {term.written!r} adds nothing to {other.written!r}"
                    yield Finding("L107", "warning", message, term.place, group.owner)
                    break

    def exceptions(self, group: TermGroup) -> Iterator[Finding]:
        """L101: exceptions that cover nothing of the rule, and vetoes that they cover."""
        rule = self.rules[group.owner]
        denied = {_plain(self.compiled.literals[index]) for index in rule.literals}
        wanted = _wanted(rule.condition)
        vetoes = {
            term.literal: term
            for other in self.outline.groups
            if other.kind == "none" and other.owner == group.owner
            for term in self._all_terms(other)
        }
        for term in group.terms:
            text = _plain(self._literal(term))
            if term.literal in wanted:
                message = (
                    f"{term.written!r} is a term of the rule as well: an exception covers shorter "
                    "terms only"
                )
                yield Finding("L101", "error", message, term.place, group.owner)
            elif text not in denied and not any(d in text for d in denied):
                message = f"the exception {term.written!r} covers no term of the rule"
                yield Finding("L101", "warning", message, term.place, group.owner)
            for veto in vetoes.values():
                short = _plain(self._literal(veto))
                if short in text and short != text:
                    message = (
                        f"the exception {term.written!r} covers the veto {veto.written!r}: "
                        "there it is no veto"
                    )
                    yield Finding("L101", "warning", message, term.place, group.owner)

    def vetoes(self, group: TermGroup) -> Iterator[Finding]:
        """L109: a veto that anybody writes, or that an offer itself holds."""
        for term in self._all_terms(group):
            literal = self._literal(term)
            place = term.place if term in group.terms else group.place
            if term.literal in self.offers:
                message = f"the veto {term.written!r} is a word of offers (a cue)"
                yield Finding("L109", "warning", message, place, group.owner)
            elif self._is_common(literal):
                message = f"the veto {term.written!r} is a common word: easy to hide behind"
                yield Finding("L109", "warning", message, place, group.owner)

    def _is_common(self, literal: Literal) -> bool:
        count = self.ordinary(literal.base) if self.ordinary is not None else None
        if count is not None:
            return count >= SHIELD_PER_MILLION
        return len(literal.base) == 1 or (len(literal.base) == 2 and literal.base.isascii())

    def alone(self, rule: Rule) -> Iterator[Finding]:
        """L105: an ordinary word that makes a rule fire by itself."""
        if self.ordinary is None or rule.is_context or rule.level == "weak":
            return
        alone = _alone(rule.condition)
        for group in self.outline.groups:
            if group.owner != rule.id or group.kind in {"exceptions", "require", "none"}:
                continue
            for term in self._all_terms(group):
                count = self.ordinary(self._literal(term).base) if term.literal in alone else None
                if count is not None and count >= COMMON_PER_MILLION:
                    message = (
                        f"the term {term.written!r} stands in {count} of a million ordinary "
                        f"posts, and makes {rule.id} fire by itself"
                    )
                    place = term.place if term in group.terms else group.place
                    yield Finding("L105", "warning", message, place, rule.id)


def _alone(condition: Condition) -> frozenset[int]:
    """Return the literals of which one is enough for a condition to hold, but for vetoes."""
    match condition:
        case Terms(literals):
            return literals
        case AnyOf(items):
            return frozenset().union(*map(_alone, items))
        case AllOf(items):
            rest = [item for item in items if not isinstance(item, NoneOf)]
            return _alone(rest[0]) if len(rest) == 1 else frozenset()
        case InField(item):
            return _alone(item)
        case _:
            return frozenset()


def _wanted(condition: Condition) -> frozenset[int]:
    """Return the literals that a condition looks for, those of vetoes left out."""
    match condition:
        case NoneOf():
            return frozenset()
        case AnyOf(items) | AllOf(items) | Near(items) | Across(items):
            return frozenset().union(*map(_wanted, items))
        case InField(item):
            return _wanted(item)
        case _:
            return literals_of(condition)


def _plain(literal: Literal) -> str:
    return literal.base.replace(" ", "")


def _makes_useless(short: Literal, long: Literal, table: FoldTable) -> bool:
    """Say whether every hit of the longer term is one of the shorter as well."""
    if long.compact and not short.compact:
        return False
    left_loose = long.left_open and not short.left_open
    right_loose = long.right_open and not short.right_open
    at = long.base.find(short.base)
    while at >= 0:
        end = at + len(short.base)
        left = not left_loose if at == 0 else _edge(long.base, at, table) or short.left_open
        right = (
            not right_loose
            if end == len(long.base)
            else _edge(long.base, end, table) or short.right_open
        )
        if left and right:
            return True
        at = long.base.find(short.base, at + 1)
    return False


def _edge(text: str, at: int, table: FoldTable) -> bool:
    """Say whether a word may end between two characters."""
    one, two = (int(c) for c in table.classes[np.array([ord(c) for c in text[at - 1 : at + 1]])])
    return not (one & two & (CLASS_LATIN | CLASS_DIGIT))
