"""Findings as columns: the objects made of them are those they were made from."""

from __future__ import annotations

from moderation.rules.findings import Findings
from moderation.rules.table import FindingsTable
from moderation.text import TextBatch

POSTS = [
    "出售冰毒加微信",
    "快来线上赌场，c.a.s.i.n.o 首充返利，加我微信",
    "What do people mean by 'molly'? Asking so I can mute it.",
    "提醒大家：别发赌博网站，会被封号",
    "早上好",
]


def test_objects_survive_being_columns(ruleset):
    found = list(ruleset.evaluate(TextBatch.from_strings(POSTS)))
    assert any(f.matches for f in found)
    assert any(f.contexts for f in found)
    again = FindingsTable.from_findings(
        found, ruleset.rules, ruleset.evaluate(TextBatch.from_strings([])).cue_names
    )
    assert list(again) == found


def test_pattern_that_ran_out_of_time_stays_with_its_post(ruleset):
    names = ("some.rule", "cue")
    table = FindingsTable.from_findings([Findings(), Findings(timeouts=names)], ruleset.rules, ())
    assert [f.timeouts for f in table] == [(), names]


def test_equals_a_list_of_the_same_findings(ruleset):
    table = ruleset.evaluate(TextBatch.from_strings(POSTS))
    assert table == list(table)
    assert table != list(table)[:-1]
    assert table[-1] == table[len(POSTS) - 1]
    assert table[1:3] == list(table)[1:3]
