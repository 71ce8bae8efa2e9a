"""Terms of a rules folder, as plain strings for matchers that know nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml
from hostile import literals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHORTEST: Final = 2
"""A single letter or character matches nearly every post unless something asks for more."""


def every_term(rules: Path) -> list[str]:
    """Return every literal of the rule files, contexts and cues included, in lower case."""
    return _plain(literals(rules))


def lone_terms(rules: Path) -> list[str]:
    """Return the literals that a strong rule takes for enough by themselves, in lower case.

    That is what a block list would hold: those below `any` of a rule that asks for nothing else.
    """
    found: list[str] = []
    for path in sorted(rules.rglob("*.yaml")):
        pack = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(pack, dict) and "policy" in pack:
            for rule in pack.get("rules", ()):
                if rule.get("level") == "strong" and not {"all", "near"} & rule.keys():
                    found += _alternatives(rule.get("any", ()), pack.get("lists", {}))
    return _plain(found)


def _alternatives(node: Any, lists: dict[str, Any]) -> Iterator[str]:
    match node:
        case str():
            yield node
        case list():
            for item in node:
                yield from _alternatives(item, lists)
        case {"any": inner, **others} if not others:
            yield from _alternatives(inner, lists)
        case {"list": name, **others} if not others and name in lists:
            yield from _alternatives(lists[name], lists)


def _plain(terms: Any) -> list[str]:
    stripped = (term.strip("*").lower() for term in terms)
    return sorted({term for term in stripped if len(term) >= _SHORTEST})
