"""Targets: what must hold whatever bytes come in. Each raises where a promise is broken."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from dataclasses import astuple, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rule_support import rule, write_rules

from moderation.decide import Verdicts
from moderation.decide.labels import LabelTable
from moderation.errors import RecordError, RuleError, ShardError
from moderation.resources import data_root
from moderation.rules import Ruleset, compile_rules
from moderation.scan import ScanOptions, Scored, Source, TextFields, open_sink, sink_spec
from moderation.scan.columnar import chosen_columns
from moderation.scan.fields import record_id
from moderation.scan.groups import cut
from moderation.scan.json_line import storable
from moderation.scan.output import Output
from moderation.scan.redact import RedactOptions, redact_verdicts
from moderation.scan.redact_files import open_copy
from moderation.scan.report import ReportOptions, make_report
from moderation.scan.rows import Gap
from moderation.scan.runner import read_rows
from moderation.scan.verdict_rows import read_verdicts, verdict_sources
from moderation.text import TextBatch, load_table
from moderation.text.native import kernel
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound
from moderation.text.spacing import unspace, unspace_reference
from moderation.types import (
    ACTIONS,
    LANGUAGES,
    POLICIES,
    RISK_LEVELS,
    STANCES,
    SUB_LABELS,
    Evidence,
    Label,
    PolicyRef,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moderation.rules import Rule
    from moderation.text import View
    from moderation.types import Diagnostic

__all__ = ["TARGETS"]

LIMIT = 512
"""Longest line, so that longer ones are common."""
COMPRESSIONS = (None, "gzip", "zstd")
FIELDS = (TextFields(), TextFields(("title", "text", "tags")))


MEMORY = Path("/dev/shm")
"""Where there is one, files stand in it: an fsync on a disk takes longer than everything else."""


@cache
def folder() -> Path:
    """Return a folder for the input files, which lasts as long as the process."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    made = tempfile.TemporaryDirectory(prefix="fuzz-", dir=place)
    KEPT.append(made)
    return Path(made.name)


KEPT: list[Any] = []


def rows_of(data: bytes, name: str, compression: str | None, fields: TextFields) -> list[Any]:
    """Return what a reader yields up to where it cannot go on; None stands for that place."""
    path = folder() / name
    path.write_bytes(data)
    options = ScanOptions(fields, max_line_bytes=LIMIT)
    found: list[Any] = []
    last = 0
    try:
        for line, row in read_rows(Source(str(path), name, compression), options):
            assert line > last, "rows are numbered upwards"
            last = line
            found.append((line, row))
            if not isinstance(row, RecordError | Gap):
                record_id(row, "id")
                try:
                    text, spans = fields.text(row)
                except RecordError:
                    continue
                assert all(0 <= s.start <= s.end <= len(text) for s in spans)
    except ShardError:
        found.append(None)
    return found


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, as any editor counts them."""
    parts = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    yield from enumerate((part.removesuffix(b"\r") for part in parts[:-1]), 1)
    if parts[-1]:
        yield len(parts), parts[-1]


def jsonl(data: bytes) -> None:
    """Every line that is not blank is one row: an object, or the reason why there is none."""
    compression = COMPRESSIONS[data[0] % 3] if data else None
    found = rows_of(data[1:], "jsonl", compression, FIELDS[len(data) % 2])
    if compression is None:
        assert None not in found
        expected = [n for n, line in lines_of(data[1:]) if line.strip() or len(line) > LIMIT]
        assert [line for line, _ in found] == expected


def csv_rows(data: bytes) -> None:
    """Nothing but a ShardError stops the reader; records without quotes are split at commas."""
    compression = COMPRESSIONS[data[0] % 3] if data else None
    content = data[1:]
    found = rows_of(content, "csv", compression, FIELDS[0])
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        return
    lines = [line for line in text.split("\n") if line]
    plain = not set(text) & {'"', "\r", "\0"} and all(len(x.encode()) < LIMIT for x in lines)
    if compression is not None or not plain or not lines:
        return
    header = [name.strip() for name in lines[0].split(",")]
    if "text" not in header or any(header.count(name) > 1 for name in ("id", "text")):
        assert found == [None]
        return
    for line, (_, row) in zip(lines[1:], found, strict=True):
        cells = line.split(",")
        if any(cells[len(header) :]):
            assert isinstance(row, RecordError)
            continue
        wanted = {name: header.index(name) for name in ("id", "text") if name in header}
        assert row == {name: cells[at] for name, at in wanted.items() if at < len(cells)}


def columnar(data: bytes, name: str) -> None:
    """Nothing but a ShardError stops the reader, and pieces of a file are read like the whole."""
    fields = FIELDS[len(data) % 2]
    whole = rows_of(data, name, None, fields)
    options = ScanOptions(fields)
    source = Source(str(folder() / name), name)
    choose = partial(chosen_columns, wanted=options.columns, texts=fields.names)
    pieces = cut(source, choose, len(data), 1, len(data))
    if not pieces:
        return
    assert sum(piece.bytes for piece in pieces) == len(data)
    if whole[-1:] == [None]:
        assert len(pieces) == 1
        return
    found = []
    for piece in pieces:
        rows = list(read_rows(replace(source, groups=piece), options))
        assert all(piece.before < line <= piece.before + piece.rows for line, _ in rows)
        found += rows
    assert list(map(repr, found)) == list(map(repr, whole))


def parquet(data: bytes) -> None:
    """See `columnar`."""
    columnar(data, "parquet")


def arrow(data: bytes) -> None:
    """See `columnar`."""
    columnar(data, "arrow")


@cache
def tables() -> tuple[Any, Any, Any]:
    rules = data_root() / "rules"
    return load_table(rules), load_sound(rules), load_shapes(rules)


def folds(data: bytes) -> None:
    """The kernel and its references fold alike, and every view's map leads back into the post."""
    posts = data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace") if (
        _decodes(data)
    ) else data.decode("utf-16-le", "replace")  # fmt: skip
    texts = posts.split("\x1e")
    table, sound, shapes = tables()
    batch = TextBatch.from_strings(texts)
    base = table.base(batch)
    compact = table.compact(base)
    views = [base, compact, shapes.view(compact, table), sound.view(base, table)]
    for view in views:
        check_map(view, texts)
    if kernel is not None:
        same(base, table.base_reference(batch))
        same(compact, table.compact_reference(base))
        for letters in (False, True):
            found = sound.view(base, table, letters=letters)
            same(found, sound.view_reference(base, table, letters=letters))
        (one, flags), (other, expected) = unspace(base, table), unspace_reference(base, table)
        same(one, other)
        assert flags.tolist() == expected.tolist()


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def check_map(view: View, texts: list[str]) -> None:
    total = sum(map(len, texts))
    assert len(view.offsets) == len(texts) + 1
    assert view.offsets[-1] == len(view.codepoints) == len(view.source) == len(view.last)
    assert ((view.source >= 0) & (view.source <= view.last) & (view.last < max(total, 1))).all()


