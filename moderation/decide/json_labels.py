"""Labels as JSON arrays, put together from parts that a batch needs again and again."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from moderation.decide.labels import (
    ACTION,
    EVERY_SUB_LABEL,
    NONE,
    POLICY,
    POST,
    STANCE,
    SUB_LABEL,
)
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
    posts = table.labels[:, POST]
    if not len(posts):
        return
    spans = _spans(table)
    bounds = table.bounds.tolist()
    scores = table.numbers.tolist()
    numbers = {value: orjson.dumps(value) for value in set(chain.from_iterable(scores))}
    made = [
        b'%b%b,"threshold":%b%b%b]}'
        % (
            _head(policy, sub_label, action),
            numbers[score],
            numbers[threshold],
            _STANCES[stance],
            b",".join(spans[begin:end]),
        )
        for (policy, sub_label, action, stance), (score, threshold), (begin, end) in zip(
            table.labels[:, (POLICY, SUB_LABEL, ACTION, STANCE)].tolist(),
            scores,
            pairwise(bounds),
            strict=True,
        )
    ]
    odd = _ODD in spans
    first = np.flatnonzero(np.diff(posts, prepend=NONE))
    for post, (begin, end) in zip(
        posts[first].tolist(), pairwise([*first.tolist(), len(posts)]), strict=True
    ):
        refused = odd and _ODD in spans[bounds[begin] : bounds[end]]
        yield post, None if refused else b"[%b]" % b",".join(made[begin:end])


def _spans(table: LabelTable) -> list[bytes]:
    """Return every piece of evidence as JSON; `_ODD` for one that has no form in UTF-8."""
    tails: dict[tuple[int, int, int, int], bytes] = {}
    found = []
    for start, end, rule, kind, hidden, where in table.spans.tolist():
        key = (rule, kind, hidden, where)
        if key not in tails:
            try:
                evidence = table.names.evidence(0, 0, *key).to_dict()
                tails[key] = orjson.dumps(evidence).removeprefix(_START)
            except TypeError:
                tails[key] = _ODD
        tail = tails[key]
        found.append(b'{"start":%d,"end":%d%b' % (start, end, tail) if tail else _ODD)
    return found


@lru_cache(maxsize=256)
def _head(policy: int, sub_label: int, action: int) -> bytes:
    """Return what stands before a label's score."""
    name = None if sub_label == NONE else EVERY_SUB_LABEL[sub_label]
    head = {"label": POLICIES[policy], "sub_label": name, "action": ACTIONS[action]}
    return orjson.dumps(head)[:-1] + b',"score":'
