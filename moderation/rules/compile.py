"""Compile rule files into an immutable, hashed Ruleset, or say everything that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moderation.errors import RuleError
from moderation.rules.builder import ConditionBuilder
from moderation.rules.clauses import clauses as clauses_of
from moderation.rules.compiled import CompiledRules, load_ordinary, rules_digest
from moderation.rules.conditions import CUES
from moderation.rules.literals import LiteralTable
from moderation.rules.pack import PACKS, Blocks, PackFile
from moderation.rules.source import Reader, listed_strings
from moderation.rules.vocabulary import SCHEMA_VERSION, TermReader, Vocabulary
from moderation.text import load_table
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules.clauses import Clause
    from moderation.rules.conditions import Condition, Rule
    from moderation.rules.outline import Outline

__all__ = ["CompiledRules", "compile_rules", "missing_tests", "rules_digest"]


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
