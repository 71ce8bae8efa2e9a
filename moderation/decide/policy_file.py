"""Policy file: rules/policy.yaml read into profiles, every mistake with its line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from moderation.decide.profile import POLICY_FILE, Profile, StanceCeiling
from moderation.errors import RuleError
from moderation.rules.source import Reader, SourceFile
from moderation.types import ACTIONS, INNOCENT_STANCES, SUB_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

__all__ = ["read_profiles"]

_SCHEMA: Final = 1
_ALONE: Final = "review"
_ALL_SUB_LABELS: Final = tuple(s for group in SUB_LABELS.values() for s in group)


def read_profiles(rules_folder: Path) -> dict[str, Profile]:
    """Read the policy file of a rules folder.

    Raises:
        RuleError: with a diagnostic for every mistake.
    """
    reader = Reader(rules_folder)
    source = reader.open(rules_folder / POLICY_FILE)
    profiles: dict[str, Profile] = {}
    if source is not None:
        wanted = ("schema", "rule_floor", "stances", "regions")
        optional = ("classifier_alone", "model_stance_at")
        fields = source.fields(source.node, (*wanted, *optional), wanted)
        if all(key in fields for key in wanted):
            source.integer(fields["schema"], _SCHEMA, _SCHEMA)
            floors = _floors(source, fields["rule_floor"])
            stances = _stances(source, fields["stances"])
            alone: str | None = _ALONE
            if "classifier_alone" in fields:
                alone = source.string(fields["classifier_alone"], ACTIONS)
            stance_at = None
            if "model_stance_at" in fields:
                stance_at = source.number(fields["model_stance_at"], 0.0, 1.0)
            for region, node in _mapping(source, fields["regions"]).items():
                made = _region(source, region, node, alone or _ALONE, floors, stances)
                profiles[region] = replace(made, model_stance_at=stance_at)
            if not profiles:
                source.report("R006", "expected at least one region", fields["regions"])
    if reader.diagnostics:
        raise RuleError(reader.diagnostics)
    return profiles


def _mapping(source: SourceFile, node: yaml.Node) -> dict[str, yaml.Node]:
    pairs = node.value if isinstance(node.value, list) else []
    keys = [str(k.value) for k, _ in (p for p in pairs if isinstance(p, tuple))]
    return source.fields(node, keys)


def _floors(source: SourceFile, node: yaml.Node) -> dict[str, float]:
    levels = ("strong", "medium")
    fields = source.fields(node, levels, levels)
    found = {level: source.number(value, 0.0, 1.0) for level, value in fields.items()}
    return {level: value for level, value in found.items() if value is not None}


def _stances(source: SourceFile, node: yaml.Node) -> dict[str, StanceCeiling]:
    ceilings: dict[str, StanceCeiling] = {}
    for stance, value in source.fields(node, INNOCENT_STANCES, INNOCENT_STANCES).items():
        fields = source.fields(value, ("action", "escalate_at"), ("action", "escalate_at"))
        if len(fields) == 2:
            action = source.string(fields["action"], ACTIONS)
            limit = source.number(fields["escalate_at"], 0.0, 1.0)
            if action is not None and limit is not None:
                ceilings[stance] = StanceCeiling(action, limit)
    return ceilings


def _region(
    source: SourceFile,
    region: str,
    node: yaml.Node,
    alone: str,
    floors: dict[str, float],
    stances: dict[str, StanceCeiling],
) -> Profile:
    fields = source.fields(node, ("title", "ceiling", "always"), ("title",))
    title = source.string(fields["title"]) if "title" in fields else None
    tables: dict[str, dict[str, str]] = {"ceiling": {}, "always": {}}
    for key, table in tables.items():
        if key in fields:
            for sub_label, value in source.fields(fields[key], _ALL_SUB_LABELS).items():
                action = source.string(value, ACTIONS)
                if action is not None:
                    table[sub_label] = action
    return Profile(region, title or "", alone, floors, stances, tables["ceiling"], tables["always"])
