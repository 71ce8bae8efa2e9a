"""One JSON line from plain objects, whatever their strings hold."""

from __future__ import annotations

from moderation.decide.json_lines import json_line

__all__ = ["json_line", "storable"]


def storable(text: str) -> str:
    """Return a text that UTF-8 can hold: each lone surrogate becomes one U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
