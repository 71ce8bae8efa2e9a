"""The report of a scan: one page about a file of verdicts, that loads nothing and runs nothing."""

from moderation.scan.report.make import ReportOptions, ReportSummary, make_report

__all__ = ["ReportOptions", "ReportSummary", "make_report"]
