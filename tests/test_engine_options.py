"""Moderator: options, folders and pickling."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from engine_support import CASINO_AD
from rule_support import rule, write_rules

from moderation import Moderator
from moderation.errors import ConfigError, ModelError, ModerationError, RuleError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_moderator_travels_to_a_worker(moderator: Moderator):
    data = pickle.dumps(moderator)
    copy = pickle.loads(data)
    assert len(data) < 2000
    assert copy == moderator
    assert copy.check(CASINO_AD) == moderator.check(CASINO_AD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": "mars"}, "unknown region 'mars'; known: cn, global, us"),
        ({"device": "tpu"}, "unknown device 'tpu'; known: auto, cpu, cuda"),
    ],
)
def test_an_unknown_option_lists_the_known_ones(options: dict[str, Any], message: str):
    with pytest.raises(ConfigError) as caught:
        Moderator(**options)
    assert str(caught.value) == message


def test_an_unknown_tier_lists_the_known_ones():
    with pytest.raises(ModerationError, match=r"'wide'.*fast"):
        Moderator(tier="wide")


def test_an_unknown_tier_is_a_mistake_in_the_options():
    with pytest.raises(ConfigError):
        Moderator(tier="wide")


def test_a_missing_model_folder_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "none"))):
        Moderator(model=tmp_path / "none")


def test_a_missing_rules_folder_is_named(tmp_path: Path):
    with pytest.raises(ModerationError, match=re.escape(str(tmp_path / "none"))):
        Moderator(rules=tmp_path / "none")


def test_broken_rules_are_refused_at_once(tmp_path: Path):
    rules = write_rules(tmp_path, rule("broken", any=["teapot"], level="huge"))
    with pytest.raises(RuleError, match=r"gambling/pack.yaml:\d+:\d+: R007 expected one of weak"):
        Moderator(rules=rules)


def test_rules_and_model_may_be_given_as_strings(shipped_rules: Path, shipped_model: Path):
    moderator = Moderator(rules=str(shipped_rules), model=str(shipped_model))  # type: ignore[arg-type]
    assert moderator == Moderator(rules=shipped_rules, model=shipped_model)
