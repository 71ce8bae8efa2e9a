"""Undisguise: the base view as a person reads it, of the posts that hide what they say in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moderation.text.bopomofo import read_bopomofo
from moderation.text.fold import View
from moderation.text.leet import plain_letters
from moderation.text.reading import in_reading_order
from moderation.text.spacing import unspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch
    from moderation.text.fold import FoldTable
    from moderation.text.leet import Known
    from moderation.text.sound import SoundTable

__all__ = ["Undisguised", "Undisguiser"]


@dataclass(frozen=True, slots=True)
class Undisguiser:
    """Reads posts as a person does.

    Attributes:
        table: the fold table, for character classes.
        sound: the readings of bopomofo; None: it is not read.
        known: the words that leet may stand for.
    """

    table: FoldTable
    sound: SoundTable | None
    known: Known

    def view(self, base: View, batch: TextBatch) -> tuple[View, NDArray[np.bool_]]:
        """Return the base view as a person reads it, and which posts were read without spaces.

        Args:
            base: the base view of `batch`.
            batch: the posts as they were given.
        """
        base = in_reading_order(base, batch, self.table)
        base = read_bopomofo(base, batch, self.sound)
        base = plain_letters(base, batch, self.table, self.known)
        return unspace(base, self.table)

    def posts(self, base: View, batch: TextBatch, posts: NDArray[np.int64]) -> Undisguised | None:
        """Return some posts as a person reads them; None where there are none.

        Args:
            base: the base view of `batch`.
            batch: the posts as they were given.
            posts: int64, ascending: which ones.
        """
        if not len(posts):
            return None
        part = batch.take(posts)
        return Undisguised(posts, part, *self.view(base.take(posts, batch, part), part))


@dataclass(frozen=True, slots=True)
class Undisguised:
    """Some posts of a batch as a person reads them.

    Attributes:
        posts: int64, ascending: which posts of the batch.
        batch: these posts, as they were given.
        base: their base view, read.
        spaced: bool, same shape as `posts`: those whose spaces between Han characters were dropped.
    """

    posts: NDArray[np.int64]
    batch: TextBatch
    base: View
    spaced: NDArray[np.bool_]

    def within(
        self, base: View, batch: TextBatch, posts: NDArray[np.int64]
    ) -> tuple[View, NDArray[np.bool_]]:
        """Return a base view in which these posts are read, and which of its posts are spaced.

        Args:
            base: the base view of `batch`.
            batch: some posts of the batch that these are posts of.
            posts: int64, ascending: which ones.

        Returns:
            The view (the same object where none of these posts is in it) and, shape (posts,), a
            flag each.
        """
        spaced = np.zeros(len(posts), np.bool_)
        at = np.searchsorted(posts, self.posts)
        inside = at < len(posts)
        inside[inside] = posts[at[inside]] == self.posts[inside]
        rows, at = np.flatnonzero(inside), at[inside]
        if not len(rows):
            return base, spaced
        spaced[at] = self.spaced[rows]
        lengths = np.diff(base.offsets)
        lengths[at] = np.diff(self.base.offsets)[rows]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        # Both views end to end, and where each post begins among them.
        starts = base.offsets[:-1].copy()
        starts[at] = len(base.codepoints) + self.base.offsets[rows]
        same = np.arange(offsets[-1])
        place = np.repeat(starts - offsets[:-1], lengths) + same
        moved = np.zeros(len(posts), np.int64)
        moved[at] = batch.offsets[at] - self.batch.offsets[rows]
        shift = np.repeat(moved, lengths)
        return View(
            "base",
            np.concatenate([base.codepoints, self.base.codepoints])[place],
            offsets,
            np.concatenate([base.source, self.base.source])[place] + shift,
            np.concatenate([base.last, self.base.last])[place] + shift,
            same,
            same,
        ), spaced
