"""What a rule may ask of a post: literals, patterns, cues and their combinations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import regex

__all__ = [
    "CUES",
    "LEVELS",
    "WHOLE_TEXT",
    "Across",
    "AllOf",
    "AnyOf",
    "Condition",
    "Cue",
    "Expression",
    "InField",
    "Literal",
    "Near",
    "NoneOf",
    "Pattern",
    "Rule",
    "RuleTests",
    "Terms",
    "needs",
]

LEVELS: Final = ("weak", "medium", "strong")
"""Ordered: a later level is the stronger evidence."""

CUES: Final = (
    "contact", "handle", "call", "price", "delivery", "link", "quantity", "age", "ask",
    "porn_sign", "drugs_sign", "gambling_sign",
)  # fmt: skip
"""Cue classes that rules/cues.yaml must define."""

WHOLE_TEXT: Final = "text"
"""The one field of a post that was given without fields."""


Needs = tuple[frozenset[int], ...]
"""Groups of literals; see `needs`."""


def _worked_out(condition: Condition, name: str) -> Needs:
    """Fill in what a condition needs when it is first asked for: most never are."""
    if name != "needs":
        raise AttributeError(f"{type(condition).__name__!r} object has no attribute {name!r}")
    found = needs(condition)
    object.__setattr__(condition, "needs", found)
    return found


class Literal(msgspec.Struct, frozen=True, array_like=True, gc=False):
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


class Expression:
    """A regular expression that is known to be one; it is compiled when it is first searched for.

    Attributes:
        pattern: the expression, as it was written.
    """

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._compiled: regex.Pattern[str] | None = None

    def finditer(self, text: str, *, timeout: float) -> Iterator[regex.Match[str]]:
        """Return the matches in a text; TimeoutError comes out of it after `timeout` seconds."""
        return self._made().finditer(text, timeout=timeout)

    def _made(self) -> regex.Pattern[str]:
        if self._compiled is None:
            import regex

            self._compiled = regex.compile(self.pattern, regex.V1 | regex.UNICODE)
        return self._compiled


@dataclass(frozen=True, slots=True)
class Pattern:
    """Holds when the regular expression matches the base view."""

    source: str
    compiled: regex.Pattern[str] | Expression
    require: frozenset[int]


@dataclass(frozen=True, slots=True)
class Cue:
    """Holds when a cue of the class is in the post."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when one item does."""

    items: tuple[Condition, ...]
    needs: Needs = field(init=False, repr=False, compare=False)

    __getattr__ = _worked_out


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds when every item does."""

    items: tuple[Condition, ...]
    needs: Needs = field(init=False, repr=False, compare=False)

    __getattr__ = _worked_out


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Holds when no item does."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """Holds when every item has a hit within `within` code points of a hit of the first."""

    items: tuple[Condition, ...]
    within: int
    needs: Needs = field(init=False, repr=False, compare=False)

    __getattr__ = _worked_out


@dataclass(frozen=True, slots=True)
class InField:
    """Holds when the item does, with hits in fields of these names only."""

    item: Condition
    names: frozenset[str]
    needs: Needs = field(init=False, repr=False, compare=False)

    __getattr__ = _worked_out


@dataclass(frozen=True, slots=True)
class Across:
    """Holds when every item does, with hits in two different fields or more between them."""

    items: tuple[Condition, ...]
    needs: Needs = field(init=False, repr=False, compare=False)

    __getattr__ = _worked_out


Condition = Terms | Pattern | Cue | AnyOf | AllOf | NoneOf | Near | InField | Across


def needs(condition: Condition) -> Needs:
    """Return groups of literals, one of each of which is in every post where a condition holds.

    One look at them says of most posts that they lack something; it says nothing of cues.
    """
    match condition:
        case Terms(literals):
            return (literals,)
        case Pattern(require=require):
            return (require,) if require else ()
        case AnyOf(items):
            every = [needs(item) for item in items]
            # Any group of each will do; the smallest is the least often there.
            union = (min(groups, key=len) for groups in every)
            return (frozenset().union(*union),) if all(every) else ()
        case AllOf(items) | Near(items) | Across(items):
            return tuple(dict.fromkeys(group for item in items for group in needs(item)))
        case InField(item):
            return needs(item)
        case Cue() | NoneOf():
            return ()


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
    """One of LEVELS; None for a context rule and for a private one."""
    languages: tuple[str, ...]
    views: tuple[str, ...]
    condition: Condition
    exceptions: frozenset[int]
    literals: frozenset[int]
    """Every literal the condition looks for itself, outside cues."""
    tests: RuleTests
    path: str
    line: int
    column: int = 0
    severity: str | None = None
    """One of SEVERITIES: what the rule makes of the risk level instead of its action."""
    enabled_from: date | None = None
    """First day on which the rule counts."""
    enabled_until: date | None = None
    """First day on which it no longer does."""
    private: bool = False
    """True for a building block of other rules, which yields no match by itself."""
    allow: frozenset[str] = frozenset()
    """Codes of the lint that do not apply to this rule."""

    has_pattern: bool = False
    """True where the condition holds a regular expression."""

    @property
    def is_context(self) -> bool:
        """True for a rule that reads an innocent stance rather than an offence."""
        return self.level is None and not self.private

    def enabled_on(self, day: date) -> bool:
        """Say whether the rule counts on a day."""
        started = self.enabled_from is None or self.enabled_from <= day
        return started and (self.enabled_until is None or day < self.enabled_until)
