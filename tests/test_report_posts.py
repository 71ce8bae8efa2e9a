"""Posts beside their verdicts: joined in order or by id, their text and their time on the page."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from report_support import evidence, label, verdict, write_lines

from moderation.cli import main
from moderation.scan.report.trend import Trend, moment_of
from moderation.scan.verdict_rows import verdict_of

BAD, GOOD = "老板要上下分找客服", "今天下雨了"
HIT = '老板要<mark class="hit">上下分</mark>找客服'


def judged(data_id: str | None) -> dict:
    return verdict(data_id, label("gambling", evidence(3, 6)))


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run `moderate report --reveal` in a folder of its own; return exit code, page, messages."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main(["report", "--reveal", *map(str, arguments)])
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return call


def files(tmp_path, posts, verdicts):
    write_lines(tmp_path / "posts.jsonl", *posts)
    write_lines(tmp_path / "v.jsonl", *verdicts)
    return "v.jsonl", "--posts", "posts.jsonl"


def test_posts_in_the_same_order_bring_their_text(run, tmp_path):
    posts = [{"id": "a", "text": GOOD}, {"id": "b", "text": BAD}]
    code, page, err = run(*files(tmp_path, posts, [verdict("a"), judged("b")]))
    assert (code, err) == (0, "moderate: report on 2 verdicts\n")
    assert HIT in page


def test_posts_without_ids_are_joined_by_their_order(run, tmp_path):
    posts = [{"text": GOOD}, {"text": BAD}]
    code, page, _ = run(*files(tmp_path, posts, [verdict(None), judged(None)]))
    assert code == 0
    assert HIT in page


def test_a_record_that_a_scan_rejects_has_no_verdict_to_miss(run, tmp_path):
    posts = [{"id": "a", "text": None}, "{", {"id": "c"}, {"id": "b", "text": BAD}]
    code, page, err = run(*files(tmp_path, posts, [judged("b")]))
    assert code == 0
    assert "3 records of the posts are none to a scan" in err
    assert HIT in page


@pytest.mark.parametrize("several", [False, True])
def test_a_scan_and_a_report_on_it_agree_on_which_posts_there_are(run, tmp_path, small, several):
    """Whatever a scan makes of these records, the report finds a post for every verdict."""
    posts = [
        {"id": "a", "title": "teapot", "text": "for sale"},
        "not json",
        {"id": "b", "text": 3},
        {"id": 7, "title": None, "text": "teapot \ud800 teapot"},
        {"title": "alone"},
        {"id": "c", "text": ""},
        {"id": "\ud800", "text": "小茶壶"},
    ]
    from moderation.scan import ScanOptions, TextFields, open_sink, scan_paths, sink_spec

    names = ("title", "text") if several else ("text",)
    write_lines(tmp_path / "posts.jsonl", *posts)
    for out in ("v.jsonl", "v.parquet"):
        with open_sink(sink_spec(tmp_path / out, None)) as sink:
            scan_paths(small, ["posts.jsonl"], sink, ScanOptions(TextFields(names)))
        fields = [part for name in names for part in ("--text-field", name)]
        code, page, _ = run(out, "--posts", "posts.jsonl", *fields)
        assert code == 0
        assert '<mark class="hit">teapot</mark>' in page


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            ["b", "a"],
            "v.jsonl:1: expected the verdict on the post 'a' of posts.jsonl:1, found that",
        ),
        (["a"], "posts.jsonl:2: expected a verdict for this post, found no more verdicts"),
        (["a", "b", "c"], "v.jsonl:3: expected a post for this verdict, found no more posts"),
        (["a", None], "v.jsonl:2: expected the verdict on the post 'b' of posts.jsonl:2"),
    ],
)
def test_posts_and_verdicts_that_do_not_belong_together_are_refused(run, tmp_path, ids, message):
    posts = [{"id": "a", "text": GOOD}, {"id": "b", "text": BAD}]
    code, page, err = run(*files(tmp_path, posts, map(verdict, ids)))
    assert (code, page) == (2, "")
    assert message in err


def test_an_unreadable_verdict_shifts_nothing(run, tmp_path):
    """Without ids the posts after it would get their neighbours' verdicts."""
    posts = [{"text": GOOD}, {"text": GOOD}, {"text": BAD}]
    code, page, err = run(*files(tmp_path, posts, [verdict(None), "{", judged(None)]))
    assert (code, page) == (2, "")
    assert "v.jsonl:2: malformed_json" in err
    assert "join them by id" in err


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("短", (), "expected evidence within the text of posts.jsonl:1, found 3 to 6, and 1 char"),
        (BAD, ("--text-field", "text", "--text-field", "title"), "and no such field"),
    ],
)
def test_evidence_outside_of_the_text_is_a_wrong_pair(run, tmp_path, text, arguments, message):
    given = files(tmp_path, [{"id": "a", "text": text}], [judged("a")])
    code, page, err = run(*given, *arguments)
    assert (code, page) == (2, "")
    assert message in err


