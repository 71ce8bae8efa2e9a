"""Write a fine-tuned deep tier as an ONNX graph: 8-bit for processors, float16 for CUDA.

The 8-bit graph keeps every matrix in blocks of 8-bit codes (the runtime's operator MatMulNBits),
whose arithmetic quantises the other side row by row: a post's logits do not depend on the posts
beside it, as they would where a whole batch shares one scale (DynamicQuantizeLinear). Token vectors
are 8-bit codes with a factor a row. Pieces of the tokenizer that no text held and that are rare in
the encoder's own scores share the unknown piece's vector, to save space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from onnx import TensorProto, helper

from moderation.training.graph import Graph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.training.deep import DeepNet

__all__ = ["PRECISIONS", "kept_pieces", "write_deep_graph"]

PRECISIONS: Final = ("int8", "float16", "float32")
_OPSET: Final = 20
_BITS: Final = 8
_BLOCK: Final = 128
_ZERO: Final = 128
_ROW_WISE: Final = 4
"""accuracy_level of MatMulNBits that multiplies 8-bit integers."""
_FAR: Final = -1e4
"""Added to the attention of padding; within float16."""
_UNKNOWN: Final = 0


def kept_pieces(
    counts: NDArray[np.int64], scores: NDArray[np.float32], size: int
) -> NDArray[np.int64]:
    """Return the ids of the pieces that keep a vector of their own, sorted.

    Args:
        counts: how often each piece stands in the training texts, (pieces,).
        scores: the tokenizer's log-probabilities, (pieces,).
        size: how many to keep; those seen come first, the more probable first.
    """
    order = np.lexsort((-scores, counts == 0))
    return np.union1d(order[order != _UNKNOWN][: size - 1], [_UNKNOWN])


class _Graph(Graph):
    """A graph whose real numbers and matrices have the precision asked for."""

    def __init__(self, precision: str) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}")
        super().__init__()
        self.precision = precision
        self.real: Any = np.float16 if precision == "float16" else np.float32

    def reals(self, name: str, value: Any) -> str:
        return self.constant(name, np.asarray(value, self.real))

    def integers(self, name: str, value: Any) -> str:
        return self.constant(name, np.asarray(value, np.int64))

    def linear(self, name: str, x: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """Multiply by a matrix (out, in) and add a bias."""
        if self.precision != "int8":
            product = self.add("MatMul", [x, self.reals(f"{name}.w", weight.T)], f"{name}.product")
        else:
            out, width = weight.shape
            blocks = weight.reshape(out, width // _BLOCK, _BLOCK)
            scale = np.abs(blocks).max(axis=2) / (_ZERO - 1)
            safe = np.where(scale > 0, scale, 1.0)
            codes = np.rint(blocks / safe[:, :, None]) + _ZERO
            product = self.add(
                "MatMulNBits",
                [
                    x,
                    self.constant(f"{name}.codes", codes.astype(np.uint8)),
                    self.constant(f"{name}.scales", scale.reshape(-1).astype(np.float32)),
                ],
                f"{name}.product",
                domain="com.microsoft",
                K=width,
                N=out,
                bits=_BITS,
                block_size=_BLOCK,
                accuracy_level=_ROW_WISE,
            )
        return self.add("Add", [product, self.reals(f"{name}.b", bias)], f"{name}.out")

    def norm(
        self, name: str, x: str, gain: NDArray[Any], bias: NDArray[Any], epsilon: float
    ) -> str:
        weights = [self.reals(f"{name}.gain", gain), self.reals(f"{name}.bias", bias)]
        return self.add(
            "LayerNormalization", [x, *weights], f"{name}.out", axis=-1, epsilon=epsilon
        )


def write_deep_graph(
    path: Path, net: DeepNet, kept: NDArray[np.int64], precision: str = "int8"
) -> int:
    """Write the graph: int32 token ids (rows, width) in; logits, stance and features out.

    Args:
        path: file to write.
        net: the fine-tuned network.
        kept: ids of the pieces with a vector of their own, see `kept_pieces`.
        precision: int8, float16 or float32.

    Returns:
        The padding value of the input; begin and end marks are the two values before it.
    """
    graph = _Graph(precision)
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    padding = net.end + 1
    _embed(graph, state, kept, padding)
    epsilon = net.encoder.ln.eps
    x = graph.norm("ln", "embedded", state["encoder.ln.weight"], state["encoder.ln.bias"], epsilon)
    heads = net.encoder.heads
    hidden = state["encoder.ln.weight"].shape[0]
    graph.integers("split", [0, 0, heads, hidden // heads])
    graph.integers("merge", [0, 0, hidden])
    graph.reals("scale", (hidden // heads) ** -0.5)
    for number in range(net.encoder.depth):
        x = _layer(graph, state, number, x, epsilon)
    _heads(graph, state, x)
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (
            ("logits", state["policies.bias"].shape[0]),
            ("stance", state["stances.bias"].shape[0]),
            ("features", hidden),
        )
    ]
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["rows", "width"])]
    graph.write(path, "deep", inputs, outputs, _OPSET)
    return padding


def _embed(
    graph: _Graph, state: dict[str, NDArray[Any]], kept: NDArray[np.int64], padding: int
) -> None:
    """Add `embedded`, token and position vectors, `mask` (rows, width) and `bias` from it."""
    word = state["encoder.word.weight"]
    chosen = np.concatenate([kept, [padding - 2, padding - 1]])
    rows = np.full(padding + 1, int(np.searchsorted(kept, _UNKNOWN)), np.int32)
    rows[chosen] = np.arange(len(chosen))
    graph.constant("piece_rows", rows)
    graph.add("Gather", ["piece_rows", "tokens"], "token_rows")
    table = word[chosen]
    if graph.precision == "int8":
        factor = np.maximum(np.abs(table).max(axis=1), 1e-9) / 127.0
        codes = np.rint(table / factor[:, None]).astype(np.int8)
        graph.constant("word_codes", codes)
        graph.constant("word_factor", factor[:, None].astype(np.float32))
        graph.add("Gather", ["word_codes", "token_rows"], "token_codes")
        graph.add("Cast", ["token_codes"], "token_real", to=TensorProto.FLOAT)
        graph.add("Gather", ["word_factor", "token_rows"], "token_factor")
        graph.add("Mul", ["token_real", "token_factor"], "token_vectors")
    else:
        graph.reals("word_table", table)
        graph.add("Gather", ["word_table", "token_rows"], "token_vectors")
    positions = state["encoder.pos.weight"] + state["encoder.tte"]
    graph.reals("positions", positions)
    graph.add("Shape", ["tokens"], "width", start=1, end=2)
    graph.integers("first", [0])
    graph.integers("axis_one", [1])
    graph.add("Slice", ["positions", "first", "width", "first"], "position_vectors")
    graph.add("Add", ["token_vectors", "position_vectors"], "embedded")
    graph.constant("padding", np.array(padding, np.int32))
    real = TensorProto.FLOAT16 if graph.precision == "float16" else TensorProto.FLOAT
    graph.add("Equal", ["tokens", "padding"], "absent")
    graph.add("Cast", ["absent"], "absent_real", to=real)
    graph.reals("far", _FAR)
    graph.add("Mul", ["absent_real", "far"], "far_bias")
    graph.integers("bias_axes", [1, 2])
    graph.add("Unsqueeze", ["far_bias", "bias_axes"], "bias")
    graph.reals("one", 1.0)
    graph.add("Sub", ["one", "absent_real"], "mask")


def _layer(
    graph: _Graph, state: dict[str, NDArray[Any]], number: int, x: str, epsilon: float
) -> str:
    """Add one encoder layer and return its output."""
    name = f"layer{number}"

    def weights(part: str) -> tuple[NDArray[Any], NDArray[Any]]:
        prefix = f"encoder.layers.{number}.{part}"
        return state[f"{prefix}.weight"], state[f"{prefix}.bias"]

    split = {}
    for part, order in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
        made = graph.linear(f"{name}.{part}", x, *weights(part))
        shaped = graph.add("Reshape", [made, "split"], f"{name}.{part}.split")
        split[part] = graph.add("Transpose", [shaped], f"{name}.{part}.heads", perm=list(order))
    scaled = graph.add("Mul", [split["q"], "scale"], f"{name}.scaled")
    score = graph.add("MatMul", [scaled, split["k"]], f"{name}.score")
    biased = graph.add("Add", [score, "bias"], f"{name}.biased")
    share = graph.add("Softmax", [biased], f"{name}.share", axis=-1)
    mixed = graph.add("MatMul", [share, split["v"]], f"{name}.mixed")
    back = graph.add("Transpose", [mixed], f"{name}.back", perm=[0, 2, 1, 3])
    merged = graph.add("Reshape", [back, "merge"], f"{name}.merged")
    attended = graph.linear(f"{name}.ao", merged, *weights("ao"))
    first = graph.add("Add", [x, attended], f"{name}.first")
    middle = graph.norm(f"{name}.aln", first, *weights("aln"), epsilon)
    wide = graph.linear(f"{name}.fi", middle, *weights("fi"))
    bent = graph.add("Gelu", [wide], f"{name}.bent")
    narrow = graph.linear(f"{name}.fo", bent, *weights("fo"))
    second = graph.add("Add", [middle, narrow], f"{name}.second")
    return graph.norm(f"{name}.oln", second, *weights("oln"), epsilon)


def _heads(graph: _Graph, state: dict[str, NDArray[Any]], x: str) -> None:
    """Add the standardised mean over tokens and the two heads, in float32."""
    graph.integers("axis_two", [2])
    graph.add("Unsqueeze", ["mask", "axis_two"], "mask_column")
    graph.add("Mul", [x, "mask_column"], "masked")
    graph.add("Cast", ["masked"], "masked_float", to=TensorProto.FLOAT)
    graph.add("Cast", ["mask"], "mask_float", to=TensorProto.FLOAT)
    graph.add("ReduceSum", ["masked_float", "axis_one"], "state_sum", keepdims=0)
    graph.add("ReduceSum", ["mask_float", "axis_one"], "count", keepdims=1)
    graph.add("Div", ["state_sum", "count"], "mean")
    graph.constant("centre", state["centre"])
    graph.constant("spread", state["spread"])
    graph.add("Sub", ["mean", "centre"], "centred")
    graph.add("Div", ["centred", "spread"], "features")
    for name, output in (("policies", "logits"), ("stances", "stance")):
        graph.constant(f"{name}_matrix", state[f"{name}.weight"].T)
        graph.constant(f"{name}_bias", state[f"{name}.bias"])
        graph.add("Gemm", ["features", f"{name}_matrix", f"{name}_bias"], output)
