"""Labels as JSON arrays, put together from parts that a batch needs again and again."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

import orjson

from moderation.decide.labels import EVERY_SUB_LABEL, NONE
from moderation.types import ACTIONS, POLICIES, STANCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.decide.labels import LabelTable

__all__ = ["label_arrays"]

_STANCES: Final = [f',"stance":"{name}","evidence":['.encode() for name in STANCES]
_START: Final = b'{"start":0,"end":0'
_ODD: Final = b""
"""Stands for evidence that orjson refuses."""


def label_arrays(table: LabelTable) -> Iterator[tuple[int, bytes | None]]:
    """Yield every post that has labels, and these as orjson writes them.

    None in their place: something in them has no form in UTF-8.
    """
    spans = _spans(table)
    columns = (table.labels, table.numbers, table.bounds[:-1], table.bounds[1:])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for post, own in groupby(rows, lambda row: row[0][0]):
        made = []
        odd = False
        for (_, policy, sub_label, action, stance, _), (score, threshold), begin, end in own:
            evidence = spans[begin:end]
            odd |= _ODD in evidence
            made.append(
                b'%b%b,"threshold":%b%b%b]}'
                % (
                    _head(policy, sub_label, action),
                    _number(score),
                    _number(threshold),
                    _STANCES[stance],
                    b",".join(evidence),
                )
            )
        yield post, None if odd else b"[%b]" % b",".join(made)


def _spans(table: LabelTable) -> list[bytes]:
    """Return every piece of evidence as JSON; `_ODD` for one that has no form in UTF-8."""
    tails: dict[tuple[int, int, int, int], bytes] = {}
    found = []
    for start, end, *about in table.spans.tolist():
        key = (about[0], about[1], about[2], about[3])
        tail = tails.get(key)
        if tail is None:
            evidence = table.names.evidence(0, 0, *key).to_dict()
            try:
                tail = orjson.dumps(evidence).removeprefix(_START)
            except TypeError:
                tail = _ODD
            tails[key] = tail
        found.append(b'{"start":%d,"end":%d%b' % (start, end, tail) if tail else _ODD)
    return found


@lru_cache(maxsize=256)
def _head(policy: int, sub_label: int, action: int) -> bytes:
    """Return what stands before a label's score."""
    name = None if sub_label == NONE else EVERY_SUB_LABEL[sub_label]
    head = {"label": POLICIES[policy], "sub_label": name, "action": ACTIONS[action]}
    return orjson.dumps(head)[:-1] + b',"score":'


@lru_cache(maxsize=1 << 14)
def _number(value: float) -> bytes:
    return orjson.dumps(value)
