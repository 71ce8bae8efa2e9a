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


class PostView:
    """One post in one view: its text, and where each code point stands in the original post.

    The places are asked for where something was found, so they are made when they are asked for.
    """

    __slots__ = ("_last", "_origin", "_source", "text")

    def __init__(
        self, text: str, source: NDArray[np.int64], last: NDArray[np.int64], origin: int = 0
    ) -> None:
        """Take a text and its places.

        Args:
            text: the post in the view.
            source: int64, shape (len(text),): where each code point comes from.
            last: the same shape: the last code point it stands for.
            origin: where the post begins, counted as `source` and `last` count.
        """
        self.text = text
        self._source = source
        self._last = last
        self._origin = origin

    @property
    def source(self) -> NDArray[np.int64]:
        """int64, shape (len(text),): where each code point comes from in the post."""
        self._settle()
        return self._source

    @property
    def last(self) -> NDArray[np.int64]:
        """The same for the last code point that each stands for."""
        self._settle()
        return self._last

    def _settle(self) -> None:
        if self._origin:
            self._source = self._source - self._origin
            self._last = self._last - self._origin
            self._origin = 0
