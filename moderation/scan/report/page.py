"""The page: one HTML file in which every value is text and nothing runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moderation.scan.report.charts import bar
from moderation.scan.report.html import count, said, share, text
from moderation.scan.report.rule_sections import disguises, pairs, rules, samples
from moderation.scan.report.sections import (
    languages,
    policies,
    scores,
    stances,
    sub_labels,
    trend_section,
)
from moderation.scan.report.style import STYLE, content_policy
from moderation.scan.report.words import LANGUAGE_TAGS, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moderation.scan.report.aggregate import Totals
    from moderation.scan.report.sample import Samples
    from moderation.scan.report.trend import Trend

__all__ = ["Report", "page"]

_GENERATOR: Final = '<meta name="generator" content="moderate report">'
_WHOLE_WIDTH: Final = 1100
_ACTIONS: Final = (("block", "blocked"), ("review", "reviewed"), ("pass", "passed"))
_COMMANDS: Final = {
    "sample": "<code>moderate sample</code>",
    "eval": "<code>moderate eval</code>",
    "calibrate": "<code>moderate calibrate</code>",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a page says.

    Attributes:
        totals: the counts.
        samples: posts by rule.
        trend: posts over time; None where no time field was named.
        inputs, posts: names of the verdict and post files, as given.
        with_text: whether any verdict came with its post's text.
        reveal: whether evidence is shown.
        rejected: rows that are no verdicts.
        unposted: verdicts without a post, joined by id.
        unjudged: posts without a verdict, joined by id.
        engine: name and version of the package.
        top: how many rules are listed.
    """

    totals: Totals
    samples: Samples
    trend: Trend | None
    inputs: Sequence[str]
    posts: Sequence[str]
    with_text: bool
    reveal: bool
    rejected: int
    unposted: int
    unjudged: int
    engine: str
    top: int


def page(report: Report, language: str) -> str:
    """Return the page.

    Args:
        report: what it says.
        language: one of `words.PAGE_LANGUAGES`, in which it opens; it has both.
    """
    totals = report.totals
    sections: list[str] = list(_overview(report))
    if totals.posts:
        if report.trend is not None:
            sections += trend_section(report.trend)
        sections += ['<div class="pair">', *policies(totals), *languages(totals), "</div>"]
        sections += ['<div class="pair">', *sub_labels(totals), *stances(totals), "</div>"]
        sections += scores(totals)
        sections += rules(totals, report.top)
        sections += disguises(totals)
        sections += pairs(totals)
        sections += samples(report.samples, totals, report.top, reveal=report.reveal,
                            with_text=report.with_text)  # fmt: skip
    parts = [*_head(report, language), *sections, *_about(report), "</main></body></html>"]
    return "\n".join(parts) + "\n"


def _head(report: Report, language: str) -> Iterator[str]:
    said_in = words(language)
    yield "<!doctype html>"
    yield f'<html lang="{LANGUAGE_TAGS[language]}" class="default-{language}">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{content_policy()}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield _GENERATOR
    yield '<link rel="icon" href="data:,">'
    yield f"<title>{text(said_in['title'])}</title>"
    yield f"<style>{STYLE}</style></head>"
    yield f'<body><a class="skip" href="#overview">{said("skip")}</a>'
    yield f'<header><div class="top"><div><h1>{said("title")}</h1>'
    totals = report.totals
    regions = ", ".join(totals.regions.ranked()) or "–"
    yield (
        f'<p class="soft">{count(totals.posts)} {said("posts")} · {said("region")} '
        f"<code>{text(regions)}</code></p></div>"
    )
    yield '<div class="switches">'
    names = {
        name: f'<span lang="{tag}">{words(name)["language_name"]}</span>'
        for name, tag in LANGUAGE_TAGS.items()
    }
    yield _switch("language", names, language)
    themes = {name: said(f"theme_{name}") for name in ("auto", "light", "dark")}
    yield _switch("theme", themes, "auto")
    yield "</div></div>"
    keys = ["overview"]
    if totals.posts:
        keys += ["trend"] if report.trend is not None else []
        keys += ["policies", "languages", "sub_labels", "stances", "scores", "rules"]
        keys += ["disguises"] if totals.transforms.counts else []
        keys += ["pairs", "samples"]
    links = "".join(f'<li><a href="#{key}">{said(key)}</a></li>' for key in [*keys, "about"])
    yield '<nav aria-labelledby="contents-name">'
    yield f'<span class="hidden" id="contents-name">{said("contents")}</span>'
    yield f"<ul>{links}</ul></nav></header><main>"


