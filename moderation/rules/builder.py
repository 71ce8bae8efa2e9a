"""Build conditions from YAML nodes, or say what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import regex
import yaml

from moderation.rules.clauses import cost
from moderation.rules.conditions import (
    CUES,
    Across,
    AllOf,
    AnyOf,
    Condition,
    Cue,
    InField,
    Near,
    NoneOf,
    Pattern,
    Terms,
)
from moderation.rules.outline import WrittenPattern
from moderation.rules.vocabulary import place_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from moderation.rules.conditions import Rule
    from moderation.rules.outline import GroupKind
    from moderation.rules.source import SourceFile
    from moderation.rules.vocabulary import TermReader

__all__ = ["ConditionBuilder"]

MAX_DISTANCE: Final = 1000
_ITEM_KEYS: Final = ("list", "regex", "cue", "rule", "any", "all", "none", "near", "across")
_ITEM_FIELDS: Final = (
    "list", "regex", "require", "cue", "rule", "any", "all", "none", "near", "within", "across",
    "in",
)  # fmt: skip
_TOP_KEYS: Final = ("any", "all", "near", "across")
_OWNERS: Final = {"within": "near", "require": "regex"}
"""Fields that mean something only beside another."""


@dataclass(slots=True)
class ConditionBuilder:
    """Builds the condition of one rule, or of one cue class.

    Attributes:
        terms: reads its terms and lists.
        block: returns the private rule that a node names, or None after reporting.
        exceptions: those of the private rules it named; filled while building.
    """

    terms: TermReader
    block: Callable[[SourceFile, yaml.Node], Rule | None]
    exceptions: set[int] = field(default_factory=set)

    @property
    def source(self) -> SourceFile:
        """The file the nodes belong to."""
        return self.terms.source

    def top(self, fields: dict[str, yaml.Node], node: yaml.Node) -> Condition | None:
        """Build what a rule's own fields ask for; None after reporting."""
        parts = [self._combine(key, fields) for key in _TOP_KEYS if key in fields]
        if not parts:
            self.source.report("R006", "a rule needs 'any', 'all', 'near' or 'across'", node)
            return None
        if "none" in fields:
            parts.append(self._combine("none", fields))
        self._check_owners(fields)
        found = tuple(part for part in parts if part is not None)
        if len(found) < len(parts):
            return None
        return found[0] if len(found) == 1 else AllOf(tuple(sorted(found, key=cost)))

    def any_of(self, node: yaml.Node) -> Condition | None:
        """Build a list of items of which one must hold."""
        items = self._items(node, "any")
        return AnyOf(items) if items else None

    def _items(self, node: yaml.Node, kind: GroupKind) -> tuple[Condition, ...]:
        """Build a list of items; plain strings gather into one Terms."""
        written: list[tuple[yaml.Node, int]] = []
        lists: list[str] = []
        items: list[Condition] = []
        for item in self.source.items(node):
            if isinstance(item, yaml.ScalarNode):
                literal = self.terms.literal(item)
                if literal is not None:
                    written.append((item, literal))
            else:
                condition = self._condition(item, lists)
                if condition is not None:
                    items.append(condition)
        if written:
            items.insert(0, Terms(frozenset(literal for _, literal in written)))
        self.terms.note(kind, node, written, lists)
        self._not_empty(node)
        return tuple(items)

    def _each(self, node: yaml.Node, kind: GroupKind) -> tuple[Condition, ...]:
        """Build a list of items each of which counts."""
        written: list[tuple[yaml.Node, int]] = []
        lists: list[str] = []
        items: list[Condition] = []
        for item in self.source.items(node):
            if isinstance(item, yaml.ScalarNode):
                literal = self.terms.literal(item)
                condition: Condition | None = None
                if literal is not None:
                    written.append((item, literal))
                    condition = Terms(frozenset((literal,)))
            else:
                condition = self._condition(item, lists)
            if condition is not None:
                items.append(condition)
        self.terms.note(kind, node, written, lists)
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
            items = self._items(node, "none")
            return NoneOf(items) if items else None
        if key == "all":
            items = self._each(node, "all")
            return AllOf(tuple(sorted(items, key=cost))) if items else None
        if key == "across":
            items = self._several(node, "across")
            return Across(items) if items else None
        return self._near(node, fields)

    def _near(self, node: yaml.Node, fields: dict[str, yaml.Node]) -> Condition | None:
        if "within" not in fields:
            self._each(node, "near")
            self.source.report("R006", "'near' needs 'within'", node)
            return None
        within = self.source.integer(fields["within"], 1, MAX_DISTANCE)
        items = self._several(node, "near")
        return Near(items, within) if items and within is not None else None

    def _several(self, node: yaml.Node, kind: GroupKind) -> tuple[Condition, ...]:
        """Build two items or more; none after reporting."""
        items = self._each(node, kind)
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            return ()
        if len(node.value) < 2:
            self.source.report("R006", f"{kind!r} needs two items or more", node)
            return ()
        return items if len(items) == len(node.value) else ()

    def _condition(self, node: yaml.Node, lists: list[str]) -> Condition | None:
        """Build one item that is a mapping; the name of a list is added to `lists`."""
        fields = self.source.fields(node, _ITEM_FIELDS)
        keys = [k for k in _ITEM_KEYS if k in fields]
        if len(keys) != 1:
            if fields or (isinstance(node, yaml.MappingNode) and not node.value):
                self.source.report("R006", "expected exactly one condition in an item", node)
            return None
        self._check_owners(fields)
        names = self._field_names(fields["in"]) if "in" in fields else None
        if keys[0] == "list":
            lists.append(str(fields["list"].value))
        condition = self._simple(keys[0], fields)
        if condition is None or "in" not in fields:
            return condition
        return InField(condition, names) if names else None

    def _simple(self, key: str, fields: dict[str, yaml.Node]) -> Condition | None:
        if key == "list":
            terms = self.terms.list_terms(fields[key])
            return Terms(frozenset(terms)) if terms else None
        if key == "cue":
            name = self.source.string(fields[key], CUES)
            return None if name is None else Cue(name)
        if key == "rule":
            rule = self.block(self.source, fields[key])
            if rule is None:
                return None
            self.exceptions |= rule.exceptions
            return rule.condition
        if key == "regex":
            return self._pattern(fields)
        return self._combine(key, fields)

    def _field_names(self, node: yaml.Node) -> frozenset[str]:
        if isinstance(node, yaml.ScalarNode):
            names: tuple[str, ...] = (str(node.value),)
        else:
            names = self.source.strings(node)
            self._not_empty(node)
        if not all(names):
            self.source.report("R007", "expected the name of a field, found an empty one", node)
            return frozenset()
        return frozenset(names)

    def _pattern(self, fields: dict[str, yaml.Node]) -> Condition | None:
        node = fields["regex"]
        text = self.source.string(node)
        if text is None:
            return None
        try:
            compiled = regex.compile(text, regex.V1 | regex.UNICODE)
        except regex.error as error:
            self.source.report("R012", f"not a regular expression: {error}", node)
            return None
        if compiled.match("") is not None:
            self.source.report("R012", "the expression matches the empty string", node)
            return None
        require: frozenset[int] = frozenset()
        if "require" in fields:
            require = frozenset(self.terms.terms(fields["require"], "require"))
            self._not_empty(fields["require"])
        outline = self.terms.vocabulary.outline
        if outline is not None:
            where = place_in(self.source, node)
            outline.patterns.append(WrittenPattern(self.terms.owner, text, require, where))
        return Pattern(text, compiled, require)
