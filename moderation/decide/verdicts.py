"""Verdicts: the answers for a batch, column by column, with objects made on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from moderation.decide.json_lines import json_lines
from moderation.decide.labels import ACTION, POST
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.decide.labels import LabelTable
    from moderation.types import PolicyRef

__all__ = ["Verdicts"]


@dataclass(frozen=True, slots=True)
class Verdicts(Sequence[Verdict]):
    """One verdict a post, in the order of the posts.

    Attributes:
        scores: float64, shape (posts, policies), rounded calibrated probabilities.
        actions: uint8, shape (posts,), indices into ACTIONS.
        risks: uint8, shape (posts,), indices into RISK_LEVELS.
        languages: uint8, shape (posts,), indices into LANGUAGES.
        labels: labels by post, only for posts that have any.
        errors: what went wrong, by post.
        policy: region and rules behind the verdicts.
        model: model reference.
        tiers: uint8, shape (posts,), indices into `tier_names`: what scored each post.
        tier_names: names of the tiers.
        data_ids: the posts' own ids, or None.
    """

    scores: NDArray[np.float64]
    actions: NDArray[np.uint8]
    risks: NDArray[np.uint8]
    languages: NDArray[np.uint8]
    labels: LabelTable
    policy: PolicyRef
    model: str
    tiers: NDArray[np.uint8]
    tier_names: tuple[str, ...]
    errors: dict[int, str] = field(default_factory=dict)
    data_ids: Sequence[str | None] | None = None

    @classmethod
    def of(
        cls,
        scores: NDArray[np.float64],
        languages: NDArray[np.uint8],
        labels: LabelTable,
        policy: PolicyRef,
        model: str,
        tiers: NDArray[np.uint8],
        tier_names: tuple[str, ...],
        errors: dict[int, str],
        data_ids: Sequence[str | None] | None,
    ) -> Verdicts:
        """Return verdicts whose actions and risk levels are those of their strongest labels."""
        actions = np.zeros(len(scores), np.uint8)
        risks = np.zeros(len(scores), np.uint8)
        if len(labels.labels):
            posts = labels.labels[:, POST]
            np.maximum.at(actions, posts, labels.labels[:, ACTION].astype(np.uint8))
            np.maximum.at(risks, posts, labels.risks.astype(np.uint8))
        return cls(
            scores, actions, risks, languages, labels, policy, model, tiers, tier_names, errors,
            data_ids,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.actions)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        if isinstance(index, slice):
            return [self._verdict(i) for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"verdict {index} of {len(self)}")
        return self._verdict(at)

    def _verdict(self, at: int) -> Verdict:
        return Verdict(
            None if self.data_ids is None else self.data_ids[at],
            ACTIONS[self.actions[at]],
            RISK_LEVELS[self.risks[at]],
            LANGUAGES[self.languages[at]],
            dict(zip(POLICIES, self.scores[at].tolist(), strict=True)),
            self.labels.get(at),
            self.policy,
            self.model,
            self.tier_names[self.tiers[at]],
            self.errors.get(at),
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the verdicts as plain objects of the published schema."""
        policy = self.policy.to_dict()
        columns = zip(
            self.data_ids if self.data_ids is not None else [None] * len(self),
            self.actions.tolist(),
            self.risks.tolist(),
            self.languages.tolist(),
            self.scores.tolist(),
            self.tiers.tolist(),
            strict=True,
        )
        return [
            {
                "data_id": data_id,
                "action": ACTIONS[action],
                "risk_level": RISK_LEVELS[risk],
                "language": LANGUAGES[language],
                "category_scores": dict(zip(POLICIES, scores, strict=True)),
                "labels": [label.to_dict() for label in self.labels.get(at)],
                "policy": policy,
                "model": self.model,
                "tier": self.tier_names[tier],
                "error": self.errors.get(at),
            }
            for at, (data_id, action, risk, language, scores, tier) in enumerate(columns)
        ]

    def to_json_lines(self) -> bytes:
        """Return the verdicts as JSON lines, UTF-8, each line ended."""
        return json_lines(self)

    def to_arrow(self) -> Any:
        """Return the verdicts as a pyarrow RecordBatch of `moderation.arrow.OUTPUT_SCHEMA`.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        from moderation.arrow import verdicts_to_arrow

        return verdicts_to_arrow(self)
