"""What the tests of the engine share: posts, the published shape of a verdict, and its evidence."""

import re
from typing import Any

from moderation import Evidence, Moderator, Verdict
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS, STANCES, SUB_LABELS

CASINO_AD = "Best online casino, sign up bonus 100 free spins, DM me on telegram @lucky777 now"
CHIPS_AD = "老板要上下分找客服 加V：abc88666 秒到账"
COFFEE = "今天喝了一杯咖啡，天气真好"
AWKWARD = [
    "",
    " ",
    "\n\n",
    "\u200b\ufeff",
    "\x00",
    "nul \x00 in the middle",
    "\ud800",
    "lone \udfff surrogate",
    "\ud83c\udfb0 split pair",
    "🎰" * 50,
    "e\u0301" * 30,
    "\u202eright to left\u202c",
    "㎏㎡ﷺ",
    "a" * 2000,
    "，。！？" * 20,
    "\U0010ffff\U000e0001",
]


def assert_published(row: dict[str, Any]) -> None:
    """Hold a verdict against the schema of the design."""
    assert list(row) == [
        "data_id", "action", "risk_level", "language", "category_scores", "labels", "policy",
        "model", "tier", "error",
    ]  # fmt: skip
    assert row["data_id"] is None or isinstance(row["data_id"], str)
    assert row["action"] in ACTIONS
    assert row["risk_level"] in RISK_LEVELS
    assert row["language"] in LANGUAGES
    assert list(row["category_scores"]) == list(POLICIES)
    for score in row["category_scores"].values():
        assert isinstance(score, float)
        assert 0 <= score <= 1
        assert score == round(score, 4)
    names = [label["label"] for label in row["labels"]]
    assert names == [policy for policy in POLICIES if policy in names]
    for label in row["labels"]:
        assert list(label) == [
            "label", "sub_label", "action", "score", "threshold", "stance", "evidence",
        ]  # fmt: skip
        assert label["sub_label"] is None or label["sub_label"] in SUB_LABELS[label["label"]]
        assert label["action"] in ACTIONS
        assert label["stance"] in STANCES
        assert label["threshold"] == round(label["threshold"], 4)
        assert label["evidence"]
        for piece in label["evidence"]:
            assert list(piece) == ["start", "end", "rule_id", "hit_type", "transforms"]
            assert piece["hit_type"] in {"keyword", "regex", "model"}
            assert (piece["rule_id"] is None) is (piece["hit_type"] == "model")
            assert piece["transforms"] == sorted(set(piece["transforms"]))
    assert list(row["policy"]) == ["region", "bundle"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", row["policy"]["bundle"])
    assert re.fullmatch(r"[a-z0-9-]+@\d+\.\d+\.\d+:sha256:[0-9a-f]{64}", row["model"])
    assert row["tier"] in {"none", "screen", "fast"}
    assert row["error"] is None or isinstance(row["error"], str)


def found_by_rules(verdict: Verdict) -> list[Evidence]:
    """Return the evidence that rules gave."""
    return [e for label in verdict.labels for e in label.evidence if e.rule_id is not None]


def evidence(moderator: Moderator, post: str) -> list[str]:
    """Return the stretches of a post that rules point at."""
    return [post[e.start : e.end] for e in found_by_rules(moderator.check(post))]
