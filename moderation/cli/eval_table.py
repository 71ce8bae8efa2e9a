"""The tables that moderate eval prints, 100 columns wide at most."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from moderation.types import ACTIONS, STANCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.evaluation.evaluation import Evaluation, GroupFigures
    from moderation.evaluation.worst import WorstError

__all__ = ["table_lines"]

_CELL: Final = 16
_LEFT: Final = 15
_RIGHT: Final = 99
_KIND: Final = {"false_alarm": "innocent, but", "missed": "violation, but"}


def table_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of the tables, without line breaks."""
    yield from _found(evaluation.groups)
    yield ""
    yield from _blocked(evaluation.groups)
    if evaluation.stances:
        yield ""
        yield from _stances(evaluation)
    if evaluation.sub_labels:
        yield ""
        yield from _sub_labels(evaluation)
    if evaluation.worst:
        yield ""
        yield "worst errors"
        yield from (line for error in evaluation.worst for line in _worst(error))


def _found(groups: tuple[GroupFigures, ...]) -> Iterator[str]:
    yield "reviewed or blocked"
    heads = "".join(f" {head:<{_CELL}}" for head in ("AP", "F1", "precision", "recall"))
    yield f"{'policy   lang.':<{_LEFT}} {'posts':>7} {'pos.':>6}{heads}".rstrip()
    for group in groups:
        names = ("average_precision", "f1", "precision", "recall")
        cells = "".join(f" {_share(group, name):<{_CELL}}" for name in names)
        yield f"{_name(group)} {group.posts:>7} {group.positives:>6}{cells}".rstrip()


def _blocked(groups: tuple[GroupFigures, ...]) -> Iterator[str]:
    yield "blocked, innocent posts, and how far scores are probabilities"
    heads = f" {'block precision':<{_CELL}} {'block recall':<{_CELL}}"
    heads += f" {'innocents flagged':<17} {'innocents blocked':<17} {'ECE':<5} Brier"
    yield f"{'policy   lang.':<{_LEFT}}{heads}"
    for group in groups:
        cells = [f"{_share(group, name):<{_CELL}}" for name in ("block_precision", "block_recall")]
        cells += [
            f"{_percent(group, name):<17}" for name in ("flagged_innocent", "blocked_innocent")
        ]
        cells += [f"{_plain(group.values[name]):<5}" for name in ("calibration_error", "brier")]
        yield f"{_name(group)} {' '.join(cells)}".rstrip()


def _stances(evaluation: Evaluation) -> Iterator[str]:
    yield "by stance given: action of the verdict, and the stance found most often with it"
    yield f"{'stance':<11} {'posts':>6}  " + "".join(f"{action:<28}" for action in ACTIONS).rstrip()
    for given in STANCES:
        rows = [row for row in evaluation.stances if row[0] == given]
        if not rows:
            continue
        total = sum(row[3] for row in rows)
        cells = []
        for action in ACTIONS:
            inside = [row for row in rows if row[2] == action]
            count = sum(row[3] for row in inside)
            most = max(inside, key=lambda row: (row[3], row[1]), default=None)
            found = f" ({most[1]} {most[3]})" if most else ""
            cells.append(f"{f'{count}{found}':<28}")
        yield f"{given:<11} {total:>6}  {''.join(cells)}".rstrip()


def _sub_labels(evaluation: Evaluation) -> Iterator[str]:
    yield "by sub-label given: caught (reviewed or blocked), and the sub-labels found"
    yield f"{'sub-label':<22} {'posts':>6} {'caught':>6}  found"
    for given in dict.fromkeys(row[0] for row in evaluation.sub_labels):
        rows = [row for row in evaluation.sub_labels if row[0] == given]
        total = sum(row[3] for row in rows)
        caught = sum(row[3] for row in rows if row[2] != ACTIONS[0])
        counts: Counter[str] = Counter()
        for _, found, _, count in rows:
            counts[found.partition(".")[2] or found] += count
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{name} {count}" for name, count in ranked)
        line = f"{given:<22} {total:>6} {caught:>6}  {listed}"
        yield line if len(line) <= _RIGHT else f"{line[: _RIGHT - 1]}…"


def _worst(error: WorstError) -> Iterator[str]:
    from moderation.scan.table import visible

    what = f"{error.policy}: {_KIND[error.kind]} {error.action} at {error.score:.4f}"
    notes = [error.language, f"stance {error.stance}" if error.stance else "no label"]
    yield f"{what} ({', '.join(notes)}): {visible(error.id)}"
    if error.rule_ids:
        yield from _wrapped(error.rule_ids)
    if error.text is not None:
        yield f"    {visible(error.text)}"


def _wrapped(rule_ids: tuple[str, ...]) -> Iterator[str]:
    line = "   "
    for rule_id in rule_ids:
        if len(line) + 1 + len(rule_id) > _RIGHT and line.strip():
            yield line
            line = "   "
        line += f" {rule_id}"
    yield line


def _name(group: GroupFigures) -> str:
    return f"{group.policy:<8} {group.language:<6}"


def _share(group: GroupFigures, name: str) -> str:
    value = _plain(group.values[name])
    if name not in group.intervals:
        return value
    low, high = group.intervals[name]
    return f"{value:<4} [{_plain(low)} {_plain(high)}]"


def _plain(value: float) -> str:
    """Return three digits in four columns: .912, 1.00."""
    if value != value:
        return "-"
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else "1.00"


def _percent(group: GroupFigures, name: str) -> str:
    value = group.values[name]
    if value != value:
        return "-"
    if name not in group.intervals:
        return f"{_hundredths(value)}%"
    low, high = group.intervals[name]
    return f"{_hundredths(value)}% [{_hundredths(low)} {_hundredths(high)}]"


def _hundredths(share: float) -> str:
    """Return per cent in four columns: 0.12, 12.3, 100."""
    percent = 100 * share
    return f"{percent:.2f}" if percent < 9.995 else f"{percent:.1f}" if percent < 99.95 else "100"
