"""Sample: a few posts of every rule, the same ones in whatever order the posts come."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import regex

from moderation.scan.json_line import storable
from moderation.scan.report.aggregate import rules_of
from moderation.types import is_unshown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moderation.types import Evidence, Label, Verdict

__all__ = ["Piece", "Place", "Sample", "Samples"]

_MOST_RULES: Final = 1024
_AROUND: Final = 60
"""Code points shown on each side of a stretch of evidence."""
_WHOLE: Final = 240
"""A field of so many code points or fewer is shown whole."""
_MOST_SHOWN: Final = 720
_MOST_ID: Final = 64
_CONTACT_KIND, _OTHER, _HIT = 1, 2, 3
"""Of a character: contact, evidence of another rule, evidence of the rule; 0 is plain."""
_MASK: Final = "█"
_DOT: Final = "•"
_CONTACT: Final = regex.compile(r"[\p{Latin}0-9@._/:+-]*[0-9@_/][\p{Latin}0-9@._/:+-]*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a post as it is shown."""

    text: str
    kind: str
    """plain; hit: evidence of the rule; other: that of other rules; masked-hit, masked-other: the
    same, unreadable; gap: something is left out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where evidence stands: all that is shown of a post without its text."""

    start: int
    end: int
    field: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One post of a rule."""

    data_id: str | None
    place: str
    """Where the verdict stands."""
    language: str
    action: str
    """Of the label that holds the rule's evidence, as are the three below."""
    sub_label: str | None
    stance: str
    score: float
    transforms: tuple[str, ...]
    places: tuple[Place, ...]
    fields: tuple[tuple[str | None, tuple[Piece, ...]], ...] | None
    """What is shown of each field that has evidence; None where there is no text."""
    unshown: bool
    """The post's words are never printed."""


class Samples:
    """Keeps for each rule the posts whose keys are lowest.

    The key is a hash of seed and text (without one, of the id or place), so that the choice does
    not depend on the order, and posts that many accounts repeat come once.
    """

    def __init__(self, most: int, seed: int, *, reveal: bool) -> None:
        """Keep up to `most` posts a rule.

        Args:
            most: posts a rule.
            seed: another one picks other posts.
            reveal: show evidence and contacts instead of masking them.
        """
        self._most = most
        self._seed = seed
        self._reveal = reveal
        self._kept: dict[str | None, list[tuple[bytes, int, Sample]]] = {}
        self._seen = 0

    def add(self, verdict: Verdict, place: str, texts: Mapping[str | None, str] | None) -> None:
        """Offer a post to the samples of its rules."""
        self._seen += 1
        if not verdict.labels or not self._most:
            return
        unshown = is_unshown(verdict.labels)
        key = self._key(verdict, place, None if unshown else texts)
        for label in verdict.labels:
            for rule_id in rules_of(label):
                kept = self._kept.get(rule_id)
                if kept is None:
                    if len(self._kept) >= _MOST_RULES:
                        continue
                    kept = self._kept[rule_id] = []
                if len(kept) == self._most and key >= kept[-1][0]:
                    continue
                if any(key == known for known, _, _ in kept):
                    continue
                made = self._sample(verdict, label, rule_id, place, texts, unshown=unshown)
                insort(kept, (key, self._seen, made))
                del kept[self._most :]

    def of(self, rule_id: str | None) -> list[Sample]:
        """Return the posts kept for a rule; None is the classifier alone."""
        return [sample for _, _, sample in self._kept.get(rule_id, [])]

    def _key(self, verdict: Verdict, place: str, texts: Mapping[str | None, str] | None) -> bytes:
        if texts is not None:
            what = "\x00".join(texts.values())
        else:
            what = verdict.data_id if verdict.data_id is not None else place
        salted = f"{self._seed}\x00{what}".encode("utf-8", "surrogatepass")
        return blake2b(salted, digest_size=16).digest()

    def _sample(
        self,
        verdict: Verdict,
        label: Label,
        rule_id: str | None,
        place: str,
        texts: Mapping[str | None, str] | None,
        *,
        unshown: bool,
    ) -> Sample:
        own = [e for e in label.evidence if e.rule_id == rule_id]
        data_id = verdict.data_id
        if data_id is not None and len(data_id) > _MOST_ID:
            data_id = data_id[:_MOST_ID] + "…"
        fields = None
        if texts is not None and not unshown:
            every = [e for other in verdict.labels for e in other.evidence]
            names = list(dict.fromkeys(e.field for e in own))
            fields = tuple(
                (name, _pieces(texts.get(name, ""), own, every, name, reveal=self._reveal))
                for name in names
            )
        return Sample(
            None if data_id is None else storable(data_id),
            storable(place),
            verdict.language,
            label.action,
            label.sub_label,
            label.stance,
            label.score,
            tuple(sorted({t for e in own for t in e.transforms})),
            tuple(Place(e.start, e.end, e.field) for e in own),
            fields,
            unshown,
        )


def _pieces(
    text: str,
    own: Sequence[Evidence],
    every: Sequence[Evidence],
    field: str | None,
    *,
    reveal: bool,
) -> tuple[Piece, ...]:
    """Return what is shown of a field: the stretches around the rule's evidence, marked."""
    hits = [(e.start, e.end) for e in own if e.field == field]
    shown = _windows(len(text), hits)
    kinds = bytearray(len(text))
    if not reveal:
        for found in _CONTACT.finditer(text):
            kinds[found.start() : found.end()] = bytes([_CONTACT_KIND]) * len(found.group())
    for span in sorted(every, key=lambda e: e in own):
        if span.field == field:
            start, end = min(span.start, len(text)), min(span.end, len(text))
            kinds[start:end] = bytes([_HIT if span in own else _OTHER]) * (end - start)
    out: list[Piece] = []
    last = 0
    for start, end in shown:
        if start > last:
            out.append(Piece("…", "gap"))
        at = start
        while at < end:
            stop = at + 1
            while stop < end and kinds[stop] == kinds[at]:
                stop += 1
            out.append(_piece(text[at:stop], kinds[at], reveal=reveal))
            at = stop
        last = end
    if last < len(text):
        out.append(Piece("…", "gap"))
    return tuple(out)


def _piece(text: str, kind: int, *, reveal: bool) -> Piece:
    if kind == _CONTACT_KIND:
        return Piece(_DOT * len(text), "plain")
    if kind:
        name = "hit" if kind == _HIT else "other"
        return Piece(storable(text), name) if reveal else Piece(_MASK * len(text), f"masked-{name}")
    return Piece(storable(text), "plain")


def _windows(length: int, hits: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the stretches of a field to show, apart and in order."""
    if length <= _WHOLE:
        return [(0, length)]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(hits):
        first, last = max(start - _AROUND, 0), min(end + _AROUND, length)
        if joined and first <= joined[-1][1]:
            first, before = joined.pop()
            last = max(last, before)
        joined.append((first, last))
    out: list[tuple[int, int]] = []
    room = _MOST_SHOWN
    for first, last in joined:
        if room > 0:
            out.append((first, min(last, first + room)))
        room -= last - first
    return out
