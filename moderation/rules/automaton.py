"""Find literals: one automaton per view, run once over a whole batch."""

from __future__ import annotations

from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.rules.forms import FOLDS, UNGUARDED, Form
from moderation.rules.spelling import STRONG_BOND, WEAK_BOND, is_bound
from moderation.text.fold import CLASS_DIGIT, CLASS_HAN, CLASS_LATIN, CLASS_WORD
from moderation.text.native import flat, kernel
from moderation.text.ordinary import AMONG_HAN, key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable, View
    from moderation.text.ordinary import Ordinary

__all__ = ["COMMON_PINYIN", "OPEN_SHIFT", "Automaton", "restored"]

_SHORT: Final = 2
"""Latin terms this short want neither a letter nor a digit beside them."""
_WHOLE: Final = 3
_SKIP_PLAIN: Final = 1
_GUARDED: Final = 2
_PINYIN: Final = 4
_RIGHT_SHIFT: Final = 8
OPEN_SHIFT: Final = 16
_FLAGS_SHIFT: Final = 24
COMMON_PINYIN: Final = 30
"""Chinese posts in a million that hold a Latin word which is an ordinary one there."""
_SYMBOLS: Final = "!|@$+€"


class Automaton:
    """Searches one view for the forms of literals.

    Attributes:
        view: name of the view.
        patterns: what is searched for, as plain numbers: see `restored`.
        codes, offsets: the patterns' code points end to end, and where each begins.
        edges: uint32, shape (patterns,): what each asks of the places beside it, a byte each:
            classes that may not stand before and behind it, edges that may lie inside a word
            (1 left, 2 right), and where it counts at all (see native/automaton.h).
        native: the kernel's automaton; None without the kernel.
    """

    def __init__(
        self,
        view: str,
        forms: Iterable[tuple[int, Literal, Form]],
        table: FoldTable,
        ordinary: Ordinary,
    ) -> None:
        """Build the automaton.

        Args:
            view: name of the view it reads.
            forms: index of a literal, the literal, and a form of it in this view.
            table: the fold table, for character classes.
            ordinary: what ordinary posts are made of.
        """
        patterns, owners = _arrays(view, forms, table)
        native = None
        if kernel is not None:
            native = _build(patterns)
            patterns |= _cells(native)
        self._take(view, patterns, lambda: owners, table, ordinary, native)

    @classmethod
    def restored(
        cls,
        view: str,
        patterns: dict[str, NDArray[Any]],
        owners: Callable[[], dict[str, NDArray[Any]]],
        table: FoldTable,
        ordinary: Ordinary,
    ) -> Automaton:
        """Return the automaton that arrays were taken from.

        Args:
            view: name of the view it reads.
            patterns: its `patterns`, with the kernel's cells where there is a kernel.
            owners: returns its `owners`; asked when a first post is looked at closely.
            table: the fold table, for character classes.
            ordinary: what ordinary posts are made of.

        Raises:
            ValueError: the cells are not those of an automaton.
            KeyError: an array is missing.
        """
        native = None if kernel is None else restored(patterns)
        automaton = cls.__new__(cls)
        automaton._take(view, patterns, owners, table, ordinary, native)
        return automaton

    def _take(
        self,
        view: str,
        patterns: dict[str, NDArray[Any]],
        owners: Callable[[], dict[str, NDArray[Any]]],
        table: FoldTable,
        ordinary: Ordinary,
        native: Any,
    ) -> None:
        self.view = view
        self.patterns = patterns
        self._read_owners = owners
        self._classes = table.classes
        self._ordinary = ordinary
        self.codes: NDArray[np.uint32] = patterns["codes"]
        self.offsets: NDArray[np.int64] = patterns["offsets"]
        self.edges: NDArray[np.uint32] = patterns["edges"]
        self.native = native
        self._reference: Any = None
        self._owners: dict[int, tuple[int, Form]] = {}

    @cached_property
    def owners(self) -> dict[str, NDArray[Any]]:
        """The literals that patterns stand for, as plain numbers."""
        return self._read_owners()

    @property
    def literal(self) -> NDArray[np.int64]:
        """The literal of each owner, the owners of all patterns end to end."""
        return self.owners["literal"]

    @property
    def owner_starts(self) -> NDArray[np.int64]:
        """Where the owners of each pattern begin, shape (patterns + 1,)."""
        return self.owners["owner_starts"]

    @property
    def texts(self) -> list[str]:
        """Every pattern."""
        return _split(self.codes, self.offsets)

    def owner(self, number: int) -> tuple[int, Form]:
        """Return an owner by its number: a literal and the form that was found."""
        known = self._owners.get(number)
        if known is not None:
            return known
        arrays = self.owners
        pattern = int(self.owner_starts.searchsorted(number, "right")) - 1
        text = _text(self.codes, self.offsets, pattern)
        written = _text(arrays["written"], arrays["written_offsets"], number)
        form = Form(text, FOLDS[arrays["fold"][number]], written)
        found = self._owners[number] = int(self.literal[number]), form
        return found

    def owned(
        self, pattern: NDArray[np.int64], edges: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the owners of found patterns.

        Args:
            pattern: int64, shape (found,).
            edges: int64, shape (found,): see `scan`.

        Returns:
            Two int64 arrays of one length: position in `pattern`, and number of an owner whose
            edges may be what they are.
        """
        starts = self.owner_starts
        counts = starts[pattern + 1] - starts[pattern]
        ends = np.cumsum(counts)
        at = np.repeat(np.arange(len(pattern)), counts)
        owner = np.repeat(starts[pattern] - (ends - counts), counts) + np.arange(len(at))
        kept = (edges[at] | self.owners["literal_open"][owner]) == _WHOLE
        return at[kept], owner[kept]

    @cached_property
    def _begins(self) -> tuple[bytes, bytes]:
        """The kernel's bits by how patterns begin."""
        found: tuple[bytes, bytes] = kernel.begins(flat(self.codes), self.offsets, self.edges)
        return found

    def scan(self, view: View, base: View) -> bytes:
        """Find every form that lies within one post and may be a whole word.

        Where a literal of a pattern has an open edge, its occurrences inside words are returned
        as well: look at the edges.

        Returns:
            int32 rows of five as bytes, sorted by post, end and start: pattern, start and end in
            the view, post, and edges of the pattern that are edges of a word (1 left, 2 right).
        """
        if self.native is None:
            return self.scan_reference(view, base)
        plain = view is base
        none = b""
        found: bytes = kernel.scan(
            self.native,
            flat(view.codepoints),
            view.offsets,
            none if plain else flat(view.base_first),
            none if plain else flat(view.base_last),
            flat(base.codepoints),
            base.offsets,
            self._classes,
            self.edges,
            *self._begins,
            self._ordinary.key,
            self._ordinary.parts,
            self._ordinary.rate,
            STRONG_BOND,
            WEAK_BOND,
            COMMON_PINYIN,
        )
        return found

    def scan_reference(self, view: View, base: View) -> bytes:
        """Do the same with ahocorasick-rs and numpy."""
        if self._reference is None:
            import ahocorasick_rs

            self._reference = ahocorasick_rs.AhoCorasick(
                self.texts, matchkind=ahocorasick_rs.MatchKind.Standard, store_patterns=False
            )
        text = view.text()
        hits = self._reference.find_matches_as_indexes(text, overlapping=True)
        spans = np.fromiter(chain.from_iterable(hits), np.int64, 3 * len(hits)).reshape(-1, 3)
        post = np.searchsorted(view.offsets, spans[:, 1], "right") - 1
        inside = spans[:, 2] <= view.offsets[post + 1]
        spans, post = spans[inside], post[inside]
        if not len(spans):
            return b""
        pattern, start, end = spans.T
        first, last = view.base_first[start], view.base_last[end - 1]
        classes, edges = self._classes, self.edges[pattern].astype(np.int64)
        codes = base.codepoints
        at_start = first == base.offsets[post]
        before = classes[codes[np.where(at_start, first, first - 1)]]
        left = at_start | ((before & edges) == 0)
        at_end = last + 1 == base.offsets[post + 1]
        after = classes[codes[np.where(at_end, last, last + 1)]]
        right = at_end | ((after & (edges >> _RIGHT_SHIFT)) == 0)
        openings, flags = edges >> OPEN_SHIFT, edges >> _FLAGS_SHIFT
        kept = left | ((openings & 1) != 0)
        kept &= right | ((openings & 2) != 0)
        kept &= ((flags & _SKIP_PLAIN) == 0) | (last - first + 1 != end - start)
        guarded = (flags & _GUARDED) != 0
        for i in np.flatnonzero(kept & guarded).tolist():
            stretch = codes[first[i] : last[i] + 1]
            kept[i] = not (
                self._is_ordinary(stretch, bool(flags[i] & _PINYIN))
                or is_bound(base, self._classes, self._ordinary, post[i], first[i], last[i])
            )
        rows = np.stack([pattern, start, end, post, left | (right.astype(np.int64) << 1)], axis=1)
        rows = rows[kept]
        order = np.lexsort((rows[:, 1], rows[:, 2], rows[:, 3]))
        found: bytes = rows[order].astype(np.int32).tobytes()
        return found

    def _is_ordinary(self, codes: NDArray[np.uint32], pinyin: bool) -> bool:
        """Say whether a stretch of the base view is what ordinary posts are made of.

        That is a Han word of two to four characters, or nothing but Latin words, in the table.
        """
        kinds = self._classes[codes].tolist()
        text = codes.tobytes().decode("utf-32-le")
        if any(c in _SYMBOLS for c in text):
            return False  # a letter in disguise
        han = "".join(c for c, kind in zip(text, kinds, strict=True) if kind & CLASS_HAN)
        words = "".join(
            c if kind & CLASS_WORD and not kind & CLASS_HAN else " "
            for c, kind in zip(text, kinds, strict=True)
        ).split(" ")
        words = [word for word in words if word]
        if han and words:
            return False
        if words and pinyin:
            often = self._ordinary.per_million
            return all(often(AMONG_HAN + word) >= COMMON_PINYIN for word in words)
        if words:
            return all(self._knows(word) or self._knows(AMONG_HAN + word) for word in words)
        return 2 <= len(han) <= 4 and self._knows(han)

    def _knows(self, text: str) -> bool:
        return bool(self._ordinary.contains(np.array([key(text)], np.uint32))[0])


def _forbidden(edges: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the classes that may not stand beside the edges of patterns."""
    latin = (edges & CLASS_LATIN) != 0
    short = latin & (lengths <= _SHORT)
    bad = np.where(latin, CLASS_LATIN, 0) | np.where(short, CLASS_DIGIT, 0)
    return np.where((edges & CLASS_DIGIT) != 0, CLASS_DIGIT, bad).astype(np.uint32)


def _arrays(
    view: str, forms: Iterable[tuple[int, Literal, Form]], table: FoldTable
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return the patterns of an automaton and their owners."""
    numbers: dict[str, int] = {}
    opened: dict[int, int] = {}
    owners: list[list[tuple[int, Form]]] = []
    edges: list[int] = []
    flags: list[int] = []
    plain = view == "compact"
    for index, literal, form in forms:
        text = form.text
        number = numbers.setdefault(text, len(owners))
        edge = opened[index] = literal.left_open | literal.right_open << 1
        # Where a compact form is the term itself, the base view shows it already.
        flag = _SKIP_PLAIN if plain and text == literal.base else 0
        if form.fold not in UNGUARDED:
            flag |= _GUARDED
        if form.fold == "homophone":
            flag |= _PINYIN
        if number == len(owners):
            owners.append([(index, form)])
            edges.append(edge)
            flags.append(flag)
        elif all(known != index for known, _ in owners[number]):  # the plainest comes first
            owners[number].append((index, form))
            edges[number] |= edge
            flags[number] &= flag
    for number, known in enumerate(owners):
        if not flags[number] & _GUARDED:  # a term by itself is no evasion of another
            owners[number] = [owner for owner in known if owner[1].fold in UNGUARDED]
    every = [owner for known in owners for owner in known]
    codes, offsets = _joined(list(numbers))
    written, written_offsets = _joined([form.written for _, form in every])
    lengths = np.diff(offsets)
    patterns = {
        "codes": codes,
        "offsets": offsets,
        "edges": _forbidden(table.classes[codes[offsets[:-1]]], lengths)
        | _forbidden(table.classes[codes[offsets[1:] - 1]], lengths) << np.uint32(_RIGHT_SHIFT)
        | np.array(edges, np.uint32) << np.uint32(OPEN_SHIFT)
        | np.array(flags, np.uint32) << np.uint32(_FLAGS_SHIFT),
        "used": _by_count(codes),
    }
    return patterns, {
        "owner_starts": np.concatenate(([0], np.cumsum(list(map(len, owners)), dtype=np.int64))),
        "literal": np.array([index for index, _ in every], np.int64),
        "literal_open": np.array([opened[index] for index, _ in every], np.int64),
        "fold": np.array([FOLDS.index(form.fold) for _, form in every], np.uint8),
        "written": written,
        "written_offsets": written_offsets,
    }


def _joined(texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return strings as code points end to end, and where each begins."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return codes, np.concatenate(([0], np.cumsum(lengths)))


def _text(codes: NDArray[np.uint32], offsets: NDArray[np.int64], number: int) -> str:
    part = codes[offsets[number] : offsets[number + 1]]
    return part.tobytes().decode("utf-32-le", "surrogatepass")


def _split(codes: NDArray[np.uint32], offsets: NDArray[np.int64]) -> list[str]:
    joined = codes.tobytes().decode("utf-32-le", "surrogatepass")
    return [joined[a:b] for a, b in pairwise(offsets.tolist())]


def _by_count(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the characters of patterns, the commonest first.

    Symbols are numbered so, and the kernel's tables stay dense.
    """
    used, counts = np.unique(codes, return_counts=True)
    return used[np.argsort(-counts, kind="stable")]


def _build(patterns: dict[str, NDArray[Any]]) -> Any:
    """Hand patterns to the kernel, in the order of their symbols."""
    codes, offsets = patterns["codes"], patterns["offsets"]
    symbols = np.zeros(0x110000, np.uint32)
    symbols[patterns["used"]] = np.arange(1, len(patterns["used"]) + 1)
    letters = symbols[codes].astype(">u4").tobytes()
    keys = [letters[a:b] for a, b in pairwise((offsets * 4).tolist())]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int32)
    return kernel.build(flat(codes), offsets, order, symbols)


def restored(patterns: Mapping[str, NDArray[Any]]) -> Any:
    """Return the kernel's automaton for patterns.

    Args:
        patterns: `offsets` of the patterns; `used`, their characters by symbol; `cells`, the
            kernel's own.

    Raises:
        ValueError: the cells are not those of an automaton.
        KeyError: an array is missing.
    """
    return kernel.restored(*(patterns[name] for name in ("cells", "offsets", "used")))


def _cells(native: Any) -> dict[str, NDArray[Any]]:
    return {"cells": np.frombuffer(kernel.cells(native), np.int32)}
