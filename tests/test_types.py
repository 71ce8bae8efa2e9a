"""The vocabulary: values that travel, in the shape that is published."""

from __future__ import annotations

import dataclasses
import json
import pickle

import pytest

from moderation.errors import (
    ConfigError,
    DataNotFoundError,
    MissingExtraError,
    ModelError,
    ModerationError,
    RecordError,
    RuleError,
    ShardError,
)
from moderation.types import (
    ACTIONS,
    INNOCENT_STANCES,
    POLICIES,
    RISK_LEVELS,
    STANCES,
    SUB_LABELS,
    VIOLATING_STANCES,
    Diagnostic,
    Evidence,
    Label,
    PolicyRef,
    Verdict,
)

EVIDENCE = Evidence(4, 11, "gambling.zh.top-up", "keyword", ("homophone", "noise"))
LABEL = Label(
    "gambling", "gambling.promotion", "block", 0.9931, 0.90, "offer", (EVIDENCE,)
)  # fmt: skip
VERDICT = Verdict(
    "n123",
    "block",
    "high",
    "mixed",
    {"porn": 0.0004, "drugs": 0.0011, "gambling": 0.9931},
    (LABEL,),
    PolicyRef("cn", "sha256:1f"),
    "default@1.0.0:sha256:2e",
    "fast",
)


def test_scales_run_from_weak_to_strong():
    assert ACTIONS == ("pass", "review", "block")
    assert RISK_LEVELS == ("none", "low", "medium", "high")


def test_every_sub_label_belongs_to_its_policy():
    assert tuple(SUB_LABELS) == POLICIES == ("porn", "drugs", "gambling")
    for policy, sub_labels in SUB_LABELS.items():
        assert all(name.startswith(f"{policy}.") for name in sub_labels)


def test_a_stance_is_violating_innocent_or_none():
    assert set(VIOLATING_STANCES).isdisjoint(INNOCENT_STANCES)
    assert set(STANCES) == {*VIOLATING_STANCES, *INNOCENT_STANCES, "none"}


def test_a_diagnostic_names_file_and_line():
    assert str(Diagnostic("R004", "unknown field 'x'", "porn/zh.yaml", 7)) == (
        "porn/zh.yaml:7: R004 unknown field 'x'"
    )


def test_a_diagnostic_about_a_whole_file_has_no_line():
    assert (
        str(Diagnostic("R001", "cannot be read", "cues.yaml")) == "cues.yaml: R001 cannot be read"
    )


def test_a_verdict_becomes_the_published_object():
    assert VERDICT.to_dict() == {
        "data_id": "n123",
        "action": "block",
        "risk_level": "high",
        "language": "mixed",
        "category_scores": {"porn": 0.0004, "drugs": 0.0011, "gambling": 0.9931},
        "labels": [
            {
                "label": "gambling",
                "sub_label": "gambling.promotion",
                "action": "block",
                "score": 0.9931,
                "threshold": 0.90,
                "stance": "offer",
                "evidence": [
                    {
                        "start": 4,
                        "end": 11,
                        "rule_id": "gambling.zh.top-up",
                        "hit_type": "keyword",
                        "transforms": ["homophone", "noise"],
                    }
                ],
            }
        ],
        "policy": {"region": "cn", "bundle": "sha256:1f"},
        "model": "default@1.0.0:sha256:2e",
        "tier": "fast",
        "error": None,
    }


def test_json_keeps_the_published_order_of_keys():
    line = VERDICT.to_json()
    assert list(json.loads(line)) == [
        "data_id", "action", "risk_level", "language", "category_scores", "labels", "policy",
        "model", "tier", "error",
    ]  # fmt: skip
    assert json.loads(line) == VERDICT.to_dict()
    assert "\n" not in line


def test_json_keeps_chinese_readable():
    assert '"error":"文本为空"' in dataclasses.replace(VERDICT, error="文本为空").to_json()


def test_evidence_names_its_field_only_where_a_post_has_several():
    assert "field" not in EVIDENCE.to_dict()
    assert dataclasses.replace(EVIDENCE, field="title").to_dict()["field"] == "title"


def test_a_verdict_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VERDICT.action = "pass"  # type: ignore[misc]


def test_a_verdict_travels_between_processes():
    assert pickle.loads(pickle.dumps(VERDICT)) == VERDICT


ERRORS = [
    ConfigError("unknown region 'mars'"),
    DataNotFoundError("no folder"),
    ModelError("model.onnx: missing"),
    RuleError([Diagnostic("R004", "unknown field", "a.yaml", 3)]),
    RecordError("not-json", "line 3"),
    ShardError("posts.gz: truncated"),
    MissingExtraError("pyarrow", "arrow"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_one_except_clause_catches_every_error(error: Exception):
    assert isinstance(error, ModerationError)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_error_travels_between_processes(error: Exception):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_a_rule_error_lists_every_diagnostic():
    error = RuleError(
        [Diagnostic("R004", "unknown field", "a.yaml", 3), Diagnostic("R001", "unread", "b.yaml")]
    )
    assert str(error) == "a.yaml:3: R004 unknown field\nb.yaml: R001 unread"
    assert [d.code for d in error.diagnostics] == ["R004", "R001"]


def test_a_record_error_keeps_its_reason_apart_from_the_detail():
    error = RecordError("not-json", "line 3")
    assert (error.reason, error.detail, str(error)) == ("not-json", "line 3", "not-json: line 3")
    assert str(RecordError("null-text")) == "null-text"


def test_a_missing_extra_names_the_pip_command():
    assert str(MissingExtraError("pyarrow", "arrow")) == (
        "pyarrow is not installed: pip install 'moderation-engine[arrow]'"
    )
