"""HTML: text that stays text, in the two languages of a page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from moderation.scan.json_line import storable
from moderation.scan.report.words import LANGUAGE_TAGS, words
from moderation.scan.table import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["count", "post_text", "said", "scroll_box", "share", "table_head", "text"]

_LEAST_SHARE: Final = 0.0005


def text(value: str) -> str:
    """Return text as HTML, with what would hide or turn it written as an escape."""
    return escape(visible(storable(value)))


def post_text(value: str) -> str:
    """Return a part of a post as HTML: as `text`, but with its line breaks."""
    return "\n".join(text(line) for line in value.split("\n"))


def said(key: str, **values: str) -> str:
    """Return words of the page in both languages, of which the style sheet shows one.

    Args:
        key: of `words`.
        values: for the places in them; HTML.
    """
    return "".join(
        f'<span class="{name}" lang="{tag}">{escape(words(name)[key]).format(**values)}</span>'
        for name, tag in LANGUAGE_TAGS.items()
    )


def count(number: int) -> str:
    """Return a number for people."""
    return f"{number:,}"


def share(part: int, whole: int) -> str:
    """Return a share for people: never 0 % of something, nor 100 % of less than all."""
    if not whole:
        return "–"
    value = part / whole
    if part and value < _LEAST_SHARE:
        return "&lt;0.1%"
    if part < whole and value > 1 - _LEAST_SHARE:
        return "&gt;99.9%"
    return f"{value:.1%}"


def table_head(cells: Iterable[tuple[str, str]]) -> str:
    """Return the head of a table.

    Args:
        cells: class and HTML of each column's name.
    """
    columns = "".join(
        f'<th scope="col" class="{kind}">{name}</th>' if kind else f'<th scope="col">{name}</th>'
        for kind, name in cells
    )
    return f"<thead><tr>{columns}</tr></thead>"


def scroll_box(labelled_by: str, content: str) -> str:
    """Return a box that scrolls sideways, also by keyboard.

    Args:
        labelled_by: id of the heading that says what is inside.
        content: HTML.
    """
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{labelled_by}">'
        f"{content}</div>"
    )
