"""The fast tier's graph in the native kernel, where that gives ONNX Runtime's results bit for bit.

The graph is a mean of token vectors, one of every kind of n-gram, and two dense layers. ONNX
Runtime gathers rows as floats into matrices filled up to one width; the kernel reads 8-bit rows
where they lie. Which graphs it knows is written down in `_nodes`, and is what
`moderation.training.export` writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation import cache
from moderation.classifier.arithmetic import arithmetic
from moderation.classifier.features import Ragged
from moderation.classifier.onnx_file import Node, read_graph
from moderation.text.native import flat, kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.classifier.manifest import InputSpec
    from moderation.classifier.onnx_file import Graph

__all__ = ["Bag", "open_bag"]

_FLOAT: Final = 1
_LENGTHS: Final = (*range(48), 64, 65, 100, 257, 1023, 1024, 1030, 1031)
"""Of rows on which a bag is compared with the graph."""
_ROWS: Final = 512
"""How many more, of up to 48 values: another logarithm differs in a few of a hundred."""
_BLOCK: Final = 8
_KEPT_AS: Final = "bag"
_AGREES: Final = b"agrees"
_DIFFERS: Final = b"differs"


@dataclass(frozen=True, slots=True)
class _Table:
    """8-bit vectors; a factor for each."""

    codes: NDArray[np.int8]
    factor: NDArray[np.float32]
    least: float
    """The mean is over so many at least; of tokens it is weighted instead."""


class Bag:
    """The arrays of a graph, and the names of what it is fed.

    Attributes:
        widths: columns of each output that the graph has, by name.
    """

    def __init__(self, graph: Graph, specs: Sequence[InputSpec]) -> None:
        constants = graph.constants
        self._rows = [len(constants[f"{_prefix(at, spec)}_codes"]) for at, spec in enumerate(specs)]
        self._tables = [_table(constants, at, spec) for at, spec in enumerate(specs)]
        self._weight = _floats(constants["token_weight"])
        names = ("epsilon", "token_scale", "one", "length_scale")
        self._numbers = np.concatenate([_floats(constants[name]) for name in names])
        self._layers = [
            _floats(constants[f"{layer}_{part}"])
            for layer in ("hidden", "output")
            for part in ("matrix", "bias")
        ]
        matrix, units, _, outputs = self._layers
        widths = {"features": len(matrix) // len(units), "logits": len(outputs)}
        self.widths = {name: widths[name] for name in graph.outputs}

    def outputs(self, inputs: Sequence[Ragged]) -> dict[str, NDArray[np.float32]] | None:
        """Run the graph on posts.

        Args:
            inputs: ids of every input, in the order of the specs it was opened with.

        Returns:
            `logits` and `features`, float32, shape (posts, columns); None: not on this processor.
        """
        tokens, *grams = zip(inputs, self._tables, strict=True)
        made = kernel.bag(
            *_ids(tokens[0]), tokens[1].codes, tokens[1].factor, self._weight, self._numbers,
            tuple((*_ids(ids), table.codes, table.factor, table.least) for ids, table in grams),
            *self._layers,
        )  # fmt: skip
        if made is None:
            return None
        rows = zip(("features", "logits"), made, strict=True)
        return {
            name: np.frombuffer(part, np.float32).reshape(-1, self.widths[name])
            for name, part in rows
            if name in self.widths
        }

    def agrees(self, run: Any, specs: Sequence[InputSpec]) -> bool:
        """Say whether rows of many lengths come out as from an ONNX Runtime session, bit for bit.

        How kernels of ONNX Runtime round depends on the processor and on its version.
        """
        draw = np.random.default_rng(0)
        lengths = np.concatenate((np.sort(draw.integers(0, 48, _ROWS)), _LENGTHS))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        inputs = [
            Ragged(draw.integers(0, rows - 1, int(offsets[-1]), dtype=np.int32), offsets)
            for rows in self._rows
        ]
        found = self.outputs(inputs)
        if found is None:
            return False
        names = list(found)
        order = np.arange(len(lengths))
        for part in np.split(order, range(_BLOCK, len(order), _BLOCK)):
            width = -(-int(lengths[part].max()) // _BLOCK) * _BLOCK
            feed = {
                spec.name: ids.padded(part, width, spec.padding)
                for spec, ids in zip(specs, inputs, strict=True)
            }
            for name, expected in zip(names, run.run(names, feed), strict=True):
                if not np.array_equal(found[name][part], expected):
                    return False
        return True


def open_bag(
    path: Path, setting: str, specs: Sequence[InputSpec], opened: Callable[[], Any]
) -> Bag | None:
    """Return a graph as a bag; None: it is another graph, or its session rounds otherwise.

    Whether it does is found out once for a setting, a processor, an ONNX Runtime and a kernel, and
    remembered on disk.

    Args:
        path: the graph's file.
        setting: names the content of that file, and what its session is made with.
        specs: its inputs.
        opened: returns its ONNX Runtime session.
    """
    if kernel is None or not specs or specs[0].kind != "tokens":
        return None
    graph = read_graph(path.read_bytes())
    if graph is None or list(graph.nodes) != _nodes([spec.name for spec in specs]):
        return None
    try:
        bag = Bag(graph, specs)
        return bag if _agrees(bag, setting, specs, opened) else None
    except (KeyError, ValueError):  # a constant is missing, or of a size the kernel does not take
        return None


def _agrees(bag: Bag, setting: str, specs: Sequence[InputSpec], opened: Callable[[], Any]) -> bool:
    here = arithmetic()
    key = f"{setting}\0{specs!r}\0{here}"
    known = None if here is None else cache.load(_KEPT_AS, key)
    if known is not None:
        return known == _AGREES
    found = bag.agrees(opened(), specs)
    if here is not None:
        cache.store(_KEPT_AS, key, _AGREES if found else _DIFFERS)
    return found


def _prefix(at: int, spec: InputSpec) -> str:
    return spec.name if at else "token"


def _table(constants: dict[str, NDArray[Any]], at: int, spec: InputSpec) -> _Table:
    name = _prefix(at, spec)
    codes, factor = constants[f"{name}_codes"], _floats(constants[f"{name}_factor"])
    least = float(constants[f"{name}_least"].item()) if at else 0.0
    ends = [spec.padding, int(constants[f"{name}_padding"].item())] if at else [spec.padding]
    if any(end != len(codes) - 1 for end in ends) or codes[-1].any():
        raise ValueError(f"{spec.name}: expected the last row for padding, and zeros in it")
    return _Table(flat(codes), factor, least)


def _floats(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return numbers as one aligned block."""
    return np.array(array, np.float32).ravel()


