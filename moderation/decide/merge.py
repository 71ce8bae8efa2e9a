"""Merge: long posts judged in windows, and what came of these given back to the posts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.decide.decision import risk_level
from moderation.decide.evidence import MAX_EVIDENCE
from moderation.decide.labels import END, NO_LABELS, POST, START, LabelTable
from moderation.decide.run import Judged, judge
from moderation.text import windows
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moderation.decide.run import Loaded
    from moderation.text import TextBatch
    from moderation.text.windows import Windows
    from moderation.types import Label

__all__ = ["judge_windows"]

_OTHER: Final = LANGUAGES.index("other")


def judge_windows(batch: TextBatch, loaded: Loaded, *, screen: bool) -> Judged:
    """Judge a batch of any size, long posts in windows.

    Args:
        batch: the posts.
        loaded: rules, model and profile.
        screen: whether plainly innocent posts may leave by the model's screen.
    """
    if 0 < len(batch) <= windows.PART_POSTS and len(batch.codepoints) <= windows.WINDOW:
        return judge(batch, loaded, None, screen=screen)
    cuts = windows.cut(batch)
    judged = [
        (where, judge(part, loaded, cuts.cut(batch, where), screen=screen))
        for where, part in windows.parts(batch, cuts)
    ]
    if cuts.whole and len(judged) == 1:
        return judged[0][1]
    return _merged(judged, cuts, len(batch))


def _merged(judged: Sequence[tuple[slice, Judged]], cuts: Windows, posts: int) -> Judged:
    """Return what came of posts.

    Args:
        judged: what came of their windows, in order, with the slice of `cuts` each part holds.
        cuts: the windows.
        posts: how many posts there are.
    """
    scores = np.zeros((posts, len(POLICIES)))
    languages = np.full(posts, _OTHER, np.uint8)
    tiers = np.zeros(posts, np.uint8)
    late: dict[int, dict[str, None]] = {}
    for where, part in judged:
        post, start = cuts.post[where], cuts.start[where]
        first = start == 0
        languages[post[first]] = part.languages[first]
        np.maximum.at(scores, post, part.scores)
        np.maximum.at(tiers, post, part.tiers)
        for window, timeouts in part.timeouts.items():
            late.setdefault(int(post[window]), {}).update(dict.fromkeys(timeouts))
    labels = _labels([(where, part.labels) for where, part in judged if part.labels], cuts)
    return Judged(
        scores, languages, tiers, labels, {post: tuple(found) for post, found in late.items()}
    )


def _labels(tables: Sequence[tuple[slice, LabelTable]], cuts: Windows) -> LabelTable:
    """Return the labels of posts: of one whose windows have several, the stronger ones."""
    if not tables:
        return NO_LABELS
    joined = LabelTable.joined([table for _, table in tables])
    window = np.concatenate([table.labels[:, POST] + where.start for where, table in tables])
    posts = cuts.post[window]
    moved = np.repeat(cuts.start[window], np.diff(joined.bounds))
    joined.labels[:, POST] = posts
    joined.spans[:, START] += moved
    joined.spans[:, END] += moved
    owners = posts[np.diff(window, prepend=-1) != 0]
    several = np.isin(posts, owners[1:][owners[1:] == owners[:-1]])
    if not several.any():
        return joined
    (rows,) = several.nonzero()
    strongest = _strongest(zip(posts[rows].tolist(), joined.made(rows), strict=True))
    alone = joined.take(np.flatnonzero(~several))
    both = LabelTable.joined([alone, LabelTable.of(strongest, joined.names)])
    return both.take(np.argsort(both.labels[:, POST], kind="stable"))


def _strongest(found: Iterable[tuple[int, Label]]) -> dict[int, tuple[Label, ...]]:
    """Return of each post and policy the strongest label, with the evidence of all up to a limit.

    Args:
        found: posts and their windows' labels, in order.
    """
    posts: dict[int, dict[str, Label]] = {}
    for post, label in found:
        known = posts.setdefault(post, {})
        before = known.get(label.label)
        if before is None:
            known[label.label] = label
            continue
        evidence = tuple(dict.fromkeys((*before.evidence, *label.evidence)))[:MAX_EVIDENCE]
        known[label.label] = max(before, label, key=_strength).with_evidence(evidence)
    return {
        post: tuple(known[name] for name in POLICIES if name in known)
        for post, known in posts.items()
    }


def _strength(label: Label) -> tuple[int, int, float]:
    return ACTIONS.index(label.action), RISK_LEVELS.index(risk_level([label])), label.score
