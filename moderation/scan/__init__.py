"""Scan files, folders and pipes of posts into verdicts, in order, exactly once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from moderation.scan.fields import TextFields
from moderation.scan.interrupt import Interrupt
from moderation.scan.options import ScanOptions, read_key
from moderation.scan.rejections import ErrorLog, Rejection
from moderation.scan.runner import ScanSummary, scan_paths, scan_sources
from moderation.scan.sinks import (
    OUTPUT_FORMATS,
    Scored,
    Sink,
    SinkSpec,
    open_sink,
    part_spec,
    sink_spec,
)
from moderation.scan.source import INPUT_FORMATS, Source, resolve_sources

if TYPE_CHECKING:
    from moderation.scan.layout import Layout
    from moderation.scan.resumable import Listener, ResumableScan
    from moderation.scan.state import check_place, earlier_scan
    from moderation.scan.unit import StoppedError, Work

__all__ = [
    "INPUT_FORMATS",
    "OUTPUT_FORMATS",
    "ErrorLog",
    "Interrupt",
    "Layout",
    "Listener",
    "Rejection",
    "ResumableScan",
    "ScanOptions",
    "ScanSummary",
    "Scored",
    "Sink",
    "SinkSpec",
    "Source",
    "StoppedError",
    "TextFields",
    "Work",
    "check_place",
    "earlier_scan",
    "open_sink",
    "part_spec",
    "read_key",
    "resolve_sources",
    "scan_paths",
    "scan_sources",
    "sink_spec",
]

_OF_FILES: Final = {
    "Layout": "layout",
    "Listener": "resumable",
    "ResumableScan": "resumable",
    "StoppedError": "unit",
    "Work": "unit",
    "check_place": "state",
    "earlier_scan": "state",
}
"""What scans into files need and scans of a stream do not, with its module."""


def __getattr__(name: str) -> Any:
    if name in _OF_FILES:
        return getattr(importlib.import_module(f"{__name__}.{_OF_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
