"""Placeholders: what a rule that was scaffolded still waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import regex
import yaml

from moderation.rules.source import Reader
from moderation.types import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PLACEHOLDER", "placeholders"]

PLACEHOLDER: Final = "TODO"
_WAITING: Final = regex.compile(rf"{PLACEHOLDER}\b")


def placeholders(folder: Path) -> list[Diagnostic]:
    """Return a diagnostic (R021) for every value of a rules folder that begins with TODO.

    Files that cannot be read, or are not YAML, are left to the compiler to report.
    """
    reader = Reader(folder)
    found: list[Diagnostic] = []
    for path in sorted(folder.rglob("*.yaml")):
        source = reader.open(path)
        if source is None:
            continue
        seen: set[int] = set()
        for field, node in _scalars(source.node, "", seen):
            if _WAITING.match(node.value):
                message = f"{field!r} is still to be filled in: {node.value}"
                mark = node.start_mark
                found.append(
                    Diagnostic("R021", message, source.name, mark.line + 1, mark.column + 1)
                )
    return found


def _scalars(node: yaml.Node, field: str, seen: set[int]) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Yield the scalars below a node, each with the field it belongs to."""
    if isinstance(node, yaml.ScalarNode):
        yield field, node
    elif id(node) not in seen:  # an alias is read where its anchor stands
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                yield from _scalars(value, str(key.value), seen)
        else:
            for item in node.value:
                yield from _scalars(item, field, seen)
