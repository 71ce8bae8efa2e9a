"""Tables: verdicts for a person at a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from moderation.scan.json_line import storable
from moderation.scan.sinks import ByteSink
from moderation.types import NOT_SHOWN, POLICIES, is_unshown

if TYPE_CHECKING:
    from moderation.scan.output import Output
    from moderation.scan.sinks import Scored, SinkSpec
    from moderation.types import Evidence, Label, Verdict

__all__ = ["TableSink", "clipped", "display_width", "visible"]

_ELLIPSIS: Final = "…"
_ID_WIDTH: Final = 12
_ACTION_WIDTH: Final = 6
_LANGUAGE_WIDTH: Final = 5
_SCORE_WIDTH: Final = max(map(len, POLICIES))
_GAP: Final = "  "
_LEAST_TEXT: Final = 20
_EXCERPT: Final = 32
_EXCERPTS: Final = 4
_COLOURS: Final = {"block": "\x1b[31m", "review": "\x1b[33m", "pass": "\x1b[32m"}
_RESET: Final = "\x1b[0m"
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return text with everything a terminal would act on or hide written as an escape.

    These are control characters, bidirectional and other format characters, line separators and
    lone surrogates.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escape(character) if unicodedata.category(character) in _HIDDEN else character
        for character in text
    )


def _escape(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def display_width(text: str) -> int:
    """Return how many terminal columns a visible text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def clipped(text: str, columns: int) -> str:
    """Return a text made visible and cut to some columns, with … where it was cut."""
    shown = visible(text[: columns * 2 + 1])
    if len(text) <= columns * 2 + 1 and display_width(shown) <= columns:
        return shown
    kept: list[str] = []
    room = columns - 1
    for character in shown:
        room -= _width(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + _ELLIPSIS


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - display_width(text))


class TableSink(ByteSink):
    """One line a post, and below it one line a label."""

    def __init__(self, output: Output, spec: SinkSpec) -> None:
        super().__init__(output, spec)
        head = (
            f"{'id':<{_ID_WIDTH}}",
            f"{'action':<{_ACTION_WIDTH}}",
            f"{'lang':<{_LANGUAGE_WIDTH}}",
            *(f"{policy:>{_SCORE_WIDTH}}" for policy in POLICIES),
        )
        self._head = _GAP.join(head) + _GAP
        self._text_width = max(spec.width - len(self._head), _LEAST_TEXT)

    def begin(self) -> None:
        """Write the header."""
        rule = "-" * (len(self._head) + self._text_width)
        self._output.write(f"{self._head}post\n{rule}\n".encode())

    def encode(self, scored: Scored) -> bytes:
        """Return a batch as lines of text."""
        lines: list[str] = []
        for post, verdict in enumerate(scored.verdicts):
            hidden = is_unshown(verdict.labels)
            text = NOT_SHOWN if hidden else scored.texts[post]
            lines.append(self._line(verdict, text))
            fields = scored.fields(post)
            lines += [self._label(x, text, fields, hidden=hidden) for x in verdict.labels]
            if verdict.error is not None:
                lines.append(f"{'':<{_ID_WIDTH}}{_GAP}error: {visible(verdict.error)}")
        return storable("\n".join(lines) + "\n").encode("utf-8")

    def _line(self, verdict: Verdict, text: str) -> str:
        cells = (
            _padded(clipped(verdict.data_id or "-", _ID_WIDTH), _ID_WIDTH),
            self._coloured(verdict.action, _ACTION_WIDTH),
            f"{verdict.language:<{_LANGUAGE_WIDTH}}",
            *(f"{score:{_SCORE_WIDTH}.4f}" for score in verdict.category_scores.values()),
            clipped(text, self._text_width),
        )
        return _GAP.join(cells).rstrip()

    def _label(self, label: Label, text: str, fields: dict[str, str], *, hidden: bool) -> str:
        excerpts = list(
            dict.fromkeys(
                _place(span) if hidden else _excerpt(span, text, fields) for span in label.evidence
            )
        )
        if len(excerpts) > _EXCERPTS:
            excerpts[_EXCERPTS:] = [_ELLIPSIS]
        cells = (
            " " * _ID_WIDTH,
            self._coloured(label.action, _ACTION_WIDTH),
            f"{label.sub_label or label.label} ({label.stance}): {', '.join(excerpts)}",
        )
        return _GAP.join(cells).rstrip()

    def _coloured(self, action: str, columns: int) -> str:
        padded = f"{action:<{columns}}"
        return f"{_COLOURS[action]}{padded}{_RESET}" if self._spec.colour else padded


def _place(span: Evidence) -> str:
    place = f"{NOT_SHOWN}@{span.start}-{span.end}"
    return place if span.field is None else f"{visible(span.field)} {place}"


def _excerpt(span: Evidence, text: str, fields: dict[str, str]) -> str:
    whole = text if span.field is None else fields.get(span.field, "")
    quoted = f"“{clipped(whole[span.start : span.end], _EXCERPT)}”"
    return quoted if span.field is None else f"{visible(span.field)} {quoted}"
