"""Vocabulary: what the files of a rules folder share while they are compiled: terms and lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import yaml

from moderation.rules.outline import Outline, Place, TermGroup, WrittenTerm
from moderation.rules.source import SourceFile, place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moderation.rules.literals import LiteralTable
    from moderation.rules.outline import GroupKind
    from moderation.rules.source import Reader

__all__ = ["SCHEMA_VERSION", "SHARED_LISTS", "TermReader", "Vocabulary", "place_in"]

SCHEMA_VERSION = 1
SHARED_LISTS = "lists"
"""Folder of the files with lists that every file may name."""


@dataclass(slots=True, eq=False)
class _TermList:
    """A list; its terms are looked up when somebody first asks for them."""

    name: str
    source: SourceFile
    key: yaml.Node
    node: yaml.Node
    file: str
    """The file it is local to; "" for a shared list."""
    scope: Mapping[str, _TermList]
    """The lists that it may name."""
    state: Literal["new", "open", "done"] = "new"
    terms: tuple[int, ...] = ()


@dataclass(slots=True)
class Vocabulary:
    """Literals and lists of a rules folder.

    Attributes:
        literals: gives every distinct literal its index.
        outline: takes down where things are written; None where nobody asks.
    """

    literals: LiteralTable
    outline: Outline | None = None
    _shared: dict[str, _TermList] = field(default_factory=dict)

    def read_shared(self, reader: Reader, folder: Path) -> None:
        """Read every file of `lists/`; what is wrong with them is reported."""
        for path in sorted((folder / SHARED_LISTS).glob("*.yaml")):
            source = reader.open(path)
            if source is not None:
                fields = source.fields(source.node, ("schema", "lists"), ("schema", "lists"))
                if "schema" in fields:
                    source.integer(fields["schema"], SCHEMA_VERSION, SCHEMA_VERSION)
                if "lists" in fields:
                    self._declare(source, fields["lists"], self._shared, "")
        for found in self._shared.values():
            self._resolve(found)

    def scope(self, source: SourceFile, node: yaml.Node | None) -> Mapping[str, _TermList]:
        """Return the lists that a file may name: the shared ones and its own."""
        if node is None:
            return self._shared
        scope = dict(self._shared)
        own = self._declare(source, node, scope, source.name)
        for found in own:
            self._resolve(found)
        return scope

    def _declare(
        self, source: SourceFile, node: yaml.Node, scope: dict[str, _TermList], file: str
    ) -> list[_TermList]:
        own = []
        keys = {str(key.value): key for key, _ in _pairs(node)}
        for name, value in source.fields(node).items():
            known = scope.get(name)
            if known is not None:
                where = f"{known.source.name}:{place(known.key)[0]}"
                source.report("R013", f"list {name!r} is already written at {where}", keys[name])
                continue
            scope[name] = _TermList(name, source, keys[name], value, file, scope)
            own.append(scope[name])
            if self.outline is not None:
                self.outline.lists[file, name] = place_in(source, keys[name])
        return own

    def _resolve(self, found: _TermList) -> None:
        if found.state == "new":
            found.state = "open"
            reader = TermReader(self, found.source, found.scope, found.name)
            found.terms = reader.terms(found.node, "list")
            found.state = "done"

    def named(
        self, source: SourceFile, scope: Mapping[str, _TermList], node: yaml.Node
    ) -> tuple[int, ...]:
        """Return the terms of the list that a node names; none after reporting."""
        name = source.string(node)
        if name is None:
            return ()
        found = scope.get(name)
        if found is None:
            known = ", ".join(sorted(scope)) or "none"
            source.report("R009", f"unknown list {name!r}; known: {known}", node)
            return ()
        if self.outline is not None:
            self.outline.used_lists.add((found.file, name))
        if found.state == "open":
            source.report("R014", f"list {name!r} includes itself", node)
            return ()
        self._resolve(found)
        if isinstance(found.node, yaml.SequenceNode) and not found.node.value:
            source.report("R006", f"list {name!r} is empty", node)
        return found.terms


@dataclass(slots=True)
class TermReader:
    """Reads the terms of one owner: a rule, a list or a cue class."""

    vocabulary: Vocabulary
    source: SourceFile
    scope: Mapping[str, _TermList]
    owner: str

    def terms(self, node: yaml.Node, kind: GroupKind) -> tuple[int, ...]:
        """Return the literals of a list of strings and {list: NAME} items."""
        found: list[int] = []
        written: list[tuple[yaml.Node, int]] = []
        lists: list[str] = []
        for item in self.source.items(node):
            if isinstance(item, yaml.MappingNode):
                fields = self.source.fields(item, ("list",), ("list",))
                if "list" in fields:
                    found += self.list_terms(fields["list"])
                    lists.append(str(fields["list"].value))
                continue
            literal = self.literal(item)
            if literal is not None:
                found.append(literal)
                written.append((item, literal))
        self.note(kind, node, written, lists)
        return tuple(dict.fromkeys(found))

    def list_terms(self, node: yaml.Node) -> tuple[int, ...]:
        """Return the literals of the list that a node names."""
        return self.vocabulary.named(self.source, self.scope, node)

    def literal(self, node: yaml.Node) -> int | None:
        """Return the index of a term; None after reporting."""
        text = self.source.string(node)
        if text is None:
            return None
        literal = self.vocabulary.literals.add(text)
        if literal is None:
            self.source.report("R010", f"nothing is left of the term {text!r} when folded", node)
        return literal

    def note(
        self,
        kind: GroupKind,
        node: yaml.Node,
        written: list[tuple[yaml.Node, int]],
        lists: list[str],
    ) -> None:
        """Take down where terms stand, where somebody asks for it."""
        outline = self.vocabulary.outline
        if outline is None or not (written or lists):
            return
        terms = tuple(
            WrittenTerm(str(item.value), literal, place_in(self.source, item))
            for item, literal in written
        )
        where = place_in(self.source, node)
        outline.groups.append(TermGroup(kind, self.owner, terms, tuple(lists), where))


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def place_in(source: SourceFile, node: yaml.Node) -> Place:
    """Return where a node stands."""
    return Place(source.name, *place(node))
