"""Collecting: what the kernel is told of literals and their forms, to say where they stand.

`moderation.rules.collect` is the reference. Only with the native kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.rules.chance import NUMERALS, STROKES
from moderation.rules.collect import MOST_HIDDEN
from moderation.rules.findings import Hit
from moderation.rules.forms import FOLDS
from moderation.rules.hits import HitTable
from moderation.rules.literals import TAG
from moderation.rules.marks import LEET, NOISE, mark_of
from moderation.rules.spelling import SIGNS, STRONG_BOND, WEAK_BOND
from moderation.text import VIEWS
from moderation.text.fold import CLASS_HAN
from moderation.text.native import flat, kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton
    from moderation.rules.chance import Chance
    from moderation.rules.hits import Reading
    from moderation.text import View

__all__ = ["NativeCollector", "plain_forms"]

_IS_TAG = 1
_ENDS_IN_HAN = 2
_NOWHERE = np.zeros(0, np.int64)


class NativeCollector:
    """Turns what the automata found in a reading into places of literals."""

    def __init__(self, literals: int, automata: Mapping[str, Automaton], chance: Chance) -> None:
        """Prepare.

        Args:
            literals: how many there are.
            automata: one per view.
            chance: what evaded spellings are judged by.
        """
        classes, ordinary = chance.table.classes, chance.ordinary
        base = automata["base"]
        tag = base.codes[base.offsets[:-1]] == ord(TAG)
        han = (classes[base.codes[base.offsets[1:] - 1]] & CLASS_HAN) != 0
        spaces = np.concatenate(([0], np.cumsum(base.codes == ord(" "))))
        self._native = kernel.collector(
            tuple(_forms(automata[name]) for name in VIEWS if name in automata),
            _by_literal(base, (tag * _IS_TAG | han * _ENDS_IN_HAN).astype(np.uint8), literals),
            _by_literal(base, np.diff(spaces[base.offsets]).astype(np.int32), literals),
            plain_forms(automata["compact"], literals),
            classes,
            _signs(),
            ordinary.key,
            ordinary.parts,
            ordinary.rate,
            b"" if chance.sound is None else chance.sound.near,
            np.array([mark_of(Hit(0, 0, "base", fold=fold)) for fold in FOLDS], np.int32),
            np.array([mark_of(Hit(0, 0, view)) for view in VIEWS], np.int32),
            LEET,
            NOISE,
            MOST_HIDDEN,
            STRONG_BOND,
            WEAK_BOND,
        )

    def hits(self, reading: Reading, cut: NDArray[np.bool_] | None) -> HitTable:
        """Return the places of every view, as `Collector` does.

        Args:
            reading: what was found.
            cut: see `Ruleset.findings`.
        """
        batch = reading.batch
        fields = batch.fields
        bounds, *columns = kernel.collect(
            self._native,
            tuple(_read(view, reading.hits[name]) for name, view in reading.views.items()),
            flat(batch.codepoints),
            batch.offsets,
            reading.spaced,
            b"" if cut is None else cut,
            _NOWHERE if fields is None else fields.start,
            _NOWHERE if fields is None else fields.offsets,
        )
        return HitTable(
            np.frombuffer(bounds, np.int64), *(np.frombuffer(c, np.int32) for c in columns)
        )


def plain_forms(compact: Automaton, literals: int) -> NDArray[np.int32]:
    """Return which pattern of the compact view each literal is by itself; -1 for none.

    Args:
        compact: the automaton of that view.
        literals: how many there are.
    """
    pattern = _patterns(compact)
    plain = np.flatnonzero(compact.arrays["fold"] == FOLDS.index(""))
    # The longest: the other is the same with its double letters collapsed.
    order = plain[np.argsort(np.diff(compact.offsets)[pattern[plain]], kind="stable")]
    found = np.full(literals, -1, np.int32)
    found[compact.literal[order]] = pattern[order]
    return found


def _by_literal(base: Automaton, values: NDArray[Any], literals: int) -> NDArray[Any]:
    """Return a value for each literal from one for each pattern of the base view: its only form."""
    found = np.zeros(literals, values.dtype)
    found[base.literal] = values[_patterns(base)]
    return found


def _patterns(automaton: Automaton) -> NDArray[np.int64]:
    """Return the pattern of each owner."""
    owners = np.diff(automaton.owner_starts)
    return np.repeat(np.arange(len(owners)), owners)


def _forms(automaton: Automaton) -> tuple[Any, ...]:
    """Return what the kernel is told of the patterns of one view."""
    arrays = automaton.arrays
    return (
        VIEWS.index(automaton.view),
        arrays["owner_starts"],
        arrays["literal"],
        arrays["literal_open"],
        arrays["fold"],
        arrays["codes"],
        arrays["offsets"],
        arrays["written"],
        arrays["written_offsets"],
    )


def _read(view: View, rows: bytes) -> tuple[Any, ...]:
    """Return what the kernel is told of one view of a reading."""
    return (
        flat(view.codepoints),
        view.offsets,
        view.source,
        view.last,
        view.base_first,
        view.base_last,
        rows,
    )


def _signs() -> NDArray[np.uint16]:
    """Return what characters are to the eye, by code point as far as any is anything."""
    signs = (*SIGNS, STROKES, NUMERALS)
    table = np.zeros(1 + max(ord(char) for chars in signs for char in chars), np.uint16)
    for bit, chars in enumerate(signs):
        table[[ord(char) for char in chars]] |= 1 << bit
    return table
