"""Manifest: what a scan's results depend on, and whether another scan's would be the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moderation import __version__
from moderation.errors import ConfigError
from moderation.scan.durable import read_json
from moderation.scan.layout import MANIFEST_NAME, PART_PREFIX, SUCCESS_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.engine import Moderator
    from moderation.scan.options import ScanOptions
    from moderation.scan.plan import Shard
    from moderation.scan.sinks import SinkSpec
    from moderation.scan.source import Source

__all__ = ["Manifest", "scanned_with", "unfinished"]

SCHEMA: Final = "moderation-scan/1"
_NAMES: Final = {"as_of": "day whose rules count (--as-of)", "engine": "engine version"}
_MOST_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of _manifest.json."""

    settings: dict[str, Any]
    """Engine, rules, model and options."""
    inputs: tuple[dict[str, Any], ...]
    """One entry a shard; see `Shard.to_dict`."""

    @classmethod
    def of(
        cls,
        moderator: Moderator,
        options: ScanOptions,
        spec: SinkSpec,
        shards: Sequence[Shard],
    ) -> Manifest:
        """Describe a scan."""
        settings = {
            "engine": __version__,
            "rules": moderator.policy_ref.bundle,
            "model": moderator.model_ref,
            "region": moderator.region,
            "tier": moderator.tier,
            "device": moderator.device,
            "as_of": str(moderator.as_of),
            "options": {
                "format": spec.format,
                "compression": spec.compression,
                "with_text": spec.with_text,
                **options.to_dict(),
            },
        }
        return cls(settings, tuple(shard.to_dict() for shard in shards))

    @classmethod
    def from_dict(cls, found: dict[str, Any], name: object) -> Manifest:
        """Return what `to_dict` returned.

        Raises:
            ConfigError: it is the manifest of something else.
        """
        complete = isinstance(found.get("inputs"), list) and "as_of" in found
        if found.get("schema") != SCHEMA or not complete:
            raise ConfigError(
                f"{name}: expected the manifest of a scan ({SCHEMA}), found {found.get('schema')!r}"
            )
        settings = {key: found[key] for key in found if key not in {"schema", "inputs"}}
        return cls(settings, tuple(found["inputs"]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain objects."""
        return {"schema": SCHEMA, **self.settings, "inputs": list(self.inputs)}

    def differences(self, earlier: Manifest, retried: frozenset[int] = frozenset()) -> list[str]:
        """Return what makes results of this scan differ from those of an earlier one.

        Args:
            earlier: what a scan was started with.
            retried: shards that failed then and are scanned anew, whatever they hold now.
        """
        ours, theirs = _flat(self.settings), _flat(earlier.settings)
        found = [
            f"{_NAMES.get(name, name)}: expected {theirs.get(name)!r}, found {ours.get(name)!r}"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
        if len(self.inputs) != len(earlier.inputs):
            counts = f"{len(earlier.inputs)}, found {len(self.inputs)}"
            found.append(f"number of inputs: expected {counts}")
        for shard, (new, old) in enumerate(zip(self.inputs, earlier.inputs, strict=False)):
            if new["source"] != old["source"]:
                found.append(f"input {shard}: expected {old['source']!r}, found {new['source']!r}")
                break
            if shard in retried or new["sha256"] is None:
                continue
            found += [
                f"{new['source']}: {name}: expected {old[name]}, found {new[name]}"
                for name in ("format", "compression", "sha256")
                if new[name] != old[name]
            ]
        if len(found) > _MOST_TOLD:
            found[_MOST_TOLD:] = [f"and {len(found) - _MOST_TOLD} more"]
        return found


def scanned_with(verdicts: Sequence[Source]) -> tuple[Path, dict[str, Any]] | None:
    """Return the options of the scan that left part files, and the manifest that names them.

    Args:
        verdicts: inputs of verdicts. Those that are no part file in a scan's folder say nothing.

    Raises:
        ConfigError: they were left by scans with different options.
    """
    known: tuple[Path, dict[str, Any]] | None = None
    for folder in _scanned_folders(verdicts):
        path = folder / MANIFEST_NAME
        found = read_json(path)
        if found is None:
            continue
        options = Manifest.from_dict(found, path).settings["options"]
        if known is not None and options != known[1]:
            raise ConfigError(
                f"{path}: expected the options of {known[0]}, found others: take the verdicts of "
                "these scans one by one"
            )
        known = known or (path, options)
    return known


def unfinished(verdicts: Sequence[Source]) -> list[Path]:
    """Return the folders of part files in which a scan has not come to a good end."""
    return [
        folder
        for folder in _scanned_folders(verdicts)
        if (folder / MANIFEST_NAME).is_file() and not (folder / SUCCESS_NAME).is_file()
    ]


def _scanned_folders(verdicts: Sequence[Source]) -> list[Path]:
    paths = [Path(source.name) for source in verdicts]
    return list(dict.fromkeys(p.parent for p in paths if p.name.startswith(PART_PREFIX)))


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in settings.items() if name != "options"},
        **settings.get("options", {}),
    }
