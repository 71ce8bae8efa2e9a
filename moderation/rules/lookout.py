"""Lookout: which rules' clauses could be met in the posts of a batch, without a list of hits.

It finds what the automata and the screen find, but in one pass over each post: the bolder views
are made of one post at a time and never kept, patterns that no clause asks for are not looked for,
and a sieve leaves out nearly every place where none begins. Only with the native kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.rules.automaton import COMMON_PINYIN
from moderation.rules.spelling import STRONG_BOND, WEAK_BOND
from moderation.text import VIEWS
from moderation.text.native import flat, kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton
    from moderation.rules.compiled import CompiledRules
    from moderation.rules.screen import Screen
    from moderation.text import View

__all__ = ["Lookout"]

_CODE_SPACE = 0x110000
_PARTS = ("heads", "sizes", "bits", "starts")
"""Of a sieve, as the kernel names them."""


class Lookout:
    """Notices the posts in which a rule could hold.

    Attributes:
        sieves: the arrays of each view's sieve, by view and part.
    """

    def __init__(
        self,
        compiled: CompiledRules,
        automata: dict[str, Automaton],
        screen: Screen,
        sieves: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            compiled: the rules and their tables.
            automata: one per view.
            screen: the clauses.
            sieves: `sieves` of the same rules; None: they are made.

        Raises:
            ValueError: the sieves are not those of the automata.
            KeyError: an array is missing.
        """
        classes = compiled.table.classes
        made = {
            name: _made(automaton, screen, classes)
            if sieves is None
            else _restored(automaton, sieves)
            for name, automaton in automata.items()
        }
        self._views = tuple(
            (VIEWS.index(name), made[name], automaton.edges, flat(screen.starts(automaton)))
            for name, automaton in automata.items()
        )
        self.sieves = dict(sieves or {})
        if sieves is None:
            for name, sieve in made.items():
                parts = zip(_PARTS, kernel.sieve_parts(sieve), strict=True)
                self.sieves |= {f"{name}.{part}": np.frombuffer(x, np.uint32) for part, x in parts}
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

    def clauses(
        self, base: View, left_out: NDArray[np.bool_], *, wide: bool = True
    ) -> NDArray[np.int32]:
        """Return which clauses have a literal of every group in which posts.

        Args:
            base: the base view, as rules read it.
            left_out: bool, shape (posts,): posts that are not looked at.
            wide: look at several places at once where the processor can; False: never.

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
            wide,
        )
        return np.frombuffer(found, np.int32).reshape(-1, 2)


def _made(automaton: Automaton, screen: Screen, classes: NDArray[np.uint8]) -> Any:
    """Return the kernel's sieve over one view."""
    return kernel.sieve(
        automaton.native,
        automaton.codes,
        automaton.offsets,
        (np.diff(screen.starts(automaton)) > 0).view(np.uint8),
        automaton.edges,
        classes,
    )


def _restored(automaton: Automaton, sieves: Mapping[str, NDArray[Any]]) -> Any:
    """Return the sieve that arrays were taken from."""
    parts = (sieves[f"{automaton.view}.{part}"] for part in _PARTS)
    return kernel.restored_sieve(automaton.native, *parts, automaton.codes, automaton.edges)
