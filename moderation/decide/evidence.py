"""Evidence: spans on the original text, from rules and from the classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.decide.labels import END, KIND, MODEL, NONE, POLICY, POST, START, TRANSFORMS
from moderation.text import View
from moderation.text.fold import CLASS_DIGIT, CLASS_WORD, FOLD_KINDS
from moderation.types import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.decide.labels import LabelTable
    from moderation.rules import Hit, RuleMatch
    from moderation.text import FoldTable, TextBatch

__all__ = ["MAX_EVIDENCE", "rule_evidence", "with_model_evidence"]

MAX_PER_RULE: Final = 8
"""Stretches that a rule gives a post, or each window of a long one."""
MAX_EVIDENCE: Final = 64
"""Spans a label carries at most: the first ones. A book of a post needs no ten thousand."""
_SPAN: Final = 32
"""Code points of a window in which the classifier is asked again, to say where it looked."""
_STEP: Final = 20


def rule_evidence(
    matches: Sequence[RuleMatch], original: NDArray[np.uint32], table: FoldTable
) -> tuple[Evidence, ...]:
    """Return the first spans of the rules that fired on a post, cues left out.

    Args:
        matches: rules that fired, of one policy.
        original: the post's code points.
        table: the fold table, to name the folds each span needed.
    """
    found: list[Evidence] = []
    for match in matches:
        hits = [hit for hit in match.hits if not hit.cue]
        found += [
            Evidence(
                hit.start,
                hit.end,
                match.rule.id,
                hit.kind,
                _transforms(hit, original[hit.start : hit.end], table),
            )
            for hit in hits[:MAX_PER_RULE]
        ]
    ordered = sorted(found, key=lambda e: (e.start, e.end, e.rule_id or ""))
    return tuple(dict.fromkeys(ordered))[:MAX_EVIDENCE]


def _transforms(hit: Hit, span: NDArray[np.uint32], table: FoldTable) -> tuple[str, ...]:
    kinds = {FOLD_KINDS[kind] for kind in set(table.kind[span].tolist()) if kind}
    if hit.fold:
        kinds.add("order" if hit.fold == "words" else hit.fold)
    if hit.bold:
        # The compact view folds first, so classes are those of the folded characters.
        folded = table.target[span]
        codes = folded[folded < table.classes.size]
        classes = table.classes[codes].tolist()
        if not all(kind & CLASS_WORD for kind in classes):
            kinds.add("noise")
        # Two may be the term's own ("dolls"); three side by side are somebody's doing.
        before, run = -1, 0
        for code, kind in zip(codes.tolist(), classes, strict=True):
            letter = kind & CLASS_WORD and not kind & CLASS_DIGIT
            run = run + 1 if code == before and letter else 0
            if run == 2:
                kinds.add("repeat")
            before = code
    return tuple(sorted(kinds))


def with_model_evidence(
    labels: LabelTable, batch: TextBatch, base: View, model: Model
) -> LabelTable:
    """Give labels that only the classifier found the stretch of text that speaks most for them.

    The post is cut into short overlapping stretches, each is scored by itself, and the highest one
    becomes the evidence. Labels with evidence stay as they are.

    Args:
        labels: labels by post.
        batch: the posts.
        base: their base view.
        model: what is asked again.
    """
    bare = np.flatnonzero(labels.bounds[1:] == labels.bounds[:-1])
    if not len(bare):
        return labels
    about = labels.labels[bare]
    posts, own = np.unique(about[:, POST], return_inverse=True)
    origin, stop = batch.offsets[posts], batch.offsets[posts + 1]
    last = stop - _SPAN
    # A post as short as one stretch is the stretch.
    counts = np.where(last > origin, -(-(last - origin) // _STEP) + 1, 0)
    bounds = np.concatenate(([0], np.cumsum(counts)))
    steps = _STEP * (np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts))
    starts = np.minimum(np.repeat(origin, counts) + steps, np.repeat(last, counts))
    spans = np.full((len(bare), 6), NONE, np.int32)
    spans[:, START], spans[:, END] = 0, (stop - origin)[own]
    spans[:, KIND], spans[:, TRANSFORMS] = MODEL, 0
    asked = np.flatnonzero(counts[own])
    if len(asked):
        logits = model.raw_logits(_stretches(base, starts))
        of = own[asked]
        highest = _highest(logits, about[asked, POLICY], bounds[of], counts[of])
        spans[asked, START] = starts[highest] - origin[of]
        spans[asked, END] = spans[asked, START] + _SPAN
    return replace(
        labels,
        bounds=labels.bounds + np.searchsorted(bare, np.arange(len(labels.bounds))),
        spans=np.insert(labels.spans, labels.bounds[bare], spans, axis=0),
    )


def _highest(
    values: NDArray[np.float64],
    column: NDArray[np.int32],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the row, of some that follow each other, in which a column is highest; the first one.

    Args:
        values: what is compared.
        column: of each question.
        first: its first row.
        counts: how many rows, one at least.
    """
    begin = np.cumsum(counts) - counts
    rows = np.repeat(first - begin, counts) + np.arange(counts.sum())
    asked = values[rows, np.repeat(column, counts)]
    top = np.flatnonzero(asked == np.repeat(np.maximum.reduceat(asked, begin), counts))
    return rows[top[np.searchsorted(top, begin)]]


def _stretches(base: View, starts: NDArray[np.int64]) -> View:
    """Return stretches of the posts, by where they begin as written, as posts of their own."""
    first = np.searchsorted(base.source, starts)
    counts = np.searchsorted(base.source, starts + _SPAN) - first
    offsets = np.concatenate(([0], np.cumsum(counts)))
    places = np.repeat(first - offsets[:-1], counts) + np.arange(offsets[-1])
    nowhere = np.zeros(0, np.int64)  # the classifier does not ask where the text comes from
    return View(base.name, base.codepoints[places], offsets, nowhere, nowhere, nowhere, nowhere)
