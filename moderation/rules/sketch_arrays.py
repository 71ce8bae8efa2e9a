"""Sketch arrays: the sketches of a ruleset's expressions as plain numbers, for the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import regex

from moderation.rules.sketch import AHEAD, BEHIND, ONE, SET, Sketch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["sketch_arrays"]

_MOST_CLASSES: Final = 0xFFFF
_ALPHABET: Final = 0x10000
"""Code points that are told apart, beside those beyond that an expression names."""
_PAIR: Final = 2
"""Classes in a set of one character: its own, and that of what is not looked at."""
_FLAGS: Final = regex.V1 | regex.UNICODE


def sketch_arrays(sketches: Sequence[Sketch | None]) -> dict[str, NDArray[Any]]:
    """Return the sketches of patterns as the kernel takes them; see native/sketch.c.

    Code points that no instruction tells apart are of one class: of one number for all sketches,
    and of another for each. Class 0 is that of the code points that are not looked at here, of
    which any may be in any set.
    """
    known = [found or Sketch((), ()) for found in sketches]
    atoms = sorted({atom for one in known for chars in one.sets for atom in chars.atoms})
    codes = _codes(atoms)
    single = {atom: char for atom in atoms if (char := _single(atom)) is not None}
    own = np.zeros(len(codes), np.int64)
    own[0] = -1
    at = {char: int(codes.searchsorted(char)) for char in single.values()}
    for number, char in enumerate(at.values(), 1):
        own[char] = number
    text = "".join(map(chr, codes[1:].tolist()))
    several = {atom: _members(atom, text) for atom in atoms if atom not in single}
    classes = _alike(list(several.values()), own)
    _, first = np.unique(classes, return_index=True)
    if len(first) > _MOST_CLASSES:
        return sketch_arrays([None] * len(known))
    inside = {atom: members[first] for atom, members in several.items()}
    for atom, char in single.items():
        inside[atom] = np.isin(np.arange(len(first)), (0, classes[at[char]]))
    runs = _runs(codes[1:], classes[1:])
    made = [_made(one, inside, len(first)) for one in known]
    rows = [row for program, *_ in made for row in program]
    return {
        "sketch_starts": np.cumsum([0, *(len(program) for program, *_ in made)], dtype=np.int32),
        "sketch_rows": np.array(rows, np.int32).ravel(),
        "sketch_sizes": np.array([size for _, size, *_ in made], np.int32).ravel(),
        "sketch_classes": _joined([own for *_, own, _ in made], np.uint16),
        "sketch_members": _joined([members for *_, members in made], np.uint8),
        "sketch_codes": runs[0].astype(np.int32),
        "sketch_code_classes": runs[1].astype(np.uint16),
    }


def _codes(atoms: Iterable[str]) -> NDArray[np.int64]:
    """Return the code points that are told apart, behind one for all others."""
    beyond = {ord(c) for atom in atoms for c in atom if ord(c) >= _ALPHABET}
    return np.array([-1, *range(_ALPHABET), *sorted(beyond)])


def _single(atom: str) -> int | None:
    """Return the code point that an expression of one character is; None for a class."""
    char = atom.removeprefix("\\")
    plain = len(char) == 1 and atom != "." and (atom == char or not char.isalnum())
    return ord(char) if plain else None


def _members(atom: str, text: str) -> NDArray[np.bool_]:
    """Return which characters of a text an expression of one character matches, behind a True.

    Raises:
        regex.error: it is none.
    """
    members = np.zeros(1 + len(text), np.bool_)
    members[0] = True
    for match in regex.compile(f"(?:{atom})+", _FLAGS).finditer(text):
        members[match.start() + 1 : match.end() + 1] = True
    return members


def _alike(sets: Sequence[NDArray[np.bool_]], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a class for each place: the same for those that all sets agree on; 0 for the first."""
    found = own
    for at in range(0, len(sets), 32):
        bits = sum(members.astype(np.int64) << n for n, members in enumerate(sets[at : at + 32]))
        _, part = np.unique(bits, return_inverse=True)
        _, found = np.unique(found * len(part) + part, return_inverse=True)
    _, found = np.unique(found, return_inverse=True)
    classes: NDArray[np.int64] = (found - found[0]) % (found.max() + 1)
    return classes


def _runs(
    codes: NDArray[np.int64], classes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the class of code points changes, and to which."""
    whole = np.zeros(codes.max(initial=0) + 2, np.int64)  # what is behind is not looked at
    whole[codes] = classes
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    return starts, whole[starts]


def _made(
    one: Sketch, inside: Mapping[str, NDArray[np.bool_]], classes: int
) -> tuple[list[tuple[int, int, int]], tuple[int, int], NDArray[np.int64], NDArray[np.bool_]]:
    """Return a sketch's rows, how many sets and classes it has, its classes and its sets' members.

    Args:
        one: the sketch.
        inside: shape (classes,) for each expression of a character: the classes that it matches.
        classes: how many there are of all sketches.
    """
    members = np.zeros((len(one.sets), classes), np.bool_)
    for row, chars in zip(members, one.sets, strict=True):
        for atom in chars.atoms:
            row |= inside[atom]
        row ^= chars.negated
        row[0] = True
    own = np.zeros(classes, np.int64)
    own[0] = -1
    local = _alike(list(members), own)
    _, first = np.unique(local, return_index=True)
    members = members[:, first]
    edges = np.array([[chars.edge] for chars in one.sets], np.bool_).reshape(-1, 1)
    size = members.sum(axis=1).tolist()
    last = (len(first) - 1 - members[:, ::-1].argmax(axis=1)).tolist()
    kept: dict[int, int] = {}
    rows = []
    for op, a, b in one.rows:
        if op == SET and size[a] == _PAIR:
            rows.append((ONE, last[a], 0))
        elif op in {SET, BEHIND, AHEAD}:
            rows.append((op, kept.setdefault(a, len(kept)), b))
        else:
            rows.append((op, a, b))
    found = np.concatenate([members, edges], axis=1)[list(kept)]
    return rows, (len(kept), len(first)), local, found


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *(part.ravel() for part in parts)]).astype(dtype)