def _switch(kind: str, choices: dict[str, str], chosen: str) -> str:
    """Return radio buttons that the style sheet looks at; their names are HTML."""
    buttons = "".join(
        f'<input type="radio" name="{kind}" id="{kind}-{key}"{" checked" * (key == chosen)}>'
        f'<label for="{kind}-{key}">{name}</label>'
        for key, name in choices.items()
    )
    legend = said(f"{kind}_switch")
    return f'<fieldset><legend class="hidden">{legend}</legend>{buttons}</fieldset>'


def _overview(report: Report) -> Iterator[str]:
    totals = report.totals
    yield f'<section id="overview"><h2 id="overview-name">{said("overview")}</h2>'
    if totals.posts:
        by_action = totals.by_action()
        yield '<dl class="tiles">'
        yield (
            f'<div class="all"><dt>{said("posts_read")}</dt><dd>{count(totals.posts)}</dd></div>'
        )
        for action, name in _ACTIONS:
            number = by_action[action]
            yield (
                f'<div class="dot-{action}"><dt>{said(name)}</dt><dd>{count(number)} '
                f"<small>{share(number, totals.posts)}</small></dd></div>"
            )
        parts = [(action, by_action[action]) for action, _ in _ACTIONS]
        whole = bar(parts, totals.posts, _WHOLE_WIDTH)
        whole = whole.replace("<svg ", '<svg preserveAspectRatio="none" ', 1)
        yield f'</dl><div class="whole">{whole}</div>'
    else:
        yield f"<p>{said('empty')}</p>"
    yield from _notices(report)
    yield "</section>"


def _notices(report: Report) -> Iterator[str]:
    totals = report.totals
    yield f'<p class="notice">{said("calibration", **_COMMANDS)}</p>'
    untimed = report.trend.unread if report.trend is not None else 0
    told = (
        ("notice_rejected", report.rejected),
        ("notice_error", totals.with_error),
        ("notice_unposted", report.unposted),
        ("notice_unjudged", report.unjudged),
        ("notice_untimed", untimed),
        ("notice_beyond", totals.beyond_rules + totals.pairs.beyond),
    )
    for key, number in told:
        if number:
            yield f'<p class="notice warning">{said(key, count=count(number))}</p>'
    if any(len(each.counts) > 1 for each in (totals.regions, totals.bundles, totals.models)):
        yield f'<p class="notice warning">{said("notice_mixed")}</p>'


def _about(report: Report) -> Iterator[str]:
    totals = report.totals
    yield f'<section id="about"><h2>{said("about")}</h2><dl class="about">'
    named: list[tuple[str, Sequence[str]]] = [
        ("about_inputs", report.inputs),
        ("about_posts", report.posts),
        ("about_regions", totals.regions.ranked()),
        ("about_models", totals.models.ranked()),
        ("about_bundles", totals.bundles.ranked()),
        ("about_rows", [count(totals.posts)]),
        ("about_rejected", [count(report.rejected)]),
        ("about_engine", [report.engine]),
    ]
    for key, values in named:
        if values:
            shown = "<br>".join(f"<code><bdi>{text(value)}</bdi></code>" for value in values)
            yield f"<dt>{said(key)}</dt><dd>{shown}</dd>"
    yield "</dl></section>"
