"""What a rule may ask of a post: literals, patterns, cues and their combinations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import regex

__all__ = [
    "CUES",
    "LEVELS",
    "AllOf",
    "AnyOf",
    "Condition",
    "Cue",
    "Literal",
    "Near",
    "NoneOf",
    "Pattern",
    "Rule",
    "RuleTests",
    "Terms",
]

LEVELS: Final = ("weak", "medium", "strong")
"""Ordered: a later level is the stronger evidence."""

CUES: Final = (
    "contact", "handle", "call", "price", "delivery", "link", "quantity", "age", "ask",
    "porn_sign", "drugs_sign", "gambling_sign",
)  # fmt: skip
"""Cue classes that rules/cues.yaml must define."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A term, folded. `base` is what the base view is searched for, `compact` the compact one."""

    base: str
    compact: tuple[str, ...]
    """The term without noise, and with its double letters collapsed as well where it has any;
    empty when it cannot be searched for in the compact view."""
    left_open: bool = False
    right_open: bool = False
    """Open edges may continue a Latin word."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Holds when any of the literals (indices into the ruleset's table) is in the post."""

    literals: frozenset[int]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Holds when the regular expression matches the base view."""

    source: str
    compiled: regex.Pattern[str]
    require: frozenset[int]


@dataclass(frozen=True, slots=True)
class Cue:
    """Holds when a cue of the class is in the post."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when one item does."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds when every item does."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Holds when no item does."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """Holds when every item has a hit within `within` code points of a hit of the first."""

    items: tuple[Condition, ...]
    within: int


Condition = Terms | Pattern | Cue | AnyOf | AllOf | NoneOf | Near


@dataclass(frozen=True, slots=True)
class RuleTests:
    """The posts a rule carries."""

    hit: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    evasion: tuple[str, ...] = ()
    explain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule."""

    id: str
    title: str
    policy: str
    """One of POLICIES, or "any" for a context rule."""
    sub_label: str | None
    stance: str
    level: str | None
    """One of LEVELS; None for a context rule."""
    languages: tuple[str, ...]
    views: tuple[str, ...]
    condition: Condition
    exceptions: frozenset[int]
    literals: frozenset[int]
    """Every literal the condition looks for itself, outside cues."""
    tests: RuleTests
    path: str
    line: int

    @property
    def is_context(self) -> bool:
        """True for a rule that reads an innocent stance rather than an offence."""
        return self.level is None
