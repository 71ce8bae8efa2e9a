"""Plots of the report: SVG in two palettes, the same bytes for the same figures."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.errors import MissingExtraError
from moderation.evaluation.figures import FIGURES, cell_figures
from moderation.evaluation.report_fonts import chinese_font
from moderation.evaluation.report_words import PLOT_KEYS, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from moderation.evaluation.figures import Cells

__all__ = [
    "LEAST_POSITIVES",
    "dark",
    "plot_curve",
    "plot_reliability",
    "plot_scores",
    "plot_words",
    "plotting",
    "require_matplotlib",
]

LEAST_POSITIVES: Final = 10
"""Languages with fewer violations get no plot: it would show chance."""
_INK: Final = "#1b1f24"
_FAINT: Final = "#c9ced6"
_BAR: Final = "#9aa4b2"
_LINES: Final = {
    "all": ("#1b1f24", "-"),
    "zh": ("#0072b2", "--"),
    "en": ("#c2410c", "-."),
    "mixed": ("#00805a", (0, (1, 1))),
    "other": ("#a0438a", (0, (5, 1, 1, 1, 1, 1))),
}
"""After Okabe and Ito, darkened to be read on white; dashes tell lines apart without colour."""
_DARK: Final = {
    "#1b1f24": "#e8eaed",
    "#c9ced6": "#434a54",
    "#9aa4b2": "#6c7683",
    "#0072b2": "#62b6f0",
    "#c2410c": "#ff9d57",
    "#00805a": "#3fd0a0",
    "#a0438a": "#e79ad2",
}
_COLOUR: Final = re.compile("|".join(_DARK))
_Z: Final = 1.959964
_WIDE_BINS: Final = 10
_SCORE_BINS: Final = 20


def require_matplotlib() -> None:
    """Raise MissingExtraError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError("matplotlib", "eval") from None


def plot_words(language: str) -> tuple[dict[str, str], str | None]:
    """Return the words for plots and the font that has them (None: matplotlib's own).

    English where the report's language is English, or where no font has the Chinese characters.
    """
    if language != "en":
        chosen = words(language)
        font = chinese_font("".join(chosen[key] for key in PLOT_KEYS))
        if font is not None:
            return chosen, font
    return words("en"), None


