"""Write a fitted model as a complete folder: graphs, tables, digests, card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.adaptation.graph import HEAD_INPUT, head_graph, with_features
from moderation.classifier.manifest import MANIFEST_NAME
from moderation.errors import ConfigError
from moderation.rules import LEVELS
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from moderation.adaptation.fit import Outcome, Tables

__all__ = ["check_target", "write_folder"]

CARD_NAME = "MODEL_CARD.md"
BASE_CARD_NAME = "BASE_MODEL_CARD.md"


def check_target(out: Path) -> None:
    """Refuse a folder that already holds something.

    Raises:
        ConfigError: it does, or something else has its name.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: expected a new or empty folder")


def write_folder(
    out: Path, base: Path, outcome: Outcome, *, name: str, card: str, provenance: dict[str, Any]
) -> None:
    """Write a model folder; it appears complete or not at all.

    Args:
        out: folder to make.
        base: folder of the model it came from.
        outcome: what was fitted.
        name: of the model.
        card: MODEL_CARD.md.
        provenance: what goes into the manifest for people.
    """
    content = json.loads((base / MANIFEST_NAME).read_bytes())
    screen = content.pop("screen", None)
    if screen is not None:  # it was fitted to the tier as it was before
        del content["files"][screen["file"]]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as made:
        folder = Path(made) / "model"
        folder.mkdir()
        for file in content["files"]:
            shutil.copyfile(base / file, folder / file)
        for tier, fits in outcome.fits.items():
            if any(found is not None for found in fits):
                _add_head(folder, content, tier, outcome)
        for key, table in _sections(outcome.tables).items():
            known = content.get(key, {})
            by_tier = known if not known.keys() <= set(POLICIES) else _by_tier(content, key, known)
            content[key] = by_tier | table
        content |= {"name": name, "provenance": provenance}
        content["files"] = {file: _digest(folder / file) for file in content["files"]}
        if (base / CARD_NAME).is_file():
            shutil.copyfile(base / CARD_NAME, folder / BASE_CARD_NAME)
        (folder / CARD_NAME).write_text(card, encoding="utf-8")
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        os.replace(folder, out)  # noqa: PTH105  (Path.replace says the same)


def _add_head(folder: Path, content: dict[str, Any], tier: str, outcome: Outcome) -> None:
    spec = content["tiers"][tier]
    graph = folder / spec["graph"]
    graph.write_bytes(with_features(graph.read_bytes(), graph.name))
    blocks = outcome.blocks[tier]
    name = "head.onnx" if len(outcome.fits) == 1 else f"head-{tier}.onnx"
    (folder / name).write_bytes(head_graph(outcome.fits[tier], blocks))
    spec["head"] = {
        "graph": name,
        "inputs": [{"name": HEAD_INPUT, "kind": "tokens", "padding": len(blocks.idf)}],
    }
    content["files"][name] = {}


def _by_tier(content: dict[str, Any], key: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest's table by policy as tables by tier; see `manifest._by_tier`."""
    if key != "rule_weights":
        return {"fast": table}
    return dict.fromkeys(
        [*content["tiers"], *(["cascade"] if content.get("cascade") else [])], table
    )


def _sections(tables: dict[str, Tables]) -> dict[str, dict[str, Any]]:
    """Return calibration, operating points and rule weights as a manifest holds them."""
    sections: dict[str, dict[str, Any]] = {
        "calibration": {}, "rule_weights": {}, "operating_points": {}
    }  # fmt: skip
    for tier, found in tables.items():
        scale, points = np.round(found.scale, 6), np.round(found.points, 4)
        rules = np.round(found.rules, 4).tolist()
        sections["calibration"][tier] = _cells(scale, ("slope", "offset"))
        sections["operating_points"][tier] = _cells(points, ("review", "block"))
        sections["rule_weights"][tier] = {
            policy: dict(zip(LEVELS, rules[at], strict=True)) for at, policy in enumerate(POLICIES)
        }
    return sections


def _cells(values: Any, names: tuple[str, str]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        policy: {
            language: dict(zip(names, values[number, at].tolist(), strict=True))
            for number, language in enumerate(LANGUAGES)
        }
        for at, policy in enumerate(POLICIES)
    }


def _digest(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    return {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
