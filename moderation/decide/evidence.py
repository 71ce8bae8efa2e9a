"""Evidence: spans on the original text, from rules and from the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text import TextBatch
from moderation.text.fold import CLASS_DIGIT, CLASS_WORD, FOLD_KINDS
from moderation.types import POLICIES, Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.classifier import Model
    from moderation.rules import Hit, RuleMatch
    from moderation.text import FoldTable
    from moderation.types import Label

__all__ = ["locate_model_evidence", "rule_evidence"]

MAX_PER_RULE: Final = 8
"""Stretches that a rule gives a post, or each window of a long one."""
_SPAN: Final = 32
"""Code points of a window in which the classifier is asked again, to say where it looked."""
_STEP: Final = 20


def rule_evidence(
    matches: Sequence[RuleMatch], original: NDArray[np.uint32], table: FoldTable
) -> list[Evidence]:
    """Return the spans of the rules that fired on a post, cues left out.

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
    return sorted(found, key=lambda e: (e.start, e.end, e.rule_id or ""))


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


def locate_model_evidence(
    batch: TextBatch, model: Model, table: FoldTable, labels: dict[int, list[Label]]
) -> None:
    """Give labels that only the classifier found the stretch of text that speaks most for them.

    The post is cut into short overlapping stretches, each is scored by itself, and the highest one
    becomes the evidence. Labels are replaced in place; those with evidence stay as they are.
    """
    wanted = [
        (post, number)
        for post, found in sorted(labels.items())
        for number, label in enumerate(found)
        if not label.evidence
    ]
    posts = list(dict.fromkeys(post for post, _ in wanted))
    if not posts:
        return
    starts, texts, owner = [], [], []
    for post in posts:
        text = batch.text(post)
        last = max(len(text) - _SPAN, 0)
        for start in [*range(0, last, _STEP), last]:
            starts.append(start)
            texts.append(text[start : start + _SPAN])
            owner.append(post)
    logits = model.raw_logits(table.base(TextBatch.from_strings(texts)))
    owners, origins = np.array(owner), np.array(starts)
    for post, number in wanted:
        label = labels[post][number]
        rows = np.flatnonzero(owners == post)
        best = rows[int(np.argmax(logits[rows, POLICIES.index(label.label)]))]
        start = int(origins[best])
        span = Evidence(start, start + len(texts[best]), None, "model")
        labels[post][number] = label.with_evidence((span,))
