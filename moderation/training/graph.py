"""Builds an ONNX graph node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Graph"]

_IR: Final = 9
_VENDOR: Final = "com.microsoft"


class Graph:
    """Collects nodes and constants; a node is named after its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node of one output and return its name."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def write(
        self,
        path: Path,
        name: str,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        opset: int,
    ) -> None:
        """Check the graph and write it; the same graph gives the same bytes.

        Args:
            path: file to write.
            name: of the graph.
            inputs: value infos.
            outputs: value infos.
            opset: version of the standard operators.
        """
        domains = [helper.make_opsetid("", opset)]
        if any(node.domain == _VENDOR for node in self.nodes):
            domains.append(helper.make_opsetid(_VENDOR, 1))
        model = helper.make_model(
            helper.make_graph(self.nodes, name, inputs, outputs, self.constants),
            opset_imports=domains,
            ir_version=_IR,
            producer_name="moderation-engine",
        )
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString(deterministic=True))