def test_by_id_the_order_does_not_matter_and_what_is_left_over_is_told(run, tmp_path):
    posts = [{"id": i, "text": t} for i, t in (("x", GOOD), ("b", BAD), ("a", GOOD))]
    given = files(tmp_path, posts, [verdict("a"), judged("b"), judged("gone")])
    code, page, err = run(*given, "--join", "id")
    assert code == 0
    assert HIT in page
    assert "report on 3 verdicts; 1 verdicts have no post; 1 posts have no verdict" in err
    assert "1 verdicts have no post with their id" in page
    assert "1 posts have no verdict with their id" in page


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "a"], "v.jsonl:2: a second verdict on the post 'a'"),
        ([None], "v.jsonl:1: expected a data_id to join by, found null"),
    ],
)
def test_ids_that_name_no_single_verdict_cannot_be_joined_by(run, tmp_path, ids, message):
    given = files(tmp_path, [{"id": "a", "text": GOOD}], map(verdict, ids))
    code, page, err = run(*given, "--join", "id")
    assert (code, page) == (2, "")
    assert message in err


def test_both_joins_give_the_same_figures_and_posts(run, tmp_path):
    posts = [{"id": f"p{n}", "text": f"{BAD}第{n}号", "at": f"2026-01-0{n}"} for n in range(1, 9)]
    given = files(tmp_path, posts, [judged(post["id"]) for post in posts])
    ordered = run(*given, "--time-field", "at")[1]
    (tmp_path / "posts.jsonl").write_text(
        "".join(json.dumps(post) + "\n" for post in posts[::-1]), "utf-8"
    )
    assert run(*given, "--time-field", "at", "--join", "id")[1] == ordered


def test_columns_of_csv_and_parquet_bring_text_and_time(run, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    days = ["2026-01-05", "2026-01-06"]
    (tmp_path / "posts.csv").write_text(f"id,at,text\na,{days[0]},{GOOD}\nb,{days[1]},{BAD}\n")
    stamps = [datetime.fromisoformat(day) for day in days]
    pq.write_table(
        pa.table({"text": [GOOD, BAD], "id": ["a", "b"], "at": pa.array(stamps)}),
        tmp_path / "posts.parquet",
    )
    write_lines(tmp_path / "v.jsonl", verdict("a"), judged("b"))
    pages = {
        name: run("v.jsonl", "--posts", name, "--time-field", "at")[1].replace(name, "")
        for name in ("posts.csv", "posts.parquet")
    }
    assert pages["posts.csv"] == pages["posts.parquet"]
    assert HIT in pages["posts.csv"]


def test_a_time_field_needs_posts(run, tmp_path):
    write_lines(tmp_path / "v.jsonl", verdict("a"))
    code, _, err = run("v.jsonl", "--time-field", "at")
    assert code == 2
    assert "expected --posts, found none" in err


def test_posts_without_a_time_are_told_and_the_others_drawn(run, tmp_path):
    times = ["2026-01-01T10:00:00", "yesterday", None, "2026-01-02"]
    posts = [{"id": str(n), "text": GOOD, "at": at} for n, at in enumerate(times)]
    given = files(tmp_path, posts, [verdict(str(n)) for n in range(4)])
    code, page, err = run(*given, "--time-field", "at")
    assert code == 0
    assert "posts without a readable time: 2, the first at posts.jsonl:2" in err
    assert "2 posts have no readable time" in page
    assert "2026-01-01 10:00: 1</title>" in page


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00"),
        ("20260131", "2026-01-31T00:00:00"),
        ("2026-01-31 08:30:00", "2026-01-31T08:30:00"),
        ("2026-01-31T08:30:00Z", "2026-01-31T08:30:00"),
        ("2026-01-31T08:30:00+08:00", "2026-01-31T00:30:00"),
        (1769817600, "2026-01-31T00:00:00"),
        ("1769817600", "2026-01-31T00:00:00"),
        (1769817600.5, "2026-01-31T00:00:00.500000"),
        (1769817600000, "2026-01-31T00:00:00"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00"),
        (datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=8))), "2026-01-31T00:00:00"),
        (date(2026, 1, 31), "2026-01-31T00:00:00"),
    ],
)
def test_times_are_read(value, expected):
    assert moment_of(value).isoformat() == expected


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "2026-13-01", True, [], {}, 1e300, float("nan"), float("inf"), "1e5",
     "9" * 400, "0001-01-01T00:00:00+10:00"],
)  # fmt: skip
def test_what_is_no_time_is_none(value):
    assert moment_of(value) is None


