"""Compile rule files into an immutable, hashed Ruleset, or say everything that is wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import regex
import yaml

from moderation.errors import DataNotFoundError, RuleError
from moderation.rules.clauses import Clause, cost, has_pattern, literals_of
from moderation.rules.clauses import clauses as clauses_of
from moderation.rules.conditions import (
    CUES,
    LEVELS,
    AllOf,
    AnyOf,
    Condition,
    Cue,
    Literal,
    Near,
    NoneOf,
    Pattern,
    Rule,
    RuleTests,
    Terms,
)
from moderation.rules.literals import LiteralTable
from moderation.rules.source import Reader, SourceFile
from moderation.text import VIEWS, FoldTable, load_table
from moderation.text.ordinary import load_ordinary
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.types import (
    INNOCENT_STANCES,
    LANGUAGES,
    POLICIES,
    SUB_LABELS,
    VIOLATING_STANCES,
)

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text.ordinary import Ordinary
    from moderation.text.shape import ShapeTable
    from moderation.text.sound import SoundTable

__all__ = ["CompiledRules", "compile_rules", "rule_files", "rules_digest"]

_FILE_FIELDS: Final = ("schema", "policy", "lists", "rules")
_RULE_FIELDS: Final = (
    "id", "title", "policy", "sub_label", "stance", "level", "languages", "views", "any", "all",
    "near", "within", "none", "exceptions", "notes", "tags", "tests",
)  # fmt: skip
_TEST_FIELDS: Final = ("hit", "pass", "evasion", "explain")
_CONDITION_FIELDS: Final = (
    "list", "regex", "require", "cue", "any", "all", "none", "near", "within",
)  # fmt: skip
_OWNERS: Final = {"within": "near", "require": "regex"}
"""Fields that mean something only beside another."""
_PACKS: Final = (*POLICIES, "context")
SCHEMA_VERSION: Final = 1
MAX_DISTANCE: Final = 1000


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
    shapes: ShapeTable | None
    ordinary: Ordinary
    digest: str
    terms: int
    """Distinct terms written in the files."""


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


def compile_rules(folder: Path, *, strict: bool = False) -> CompiledRules:
    """Compile every pack below a rules folder.

    Args:
        folder: holds cues.yaml, fold/ and one folder per policy plus context/.
        strict: also refuse rules that do not carry the tests they should.

    Raises:
        RuleError: with every diagnostic, when anything at all is wrong.
        DataNotFoundError: the folder or its fold table is missing.
    """
    digest = rules_digest(folder)
    table = load_table(folder)
    reader = Reader(folder)
    literals = LiteralTable(table)
    cues = _compile_cues(reader, folder, literals)
    rules: list[Rule] = []
    seen: dict[str, str] = {}
    for pack in _PACKS:
        for path in sorted((folder / pack).glob("*.yaml")):
            source = reader.open(path)
            if source is not None:
                rules += _Compiler(source, literals, pack, strict, seen).rules()
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
            )
        clauses.append(needed)
    if reader.diagnostics:
        raise RuleError(sorted(reader.diagnostics, key=lambda d: (d.path, d.line, d.code)))
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
    )


def _compile_cues(reader: Reader, folder: Path, literals: LiteralTable) -> dict[str, Condition]:
    source = reader.open(folder / "cues.yaml")
    if source is None:
        return {}
    fields = source.fields(source.node, ("schema", "cues"), ("schema", "cues"))
    if "cues" not in fields:
        return {}
    compiler = _Compiler(source, literals, "cues", strict=False, seen={})
    cues: dict[str, Condition] = {}
    for name, node in source.fields(fields["cues"], CUES, CUES).items():
        condition = compiler.any_of(node)
        if condition is not None:
            cues[name] = condition
    return cues


class _Compiler:
    """Compiles the rules of one file."""

    def __init__(
        self,
        source: SourceFile,
        literals: LiteralTable,
        pack: str,
        strict: bool,
        seen: dict[str, str],
    ) -> None:
        self.source = source
        self.literals = literals
        self.pack = pack
        self.strict = strict
        self.seen = seen
        self.lists: dict[str, tuple[int, ...]] = {}

    def rules(self) -> list[Rule]:
        source = self.source
        fields = source.fields(source.node, _FILE_FIELDS, ("schema", "policy", "rules"))
        if "schema" in fields:
            source.integer(fields["schema"], SCHEMA_VERSION, SCHEMA_VERSION)
        choices = (*POLICIES, "any") if self.pack == "context" else (self.pack,)
        policy = source.string(fields["policy"], choices) if "policy" in fields else None
        lists = source.fields(fields["lists"]) if "lists" in fields else {}
        for name, node in lists.items():
            self.lists[name] = self._terms(node)
        nodes = source.items(fields["rules"]) if "rules" in fields else ()
        compiled = [self._rule(node, policy) for node in nodes]
        return [rule for rule in compiled if rule is not None]

    def _rule(self, node: yaml.Node, file_policy: str | None) -> Rule | None:
        source = self.source
        context = self.pack == "context"
        required = ("id", "title", "stance") + (() if context else ("sub_label", "level"))
        before = len(source.reader.diagnostics)
        fields = source.fields(node, _RULE_FIELDS, required)
        if not fields:
            return None
        text = {k: source.string(fields[k]) for k in ("id", "title") if k in fields}
        self._check_id(text.get("id"), fields.get("id", node))
        policies = (*POLICIES, "any") if context else (self.pack,)
        policy = source.string(fields["policy"], policies) if "policy" in fields else file_policy
        stances = INNOCENT_STANCES if context else VIOLATING_STANCES
        stance = source.string(fields["stance"], stances) if "stance" in fields else None
        sub_label = level = None
        if context:
            for key in ("level", "sub_label"):
                if key in fields:
                    source.report("R004", f"a context rule has no {key!r}", fields[key])
        else:
            if "sub_label" in fields:
                sub_label = source.string(fields["sub_label"], SUB_LABELS[self.pack])
            if "level" in fields:
                level = source.string(fields["level"], LEVELS)
        condition = self._top(fields, node)
        tests = self._tests(fields.get("tests"), node, level)
        languages = source.strings(fields["languages"], LANGUAGES) if "languages" in fields else ()
        views = source.strings(fields["views"], VIEWS) if "views" in fields else VIEWS
        if "views" in fields:
            self._not_empty(fields["views"])
        exceptions = frozenset(self._terms(fields["exceptions"]) if "exceptions" in fields else ())
        for key in ("notes", "tags"):
            if key in fields and key == "tags":
                source.strings(fields[key])
            elif key in fields:
                source.string(fields[key])
        if condition is None or len(source.reader.diagnostics) > before or not policy:
            return None
        return Rule(
            text["id"] or "",
            text["title"] or "",
            policy,
            sub_label,
            stance or "",
            level,
            languages,
            views,
            condition,
            exceptions,
            literals_of(condition),
            tests,
            source.name,
            node.start_mark.line + 1,
            has_pattern(condition),
        )

    def _check_id(self, rule_id: str | None, node: yaml.Node) -> None:
        if rule_id is None:
            return
        where = f"{self.source.name}:{node.start_mark.line + 1}"
        if not regex.fullmatch(r"[a-z]+(\.[a-z0-9][a-z0-9-]*){2,}", rule_id):
            self.source.report(
                "R007", f"expected an id like gambling.zh.top-up, found {rule_id!r}", node
            )
        elif not rule_id.startswith(f"{self.pack}."):
            self.source.report("R007", f"id {rule_id!r} must start with {self.pack!r}", node)
        elif rule_id in self.seen:
            self.source.report(
                "R008", f"id {rule_id!r} is already used at {self.seen[rule_id]}", node
            )
        self.seen.setdefault(rule_id, where)

    def _top(self, fields: dict[str, yaml.Node], node: yaml.Node) -> Condition | None:
        parts = [self._combine(key, fields) for key in ("any", "all", "near") if key in fields]
        if not parts:
            self.source.report("R006", "a rule needs 'any', 'all' or 'near'", node)
            return None
        if "none" in fields:
            parts.append(self._combine("none", fields))
        self._check_owners(fields)
        found = tuple(part for part in parts if part is not None)
        if len(found) < len(parts):
            return None
        return found[0] if len(found) == 1 else AllOf(tuple(sorted(found, key=cost)))

    def any_of(self, node: yaml.Node) -> Condition | None:
        """Compile a list of items of which one must hold."""
        items = self._items(node)
        return AnyOf(items) if items else None

    def _items(self, node: yaml.Node) -> tuple[Condition, ...]:
        """Compile a list of items; plain strings gather into one Terms."""
        written: list[int] = []
        items: list[Condition] = []
        for item in self.source.items(node):
            if isinstance(item, yaml.ScalarNode):
                literal = self._literal(item)
                if literal is not None:
                    written.append(literal)
            else:
                condition = self._condition(item)
                if condition is not None:
                    items.append(condition)
        if written:
            items.insert(0, Terms(frozenset(written)))
        self._not_empty(node)
        return tuple(items)

    def _each(self, node: yaml.Node) -> tuple[Condition, ...]:
        """Compile a list of items each of which must hold."""
        items: list[Condition] = []
        for item in self.source.items(node):
            if isinstance(item, yaml.ScalarNode):
                literal = self._literal(item)
                condition: Condition | None = (
                    None if literal is None else Terms(frozenset((literal,)))
                )
            else:
                condition = self._condition(item)
            if condition is not None:
                items.append(condition)
        self._not_empty(node)
        return tuple(items)

    def _not_empty(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.SequenceNode) and not node.value:
            self.source.report("R006", "expected at least one item", node)

    def _check_owners(self, fields: dict[str, yaml.Node]) -> None:
        for key, owner in _OWNERS.items():
            if key in fields and owner not in fields:
                self.source.report("R004", f"{key!r} belongs to {owner!r}", fields[key])

    def _combine(self, key: str, fields: dict[str, yaml.Node]) -> Condition | None:
        node = fields[key]
        if key == "any":
            return self.any_of(node)
        if key == "none":
            items = self._items(node)
            return NoneOf(items) if items else None
        items = self._each(node)
        if not items:
            return None
        if key == "all":
            return AllOf(tuple(sorted(items, key=cost)))
        if "within" not in fields:
            self.source.report("R006", "'near' needs 'within'", node)
            return None
        within = self.source.integer(fields["within"], 1, MAX_DISTANCE)
        if len(items) < 2:
            self.source.report("R006", "'near' needs two items or more", node)
            return None
        return None if within is None else Near(items, within)

    def _condition(self, node: yaml.Node) -> Condition | None:
        fields = self.source.fields(node, _CONDITION_FIELDS)
        keys = [k for k in ("list", "regex", "cue", "any", "all", "none", "near") if k in fields]
        if len(keys) != 1:
            if fields or (isinstance(node, yaml.MappingNode) and not node.value):
                self.source.report("R006", "expected exactly one condition in an item", node)
            return None
        self._check_owners(fields)
        key = keys[0]
        if key == "list":
            terms = self._list(fields[key])
            return Terms(frozenset(terms)) if terms else None
        if key == "cue":
            name = self.source.string(fields[key], CUES)
            return None if name is None else Cue(name)
        if key == "regex":
            return self._pattern(fields)
        return self._combine(key, fields)

    def _pattern(self, fields: dict[str, yaml.Node]) -> Condition | None:
        text = self.source.string(fields["regex"])
        if text is None:
            return None
        try:
            compiled = regex.compile(text, regex.V1 | regex.UNICODE)
        except regex.error as error:
            self.source.report("R012", f"not a regular expression: {error}", fields["regex"])
            return None
        if compiled.match("") is not None:
            self.source.report("R012", "the expression matches the empty string", fields["regex"])
            return None
        require = frozenset(self._terms(fields["require"]) if "require" in fields else ())
        if "require" in fields:
            self._not_empty(fields["require"])
        return Pattern(text, compiled, require)

    def _list(self, node: yaml.Node) -> tuple[int, ...]:
        name = self.source.string(node)
        if name is None:
            return ()
        if name not in self.lists:
            known = ", ".join(sorted(self.lists)) or "none in this file"
            self.source.report("R009", f"unknown list {name!r}; known: {known}", node)
            return ()
        if not self.lists[name]:
            self.source.report("R006", f"list {name!r} is empty", node)
        return self.lists[name]

    def _terms(self, node: yaml.Node) -> tuple[int, ...]:
        """Compile a list of strings and {list: NAME} items."""
        found: list[int] = []
        for item in self.source.items(node):
            if isinstance(item, yaml.MappingNode):
                fields = self.source.fields(item, ("list",), ("list",))
                found += self._list(fields["list"]) if "list" in fields else ()
            else:
                literal = self._literal(item)
                if literal is not None:
                    found.append(literal)
        return tuple(dict.fromkeys(found))

    def _literal(self, node: yaml.Node) -> int | None:
        text = self.source.string(node)
        if text is None:
            return None
        literal = self.literals.add(text)
        if literal is None:
            self.source.report("R010", f"nothing is left of the term {text!r} when folded", node)
        return literal

    def _tests(self, node: yaml.Node | None, rule: yaml.Node, level: str | None) -> RuleTests:
        given: dict[str, tuple[str, ...]] = {}
        if node is not None:
            fields = self.source.fields(node, _TEST_FIELDS)
            given = {key: self.source.strings(value) for key, value in fields.items()}
        if self.strict:
            wanted = ["hit", "pass"]
            if self.pack != "context":
                wanted.append("evasion")
                if level in {"strong", "medium"}:
                    wanted.append("explain")
            missing = [key for key in wanted if not given.get(key)]
            if missing:
                self.source.report("R020", f"the rule has no {', '.join(missing)} test", rule)
        return RuleTests(
            given.get("hit", ()), given.get("pass", ()), given.get("evasion", ()),
            given.get("explain", ()),
        )  # fmt: skip
