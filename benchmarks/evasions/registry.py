"""Every technique, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evasions import contacts, han, letters, words
from evasions.spell import Technique, chain

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    1: "letter forms",
    2: "invisible",
    3: "noise",
    4: "variants",
    5: "sound",
    6: "shape",
    7: "code words",
    8: "emoji as words",
    9: "contacts",
    10: "mixed, scattered",
    11: "together",
}


def techniques(data: Path | None, rules: Path | None) -> list[Technique]:
    """Return every technique whose sources are there, by kind.

    Args:
        data: a folder with lexicons/, or None.
        rules: the rules folder, to tell code words that a pack names from those it does not.
    """
    together = [
        Technique(11, "homophone, then punctuation", chain(han.homophone, letters.PUNCTUATED)),
        Technique(11, "traditional, then zero-width", chain(han.traditional, letters.INVISIBLE)),
        Technique(11, "leet, then punctuation", chain(letters.LEET, letters.PUNCTUATED)),
        Technique(11, "look-alikes, then zero-width", chain(letters.LOOKALIKE, letters.INVISIBLE)),
    ]
    found = [
        *letters.TECHNIQUES,
        *han.techniques(data),
        *words.techniques(rules),
        *contacts.techniques(),
        *together,
    ]
    return sorted(found, key=lambda t: t.kind)
