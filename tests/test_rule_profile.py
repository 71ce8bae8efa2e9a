"""moderate rules profile: where the time of the rules goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import rule, write_rules
from scan_support import write_jsonl

from moderation.cli import main
from moderation.evaluation.rule_profile import Profiler, RuleProfile, Timing
from moderation.rules import compile_rules
from moderation.rules.evaluate import PostMatcher

if TYPE_CHECKING:
    from pathlib import Path

POSTS = ["chips here", "chips, write to us", "a walk", "c.h.i.p.s ten coins", "chips 77 pieces"]


def profiled(folder: Path, posts: list[str]) -> RuleProfile:
    profiler = Profiler(compile_rules(folder))
    profiler.read([f"p{n}" for n in range(len(posts))], posts)
    return profiler.profile()


def named(timings: tuple[Timing, ...]) -> dict[str, Timing]:
    return {timing.name: timing for timing in timings}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    number = {"regex": r"\d+ pieces", "require": ["chips"]}
    return write_rules(
        tmp_path,
        rule("cue", all=["chips", {"cue": "contact"}]),
        rule("plain", any=["chips"]),
        rule("pattern", all=["chips", number]),
        rule("silent", any=["poker"]),
    )


def test_candidates_evaluations_and_hits_are_counted(folder: Path):
    rules = named(profiled(folder, POSTS).rules)
    counts = {
        name.rpartition(".")[2]: (t.candidates, t.evaluations, t.hits) for name, t in rules.items()
    }
    # The post with noise in it is tried once in the plain text and once more in the bold view.
    assert counts == {
        "cue": (4, 5, 1), "plain": (4, 5, 4), "pattern": (4, 5, 1), "silent": (0, 0, 0),
    }  # fmt: skip


def test_cues_are_looked_up_once_a_post(folder: Path):
    cues = named(profiled(folder, POSTS).cues)
    assert cues["contact"].candidates == 4
    assert cues["contact"].hits == 1


def test_patterns_are_counted_with_their_owner(folder: Path):
    pattern = named(profiled(folder, POSTS).patterns)[r"\d+ pieces"]
    assert (pattern.owner, pattern.hits) == ("gambling.en.pattern", 1)
    assert pattern.candidates >= 3


def test_time_is_kept_and_the_slowest_post_is_named(folder: Path):
    found = profiled(folder, POSTS)
    assert 0 < found.matching <= found.seconds
    assert found.overhead > 0
    for timing in found.rules:
        assert (timing.slowest_post in {"p0", "p1", "p3", "p4"}) == (timing.candidates > 0)
        assert 0 <= timing.slowest <= timing.seconds
    assert [t.seconds for t in found.rules] == sorted(
        (t.seconds for t in found.rules), reverse=True
    )


def test_the_engine_is_left_as_it_was(folder: Path):
    before = PostMatcher.match, PostMatcher.cue
    profiled(folder, POSTS)
    assert (PostMatcher.match, PostMatcher.cue) == before


def test_the_windows_of_a_long_post_are_candidates(folder: Path):
    long = "chips " + "word " * 500 + "chips"
    timing = named(profiled(folder, [long]).rules)["gambling.en.plain"]
    assert timing.candidates == 2
    assert timing.slowest_post == "p0"


def test_the_command_prints_rules_cues_and_patterns(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = [{"id": f"n{n}", "text": post} for n, post in enumerate(POSTS)]
    posts = write_jsonl(tmp_path / "posts.jsonl", *rows)
    assert main(["rules", "profile", str(posts), "--rules", str(folder), "-n", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("5 posts in ")
    assert "the clock takes about" in out
    sections = [part.splitlines() for part in out.split("\n\n")[1:]]
    assert [lines[0].split()[0] for lines in sections] == ["rule", "cue", "pattern"]
    assert len(sections[0]) == 4
    assert sections[0][-1] == "… 1 more, 1 never tried"
    assert sections[2][1].startswith(r"gambling.en.pattern: \d+ pieces ")


def test_patterns_about_minors_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    hidden = {
        "id": "porn.en.minors-x", "title": "t", "sub_label": "porn.minors", "stance": "offer",
        "level": "strong", "any": [{"regex": "chips word", "require": ["chips"]}],
    }  # fmt: skip
    rules = write_rules(tmp_path, hidden)
    posts = write_jsonl(tmp_path / "posts.jsonl", {"id": "n", "text": "chips"})
    assert main(["rules", "profile", str(posts), "--rules", str(rules)]) == 0
    out = capsys.readouterr().out
    assert "porn.en.minors-x: (not shown)" in out
    assert "chips word" not in out


def test_rejected_records_are_told_and_the_others_profiled(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    posts = write_jsonl(tmp_path / "posts.jsonl", {"id": "n", "text": "chips"}, b"{", {"text": 1})
    assert main(["rules", "profile", str(posts), "--rules", str(folder)]) == 3
    shown = capsys.readouterr()
    assert shown.out.startswith("1 posts in ")
    assert f"moderate: {posts}:2: malformed_json" in shown.err
    assert f"moderate: {posts}:3: text_not_string" in shown.err
    assert "moderate: 2 rejected" in shown.err


def test_an_input_of_no_known_format_is_refused(folder: Path, tmp_path: Path):
    assert main(["rules", "profile", str(tmp_path / "posts.txt"), "--rules", str(folder)]) == 2
