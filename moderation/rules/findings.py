"""Findings: what the rules say about a post, and where it says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from moderation.rules.conditions import Rule

__all__ = ["Findings", "Hit", "PostView", "RuleMatch"]


class Hit(NamedTuple):
    """One literal or pattern found in a post; the span is in code points of the original post."""

    start: int
    end: int
    view: str
    kind: Literal["keyword", "regex"] = "keyword"
    cue: bool = False
    fold: str = ""
    """How the term was hidden, where the view does not say it: see `moderation.rules.forms`."""
    frail: bool = False
    """True for a spelling so short or loose that it never makes a strong match."""
    rare: bool = False
    """True for a frail spelling that ordinary text hardly ever falls into by itself."""

    @property
    def bold(self) -> bool:
        """True when only a bolder view than `base` shows the hit."""
        return self.view != "base"


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule that fired on a post."""

    rule: Rule
    level: str | None
    """The rule's own; medium for a strong one that rests on a frail spelling, or on a bold view
    without a second cue."""
    hits: tuple[Hit, ...]
    bold: bool
    frail: bool = False
    """True where nothing but spellings that ordinary text falls into speaks for the match."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the rules say about one post."""

    matches: tuple[RuleMatch, ...] = ()
    contexts: tuple[RuleMatch, ...] = ()
    cues: frozenset[str] = frozenset()
    offers: bool = False
    """True where the author asks to be contacted in his own words: see `makes_offer`."""
    timeouts: tuple[str, ...] = ()
    """Ids of rules, or names of cues, whose pattern ran out of time: they count as not matched."""


class PostView(NamedTuple):
    """One post in one view: its text, and where each code point stands in the original post."""

    text: str
    source: NDArray[np.int64]
    last: NDArray[np.int64]
