"""Compile rule files into an immutable, hashed Ruleset, or say everything that is wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from moderation.errors import DataNotFoundError, RuleError
from moderation.rules.builder import ConditionBuilder
from moderation.rules.clauses import Clause
from moderation.rules.clauses import clauses as clauses_of
from moderation.rules.conditions import CUES, Condition, Literal, Rule
from moderation.rules.literals import LiteralTable
from moderation.rules.pack import PACKS, Blocks, PackFile
from moderation.rules.source import Reader, listed_strings
from moderation.rules.vocabulary import SCHEMA_VERSION, TermReader, Vocabulary
from moderation.text import FoldTable, load_table
from moderation.text.ordinary import Ordinary
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from moderation.rules.outline import Outline
    from moderation.text.shape import ShapeTable
    from moderation.text.sound import SoundTable

__all__ = [
    "CompiledRules",
    "compile_rules",
    "load_ordinary",
    "missing_tests",
    "rule_files",
    "rules_digest",
]


@dataclass(frozen=True, slots=True)
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

    def on(self, day: date) -> CompiledRules:
        """Return the same without the rules that do not count on a day."""
        kept = [
            (rule, clauses)
            for rule, clauses in zip(self.rules, self.clauses, strict=True)
            if rule.enabled_on(day)
        ]
        return replace(
            self,
            rules=tuple(rule for rule, _ in kept),
            clauses=tuple(clauses for _, clauses in kept),
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


def compile_rules(
    folder: Path, *, strict: bool = False, outline: Outline | None = None
) -> CompiledRules:
    """Compile every pack below a rules folder.

    Args:
        folder: holds cues.yaml, fold/, lists/ and one folder per policy plus context/.
        strict: also refuse rules that do not carry the tests they should.
        outline: filled with where things are written.

    Raises:
        RuleError: with every diagnostic, when anything at all is wrong.
        DataNotFoundError: the folder or its fold table is missing.
    """
    digest = rules_digest(folder)
    table = load_table(folder)
    reader = Reader(folder)
    literals = LiteralTable(table)
    vocabulary = Vocabulary(literals, outline)
    packs = [(pack, path) for pack in PACKS for path in sorted((folder / pack).glob("*.yaml"))]
    opened = [(pack, source) for pack, path in packs if (source := reader.open(path)) is not None]
    literals.prepare(text for _, source in opened for text in listed_strings(source.node))
    vocabulary.read_shared(reader, folder)
    blocks = Blocks(vocabulary)
    seen: dict[str, str] = {}
    files = [PackFile(source, pack, vocabulary, blocks, seen) for pack, source in opened]
    cues = _compile_cues(reader, folder, vocabulary, blocks)
    compiled = [rule for file in files for rule in file.rules()]
    rules = [rule for rule in compiled if not rule.private]
    clauses: list[tuple[Clause, ...]] = []
    for rule in rules:
        needed = clauses_of(rule.condition)
        if not needed:
            reader.report(
                "R011",
                f"rule {rule.id} has no literal to start from: give it a term, a list, or a regex "
                "with 'require'",
                rule.path,
                rule.line,
                rule.column,
            )
        clauses.append(needed)
    if strict:
        for rule in compiled:
            if missing := missing_tests(rule):
                message = f"the rule has no {', '.join(missing)} test"
                reader.report("L103", message, rule.path, rule.line, rule.column)
    if reader.diagnostics:
        raise RuleError(
            sorted(reader.diagnostics, key=lambda d: (d.path, d.line, d.column, d.code))
        )
    return CompiledRules(
        tuple(rules),
        cues,
        tuple(literals.index),
        tuple(clauses),
        table,
        load_sound(folder),
        load_shapes(folder),
        load_ordinary(folder),
        digest,
        len(literals.index),
        tuple(rule for rule in compiled if rule.private),
    )


def load_ordinary(folder: Path) -> Ordinary:
    """Load what is ordinary; without the table nothing is."""
    if (folder / "fold" / "ordinary.npz").is_file():
        return Ordinary.load(folder)
    return Ordinary(np.zeros(1, np.uint32), np.zeros(1, np.uint16))


def missing_tests(rule: Rule) -> list[str]:
    """Return the kinds of test that a rule should carry and does not."""
    tests = rule.tests
    wanted = {"hit": tests.hit, "pass": tests.passes}
    if not rule.private and not rule.is_context:
        wanted["evasion"] = tests.evasion
        if rule.level in {"strong", "medium"}:
            wanted["explain"] = tests.explain
    return [kind for kind, given in wanted.items() if not given]


def _compile_cues(
    reader: Reader, folder: Path, vocabulary: Vocabulary, blocks: Blocks
) -> dict[str, Condition]:
    source = reader.open(folder / "cues.yaml")
    if source is None:
        return {}
    fields = source.fields(source.node, ("schema", "lists", "cues"), ("schema", "cues"))
    if "schema" in fields:
        source.integer(fields["schema"], SCHEMA_VERSION, SCHEMA_VERSION)
    scope = vocabulary.scope(source, fields.get("lists"))
    cues: dict[str, Condition] = {}
    for name, node in source.fields(fields["cues"], CUES, CUES).items() if "cues" in fields else ():
        terms = TermReader(vocabulary, source, scope, name)
        condition = ConditionBuilder(terms, blocks.named).any_of(node)
        if condition is not None:
            cues[name] = condition
    return cues
