"""Worst errors: the posts on which decision and label are furthest apart, by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.scan.json_line import storable
from moderation.types import (
    ACTIONS,
    LANGUAGES,
    NOT_SHOWN,
    POLICIES,
    UNSHOWN_SUB_LABEL,
    is_unshown,
)

if TYPE_CHECKING:
    from moderation.evaluation.decisions import Decisions

__all__ = ["FALSE_ALARM", "MISSED", "WorstError", "worst_errors"]

FALSE_ALARM: Final = "false_alarm"
"""Labelled 0, and reviewed or blocked."""
MISSED: Final = "missed"
"""Labelled 1, and passed."""


@dataclass(frozen=True, slots=True)
class WorstError:
    """One post that was decided wrongly for one policy."""

    policy: str
    kind: str
    """FALSE_ALARM or MISSED."""
    id: str
    source: str
    line: int
    language: str
    score: float
    action: str
    stance: str | None
    """Stance found; None where the verdict has no label for the policy."""
    sub_label: str | None
    rule_ids: tuple[str, ...]
    """Rules in the evidence, in the order of the text; none where the classifier was alone."""
    given_stance: str | None
    given_sub_label: str | None
    text: str | None = None
    """Only where texts were kept; NOT_SHOWN where the post has to do with minors."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; `text` is there only where texts were kept."""
        out = {name: getattr(self, name) for name in self.__slots__}
        out["rule_ids"] = list(self.rule_ids)
        if self.text is None:
            del out["text"]
        return out


def worst_errors(decisions: Decisions, most: int) -> list[WorstError]:
    """Return for each policy the worst false alarms, then the worst misses.

    False alarms go by action and score, the strongest first; misses by score, the lowest first;
    what is equal by input and line.

    Args:
        decisions: what the engine decided.
        most: of each policy and kind, how many.
    """
    found: list[WorstError] = []
    order = np.arange(len(decisions))
    for column in range(len(POLICIES)):
        labels, scores = decisions.labels[:, column], decisions.scores[:, column]
        actions = decisions.actions[:, column]
        alarms = order[(labels == 0) & (actions > 0)]
        alarms = alarms[np.lexsort((alarms, -scores[alarms], -actions[alarms]))]
        missed = order[(labels == 1) & (actions == 0)]
        missed = missed[np.lexsort((missed, scores[missed]))]
        for kind, posts in ((FALSE_ALARM, alarms), (MISSED, missed)):
            found += [_error(decisions, column, kind, post) for post in posts[:most].tolist()]
    return found


def _error(decisions: Decisions, column: int, kind: str, post: int) -> WorstError:
    policy = POLICIES[column]
    labels = decisions.found.get(post, ())
    label = next((x for x in labels if x.label == policy), None)
    rules = [e.rule_id for e in label.evidence if e.rule_id is not None] if label else []
    source, line = decisions.places[post]
    return WorstError(
        policy,
        kind,
        storable(decisions.ids[post]),
        storable(source),
        line,
        LANGUAGES[decisions.languages[post]],
        float(decisions.scores[post, column]),
        ACTIONS[decisions.actions[post, column]],
        label.stance if label else None,
        label.sub_label if label else None,
        tuple(dict.fromkeys(rules)),
        decisions.gold_stances[post],
        decisions.gold_sub_labels[post],
        _text(decisions, post),
    )


def _text(decisions: Decisions, post: int) -> str | None:
    if not decisions.texts:
        return None
    given = decisions.gold_sub_labels[post]
    if given == UNSHOWN_SUB_LABEL or is_unshown(decisions.found.get(post, ())):
        return NOT_SHOWN
    return storable(decisions.texts[post])
