"""Probabilities, thresholds and the split of the corpus."""

import numpy as np
import pytest

from moderation.errors import DataNotFoundError, ShardError
from moderation.training.calibrate import (
    expected_calibration_error,
    operating_point,
    platt,
    rule_weight,
)
from moderation.training.data import Post, clean, held_out_ids, load_sources


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_platt_scaling_recovers_the_scale_that_made_the_labels():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, 20_000)
    labels = (generator.random(20_000) < sigmoid(0.5 * logits - 1.0)).astype(float)
    slope, offset = platt(logits, labels, np.ones_like(logits))
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-1.0, abs=0.06)


def test_platt_scaling_never_turns_the_order_round():
    logits = np.linspace(-3, 3, 100)
    slope, _ = platt(logits, (logits < 0).astype(float), np.ones(100))
    assert slope > 0


def test_operating_point_keeps_its_precision():
    generator = np.random.default_rng(1)
    scores = generator.random(5000)
    labels = (generator.random(5000) < scores).astype(float)
    threshold = operating_point(scores, labels, np.zeros(0), 0.9, 1.0)
    chosen = scores >= threshold
    assert labels[chosen].mean() >= 0.9
    lower = scores >= threshold - 0.05
    assert labels[lower].mean() < 0.9


def test_operating_point_keeps_its_false_positive_rate():
    scores, labels = np.array([0.2, 0.9]), np.array([0.0, 1.0])
    ordinary = np.linspace(0, 0.5, 1000)
    threshold = operating_point(scores, labels, ordinary, 0.5, 0.01)
    assert (ordinary >= threshold).mean() <= 0.01
    assert (ordinary >= threshold).mean() > 0.005


def test_calibration_error_is_zero_for_frequencies_that_match():
    scores = np.repeat([0.25, 0.75], 400)
    labels = np.concatenate([np.tile([1, 0, 0, 0], 100), np.tile([1, 1, 1, 0], 100)])
    assert expected_calibration_error(scores, labels) == pytest.approx(0.0)
    assert expected_calibration_error(np.full(800, 0.95), labels) == pytest.approx(0.45)


def test_a_rule_that_is_always_right_adds_weight_and_a_useless_one_none():
    odds = np.full(200, -2.0)
    assert rule_weight(odds, np.ones(200)) > 4
    assert rule_weight(odds, np.zeros(200)) == 0.0


def corpus_post(number, text):
    return Post(f"row-{number:04d}", text, (0, 0, 0), "en", "corpus", "corpus/x")


def test_minimal_pairs_stay_on_one_side_of_the_split():
    posts = []
    for number in range(200):
        words = "".join(chr(0x4E00 + (number * 53 + k * 211) % 9000) for k in range(14))
        posts.append(corpus_post(2 * number, f"{words}, I sell it"))
        posts.append(corpus_post(2 * number + 1, f"{words}, I report it"))
    distinct = [
        corpus_post(1000 + n, "".join(chr(0xAC00 + (n * 37 + k * 101) % 9000) for k in range(9)))
        for n in range(400)
    ]
    held = held_out_ids(posts + distinct)
    for first, second in zip(posts[::2], posts[1::2], strict=True):
        assert (first.id in held) == (second.id in held)
    share = sum(p.id in held for p in distinct) / len(distinct)
    assert 0.12 < share < 0.28


def test_the_split_does_not_depend_on_the_order_of_rows():
    texts = ["a quiet street", "bread and butter", "three blue boats", "a quiet street!"]
    posts = [corpus_post(n, text) for n, text in enumerate(texts)]
    assert held_out_ids(posts) == held_out_ids(posts[::-1])


def test_what_names_the_source_is_removed():
    assert (
        clean("Mon Oct 29 08:25:20 8515  hello https://t.co/abc", "pip_twitter_gt_train") == "hello"
    )
    assert clean("你 好 URL 世 界", "fbs_sms") == "你好世界"


def test_a_folder_without_sources_is_named(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"expected .*train/\*\.jsonl\.gz"):
        load_sources(tmp_path)


def test_a_damaged_source_row_is_named_by_file_and_line(tmp_path):
    import gzip

    (tmp_path / "train").mkdir()
    with gzip.open(tmp_path / "train" / "uci_sms.jsonl.gz", "wt") as file:
        file.write('{"id": "1", "text": "x"}\n')
    with pytest.raises(ShardError, match=r"uci_sms\.jsonl\.gz:1: expected a labelled row"):
        load_sources(tmp_path)
