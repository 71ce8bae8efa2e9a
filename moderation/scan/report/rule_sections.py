"""Sections about rules: which fire, how words were hidden, which meet, and posts of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moderation.scan.report.charts import bar, matrix
from moderation.scan.report.html import count, post_text, said, scroll_box, share, table_head, text
from moderation.scan.report.sections import action_cells, action_heads, section_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.scan.report.aggregate import Totals
    from moderation.scan.report.sample import Piece, Sample, Samples

__all__ = ["disguises", "pairs", "rules", "samples"]

_MOST_IN_MATRIX: Final = 12
_MOST_PAIRS: Final = 9
_MOST_PLACES: Final = 8
_MARKS: Final = {
    "hit": "hit",
    "other": "other",
    "masked-hit": "hit masked",
    "masked-other": "other masked",
}
"""Class of each kind of evidence."""


def _name(rule_id: str | None) -> str:
    return said("model_alone") if rule_id is None else f"<code>{text(rule_id)}</code>"


def rules(totals: Totals, top: int) -> Iterator[str]:
    """Yield the rules with evidence in the most posts."""
    yield section_head("rules")
    listed = totals.top_rules(top)
    if not listed:
        yield f"<p>{said('no_rules')}</p></section>"
        return
    most = listed[0][1].posts
    body = "".join(
        f'<tr><th scope="row">{_name(rule_id)}</th>{action_cells(found.actions, most)}'
        f"<td>{count(found.posts)}</td><td>{share(found.posts, totals.posts)}</td>"
        f"<td>{'–' if rule_id is None else share(found.disguised, found.posts)}</td></tr>"
        for rule_id, found in listed
    )
    head = [("", said("rule")), *action_heads(), ("", said("posts")), ("", said("share"))]
    head += [("", said("disguised"))]
    yield scroll_box("rules-name", f"<table>{table_head(head)}<tbody>{body}</tbody></table>")
    if len(listed) < len(totals.rules):
        numbers = {"shown": count(len(listed)), "all": count(len(totals.rules))}
        yield f'<p class="note">{said("rules_more", **numbers)}</p>'
    yield "</section>"


def disguises(totals: Totals) -> Iterator[str]:
    """Yield how words in the evidence were hidden."""
    names = totals.transforms.ranked()
    if not names:
        return
    link = "<code>docs/verdict.md</code>"
    yield section_head("disguises", said("disguises_note", link=link))
    counts = totals.transforms.counts
    most = counts[names[0]]
    body = "".join(
        f'<tr><th scope="row"><code>{text(name)}</code></th>'
        f'<td class="bars">{bar([("one", counts[name])], most)}</td><td>{count(counts[name])}</td>'
        f"<td>{share(counts[name], totals.labelled)}</td></tr>"
        for name in names
    )
    head = [("", said("disguise")), ("bars", ""), ("", said("posts")), ("", said("share"))]
    table = f'<table class="narrow">{table_head(head)}<tbody>{body}</tbody></table>'
    yield scroll_box("disguises-name", table)
    yield "</section>"


def pairs(totals: Totals) -> Iterator[str]:
    """Yield which rules have evidence in the same posts."""
    yield section_head("pairs")
    counts = totals.pairs.counts
    posts = {rule: found.posts for rule, found in totals.rules.items() if rule is not None}
    order = [pair for pair in totals.pairs.ranked() if pair[0] in posts and pair[1] in posts]
    if not order:
        yield f"<p>{said('no_pairs')}</p></section>"
        return
    named: list[str] = []
    for pair in order:
        new = [rule for rule in pair if rule not in named]
        if len(named) + len(new) <= _MOST_IN_MATRIX:
            named += new
    yield '<div class="beside">'
    yield scroll_box("pairs-name", matrix(named, counts, posts, "pairs-name"))
    body = ""
    for first, second in order[:_MOST_PAIRS]:
        both = counts[first, second]
        union = posts[first] + posts[second] - both
        body += (
            f"<tr><td><code>{text(first)}</code><br><code>{text(second)}</code></td>"
            f"<td>{count(both)}</td><td>{share(both, union)}</td></tr>"
        )
    head = [("", said("pair")), ("", said("together")), ("", said("overlap"))]
    table = f"<table>{table_head(head)}<tbody>{body}</tbody></table>"
    yield scroll_box("pairs-name", table) + "</div></section>"


def samples(
    kept: Samples, totals: Totals, top: int, *, reveal: bool, with_text: bool
) -> Iterator[str]:
    """Yield posts of the listed rules, each rule folded away until it is opened."""
    key, option = "samples_masked", "--reveal"
    if not with_text:
        key, option = "samples_textless", "--posts"
    elif reveal:
        key = "samples_revealed"
    note = f"{said('samples_note')} {said(key, option=f'<code>{option}</code>')}"
    yield section_head("samples", note)
    if with_text:
        yield (
            f'<p class="note"><mark>{said("legend_hit")}</mark> '
            f'<mark class="other">{said("legend_other")}</mark></p>'
        )
    for rule_id, found in totals.top_rules(top):
        listed = kept.of(rule_id)
        if listed:
            yield (
                f'<details><summary>{_name(rule_id)}<span class="soft">{count(found.posts)} '
                f"{said('one_post' if found.posts == 1 else 'posts')}</span></summary>"
                '<ul class="posts">'
            )
            yield from (_sample(each) for each in listed)
            yield "</ul></details>"
    yield "</section>"


def _sample(sample: Sample) -> str:
    shown_id = "–" if sample.data_id is None else f"<code><bdi>{text(sample.data_id)}</bdi></code>"
    facts = [
        f'<span class="key dot-{sample.action}">{said(sample.action)}</span>',
        f"<span>{shown_id}</span>",
        f"<span>{said(sample.language)}</span>",
        f"<span>{said(sample.stance)}</span>",
        f"<span>{sample.score:.4f}</span>",
    ]
    if sample.sub_label is not None:
        facts.append(f"<span><code>{text(sample.sub_label)}</code></span>")
    facts += [f"<span><code>{text(name)}</code></span>" for name in sample.transforms]
    facts.append(f"<span><bdi>{text(sample.place)}</bdi></span>")
    return f'<li><p class="meta">{"".join(facts)}</p>{_body(sample)}</li>'


def _body(sample: Sample) -> str:
    if sample.fields is None:
        hidden = f"({said('not_shown')}) " if sample.unshown else ""
        places = "; ".join(
            (f"{said('in_field', field=text(p.field))} " if p.field is not None else "")
            + said("characters", **{"from": count(p.start), "to": count(p.end)})
            for p in sample.places[:_MOST_PLACES]
        )
        more = " …" if len(sample.places) > _MOST_PLACES else ""
        return f'<p class="soft">{hidden}{places}{more}</p>'
    return "".join(
        f'<p class="post" dir="auto">{_field(name)}{"".join(map(_piece, pieces))}</p>'
        for name, pieces in sample.fields
    )


def _field(name: str | None) -> str:
    return "" if name is None else f'<span class="field"><bdi>{text(name)}</bdi></span>'


def _piece(piece: Piece) -> str:
    shown = post_text(piece.text)
    if piece.kind in _MARKS:
        return f'<mark class="{_MARKS[piece.kind]}">{shown}</mark>'
    return f'<span class="gap">{shown}</span>' if piece.kind == "gap" else shown
