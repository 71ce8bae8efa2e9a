"""Durable writes: what was written is there after a crash, whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from moderation.errors import ModerationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "explaining",
    "json_bytes",
    "open_new",
    "read_json",
    "sync_folder",
    "temporary_name",
    "write_whole",
]

_TEMPORARY: Final = ".tmp"
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)


@contextmanager
def explaining(name: Path | str) -> Iterator[None]:
    """Turn a failure of the system's into a ModerationError that names the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModerationError(f"{name}: cannot be written: {reason}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, _FOLDER)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_new(path: Path) -> int:
    """Open a file for writing from its beginning; a link at its place is refused."""
    return os.open(path, _NEW | getattr(os, "O_CLOEXEC", 0), 0o666)


def temporary_name(path: Path) -> Path:
    """Return where `write_whole` writes a file before it takes its place."""
    return path.with_name(path.name + _TEMPORARY)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place: written aside, made durable, renamed.

    Raises:
        ModerationError: it cannot be written.
    """
    temporary = temporary_name(path)
    with explaining(path):
        try:
            with os.fdopen(open_new(temporary), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def json_bytes(value: Any) -> bytes:
    """Return an object as indented JSON with a line break at its end."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a file name that is not UTF-8
        return json.dumps(value, indent=2).encode("ascii") + b"\n"


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file; None where there is no such file.

    Raises:
        ModerationError: the file does not hold a JSON object.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModerationError(f"{path}: expected a JSON object, found: {error}") from error
    if not isinstance(value, dict):
        raise ModerationError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
