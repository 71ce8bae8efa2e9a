"""Search one post for regular expressions, also behind what hides its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.findings import Hit, PostView
from moderation.rules.places import Free
from moderation.text import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal, Pattern
    from moderation.rules.hits import LiteralHits
    from moderation.text.fields import FieldSpan

__all__ = ["PATTERN_TIMEOUT_MS", "RESTORED", "PatternSearch", "spans"]

PATTERN_TIMEOUT_MS: Final = 100
_MAX_HITS: Final = 16
RESTORED: Final = "restored"
"""The base view with every hidden literal written out."""


@dataclass(slots=True)
class PatternSearch:
    """Tries patterns on a post; remembers what it has already tried.

    Where a rule may look behind evasions, a pattern is tried on the post as it is, then with every
    hidden literal written out, then on the compact view.
    """

    read: Callable[[str], PostView]
    """Returns the post in a view, by its name."""
    literals: LiteralHits
    table: Sequence[Literal]
    _known: dict[tuple[str, str, tuple[FieldSpan, ...] | None], list[Hit] | None] = field(
        default_factory=dict
    )
    _views: dict[str, PostView] = field(default_factory=dict)
    _written_out: list[tuple[Hit, int]] | None = None

    def find(
        self, pattern: Pattern, inside: tuple[FieldSpan, ...] | None, *, bold: bool
    ) -> list[Hit] | None:
        """Return where a pattern matches; None when it ran out of time.

        Args:
            pattern: the pattern.
            inside: the fields to look at; None: anywhere.
            bold: also look behind evasions.
        """
        hits: list[Hit] | None = []
        for name in ("base", RESTORED, "compact") if bold else ("base",):
            if name == RESTORED and not self.literals.bold:
                continue
            hits = self.search(pattern, name, inside)
            if hits is None or hits:
                return hits
        return hits

    def search(
        self, pattern: Pattern, name: str, inside: tuple[FieldSpan, ...] | None
    ) -> list[Hit] | None:
        """Return where a pattern matches one view, or RESTORED; None when it ran out of time."""
        key = (pattern.source, name, inside)
        if key in self._known:
            return self._known[key]
        view = self._view(name)
        hits: list[Hit] = []
        try:
            for origin, text in _stretches(view, inside):
                for begin, stop in spans(pattern, text, _MAX_HITS - len(hits)):
                    start, end = origin + begin, origin + stop
                    ends = int(view.source[start]), int(view.last[end - 1])
                    hits.append(self._hit(name, min(ends), max(ends) + 1))
        except TimeoutError:
            self._known[key] = None
            return None
        self._known[key] = hits
        return hits

    def text(self, name: str) -> str:
        """Return the text of a view, or RESTORED."""
        if name != RESTORED or name in self._views:
            return self._view(name).text
        base = self._view("base")
        pieces: list[str] = []
        at = 0
        for _, index, begin, end in self._stretches_hidden():
            pieces += [base.text[at:begin], self.table[index].base]
            at = end
        return "".join([*pieces, base.text[at:]])

    def _hit(self, name: str, first: int, last: int) -> Hit:
        if name != RESTORED:
            return Hit(first, last, name, "regex")
        inside = [hit for hit, _ in self._hidden() if first <= hit.start and hit.end <= last]
        folds = sorted({hit.fold for hit in inside if hit.fold})
        loose = [hit for hit in inside if hit.frail]
        rare = bool(loose) and all(hit.rare for hit in loose)
        fold = folds[0] if folds else ""
        return Hit(first, last, "compact", "regex", False, fold, bool(loose), rare)

    def _view(self, name: str) -> PostView:
        view = self._views.get(name)
        if view is None:
            view = self._restore() if name == RESTORED else self.read(name)
            self._views[name] = view
        return view

    def _hidden(self) -> list[tuple[Hit, int]]:
        """Return hidden literals that do not overlap, by place; the plainest and longest win."""
        if self._written_out is not None:
            return self._written_out
        order = {name: at for at, name in enumerate(VIEWS)}
        found = [(hit, i) for i in self.literals.bold for hit in self.literals[i] if hit.bold]
        found.sort(key=lambda f: (order[f[0].view], f[0].start - f[0].end, f[0].start, f[1]))
        free = Free()
        taken = [(hit, index) for hit, index in found if free.take(hit.start, hit.end)]
        self._written_out = sorted(taken, key=lambda f: f[0].start)
        return self._written_out

    def _stretches_hidden(self) -> list[tuple[Hit, int, int, int]]:
        """Return hidden literals with where they begin and end in the base view, by place."""
        base = self._view("base")
        found = []
        at = 0
        for hit, index in self._hidden():
            begin, end = base.source.searchsorted((hit.start, hit.end)).tolist()
            if begin >= at:
                found.append((hit, index, begin, end))
                at = end
        return found

    def _restore(self) -> PostView:
        """Return the base view with every hidden literal written out."""
        firsts: list[NDArray[np.int64]] = []
        lasts: list[NDArray[np.int64]] = []
        at = 0
        base = self._view("base")
        for hit, index, begin, end in self._stretches_hidden():
            written = len(self.table[index].base)
            firsts += [base.source[at:begin], np.full(written, hit.start)]
            lasts += [base.last[at:begin], np.full(written, hit.end - 1)]
            at = end
        firsts.append(base.source[at:])
        lasts.append(base.last[at:])
        return PostView(self.text(RESTORED), np.concatenate(firsts), np.concatenate(lasts))


def spans(pattern: Pattern, text: str, most: int) -> list[tuple[int, int]]:
    """Return where a pattern first matches a text, empty matches left out.

    The time that a search takes includes pauses of the process, of which a garbage collection over
    many objects is one. What ran out of time is therefore tried once more: a slow pattern is slow
    again.

    Raises:
        TimeoutError: it ran out of time twice.
    """
    try:
        return _tried(pattern, text, most)
    except TimeoutError:
        return _tried(pattern, text, most)


def _tried(pattern: Pattern, text: str, most: int) -> list[tuple[int, int]]:
    found = pattern.compiled.finditer(text, timeout=PATTERN_TIMEOUT_MS / 1000)
    return list(islice((m.span() for m in found if m.end() > m.start()), most))


def _stretches(view: PostView, inside: tuple[FieldSpan, ...] | None) -> list[tuple[int, str]]:
    """Return the texts that patterns are tried on, with where each begins in the view.

    The whole post, or each of some fields by itself.
    """
    if inside is None:
        return [(0, view.text)]
    edges = [(span.start, span.end) for span in inside]
    bounds = view.source.searchsorted(edges).tolist() if edges else []
    return [(first, view.text[first:end]) for first, end in bounds if first < end]
