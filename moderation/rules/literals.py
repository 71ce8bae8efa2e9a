"""Literals: written terms, folded like the posts they are searched in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moderation.rules.conditions import Literal
from moderation.text import TextBatch
from moderation.text.fold import CLASS_LATIN, CLASS_WORD

if TYPE_CHECKING:
    from moderation.text import FoldTable

__all__ = ["TAG", "LiteralTable"]

TAG = "#"
"""A literal may ask to be a hashtag: the mark stands before it in every view."""


@dataclass(slots=True)
class LiteralTable:
    """Gives every distinct literal an index while rule files are compiled."""

    table: FoldTable
    index: dict[Literal, int] = field(default_factory=dict)

    def add(self, written: str) -> int | None:
        """Return the index of a written term, or None when nothing is left of it."""
        left = written.startswith("*") and len(written) > 1
        right = written.endswith("*") and len(written) > 1
        core = written[1 if left else 0 : -1 if right else None]
        base = " ".join(self.table.fold_text(core).split())
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
        plain = "".join(c for c in base if classes[ord(c)] & CLASS_WORD)
        view = self.table.compact(self.table.base(TextBatch.from_strings([plain])))
        latin = all(classes[ord(c)] & CLASS_LATIN for c in plain)
        shortest = 3 if latin else 2
        return tuple(form for form in dict.fromkeys((plain, view.text())) if len(form) >= shortest)
