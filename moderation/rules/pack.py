"""Read the rules of one pack file: their fields, conditions and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import regex
import yaml

from moderation.rules.builder import ConditionBuilder
from moderation.rules.clauses import has_pattern, literals_of
from moderation.rules.conditions import LEVELS, Condition, Rule, RuleTests
from moderation.rules.outline import WrittenTest
from moderation.rules.source import place
from moderation.rules.vocabulary import SCHEMA_VERSION, TermReader, place_in
from moderation.text import VIEWS
from moderation.types import (
    INNOCENT_STANCES,
    LANGUAGES,
    POLICIES,
    SEVERITIES,
    SUB_LABELS,
    VIOLATING_STANCES,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from moderation.rules.source import SourceFile
    from moderation.rules.vocabulary import Vocabulary

__all__ = ["PACKS", "Blocks", "PackFile"]

PACKS: Final = (*POLICIES, "context")
_FILE_FIELDS: Final = ("schema", "policy", "lists", "rules")
_CONDITION_FIELDS: Final = ("any", "all", "near", "within", "across", "none", "exceptions")
_RULE_FIELDS: Final = (
    "id", "title", "private", "policy", "sub_label", "stance", "level", "severity", "languages",
    "views", "enabled_from", "enabled_until", *_CONDITION_FIELDS, "allow", "notes", "tags",
    "tests",
)  # fmt: skip
_PRIVATE_FIELDS: Final = (
    "id", "title", "private", *_CONDITION_FIELDS, "allow", "notes", "tags", "tests",
)  # fmt: skip
_NOT_FOR_CONTEXT: Final = ("level", "sub_label", "severity")
_TESTS: Final = ("hit", "pass", "evasion", "explain")
_PRIVATE_TESTS: Final = ("hit", "pass")


@dataclass(slots=True, eq=False)
class _Block:
    """A private rule; compiled when somebody first names it."""

    compile: Callable[[], Rule | None]
    state: Literal["new", "open", "done"] = "new"
    rule: Rule | None = None


@dataclass(slots=True)
class Blocks:
    """The private rules of a folder, by id."""

    vocabulary: Vocabulary
    _known: dict[str, _Block] = field(default_factory=dict)

    def declare(self, rule_id: str, compile_: Callable[[], Rule | None]) -> None:
        """Make a private rule known; of two with one id the first counts."""
        self._known.setdefault(rule_id, _Block(compile_))

    def compiled(self, rule_id: str) -> Rule | None:
        """Return a declared private rule; None where it does not compile."""
        block = self._known[rule_id]
        if block.state == "new":
            block.state = "open"
            block.rule = block.compile()
            block.state = "done"
        return block.rule

    def named(self, source: SourceFile, node: yaml.Node) -> Rule | None:
        """Return the private rule that a node names; None after reporting."""
        rule_id = source.string(node)
        if rule_id is None:
            return None
        if rule_id not in self._known:
            known = ", ".join(sorted(self._known)) or "none"
            source.report("R015", f"unknown private rule {rule_id!r}; known: {known}", node)
            return None
        if self.vocabulary.outline is not None:
            self.vocabulary.outline.used_blocks.add(rule_id)
        if self._known[rule_id].state == "open":
            source.report("R014", f"private rule {rule_id!r} contains itself", node)
            return None
        return self.compiled(rule_id)


class PackFile:
    """One file of rules. First every file is opened, then its rules are compiled."""

    def __init__(
        self,
        source: SourceFile,
        pack: str,
        vocabulary: Vocabulary,
        blocks: Blocks,
        seen: dict[str, str],
    ) -> None:
        """Read the file's head and make its private rules known.

        Args:
            source: the file.
            pack: one of PACKS.
            vocabulary: literals and lists of the folder.
            blocks: private rules of the folder.
            seen: where each id of the folder was first read.
        """
        self.source = source
        self.pack = pack
        self.vocabulary = vocabulary
        self.blocks = blocks
        fields = source.fields(source.node, _FILE_FIELDS, ("schema", "policy", "rules"))
        if "schema" in fields:
            source.integer(fields["schema"], SCHEMA_VERSION, SCHEMA_VERSION)
        choices = (*POLICIES, "any") if pack == "context" else (pack,)
        self.policy = source.string(fields["policy"], choices) if "policy" in fields else None
        self._scope = vocabulary.scope(source, fields.get("lists"))
        self._rules: list[tuple[str | None, Callable[[], Rule | None]]] = []
        """Each rule's id, where it is a private one, and how to compile it."""
        for node in source.items(fields["rules"]) if "rules" in fields else ():
            self._declare(node, seen)

    def _declare(self, node: yaml.Node, seen: dict[str, str]) -> None:
        source = self.source
        private = _says_private(node)
        fields = source.fields(
            node,
            _PRIVATE_FIELDS if private else _RULE_FIELDS,
            ("id", "title") if private else self._required(),
        )
        if not fields:
            return
        if "private" in fields:
            source.boolean(fields["private"])
        rule_id = source.string(fields["id"]) if "id" in fields else None
        self._check_id(rule_id, fields.get("id", node), seen)
        if not private:
            self._rules.append((None, lambda: self._rule(node, fields, rule_id)))
        elif rule_id is not None:
            self.blocks.declare(rule_id, lambda: self._private(node, fields, rule_id))
            self._rules.append((rule_id, lambda: self.blocks.compiled(rule_id)))

    def _required(self) -> tuple[str, ...]:
        offence = () if self.pack == "context" else ("sub_label", "level")
        return ("id", "title", "stance", *offence)

    def _check_id(self, rule_id: str | None, node: yaml.Node, seen: dict[str, str]) -> None:
        if rule_id is None:
            return
        where = f"{self.source.name}:{node.start_mark.line + 1}"
        if not regex.fullmatch(r"[a-z]+(\.[a-z0-9][a-z0-9-]*){2,}", rule_id):
            self.source.report(
                "R007", f"expected an id like gambling.zh.top-up, found {rule_id!r}", node
            )
        elif not rule_id.startswith(f"{self.pack}."):
            self.source.report("R007", f"id {rule_id!r} must start with {self.pack!r}", node)
        elif rule_id in seen:
            self.source.report("R008", f"id {rule_id!r} is already used at {seen[rule_id]}", node)
        seen.setdefault(rule_id, where)

    def rules(self) -> list[Rule]:
        """Compile the rules, private ones included; what is wrong with one is reported."""
        compiled = [build() for _, build in self._rules]
        return [rule for rule in compiled if rule is not None]

    def _rule(
        self, node: yaml.Node, fields: dict[str, yaml.Node], rule_id: str | None
    ) -> Rule | None:
        source = self.source
        context = self.pack == "context"
        before = len(source.reader.diagnostics)
        title = source.string(fields["title"]) if "title" in fields else None
        policies = (*POLICIES, "any") if context else (self.pack,)
        policy = source.string(fields["policy"], policies) if "policy" in fields else self.policy
        stances = INNOCENT_STANCES if context else VIOLATING_STANCES
        stance = source.string(fields["stance"], stances) if "stance" in fields else None
        sub_label = level = severity = None
        if context:
            for key in _NOT_FOR_CONTEXT:
                if key in fields:
                    source.report("R004", f"a context rule has no {key!r}", fields[key])
        else:
            if "sub_label" in fields:
                sub_label = source.string(fields["sub_label"], SUB_LABELS[self.pack])
            if "level" in fields:
                level = source.string(fields["level"], LEVELS)
            if "severity" in fields:
                severity = source.string(fields["severity"], SEVERITIES)
        condition, exceptions = self._condition(fields, node, rule_id)
        tests = self._tests(fields.get("tests"), _TESTS, rule_id)
        languages = source.strings(fields["languages"], LANGUAGES) if "languages" in fields else ()
        views = self._views(fields.get("views"))
        enabled_from, enabled_until = self._days(fields)
        allow = self._remarks(fields)
        complete = condition and rule_id and title and policy and stance and (context or level)
        if not complete or condition is None or len(source.reader.diagnostics) > before:
            return None
        return Rule(
            rule_id or "",
            title or "",
            policy or "",
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
            *place(node),
            severity,
            enabled_from,
            enabled_until,
            allow=allow,
            has_pattern=has_pattern(condition),
        )

    def _private(self, node: yaml.Node, fields: dict[str, yaml.Node], rule_id: str) -> Rule | None:
        source = self.source
        title = source.string(fields["title"]) if "title" in fields else None
        condition, exceptions = self._condition(fields, node, rule_id)
        tests = self._tests(fields.get("tests"), _PRIVATE_TESTS, rule_id)
        allow = self._remarks(fields)
        if condition is None:
            return None
        return Rule(
            rule_id, title or "", self.policy or "", None, "", None, (), VIEWS, condition,
            exceptions, literals_of(condition), tests, source.name, *place(node), private=True,
            allow=allow, has_pattern=has_pattern(condition),
        )  # fmt: skip

    def _condition(
        self, fields: dict[str, yaml.Node], node: yaml.Node, rule_id: str | None
    ) -> tuple[Condition | None, frozenset[int]]:
        """Return a rule's condition and its exceptions, those of private rules included."""
        terms = TermReader(self.vocabulary, self.source, self._scope, rule_id or "")
        builder = ConditionBuilder(terms, self.blocks.named)
        condition = builder.top(fields, node)
        own = terms.terms(fields["exceptions"], "exceptions") if "exceptions" in fields else ()
        return condition, frozenset(builder.exceptions).union(own)

    def _views(self, node: yaml.Node | None) -> tuple[str, ...]:
        if node is None:
            return VIEWS
        views = self.source.strings(node, VIEWS)
        if not getattr(node, "value", None):
            self.source.report("R006", "expected at least one item", node)
        return views

    def _days(self, fields: dict[str, yaml.Node]) -> tuple[date | None, date | None]:
        keys = ("enabled_from", "enabled_until")
        first, end = (self.source.day(fields[k]) if k in fields else None for k in keys)
        if first is not None and end is not None and first >= end:
            self.source.report(
                "R007",
                f"expected a day after 'enabled_from' ({first}), found {end}",
                fields["enabled_until"],
            )
        return first, end

    def _remarks(self, fields: dict[str, yaml.Node]) -> frozenset[str]:
        """Check what is written for people, and return the codes of the lint that are allowed."""
        source = self.source
        if "tags" in fields:
            source.strings(fields["tags"])
        if "notes" in fields:
            source.string(fields["notes"])
        allow = source.strings(fields["allow"]) if "allow" in fields else ()
        if "allow" in fields:
            for code in allow:
                if not regex.fullmatch(r"L1\d\d", code):
                    source.report(
                        "R007", f"expected codes like L105, found {code!r}", fields["allow"]
                    )
            if "notes" not in fields:
                source.report("R006", "'allow' needs 'notes' that say why", fields["allow"])
        return frozenset(allow)

    def _tests(
        self, node: yaml.Node | None, known: tuple[str, ...], rule_id: str | None
    ) -> RuleTests:
        given: dict[str, tuple[str, ...]] = {}
        outline = self.vocabulary.outline
        for key, value in self.source.fields(node, known).items() if node is not None else ():
            given[key] = self.source.strings(value)
            if outline is not None and isinstance(value, yaml.SequenceNode):
                outline.tests += [
                    WrittenTest(rule_id or "", key, str(item.value), place_in(self.source, item))
                    for item in value.value
                ]
        return RuleTests(*(given.get(key, ()) for key in _TESTS))


def _says_private(node: yaml.Node) -> bool:
    """Say whether a rule's own mapping has `private: true`."""
    pairs = node.value if isinstance(node.value, list) else ()
    values = [value.value for key, value in (p for p in pairs if isinstance(p, tuple))
              if key.value == "private"]  # fmt: skip
    return values[:1] == ["true"]
