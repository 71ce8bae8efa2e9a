"""Progress: one updating line on a terminal, a line now and then elsewhere, nothing when quiet."""

import io
from pathlib import Path

import pytest

from moderation.cli.progress import Progress, rejected_line, summary_line
from moderation.scan import ScanSummary


class Terminal(io.StringIO):
    def isatty(self):
        return True


def after(seconds, posts=1000):
    actions = {"pass": posts - 3, "review": 2, "block": 1}
    return ScanSummary(posts=posts, actions=actions, seconds=seconds)


def test_away_from_a_terminal_there_is_a_line_every_thirty_seconds():
    stream = io.StringIO()
    progress = Progress(stream)
    for seconds in range(100):
        progress.update(after(seconds + 0.5))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == "moderate: 1,000 posts, 33 posts/s: 997 pass, 2 review, 1 block"


def test_on_a_terminal_one_line_is_rewritten(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    progress = Progress(stream)
    for tenth in range(1, 11):
        progress.update(after(tenth / 10))
    progress.say("done")
    shown = stream.getvalue()
    assert shown.count("\n") == 1
    assert shown.endswith("\r\x1b[Kmoderate: done\n")
    drawn = shown.split("\r\x1b[K")[1:-1]
    assert 2 <= len(drawn) <= 6
    assert all(len(line) <= 39 for line in drawn if "moderate" not in line)


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    progress = Progress(stream)
    progress.update(after(1.0))
    progress.update(after(31.0))
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_quiet_shows_no_progress_but_still_speaks():
    stream = io.StringIO()
    progress = Progress(stream, quiet=True)
    progress.update(after(1000.0))
    assert stream.getvalue() == ""
    progress.say("3 records rejected")
    assert stream.getvalue() == "moderate: 3 records rejected\n"


def test_the_summary_has_counts_time_and_speed():
    summary = ScanSummary(2000, {"pass": 1990, "review": 7, "block": 3}, 1, 4, seconds=0.5)
    assert summary_line(summary) == (
        "2,000 posts in 0.5 s (4,000 posts/s): 1,990 pass, 7 review, 3 block; 4 rejected; "
        "1 with an error"
    )


@pytest.mark.parametrize(
    ("rejected", "failed", "line"),
    [
        (0, 0, None),
        (1, 0, "1 record rejected; the reasons are in e.jsonl"),
        (1200, 2, "1,200 records and 2 inputs rejected; the reasons are in e.jsonl"),
        (0, 1, "1 input rejected; the reasons are in e.jsonl"),
    ],
)
def test_rejections_say_how_many_and_where(rejected, failed, line):
    summary = ScanSummary(rejected=rejected, failed_inputs=failed)
    assert rejected_line(summary, Path("e.jsonl")) == line
