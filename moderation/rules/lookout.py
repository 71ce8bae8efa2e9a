"""Lookout: which rules' clauses could be met in the posts of a batch, without a list of hits.

It finds what the automata and the screen find, but in one pass over each post: the bolder views
are made of one post at a time and never kept, patterns that no clause asks for are not looked for,
and a sieve leaves out nearly every place where none begins. Only with the native kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.rules.automaton import COMMON_PINYIN, OPEN_SHIFT
from moderation.rules.spelling import STRONG_BOND, WEAK_BOND
from moderation.text import VIEWS
from moderation.text.native import flat, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton
    from moderation.rules.compile import CompiledRules
    from moderation.rules.screen import Screen
    from moderation.text import View

__all__ = ["Lookout"]

_CODE_SPACE = 0x110000


class Lookout:
    """Notices the posts in which a rule could hold."""

    def __init__(
        self, compiled: CompiledRules, automata: dict[str, Automaton], screen: Screen
    ) -> None:
        """Prepare.

        Args:
            compiled: the rules and their tables.
            automata: one per view.
            screen: the clauses.
        """
        classes = compiled.table.classes
        self._views = tuple(_searched(a, screen, classes) for a in automata.values())
        shapes, sound, ordinary = compiled.shapes, compiled.sound, compiled.ordinary
        self._tables = (
            classes,
            np.arange(_CODE_SPACE, dtype=np.uint32) if shapes is None else shapes.classes,
            np.zeros(_CODE_SPACE, np.uint16) if sound is None else sound.near,
            np.zeros(0, np.uint64) if sound is None else sound.keys,
            np.zeros(0, np.uint16) if sound is None else sound.syllable_near,
            screen.groups,
            screen.owner,
            screen.needed,
            ordinary.key,
            ordinary.parts,
            ordinary.rate,
        )

    def clauses(self, base: View, left_out: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return which clauses have a literal of every group in which posts.

        Args:
            base: the base view, as rules read it.
            left_out: bool, shape (posts,): posts that are not looked at.

        Returns:
            int32, shape (found, 2): post and clause, posts ascending; those of `Screen.clauses`.
        """
        found = kernel.notice(
            self._views,
            flat(base.codepoints),
            base.offsets,
            left_out,
            *self._tables,
            STRONG_BOND,
            WEAK_BOND,
            COMMON_PINYIN,
        )
        return np.frombuffer(found, np.int32).reshape(-1, 2)


def _searched(automaton: Automaton, screen: Screen, classes: NDArray[np.uint8]) -> tuple[Any, ...]:
    """Return what the kernel is told of one view."""
    starts = screen.starts(automaton)
    sieve = kernel.sieve(
        automaton.native,
        automaton.codes,
        automaton.offsets,
        (np.diff(starts) > 0).view(np.uint8),
        (automaton.edges >> OPEN_SHIFT & 3).astype(np.uint8),
        classes,
    )
    return VIEWS.index(automaton.view), sieve, automaton.edges, flat(starts)
