"""Known words: what leet may stand for, named by rules or met in ordinary posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moderation.rules.known import known_words
from moderation.rules.literals import LiteralTable
from moderation.text.leet import SURELY, outline
from moderation.text.ordinary import Ordinary

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text import FoldTable


def test_words_of_rules_are_known_best_and_unknown_ones_not_at_all(
    shipped_rules: Path, table: FoldTable
):
    literals = LiteralTable(table)
    literals.add("casino")
    literals.add("free spins")
    known = known_words(list(literals.index), Ordinary.load(shipped_rules))
    casino, spins, room, nonsense = known(["casino", "spins", "room", "qxzvk"])
    assert casino >= SURELY
    assert spins >= SURELY
    assert 0 < room < SURELY
    assert nonsense == 0
    assert known(["room", "casino"]) == [room, casino]  # remembered
    assert known.names(outline("c4s1n0"))
    assert not known.names(outline("r00m"))
