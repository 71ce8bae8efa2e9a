"""Literals: written terms, folded like the posts they are searched in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moderation.rules.conditions import Literal
from moderation.text import TextBatch
from moderation.text.fold import CLASS_LATIN, CLASS_WORD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moderation.text import FoldTable

__all__ = ["TAG", "LiteralTable"]

TAG = "#"
"""A literal may ask to be a hashtag: the mark stands before it in every view."""


@dataclass(slots=True)
class LiteralTable:
    """Gives every distinct literal an index while rule files are compiled."""

    table: FoldTable
    index: dict[Literal, int] = field(default_factory=dict)
    _bases: dict[str, str] = field(default_factory=dict)
    """Terms without their open edges, folded ahead of time."""
    _collapsed: dict[str, str] = field(default_factory=dict)
    """The compact view of terms without noise, folded ahead of time."""

    def prepare(self, written: Iterable[str]) -> None:
        """Fold many terms at once: `add` then looks them up. One by one takes ten times as long."""
        cores = list({core for text in written for core in [_core(text)[0]]})
        bases = self.table.base(TextBatch.from_strings(cores)).texts()
        self._bases.update(zip(cores, bases, strict=True))
        plains = list({self._plain(" ".join(base.split())) for base in bases})
        view = self.table.compact(self.table.base(TextBatch.from_strings(plains)))
        self._collapsed.update(zip(plains, view.texts(), strict=True))

    def add(self, written: str) -> int | None:
        """Return the index of a written term, or None when nothing is left of it."""
        core, left, right = _core(written)
        folded = self._bases.get(core)
        base = " ".join((self.table.fold_text(core) if folded is None else folded).split())
        if not base:
            return None
        literal = Literal(base, self._compact(base), left, right)
        return self.index.setdefault(literal, len(self.index))

    def _compact(self, base: str) -> tuple[str, ...]:
        """Return the compact forms; none where dropping symbols would lose what the term says."""
        classes = self.table.classes
        base = base.removeprefix(TAG)
        for char in base:
            if not classes[ord(char)] & CLASS_WORD and char not in " -'·":
                return ()
        plain = self._plain(base)
        collapsed = self._collapsed.get(plain)
        if collapsed is None:
            view = self.table.compact(self.table.base(TextBatch.from_strings([plain])))
            collapsed = view.text()
        latin = all(classes[ord(c)] & CLASS_LATIN for c in plain)
        shortest = 3 if latin else 2
        return tuple(form for form in dict.fromkeys((plain, collapsed)) if len(form) >= shortest)

    def _plain(self, base: str) -> str:
        """Return a folded term without noise."""
        classes = self.table.classes
        return "".join(c for c in base if classes[ord(c)] & CLASS_WORD)


def _core(written: str) -> tuple[str, bool, bool]:
    """Return a written term without its asterisks, and which of its edges they leave open."""
    left = written.startswith("*") and len(written) > 1
    right = written.endswith("*") and len(written) > 1
    return written[1 if left else 0 : -1 if right else None], left, right