def _ids(ragged: Ragged) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    return flat(ragged.values), ragged.offsets


def _nodes(names: Sequence[str]) -> list[Node]:
    """Return the nodes of a bag over inputs of some names, tokens first."""
    tokens, *grams = names
    nodes = [
        *_vectors("token", tokens),
        Node("Gather", ("token_weight", tokens), "token_weights"),
        Node("ReduceSum", ("token_weights", "axis"), "weight_sum", (("keepdims", 1),)),
        Node("Add", ("weight_sum", "epsilon"), "weight_safe"),
        Node("Div", ("token_sum", "weight_safe"), "token_mean"),
        Node("Mul", ("token_mean", "token_scale"), "token_feature"),
        Node("Add", ("weight_sum", "one"), "weight_one"),
        Node("Log", ("weight_one",), "weight_log"),
        Node("Mul", ("weight_log", "length_scale"), "length_feature"),
    ]
    for name in grams:
        nodes += [
            *_vectors(name, name),
            Node("Less", (name, f"{name}_padding"), f"{name}_present"),
            Node("Cast", (f"{name}_present",), f"{name}_there", (("to", _FLOAT),)),
            Node("ReduceSum", (f"{name}_there", "axis"), f"{name}_count", (("keepdims", 1),)),
            Node("Max", (f"{name}_count", f"{name}_least"), f"{name}_safe"),
            Node("Div", (f"{name}_sum", f"{name}_safe"), f"{name}_feature"),
        ]
    features = ("token_feature", "length_feature", *(f"{name}_feature" for name in grams))
    return [
        *nodes,
        Node("Concat", features, "features", (("axis", 1),)),
        Node("Gemm", ("features", "hidden_matrix", "hidden_bias"), "hidden_sum"),
        Node("Relu", ("hidden_sum",), "hidden"),
        Node("Gemm", ("hidden", "output_matrix", "output_bias"), "logits"),
    ]


def _vectors(name: str, ids: str) -> list[Node]:
    return [
        Node("Cast", (f"{name}_codes",), f"{name}_codes_float", (("to", _FLOAT),)),
        Node("Mul", (f"{name}_codes_float", f"{name}_factor"), f"{name}_codes_table"),
        Node("Gather", (f"{name}_codes_table", ids), f"{name}_rows"),
        Node("ReduceSum", (f"{name}_rows", "axis"), f"{name}_sum", (("keepdims", 0),)),
    ]
