"""Profiles: what rules/policy.yaml says follows from the evidence, per region."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from moderation import cache
from moderation.errors import ConfigError

__all__ = ["POLICY_FILE", "Profile", "StanceCeiling", "load_profiles", "profile_for"]

POLICY_FILE: Final = "policy.yaml"
_READERS: Final = ("types.py", "decide/profile.py", "decide/policy_file.py", "rules/source.py")
"""Code that decides what is read from the file."""


@dataclass(frozen=True, slots=True)
class StanceCeiling:
    """The strongest action under an innocent stance."""

    action: str
    escalate_at: float
    """Classifier probability from which the ceiling becomes review."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One region's answer to the evidence."""

    region: str
    title: str
    classifier_alone: str
    """The strongest action where no rule found anything."""
    rule_floor: dict[str, float]
    """By rule level: the least probability a hit lifts a post to."""
    stances: dict[str, StanceCeiling]
    ceiling: dict[str, str]
    """By sub-label: the strongest action."""
    always: dict[str, str]
    """By sub-label: the action whenever a rule finds it."""
    model_stance_at: float | None = None
    """Probability from which an innocent stance that the model reads in a post lowers what the
    classifier alone brings about: block to review, review to pass. None: never."""


def profile_for(rules_folder: Path, region: str) -> Profile:
    """Return a region's profile.

    Raises:
        ConfigError: the region is not in policy.yaml; the message lists those that are.
        RuleError: policy.yaml is malformed.
    """
    profiles = load_profiles(rules_folder)
    if region not in profiles:
        raise ConfigError(f"unknown region {region!r}; known: {', '.join(sorted(profiles))}")
    return profiles[region]


def load_profiles(rules_folder: Path) -> dict[str, Profile]:
    """Read rules/policy.yaml.

    Raises:
        RuleError: with a diagnostic for every mistake.
    """
    path = rules_folder / POLICY_FILE
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _load(rules_folder, stamp)


@lru_cache(maxsize=8)
def _load(rules_folder: Path, stamp: int) -> dict[str, Profile]:
    """Return the profiles that were read from the same bytes before, or read them."""
    try:
        key = _key((rules_folder / POLICY_FILE).read_bytes())
    except OSError:
        return _read(rules_folder)  # which says what is wrong
    known = cache.load("policy", key)
    if known is not None:
        with suppress(msgspec.MsgspecError):
            return msgspec.msgpack.decode(known, type=dict[str, Profile])
    profiles = _read(rules_folder)
    with suppress(UnicodeEncodeError):  # a lone surrogate in a title is not kept
        cache.store("policy", key, msgspec.msgpack.encode(profiles))
    return profiles


def _read(rules_folder: Path) -> dict[str, Profile]:
    from moderation.decide.policy_file import read_profiles  # it takes YAML's parser to read

    return read_profiles(rules_folder)


def _key(written: bytes) -> str:
    """Return what a file's profiles depend on: what it says, and the code that reads it."""
    digest = hashlib.sha256(written)
    for name in _READERS:
        digest.update((Path(__file__).parents[1] / name).read_bytes())
    return digest.hexdigest()
