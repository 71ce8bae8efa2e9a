"""Evidence: spans on the original text, from rules and from the classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.decide.labels import MODEL, NONE, POLICY, POST
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
    wanted = labels.labels[bare][:, (POST, POLICY)].tolist()
    starts: list[int] = []
    rows: dict[int, tuple[int, int, range]] = {}
    for post in dict.fromkeys(post for post, _ in wanted):
        origin, stop = batch.offsets[post : post + 2].tolist()
        last, begin = stop - _SPAN, len(starts)
        if last > origin:  # a post as short as one stretch is the stretch
            starts += [*range(origin, last, _STEP), last]
        rows[post] = (origin, stop, range(begin, len(starts)))
    logits = model.raw_logits(_stretches(base, np.array(starts))) if starts else None
    added = []
    for post, policy in wanted:
        origin, stop, own = rows[post]
        start, end = 0, stop - origin
        if logits is not None and own:
            start = starts[own[int(np.argmax(logits[own.start : own.stop, policy]))]] - origin
            end = start + _SPAN
        added.append((start, end, NONE, MODEL, 0, NONE))
    return replace(
        labels,
        bounds=labels.bounds + np.searchsorted(bare, np.arange(len(labels.bounds))),
        spans=np.insert(labels.spans, labels.bounds[bare], np.array(added, np.int32), axis=0),
    )


def _stretches(base: View, starts: NDArray[np.int64]) -> View:
    """Return stretches of the posts, by where they begin as written, as posts of their own."""
    first = np.searchsorted(base.source, starts)
    counts = np.searchsorted(base.source, starts + _SPAN) - first
    offsets = np.concatenate(([0], np.cumsum(counts)))
    places = np.repeat(first - offsets[:-1], counts) + np.arange(offsets[-1])
    nowhere = np.zeros(0, np.int64)  # the classifier does not ask where the text comes from
    return View(base.name, base.codepoints[places], offsets, nowhere, nowhere, nowhere, nowhere)
