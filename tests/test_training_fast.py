"""The fast tier: trained small, exported, and run by ONNX Runtime."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnx", reason="needs the extra [train]")

from moderation.classifier.features import Ragged
from moderation.classifier.sessions import SessionOptions, session
from moderation.training.export import write_graph
from moderation.training.fast import Examples, Recipe, predict, train

pytestmark = pytest.mark.train

PIECES, BUCKETS = 50, 64
RECIPE = Recipe(epochs=4, batch=32, gram_width=4, hidden=16)


def ragged(rows: list[list[int]]) -> Ragged:
    flat = np.array([v for row in rows for v in row], np.int32)
    return Ragged(flat, np.cumsum([0, *map(len, rows)]))


def examples(count: int = 256) -> Examples:
    """Posts whose first policy depends on token 7 and whose second depends on bucket 3."""
    generator = np.random.default_rng(5)
    tokens = [
        generator.integers(0, PIECES, generator.integers(1, 9)).tolist() for _ in range(count)
    ]
    grams = [
        generator.integers(0, BUCKETS, generator.integers(0, 9)).tolist() for _ in range(count)
    ]
    targets = np.zeros((count, 3), np.float32)
    targets[:, 0] = [7 in row for row in tokens]
    targets[:, 1] = [3 in row for row in grams]
    targets[::3, 2] = np.nan
    return Examples(ragged(tokens), (ragged(grams),), targets, np.ones(count, np.float32))


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(1).normal(size=(PIECES, 8)).astype(np.float32)


def test_the_same_seed_gives_the_same_weights(vectors):
    data = examples()
    rows = np.arange(256)
    first, second = (train(data, rows, vectors, (BUCKETS,), RECIPE) for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_it_learns_what_the_labels_depend_on(vectors):
    data = examples()
    net = train(data, np.arange(256), vectors, (BUCKETS,), Recipe(epochs=60, batch=32, hidden=16))
    logits = predict(net, data, np.arange(256))
    for policy in (0, 1):
        truth = data.targets[:, policy] == 1
        assert logits[truth, policy].mean() > logits[~truth, policy].mean() + 1.0


def test_the_exported_graph_agrees_with_torch(vectors, tmp_path):
    data = examples()
    net = train(data, np.arange(256), vectors, (BUCKETS,), RECIPE)
    path = tmp_path / "fast.onnx"
    write_graph(path, net.weights(), ["tokens", "grams"])
    rows = np.arange(32)
    feed = {
        "tokens": data.tokens.padded(rows, 16, PIECES),
        "grams": data.grams[0].padded(rows, 16, BUCKETS),
    }
    found = session(path, "test", SessionOptions()).run(None, feed)[0]
    np.testing.assert_allclose(found, predict(net, data, rows), atol=0.05)


def test_export_writes_the_same_bytes_twice(vectors, tmp_path):
    net = train(examples(), np.arange(256), vectors, (BUCKETS,), RECIPE)
    for name in ("a.onnx", "b.onnx"):
        write_graph(tmp_path / name, net.weights(), ["tokens", "grams"])
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