def same(found: View, expected: View) -> None:
    assert found.name == expected.name
    for one, other in zip(astuple(found)[1:], astuple(expected)[1:], strict=True):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


@cache
def rules_folder() -> Path:
    return write_rules(folder(), rule("start", any=["teapot"]))


def rules(data: bytes) -> None:
    """A rule file compiles and can be searched with, or every problem has its place in the file."""
    path = rules_folder() / "gambling" / "fuzzed.yaml"
    path.write_bytes(data)
    try:
        compiled = compile_rules(rules_folder())
    except RuleError as error:
        check_diagnostics(error.diagnostics, data)
        return
    batch = TextBatch.from_strings(["teapot sale 小茶壶 write to us", "", "中文 two words"])
    for found in Ruleset(compiled).evaluate(batch, np.zeros(len(batch), np.bool_)):
        for match in found.matches:
            check_rule(match.rule)


def check_diagnostics(found: Sequence[Diagnostic], data: bytes) -> None:
    assert found
    # YAML counts more characters as line breaks than \n; a problem may lie past the last one.
    lines = len(data.decode("utf-8", "replace").splitlines()) + 1
    for problem in found:
        assert problem.code
        assert problem.message
        assert 0 <= problem.line <= lines + 1, (str(problem), lines)


def check_rule(known: Rule) -> None:
    assert known.id
    assert known.policy in POLICIES


class Bytes:
    """Draws values from bytes; when they run out, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """Return a number from 0 to below `below`, which is at most 256."""
        value = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return value % below

    def text(self) -> str:
        """Return a short text; any character may be in it."""
        size = self.number(24)
        part = self._data[self._at : self._at + size]
        self._at += size
        return part.decode("utf-8", "surrogateescape")


def drawn_verdicts(data: bytes) -> Scored:
    """Return a few verdicts such as an engine could make, with the posts' texts."""
    draw = Bytes(data)
    count = draw.number(4)
    texts = [draw.text() for _ in range(count)]
    labels: dict[int, tuple[Label, ...]] = {}
    for post, text in enumerate(texts):
        found = []
        for policy in POLICIES[: draw.number(4)]:
            spans = []
            for _ in range(draw.number(4)):
                start = draw.number(len(text) + 1)
                end = start + draw.number(len(text) + 1 - start)
                rule_id = None if not draw.number(4) else f"{policy}.zh.{storable(draw.text())}"
                hides = tuple(storable(draw.text()) for _ in range(draw.number(3)))
                hit = "model" if rule_id is None else "keyword"
                spans.append(Evidence(start, end, rule_id, hit, hides))  # type: ignore[arg-type]
            names = (None, *SUB_LABELS[policy])
            found.append(
                Label(
                    policy, names[draw.number(len(names))],
                    ACTIONS[draw.number(3)], draw.number(256) / 255,  # type: ignore[arg-type]
                    draw.number(256) / 255, STANCES[draw.number(len(STANCES))], tuple(spans),
                )
            )  # fmt: skip
        if found:
            labels[post] = tuple(found)
    scores = [[draw.number(256) / 255 for _ in POLICIES] for _ in range(count)]

    tiers = ("none", "screen", "fast")

    def names(known: tuple[str, ...]) -> Any:
        return np.array([draw.number(len(known)) for _ in range(count)], np.uint8)

    verdicts = Verdicts(
        np.array(scores, np.float64).reshape(count, len(POLICIES)),
        names(ACTIONS), names(RISK_LEVELS), names(LANGUAGES), LabelTable.of(labels),
        PolicyRef("cn", "sha256:00"), f"m@{draw.number(9)}", names(tiers), tiers,
        {post: "text is null" for post in range(count) if not draw.number(8)},
        [draw.text() if draw.number(5) else None for _ in range(count)],
    )  # fmt: skip
    return Scored(verdicts, texts)


