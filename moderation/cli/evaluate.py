"""moderate eval: figures of rules and model on labelled posts."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderation.evaluation.figures import PolicyFigures

__all__ = ["evaluate"]

_BATCH = 4096
_HEADER = (
    f"{'source':<24} {'language':<8} {'policy':<9} {'posts':>7} {'viol.':>6} {'AP':>6} "
    f"{'prec.':>6} {'recall':>6} {'F1':>6} {'flagged':>8} {'blocked':>8}"
)


def evaluate(
    paths: Annotated[list[Path], typer.Argument(help="Labelled JSONL files, .gz or not.")],
    region: Annotated[str, typer.Option("--region", help="Region profile.")] = "cn",
    rules: Annotated[Path | None, typer.Option("--rules", help="Rules folder.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Model folder.")] = None,
) -> int:
    """Print average precision, precision, recall and F1 per file, language and policy.

    Rows are JSON objects with "text" and "labels" ({"porn": 0, "drugs": 1, "gambling": null}).
    `flagged` and `blocked` are the shares of innocent posts that were reviewed or blocked.
    """
    import numpy as np

    from moderation.engine import Moderator
    from moderation.evaluation.figures import policy_figures
    from moderation.evaluation.labelled import read_labelled
    from moderation.types import ACTIONS, LANGUAGES, POLICIES

    moderator = Moderator(region=region, rules=rules, model=model)
    files = [read_labelled(path) for path in paths]
    typer.echo(_HEADER)
    for path, posts in zip(paths, files, strict=True):
        count = len(posts.texts)
        scores = np.zeros((count, len(POLICIES)))
        actions = np.zeros((count, len(POLICIES)), np.int64)
        languages = np.zeros(count, np.int64)
        for start in range(0, count, _BATCH):
            verdicts = moderator.check_batch(posts.texts[start : start + _BATCH])
            end = start + len(verdicts)
            scores[start:end], languages[start:end] = verdicts.scores, verdicts.languages
            for post, labels in verdicts.labels.items():
                for label in labels:
                    column = POLICIES.index(label.label)
                    actions[start + post, column] = ACTIONS.index(label.action)
        name = posts.sources[0] if posts.sources else path.name
        for language in (*LANGUAGES, "all"):
            rows = (
                np.ones(count, np.bool_)
                if language == "all"
                else languages == LANGUAGES.index(language)
            )
            for column, policy in enumerate(POLICIES):
                known = rows & ~np.isnan(posts.labels[:, column])
                if known.any():
                    figures = policy_figures(
                        posts.labels[known, column],
                        scores[known, column],
                        actions[known, column] > 0,
                        actions[known, column] > 1,
                    )
                    typer.echo(_line(name, language, policy, figures))
    return 0


def _line(name: str, language: str, policy: str, figures: PolicyFigures) -> str:
    def share(value: float) -> str:
        return f"{value:>6.3f}" if value == value else f"{'-':>6}"

    return (
        f"{name[:24]:<24} {language:<8} {policy:<9} {figures.posts:>7} {figures.positives:>6} "
        f"{share(figures.average_precision)} {share(figures.precision)} {share(figures.recall)} "
        f"{share(figures.f1)} {figures.flagged_innocent:>8.3%} {figures.blocked_innocent:>8.3%}"
    )
