"""Trend: posts over time, in buckets that grow coarser when there would be too many of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from moderation.types import ACTIONS, POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moderation.types import Verdict

__all__ = ["UNITS", "Trend", "moment_of"]

UNITS: Final = ("hour", "day", "week", "month", "year")
_MOST_KEPT: Final = 1 << 14
_MOST_DRAWN: Final = 64
_MILLISECONDS_FROM: Final = 1e11
"""A number above this counts milliseconds: as seconds it would be the year 5138."""
_NOTHING: Final = (0,) * (len(ACTIONS) + len(POLICIES))
_KEPT: Final = ("hour", "day", "month", "year")
"""What is counted by: each of these lies within one of the next, which weeks do not."""


class Trend:
    """Posts by hour, or by the finest unit that keeps their number small.

    Attributes:
        unread: posts whose time is missing or no time.
        example: where the first of them stands.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self._kept = 0
        self._buckets: dict[datetime, list[int]] = {}
        self.unread = 0
        self.example = ""

    def add(self, value: object, verdict: Verdict, place: str) -> None:
        """Count a post at the time that its field says."""
        moment = moment_of(value)
        if moment is None:
            self.unread += 1
            self.example = self.example or place
            return
        key = _START[_KEPT[self._kept]](moment)
        counts = self._buckets.get(key)
        if counts is None:
            counts = self._buckets[key] = list(_NOTHING)
        counts[ACTIONS.index(verdict.action)] += 1
        for label in verdict.labels:
            if label.action != ACTIONS[0]:
                counts[len(ACTIONS) + POLICIES.index(label.label)] += 1
        while len(self._buckets) > _MOST_KEPT and self._kept + 1 < len(_KEPT):
            self._kept += 1
            self._buckets = _joined(self._buckets, _KEPT[self._kept])

    def drawn(self) -> tuple[str, list[tuple[datetime, list[int]]], int]:
        """Return what a chart shows.

        Returns:
            The unit; each of its buckets from the first to the last, also empty ones, with posts by
            action and then posts reviewed or blocked by policy; and how many posts lie before the
            first bucket, where even years are too many.
        """
        unit, joined = UNITS[-1], self._buckets
        dates = all(at == _day(at) for at in self._buckets)
        for unit in UNITS[max(UNITS.index(_KEPT[self._kept]), int(dates)) :]:
            joined = _joined(self._buckets, unit)
            span = _span(joined, unit)
            if len(span) <= _MOST_DRAWN:
                return unit, [(at, joined.get(at, list(_NOTHING))) for at in span], 0
        filled = sorted(joined.items())
        before = sum(sum(counts[: len(ACTIONS)]) for _, counts in filled[:-_MOST_DRAWN])
        return unit, filled[-_MOST_DRAWN:], before


def _joined(buckets: Mapping[datetime, list[int]], unit: str) -> dict[datetime, list[int]]:
    start = _START[unit]
    out: dict[datetime, list[int]] = {}
    for at, counts in buckets.items():
        known = out.setdefault(start(at), list(_NOTHING))
        known[:] = [a + b for a, b in zip(known, counts, strict=True)]
    return out


def _span(buckets: Mapping[datetime, list[int]], unit: str) -> list[datetime]:
    """Return every bucket from the first to the last, but few more than are drawn."""
    if not buckets:
        return []
    at, last = min(buckets), max(buckets)
    out = [at]
    while at < last and len(out) <= _MOST_DRAWN:
        at = _next(at, unit)
        out.append(at)
    return out


def moment_of(value: object) -> datetime | None:
    """Return the time that a field holds, without a zone, in UTC; None where it holds none.

    Args:
        value: ISO 8601 (without a zone it is UTC), seconds or milliseconds since 1970 as a number
            or in digits, or what Parquet and Arrow give for dates and timestamps.
    """
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, OSError):
        return None
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        text = value.strip()
        if not _is_number(text):
            return datetime.fromisoformat(text)
        # Eight digits are a date, as in 20260131; ISO 8601 has that form.
        value = text if len(text) == len("20260131") else float(text)
        if isinstance(value, str):
            return datetime.fromisoformat(value)
    if isinstance(value, int | float):
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        return datetime(1970, 1, 1) + timedelta(seconds=seconds)
    return None


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


_START: Final[dict[str, Callable[[datetime], datetime]]] = {
    "hour": lambda at: at.replace(minute=0, second=0, microsecond=0),
    "day": _day,
    # The first of all days is a Monday, so that no week begins before it.
    "week": lambda at: _day(at) - timedelta(days=at.weekday()),
    "month": lambda at: _day(at).replace(day=1),
    "year": lambda at: _day(at).replace(month=1, day=1),
}


def _next(at: datetime, unit: str) -> datetime:
    """Return the start of the next bucket; the last one that a calendar has is its own next."""
    try:
        if unit == "hour":
            return at + timedelta(hours=1)
        if unit == "year":
            return at.replace(year=at.year + 1)
        if unit == "month":
            return (at + timedelta(days=31)).replace(day=1)
        return at + timedelta(days=7 if unit == "week" else 1)
    except (ValueError, OverflowError):
        return datetime.max
