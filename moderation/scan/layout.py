"""Layout: the names of everything that a durable scan writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moderation.scan.source import COMPRESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "ERRORS_NAME",
    "MANIFEST_NAME",
    "MARKERS_NAME",
    "PART_PREFIX",
    "SUCCESS_NAME",
    "WORK_NAME",
    "Layout",
    "UnitFiles",
]

MANIFEST_NAME: Final = "_manifest.json"
SUCCESS_NAME: Final = "_SUCCESS"
ERRORS_NAME: Final = "errors.jsonl"
PART_PREFIX: Final = "part-"
MARKERS_NAME: Final = "_shards"
WORK_NAME: Final = "_work"
_EXTENSIONS: Final = {name: extension for extension, name in COMPRESSIONS.items()}


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """What one unit of work has on disk until its shard is finished."""

    rows: Path
    errors: Path
    checkpoint: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a scan puts its results and its state.

    A folder of part files is its own home. A single file has a hidden folder beside it, which goes
    when the file is complete.
    """

    home: Path
    """Holds manifest, markers and work."""
    errors: Path
    shown: Path
    """The output as it was named, for messages."""
    file: Path | None = None
    """The single output; None: part files in `home`."""

    @classmethod
    def of_folder(cls, folder: Path) -> Layout:
        """Return the layout of a folder of part files."""
        return cls(folder, folder / ERRORS_NAME, folder)

    @classmethod
    def of_file(cls, file: Path, errors: Path) -> Layout:
        """Return the layout of a single file."""
        target = file.resolve()  # a link stays a link
        return cls(target.with_name(f".{target.name}.scan"), errors, file, target)

    @property
    def manifest(self) -> Path:
        """What is scanned, and with what."""
        return self.home / MANIFEST_NAME

    @property
    def success(self) -> Path:
        """The last file: every record has its verdict or its error."""
        return self.home / SUCCESS_NAME

    @property
    def statistics(self) -> Path:
        """Counts of the whole scan."""
        return self.home / "_statistics.json"

    @property
    def discarded(self) -> Path:
        """What the state of a single file is called while it is removed."""
        return self.home.with_name(f"{self.home.name}.done")

    @property
    def markers(self) -> Path:
        """Folder with a marker for each finished shard."""
        return self.home / MARKERS_NAME

    @property
    def work(self) -> Path:
        """Folder with the state of what is not finished."""
        return self.home / WORK_NAME

    @property
    def lock(self) -> Path:
        """Held while a scan runs."""
        return self.work / "lock"

    @property
    def run(self) -> Path:
        """What the latest run started from, and how it cut its inputs."""
        return self.work / "run.json"

    def marker(self, shard: int) -> Path:
        """Return the marker of a finished shard."""
        return self.markers / f"{shard:05d}.json"

    def shard_errors(self, shard: int) -> Path:
        """Return the rejections of a finished shard that has any."""
        return self.markers / f"{shard:05d}.errors.jsonl"

    def part(self, shard: int, form: str, compression: str | None) -> Path:
        """Return the part file of a shard."""
        extension = _EXTENSIONS[compression] if compression is not None else ""
        return self.home / f"{PART_PREFIX}{shard:05d}.{form}{extension}"

    def temporary(self, name: str) -> Path:
        """Return where a file is written before it takes its place."""
        return self.work / f"{name}.tmp"

    @property
    def errors_temporary(self) -> Path:
        """Return where errors.jsonl is written first: it may be on another file system."""
        if self.file is None:
            return self.temporary(ERRORS_NAME)
        return self.errors.with_name(f".{self.errors.name}.tmp")

    def unit_files(self, shard: int) -> Iterator[Path]:
        """Return what units of a shard have on disk, whichever they are."""
        return self.work.glob(f"{shard:05d}-*")

    def unit(self, shard: int, number: int) -> UnitFiles:
        """Return the files of one unit."""
        stem = f"{shard:05d}-{number:05d}"
        return UnitFiles(
            self.work / f"{stem}.rows", self.work / f"{stem}.errors", self.work / f"{stem}.json"
        )
