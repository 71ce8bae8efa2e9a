"""The page of the report: HTML in which every value is text and nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moderation.evaluation.evaluation import ALL, NO_LABEL
from moderation.evaluation.figures import CALIBRATION_BINS
from moderation.evaluation.report_plots import LEAST_POSITIVES
from moderation.evaluation.report_style import STYLE
from moderation.scan.report.html import text
from moderation.types import ACTIONS, POLICIES, STANCES, SUB_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from moderation.evaluation.evaluation import Evaluation, GroupFigures
    from moderation.evaluation.worst import WorstError

__all__ = ["GENERATOR", "page"]

GENERATOR: Final = '<meta name="generator" content="moderate eval">'
"""Stands in every page, so that a page of somebody else's is not overwritten."""
_POLICY: Final = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
_PLOTS: Final = ("curve", "reliability", "scores")
_HEADLINE: Final = ("average_precision", "f1", "precision", "recall", "flagged_innocent")
_COLUMNS: Final = (
    *("average_precision", "f1", "precision", "recall", "block_precision", "block_recall"),
    *("flagged_innocent", "blocked_innocent", "calibration_error", "brier"),
)
_PERCENT: Final = ("flagged_innocent", "blocked_innocent")


def page(
    evaluation: Evaluation,
    plots: Mapping[str, tuple[int, int]],
    said: Mapping[str, str],
    language: str,
    notes: Sequence[str],
) -> str:
    """Return the page.

    Args:
        evaluation: what to show.
        plots: width and height in CSS pixels of each image, by its name without extension.
        said: words.
        language: of the words.
        notes: to be shown at the top.
    """
    policies = [p for p in POLICIES if any(g.policy == p for g in evaluation.groups)]
    parts = [
        *_head(evaluation, policies, said, language, notes),
        *_summary(evaluation, said),
        *(line for policy in policies for line in _policy(evaluation, policy, plots, said)),
        *_stances(evaluation, said),
        *_sub_labels(evaluation, said),
        *_worst(evaluation, policies, said),
        *_provenance(evaluation, said),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _head(
    evaluation: Evaluation,
    policies: Sequence[str],
    said: Mapping[str, str],
    language: str,
    notes: Sequence[str],
) -> Iterator[str]:
    about = evaluation.provenance
    yield "<!doctype html>"
    yield f'<html lang="{"zh-Hans" if language == "zh" else "en"}">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield GENERATOR
    yield '<link rel="icon" href="data:,">'
    yield f"<title>{text(said['title'])}</title><style>{STYLE}</style></head>"
    yield f'<body><a class="skip" href="#summary">{text(said["skip"])}</a>'
    yield f"<header><h1>{text(said['title'])}</h1>"
    yield (
        f'<p class="soft">{about["posts"]:,} {text(said["posts"])} · <code>'
        f"{text(about['model'])}</code> · {text(about['region'])}</p>"
    )
    told = list(notes)
    if about["classifier_only"]:
        told.append(said["classifier_only"])
    if about["rejected"]:
        told.append(said["rejected"].format(rejected=f"{about['rejected']:,}"))
    yield from (f'<p class="notice">{text(note)}</p>' for note in told)
    links = [("summary", said["summary"]), *((p, said[p]) for p in policies)]
    links += [(key, said[key]) for key in ("stances", "sub_labels") if getattr(evaluation, key)]
    links += [(key, said[key]) for key in ("worst", "provenance")]
    items = "".join(f'<li><a href="#{key}">{text(name)}</a></li>' for key, name in links)
    yield f'<nav aria-label="{text(said["contents"])}"><ul>{items}</ul></nav></header><main>'


def _summary(evaluation: Evaluation, said: Mapping[str, str]) -> Iterator[str]:
    about = evaluation.provenance
    yield f'<section id="summary"><h2>{text(said["summary"])}</h2>'
    groups = [group for group in evaluation.groups if group.language == ALL]
    yield from _figures(groups, "policy", _HEADLINE, said)
    if about["resamples"]:
        note = said["intervals"].format(resamples=f"{about['resamples']:,}", seed=about["seed"])
        yield f'<p class="soft">{text(note)}</p>'
    yield "</section>"


def _policy(
    evaluation: Evaluation,
    policy: str,
    plots: Mapping[str, tuple[int, int]],
    said: Mapping[str, str],
) -> Iterator[str]:
    yield f'<section id="{policy}"><h2>{text(said[policy])}</h2>'
    drawn = [kind for kind in _PLOTS if f"{policy}-{kind}" in plots]
    for kind in drawn:
        width, height = plots[f"{policy}-{kind}"]
        alt = text(said[f"{kind}_alt"].format(policy=said[policy]))
        note = said[f"{kind}_note"].format(least=LEAST_POSITIVES, bins=CALIBRATION_BINS)
        name = f"{policy}-{kind}"
        yield f"<h3>{text(said[kind])}</h3>{_scroll(f'{said[policy]}: {said[kind]}')}"
        yield (
            f'<figure><picture><source media="(prefers-color-scheme: dark)" '
            f'srcset="{name}-dark.svg"><img src="{name}.svg" width="{width}" height="{height}" '
            f'alt="{alt}"></picture></figure></div><p class="soft">{text(note)}</p>'
        )
    if not drawn:
        yield f"<p>{text(said['no_plots'])}</p>"
    yield f"<h3>{text(said['figures'])}</h3>"
    groups = [group for group in evaluation.groups if group.policy == policy]
    yield from _figures(groups, "language", _COLUMNS, said)
    yield "</section>"


def _figures(
    groups: Iterable[GroupFigures], by: str, columns: Sequence[str], said: Mapping[str, str]
) -> Iterator[str]:
    heads = [said[by], said["posts"], said["positives"], *(said[name] for name in columns)]
    yield f"{_scroll(said['figures'])}<table><thead><tr>{_heads(heads)}</tr></thead><tbody>"
    for group in groups:
        total = ' class="total"' if by == "language" and group.language == ALL else ""
        cells = f"<td>{group.posts:,}</td><td>{group.positives:,}</td>"
        cells += "".join(f"<td>{_figure(group, name)}</td>" for name in columns)
        name = text(said[getattr(group, by)])
        yield f'<tr{total}><th scope="row">{name}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _figure(group: GroupFigures, name: str) -> str:
    value = group.values[name]
    if value != value:
        return "–"

    def shown(number: float) -> str:
        return f"{number:.2%}" if name in _PERCENT else f"{number:.3f}"

    low, high = group.intervals.get(name, (value, value))
    interval = f"<small>{shown(low)}–{shown(high)}</small>" if name in group.intervals else ""
    return shown(value) + interval


def _stances(evaluation: Evaluation, said: Mapping[str, str]) -> Iterator[str]:
    if evaluation.stances:
        yield f'<section id="stances"><h2>{text(said["stances"])}</h2>'
        yield f'<p class="soft">{text(said["stances_note"])}</p>'
        yield from _confusion(evaluation.stances, said["stances"], (*STANCES, NO_LABEL), said)
        yield "</section>"


def _sub_labels(evaluation: Evaluation, said: Mapping[str, str]) -> Iterator[str]:
    if not evaluation.sub_labels:
        return
    yield f'<section id="sub_labels"><h2>{text(said["sub_labels"])}</h2>'
    yield f'<p class="soft">{text(said["sub_labels_note"])}</p>'
    for policy, names in SUB_LABELS.items():
        rows = [row for row in evaluation.sub_labels if row[0] in names]
        if rows:
            title = f"{said[policy]}: {said['sub_labels']}"
            yield f"<h3>{text(said[policy])}</h3>"
            yield from _confusion(rows, title, (*names, "none", NO_LABEL), said)
    yield "</section>"


def _confusion(
    rows: Sequence[tuple[str, str, str, int]],
    title: str,
    order: Sequence[str],
    said: Mapping[str, str],
) -> Iterator[str]:
    counts = {(given, found, action): count for given, found, action, count in rows}
    columns = [name for name in order if any(row[1] == name for row in rows)]
    heads = [f"{said['given']} \\ {said['found']}", *columns, said["posts"]]
    yield f"{_scroll(title)}<table><thead><tr>{_heads(heads)}</tr></thead><tbody>"
    for given in (name for name in order if any(row[0] == name for row in rows)):
        total = sum(row[3] for row in rows if row[0] == given)
        cells = []
        for found in columns:
            by_action = [counts.get((given, found, action), 0) for action in ACTIONS]
            inside = sum(by_action)
            split = " / ".join(map(str, by_action))
            cells.append(
                f'<td class="heat" style="--share:{inside / total:.3f}">{inside:,}'
                f"<small>{split}</small></td>"
                if inside
                else "<td></td>"
            )
        yield f'<tr><th scope="row">{text(given)}</th>{"".join(cells)}<td>{total:,}</td></tr>'
    yield "</tbody></table></div>"


def _worst(
    evaluation: Evaluation, policies: Sequence[str], said: Mapping[str, str]
) -> Iterator[str]:
    yield f'<section id="worst"><h2>{text(said["worst"])}</h2>'
    yield f'<p class="soft">{text(said["worst_note"])}</p>'
    title = said["worst"]
    with_text = any(error.text is not None for error in evaluation.worst)
    if with_text:
        yield f'<p class="soft">{text(said["worst_text_note"])}</p>'
    for policy in policies:
        errors = [error for error in evaluation.worst if error.policy == policy]
        yield f"<h3>{text(said[policy])}</h3>"
        if not errors:
            yield f"<p>{text(said['none_found'])}</p>"
            continue
        names = ["id", "place", "language", "score", "action", "stance", "sub_label", "rules"]
        heads = ["", *(said[name] for name in names), *([said["text"]] if with_text else [])]
        yield f"{_scroll(f'{said[policy]}: {title}')}<table>"
        yield f"<thead><tr>{_heads(heads, words=True)}</tr></thead><tbody>"
        yield from (_error(error, said, with_text=with_text) for error in errors)
        yield "</tbody></table></div>"
    yield "</section>"


def _error(error: WorstError, said: Mapping[str, str], *, with_text: bool) -> str:
    rules = "<br>".join(f"<code>{text(rule)}</code>" for rule in error.rule_ids) or "–"
    cells = [
        f"<code>{text(error.id)}</code>",
        f"<code>{text(error.source)}:{error.line}</code>",
        text(said[error.language]),
        f"{error.score:.4f}",
        text(error.action),
        _both(error.stance, error.given_stance),
        _both(error.sub_label, error.given_sub_label),
        rules,
    ]
    if with_text:
        shown = text(error.text or "")
        summary = f"<summary>{text(said['show'])}</summary>"
        cells.append(f'<details>{summary}<p dir="auto">{shown}</p></details>')
    row = "".join(f'<td class="words">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row">{text(said[error.kind])}</th>{row}</tr>'


def _both(found: str | None, given: str | None) -> str:
    return text(found or "–") + (f" ({text(given)})" if given else "")


def _provenance(evaluation: Evaluation, said: Mapping[str, str]) -> Iterator[str]:
    yield f'<section id="provenance"><h2>{text(said["provenance"])}</h2><dl>'
    for key, value in evaluation.provenance.items():
        listed = value if isinstance(value, list) else [value]
        shown = ", ".join("–" if item is None else str(item) for item in listed)
        yield f"<dt><code>{text(key)}</code></dt><dd><code>{text(shown)}</code></dd>"
    yield "</dl></section>"


def _heads(names: Iterable[str], *, words: bool = False) -> str:
    kind = ' class="words"' if words else ""
    return "".join(f'<th scope="col"{kind}>{text(name)}</th>' for name in names)


def _scroll(label: str) -> str:
    """Return a box that scrolls sideways, also by keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}">'
