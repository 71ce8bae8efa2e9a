"""What one core of this machine can do at most: memory, UTF-8, an automaton, multiplications.

Run it pinned: taskset -c 0 python benchmarks/limits.py. Beside each figure stands what it allows at
most for a post of generated traffic, so that a stage can be held against its limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import ahocorasick_rs
import numpy as np
import onnxruntime
from contenders.terms import every_term
from measuring import ROOT, Spread, alternate, publish, share_of_core
from rules_alone import hardware, table
from traffic import generate

from moderation.classifier import read_manifest
from moderation.rules import load_ruleset
from moderation.text import TextBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COPIED: Final = 256 << 20
_TOKENS: Final = 512
_SHAPES: Final = ((384, 384), (384, 1536), (768, 3072))
"""Inner and outer size of the multiplied matrices: those of small encoders and of a base one."""
_BLOCK: Final = 128
_BITS: Final = 8
_ROW_WISE: Final = 4
_REPEATS: Final = 8
LONGEST: Final = 1024
FLOAT: Final = "float32"
EIGHT: Final = "8-bit"


@dataclass(frozen=True)
class Limit:
    """Something that can be done, and how much of it one run does.

    Attributes:
        name: as the table calls it.
        run: does it once.
        amount: units of one run.
        unit: what `amount` counts, in the plural and a second.
        a_post: units that one post of the traffic takes; 0 where that has no meaning.
    """

    name: str
    run: Callable[[], object]
    amount: float
    unit: str
    a_post: float


def memory(batch: TextBatch) -> Limit:
    """Return copying an array much larger than every cache."""
    source = np.ones(COPIED // 8)
    target = np.zeros_like(source)
    each = 4 * len(batch.codepoints) / len(batch)
    return Limit(
        "memory: copy of 256 MiB", lambda: np.copyto(target, source), COPIED / 1e9, "GB", each / 1e9
    )


def text(posts: list[str]) -> list[Limit]:
    """Return decoding UTF-8, and putting posts into an array of code points."""
    joined = "\n".join(posts).encode()
    size = len(joined) / 1e6
    return [
        Limit("UTF-8 to str, posts joined", joined.decode, size, "MB", size / len(posts)),
        Limit(
            "str to code points, post by post",
            lambda: TextBatch.from_strings(posts),
            size,
            "MB",
            size / len(posts),
        ),
    ]


def automata(posts: list[str], batch: TextBatch, rules: Path) -> list[Limit]:
    """Return the automaton of the base view over a batch, and ahocorasick-rs over joined posts."""
    ruleset = load_ruleset(rules)
    base = ruleset.table.base(batch)
    own = ruleset._automata["base"]
    other = ahocorasick_rs.AhoCorasick(every_term(rules), store_patterns=False)
    joined = "\n".join(posts).lower()
    count = len(base.codepoints) / 1e6
    unit = "million code points"
    return [
        Limit("our automaton, base view", lambda: own.scan(base, base), count, unit,
              count / len(posts)),
        Limit("ahocorasick-rs, posts joined",
              lambda: other.find_matches_as_indexes(joined, overlapping=True), len(joined) / 1e6,
              unit, len(joined) / 1e6 / len(posts)),
    ]  # fmt: skip


def multiplications(folder: Path) -> list[Limit]:
    """Return one matrix product a shape and arithmetic, in ONNX Runtime with one thread."""
    generator = np.random.default_rng(0)
    limits = []
    for inner, outer in _SHAPES:
        left = generator.standard_normal((_TOKENS, inner), np.float32)
        operations = _REPEATS * 2 * _TOKENS * inner * outer / 1e9
        for name, write in ((FLOAT, _float_graph), (f"{EIGHT} MatMulNBits", _block_graph)):
            path = folder / f"{name.split()[0]}-{inner}-{outer}.onnx"
            write(path, generator.standard_normal((inner, outer), np.float32))
            limits.append(
                Limit(
                    f"{name}, {_TOKENS} × {inner} × {outer}",
                    _product(path, left),
                    operations,
                    "GFLOP",
                    0.0,
                )
            )
    return limits


def _product(path: Path, left: Any) -> Callable[[], object]:
    """Return what multiplies a few times, so that a call's own cost does not show."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run() -> None:
        for _ in range(_REPEATS):
            session.run(None, {"left": left})

    return run


def _float_graph(path: Path, weight: Any) -> None:
    _write(path, weight.shape, lambda graph: ("MatMul", [graph.constant("right", weight)], {}))


