"""Verdicts as JSON lines, written in bulk: their lines are alike but for ids, scores and labels."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import chain, product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from moderation.decide.json_labels import label_arrays
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS, SCORE_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.decide.verdicts import Verdicts

__all__ = ["json_line", "json_lines"]

_STEPS: Final = 10**SCORE_DECIMALS
_START: Final = b'{"data_id":'
_BEFORE_LABELS: Final = b'},"labels":'
_KEYS: Final = (*(f',"{policy}":'.encode() for policy in POLICIES[1:]), b"")


def json_line(row: dict[str, Any]) -> bytes:
    r"""Return a row as JSON, UTF-8, with its line break.

    UTF-8 has no form for a lone surrogate, and orjson refuses it; such a row is written in ASCII,
    the surrogate as \ud800.
    """
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n"


def json_lines(verdicts: Verdicts) -> bytes:
    """Return verdicts as JSON lines: the bytes of `json_line` of each, one after the other."""
    posts = len(verdicts)
    if not posts:
        return b""
    numbers = np.rint(verdicts.scores * _STEPS).astype(np.int64)
    alike = ((numbers / _STEPS) == verdicts.scores).all(axis=1)
    alike &= ((numbers >= 0) & (numbers <= _STEPS)).all(axis=1)
    alike[list(verdicts.errors)] = False
    ids, odd = _ids(verdicts.data_ids, posts)
    alike[odd] = False
    kinds = verdicts.actions.astype(np.int64) * len(RISK_LEVELS) + verdicts.risks
    ends = _tails(verdicts)
    tails = _objects([_BEFORE_LABELS + b"[]" + end for end in ends])[verdicts.tiers].tolist()
    for post, labels in label_arrays(verdicts.labels):
        if labels is None:
            alike[post] = False
        else:
            tails[post] = b"%b%b%b" % (_BEFORE_LABELS, labels, ends[verdicts.tiers[post]])
    columns = [
        [_START] * posts,
        ids,
        _heads()[kinds * len(LANGUAGES) + verdicts.languages].tolist(),
        *_scores(np.where(alike, numbers.T, 0)),
        tails,
    ]
    for post in np.flatnonzero(~alike).tolist():
        for column in columns:
            column[post] = b""
        columns[0][post] = json_line(verdicts[post].to_dict())
    return b"".join(chain.from_iterable(zip(*columns, strict=True)))


def _ids(ids: Sequence[str | None] | None, posts: int) -> tuple[list[bytes], list[int]]:
    """Return ids as JSON, and the posts whose id has no form in UTF-8."""
    if ids is None:
        return [b"null"] * posts, []
    found: list[bytes] = []
    odd: list[int] = []
    for post, data_id in enumerate(ids):
        try:
            found.append(orjson.dumps(data_id))
        except TypeError:
            found.append(b"")
            odd.append(post)
    return found, odd


def _objects(values: Sequence[bytes]) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = values
    return found


@lru_cache(maxsize=1)
def _heads() -> NDArray[np.object_]:
    """Return by action, risk level and language what stands between id and scores of a post."""
    return _objects(
        [
            f',"action":"{action}","risk_level":"{risk}","language":"{language}",'
            f'"category_scores":{{"{POLICIES[0]}":'.encode()
            for action, risk, language in product(ACTIONS, RISK_LEVELS, LANGUAGES)
        ]
    )


def _scores(numbers: NDArray[np.int64]) -> list[list[bytes]]:
    """Return scores as JSON, with the key of the next one behind them.

    Args:
        numbers: shape (policies, posts), in steps from 0 to 1.
    """
    table, written = _written_scores()
    missing = np.unique(numbers[~written[numbers]])
    for number in missing.tolist():
        score = orjson.dumps(number / _STEPS)
        for column, key in zip(table, _KEYS, strict=True):
            column[number] = score + key
    written[missing] = True
    return [column[number].tolist() for column, number in zip(table, numbers, strict=True)]


@lru_cache(maxsize=1)
def _written_scores() -> tuple[list[NDArray[np.object_]], NDArray[np.bool_]]:
    """Return for each policy the scores that were written before, and which those are."""
    return [np.empty(_STEPS + 1, object) for _ in POLICIES], np.zeros(_STEPS + 1, np.bool_)


def _tails(verdicts: Verdicts) -> list[bytes]:
    """Return by tier what stands behind the labels of a post."""
    rest = {"policy": verdicts.policy.to_dict(), "model": verdicts.model}
    tails = [orjson.dumps(rest | {"tier": tier, "error": None})[1:] for tier in verdicts.tier_names]
    return [b"," + tail + b"\n" for tail in tails]
