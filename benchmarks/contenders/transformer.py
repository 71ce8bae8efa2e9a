"""A multilingual transformer of the shape of detoxify's: XLM-R base, 12 layers of width 768.

Weights are drawn at random, which costs as much time as trained ones and says nothing of quality.
Tokens are those of our tokenizer, whose pieces are a part of XLM-R's own. They share fewer vectors
than XLM-R has, which costs the same, as each token reads one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime

from contenders import Contender, need

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LAYERS: Final = 12
WIDTH: Final = 768
_HEADS: Final = 12
_WIDE: Final = 3072
_LABELS: Final = 7
LONGEST: Final = 512
_TABLE: Final = 1 << 14
"""Token vectors; the last three are begin, end and padding."""
_BEGIN, _END, _PADDING = _TABLE - 3, _TABLE - 2, _TABLE - 1
_ROWS: Final = 16
_OPSET: Final = 20
_EPSILON: Final = 1e-5


def transformer(tokenizer: Path, folder: Path) -> Contender:
    """Return the transformer, 8-bit, one thread; posts of about one length run together.

    Args:
        tokenizer: a sentencepiece model.
        folder: where the graph is kept between runs.
    """
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    path = folder / f"transformer-{LAYERS}x{WIDTH}-{_TABLE}-int8.onnx"
    if not path.exists():
        need("onnx", "onnx")
        write_quantised(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(posts: Sequence[str]) -> NDArray[np.float32]:
        ids = [
            [_BEGIN, *(piece % _BEGIN for piece in found[: LONGEST - 2]), _END]
            for found in processor.encode(list(posts), num_threads=1)
        ]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        logits = np.zeros((len(ids), _LABELS), np.float32)
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            tokens = np.full((len(rows), max(len(ids[at]) for at in rows)), _PADDING, np.int64)
            for row, at in enumerate(rows):
                tokens[row, : len(ids[at])] = ids[at]
            logits[rows] = session.run(None, {"tokens": tokens})[0]
        return logits

    return Contender(
        "transformer of XLM-R base's shape, int8",
        "what detoxify's multilingual model costs; random weights, so nothing is said of quality",
        run,
    )


def write_quantised(path: Path) -> None:
    """Write the graph with dynamic 8-bit quantisation of every matrix."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path.parent.mkdir(parents=True, exist_ok=True)
    plain, part = path.with_suffix(".float32"), path.with_suffix(".part")
    _write(plain)
    quantize_dynamic(
        plain, part, weight_type=QuantType.QInt8, per_channel=True,
        op_types_to_quantize=["MatMul"], extra_options={"MatMulConstBOnly": True},
    )  # fmt: skip
    plain.unlink()
    part.replace(path)


def _write(path: Path) -> None:
    from onnx import TensorProto, helper

    from moderation.training.graph import Graph

    graph = Graph()
    generator = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> str:
        value = generator.standard_normal(shape, np.float32) * np.float32(0.02)
        return graph.constant(name, value)

    def linear(name: str, x: str, inner: int, outer: int) -> str:
        product = graph.add("MatMul", [x, weights(f"{name}.w", inner, outer)], f"{name}.product")
        return graph.add("Add", [product, weights(f"{name}.b", outer)], f"{name}.out")

    def norm(name: str, x: str) -> str:
        gain = graph.constant(f"{name}.gain", np.ones(WIDTH, np.float32))
        return graph.add(
            "LayerNormalization", [x, gain, weights(f"{name}.bias", WIDTH)], f"{name}.out",
            axis=-1, epsilon=_EPSILON,
        )  # fmt: skip

    def integers(name: str, *values: int) -> str:
        return graph.constant(name, np.array(values, np.int64))

    graph.add("Gather", [weights("word", _TABLE, WIDTH), "tokens"], "vectors")
    graph.add("Shape", ["tokens"], "width", start=1, end=2)
    integers("first", 0)
    graph.add("Slice", [weights("position", LONGEST, WIDTH), "first", "width", "first"], "places")
    graph.add("Add", ["vectors", "places"], "embedded")
    graph.constant("padding", np.array(_PADDING, np.int64))
    graph.add("Equal", ["tokens", "padding"], "absent")
    graph.add("Cast", ["absent"], "absent_real", to=TensorProto.FLOAT)
    graph.constant("far", np.array(-1e4, np.float32))
    graph.add("Mul", ["absent_real", "far"], "far_bias")
    graph.add("Unsqueeze", ["far_bias", integers("bias_axes", 1, 2)], "bias")
    integers("split", 0, 0, _HEADS, WIDTH // _HEADS)
    integers("merge", 0, 0, WIDTH)
    graph.constant("scale", np.array((WIDTH // _HEADS) ** -0.5, np.float32))
    x = norm("embedded_norm", "embedded")
    for number in range(LAYERS):
        x = _layer(graph, f"layer{number}", x, linear, norm)
    graph.add("Slice", [x, "first", integers("second", 1), integers("axis", 1)], "start")
    graph.add("Squeeze", ["start", "axis"], "sentence")
    dense = graph.add("Tanh", [linear("dense", "sentence", WIDTH, WIDTH)], "dense_bent")
    graph.add("Identity", [linear("labels", dense, WIDTH, _LABELS)], "logits")
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["rows", "width"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", _LABELS])
    graph.write(path, "transformer", [tokens], [logits], _OPSET)


def _layer(graph: Any, name: str, x: str, linear: Any, norm: Any) -> str:
    """Add one encoder layer and return its output."""
    part = {}
    for letter, order in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
        made = linear(f"{name}.{letter}", x, WIDTH, WIDTH)
        shaped = graph.add("Reshape", [made, "split"], f"{name}.{letter}.split")
        part[letter] = graph.add("Transpose", [shaped], f"{name}.{letter}.heads", perm=list(order))
    scaled = graph.add("Mul", [part["q"], "scale"], f"{name}.scaled")
    score = graph.add("MatMul", [scaled, part["k"]], f"{name}.score")
    biased = graph.add("Add", [score, "bias"], f"{name}.biased")
    share = graph.add("Softmax", [biased], f"{name}.share", axis=-1)
    mixed = graph.add("MatMul", [share, part["v"]], f"{name}.mixed")
    back = graph.add("Transpose", [mixed], f"{name}.back", perm=[0, 2, 1, 3])
    merged = graph.add("Reshape", [back, "merge"], f"{name}.merged")
    attended = linear(f"{name}.attended", merged, WIDTH, WIDTH)
    middle = norm(f"{name}.middle", graph.add("Add", [x, attended], f"{name}.first"))
    bent = graph.add("Gelu", [linear(f"{name}.wide", middle, WIDTH, _WIDE)], f"{name}.bent")
    narrow = linear(f"{name}.narrow", bent, _WIDE, WIDTH)
    return norm(f"{name}.last", graph.add("Add", [middle, narrow], f"{name}.second"))