def trend(*moments: str) -> Trend:
    out = Trend()
    found, _ = verdict_of(judged("a"))
    for moment in moments:
        out.add(moment, found, "x:1")
    return out


@pytest.mark.parametrize(
    ("moments", "unit", "buckets"),
    [
        (["2026-01-01T10:59", "2026-01-01T12:00"], "hour", 3),
        (["2026-01-01", "2026-01-02"], "day", 2),
        (["2026-01-01", "2026-01-02T01:00"], "hour", 26),
        (["2026-01-01T01:00", "2026-01-04"], "day", 4),
        (["2026-01-01", "2026-06-30"], "week", 27),
        (["2026-01-31", "2029-12-31"], "month", 48),
        (["1990-05-05", "2026-01-01"], "year", 37),
        (["9999-12-31T23:00", "9999-12-31T23:59"], "hour", 1),
    ],
)
def test_the_unit_of_the_trend_fits_its_span(moments, unit, buckets):
    found, drawn, before = trend(*moments).drawn()
    assert (found, len(drawn), before) == (unit, buckets, 0)
    assert sum(sum(counts[:3]) for _, counts in drawn) == len(moments)
    assert drawn[0][1][2]
    assert drawn[-1][1][2]


def test_years_beyond_what_is_drawn_are_counted():
    moments = [f"{year:04}-01-01" for year in range(1000, 1100)]
    unit, drawn, before = trend(*moments).drawn()
    assert (unit, len(drawn), before) == ("year", 64, 36)


def test_the_trend_does_not_depend_on_the_order(monkeypatch):
    monkeypatch.setattr("moderation.scan.report.trend._MOST_KEPT", 5)
    moments = [f"2026-{m:02}-{d:02}T{(m * d) % 24:02}:00" for m in (1, 2, 5) for d in range(1, 20)]
    drawn = trend(*moments).drawn()
    assert trend(*moments[::-1]).drawn() == drawn
    assert drawn[0] == "month"
    assert [counts[2] for _, counts in drawn[1]] == [19, 19, 0, 0, 19]


def test_the_trend_stands_on_the_page_with_its_figures(run, tmp_path):
    posts = [{"id": str(n), "text": BAD, "at": f"2026-01-0{n}"} for n in (1, 2, 3)]
    given = files(tmp_path, posts, [judged("1"), verdict("2"), judged("3")])
    page = run(*given, "--time-field", "at")[1]
    section = page.split('<section id="trend">')[1].split("</section>")[0]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', section)
    figures = {name: re.findall(r"<td.*?>(\d+)</td>", cells) for name, cells in rows}
    assert figures == {
        "2026-01-01": ["1", "1", "0", "0", "0", "0", "1"],
        "2026-01-02": ["1", "0", "0", "1", "0", "0", "0"],
        "2026-01-03": ["1", "1", "0", "0", "0", "0", "1"],
    }
    assert section.count('<rect class="block"') == 2
