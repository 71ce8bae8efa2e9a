"""Charts: SVG drawn by hand, coloured by the page's style sheet, numbers in plain text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from moderation.scan.report.html import text
from moderation.scan.report.words import LANGUAGE_TAGS, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moderation.scan.report.trend import Trend

__all__ = ["BAR_WIDTH", "bar", "histogram", "matrix", "trend_chart"]

BAR_WIDTH: Final = 220
_BAR_HEIGHT: Final = 12
_GAP: Final = 2
_SHADES: Final = 5
"""Steps of a heat map; each is a class of the style sheet."""


def bar(parts: Sequence[tuple[str, int]], most: int, width: int = BAR_WIDTH) -> str:
    """Return a stacked bar for the cell of a table, whose other cells say the same in figures.

    Args:
        parts: class and size of each part; what is not nothing is at least one pixel wide.
        most: the size that fills the width.
        width: in pixels.
    """
    shown = [(kind, size) for kind, size in parts if size]
    room = width - _GAP * max(len(shown) - 1, 0)
    drawn = []
    x = 0.0
    for kind, size in shown:
        wide = max(size / most * room, 1.0)
        drawn.append(
            f'<rect class="{kind}" x="{x:.1f}" y="0" width="{wide:.1f}" height="{_BAR_HEIGHT}" '
            'rx="1.5"/>'
        )
        x += wide + _GAP
    return (
        f'<svg class="bar" width="{width}" height="{_BAR_HEIGHT}" viewBox="0 0 {width} '
        f'{_BAR_HEIGHT}" aria-hidden="true">{"".join(drawn)}</svg>'
    )


def histogram(
    bins: Sequence[int], thresholds: Mapping[str, tuple[float, float]], labelled_by: str
) -> str:
    """Return posts by score on a logarithmic scale, with the operating points that decided.

    Args:
        bins: posts, in bins of equal width from 0 to 1.
        thresholds: lowest and highest operating point, of "review" and "block".
        labelled_by: id of the heading.
    """
    left, top, wide, high = 52, 34, 268, 150
    decades = max(math.ceil(math.log10(max(*bins, 2))), 1)
    scale = high / (decades + 0.15)
    floor = top + high

    def y(number: float) -> float:
        # A post alone still has a bar: the scale begins a little below 1.
        return floor - (math.log10(number) + 0.15) * scale if number else floor

    drawn = []
    for decade in range(decades + 1):
        at = y(10**decade)
        drawn.append(_line("grid", left, at, left + wide, at))
        drawn.append(_number(f"{10**decade:,}", left - 6, at + 4, "end"))
    step = wide / len(bins)
    for kind, (low, highest) in thresholds.items():
        x, end = left + low * wide, left + highest * wide
        if end > x:
            drawn.append(
                f'<rect class="zone {kind}" x="{x:.1f}" y="{top}" width="{end - x:.1f}" '
                f'height="{high}"/>'
            )
        drawn += [_line(f"point {kind}", at, top, at, floor) for at in dict.fromkeys((x, end))]
    for number, posts in enumerate(bins):
        if posts:
            at = y(posts)
            low, up = number / len(bins), (number + 1) / len(bins)
            drawn.append(
                f'<rect class="column" x="{left + number * step + 1:.1f}" y="{at:.1f}" '
                f'width="{step - 2:.1f}" height="{floor - at:.1f}">'
                f"<title>{low:.2f}–{up:.2f}: {posts:,}</title></rect>"
            )
    drawn.append(_line("axis", left, floor, left + wide, floor))
    drawn += [
        _number(f"{tick:g}", left + tick * wide, floor + 16, "middle")
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    drawn += _threshold_names(thresholds, left, wide, top)
    return _svg(left + wide + 12, floor + 24, drawn, labelled_by)


def _threshold_names(
    thresholds: Mapping[str, tuple[float, float]], left: float, wide: float, top: float
) -> list[str]:
    """Write what the zones are above them, to the left of each so that they do not meet."""
    drawn = []
    for kind, (low, high) in thresholds.items():
        figure = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f}–{high:.2f}"
        x = left + (low + high) / 2 * wide
        row = top - 20 if kind == "review" else top - 5
        anchor = "end" if x > left + wide / 2 else "start"
        drawn.append(_words(f"at_{kind}", x, row, anchor, f"mark {kind}", figure=figure))
    return drawn


def matrix(
    names: Sequence[str], counts: Mapping[tuple[str, str], int], posts: Mapping[str, int],
    labelled_by: str,
) -> str:  # fmt: skip
    """Return how often rules meet in one post, below the diagonal, shaded by their overlap.

    Args:
        names: rules, at least two.
        counts: posts in which both of two have evidence.
        posts: posts of each.
        labelled_by: id of the heading.
    """
    cell, left, top = 34, 232, 22
    drawn = []
    size = len(names)
    for row, name in enumerate(names):
        at = top + row * cell + cell / 2 + 4
        drawn.append(_number(str(row + 1), 22, at, "end"))
        drawn.append(_label(_cut(name, 29), 30, at))
        if row < size - 1:
            drawn.append(_number(str(row + 1), left + row * cell + cell / 2, top - 8, "middle"))
        for column in range(row):
            other = names[column]
            both = counts.get((min(name, other), max(name, other)), 0)
            overlap = both / (posts[name] + posts[other] - both) if both else 0.0
            # At least the lightest shade where there is anything.
            shade = min(int(overlap * _SHADES * 2) + 1, _SHADES) if both else 0
            x, y = left + column * cell, top + row * cell
            title = f"{name} + {other}: {both:,} ({overlap:.0%})"
            drawn.append(
                f'<rect class="cell shade{shade}" x="{x + 1}" y="{y + 1}" width="{cell - 2}" '
                f'height="{cell - 2}" rx="3"><title>{text(title)}</title></rect>'
            )
            if both:
                kind = "on-shade" if shade > 2 else ""
                drawn.append(
                    f'<text class="{kind}" x="{x + cell / 2}" y="{y + cell / 2 + 4}" '
                    f'text-anchor="middle">{_short(both)}</text>'
                )
    return _svg(left + (size - 1) * cell + 8, top + size * cell + 6, drawn, labelled_by)


def trend_chart(trend: Trend, labelled_by: str) -> str:
    """Return posts over time, and below it the share that was reviewed or blocked."""
    unit, buckets, _ = trend.drawn()
    left, wide, high, between = 56, 980, 100, 34
    most = _round_up(max(sum(counts[:3]) for _, counts in buckets))
    shares = [(c[1] + c[2]) / max(sum(c[:3]), 1) for _, c in buckets]
    top_share = _round_share(max(shares))
    step = wide / len(buckets)
    upper, lower = 24 + high, 24 + high + between + high
    drawn = [_words("trend_posts", left, 14, "start", "mark"),
             _words("trend_share", left, upper + between - 10, "start", "mark")]  # fmt: skip
    for part in (0.0, 0.5, 1.0):
        for floor, shown in ((upper, f"{most * part:,.0f}"), (lower, f"{top_share * part:.3%}")):
            y = floor - part * high
            drawn.append(_line("grid" if part else "axis", left, y, left + wide, y))
            drawn.append(_number(_trimmed(shown), left - 6, y + 4, "end"))
    form = {"hour": "%Y-%m-%d %H:00", "month": "%Y-%m", "year": "%Y"}.get(unit, "%Y-%m-%d")
    for number, (at, counts) in enumerate(buckets):
        posts = sum(counts[:3])
        if not posts:
            continue
        x, width = left + number * step + 0.5, max(step - 1.5, 1)
        name = _moment(at, form)
        title = f"{name}: {posts:,}"
        drawn.append(_column("column", x, upper, width, posts / most * high, title))
        y = float(lower)
        for kind, size in (("block", counts[2]), ("review", counts[1])):
            if size:
                tall = size / posts / top_share * high
                title = f"{name}: {size:,} / {posts:,} ({size / posts:.1%})"
                drawn.append(_column(kind, x, y, width, tall, title))
                y -= tall
    every = max(math.ceil(len(buckets) / (6 if unit == "hour" else 9)), 1)
    for number, (at, _) in enumerate(buckets):
        if number % every == 0:
            x = left + (number + 0.5) * step
            anchor = "start" if number == 0 else "middle"
            drawn.append(_number(_moment(at, form), left if number == 0 else x, lower + 17, anchor))
    return _svg(left + wide + 40, lower + 26, drawn, labelled_by)


def _moment(at: object, form: str) -> str:
    return format(at, form)


def _column(kind: str, x: float, floor: float, width: float, height: float, title: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{floor - height:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}"><title>{text(title)}</title></rect>'
    )


def _round_up(number: int) -> int:
    """Return the next number that halves into a round one."""
    if number <= 2:
        return 2
    power = int("1" + "0" * (len(str(number)) - 1))
    steps = (1, 2, 4, 6, 8, 10) if power > 1 else (2, 4, 6, 8, 10)
    return next(power * step for step in steps if power * step >= number)


def _round_share(value: float) -> float:
    steps = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    return next(step for step in steps if step >= value or step == 1.0)


def _trimmed(shown: str) -> str:
    """Return a percentage without zeros behind the point."""
    if not shown.endswith("%"):
        return shown
    return shown[:-1].rstrip("0").rstrip(".") + "%"


def _short(number: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size * 10:
            return f"{number / size:.0f}{unit}"
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _number(shown: str, x: float, y: float, anchor: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(shown)}</text>'


def _label(shown: str, x: float, y: float) -> str:
    return f'<text class="name" x="{x:.1f}" y="{y:.1f}">{text(shown)}</text>'


def _words(key: str, x: float, y: float, anchor: str, kind: str, **values: str) -> str:
    """Return words in both languages, of which the style sheet shows one."""
    return "".join(
        f'<text class="{kind} {name}" lang="{tag}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{text(words(name)[key].format(**values))}</text>"
        for name, tag in LANGUAGE_TAGS.items()
    )


def _svg(width: float, height: float, drawn: Sequence[str], labelled_by: str) -> str:
    return (
        f'<svg class="chart" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" role="img" aria-labelledby="{labelled_by}">{"".join(drawn)}</svg>'
    )
