"""The report: a folder with a page and its plots, the same bytes for the same evaluation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from moderation.errors import ConfigError, ModerationError
from moderation.evaluation.evaluation import group_cells
from moderation.evaluation.report_page import GENERATOR, page
from moderation.evaluation.report_plots import (
    LEAST_POSITIVES,
    dark,
    plot_curve,
    plot_reliability,
    plot_scores,
    plot_words,
    plotting,
    require_matplotlib,
)
from moderation.evaluation.report_words import words
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moderation.evaluation.decisions import Decisions
    from moderation.evaluation.evaluation import Evaluation

__all__ = ["check_report_folder", "write_report"]

_PAGE: Final = "index.html"
_SIZE: Final = re.compile(r'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"')
_KINDS: Final = ("curve", "reliability", "scores")
_PIXELS_OF_POINT: Final = 96 / 72


def check_report_folder(folder: Path) -> None:
    """Refuse what a report could not be written into; called before anything is scored.

    Raises:
        ConfigError: it is a file, or holds a page that is no report.
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a folder for --report, found a file")
    path = folder / _PAGE
    if path.is_file() and GENERATOR not in path.read_text("utf-8", "replace"):
        raise ConfigError(
            f"{path}: expected an earlier report, found another page; name another folder"
        )


def write_report(
    evaluation: Evaluation, decisions: Decisions, folder: Path, language: str
) -> list[str]:
    """Write the page and its plots; the plots of an earlier report there are replaced.

    Args:
        evaluation: what the page says.
        decisions: what it was made from, for the plots.
        folder: made where it is missing.
        language: one of `report_words.REPORT_LANGUAGES`.

    Returns:
        What the reader should know: that no font for Chinese was found.

    Raises:
        ModerationError: a file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    said = words(language)
    drawn_words, font = plot_words(language)
    notes = [said["note_font"]] if language != "en" and font is None else []
    with plotting(font):
        plots = dict(_plots(evaluation, decisions, drawn_words))
    sizes = {name: _size(svg) for name, svg in plots.items()}
    files = {f"{name}.svg": svg for name, svg in plots.items()}
    files |= {f"{name}-dark.svg": dark(svg) for name, svg in plots.items()}
    # The page last: whoever finds it finds its plots.
    files[_PAGE] = page(evaluation, sizes, said, language, notes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for policy in POLICIES:
            for kind in _KINDS:
                for name in (f"{policy}-{kind}.svg", f"{policy}-{kind}-dark.svg"):
                    (folder / name).unlink(missing_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content, "utf-8", newline="\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModerationError(f"{folder}: the report cannot be written: {reason}") from error
    return notes


def _plots(
    evaluation: Evaluation, decisions: Decisions, said: dict[str, str]
) -> Iterator[tuple[str, str]]:
    for column, policy in enumerate(POLICIES):
        groups = [g for g in evaluation.groups if g.policy == policy]
        drawn = [g for g in groups if g.positives >= LEAST_POSITIVES and g.positives < g.posts]
        if not drawn:
            continue
        cells = {g.language: group_cells(decisions, column, g.language) for g in drawn}
        errors = {g.language: g.values["calibration_error"] for g in drawn}
        yield f"{policy}-curve", plot_curve(cells, said)
        yield f"{policy}-reliability", plot_reliability(cells, errors, said)
        yield f"{policy}-scores", plot_scores(cells, said)


def _size(svg: str) -> tuple[int, int]:
    """Return the width and height of an image in CSS pixels."""
    found = _SIZE.search(svg)
    assert found is not None, "matplotlib gives its images a size in points"
    width, height = (round(float(value) * _PIXELS_OF_POINT) for value in found.groups())
    return width, height
