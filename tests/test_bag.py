"""The fast tier's graph in the kernel gives what ONNX Runtime gives, or is not used."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from engine_support import AWKWARD, CASINO_AD, CHIPS_AD, COFFEE
from hypothesis import given
from hypothesis import strategies as st
from kernel_support import REFUSALS, mutated
from model_support import two_tiers
from msgspec.structs import replace
from onnx import numpy_helper

from moderation.adaptation.graph import HEAD_INPUT, head_graph
from moderation.adaptation.head import Blocks, Fit
from moderation.classifier import SessionOptions, digest_file, load_model, read_manifest
from moderation.classifier.bag import Bag, open_bag
from moderation.classifier.features import Ragged
from moderation.classifier.manifest import FileDigest, HeadSpec, InputSpec
from moderation.classifier.onnx_file import read_graph
from moderation.classifier.tier import Tier
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.text.native import kernel

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = data_root() / "models" / "default"
SPEC = read_manifest(FOLDER)[0].tiers["fast"]
TIER = load_model(FOLDER, "fast", SessionOptions()).tiers[0]
TABLE = load_table(data_root() / "rules")
POSTS = [CASINO_AD, CHIPS_AD, COFFEE, *AWKWARD, "a post", "long " * 250, "白菜价" * 330]


def works_here() -> bool:
    return kernel is not None and TIER._bag is not None


needs_bag = pytest.mark.skipif(
    not works_here(), reason="no native kernel, or onnxruntime rounds otherwise on this processor"
)


def by_session(texts: list[str]) -> dict[str, np.ndarray]:
    """Return what the session says of posts, each alone."""
    names = ["logits", "features"]
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    inputs = TIER._inputs(TABLE.base(TextBatch.from_strings(texts)), correct=False)
    for post in range(len(texts)):
        rows = np.full(8, post)
        feed = {
            spec.name: ragged.padded(
                rows, max(-(-int(ragged.lengths[post]) // 8) * 8, 8), spec.padding
            )
            for spec, ragged, _ in inputs
        }
        for name, value in zip(names, TIER.session().run(names, feed), strict=True):
            found[name].append(value[:1])
    return {name: np.concatenate(parts) for name, parts in found.items()}


@needs_bag
@given(posts=st.lists(st.sampled_from(POSTS) | st.text(max_size=40), min_size=1, max_size=8))
def test_logits_and_features_are_those_of_the_session(posts: list[str]):
    base = TABLE.base(TextBatch.from_strings(posts))
    found = TIER._in_kernel(TIER._inputs(base, correct=False))
    expected = by_session(posts)
    assert np.array_equal(found["logits"], expected["logits"])
    assert np.array_equal(found["features"], expected["features"])


@needs_bag
def test_a_batch_of_no_posts_has_no_rows():
    found = TIER._bag.outputs([Ragged(np.zeros(0, np.int32), np.zeros(1, np.int64))] * 3)
    assert {name: value.shape for name, value in found.items()} == {
        "logits": (0, 3), "features": (0, 129),
    }  # fmt: skip


def edited(to: Path, change: Any) -> Path:
    graph = onnx.load(FOLDER / SPEC.graph)
    change(graph.graph)
    onnx.save(graph, to)
    return to


def with_constant(name: str, change: Any) -> Any:
    def edit(graph: Any) -> None:
        constant = next(each for each in graph.initializer if each.name == name)
        constant.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(constant)), name))

    return edit


def ones_at_the_end(codes: np.ndarray) -> np.ndarray:
    changed = codes.copy()
    changed[-1] = 1
    return changed


@needs_bag
@pytest.mark.parametrize(
    "change",
    [
        lambda graph: setattr(graph.node[-2], "op_type", "Tanh"),
        lambda graph: graph.node.pop(),
        lambda graph: graph.node[3].attribute.pop(),
        with_constant("token_codes", ones_at_the_end),
        with_constant("character_bigrams_codes", ones_at_the_end),
        with_constant("character_bigrams_padding", lambda found: found - 1),
        with_constant("hidden_bias", lambda found: found.astype(np.float64)),
        with_constant("hidden_bias", lambda found: found[:-1]),
        lambda graph: graph.initializer.pop(),
    ],
    ids=["operator", "fewer", "attribute", "tokens", "grams", "padding", "type", "size", "missing"],
)
def test_another_graph_is_left_to_the_session(tmp_path: Path, change: Any):
    path = edited(tmp_path / "fast.onnx", change)
    assert open_bag(path, digest_file(path), SPEC.inputs, TIER.session) is None


@needs_bag
@pytest.mark.parametrize("name", ["token_factor", "length_scale", "output_bias", "hidden_matrix"])
def test_a_bag_that_says_something_else_than_the_session_is_not_used(tmp_path: Path, name: str):
    path = edited(tmp_path / "fast.onnx", with_constant(name, lambda x: x * np.float32(1 + 1e-6)))
    assert open_bag(path, digest_file(path), SPEC.inputs, TIER.session) is None


@needs_bag
def test_whether_a_bag_agrees_is_found_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    opened: list[Any] = []

    def session() -> Any:
        opened.append(TIER.session())
        return opened[-1]

    path = FOLDER / SPEC.graph
    for setting in ("one", "one", "another"):
        assert open_bag(path, setting, SPEC.inputs, session) is not None
    assert len(opened) == 2
    (kept, _) = sorted(tmp_path.rglob("bag-*.bin"))
    kept.write_bytes(kept.read_bytes()[:-1])
    for setting in ("one", "another"):
        assert open_bag(path, setting, SPEC.inputs, session) is not None
    assert len(opened) == 3


@needs_bag
def test_a_head_reads_the_bags_features_as_the_sessions(tmp_path: Path):
    draw = np.random.default_rng(2)
    pieces, columns = SPEC.inputs[0].padding, 129
    shape = np.zeros(columns)
    blocks = Blocks(shape, None, shape, shape, shape, draw.uniform(1, 9, pieces))
    fits = [Fit(draw.normal(size=columns), draw.normal(size=pieces), draw.normal(size=3), 0.5, ())]
    (tmp_path / "head.onnx").write_bytes(head_graph([*fits, None, *fits], blocks))
    for name in (*SPEC.files, SPEC.tokenizer):
        (tmp_path / name).symlink_to((FOLDER / name).resolve())
    head = HeadSpec("head.onnx", (InputSpec(HEAD_INPUT, "tokens", pieces),))
    manifest = read_manifest(FOLDER)[0]
    manifest = replace(
        manifest,
        tiers={"fast": replace(SPEC, head=head)},
        files={**manifest.files, "head.onnx": FileDigest("a head of this test", 0)},
    )
    fast, slow = (Tier(tmp_path, manifest, "fast", SessionOptions()) for _ in range(2))
    slow.__dict__["_bag"] = None
    base = TABLE.base(TextBatch.from_strings(POSTS))
    found = fast.outputs(base, ("logits", "features"))
    for each, expected in zip(found, slow.outputs(base, ("logits", "features")), strict=True):
        assert np.array_equal(each, expected)
    assert not np.array_equal(found[0], TIER.logits(base))


def test_a_tier_of_another_graph_has_no_bag(tmp_path: Path):
    folder = two_tiers(tmp_path / "model", FOLDER)
    assert load_model(folder, "deep", SessionOptions()).tiers[0]._bag is None


@pytest.mark.parametrize(
    "raw", [b"", b"\xff" * 40, b"\x3a\x80", b"\x3a\x02\x0a\x00", b"plain text"]
)
def test_what_is_no_graph_is_not_read(raw: bytes):
    assert read_graph(raw) is None


def test_the_shipped_graph_is_read_as_onnx_reads_it():
    raw = (FOLDER / SPEC.graph).read_bytes()
    found, expected = read_graph(raw), onnx.load_from_string(raw).graph
    assert [(n.op, n.inputs, n.output) for n in found.nodes] == [
        (n.op_type, tuple(n.input), n.output[0]) for n in expected.node
    ]
    assert found.constants.keys() == {each.name for each in expected.initializer}
    for constant in expected.initializer:
        assert np.array_equal(found.constants[constant.name], numpy_helper.to_array(constant))


def arguments() -> list[Any]:
    """Return arguments of a small bag; floats as their bits, which is all the kernel asks for."""
    draw = np.random.default_rng(1)

    def floats(count: int) -> np.ndarray:
        return draw.normal(size=count).astype(np.float32).view(np.int32)

    values, offsets = np.array([0, 2, 1, 1, 3], np.int32), np.array([0, 3, 3, 5])
    codes = draw.integers(-127, 128, 4 * 16).astype(np.int8)
    gram = (values, offsets, codes, floats(4), 1.0)
    return [
        values, offsets, codes, floats(4), floats(4), floats(4), (gram, gram),
        floats((16 + 1 + 32) * 16), floats(16), floats(16 * 3), floats(3),
    ]  # fmt: skip


@needs_bag
@pytest.mark.parametrize("columns", [16, 32, 48, 64, 96, 112, 160])
def test_rows_of_any_width_are_added_up_four_by_four(columns: int):
    draw = np.random.default_rng(columns)
    lengths = np.array([0, 1, 3, 4, 5, 8, 11])
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    ids = draw.integers(0, 9, int(offsets[-1]), np.int32)
    codes = draw.integers(-127, 128, (9, columns)).astype(np.int8)
    factor = draw.normal(size=9).astype(np.float32)
    plain = arguments()
    tokens = (np.zeros(0, np.int32), np.zeros(len(offsets), np.int64), *plain[2:6])
    matrix = np.zeros((16 + 1 + columns) * 16, np.float32)
    gram = (ids, offsets, codes, factor, 1.0)
    made = kernel.bag(*tokens, (gram,), matrix, *plain[8:])
    found = np.frombuffer(made[0], np.float32).reshape(len(lengths), -1)[:, 17:]
    rows = codes.astype(np.float32) * factor[:, None]
    for post, length in enumerate(lengths.tolist()):
        total = np.zeros(columns, np.float32)
        own = rows[ids[offsets[post] : offsets[post + 1]]]
        for first in range(0, length, 4):
            four = own[first].copy()
            for row in own[first + 1 : first + 4]:
                four += row
            total += four
        assert np.array_equal(found[post], total / np.float32(max(length, 1)))


@needs_bag
def test_what_is_wrong_is_refused_or_does_no_harm():
    random_ = random.Random(5)
    valid = arguments()
    assert kernel.bag(*valid) is not None
    refused = 0
    for _ in range(4_000):
        wrong = list(valid)
        at = random_.randrange(len(wrong))
        wrong[at] = mutated(valid[at], random_)
        try:
            kernel.bag(*wrong)
        except REFUSALS:
            refused += 1
    assert refused > 1_300
    for few in ([], valid[:-1], [*valid, None]):
        with pytest.raises(TypeError):
            kernel.bag(*few)


@needs_bag
@pytest.mark.parametrize(
    ("at", "wrong", "reason"),
    [
        (0, np.array([0, 2, 1, 1, 4], np.int32), "outside of its table"),
        (0, np.array([0, -1, 1, 1, 3], np.int32), "outside of its table"),
        (1, np.array([0, 3, 5]), "as many posts in every input"),
        (2, np.zeros(4 * 15, np.int8), "codes: expected a multiple of 16"),
        (3, np.zeros(0, np.int32), "codes: expected a multiple of 16"),
        (4, np.zeros(3, np.int32), "weight: expected 4 numbers"),
        (6, ((),) * 5, "at most 4 kinds of n-grams"),
        (8, np.zeros(15, np.int32), "multiple of 16 up to 1024 units"),
        (10, np.zeros(5, np.int32), "at most 4 outputs"),
        (7, np.zeros(16, np.int32), "hidden: expected"),
        (9, np.zeros(16, np.int32), "output: expected"),
    ],
)
def test_what_does_not_fit_is_named(at: int, wrong: Any, reason: str):
    given_ = arguments()
    given_[at] = wrong
    with pytest.raises(ValueError, match=reason):
        kernel.bag(*given_)


def test_a_bag_of_a_graph_without_its_constants_is_an_error():
    graph = read_graph((FOLDER / SPEC.graph).read_bytes())
    del graph.constants["token_weight"]
    with pytest.raises(KeyError):
        Bag(graph, SPEC.inputs)
