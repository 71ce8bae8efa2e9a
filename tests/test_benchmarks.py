import gzip
import json
import sys
from pathlib import Path
from random import Random

import pytest
from rule_support import context, rule, write_rules

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import evasion
import hostile
import throughput
from evasions import contacts, recovery, spell, words
from evasions.cases import Case, find_cases, hide, measure
from evasions.merges import false_merges
from evasions.registry import KINDS, techniques
from rules_alone import load_rules, spans

import rules as rules_benchmark

BOOK = rule("book", level="strong", any=["博彩", "casino"])


def case(text, *terms):
    return Case(
        text, "gambling", "here", tuple((text.index(t), text.index(t) + len(t)) for t in terms)
    )


def named(name):
    return next(t for t in techniques(None, None) if t.name == name)


@pytest.fixture
def book(tmp_path):
    return load_rules(write_rules(tmp_path, BOOK))


def test_every_kind_of_evasion_has_a_technique():
    assert {t.kind for t in techniques(None, None)} == set(KINDS)


def test_names_of_techniques_are_unique():
    names = [t.name for t in techniques(None, None)]
    assert len(names) == len(set(names))


def test_a_seed_decides_what_a_technique_writes():
    post = case("线上博彩 online casino 加微信 abc123", "博彩", "casino")
    for technique in techniques(None, None):
        first, second = (hide(post, technique, Random("1")) for _ in range(2))
        assert first == second


@pytest.mark.parametrize(
    ("name", "written", "hidden"),
    [
        ("full width", "casino 博彩", "ｃａｓｉｎｏ 博彩"),
        ("soft hyphens", "博彩", "博\u00ad彩"),
        ("line breaks", "博彩网", "博\n彩\n网"),
        ("upside down", "casino", "ouᴉsɐɔ"),
        ("right-to-left override", "博彩", "\u202e彩博\u202c"),
        ("words run together", "online casino", "onlinecasino"),
        ("Japanese forms", "娱乐", "娱楽"),
    ],
)
def test_techniques_write_what_they_say(name, written, hidden):
    assert named(name).rewrite(written, Random(1)) == hidden


def test_pinyin_of_a_term_stands_for_its_characters():
    pytest.importorskip("pypinyin")
    assert named("full pinyin, joined").rewrite("博彩", Random(1)) == "bocai"
    assert named("initials").rewrite("博彩", Random(1)) == "bc"


def test_homophones_are_common_characters_read_alike():
    pypinyin = pytest.importorskip("pypinyin")
    other = named("homophone, every character").rewrite("博彩", Random(1))
    assert other not in {"博彩", ""}
    assert pypinyin.lazy_pinyin(other) == ["bo", "cai"]


def test_half_of_the_characters_change_and_never_none():
    change = spell.some(spell.lookup({"a": "x", "b": "x", "c": "x", "d": "x"}))
    assert change("abcd", Random(1)).count("x") == 2
    assert change("a-", Random(1)) == "x-"
    assert change("--", Random(1)) == "--"


def test_edits_count_characters_inserted_removed_and_replaced():
    assert spell.edits("casino", "c.asln") == 3


def test_terms_that_overlap_are_one_and_those_that_touch_are_two(tmp_path):
    rules = load_rules(write_rules(tmp_path, rule("site", any=["博彩", "博彩网", "casino"])))
    found = rules.findings(["博彩网casino 博彩"])[0]
    assert spans(found.matches) == [(0, 3), (3, 9), (10, 12)]


def test_a_technique_that_changes_nothing_gives_no_post():
    assert hide(case("博彩网", "博彩"), named("full width"), Random(1)) is None


def test_what_a_technique_changes_is_what_the_control_cuts_out():
    hidden = hide(case("线上博彩与casino", "博彩", "casino"), named("full width"), Random(1))
    assert hidden.text == "线上博彩与ｃａｓｉｎｏ"
    assert hidden.cut == "线上博彩与 something "
    assert hidden.edits == 6


def test_moved_terms_leave_the_body_for_title_and_tags():
    hidden = hide(
        case("送彩金的博彩网", "彩金", "博彩"), named("terms moved to title and tags"), Random(1)
    )
    assert hidden.text == "彩金\n送的网\n#博彩"


def test_only_posts_that_the_rules_flag_in_plain_sight_become_cases(book):
    posts = [case("线上博彩网"), case("线上博.彩网"), case("清炒菠菜")]
    assert [(c.text, c.terms) for c in find_cases(book, posts, 9)] == [("线上博彩网", ((2, 4),))]


def test_recall_kept_counts_posts_that_stay_flagged(book):
    posts = [case("线上博彩网", "博彩"), case("线上赌城", "赌城")]
    seen, cut = measure(
        book, posts[:1], [named("zero-width"), named("written backwards")], seed=1, misses=1
    )
    assert (seen.posts, seen.kept, seen.blocked) == (1, 1, 1)
    assert (cut.posts, cut.kept) == (1, 0)
    assert [miss.text for miss in cut.misses] == ["线上彩博网"]


