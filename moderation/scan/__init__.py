"""Scan files, folders and pipes of posts into files of verdicts, in order and in bounded memory."""

from moderation.scan.fields import TextFields
from moderation.scan.rejections import ErrorLog, Rejection
from moderation.scan.runner import ScanOptions, ScanSummary, scan_paths, scan_sources
from moderation.scan.sinks import OUTPUT_FORMATS, Scored, Sink, SinkSpec, open_sink, sink_spec
from moderation.scan.source import INPUT_FORMATS, Source, resolve_sources

__all__ = [
    "INPUT_FORMATS",
    "OUTPUT_FORMATS",
    "ErrorLog",
    "Rejection",
    "ScanOptions",
    "ScanSummary",
    "Scored",
    "Sink",
    "SinkSpec",
    "Source",
    "TextFields",
    "open_sink",
    "resolve_sources",
    "scan_paths",
    "scan_sources",
    "sink_spec",
]
