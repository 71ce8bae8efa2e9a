"""Posts in batches, and what the rules alone say of them, window by window as in a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.errors import RecordError, ShardError
from moderation.rules import LEVELS
from moderation.rules.stance import is_innocent, resolve_stance
from moderation.scan import Rejection
from moderation.scan.fields import record_id
from moderation.scan.plain import BATCH_CODEPOINTS
from moderation.scan.rows import UNREADABLE_INPUT, Gap
from moderation.scan.runner import read_rows
from moderation.text import TextBatch, windows
from moderation.types import UNSHOWN_SUB_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moderation.rules import Findings, Rule, RuleMatch, Ruleset
    from moderation.scan import ScanOptions, Source

__all__ = [
    "DEFAULT_LEVEL",
    "by_post",
    "catches",
    "is_excused",
    "is_unshown",
    "post_batches",
    "read_posts",
]

DEFAULT_LEVEL: Final = "medium"
"""From this level on a rule's match sends a post to review."""


def post_batches(
    sources: Sequence[Source],
    options: ScanOptions,
    reject: Callable[[Rejection], None],
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield ids and texts of the posts that a scan of the same inputs would score.

    Args:
        sources: inputs that `resolve_sources` has checked.
        options: how to read. A post without an id gets its input and line as one.
        reject: told of every record and input that is left out.
    """
    ids: list[str] = []
    texts: list[str] = []
    size = 0
    for source in sources:
        line = 0
        try:
            for line, record in read_rows(source, options):
                if isinstance(record, Gap):
                    reject(Rejection.of_gap(source.name, line, record))
                    continue
                if isinstance(record, RecordError):
                    reject(Rejection(source.name, line, None, record.reason, record.detail))
                    continue
                data_id = record_id(record, options.id_field)
                try:
                    text, _ = options.fields.text(record)
                except RecordError as error:
                    reject(Rejection(source.name, line, data_id, error.reason, error.detail))
                    continue
                if texts and size + len(text) > BATCH_CODEPOINTS:
                    yield ids, texts
                    ids, texts, size = [], [], 0
                ids.append(f"{source.name}:{line}" if data_id is None else data_id)
                texts.append(text)
                size += len(text)
                if len(texts) >= options.batch_size:
                    yield ids, texts
                    ids, texts, size = [], [], 0
        except ShardError as error:
            at = line + 1 if line else None
            reject(Rejection(source.name, at, None, UNREADABLE_INPUT, str(error)))
    if texts:
        yield ids, texts


def read_posts(
    ruleset: Ruleset,
    texts: Sequence[str],
    part_read: Callable[[list[int], TextBatch], None] | None = None,
) -> Iterator[tuple[int, Findings]]:
    """Yield what the rules say of posts: for each post, in order, its windows' findings.

    As in a scan, contexts and cues are looked for only where a policy rule has fired.

    Args:
        ruleset: the rules.
        texts: the posts.
        part_read: told of every batch of windows that was read, and of the posts they belong to.
    """
    batch = TextBatch.from_strings(texts)
    cuts = windows.cut(batch)
    for where, part in windows.parts(batch, cuts):
        wanted = np.zeros(len(part), np.bool_)
        found = ruleset.evaluate(part, wanted, every_cue=False, cut=cuts.cut(batch, where))
        posts = cuts.post[where].tolist()
        if part_read is not None:
            part_read(posts, part)
        yield from zip(posts, found, strict=True)


def by_post(found: Iterator[tuple[int, Findings]]) -> Iterator[tuple[int, list[Findings]]]:
    """Gather what `read_posts` yields by post."""
    current = -1
    windows: list[Findings] = []
    for post, findings in found:
        if post != current and windows:
            yield current, windows
            windows = []
        current = post
        windows.append(findings)
    if windows:
        yield current, windows


def catches(findings: Findings, policy: str, level: str = DEFAULT_LEVEL) -> list[RuleMatch]:
    """Return a policy's matches of at least a level."""
    least = LEVELS.index(level)
    return [
        match
        for match in findings.matches
        if match.rule.policy == policy
        and match.level is not None
        and LEVELS.index(match.level) >= least
    ]


def is_excused(findings: Findings, policy: str) -> bool:
    """Say whether a post's stance towards a policy is innocent, whatever its words."""
    return is_innocent(resolve_stance(findings, policy))


def is_unshown(rule: Rule) -> bool:
    """Say whether what a rule looks for, and finds, is never printed."""
    return rule.sub_label == UNSHOWN_SUB_LABEL or ".minors" in rule.id
