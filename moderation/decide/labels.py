"""Labels of many posts as columns, with objects made on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.forms import FOLDS
from moderation.text.fold import FOLD_KINDS
from moderation.types import (
    ACTIONS,
    POLICIES,
    RISK_LEVELS,
    STANCES,
    SUB_LABELS,
    Evidence,
    Label,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from moderation.types import HitType

__all__ = [
    "ACTION",
    "END",
    "EVERY_SUB_LABEL",
    "FIELD",
    "HIT_TYPES",
    "KIND",
    "MODEL",
    "NONE",
    "NO_LABELS",
    "POLICY",
    "POST",
    "RULE",
    "SCORE",
    "SEVERITY",
    "STANCE",
    "START",
    "SUB_LABEL",
    "THRESHOLD",
    "TRANSFORMS",
    "LabelTable",
    "Names",
    "transform_bits",
]  # fmt: skip

NONE: Final = -1
"""Stands in a column for what a label or a piece of evidence does not have."""
HIT_TYPES: Final[tuple[HitType, ...]] = ("keyword", "regex", "model")
MODEL: Final = HIT_TYPES.index("model")
EVERY_SUB_LABEL: Final = tuple(name for group in SUB_LABELS.values() for name in group)

# Columns of `LabelTable.labels`.
POST: Final = 0
POLICY: Final = 1
SUB_LABEL: Final = 2
ACTION: Final = 3
STANCE: Final = 4
SEVERITY: Final = 5
# Columns of `LabelTable.numbers`.
SCORE: Final = 0
THRESHOLD: Final = 1
# Columns of `LabelTable.spans`.
START: Final = 0
END: Final = 1
RULE: Final = 2
KIND: Final = 3
TRANSFORMS: Final = 4
FIELD: Final = 5
_EVERY_TRANSFORM: Final = tuple(sorted({*FOLD_KINDS, *FOLDS, "noise", "repeat"} - {"", "words"}))
"""What evidence may name, in its order; `words` is named `order`."""


def transform_bits(*names: str) -> int:
    """Return names of transforms as a set of bits.

    Raises:
        ValueError: there is no such transform.
    """
    return sum(1 << _EVERY_TRANSFORM.index(name) for name in set(names))


@lru_cache(maxsize=1024)
def _transforms(bits: int) -> tuple[str, ...]:
    return tuple(name for at, name in enumerate(_EVERY_TRANSFORM) if bits >> at & 1)


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers of a LabelTable stand for, where no list of `moderation.types` says it."""

    rule_ids: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    transforms: tuple[tuple[str, ...], ...] | None = None
    """By number; None: the numbers are bits, as `transform_bits` returns them."""

    def evidence(
        self, start: int, end: int, rule: int, kind: int, transforms: int, where: int
    ) -> Evidence:
        """Return a row of `LabelTable.spans` as an object."""
        return Evidence(
            start,
            end,
            None if rule == NONE else self.rule_ids[rule],
            HIT_TYPES[kind],
            self.hidden(transforms),
            None if where == NONE else self.fields[where],
        )

    def hidden(self, number: int) -> tuple[str, ...]:
        """Return the transforms that a number stands for."""
        return _transforms(number) if self.transforms is None else self.transforms[number]


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable(Mapping[int, tuple[Label, ...]]):
    """Labels by post, only for posts that have any; posts ascend.

    Attributes:
        names: what the numbers stand for.
        labels: int32, shape (labels, 6): post, index into POLICIES, into EVERY_SUB_LABEL or NONE,
            into ACTIONS, into STANCES, and severity as an index into RISK_LEVELS or NONE.
        numbers: float64, shape (labels, 2): score and threshold.
        bounds: int64, shape (labels + 1,): the evidence of label i are the rows from `bounds[i]`
            to `bounds[i + 1]` of `spans`.
        spans: int32, shape (spans, 6): start, end, number of the rule or NONE, index into
            HIT_TYPES, transforms, and number of the field or NONE.
    """

    names: Names
    labels: NDArray[np.int32]
    numbers: NDArray[np.float64]
    bounds: NDArray[np.int64]
    spans: NDArray[np.int32]
    _rows: dict[int, range] = field(default_factory=dict, init=False, repr=False)
    """Rows of a post's labels, filled when one is asked for."""

    @classmethod
    def of(cls, labels: Mapping[int, Sequence[Label]], names: Names | None = None) -> LabelTable:
        """Return labels as columns.

        Args:
            labels: labels by post.
            names: what numbers stand for; other rules and fields get numbers behind those. None:
                only what is in these labels has a number.

        Raises:
            ValueError: a label says what no list of `moderation.types` holds, or evidence has a
                transform for which there is no bit.
        """
        rules: dict[str | None, int] = {None: NONE}
        fields: dict[str | None, int] = {None: NONE}
        hides: dict[tuple[str, ...], int] = {}
        if names is not None:
            rules |= {name: number for number, name in enumerate(names.rule_ids)}
            fields |= {name: number for number, name in enumerate(names.fields)}
        bits = names is not None and names.transforms is None
        rows: list[tuple[int, ...]] = []
        numbers: list[tuple[float, float]] = []
        bounds, spans = [0], []
        for post in sorted(labels):
            for label in labels[post]:
                rows.append((post, *_numbers_of(label)))
                numbers.append((label.score, label.threshold))
                for e in label.evidence:
                    kind = HIT_TYPES.index(e.hit_type)
                    rule = rules.setdefault(e.rule_id, len(rules) - 1)
                    where = fields.setdefault(e.field, len(fields) - 1)
                    hidden = hides.setdefault(e.transforms, len(hides))
                    hidden = transform_bits(*e.transforms) if bits else hidden
                    spans.append((e.start, e.end, rule, kind, hidden, where))
                bounds.append(len(spans))
        return cls(
            Names(_named(rules), _named(fields), None if bits else tuple(hides)),
            np.array(rows, np.int32).reshape(-1, 6),
            np.array(numbers, np.float64).reshape(-1, 2),
            np.array(bounds, np.int64),
            np.array(spans, np.int32).reshape(-1, 6),
        )

    def __getitem__(self, post: int) -> tuple[Label, ...]:
        return tuple([self._label(row) for row in self._places()[post]])

    def __iter__(self) -> Iterator[int]:
        return iter(self._places())

    def __len__(self) -> int:
        return len(self._places())

    def __contains__(self, post: object) -> bool:
        return post in self._places()

    def get(  # type: ignore[override]
        self, post: int, default: tuple[Label, ...] = ()
    ) -> tuple[Label, ...]:
        """Return the labels of a post; none where it has none."""
        return self[post] if post in self._places() else default

    @classmethod
    def joined(cls, tables: Sequence[LabelTable]) -> LabelTable:
        """Return the labels of tables that have the same names one after the other, copied."""
        starts = np.cumsum([0, *(len(table.spans) for table in tables)])
        ends = [t.bounds[1:] + start for t, start in zip(tables, starts[:-1], strict=True)]
        return cls(
            tables[0].names,
            np.concatenate([table.labels for table in tables]),
            np.concatenate([table.numbers for table in tables]),
            np.concatenate([[0], *ends]),
            np.concatenate([table.spans for table in tables]),
        )

    @property
    def risks(self) -> NDArray[np.int32]:
        """int32, shape (labels,): the risk level that each calls for, an index into RISK_LEVELS."""
        actions, severities = self.labels[:, ACTION], self.labels[:, SEVERITY]
        return np.where((severities != NONE) & (actions > 0), severities, actions + 1)

    def made(self, rows: NDArray[np.int64]) -> list[Label]:
        """Return some of the labels as objects, in the order given."""
        return [self._label(row) for row in rows.tolist()]

    def take(self, rows: NDArray[np.int64]) -> LabelTable:
        """Return some of the labels, in the order given."""
        first, counts = self.bounds[rows], np.diff(self.bounds)[rows]
        bounds = np.concatenate(([0], np.cumsum(counts)))
        spans = np.repeat(first - bounds[:-1], counts) + np.arange(bounds[-1])
        return LabelTable(
            self.names, self.labels[rows], self.numbers[rows], bounds, self.spans[spans]
        )

    def _places(self) -> dict[int, range]:
        if not self._rows and len(self.labels):
            posts = self.labels[:, POST]
            first = np.flatnonzero(np.diff(posts, prepend=NONE)).tolist()
            ends = [*first[1:], len(posts)]
            found = map(range, first, ends)
            self._rows.update(zip(posts[first].tolist(), found, strict=True))
        return self._rows

    def _label(self, row: int) -> Label:
        _, policy, sub_label, action, stance, severity = self.labels[row].tolist()
        spans = self.spans[self.bounds[row] : self.bounds[row + 1]].tolist()
        return Label(
            POLICIES[policy],
            None if sub_label == NONE else EVERY_SUB_LABEL[sub_label],
            ACTIONS[action],
            float(self.numbers[row, SCORE]),
            float(self.numbers[row, THRESHOLD]),
            STANCES[stance],
            tuple([self.names.evidence(*span) for span in spans]),
            None if severity == NONE else RISK_LEVELS[severity],
        )


def _named(numbers: dict[str | None, int]) -> tuple[str, ...]:
    return tuple(name for name in numbers if name is not None)


def _numbers_of(label: Label) -> tuple[int, int, int, int, int]:
    return (
        POLICIES.index(label.label),
        NONE if label.sub_label is None else EVERY_SUB_LABEL.index(label.sub_label),
        ACTIONS.index(label.action),
        STANCES.index(label.stance),
        NONE if label.severity is None else RISK_LEVELS.index(label.severity),
    )


NO_LABELS: Final = LabelTable.of({})
"""The labels of posts that have none."""
