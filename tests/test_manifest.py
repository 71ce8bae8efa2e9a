"""The manifest of a model: a folder whose files are not what it says is refused by name."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from moderation import Moderator
from moderation.classifier import SessionOptions, load_model, read_manifest, verify_files
from moderation.errors import ModelError
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GRAPH = b"a made-up graph"
TOKENIZER = b"a made-up tokenizer"


def entry(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def manifest() -> dict[str, Any]:
    """Return a small manifest that is in order."""
    point = {"review": 0.5, "block": 0.9}
    scale = {"slope": 1.0, "offset": 0.0}
    return {
        "schema": 1,
        "name": "small",
        "version": "1.2.3",
        "tiers": {"fast": {"graph": "m.onnx", "tokenizer": "t.model", "inputs": []}},
        "files": {"m.onnx": entry(GRAPH), "t.model": entry(TOKENIZER)},
        "calibration": {p: dict.fromkeys(LANGUAGES, scale) for p in POLICIES},
        "rule_weights": {p: {"strong": 3.0} for p in POLICIES},
        "operating_points": {p: dict.fromkeys(LANGUAGES, point) for p in POLICIES},
        "fold_table": "0" * 64,
    }


def small_model(folder: Path, **changes: Any) -> Path:
    (folder / "m.onnx").write_bytes(GRAPH)
    (folder / "t.model").write_bytes(TOKENIZER)
    (folder / "manifest.json").write_text(json.dumps(manifest() | changes))
    return folder


def refusal(folder: Path) -> str:
    """Return the message with which a folder is refused."""
    with pytest.raises(ModelError) as caught:
        verify_files(folder, read_manifest(folder)[0])
    return str(caught.value)


def test_a_folder_in_order_is_accepted(tmp_path: Path):
    read, digest = read_manifest(small_model(tmp_path))
    verify_files(tmp_path, read)
    assert (read.name, read.version) == ("small", "1.2.3")
    raw = (tmp_path / "manifest.json").read_bytes()
    assert digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"


def test_the_shipped_model_is_in_order(shipped_model: Path):
    verify_files(shipped_model, read_manifest(shipped_model)[0])


def test_shipped_operating_points_rise_from_review_to_block(shipped_model: Path):
    points = read_manifest(shipped_model)[0].operating_points["fast"]
    for policy in POLICIES:
        for language in LANGUAGES:
            point = points[policy][language]
            assert 0 < point.review <= point.block <= 1, (policy, language)


@pytest.mark.parametrize("policy", ["porn", "drugs", "gambling"])
def test_shipped_rule_weights_rise_with_the_level(shipped_model: Path, policy: str):
    weights = read_manifest(shipped_model)[0].rule_weights["fast"][policy]
    assert 0 <= weights["weak"] <= weights["medium"] <= weights["strong"]


def test_the_shipped_model_was_trained_behind_the_shipped_folds(
    shipped_model: Path, shipped_rules: Path
):
    table = (shipped_rules / "fold" / "base.npz").read_bytes()
    expected = hashlib.sha256(table).hexdigest()
    assert read_manifest(shipped_model)[0].fold_table.removeprefix("sha256:") == expected


def test_a_missing_manifest_is_named(tmp_path: Path):
    assert refusal(tmp_path) == (
        f"{tmp_path / 'manifest.json'}: cannot be read: No such file or directory"
    )


@pytest.mark.parametrize("name", ["m.onnx", "t.model"])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    (small_model(tmp_path) / name).unlink()
    assert refusal(tmp_path) == (
        f"{tmp_path / name}: listed in the manifest, No such file or directory"
    )


def test_a_file_of_another_size_is_named_with_both_sizes(tmp_path: Path):
    (small_model(tmp_path) / "m.onnx").write_bytes(GRAPH + b"!")
    assert refusal(tmp_path) == (
        f"{tmp_path / 'm.onnx'}: expected {len(GRAPH)} bytes, found {len(GRAPH) + 1}"
    )


def test_an_altered_file_is_named_with_both_digests(tmp_path: Path):
    altered = GRAPH.replace(b"a", b"b")
    (small_model(tmp_path) / "m.onnx").write_bytes(altered)
    expected, found = entry(GRAPH)["sha256"], entry(altered)["sha256"]
    assert refusal(tmp_path) == f"{tmp_path / 'm.onnx'}: expected sha256 {expected}, found {found}"


@pytest.mark.parametrize("name", ["../m.onnx", "/etc/hostname", "sub/m.onnx"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str):
    small_model(tmp_path, files=manifest()["files"] | {name: entry(b"")})
    assert refusal(tmp_path) == f"{tmp_path / 'manifest.json'}: {name!r} is not a plain file name"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Input data was truncated"),
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"\xff", "JSON is malformed: invalid character (byte 0)"),
        (b"{}", "Object missing required field `schema`"),
    ],
)
def test_a_malformed_manifest_is_named(tmp_path: Path, content: bytes, reason: str):
    (small_model(tmp_path) / "manifest.json").write_bytes(content)
    assert refusal(tmp_path) == f"{tmp_path / 'manifest.json'}: not a model manifest: {reason}"


def without(table: dict, *keys: str) -> dict:
    """Return a nested table without one of its entries."""
    first, *rest = keys
    if not rest:
        return {k: v for k, v in table.items() if k != first}
    return table | {first: without(table[first], *rest)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "expected schema 1, found 2"),
        ({"author": "me"}, "not a model manifest: Object contains unknown field `author`"),
        ({"version": 3}, "not a model manifest: Expected `str`, got `int` - at `$.version`"),
        (
            {"calibration": without(manifest()["calibration"], "drugs", "mixed")},
            "calibration lacks fast/drugs/mixed",
        ),
        (
            {"operating_points": without(manifest()["operating_points"], "porn")},
            "operating_points lacks fast/porn/zh, fast/porn/en, fast/porn/mixed, fast/porn/other",
        ),
        ({"files": without(manifest()["files"], "t.model")}, "no digest is given for t.model"),
        ({"tiers": {}}, "expected at least one tier"),
        (
            {"tiers": {"cascade": manifest()["tiers"]["fast"]}},
            "a tier cannot be called cascade: the section of that name makes one",
        ),
        (
            {"tiers": {"fast": manifest()["tiers"]["fast"] | {"rows": 12}}},
            "tier fast: expected rows in multiples of 8, found 12",
        ),
        (
            {"tiers": {"fast": {"graph": "m.onnx", "inputs": []}}},
            "not a model manifest: Object missing required field `tokenizer` - at `$.tiers[...]`",
        ),
    ],
    ids=[
        "schema",
        "unknown",
        "type",
        "calibration",
        "points",
        "digest",
        "none",
        "name",
        "rows",
        "tier",
    ],
)
def test_an_incomplete_manifest_says_what_it_lacks(tmp_path: Path, change: dict, reason: str):
    assert refusal(small_model(tmp_path, **change)) == f"{tmp_path / 'manifest.json'}: {reason}"


@pytest.fixture
def copied(shipped_model: Path, tmp_path: Path) -> Path:
    """Return a copy of the shipped model that a test may damage."""
    return shutil.copytree(shipped_model, tmp_path / "model")


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "cut": lambda data: data[:-1],
    "altered": flip,
}


@pytest.mark.parametrize("part", ["graph", "tokenizer"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_scores_nothing(copied: Path, part: str, damage: str):
    name = getattr(read_manifest(copied)[0].tiers["fast"], part)
    left = DAMAGE[damage]((copied / name).read_bytes())
    if left is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(left)
    with pytest.raises(ModelError, match=re.escape(str(copied / name))):
        Moderator(model=copied)


def with_file(folder: Path, name: str, data: bytes) -> None:
    """Put other bytes into a model, and the right digest of them into its manifest."""
    (folder / name).write_bytes(data)
    content = json.loads((folder / "manifest.json").read_bytes())
    content["files"][name] = entry(data)
    (folder / "manifest.json").write_text(json.dumps(content))


def test_a_graph_that_is_none_is_named(copied: Path):
    name = read_manifest(copied)[0].tiers["fast"].graph
    with_file(copied, name, GRAPH)
    with pytest.raises(ModelError, match=re.escape(f"{copied / name}: onnxruntime cannot load it")):
        Moderator(model=copied).check("a post")


def test_a_tokenizer_that_is_none_is_named(copied: Path):
    name = read_manifest(copied)[0].tiers["fast"].tokenizer
    with_file(copied, name, TOKENIZER)
    with pytest.raises(ModelError, match=re.escape(str(copied / name))):
        Moderator(model=copied).check("a post")


def test_a_model_names_itself_by_name_version_and_digest(shipped_model: Path):
    read, digest = read_manifest(shipped_model)
    model = load_model(shipped_model, "fast", SessionOptions())
    assert model.reference == f"{read.name}@{read.version}:{digest}"
    assert re.fullmatch(r"[a-z0-9-]+@\d+\.\d+\.\d+:sha256:[0-9a-f]{64}", model.reference)


def test_the_same_folder_loads_once(shipped_model: Path):
    options = SessionOptions()
    assert load_model(shipped_model, "fast", options) is load_model(shipped_model, "fast", options)
