"""Compiled rules: what compiling a rules folder comes to, and the digest that names it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moderation.errors import DataNotFoundError
from moderation.rules.known import KnownWords, known_words
from moderation.text.ordinary import Ordinary

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from moderation.rules.clauses import Clause
    from moderation.rules.conditions import Condition, Literal, Rule
    from moderation.text import FoldTable
    from moderation.text.shape import ShapeTable
    from moderation.text.sound import SoundTable

__all__ = ["CompiledRules", "load_ordinary", "rule_files", "rules_digest"]


@dataclass(frozen=True)
class CompiledRules:
    """The result of compiling a rules folder, before any automaton is built."""

    rules: tuple[Rule, ...]
    cues: dict[str, Condition]
    literals: tuple[Literal, ...]
    clauses: tuple[tuple[Clause, ...], ...]
    """For each rule, alternatives of which a post where the rule holds meets one."""
    table: FoldTable
    sound: SoundTable | None
    """None where the folder has no such table: then there is no such view."""
    shapes: ShapeTable | None
    ordinary: Ordinary
    digest: str
    terms: int
    """Distinct terms written in the files."""
    private: tuple[Rule, ...] = ()
    """The building blocks, which yield no match by themselves."""

    def known(self) -> KnownWords:
        """Return the Latin words of the rules."""
        return known_words(self.literals, self.ordinary)

    def disabled_on(self, day: date) -> tuple[str, ...]:
        """Return the ids of the rules that do not count on a day."""
        return tuple(rule.id for rule in self.rules if not rule.enabled_on(day))

    def on(self, day: date) -> CompiledRules:
        """Return the same without the rules that do not count on a day."""
        kept = [
            (rule, clauses)
            for rule, clauses in zip(self.rules, self.clauses, strict=True)
            if rule.enabled_on(day)
        ]
        return CompiledRules(
            tuple(rule for rule, _ in kept),
            self.cues,
            self.literals,
            tuple(clauses for _, clauses in kept),
            self.table,
            self.sound,
            self.shapes,
            self.ordinary,
            self.digest,
            self.terms,
            self.private,
        )


def rule_files(folder: Path) -> list[Path]:
    """Return every file that a rules folder's digest covers, in a fixed order."""
    found = [p for p in folder.rglob("*") if p.suffix in {".yaml", ".npz"} and p.is_file()]
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def rules_digest(folder: Path) -> str:
    """Return the digest of a rules folder: names and bytes of its YAML files and tables."""
    if not folder.is_dir():
        raise DataNotFoundError(f"expected a rules folder at {folder}")
    digest = hashlib.sha256()
    for path in rule_files(folder):
        data = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def load_ordinary(folder: Path) -> Ordinary:
    """Load what is ordinary; without the table nothing is."""
    if (folder / "fold" / "ordinary.npz").is_file():
        return Ordinary.load(folder)
    return Ordinary(np.zeros(1, np.uint32), np.zeros(1, np.uint16))
