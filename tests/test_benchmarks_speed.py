"""Benchmarks of speed: what they measure on, how they take turns, what they write."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from rule_support import rule, write_rules

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import cuda
import limits
import measuring
import peers
import scaling
from contenders import Contender, MissingError, matching, need
from contenders.classifiers import spaced
from contenders.ours import rules_alone
from contenders.terms import every_term, lone_terms

from moderation.classifier import cuda_problem
from moderation.rules import load_ruleset
from moderation.training.data import Post

TERMS = ["博彩", "彩网", "casino", "online casino"]
POSTS = ["线上博彩网", "Online CASINO bonus", "清炒时蔬", "", "İ casino\n博彩"]


def test_stages_take_turns_and_the_first_round_does_not_count():
    seen: list[str] = []
    spreads = measuring.alternate(
        {name: lambda name=name: seen.append(name) for name in ("a", "b", "c")}, rounds=2
    )
    assert seen == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert {len(spread.seconds) for spread in spreads.values()} == {2}


def test_rates_are_the_median_with_the_lowest_and_the_highest():
    spread = measuring.Spread((1.0, 4.0, 2.0), (1.0, 1.0, 1.0))
    assert spread.rates(8) == (4.0, 2.0, 8.0)
    assert measuring.share_of_core([spread]) == 3 / 7


def test_fewer_posts_have_the_lengths_of_all():
    posts = ["x" * size for size in range(1000)]
    chosen = measuring.evenly(posts, 50)
    assert len(chosen) == 50
    assert abs(np.mean([len(post) for post in chosen]) - 499.5) < 10
    assert measuring.evenly(posts, 5000) == posts


def test_a_table_takes_the_place_of_the_last_one(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n")
    for body in ("first", "| second |\n"):
        measuring.write_section(page, "x", body)
    expected = "before\n<!-- x:begin -->\n| second |\n<!-- x:end -->\nafter\n"
    assert page.read_text() == expected


def test_a_page_without_the_markers_is_left_alone(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x:begin -->\n")
    with pytest.raises(SystemExit, match="expected the lines <!-- x:begin --> and <!-- x:end -->"):
        measuring.write_section(page, "x", "table")
    assert page.read_text() == "before\n<!-- x:begin -->\n"


@pytest.mark.parametrize("section", ["stages", "limits", "scaling", "peers", "cuda"])
def test_the_page_of_performance_has_a_place_for_every_table(section: str):
    page = measuring.PERFORMANCE.read_text("utf-8")
    assert page.count(f"<!-- {section}:begin -->") == page.count(f"<!-- {section}:end -->") == 1


def test_a_hit_in_joined_posts_is_led_back_to_its_post():
    joined = matching.joined(TERMS).run(POSTS)
    assert joined.tolist() == [len(hits) for hits in matching.by_post(TERMS).run(POSTS)]
    assert joined.tolist() == [2, 2, 0, 0, 2]


def test_no_hit_runs_from_one_joined_post_into_the_next():
    assert matching.joined(["ab"]).run(["a", "b"]).tolist() == [0, 0]


def test_matchers_find_the_same_terms():
    expected = matching.joined(TERMS).run(POSTS).tolist()
    pytest.importorskip("ahocorasick")
    assert [len(hits) for hits in matching.pyahocorasick(TERMS).run(POSTS)] == expected


def test_a_pattern_finds_the_longest_term_first():
    found = matching.alternation(TERMS).run(POSTS)
    assert found[:2] == [["博彩"], ["online casino"]]
    assert matching.alternation_of_re(TERMS).run(POSTS) == found


def test_a_block_list_flags_posts_that_hold_a_term():
    scores = matching.block_list(["casino"]).scores
    assert scores is not None
    assert scores(POSTS).tolist() == [0.0, 1.0, 0.0, 0.0, 1.0]


def test_terms_are_those_of_the_rules(tmp_path: Path):
    folder = write_rules(
        tmp_path,
        rule("alone", level="strong", any=["Casino", {"any": ["博彩"]}, {"list": "sites"}]),
        rule("company", level="strong", all=[{"any": ["chips"]}, {"any": ["deposit"]}]),
        rule("weak", level="weak", any=["luck"]),
        lists={"sites": ["bet*"]},
    )
    assert lone_terms(folder) == ["bet", "casino", "博彩"]
    assert {"chips", "deposit", "luck", "bet", "casino"} <= set(every_term(folder))


def test_a_contender_that_is_not_installed_is_listed_with_the_reason():
    def absent() -> Contender:
        need("no_such_matcher", "no-such-matcher")
        raise AssertionError("imported")

    there = Contender("there", "counts", len)
    field = peers.gather(iter([("there", lambda: there), ("absent", absent)]))
    assert field.contenders == (there,)
    (name, reason), = field.missing  # fmt: skip
    assert name == "absent"
    assert reason.startswith("not installed here (pip install no-such-matcher): ")


def test_an_unmade_contender_is_a_missing_one():
    with pytest.raises(MissingError):
        need("no_such_matcher", "no-such-matcher")


def labelled(text: str, label: int) -> Post:
    return Post(text, text, (0, label, 0), "en", "corpus", "corpus/x")


def test_quality_moves_a_threshold_until_as_many_innocents_are_flagged_as_ours_flag():
    posts = [labelled(str(n), n >= 5) for n in range(10)]
    ours = Contender(
        "ours", "", len, lambda texts: np.array([t in "479" for t in texts], float), graded=False
    )
    other = Contender("other", "", len, lambda texts: np.array([int(t) / 20 for t in texts]))
    first, second = peers.quality(peers.Field((ours, other), ()), posts)
    assert first[:3] == ["**ours**", "40.0%", "20.0%"]
    assert second[:3] == ["other", "0.0%", "0.0%"]
    assert (first[-1], second[-1]) == ("-", "100.0%")


def test_the_table_of_speed_sets_the_others_against_ours():
    field = peers.Field((Contender("ours", "all", len), Contender("list", "little", len)), ())
    shares = {"ours": ["abcd"] * 10, "list": ["abcd"] * 20}
    took = {name: measuring.Spread((1.0,), (1.0,)) for name in shares}
    rows = peers.speed(field, shares, took)
    assert [row[0] for row in rows] == ["list", "**ours**"]
    assert [row[6] for row in rows] == ["2.00", "1.00"]


def test_han_characters_are_words_for_fasttext():
    assert spaced("加V看\n片 Now") == "加 v 看 片 now"


@pytest.mark.parametrize("length", [10, 300, 3000])
def test_posts_of_a_length_have_it(length: int):
    posts = scaling.posts_of_length(length, 6000)
    assert {len(post) for post in posts} == {length}
    assert len(posts) == 6000 // length


def test_records_have_an_id_of_their_own_each():
    made = list(scaling.lines(3, ["a\n", "赌"]))
    assert made[0] == b'{"id": "0", "text": "a\\n"}\n'
    assert [line.decode()[8] for line in made] == ["0", "1", "2"]


def test_more_rules_keep_the_first_ones_and_add_terms_of_the_same_shape(tmp_path: Path):
    folder = write_rules(
        tmp_path / "rules",
        rule("alone", any=["casino", "百家乐"]),
        rule("pair", all=[{"any": ["chips"]}, {"near": ["deposit", "存款"], "within": 9}]),
    )
    more = load_ruleset(scaling.more_rules(folder, tmp_path / "more", 3))
    plain = load_ruleset(folder)
    assert len(more.rules) == 3 * len(plain.rules)
    assert more.terms == plain.terms + 2 * 5
    kept = {rule.id for rule in plain.rules}
    assert kept < {rule.id for rule in more.rules}


def test_products_of_eight_bit_blocks_are_close_to_those_of_floats(tmp_path: Path):
    generator = np.random.default_rng(1)
    weight = generator.standard_normal((256, 64), np.float32)
    left = generator.standard_normal((8, 256), np.float32)
    found = {}
    for name, write in (("float", limits._float_graph), ("block", limits._block_graph)):
        path = tmp_path / f"{name}.onnx"
        write(path, weight)
        opened = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        found[name] = opened.run(None, {"left": left})[0]
    assert np.allclose(found["float"], left @ weight, atol=1e-3)
    assert np.abs(found["block"] - found["float"]).max() < 0.05 * np.abs(found["float"]).max()


def test_a_benchmark_without_a_gpu_says_so(capsys: pytest.CaptureFixture[str]):
    problem = cuda_problem()
    if problem is None:
        pytest.skip("there is a GPU")
    cuda.main([])
    assert capsys.readouterr().out == f"Not measured on a GPU: {problem}.\n"


def test_our_rules_alone_say_which_posts_they_flag():
    posts = ["菠 菜 老平台，首存送88，彩金秒到账，加V", "今晚去河边散步，回家泡壶茶"]
    assert rules_alone().scores(posts).tolist() == [1.0, 0.0]
