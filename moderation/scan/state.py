"""State: an output's earlier scan, if any, and whether a new one may go on, start or replace it."""

from __future__ import annotations

import contextlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moderation.errors import ConfigError
from moderation.scan.durable import explaining, read_json, temporary_name
from moderation.scan.manifest import Manifest
from moderation.scan.spool import wait_for_writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moderation.scan.layout import Layout
    from moderation.scan.plan import Shard
    from moderation.scan.source import Source

__all__ = [
    "check_place",
    "earlier_scan",
    "forget",
    "forget_other_units",
    "is_running",
    "locked",
]


def check_place(layout: Layout, sources: Sequence[Source], paths: Sequence[str]) -> None:
    """Refuse an output folder that a later scan would read, or that leads elsewhere.

    Args:
        layout: where the results go.
        sources: the inputs.
        paths: the paths they were found under.

    Raises:
        ConfigError: with the path and what is wrong.
    """
    for folder in (layout.work, layout.markers):
        if folder.is_symlink():
            raise ConfigError(f"{folder}: expected a folder, found a link")
    if layout.file is not None:
        if layout.home.is_symlink() or (layout.home.exists() and not layout.home.is_dir()):
            raise ConfigError(f"{layout.home}: expected a folder for the state of the scan")
        return
    home = layout.home.resolve()
    if home.exists() and not home.is_dir():
        raise ConfigError(f"{layout.home}: expected a folder for --output, found a file")
    if not home.parent.is_dir():
        raise ConfigError(
            f"{layout.home}: --output: the folder {layout.home.parent} does not exist"
        )
    for path in paths:
        if Path(path).is_dir() and home.is_relative_to(Path(path).resolve()):
            raise ConfigError(
                f"{layout.home}: --output lies within the input folder {path}, where the next "
                "scan would read the verdicts; name a folder beside it"
            )
    for source in sources:
        if Path(source.name).resolve().is_relative_to(home):
            raise ConfigError(f"{layout.home}: --output holds the input {source.name}")


def earlier_scan(layout: Layout, *, resume: bool, force: bool) -> Manifest | None:
    """Return the manifest of the scan to go on with; None where a new one may start.

    Nothing is changed yet (see `forget`), but for what a finished scan had no time to remove.

    Raises:
        ConfigError: there is an output already, and neither `resume` nor `force` was given.
    """
    if layout.file is not None:
        _remove_folder(layout.discarded)
    found = read_json(layout.manifest)
    name = layout.shown
    if found is not None:
        earlier = Manifest.from_dict(found, layout.manifest)
        if resume:
            return earlier
        if force:
            return None
        what = "a finished scan" if layout.success.exists() else "an unfinished scan"
        hint = "--resume goes on with it" if what.startswith("an") else "--resume checks it"
        raise ConfigError(f"{name}: holds {what}; {hint}, --force starts again")
    if layout.file is None:
        if layout.home.is_dir() and _foreign(layout):
            raise ConfigError(
                f"{name}: expected an empty folder or that of a scan, found other files; "
                "name another --output"
            )
    elif layout.file.exists() and not force:
        hint = " (it is complete: there is nothing to resume)" if resume else ""
        raise ConfigError(f"{name}: is there already; --force replaces it{hint}")
    return None


def _foreign(layout: Layout) -> list[str]:
    """Return names in an output folder that a scan which had just begun would not have made."""
    own = {layout.work.name, layout.markers.name, temporary_name(layout.manifest).name}
    return [path.name for path in layout.home.iterdir() if path.name not in own]


def forget(layout: Layout) -> None:
    """Remove what an earlier scan has left, its manifest last; nothing else is touched.

    Raises:
        ModerationError: something cannot be removed.
    """
    with explaining(layout.home):
        layout.success.unlink(missing_ok=True)
        layout.statistics.unlink(missing_ok=True)
        if layout.file is None:
            layout.errors.unlink(missing_ok=True)
            for path in layout.home.glob("part-[0-9]*.*"):
                path.unlink()
        _remove_folder(layout.markers)
        for path in sorted(layout.work.iterdir()) if layout.work.is_dir() else []:
            if path == layout.lock:  # which this scan holds
                continue
            if path.suffix == ".rows":
                wait_for_writer(path)
            path.unlink(missing_ok=True)
        layout.manifest.unlink(missing_ok=True)


def forget_other_units(layout: Layout, shards: Sequence[Shard], earlier: Manifest) -> list[str]:
    """Remove what units have left that are not those of the present plan.

    A scan that has not said how it cut its inputs has cut lines alone, as they are cut now.

    Args:
        layout: where the results go.
        shards: the present plan.
        earlier: what the scan was started with.

    Returns:
        Names of the inputs of which something was removed.

    Raises:
        ModerationError: something cannot be removed.
    """
    cuts = (read_json(layout.run) or {}).get("cuts")
    names = []
    for shard, entry in zip(shards, earlier.inputs, strict=True):
        groups = shard.units[0].source.groups
        same = groups is None if cuts is None else cuts[shard.number] == shard.cut
        if same and shard.sha256 == entry["sha256"]:
            continue
        found = sorted(layout.unit_files(shard.number))
        with explaining(layout.work):
            for path in found:
                if path.suffix == ".rows":
                    wait_for_writer(path)
            for path in found:
                path.unlink(missing_ok=True)
        if found:
            names.append(shard.source.name)
    return names


def _remove_folder(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Keep other scans from an output while the block runs.

    Raises:
        ConfigError: another scan is writing there.
        ModerationError: the folder cannot be written to.
    """
    with explaining(layout.work):
        layout.work.mkdir(parents=True, exist_ok=True)
        handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        if not _try_lock(handle) or not _is_at(handle, layout.lock):
            raise ConfigError(f"{layout.shown}: another scan is writing there")
        try:
            yield
        finally:
            _tidy(layout)
    finally:
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Say whether an open file still has its name: another scan may have tidied up just now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _tidy(layout: Layout) -> None:
    """Remove the lock, and the folders that hold nothing else."""
    with contextlib.suppress(OSError):  # what is left there is to be resumed
        layout.lock.unlink()
        layout.work.rmdir()
        if layout.file is not None:
            layout.home.rmdir()


def is_running(layout: Layout) -> bool:
    """Say whether a scan holds the lock of an output."""
    try:
        handle = os.open(layout.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
