"""The vocabulary of the engine: policies, stances, actions, evidence, verdicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ACTIONS",
    "INNOCENT_STANCES",
    "LANGUAGES",
    "NOT_SHOWN",
    "NO_TIER",
    "POLICIES",
    "RISK_LEVELS",
    "SCORE_DECIMALS",
    "SCREEN",
    "SEVERITIES",
    "STANCES",
    "SUB_LABELS",
    "UNSHOWN_SUB_LABEL",
    "VIOLATING_STANCES",
    "Diagnostic",
    "Evidence",
    "Label",
    "PolicyRef",
    "Verdict",
    "is_unshown",
]

POLICIES: Final = ("porn", "drugs", "gambling")
SUB_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "porn": (
        "porn.explicit",
        "porn.solicitation",
        "porn.resources",
        "porn.innuendo",
        "porn.minors",
    ),
    "drugs": ("drugs.sale", "drugs.seeking", "drugs.use", "drugs.making"),
    "gambling": (
        "gambling.promotion",
        "gambling.tips",
        "gambling.recruiting",
        "gambling.seeking",
    ),
}
UNSHOWN_SUB_LABEL: Final = "porn.minors"
"""Words found for this sub-label are never printed, only where they stand."""
NOT_SHOWN: Final = "(not shown)"
VIOLATING_STANCES: Final = ("offer", "seek", "engage", "instruct")
INNOCENT_STANCES: Final = ("explain", "warn", "report", "recover", "figurative")
STANCES: Final = (*VIOLATING_STANCES, *INNOCENT_STANCES, "none")
LANGUAGES: Final = ("zh", "en", "mixed", "other")
ACTIONS: Final = ("pass", "review", "block")
"""Ordered: a later action is the stronger one."""
RISK_LEVELS: Final = ("none", "low", "medium", "high")
SEVERITIES: Final = ("low", "medium", "high")
"""What a rule may set a label's part in the risk level to; ordered."""
NO_TIER: Final = "none"
"""The tier of a post that no tier of the model was asked about."""
SCREEN: Final = "screen"
"""The tier of a post that the model's screen let go."""
SCORE_DECIMALS: Final = 4
"""Scores are rounded to this many decimals before anything is decided on them."""

Action = Literal["pass", "review", "block"]
HitType = Literal["keyword", "regex", "model"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing wrong with a file a person wrote."""

    code: str
    """Stable code: R… the file does not compile, L… the lint has something to say."""
    message: str
    path: str
    line: int = 0
    """1-based; 0 when the whole file is meant."""
    column: int = 0
    """1-based, in code points; 0 when the whole line is meant."""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = self.path
        if self.line:
            where += f":{self.line}"
            if self.column:
                where += f":{self.column}"
        kind = "warning: " if self.severity == "warning" else ""
        return f"{where}: {self.code} {kind}{self.message}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the original text that speaks for a label."""

    start: int
    """First code point, in the original text (of the field, when `field` is set)."""
    end: int
    """One past the last code point."""
    rule_id: str | None
    hit_type: HitType
    transforms: tuple[str, ...] = ()
    """The folds without which the rule would not have matched."""
    field: str | None = None
    """Name of the text field, when a post has several."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the verdict schema."""
        out: dict[str, Any] = {
            "start": self.start,
            "end": self.end,
            "rule_id": self.rule_id,
            "hit_type": self.hit_type,
            "transforms": list(self.transforms),
        }
        if self.field is not None:
            out["field"] = self.field
        return out


@dataclass(frozen=True, slots=True)
class Label:
    """What the engine concluded about one policy, for one post."""

    label: str
    sub_label: str | None
    action: Action
    score: float
    threshold: float
    """Operating point the score was held against: of `action`, or of review when it passes."""
    stance: str
    evidence: tuple[Evidence, ...] = ()
    severity: str | None = None
    """One of SEVERITIES where the rules behind the action set one; not part of the JSON."""

    def with_evidence(self, evidence: tuple[Evidence, ...]) -> Label:
        """Return the same label with other evidence."""
        return Label(
            self.label, self.sub_label, self.action, self.score, self.threshold, self.stance,
            evidence, self.severity,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the verdict schema."""
        return {
            "label": self.label,
            "sub_label": self.sub_label,
            "action": self.action,
            "score": self.score,
            "threshold": self.threshold,
            "stance": self.stance,
            "evidence": [e.to_dict() for e in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Names the rules and the region profile behind a verdict."""

    region: str
    bundle: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON object of the verdict schema."""
        return {"region": self.region, "bundle": self.bundle}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The engine's answer for one post. The post's text is not part of it."""

    data_id: str | None
    action: Action
    risk_level: str
    language: str
    category_scores: dict[str, float]
    labels: tuple[Label, ...]
    policy: PolicyRef
    model: str
    tier: str
    """What scored the post: a tier of the model, `screen`, or `none` where nothing was asked."""
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as the plain objects of the published schema."""
        return {
            "data_id": self.data_id,
            "action": self.action,
            "risk_level": self.risk_level,
            "language": self.language,
            "category_scores": dict(self.category_scores),
            "labels": [label.to_dict() for label in self.labels],
            "policy": self.policy.to_dict(),
            "model": self.model,
            "tier": self.tier,
            "error": self.error,
        }

    def to_json(self) -> str:
        """Return the verdict as one line of JSON, keys in the published order."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))


def is_unshown(labels: Iterable[Label]) -> bool:
    """Say whether the words of a post with these labels are never printed.

    Under an innocent stance another sub-label may be named, so the rules' ids count as well.
    """
    return any(
        label.sub_label == UNSHOWN_SUB_LABEL
        or any(".minors" in (span.rule_id or "") for span in label.evidence)
        for label in labels
    )
