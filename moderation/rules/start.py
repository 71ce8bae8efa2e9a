"""Start: what noticing posts begins with, built from compiled rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moderation.rules.automaton import Automaton
from moderation.rules.clauses import positive_literals
from moderation.rules.forms import FormTable
from moderation.rules.lookout import Lookout
from moderation.rules.screen import Screen
from moderation.text import VIEWS
from moderation.text.native import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules.compiled import CompiledRules
    from moderation.text.disguise import Meanings

__all__ = ["Start", "build_automata", "build_screen", "build_start", "clause_rules"]


@dataclass(frozen=True, slots=True)
class Start:
    """What noticing posts begins with.

    Attributes:
        automata: one per view.
        screen: the clauses.
        lookout: what finds them; None without the kernel.
        clause_rules: int32: the rule that each clause is of.
        meanings: the words that leet may stand for.
    """

    automata: dict[str, Automaton]
    screen: Screen
    lookout: Lookout | None
    clause_rules: NDArray[np.int32]
    meanings: Meanings


def build_start(compiled: CompiledRules) -> Start:
    """Build everything that noticing posts begins with."""
    automata = build_automata(compiled)
    screen = build_screen(compiled, automata)
    lookout = None if kernel is None else Lookout(compiled, automata, screen)
    meanings = compiled.known().meanings()
    return Start(automata, screen, lookout, clause_rules(compiled), meanings)


def build_automata(compiled: CompiledRules) -> dict[str, Automaton]:
    """Build the automaton of every view there are tables for."""
    forms = FormTable(compiled.table, compiled.sound, compiled.shapes)
    bold: dict[str, set[int]] = {name: set() for name in VIEWS}
    for rule in compiled.rules:
        if not rule.is_context:
            for name in rule.views:
                bold[name] |= positive_literals(rule.condition)
    return {
        name: Automaton(
            name,
            (
                (index, literal, form)
                for index, literal in enumerate(compiled.literals)
                for form in forms.forms(literal, name, bold=index in bold[name])
            ),
            compiled.table,
            compiled.ordinary,
        )
        for name in VIEWS
        if (name != "sound" or compiled.sound) and (name != "shape" or compiled.shapes)
    }


def build_screen(compiled: CompiledRules, automata: dict[str, Automaton]) -> Screen:
    """Build the screen of the policy rules' clauses."""
    rules = zip(compiled.rules, compiled.clauses, strict=True)
    policy_rules = [(rule, clauses) for rule, clauses in rules if not rule.is_context]
    wanted = [(rule.views, groups) for rule, clauses in policy_rules for groups in clauses]
    return Screen(wanted, automata)


def clause_rules(compiled: CompiledRules) -> NDArray[np.int32]:
    """Return the number of the rule that each clause is of, shape (clauses,)."""
    rules = enumerate(zip(compiled.rules, compiled.clauses, strict=True))
    numbers = [n for n, (rule, clauses) in rules if not rule.is_context for _ in clauses]
    return np.array(numbers, np.int32)
