"""Sections about posts: policies, languages, sub-labels, stances, scores, trend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moderation.scan.report.aggregate import SCORE_BINS
from moderation.scan.report.charts import BAR_WIDTH, bar, histogram, trend_chart
from moderation.scan.report.html import count, said, scroll_box, share, table_head, text
from moderation.types import (
    ACTIONS,
    INNOCENT_STANCES,
    LANGUAGES,
    POLICIES,
    STANCES,
    VIOLATING_STANCES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from moderation.scan.report.aggregate import Totals
    from moderation.scan.report.trend import Trend

__all__ = [
    "STRONGEST_FIRST",
    "action_cells",
    "action_heads",
    "languages",
    "policies",
    "scores",
    "section_head",
    "stances",
    "sub_labels",
    "trend_section",
]

STRONGEST_FIRST: Final = tuple(reversed(ACTIONS))
_NARROW_BAR: Final = 100
_SMALL_BAR: Final = 56


def section_head(key: str, note: str | None = None) -> str:
    """Return the start of a section: its heading, which charts name, and what it shows."""
    shown = said(f"{key}_note") if note is None else note
    return f'<section id="{key}"><h2 id="{key}-name">{said(key)}</h2><p class="note">{shown}</p>'


def action_heads() -> list[tuple[str, str]]:
    """Return the heads of the columns that `action_cells` fills."""
    dots = [("", f'<span class="key dot-{a}">{said(a)}</span>') for a in STRONGEST_FIRST]
    return [("bars", ""), *dots]


def action_cells(by_action: Mapping[str, int], most: int, width: int = BAR_WIDTH) -> str:
    """Return a bar of actions and a figure for each."""
    parts = [(action, by_action[action]) for action in STRONGEST_FIRST]
    figures = "".join(_figure(number) for _, number in parts)
    return f'<td class="bars">{bar(parts, most, width)}</td>{figures}'


def _figure(number: int) -> str:
    return f"<td>{count(number)}</td>" if number else '<td class="zero">0</td>'


def policies(totals: Totals) -> Iterator[str]:
    """Yield labels by policy and action."""
    yield section_head("policies")
    rows = {p: {a: totals.policies[p, a] for a in ACTIONS} for p in POLICIES}
    sums = {policy: sum(row.values()) for policy, row in rows.items()}
    most = max(*sums.values(), 1)
    body = "".join(
        f'<tr><th scope="row">{said(p)}</th>{action_cells(rows[p], most, _NARROW_BAR)}'
        f"<td>{count(sums[p])}</td><td>{share(sums[p], totals.posts)}</td></tr>"
        for p in POLICIES
    )
    head = [("", said("policy")), *action_heads(), ("", said("labels")), ("", said("share"))]
    yield scroll_box("policies-name", f"<table>{table_head(head)}<tbody>{body}</tbody></table>")
    yield "</section>"


def languages(totals: Totals) -> Iterator[str]:
    """Yield posts by language and action."""
    yield section_head("languages")
    body = ""
    for name in LANGUAGES:
        row = {action: totals.actions[action, name] for action in ACTIONS}
        posts = sum(row.values())
        body += (
            f'<tr><th scope="row">{said(name)}</th>{action_cells(row, max(posts, 1), _NARROW_BAR)}'
            f"<td>{count(posts)}</td><td>{share(posts, totals.posts)}</td></tr>"
        )
    head = [("", said("language")), *action_heads(), ("", said("posts")), ("", said("share"))]
    yield scroll_box("languages-name", f"<table>{table_head(head)}<tbody>{body}</tbody></table>")
    yield "</section>"


def sub_labels(totals: Totals) -> Iterator[str]:
    """Yield labels by sub-label and action."""
    yield section_head("sub_labels")
    rows: dict[tuple[str, str | None], dict[str, int]] = {}
    for (policy, name, action), number in totals.sub_labels.counts.items():
        rows.setdefault((policy, name), dict.fromkeys(ACTIONS, 0))[action] = number
    order = sorted(rows, key=lambda x: (POLICIES.index(x[0]), -sum(rows[x].values()), x[1] or "~"))
    most = max((sum(row.values()) for row in rows.values()), default=1)
    body = ""
    for policy, name in order:
        row = rows[policy, name]
        shown = f"<code>{text(name)}</code>" if name else f"{said(policy)}: {said('model_alone')}"
        body += (
            f'<tr><th scope="row">{shown}</th>{action_cells(row, most, _NARROW_BAR)}'
            f"<td>{count(sum(row.values()))}</td></tr>"
        )
    head = [("", said("sub_label")), *action_heads(), ("", said("labels"))]
    yield scroll_box("sub_labels-name", f"<table>{table_head(head)}<tbody>{body}</tbody></table>")
    yield "</section>"


def stances(totals: Totals) -> Iterator[str]:
    """Yield labels by stance and policy."""
    yield section_head("stances")
    most = max([totals.stances[p, s] for p in POLICIES for s in STANCES] + [1])
    body = ""
    for kind, names, colour in (
        ("violating", VIOLATING_STANCES, "block"),
        ("innocent", INNOCENT_STANCES, "calm"),
    ):
        body += (
            f'<tr class="group"><th scope="rowgroup" colspan="{1 + 2 * len(POLICIES)}">'
            f"{said(kind)}</th></tr>"
        )
        for name in names:
            cells = "".join(
                f'<td class="words">{bar([(colour, totals.stances[p, name])], most, _SMALL_BAR)}'
                f"</td>{_figure(totals.stances[p, name])}"
                for p in POLICIES
            )
            body += f'<tr><th scope="row">{said(name)}</th>{cells}</tr>'
    columns = "".join(f'<th scope="col" colspan="2">{said(policy)}</th>' for policy in POLICIES)
    head = f'<thead><tr><th scope="col">{said("stance")}</th>{columns}</tr></thead>'
    yield scroll_box("stances-name", f"<table>{head}<tbody>{body}</tbody></table>")
    yield "</section>"


def scores(totals: Totals) -> Iterator[str]:
    """Yield the distributions of scores."""
    yield section_head("scores")
    yield '<div class="panels">'
    for policy, bins in totals.scores.items():
        points = {
            kind: totals.thresholds[policy, kind]
            for kind in ("review", "block")
            if (policy, kind) in totals.thresholds
        }
        heading = f"scores-{policy}-name"
        yield f'<div><h3 id="{heading}">{said(policy)}</h3>'
        chart = histogram([sum(each.values()) for each in bins], points, heading)
        yield scroll_box(heading, chart) + "</div>"
    yield f"</div><details><summary>{said('figures')}</summary>"
    for policy, bins in totals.scores.items():
        head = [("", said("score")), ("", said("posts"))]
        head += [("", said(action)) for action in STRONGEST_FIRST]
        head += [("", said("no_label"))]
        body = ""
        for number, each in enumerate(bins):
            low, high = number / SCORE_BINS, (number + 1) / SCORE_BINS
            cells = "".join(_figure(each[key]) for key in (*STRONGEST_FIRST, ""))
            body += (
                f'<tr><th scope="row">{low:.2f}–{high:.2f}</th>'
                f"<td>{count(sum(each.values()))}</td>{cells}</tr>"
            )
        yield f'<h3 id="bins-{policy}-name">{said(policy)}</h3>'
        table = f"<table>{table_head(head)}<tbody>{body}</tbody></table>"
        yield scroll_box(f"bins-{policy}-name", table)
    yield "</details></section>"


def trend_section(trend: Trend) -> Iterator[str]:
    """Yield posts over time."""
    unit, buckets, before = trend.drawn()
    yield section_head("trend", said("trend_note", unit=said(f"unit_{unit}")) if buckets else "")
    if before:
        yield f'<p class="note">{said("trend_before", count=count(before))}</p>'
    if buckets:
        yield scroll_box("trend-name", trend_chart(trend, "trend-name"))
        yield f"<details><summary>{said('figures')}</summary>"
        yield scroll_box("trend-name", _trend_table(unit, buckets)) + "</details>"
    else:
        yield f"<p>{said('empty')}</p>"
    yield "</section>"


def _trend_table(unit: str, buckets: Sequence[tuple[datetime, list[int]]]) -> str:
    form = "%Y-%m-%d %H:%M" if unit == "hour" else "%Y-%m-%d"
    head = [("", said("time")), ("", said("posts"))]
    head += [("", said(action)) for action in STRONGEST_FIRST]
    head += [("", said("trend_flagged", policy=said(policy))) for policy in POLICIES]
    body = ""
    for at, counts in buckets:
        by_action, flagged = counts[: len(ACTIONS)], counts[len(ACTIONS) :]
        cells = "".join(_figure(number) for number in (*reversed(by_action), *flagged))
        body += (
            f'<tr><th scope="row">{at.strftime(form)}</th>'
            f"<td>{count(sum(by_action))}</td>{cells}</tr>"
        )
    return f"<table>{table_head(head)}<tbody>{body}</tbody></table>"