def test_a_post_does_not_count_where_something_else_catches_it(book):
    posts = [case("博彩与casino", "博彩", "casino")]
    assert measure(book, posts, [named("full width")], seed=1, misses=0)[0].posts == 0


def test_code_words_are_those_that_the_pack_names(tmp_path):
    folder = write_rules(tmp_path, rule("code", any=["菠菜"]))
    known, unknown = (t for t in words.techniques(folder) if t.kind == 7)
    assert known.rewrite("博彩", Random(1)) == "菠菜"
    assert unknown.rewrite("博彩", Random(1)).strip() == "bc"


def test_contacts_are_rewritten_where_they_stand():
    hidden = hide(case("加微信 ab123"), named("handle in Han digits"), Random(1))
    assert hidden.text == "加微信 ab一二三"


def test_a_contact_is_seen_while_its_cue_is_there(tmp_path):
    rules = load_rules(write_rules(tmp_path, BOOK, cues={"contact": ["微信", "薇信"]}))
    chosen = [t for t in contacts.techniques() if t.name == "wechat rewritten"]
    seen = contacts.measure_cues(rules, ["加微信聊", "没有"], chosen, seed=1, misses=1)[0]
    assert seen.posts == 1
    assert seen.kept == 1 - seen.lost["contact"]


def test_false_merges_are_posts_that_only_a_bold_view_flags(book):
    merged = false_merges(book, {"chat": ["线上博.彩网", "线上博彩网", "清炒时蔬"]}, examples=1)[0]
    assert (merged.posts, merged.flagged, merged.bold) == (3, 2, 1)
    assert merged.examples[0][0] == "线上博.彩网"


def test_words_hidden_in_pairs_are_looked_for_again(tmp_path):
    rows = [
        {"perturbation": "Traditional_transform", "original": "我的电脑坏了",
         "perturbed": "我的電腦坏了", "spans": ["电脑"]},
        {"perturbation": "Swap_transform", "original": "我的电脑坏了",
         "perturbed": "我的脑电坏了", "spans": ["电脑", "我"]},
    ]  # fmt: skip
    path = tmp_path / "pairs.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    folder = write_rules(tmp_path, BOOK)
    found = recovery.recover(path, folder, ["电脑", "电.脑", "无事"], misses=1)
    assert found.hidden == {"traditional forms": 1, "order shuffled": 1}
    assert found.found == {"traditional forms": 1}
    assert found.misses == [("order shuffled", "电脑", "我的脑电坏了")]
    assert (found.terms, found.ordinary, found.false) == (1, 3, 1)


def test_hostile_posts_are_all_of_one_size(tmp_path):
    posts = hostile.hostile(write_rules(tmp_path, BOOK), ["线上博彩网"], size=500)
    posts["ordinary"] = hostile.ordinary("mixed", size=500)
    assert {len(text) for text in posts.values()} == {500}
    assert "博彩" in posts["every term, spaced"]


def test_hostile_posts_are_made_of_the_shipped_rules_and_read(shipped_rules):
    alone = load_rules(shipped_rules)
    for name, post in hostile.hostile(shipped_rules, ["加V上下分"], size=300).items():
        assert len(post) == 300, name
        alone.stage([post])


def test_the_throughput_table_has_every_stage(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["throughput.py", "--posts", "40", "--runs", "1"])
    throughput.main()
    shown = capsys.readouterr().out
    for stage in ("base view", "sound view", "language", "rules: scan", "tokens", "everything"):
        assert stage in shown


def test_levels_decide_without_a_classifier(tmp_path):
    folder = write_rules(
        tmp_path,
        BOOK,
        rule("chips", level="medium", any=["筹码"]),
        rule("luck", level="weak", any=["手气"]),
        context("quit", "recover", any=["戒了"]),
    )
    posts = ["博彩网", "筹码", "手气", "博彩戒了", "无事"]
    judged = rules_benchmark.judge(load_rules(folder), posts)
    wanted = [{"gambling": action} for action in ("block", "review", "pass", "pass")]
    assert [j.actions for j in judged] == [*wanted, {}]


def test_the_quick_table_is_the_same_each_time(monkeypatch, capsys, tmp_path):
    folder = write_rules(tmp_path, BOOK | {"tests": {"hit": ["线上博彩网", "online casino here"]}})
    monkeypatch.setattr(sys, "argv", ["evasion.py", "--quick", "--rules", str(folder)])
    tables = []
    for _ in range(2):
        evasion.main()
        tables.append(capsys.readouterr().out.rpartition("\n\n")[0])
    assert tables[0] == tables[1]
    assert "| 2 invisible | zero-width |" in tables[0]
