"""Write a trained fast tier as an ONNX graph with 8-bit vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from onnx import TensorProto, helper

from moderation.training.graph import Graph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FastWeights", "write_graph"]

_OPSET: Final = 17


class FastWeights:
    """The arrays of a fast tier, ready to be written.

    Attributes:
        tokens: float32, shape (pieces, dimensions), token vectors.
        attention: float32, shape (pieces,), log of each token's weight in the mean.
        grams: float32 tables, shape (buckets, width), one per hashed input, in input order.
        hidden, output: weight (out, in) and bias of the two dense layers.
        token_scale, gram_scale, length_scale: constants of the forward pass.
        epsilon: added to the sum of token weights.
    """

    def __init__(
        self,
        tokens: NDArray[np.float32],
        attention: NDArray[np.float32],
        grams: list[NDArray[np.float32]],
        hidden: tuple[NDArray[np.float32], NDArray[np.float32]],
        output: tuple[NDArray[np.float32], NDArray[np.float32]],
        *,
        token_scale: float,
        gram_scale: float,
        length_scale: float,
        epsilon: float,
    ) -> None:
        self.tokens = tokens
        self.attention = attention
        self.grams = grams
        self.hidden = hidden
        self.output = output
        self.token_scale = token_scale
        self.gram_scale = gram_scale
        self.length_scale = length_scale
        self.epsilon = epsilon


class _Graph(Graph):
    """A graph with tables of 8-bit codes."""

    def table(self, codes: str, factor: str) -> str:
        """Multiply 8-bit codes by their row's factor; the runtime folds this when it loads."""
        self.add("Cast", [codes], f"{codes}_float", to=TensorProto.FLOAT)
        return self.add("Mul", [f"{codes}_float", factor], f"{codes}_table")


def _quantise(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 rows and one scale a row; a zero row is added at the end, for padding."""
    scale = np.abs(rows).max(axis=1) / 127.0
    safe = np.where(scale > 0, scale, 1.0)
    codes = np.rint(rows / safe[:, None]).astype(np.int8)
    codes = np.concatenate([codes, np.zeros((1, rows.shape[1]), np.int8)])
    return codes, np.append(scale, 0.0).astype(np.float32)


def write_graph(path: Path, weights: FastWeights, names: list[str]) -> None:
    """Write the graph: int32 matrices (rows, width) in, float32 logits (rows, policies) out.

    A second output, features, is what the dense layers read: `moderate adapt` fits heads on it.

    Args:
        path: file to write.
        weights: trained arrays.
        names: input names, tokens first, then one per gram table. The padding value of an input is
            the number of rows of its table.
    """
    graph = _Graph()
    tokens = names[0]
    codes, scale = _quantise(weights.tokens)
    attention = np.append(np.exp(weights.attention), 0.0).astype(np.float32)
    axis = graph.constant("axis", np.array([1], np.int64))
    graph.constant("token_codes", codes)
    graph.constant("token_factor", (scale * attention)[:, None])
    graph.constant("token_weight", attention)
    vectors = graph.table("token_codes", "token_factor")
    graph.add("Gather", [vectors, tokens], "token_rows")
    graph.add("ReduceSum", ["token_rows", axis], "token_sum", keepdims=0)
    graph.add("Gather", ["token_weight", tokens], "token_weights")
    graph.add("ReduceSum", ["token_weights", axis], "weight_sum", keepdims=1)
    graph.constant("epsilon", np.array(weights.epsilon, np.float32))
    graph.constant("token_scale", np.array(weights.token_scale, np.float32))
    graph.add("Add", ["weight_sum", "epsilon"], "weight_safe")
    graph.add("Div", ["token_sum", "weight_safe"], "token_mean")
    graph.add("Mul", ["token_mean", "token_scale"], "token_feature")
    graph.constant("one", np.array(1.0, np.float32))
    graph.constant("length_scale", np.array(weights.length_scale, np.float32))
    graph.add("Add", ["weight_sum", "one"], "weight_one")
    graph.add("Log", ["weight_one"], "weight_log")
    graph.add("Mul", ["weight_log", "length_scale"], "length_feature")
    features = ["token_feature", "length_feature"]
    for name, table in zip(names[1:], weights.grams, strict=True):
        features.append(_gram_feature(graph, name, table, weights.gram_scale, axis))
    graph.add("Concat", features, "features", axis=1)
    for layer, (matrix, bias) in (("hidden", weights.hidden), ("output", weights.output)):
        graph.constant(f"{layer}_matrix", matrix.T)
        graph.constant(f"{layer}_bias", bias)
    graph.add("Gemm", ["features", "hidden_matrix", "hidden_bias"], "hidden_sum")
    graph.add("Relu", ["hidden_sum"], "hidden")
    graph.add("Gemm", ["hidden", "output_matrix", "output_bias"], "logits")
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.INT32, ["rows", f"{n}_width"]) for n in names
    ]
    width = weights.hidden[0].shape[1]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "policies"]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", width]),
    ]
    graph.write(path, "fast", inputs, outputs, _OPSET)


def _gram_feature(
    graph: _Graph, name: str, table: NDArray[np.float32], scale: float, axis: str
) -> str:
    """Add the mean of a post's hashed n-gram vectors; padding rows weigh nothing."""
    codes, factor = _quantise(table)
    graph.constant(f"{name}_codes", codes)
    graph.constant(f"{name}_factor", (factor * np.array(scale, np.float32))[:, None])
    graph.constant(f"{name}_padding", np.array(len(table), np.int32))
    rows = graph.table(f"{name}_codes", f"{name}_factor")
    graph.add("Gather", [rows, name], f"{name}_rows")
    graph.add("ReduceSum", [f"{name}_rows", axis], f"{name}_sum", keepdims=0)
    graph.add("Less", [name, f"{name}_padding"], f"{name}_present")
    graph.add("Cast", [f"{name}_present"], f"{name}_there", to=TensorProto.FLOAT)
    graph.add("ReduceSum", [f"{name}_there", axis], f"{name}_count", keepdims=1)
    graph.constant(f"{name}_least", np.array(1.0, np.float32))
    graph.add("Max", [f"{name}_count", f"{name}_least"], f"{name}_safe")
    return graph.add("Div", [f"{name}_sum", f"{name}_safe"], f"{name}_feature")