def verdicts(data: bytes) -> None:
    """What is written is read back, in every format; the report on it is a page of plain text."""
    scored = drawn_verdicts(data)
    expected = [verdict.to_dict() for verdict in scored.verdicts]
    spec = sink_spec(folder() / "verdicts.jsonl", None)
    for name in ("verdicts.jsonl", "verdicts.parquet", "verdicts.arrow", "verdicts.csv"):
        path = folder() / name
        chosen = sink_spec(path, None)
        with open_sink(type(spec)(path, chosen.format, with_text=True)) as sink:
            sink.write(scored)
        if name.endswith("csv"):
            lines = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
            assert len(lines) == len(expected) + 1
            continue
        read = list(read_verdicts(verdict_sources([str(path)]), _refused))
        kept = name.endswith("jsonl")
        found = [row.verdict.to_dict() for row in read]
        assert plain(found) == (expected if kept else plain(expected, storable))
        texts = [row.texts[None] for row in read if row.texts is not None]
        assert texts == (scored.texts if kept else list(map(storable, scored.texts)))
    sources = verdict_sources([str(folder() / "verdicts.jsonl")])
    check_redacted(scored, sources)
    options = ReportOptions(reveal=bool(len(data) % 2))
    page, _ = make_report(sources, [], ScanOptions(), options, _refused)
    check_page(page.decode())


def check_redacted(scored: Scored, sources: list[Source]) -> None:
    """Compare a redacted copy with one that was masked character by character."""
    path = folder() / "copy.jsonl"
    out = Output(path)
    out.open()
    copy = open_copy(out, sources, 1 << 20)
    redact_verdicts(sources, RedactOptions(), copy, _refused)
    out.close(keep=True)
    found = [
        row.texts[None]
        for row in read_verdicts(verdict_sources([str(path)]), _refused)
        if row.texts
    ]
    expected = []
    for verdict, text in zip(scored.verdicts, scored.texts, strict=True):
        spans = [e for label in verdict.labels for e in label.evidence]
        inside = {at for e in spans for at in range(e.start, e.end)}
        expected.append("".join("█" if at in inside else c for at, c in enumerate(text)))
    assert found == expected


def plain(value: Any, text: Callable[[str], str] = str) -> Any:
    """Return what JSON holds of a value, with lone surrogates as a format keeps them."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list | tuple):
        return [plain(each, text) for each in value]
    if isinstance(value, dict):
        return {name: plain(each, text) for name, each in value.items()}
    return value


def _refused(rejection: object) -> None:
    raise AssertionError(rejection)


_TAG: Final = re.compile(
    r'<(/?)([a-z][a-z0-9]*)((?:\s+[A-Za-z][A-Za-z0-9:-]*(?:="[^"<]*")?)*)\s*(/?)>'
)
_ATTRIBUTE: Final = re.compile(r'([A-Za-z][A-Za-z0-9:-]*)(?:="[^"<]*")?')
_DOCTYPE: Final = "<!doctype html>"
_ACTIVE: Final = {"script", "img", "iframe", "object", "embed", "form", "base"}
_EMPTY: Final = {"meta", "link", "br", "input"}
_SHAPES: Final = {"rect", "line"}


def check_page(page: str) -> None:
    """Every < begins a tag of ours; tags are closed in their order, and none of them can act."""
    assert page.lower().startswith(_DOCTYPE)
    tags = _TAG.findall(page)
    assert page.count("<") == 1 + len(tags)
    opened: list[str] = []
    for closing, name, attributes, empty in tags:
        assert name not in _ACTIVE
        for attribute in _ATTRIBUTE.findall(attributes) if attributes else ():
            assert not attribute.startswith("on")
            assert attribute != "style"
        if closing:
            assert opened.pop() == name
        elif empty:
            assert name in _SHAPES
        elif name not in _EMPTY:
            opened.append(name)
    assert opened == []


TARGETS: dict[str, Callable[[bytes], None]] = {
    "jsonl": jsonl,
    "csv": csv_rows,
    "parquet": parquet,
    "arrow": arrow,
    "folds": folds,
    "rules": rules,
    "verdicts": verdicts,
}
