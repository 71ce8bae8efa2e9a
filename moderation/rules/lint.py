"""Lint: what in rule files compiles and is still likely a mistake. Never runs on load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from moderation.rules.backtracking import LONGEST_MS, shape_problem, slowest
from moderation.rules.compile import CompiledRules, compile_rules, missing_tests
from moderation.rules.finding import Finding
from moderation.rules.lint_terms import lint_terms
from moderation.rules.lint_tests import lint_tests
from moderation.rules.outline import Outline, Place
from moderation.rules.patterns import PATTERN_TIMEOUT_MS
from moderation.text.ordinary import AMONG_HAN
from moderation.types import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["LintReport", "lint_rules", "ordinary_counts"]


_LEAST_KNOWN: Final = 2
"""A table smaller than this knows no words at all."""


class LintReport(NamedTuple):
    """The compiled rules and what the lint says of them, in order of place."""

    compiled: CompiledRules
    diagnostics: tuple[Diagnostic, ...]


def lint_rules(folder: Path, ordinary: Callable[[str], int | None] | None = None) -> LintReport:
    """Compile a rules folder and look for likely mistakes.

    Args:
        folder: the rules folder.
        ordinary: returns how many ordinary posts in a million hold a folded term, or None where
            that is not known; default: read from fold/ordinary.npz, where there is one.

    Raises:
        RuleError: the files do not compile; then nothing is linted.
        DataNotFoundError: the folder or its fold table is missing.
    """
    outline = Outline()
    compiled = compile_rules(folder, outline=outline)
    counted = ordinary or ordinary_counts(compiled)
    rules = {rule.id: rule for rule in (*compiled.rules, *compiled.private)}
    found: list[Finding] = [
        *lint_terms(compiled, outline, counted),
        *lint_tests(compiled, outline),
        *_patterns(compiled, outline),
        *_rules(compiled, outline),
    ]
    kept = {f for f in found if f.owner not in rules or f.code not in rules[f.owner].allow}
    ordered = sorted(kept, key=lambda f: (f.place, f.code, f.message))
    diagnostics = (Diagnostic(f.code, f.message, *f.place, f.severity) for f in ordered)
    return LintReport(compiled, tuple(diagnostics))


def ordinary_counts(compiled: CompiledRules) -> Callable[[str], int | None] | None:
    """Return a function from a folded term to the posts in a million that hold it.

    It returns None for terms that nobody counted: those longer than the table's. Without the table
    there is no function.
    """
    table = compiled.ordinary
    if len(table) < _LEAST_KNOWN:
        return None

    def per_million(term: str) -> int | None:
        latin = term.isascii() and term.isalpha()
        if not (latin or (not term.isascii() and 2 <= len(term) <= 4)):
            return None
        return max(table.per_million(term), table.per_million(AMONG_HAN + term))

    return per_million


def _patterns(compiled: CompiledRules, outline: Outline) -> Iterator[Finding]:
    rules = {rule.id for rule in (*compiled.rules, *compiled.private)}
    for pattern in outline.patterns:
        where = (pattern.place, pattern.owner)
        required = sorted(compiled.literals[literal].base for literal in pattern.require)
        taken = slowest(pattern.source, required)
        shape = shape_problem(pattern.source)
        if taken > LONGEST_MS:
            why = f" ({shape})" if shape else ""
            yield Finding(
                "L102",
                "error",
                f"the pattern takes {taken:.0f} ms on a post made for it{why}; at most "
                f"{LONGEST_MS:.0f} leave it a margin to the {PATTERN_TIMEOUT_MS} it is given",
                *where,
            )
        elif shape:
            yield Finding("L102", "warning", f"the pattern has {shape}", *where)
        if not pattern.require and pattern.owner in rules:
            message = "the pattern has no 'require': it is tried on every candidate post"
            yield Finding("L110", "warning", message, *where)


def _rules(compiled: CompiledRules, outline: Outline) -> Iterator[Finding]:
    for rule in (*compiled.rules, *compiled.private):
        place = Place(rule.path, rule.line, rule.column)
        missing = missing_tests(rule)
        if missing:
            message = f"the rule has no {', '.join(missing)} test"
            yield Finding("L103", "error", message, place, rule.id)
    for rule in compiled.private:
        if rule.id not in outline.used_blocks:
            place = Place(rule.path, rule.line, rule.column)
            message = f"nothing names the private rule {rule.id!r}"
            yield Finding("L108", "warning", message, place, rule.id)
    yield from _unused_lists(outline.lists.items(), outline.used_lists)


def _unused_lists(
    lists: Iterable[tuple[tuple[str, str], Place]], used: set[tuple[str, str]]
) -> Iterator[Finding]:
    for key, place in lists:
        if key not in used:
            yield Finding("L108", "warning", f"nothing names the list {key[1]!r}", place, "")
