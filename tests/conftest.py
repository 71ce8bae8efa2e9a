"""Fixtures of the whole suite: the shipped rules and model, loaded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from rule_support import context, rule, write_rules

from moderation import Moderator
from moderation.resources import data_root
from moderation.rules import load_ruleset
from moderation.text import load_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moderation.rules import Ruleset
    from moderation.text import FoldTable

settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled rules out of the user's own cache; a later test finds an earlier one's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shipped_rules() -> Path:
    return data_root() / "rules"


@pytest.fixture(scope="session")
def shipped_model() -> Path:
    return data_root() / "models" / "default"


@pytest.fixture(scope="session")
def table(shipped_rules: Path) -> FoldTable:
    return load_table(shipped_rules)


@pytest.fixture(scope="session")
def ruleset(shipped_rules: Path) -> Ruleset:
    return load_ruleset(shipped_rules)


@pytest.fixture(scope="session")
def moderator() -> Moderator:
    return Moderator()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Moderator:
    """Return a moderator with a few made-up rules and the shipped model."""
    folder = tmp_path_factory.mktemp("small")
    return Moderator(
        rules=write_rules(
            folder,
            rule("sale", any=["teapot", "小茶壶", "dolls"], exceptions=["小茶壶盖"]),
            rule("slow", any=[{"regex": "(?:w|ww)+(?<!ww)[qz]", "require": ["start"]}]),
            rule("late", any=[{"regex": "(?:v|vv)+(?<!vv)[qz]", "require": ["begin"]}]),
            context("beware", "warn", any=["beware"]),
        )
    )
