"""Sources: which files a scan reads, in what format, checked before anything is scored."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moderation.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "INPUT_FORMATS",
    "STDIN",
    "Groups",
    "Source",
    "Span",
    "format_of",
    "require_pyarrow",
    "resolve_sources",
]

STDIN: Final = "-"
INPUT_FORMATS: Final = ("jsonl", "csv", "parquet", "arrow")
FORMATS: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
}
COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
_COMPRESSIBLE: Final = ("jsonl", "csv")
_EXPECTED: Final = "expected .jsonl, .ndjson or .csv (also .gz or .zst), .parquet or .arrow"


@dataclass(frozen=True, slots=True)
class Span:
    """Whole lines of a plain JSONL file."""

    begin: int
    """First byte."""
    end: int
    """One past the last byte."""
    lines: int
    """Lines that stand before the first byte."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Consecutive row groups of a Parquet file, or record batches of an Arrow file."""

    begin: int
    """First group, counted from 0."""
    end: int
    """One past the last group."""
    before: int
    """Rows that stand before the first group."""
    rows: int
    """Rows in these groups."""
    bytes: int
    """How much of the file counts as theirs."""
    done: int = 0
    """Rows of theirs that are not to be read again."""


@dataclass(frozen=True, slots=True)
class Source:
    """One input."""

    name: str
    """As given, or as found below a folder that was given; "-" is standard input."""
    format: str
    compression: str | None = None
    span: Span | None = None
    """The lines to read of it; None: all."""
    groups: Groups | None = None
    """The groups to read of it; None: all."""


def format_of(name: str) -> tuple[str | None, str | None]:
    """Return the format and the compression that a file name says it has."""
    path = Path(name.lower())
    compression = COMPRESSIONS.get(path.suffix)
    if compression is not None:
        path = path.with_suffix("")
    return FORMATS.get(path.suffix), compression


def resolve_sources(paths: Sequence[str], input_format: str | None = None) -> list[Source]:
    """Turn paths into inputs, and check that each can be opened.

    Args:
        paths: files, folders (searched for every known extension, in sorted order, hidden names
            left out), patterns such as "posts/*.jsonl" ("**" for any depth; sorted) where no file
            has that very name, and "-" for standard input.
        input_format: one of INPUT_FORMATS, for standard input (otherwise JSONL) and for names
            without a known extension.

    Raises:
        ConfigError: paths that are missing, unreadable or of no known format, one line each.
        MissingExtraError: an input needs pyarrow and it is not installed.
    """
    if input_format is not None and input_format not in INPUT_FORMATS:
        raise ConfigError(
            f"unknown input format {input_format!r}; known: {', '.join(INPUT_FORMATS)}"
        )
    if not paths:
        raise ConfigError("expected at least one path, found none; - is standard input")
    sources: list[Source] = []
    problems: list[str] = []
    for path in paths:
        try:
            sources += _resolve(path, input_format)
        except ConfigError as problem:
            problems.append(str(problem))
    if sum(source.name == STDIN for source in sources) > 1:
        problems.append("-: standard input can be read once, found it twice")
    if problems:
        raise ConfigError("\n".join(problems))
    if any(source.format in {"parquet", "arrow"} for source in sources):
        require_pyarrow()
    return sources


def require_pyarrow() -> None:
    """Raise MissingExtraError where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("pyarrow", "arrow") from None


def _resolve(name: str, input_format: str | None) -> list[Source]:
    if name == STDIN:
        if input_format == "parquet":
            raise ConfigError("-: Parquet cannot be read from a pipe; give the file's path")
        return [Source(STDIN, input_format or "jsonl")]
    path = Path(name)
    if glob.has_magic(name) and not os.path.lexists(name):
        return _matching(name, input_format)
    if path.is_dir():
        found = [_source(file, None) for file in _files_below(name, set())]
        if not found:
            raise ConfigError(f"{name}: {_EXPECTED} files in the folder, found none")
    else:
        found = [_source(name, input_format)]
    for source in found:
        _check_readable(source.name)
    return found


def _matching(pattern: str, input_format: str | None) -> list[Source]:
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  keeps names as given
    files = [name for name in names if not Path(name).is_dir()]
    if not files:
        raise ConfigError(f"{pattern}: expected files of this pattern, found none")
    found = [_source(name, input_format) for name in files]
    for source in found:
        _check_readable(source.name)
    return found


def _source(name: str, input_format: str | None) -> Source:
    known, compression = format_of(name)
    chosen = known or input_format
    if chosen is None:
        if not os.path.lexists(name):
            _check_readable(name)  # a missing file is the better message
        suffix = "".join(Path(name).suffixes[-2:]) or "no extension"
        raise ConfigError(f"{name}: {_EXPECTED}, found {suffix}; or name the --input-format")
    if compression is not None and chosen not in _COMPRESSIBLE:
        raise ConfigError(f"{name}: {chosen} cannot be read compressed; decompress it first")
    return Source(name, chosen, compression)


def _files_below(folder: str, visited: set[tuple[int, int]]) -> Iterator[str]:
    """Yield files of known extensions below a folder, sorted; each real folder is entered once."""
    try:
        stat = Path(folder).stat()
        names = sorted(os.listdir(folder))  # noqa: PTH208  keeps the folder as it was given
    except OSError as error:
        raise ConfigError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    if (stat.st_dev, stat.st_ino) in visited:
        return
    visited.add((stat.st_dev, stat.st_ino))
    for name in names:
        if name.startswith("."):
            continue
        path = os.path.join(folder, name)  # noqa: PTH118
        if Path(path).is_dir():
            yield from _files_below(path, visited)
            continue
        known, compression = format_of(name)
        if known is not None and (compression is None or known in _COMPRESSIBLE):
            yield path


def _check_readable(name: str) -> None:
    """Open a file once; pipes and devices, which opening would disturb, are only asked about."""
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            if not os.access(path, os.R_OK):
                raise PermissionError(13, "Permission denied")
            return
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(
            f"{name}: expected a readable file, found: {error.strerror or error}"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise ConfigError(f"{name!r}: not a path: {error}") from error