@contextmanager
def plotting(font: str | None) -> Iterator[None]:
    """Set matplotlib up for these plots, whatever the user's own settings, and put those back."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.hashsalt": "moderate eval",
                "svg.fonttype": "path",
                "font.family": [*([font] if font else []), "DejaVu Sans"],
                "font.size": 10,
                "axes.titlesize": 10,
                "axes.unicode_minus": False,
                "text.color": _INK,
                "axes.labelcolor": _INK,
                "axes.edgecolor": _INK,
                "xtick.color": _INK,
                "ytick.color": _INK,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "grid.color": _FAINT,
                "grid.linewidth": 0.6,
                "axes.axisbelow": True,
                "legend.frameon": False,
            }
        )
        yield


def dark(svg: str) -> str:
    """Return a plot in the dark palette."""
    return _COLOUR.sub(lambda found: _DARK[found[0]], svg)


def plot_curve(groups: Mapping[str, Cells], said: Mapping[str, str]) -> str:
    """Draw precision over recall, a line a language, with what the engine decided as marks."""
    figure = _figure(8.6, 4.8)
    axes = figure.subplots()
    for language, cells in groups.items():
        colour, dashes = _LINES[language]
        recall, precision, found = _curve(cells)
        axes.plot(
            recall, precision, drawstyle="steps-pre", color=colour, linestyle=dashes,
            linewidth=2.2 if language == "all" else 1.6,
            label=f"{said[language]}, {said['average_precision']} "
            f"{found['average_precision']:.3f}",
        )  # fmt: skip
        for mark, prefix in (("o", ""), ("s", "block_")):
            at = (found[f"{prefix}recall"], found[f"{prefix}precision"])
            if not np.isnan(at).any():
                axes.plot(*at, marker=mark, markersize=9, color=colour, clip_on=False, zorder=5)
    for mark, key in (("o", "review_point"), ("s", "block_point")):
        axes.plot([], [], marker=mark, linestyle="none", markersize=9, color=_BAR, label=said[key])
    axes.set(xlim=(0, 1.005), ylim=(0, 1.02), xlabel=said["recall"], ylabel=said["precision"])
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return _svg(figure)


def plot_reliability(
    groups: Mapping[str, Cells], errors: Mapping[str, float], said: Mapping[str, str]
) -> str:
    """Draw the share of violations over the score, and how many posts each bin has.

    Args:
        groups: counted posts, by language.
        errors: expected calibration errors, by language.
        said: words.
    """
    figure = _figure(3.1 * len(groups), 4.8)
    panels = figure.subplots(
        2, len(groups), sharex=True, sharey="row", squeeze=False, height_ratios=(2, 1)
    )
    for column, (language, cells) in enumerate(groups.items()):
        upper, lower = panels[0, column], panels[1, column]
        posts, hits, scores = _wide_bins(cells)
        full = posts > 0
        share, low, high = _wilson(hits[full], posts[full])
        mean = scores[full] / posts[full]
        colour = _LINES[language][0]
        upper.plot([0, 1], [0, 1], color=_BAR, linewidth=1)
        # Rounding may put an end of the interval a hair past the share.
        ends = np.maximum([share - low, high - share], 0)
        upper.errorbar(
            mean, share, yerr=ends, fmt="o-", color=colour, markersize=4.5, linewidth=1.2
        )
        upper.set_title(
            f"{said[language]}\n{said['calibration_error']} {errors[language]:.3f}", color=_INK
        )
        upper.set(ylim=(-0.02, 1.02))
        edges = np.linspace(0, 1, _WIDE_BINS + 1)
        lower.bar(edges[:-1], posts, width=0.092, align="edge", color=_BAR)
        for edge, count in zip(edges[:-1], posts, strict=True):
            if count:
                lower.annotate(
                    f"{int(count)}", (edge + 0.05, count), xytext=(0, 2),
                    textcoords="offset points", ha="center", va="bottom", rotation=90, fontsize=7,
                )  # fmt: skip
        _log_counts(lower, posts.max(), room=100)
        lower.set(xlim=(0, 1), xlabel=said["score"])
    panels[0, 0].set_ylabel(said["share"])
    panels[1, 0].set_ylabel(said["posts"])
    return _svg(figure)


def plot_scores(groups: Mapping[str, Cells], said: Mapping[str, str]) -> str:
    """Draw how many violations and innocent posts have which score, on a logarithmic scale."""
    figure = _figure(3.1 * len(groups), 3.2)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    edges = np.linspace(0, 1, _SCORE_BINS + 1)
    most = 1.0
    for axes, (language, cells) in zip(panels, groups.items(), strict=True):
        for key, wanted, colour, dashes in (
            ("innocent", ~cells.positive, _LINES["zh"][0], "--"),
            ("violating", cells.positive, _LINES["en"][0], "-"),
        ):
            counts, _ = np.histogram(cells.scores[wanted], bins=edges, weights=cells.counts[wanted])
            most = max(most, float(counts.max()))
            # A bin without posts has no place on this scale: its line drops to the floor.
            axes.stairs(
                np.maximum(counts, 0.5), edges, color=colour, linestyle=dashes, linewidth=1.6,
                label=said[key],
            )  # fmt: skip
        axes.set_title(said[language], color=_INK)
        axes.set(xlim=(0, 1), xlabel=said["score"])
    for axes in panels:
        _log_counts(axes, most, room=2)
    panels[0].set_ylabel(said["posts"])
    panels[0].legend(loc="upper center", fontsize=9)
    return _svg(figure)


def _curve(
    cells: Cells,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, float]]:
    """Return recall and precision after each distinct score, and the figures at the decisions."""
    last = np.append(np.flatnonzero(np.diff(cells.scores)), len(cells.scores) - 1)
    hits = np.cumsum(cells.counts * cells.positive)[last]
    posts = np.cumsum(cells.counts)[last]
    found = cell_figures(cells, cells.counts.astype(np.float64)[np.newaxis])[0].tolist()
    recall = np.concatenate(([0.0], hits / hits[-1]))
    precision = hits / posts
    start = precision[:1]
    return recall, np.concatenate((start, precision)), dict(zip(FIGURES, found, strict=True))


def _wide_bins(
    cells: Cells,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return posts, violations and sum of scores of each bin of equal width."""
    of = np.minimum((cells.scores * _WIDE_BINS).astype(np.int64), _WIDE_BINS - 1)
    counts = cells.counts.astype(np.float64)
    columns = (counts, counts * cells.positive, counts * cells.scores)
    sums = np.zeros((3, _WIDE_BINS))
    for row, column in zip(sums, columns, strict=True):
        np.add.at(row, of, column)
    return sums[0], sums[1], sums[2]


def _wilson(
    hits: NDArray[np.float64], posts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return shares with their 95 % intervals (Wilson 1927)."""
    share = hits / posts
    scale = 1 + _Z**2 / posts
    middle = (share + _Z**2 / (2 * posts)) / scale
    half = _Z / scale * np.sqrt(share * (1 - share) / posts + _Z**2 / (4 * posts**2))
    return share, middle - half, middle + half


def _log_counts(axes: Axes, most: float, room: float) -> None:
    """Give counts a logarithmic axis with plain numbers, and room above the highest."""
    axes.set_yscale("log")
    axes.set_ylim(0.5, max(most, 10) * room)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
    axes.minorticks_off()


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    nothing: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
    FigureCanvasSVG(figure)
    figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    return out.getvalue()
