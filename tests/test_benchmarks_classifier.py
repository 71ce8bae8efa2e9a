import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from model_support import two_tiers
from rule_support import rule, write_rules

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import evasion
from classifier_alone import load_classifier, words
from evasions.cases import Case, classifier_posts, find_cases, measure
from evasions.registry import techniques
from evasions.spell import cut
from rules_alone import ROOT

from moderation import Moderator
from moderation.text import TextBatch, identify
from moderation.training.data import held_out_ids, load_corpus
from moderation.types import POLICIES

BET = "线上赌场注册就送彩金，百家乐老虎机样样有，充值提款秒到账"
POSTS = [
    BET,
    "Play slots and roulette at our online casino, deposit bonus for every new player",
    "今晚炒了一盘青菜，味道还不错",
    "walked the dog by the river and it rained",
    "赌",
    "",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_rules(tmp_path_factory.mktemp("rules"), rule("reels", any=["老虎机"]))


@pytest.fixture(scope="module")
def alone(shipped_model, folder):
    return load_classifier(shipped_model, None, folder)


def named(*names):
    return [t for t in techniques(None, None) if t.name in names]


def log_odds(alone, language, *texts):
    table = alone.rules.ruleset.table
    base = table.base(TextBatch.from_strings(texts))
    return alone.model.logits(base, np.repeat(language, len(texts)))[:, POLICIES.index("gambling")]


@pytest.mark.parametrize("tier", ["fast", "deep", "cascade"])
def test_actions_are_the_engine_s_where_no_rule_fires(tier, tmp_path, shipped_model):
    silent = write_rules(tmp_path, rule("silent", any=["qzqzqzqz"]))
    model = two_tiers(tmp_path / "model", shipped_model)
    alone = load_classifier(model, tier, silent)
    long = "今晚炒了一盘青菜。" * 150 + BET
    posts = [*POSTS, long]
    verdicts = Moderator(tier=tier, rules=silent, model=model).check_batch(posts)
    found = [{label.label: label.action for label in verdict.labels} for verdict in verdicts]
    assert [
        {policy: action for policy, action in now.items() if action != "pass"}
        for now in alone.judged(posts)
    ] == found
    assert found[0]


def test_a_rule_changes_no_action(alone, shipped_model, tmp_path):
    other = write_rules(tmp_path, rule("greens", any=["青菜"]))
    assert load_classifier(shipped_model, None, other).judged(POSTS) == alone.judged(POSTS)


def test_a_tier_that_the_model_lacks_is_named(shipped_model, folder, tmp_path, monkeypatch):
    model = shutil.copytree(shipped_model, tmp_path / "model")
    manifest = json.loads((model / "manifest.json").read_bytes())
    del manifest["tiers"]["deep"], manifest["cascade"], manifest["screen"]
    for name in ("calibration", "operating_points", "rule_weights"):
        manifest[name] = {"fast": manifest[name]["fast"]}
    manifest["default"] = "fast"
    (model / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    options = ["--classifier", str(model), "--tier", "deep", "--rules", str(folder)]
    monkeypatch.setattr(sys, "argv", ["evasion.py", *options])
    with pytest.raises(SystemExit, match="has no tier 'deep'"):
        evasion.main()


def test_a_tier_without_a_classifier_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evasion.py", "--tier", "fast"])
    with pytest.raises(SystemExit):
        evasion.main()
    assert "--tier needs --classifier" in capsys.readouterr().err


def test_words_are_runs_of_letters_and_pairs_of_chinese_characters():
    assert words("开户 win88，去!") == [(0, 2), (3, 8), (9, 10)]
    assert words("老虎机vip") == [(0, 2), (1, 3), (3, 6)]
    assert words("🔥 …") == []


def test_key_terms_are_what_the_rules_point_at(alone):
    at = BET.index("老虎机")
    assert alone.key_terms([(BET, "gambling")]) == [((at, at + 3),)]


def test_posts_that_the_model_does_not_flag_have_no_key_terms(alone):
    assert alone.key_terms([(POSTS[2], "gambling"), (BET, "drugs"), ("", "porn")]) == [None] * 3


def test_without_a_match_key_terms_are_words_that_the_model_would_miss(alone):
    post = POSTS[1]
    (terms,) = alone.key_terms([(post, "gambling")])
    assert terms
    assert sum(end - start for start, end in terms) <= len(post) / 3
    table, batch = alone.rules.ruleset.table, TextBatch.from_strings([post])
    language = identify(table.base(batch), table, batch)
    whole, without = log_odds(alone, language, post, cut(post, terms))
    assert without < whole
    every = log_odds(alone, language, *(cut(post, [word]) for word in words(post)))
    most = words(post)[int(np.argmin(every))]
    assert any(start <= most[0] and most[1] <= end for start, end in terms)


def test_a_post_whose_words_are_all_too_long_keeps_them(alone):
    assert alone.missed("赌场", "gambling") == ()


def test_cases_are_posts_that_the_model_flags(alone):
    posts = [Case(text, "gambling", "here") for text in POSTS]
    found = find_cases(alone, posts, 9)
    assert [case.text for case in found] == [
        text for text, now in zip(POSTS, alone.judged(POSTS), strict=True)
        if now["gambling"] != "pass"
    ]  # fmt: skip
    assert BET in [case.text for case in found]


def test_every_changed_post_is_counted_apart(alone):
    cases = find_cases(alone, [Case(text, "gambling", "here") for text in POSTS], 9)
    plain, backwards = measure(
        alone, cases, named("zero-width", "written backwards"), seed=1, misses=0, every=True
    )
    assert plain.every == plain.every_kept == len(cases)  # the base view undoes them
    assert plain.posts <= plain.every
    assert plain.kept == plain.posts
    assert backwards.kept <= backwards.every_kept <= backwards.every


def test_only_posts_lost_without_the_changed_stretches_count(alone):
    text = "大家好，今天说说天气，线上赌场百家乐注册送彩金"
    at = text.index("线上")
    whole = Case(text, "gambling", "here", ((at, len(text)),))
    part = Case(text, "gambling", "here", ((0, 3),))
    (zero_width,) = named("zero-width")
    assert alone.judged([text])[0]["gambling"] != "pass"
    for case, counted in ((whole, 1), (part, 0)):
        (outcome,) = measure(alone, [case], [zero_width], seed=1, misses=0, every=True)
        assert (outcome.posts, outcome.every) == (counted, 1)


def test_posts_of_the_corpus_are_those_never_trained_on():
    corpus = load_corpus(ROOT / "corpus")
    held_out = held_out_ids(corpus)
    unseen = {post.text for post in corpus if post.id in held_out}
    posts = classifier_posts(None)["corpus"]
    assert posts
    assert {text for text, _ in posts} <= unseen


def test_the_table_of_the_classifier_counts_every_post_apart(folder, monkeypatch, capsys):
    options = ["--classifier", "--quick", "--posts", "8", "--kind", "2", "--rules", str(folder)]
    monkeypatch.setattr(sys, "argv", ["evasion.py", *options])
    evasion.main()
    shown = capsys.readouterr().out
    assert "8 posts flagged as written (8 corpus;" in shown
    assert "| edited | every post | kept |" in shown
    assert "| 2 invisible | zero-width |" in shown
    assert "Contacts seen" not in shown


def test_the_same_seed_gives_the_same_outcomes(alone):
    posts = [Case(text, "gambling", "here") for text in POSTS]
    chosen = named("zero-width", "written backwards", "dots")
    first, second = (
        measure(alone, find_cases(alone, posts, 9), chosen, seed=1, misses=9, every=True)
        for _ in range(2)
    )
    assert first == second
