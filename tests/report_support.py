"""What the tests of moderate report and moderate redact share: made-up verdicts and posts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "</p></details></section><script>alert(1)</script><img src=x onerror=alert(2)>"
    "<svg onload=alert(3)>\"'&{}%s\u202e\u2066\x1b[31m<style>*{display:none}</style>"
)
RULE = "gambling.zh.top-up"
MINORS = "porn.zh.minors-made-up"
MODEL = "made-up@1.0.0:sha256:00"


def evidence(start: int, end: int, rule_id: str | None = RULE, **more: Any) -> dict[str, Any]:
    row = {"start": start, "end": end, "rule_id": rule_id, "hit_type": "keyword", "transforms": []}
    return row | ({"hit_type": "model"} if rule_id is None else {}) | more


def label(policy: str = "gambling", *spans: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "label": policy,
        "sub_label": f"{policy}.promotion" if policy == "gambling" else None,
        "action": "block",
        "score": 0.97,
        "threshold": 0.9,
        "stance": "offer",
        "evidence": list(spans),
    } | more


def verdict(data_id: str | None, *labels: dict[str, Any], **more: Any) -> dict[str, Any]:
    actions = [each["action"] for each in labels]
    action = next((a for a in ("block", "review") if a in actions), "pass")
    scores = dict.fromkeys(POLICIES, 0.01) | {
        each["label"]: each["score"] for each in labels if each["label"] in POLICIES
    }
    return {
        "data_id": data_id,
        "action": action,
        "risk_level": {"pass": "low" if labels else "none", "review": "medium", "block": "high"}[
            action
        ],
        "language": "zh",
        "category_scores": scores,
        "labels": list(labels),
        "policy": {"region": "cn", "bundle": "sha256:11"},
        "model": MODEL,
        "tier": "fast",
        "error": None,
    } | more


def write_lines(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path
