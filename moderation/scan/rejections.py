"""Rejections: the records and inputs that were not scored, and errors.jsonl, which lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import ConfigError
from moderation.scan.json_line import json_line
from moderation.scan.output import Output, check_output
from moderation.scan.rows import UNREADABLE_INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from moderation.scan.rows import Gap
    from moderation.scan.source import Source

__all__ = ["ErrorLog", "Rejection"]

_KEYS: Final = ["source", "line", "record", "offset", "data_id", "reason", "detail"]
_EARLIER_KEYS: Final = ["source", "line", "data_id", "reason", "detail"]
"""Of version 0.1.0."""
_FIRST_LINE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record, or a part of one input, that has no verdict."""

    source: str
    """The input, as given."""
    line: int | None
    """1-based line, or row of Parquet and Arrow; None where no row was reached."""
    data_id: str | None
    reason: str
    """One of `moderation.scan.rows.REASONS`."""
    detail: str
    """For people; never the post's text."""
    record: int | None = None
    """1-based number of the record among those of its input; blank lines are none."""
    offset: int | None = None
    """First byte of the record in the content, decompressed; None in columnar formats."""

    @classmethod
    def of_gap(cls, source: str, line: int, gap: Gap) -> Rejection:
        """Return what is told of rows that cannot be read, from a line on."""
        return cls(source, line, None, UNREADABLE_INPUT, gap.detail)

    def to_dict(self) -> dict[str, Any]:
        """Return the row of errors.jsonl."""
        return {
            "source": self.source,
            "line": self.line,
            "record": self.record,
            "offset": self.offset,
            "data_id": self.data_id,
            "reason": self.reason,
            "detail": self.detail,
        }


class ErrorLog:
    """errors.jsonl: made when the first rejection comes; without one, an earlier run's goes.

    A context manager; what was written takes its place when the block ends without an exception.
    """

    def __init__(self, path: Path, sources: Sequence[Source] = ()) -> None:
        """Name the file.

        Args:
            path: errors.jsonl.
            sources: the inputs, none of which it may overwrite.

        Raises:
            ConfigError: it stands there already and no scan wrote it, or it cannot be written.
        """
        self.path = path
        self._output: Output | None = None
        check_output(path, sources, "--errors")
        if path.is_file() and not _written_by_a_scan(path):
            raise ConfigError(
                f"{path}: expected the errors of an earlier scan, found another file; "
                "it would be overwritten: name another one with --errors"
            )

    def add(self, rejection: Rejection) -> None:
        """Write one row."""
        if self._output is None:
            self._output = Output(self.path)
            self._output.open()
        self._output.write(json_line(rejection.to_dict()))

    def __enter__(self) -> ErrorLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._output is not None:
            self._output.close(keep=kind is None)
        elif kind is None and self.path.is_file():
            self.path.unlink()


def _written_by_a_scan(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            line = file.readline(_FIRST_LINE)
        return not line or list(json.loads(line)) in (_KEYS, _EARLIER_KEYS)
    except (OSError, ValueError, TypeError):
        return False
