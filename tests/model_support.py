"""Model folders made for tests: the shipped fast tier beside a tiny deep one."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from pathlib import Path

PIECES = 512
PADDING = PIECES
BEGIN, END = PIECES - 2, PIECES - 1
STANCES = ("offer", "warn", "explain", "none")
OFFSET = 600
_WIDTH = 16


def entry(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def write_deep_graph(path: Path, *, seed: int = 0, stance_bias: float = 0.0) -> None:
    """Write a graph with one attention over token vectors; shifted ids count modulo PIECES - 2."""
    generator = np.random.default_rng(seed)
    constants = {
        "pieces": np.array(PIECES - 2, np.int32),
        "shifted": np.array(OFFSET, np.int32),
        "padding": np.array(PADDING, np.int32),
        "vectors": generator.normal(size=(PIECES + 1, _WIDTH)).astype(np.float32),
        "query": generator.normal(size=(_WIDTH, 1)).astype(np.float32),
        "far": np.array(-1e4, np.float32),
        "last": np.array([2], np.int64),
        "axis": np.array([1], np.int64),
        "logit_matrix": generator.normal(size=(_WIDTH, len(POLICIES))).astype(np.float32),
        "logit_bias": np.full(len(POLICIES), -1.0, np.float32),
        "stance_matrix": generator.normal(size=(_WIDTH, len(STANCES))).astype(np.float32),
        "stance_bias": np.array([0.0, stance_bias, 0.0, 0.0], np.float32),
    }
    nodes = [
        helper.make_node("Less", ["tokens", "shifted"], ["own"]),
        helper.make_node("Mod", ["tokens", "pieces"], ["small"]),
        helper.make_node("Where", ["own", "tokens", "small"], ["ids"]),
        helper.make_node("Equal", ["tokens", "padding"], ["is_padding"]),
        helper.make_node("Gather", ["vectors", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "query"], ["scores"]),
        helper.make_node("Cast", ["is_padding"], ["gap"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["gap", "far"], ["penalty"]),
        helper.make_node("Unsqueeze", ["penalty", "last"], ["column"]),
        helper.make_node("Add", ["scores", "column"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["shares"], axis=1),
        helper.make_node("Mul", ["rows", "shares"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], ["features"], keepdims=0),
        helper.make_node("Gemm", ["features", "logit_matrix", "logit_bias"], ["logits"]),
        helper.make_node("Gemm", ["features", "stance_matrix", "stance_bias"], ["stance"]),
    ]
    made = helper.make_graph(
        nodes,
        "deep",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["rows", "width"])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", len(POLICIES)]),
            helper.make_tensor_value_info("stance", TensorProto.FLOAT, ["rows", len(STANCES)]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", _WIDTH]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def by_cell(value: Any) -> dict[str, dict[str, Any]]:
    """Return the same value for every policy and language."""
    return {policy: dict.fromkeys(LANGUAGES, value) for policy in POLICIES}


def two_tiers(
    folder: Path,
    shipped: Path,
    *,
    band: tuple[float, float] = (0.05, 0.95),
    weight: float = 0.25,
    stance_bias: float = 0.0,
    **deep: Any,
) -> Path:
    """Make a model with the shipped fast tier, a deep one and a cascade of the two."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("fast.onnx", "ngrams.npz", "tokenizer.model"):
        shutil.copy(shipped / name, folder / name)
    write_deep_graph(folder / "deep.onnx", stance_bias=stance_bias)
    content = json.loads((shipped / "manifest.json").read_bytes())
    tokens = {"name": "tokens", "kind": "tokens", "padding": PADDING}
    content["tiers"]["deep"] = {
        "graph": "deep.onnx",
        "tokenizer": "tokenizer.model",
        "inputs": [tokens | {"begin": BEGIN, "end": END, "limit": 40, "offset": OFFSET}],
        "stances": list(STANCES),
        "rows": 16,
        "exact_width": True,
    } | deep
    content["files"]["deep.onnx"] = entry(folder / "deep.onnx")
    tables = ("calibration", "operating_points", "rule_weights")
    fast = {key: content[key].get("fast", content[key]) for key in tables}
    content["rule_weights"] = dict.fromkeys(("fast", "deep", "cascade"), fast["rule_weights"])
    content["calibration"] = {
        "fast": fast["calibration"],
        "deep": by_cell({"slope": 1.0, "offset": 0.0}),
        "cascade": by_cell({"slope": 2.0, "offset": 0.5}),
    }
    content["operating_points"] = {
        "fast": fast["operating_points"],
        "deep": by_cell({"review": 0.5, "block": 0.9}),
        "cascade": by_cell({"review": 0.4, "block": 0.95}),
    }
    content.pop("default", None)
    if content.pop("screen", None) is not None:
        del content["files"]["screen.npz"]
    content["cascade"] = {
        "tiers": ["fast", "deep"],
        "band": by_cell(list(band)),
        "weight": dict.fromkeys(POLICIES, weight),
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder
