"""One JSON line from plain objects, whatever their strings hold."""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["json_line", "storable"]


def json_line(row: dict[str, Any]) -> bytes:
    r"""Return a row as JSON, UTF-8, with its line break.

    UTF-8 has no form for a lone surrogate, and orjson refuses it; such a row is written in ASCII,
    the surrogate as \ud800.
    """
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n"


def storable(text: str) -> str:
    """Return a text that UTF-8 can hold: each lone surrogate becomes one U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
