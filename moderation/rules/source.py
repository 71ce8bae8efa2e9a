"""Read rule files: YAML nodes with their lines, every mistake collected as a diagnostic."""

from __future__ import annotations

import itertools
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import yaml

from moderation.types import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Reader", "SourceFile", "listed_strings", "place"]

_DEEPEST: Final = 64
"""Levels of nesting in a file; an alias inside what it names would have no end of them."""
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Reader:
    """Collects diagnostics while the files of a rules folder are read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.diagnostics: list[Diagnostic] = []

    def report(self, code: str, message: str, path: str, line: int = 0, column: int = 0) -> None:
        """Add a diagnostic."""
        self.diagnostics.append(Diagnostic(code, message, path, line, column))

    def open(self, path: Path) -> SourceFile | None:
        """Read one YAML file whose top level is a mapping; None after reporting what is wrong."""
        name = path.relative_to(self.root).as_posix()
        try:
            node = yaml.compose(path.read_bytes().decode("utf-8"), Loader=_LOADER)
        except OSError as error:
            self.report("R001", f"cannot be read: {error.strerror}", name)
        except UnicodeDecodeError as error:
            self.report(
                "R001", f"expected UTF-8, found byte 0x{error.object[error.start]:02x}", name
            )
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            place = (mark.line + 1, mark.column + 1) if mark else ()
            self.report("R002", f"not valid YAML: {problem}", name, *place)
        else:
            if node is not None and _too_deep(node, 0, {}):
                self.report("R002", f"nested more than {_DEEPEST} levels deep", name)
                return None
            if isinstance(node, yaml.MappingNode):
                return SourceFile(self, name, node)
            found = "nothing" if node is None else _kind(node)
            self.report("R003", f"expected a mapping at the top, found {found}", name)
        return None


class SourceFile:
    """One YAML file; its methods turn nodes into checked values."""

    def __init__(self, reader: Reader, name: str, node: yaml.MappingNode) -> None:
        self.reader = reader
        self.name = name
        self.node = node

    def report(self, code: str, message: str, node: yaml.Node) -> None:
        """Add a diagnostic at a node's line and column."""
        self.reader.report(code, message, self.name, *place(node))

    def fields(
        self, node: yaml.Node, known: Sequence[str] | None = None, required: Sequence[str] = ()
    ) -> dict[str, yaml.Node]:
        """Return a mapping's nodes by key, after reporting unknown, repeated and missing keys.

        Without `known`, every key is.
        """
        if not isinstance(node, yaml.MappingNode):
            self.report("R003", f"expected a mapping, found {_kind(node)}", node)
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if known is not None and key not in known:
                self.report("R004", f"unknown field {key!r}; known: {', '.join(known)}", key_node)
            elif key in found:
                self.report("R005", f"field {key!r} stands twice", key_node)
            else:
                found[key] = value
        for key in required:
            if key not in found:
                self.report("R006", f"missing field {key!r}", node)
        return found

    def items(self, node: yaml.Node) -> Iterator[yaml.Node]:
        """Yield the nodes of a sequence."""
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        else:
            self.report("R003", f"expected a list, found {_kind(node)}", node)

    def string(self, node: yaml.Node, choices: Sequence[str] | None = None) -> str | None:
        """Return a scalar as the string it was written as; None after reporting."""
        if not isinstance(node, yaml.ScalarNode):
            self.report("R003", f"expected a string, found {_kind(node)}", node)
            return None
        text = str(node.value)
        if choices is not None and text not in choices:
            self.report("R007", f"expected one of {', '.join(choices)}, found {text!r}", node)
            return None
        return text

    def strings(self, node: yaml.Node, choices: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return a list of strings."""
        found = (self.string(item, choices) for item in self.items(node))
        return tuple(text for text in found if text is not None)

    def integer(self, node: yaml.Node, low: int, high: int) -> int | None:
        """Return a whole number between two bounds; None after reporting."""
        text = node.value if isinstance(node, yaml.ScalarNode) else None
        if text is not None and text.isdecimal() and low <= int(text) <= high:
            return int(text)
        shown = _kind(node) if text is None else repr(text)
        self.report("R007", f"expected a whole number from {low} to {high}, found {shown}", node)
        return None

    def boolean(self, node: yaml.Node) -> bool | None:
        """Return true or false as written; None after reporting."""
        text = self.string(node, ("true", "false"))
        return None if text is None else text == "true"

    def day(self, node: yaml.Node) -> date | None:
        """Return a date written YYYY-MM-DD; None after reporting."""
        text = self.string(node)
        if text is None:
            return None
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if day is None or day.isoformat() != text:  # newer Pythons also read 20260101
            self.report("R007", f"expected a date like 2026-01-31, found {text!r}", node)
            return None
        return day

    def number(self, node: yaml.Node, low: float, high: float) -> float | None:
        """Return a number between two bounds; None after reporting."""
        try:
            value = float(node.value) if isinstance(node, yaml.ScalarNode) else float("nan")
        except ValueError:
            value = float("nan")
        if low <= value <= high:
            return value
        shown = repr(node.value) if isinstance(node, yaml.ScalarNode) else _kind(node)
        self.report("R007", f"expected a number from {low} to {high}, found {shown}", node)
        return None


def listed_strings(node: yaml.Node) -> Iterator[str]:
    """Yield the strings that stand in the lists below a node, in no order, tests left out."""
    waiting, seen = [node], set()  # an alias is the node it names: once is enough
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        if isinstance(part, yaml.SequenceNode):
            yield from (item.value for item in part.value if isinstance(item, yaml.ScalarNode))
            waiting += [item for item in part.value if not isinstance(item, yaml.ScalarNode)]
        elif isinstance(part, yaml.MappingNode):
            waiting += [value for key, value in part.value if key.value != "tests"]


def place(node: yaml.Node) -> tuple[int, int]:
    """Return a node's line and column, both 1-based."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def _too_deep(node: yaml.Node, level: int, seen: dict[yaml.Node, int]) -> bool:
    """Say whether a node nests further than _DEEPEST; `seen` holds the level it was seen at."""
    if isinstance(node, yaml.ScalarNode) or seen.get(node, -1) >= level:
        return False
    if level > _DEEPEST:
        return True
    seen[node] = level
    pairs = isinstance(node, yaml.MappingNode)
    parts = itertools.chain.from_iterable(node.value) if pairs else node.value
    return any(_too_deep(part, level + 1, seen) for part in parts)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a scalar"
