"""Compiled rules are kept on disk: the next process reads them and finds the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rule_support import context, rule, write_rules

from moderation.cache import cache_folder
from moderation.rules import cache
from moderation.rules.compile import compile_rules
from moderation.rules.ruleset import Ruleset, _cached
from moderation.text import TextBatch
from moderation.text.native import kernel

POSTS = [
    "teapot for sale, dm me", "t.e.a.p.o.t", "小 茶 壶 dm me", "小茶壶盖", "kettle beware dm me",
    "start wwwwq", "t3apot", "nothing here", "",
]  # fmt: skip


KINDS = ["owners", *(["program"] if kernel is not None else []), "rules", "start"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_rules(
        tmp_path,
        rule("sale", any=["teapot", "小茶壶"], exceptions=["小茶壶盖"]),
        rule("near", near=["kettle", {"cue": "contact"}], within=20, none=["not for sale"]),
        rule("slow", any=[{"regex": "(?:w|ww)+(?<!ww)[qz]", "require": ["start"]}]),
        rule("dated", any=["saucer"], enabled_from="2026-01-01", languages=["zh", "en"]),
        context("beware", "warn", any=["beware"]),
    )


def fresh(folder: Path) -> Ruleset:
    """Return the ruleset as a process that has just started loads it."""
    return _cached.__wrapped__(folder, compile_rules(folder).digest)


def files(folder: Path) -> list[Path]:
    return sorted((folder.parent / "cache" / "moderation-engine").glob("*.bin"))


def test_what_is_read_back_is_what_was_compiled(folder: Path):
    compiled = compile_rules(folder)
    first = fresh(folder)
    expected = first.evaluate(TextBatch.from_strings(POSTS))
    assert any(findings.matches for findings in expected)
    assert [path.name.split("-")[0] for path in files(folder)] == KINDS
    again = fresh(folder)
    assert again._compiled.literals == compiled.literals
    assert again._compiled.clauses == compiled.clauses
    assert again.digest == compiled.digest
    assert [r.tests for r in again.rules] == [r.tests for r in compiled.rules]
    assert [r.enabled_from for r in again.rules] == [r.enabled_from for r in compiled.rules]
    found = again.evaluate(TextBatch.from_strings(POSTS))
    assert [shown(f) for f in found] == [shown(f) for f in expected]
    for name, automaton in first._automata.items():
        for key, array in (automaton.patterns | automaton.owners).items():
            kept = again._automata[name]
            assert np.array_equal((kept.patterns | kept.owners)[key], array)


def shown(findings):
    matches = [(m.rule.id, m.level, m.hits, m.bold, m.frail) for m in findings.matches]
    contexts = [(m.rule.id, m.hits) for m in findings.contexts]
    return matches, contexts, findings.cues, findings.offers, findings.timeouts


@pytest.mark.parametrize("harm", [lambda data: b"", lambda data: data[:-1], lambda data: data[:9]])
def test_a_file_cut_short_is_compiled_again(folder: Path, harm):
    expected = fresh(folder).evaluate(TextBatch.from_strings(POSTS))
    for path in files(folder):
        path.write_bytes(harm(path.read_bytes()))
    found = fresh(folder).evaluate(TextBatch.from_strings(POSTS))
    assert [shown(f) for f in found] == [shown(f) for f in expected]


def test_an_altered_byte_is_noticed(folder: Path):
    fresh(folder).evaluate(TextBatch.from_strings(POSTS))
    for path in files(folder):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    digest = compile_rules(folder).digest
    assert [cache.load(kind, digest) for kind in KINDS] == [None] * len(KINDS)


@pytest.mark.parametrize("lost", KINDS)
def test_a_file_that_goes_while_the_others_stay_is_made_again(folder: Path, lost: str):
    expected = fresh(folder).evaluate(TextBatch.from_strings(POSTS))
    next(path for path in files(folder) if path.name.startswith(lost)).unlink()
    found = fresh(folder).evaluate(TextBatch.from_strings(POSTS))
    assert [shown(f) for f in found] == [shown(f) for f in expected]
    assert [path.name.split("-")[0] for path in files(folder)] == KINDS


def test_a_file_may_go_while_a_process_works_with_it(folder: Path):
    expected = fresh(folder).evaluate(TextBatch.from_strings(POSTS))
    again = fresh(folder)
    again.scan(TextBatch.from_strings(["nothing here"]))
    for path in files(folder):
        path.unlink()
    assert [shown(f) for f in again.evaluate(TextBatch.from_strings(POSTS))] == [
        shown(f) for f in expected
    ]


def test_what_other_processes_load_is_kept_before_a_post_is_read(folder: Path):
    fresh(folder).keep()
    assert [path.name.split("-")[0] for path in files(folder)] == KINDS


def test_arrays_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arrays = {
        "bytes": np.arange(3, dtype=np.uint8),
        "none": np.zeros(0, np.float64),
        "wide": np.array([-1, 1 << 60]),
    }
    cache.store_arrays("start", "sha256:1", arrays)
    found = cache.load_arrays("start", "sha256:1")
    assert found is not None
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert found[name].ctypes.data % 64 == 0
        assert not found[name].flags.writeable


def test_other_rules_are_other_files(folder: Path):
    fresh(folder)
    first = files(folder)
    other = write_rules(folder.parent / "other", rule("sale", any=["samovar"]))
    assert fresh(other).evaluate(TextBatch.from_strings(["a samovar"]))[0].matches
    assert set(first) < set(files(folder))


def test_where_nothing_can_be_written_rules_are_compiled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    blocked = folder.parent / "a-file"
    blocked.write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert fresh(folder).evaluate(TextBatch.from_strings(POSTS))[0].matches


def test_a_relative_cache_folder_is_not_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", "/nowhere")
    assert cache_folder() == Path("/nowhere/.cache/moderation-engine")


def test_only_the_files_used_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for number in range(20):
        cache.store("rules", f"sha256:{number}", b"x")
    assert len(list((tmp_path / "moderation-engine").iterdir())) == 16
    assert cache.load("rules", "sha256:19") == b"x"
    assert cache.load("rules", "sha256:0") is None
