"""Graphs of adapted models: heads as ONNX, and the pooled features as an output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.errors import MissingExtraError, ModelError
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.adaptation.head import Blocks, Fit

__all__ = ["HEAD_INPUT", "gives_features", "head_graph", "with_features"]

HEAD_INPUT: Final = "head_tokens"
_OPSET: Final = 17
_IR: Final = 9
_DECIMALS: Final = 6
"""Weights are rounded, so that the last bits of a linear solver do not reach the file."""


def head_graph(fits: Sequence[Fit | None], blocks: Blocks) -> bytes:
    """Return a head: logits + what the corrections add, in float32.

    Inputs: features (rows, columns), logits (rows, policies), HEAD_INPUT int32 (rows, width) of
    token ids; one past the last piece is padding. Output: logits (rows, policies).

    Args:
        fits: by policy; None adds nothing.
        blocks: the scales behind the fits.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingExtraError("onnx", "eval") from None
    columns, pieces = len(blocks.mean), len(blocks.idf)
    features = np.zeros((columns, len(POLICIES)))
    table = np.zeros((pieces + 1, len(POLICIES) + 1))
    logits = np.eye(len(POLICIES))
    bias = np.zeros(len(POLICIES))
    table[:pieces, -1] = blocks.idf**2
    for column, found in enumerate(fits):
        if found is not None:
            features[:, column] = found.features
            table[:pieces, column] = found.tokens * blocks.idf
            logits[:, column] += found.logits
            bias[column] = found.bias
    constants: dict[str, NDArray[Any]] = {
        "features_matrix": _rounded(features),
        "token_table": _rounded(table),
        "logits_matrix": _rounded(logits),
        "bias": _rounded(bias),
        "axis": np.array([1], np.int64),
        "parts": np.array([len(POLICIES), 1], np.int64),
        "least": np.array(1e-9, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["token_table", HEAD_INPUT], ["token_rows"]),
        helper.make_node("ReduceSum", ["token_rows", "axis"], ["token_sums"], keepdims=0),
        helper.make_node("Split", ["token_sums", "parts"], ["token_total", "squares"], axis=1),
        helper.make_node("Max", ["squares", "least"], ["squares_safe"]),
        helper.make_node("Sqrt", ["squares_safe"], ["length"]),
        helper.make_node("Div", ["token_total", "length"], ["by_tokens"]),
        helper.make_node("Gemm", ["features", "features_matrix", "bias"], ["by_features"]),
        helper.make_node("MatMul", ["logits_in", "logits_matrix"], ["by_logits"]),
        helper.make_node("Add", ["by_logits", "by_features"], ["without_tokens"]),
        helper.make_node("Add", ["without_tokens", "by_tokens"], ["logits"]),
    ]
    number = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "head",
        [
            helper.make_tensor_value_info("features", number, ["rows", columns]),
            helper.make_tensor_value_info("logits_in", number, ["rows", len(POLICIES)]),
            helper.make_tensor_value_info(HEAD_INPUT, TensorProto.INT32, ["rows", "width"]),
        ],
        [helper.make_tensor_value_info("logits", number, ["rows", len(POLICIES)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="moderation-engine",
    )
    onnx.checker.check_model(made)
    raw: bytes = made.SerializeToString(deterministic=True)
    return raw


def gives_features(run: Any) -> bool:
    """Say whether an ONNX Runtime session has the output `features`."""
    return any(output.name == "features" for output in run.get_outputs())


def with_features(raw: bytes, name: str) -> bytes:
    """Return a tier's graph with its pooled features as an output.

    Args:
        raw: the graph's file.
        name: of the file, for the message.

    Raises:
        ModelError: the graph has no tensor called features.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        raise MissingExtraError("onnx", "eval") from None
    model = onnx.load_from_string(raw)
    if any(output.name == "features" for output in model.graph.output):
        return raw
    if not any("features" in node.output for node in model.graph.node):
        raise ModelError(f"{name}: the graph pools no features that a head could read")
    info = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", None])
    model.graph.output.append(info)
    out: bytes = model.SerializeToString(deterministic=True)
    return out


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.round(values, _DECIMALS), np.float32)
