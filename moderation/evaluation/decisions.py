"""What the engine decides on labelled posts, column by column."""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text import TextBatch
from moderation.types import ACTIONS, POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from moderation.engine import Moderator
    from moderation.evaluation.labelled import LabelledBatch
    from moderation.types import Label

__all__ = ["Decisions", "decide", "without_rules"]

_ALONE: Final = re.compile(r"^classifier_alone:.*$", re.MULTILINE)


@dataclass(slots=True)
class Decisions:
    """Labelled posts with what was decided on them.

    Attributes:
        ids: the posts' ids.
        places: the input's name and the 1-based line.
        labels: float64, shape (posts, policies): 1, 0 or NaN where nobody looked.
        scores: float64, shape (posts, policies): rounded probabilities, as in a verdict.
        actions: int64, shape (posts, policies), indices into ACTIONS.
        languages: int64, shape (posts,), indices into LANGUAGES, as the engine tells them.
        gold_sub_labels: as given, or None.
        gold_stances: as given, or None.
        found: the verdict's labels, of the posts that have any.
        texts: the posts; empty unless they were asked for.
        with_error: posts whose verdict carries an error.
        digest: of ids, texts and labels, in order.
    """

    ids: list[str]
    places: list[tuple[str, int]]
    labels: NDArray[np.float64]
    scores: NDArray[np.float64]
    actions: NDArray[np.int64]
    languages: NDArray[np.int64]
    gold_sub_labels: list[str | None]
    gold_stances: list[str | None]
    found: dict[int, tuple[Label, ...]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    with_error: int = 0
    digest: str = ""

    def __len__(self) -> int:
        return len(self.ids)


def decide(
    moderator: Moderator,
    batches: Iterable[LabelledBatch],
    *,
    several_fields: bool = False,
    keep_texts: bool = False,
    progress: Callable[[dict[str, int]], None] | None = None,
) -> Decisions:
    """Let the engine decide labelled posts, batch by batch.

    Args:
        moderator: the engine.
        batches: what `read_labelled_sources` yields.
        several_fields: whether texts are joined from fields, which rules can tell apart.
        keep_texts: keep the posts' text, which otherwise goes with its batch.
        progress: told of every batch how many posts got which action.
    """
    none = np.zeros((0, len(POLICIES)))
    out = Decisions([], [], none, none, none.astype(np.int64), np.zeros(0, np.int64), [], [])
    labels, scores, actions, languages = [none], [none], [out.actions], [out.languages]
    digest = hashlib.sha256()
    for part in batches:
        batch = TextBatch.from_strings(part.texts)
        if several_fields:
            batch = batch.with_fields(part.layouts)
        verdicts = moderator.check_text_batch(batch)
        taken = np.zeros((len(part), len(POLICIES)), np.int64)
        for post, found in verdicts.labels.items():
            for label in found:
                taken[post, POLICIES.index(label.label)] = ACTIONS.index(label.action)
            out.found[len(out) + post] = found
        labels.append(np.array(part.labels, np.float64))
        scores.append(verdicts.scores)
        actions.append(taken)
        languages.append(verdicts.languages.astype(np.int64))
        out.with_error += len(verdicts.errors)
        out.ids += part.ids
        out.places += part.places
        out.gold_sub_labels += part.sub_labels
        out.gold_stances += part.stances
        if keep_texts:
            out.texts += part.texts
        for row in zip(part.ids, part.texts, part.labels, strict=True):
            digest.update(repr(row).encode("ascii", "backslashreplace"))
        if progress is not None:
            counts = np.bincount(verdicts.actions, minlength=len(ACTIONS)).tolist()
            progress(dict(zip(ACTIONS, counts, strict=True)))
    out.labels, out.scores = np.concatenate(labels), np.concatenate(scores)
    out.actions, out.languages = np.concatenate(actions), np.concatenate(languages)
    out.digest = f"sha256:{digest.hexdigest()}"
    return out


@contextmanager
def without_rules(moderator: Moderator) -> Iterator[Moderator]:
    """Give the same engine without rules, in which the classifier may block by itself.

    It reads through the same folds and decides at the same operating points. Its rules folder is a
    temporary one: the engine is good for the `with` block only.
    """
    rules = moderator.rules
    assert rules is not None
    with TemporaryDirectory(prefix="moderation-") as name:
        folder = Path(name)
        policy = (rules / "policy.yaml").read_text("utf-8")
        alone = "classifier_alone: block"
        text = _ALONE.sub(alone, policy)
        if text == policy and alone not in policy:
            text = f"{policy.rstrip()}\n{alone}\n"
        (folder / "policy.yaml").write_text(text, "utf-8")
        shutil.copytree(rules / "fold", folder / "fold")
        if (rules / "cues.yaml").is_file():
            shutil.copy(rules / "cues.yaml", folder / "cues.yaml")
        yield replace(moderator, rules=folder)