def _block_graph(path: Path, weight: Any) -> None:
    inner, outer = weight.shape
    blocks = weight.T.reshape(outer, inner // _BLOCK, _BLOCK)
    zero = 1 << (_BITS - 1)
    scale = np.abs(blocks).max(axis=2) / (zero - 1)
    codes = (np.rint(blocks / scale[:, :, None]) + zero).astype(np.uint8)
    attributes = {
        "domain": "com.microsoft", "K": inner, "N": outer, "bits": _BITS, "block_size": _BLOCK,
        "accuracy_level": _ROW_WISE,
    }  # fmt: skip

    def node(graph: Any) -> tuple[str, list[str], dict[str, Any]]:
        scales = graph.constant("scales", scale.reshape(-1).astype(np.float32))
        return "MatMulNBits", [graph.constant("codes", codes), scales], attributes

    _write(path, weight.shape, node)


def _write(path: Path, shape: tuple[int, int], node: Callable[[Any], Any]) -> None:
    from onnx import TensorProto, helper

    from moderation.training.graph import Graph

    graph = Graph()
    operator, constants, attributes = node(graph)
    graph.add(operator, ["left", *constants], "product", **attributes)
    left = helper.make_tensor_value_info("left", TensorProto.FLOAT, ["rows", shape[0]])
    product = helper.make_tensor_value_info("product", TensorProto.FLOAT, ["rows", shape[1]])
    graph.write(path, "product", [left], [product], 17)


def products(graph: Any) -> tuple[int, int, bool]:
    """Return operations a token and a post, and whether those of a token are in 8 bits.

    Counted are matrices of weights; what attention multiplies beside them is little for posts.
    """
    sizes = {each.name: list(each.dims) for each in graph.initializer if len(each.dims) == 2}
    token = post = 0
    eight = False
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            size = {each.name: each.i for each in node.attribute}
            token += 2 * size["K"] * size["N"]
            eight = True
        elif node.op_type == "MatMul" and node.input[1] in sizes:
            token += 2 * int(np.prod(sizes[node.input[1]]))
        elif node.op_type == "Gemm" and node.input[1] in sizes:
            post += 2 * int(np.prod(sizes[node.input[1]]))
    return token, post, eight


def tiers(model: Path, posts: list[str], rates: dict[str, float]) -> list[list[str]]:
    """Return by tier what its matrices ask for a post, and how many posts the products allow.

    Args:
        model: the model folder.
        posts: the traffic, for the number of tokens.
        rates: GFLOP/s by arithmetic, the best of the shapes.
    """
    import onnx
    import sentencepiece

    rows = []
    manifest, _ = read_manifest(model)
    for name, spec in sorted(manifest.tiers.items()):
        processor = sentencepiece.SentencePieceProcessor(model_file=str(model / spec.tokenizer))
        framing = spec.inputs[0]
        marks = (framing.begin is not None) + (framing.end is not None)
        longest = framing.limit or LONGEST
        found = processor.encode(posts, num_threads=1)
        tokens = float(np.mean([min(len(ids) + marks, longest) for ids in found]))
        token, post, eight = products(onnx.load(model / spec.graph).graph)
        arithmetic = EIGHT if eight else FLOAT
        total = (token * tokens + post) / 1e9
        ceiling = f"{rates[arithmetic] / total:,.0f}" if total else "-"
        rows.append([name, arithmetic, f"{tokens:.1f}", f"{total * 1e3:,.3f}", ceiling])
    return rows


def report(limits: Sequence[Limit], spreads: dict[str, Spread]) -> list[list[str]]:
    """Return the rows of the table of limits."""
    rows = []
    for each in limits:
        rate, low, high = spreads[each.name].rates(each.amount)
        figures = [f"{value:,.4g}" for value in (rate, low, high)]
        allowed = ["-", "-"]
        if each.a_post:
            allowed = [f"{1e9 * each.a_post / rate:,.0f}", f"{rate / each.a_post:,.0f}"]
        rows.append([each.name, f"{each.unit}/s", *figures, *allowed])
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md as well")
    chosen = parser.parse_args(arguments)
    posts = generate(chosen.posts)
    batch = TextBatch.from_strings(posts)
    with tempfile.TemporaryDirectory() as folder:
        products_ = multiplications(Path(folder))
    limits = [memory(batch), *text(posts), *automata(posts, batch, ROOT / "rules"), *products_]
    spreads = alternate({each.name: each.run for each in limits}, chosen.rounds)
    best = {
        kind: max(spreads[e.name].rates(e.amount)[0] for e in products_ if e.name.startswith(kind))
        for kind in (FLOAT, EIGHT)
    }
    body = [
        f"{hardware()}; onnxruntime {onnxruntime.__version__}.",
        f"Medians, lowest and highest of {chosen.rounds} rounds in turns; the process had "
        f"{share_of_core(list(spreads.values())):.0%} of the core. A post has "
        f"{len(batch.codepoints) / len(posts):.0f} code points.",
        "",
        table(
            ["limit", "unit", "median", "lowest", "highest", "ns a post", "posts/s at most"],
            report(limits, spreads),
            left=2,
        ),
        "",
        table(
            ["tier", "arithmetic", "tokens a post", "MFLOP a post", "posts/s at most, by products"],
            tiers(chosen.model, posts, best),
            left=2,
        ),
    ]
    publish("\n".join(body), "limits", write=chosen.write)


if __name__ == "__main__":
    main()
