"""moderate report: what it counts, which posts it shows, and that nothing in the page runs."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_support import HOSTILE, MINORS, RULE, evidence, label, verdict, write_lines

from moderation.cli import main
from moderation.scan import ScanOptions
from moderation.scan.report import ReportOptions, make_report
from moderation.scan.report.aggregate import Totals
from moderation.scan.report.words import PAGE_LANGUAGES, words
from moderation.scan.verdict_rows import read_verdicts, verdict_of, verdict_sources
from moderation.types import NOT_SHOWN

TEXT = "老板要上下分找客服加 xk387"
SPAN = (3, 6)
HIT = TEXT[slice(*SPAN)]


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run `moderate report` in a folder of its own; return exit code, page and messages."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main(["report", *map(str, arguments)])
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return call


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def row(html: str, section: str, name: str) -> list[str]:
    """Return the cells of a table's row by the name at its head, in English."""
    part = html.split(f'<section id="{section}">')[1].split("</section>")[0]
    for line in re.findall(r"<tr>.*?</tr>", part, re.DOTALL):
        bare = re.sub(r'<span class="zh".*?</span>|<svg.*?</svg>', "", line)
        cells = [re.sub(r"<[^>]*>", "", c) for c in re.findall(r"<t[hd].*?</t[hd]>", bare)]
        if cells[0] == name:
            return [cell for cell in cells[1:] if cell]
    raise AssertionError(f"no row {name}")


def texted(data_id: str, text: str = TEXT, *labels: dict[str, Any]) -> dict[str, Any]:
    return verdict(data_id, *(labels or [label("gambling", evidence(*SPAN))]), text=text)


def made(path: Path, **options: Any) -> str:
    sources = verdict_sources([str(path)])
    given = ReportOptions(**options)
    page, _ = make_report(sources, [], ScanOptions(), given, lambda _: None)
    return page.decode()


def test_posts_and_labels_are_counted(run, tmp_path):
    """Each figure is worked out by hand from the five rows."""
    seeking = {"stance": "seek", "action": "review", "sub_label": None, "score": 0.5}
    rows = [
        verdict("a"),
        verdict("b", language="en"),
        verdict("c", label("gambling", evidence(0, 2), evidence(3, 4, "gambling.zh.chips"))),
        verdict("d", label("gambling", evidence(0, 2, transforms=["noise"])), language="mixed"),
        verdict("e", label("porn", evidence(0, 9, None), **seeking), error="pattern timed out: x"),
    ]
    code, page, err = run(write_lines(tmp_path / "v.jsonl", *rows))
    assert (code, err) == (0, "moderate: report on 5 verdicts\n")
    assert row(page, "policies", "gambling") == ["2", "0", "0", "2", "40.0%"]
    assert row(page, "policies", "porn") == ["0", "1", "0", "1", "20.0%"]
    assert row(page, "languages", "Chinese") == ["1", "1", "1", "3", "60.0%"]
    assert row(page, "languages", "other") == ["0", "0", "0", "0", "0.0%"]
    assert row(page, "sub_labels", "gambling.promotion") == ["2", "0", "0", "2"]
    assert row(page, "sub_labels", "porn: model alone") == ["0", "1", "0", "1"]
    assert row(page, "stances", "seek") == ["1", "0", "0"]
    assert row(page, "stances", "offer") == ["0", "0", "2"]
    assert row(page, "rules", RULE) == ["2", "0", "0", "2", "40.0%", "50.0%"]
    assert row(page, "rules", "model alone") == ["0", "1", "0", "1", "20.0%", "–"]
    assert row(page, "disguises", "noise") == ["1", "33.3%"]
    assert row(page, "pairs", f"gambling.zh.chips{RULE}") == ["1", "50.0%"]
    assert row(page, "scores", "0.95–1.00") == ["0", "0", "0", "0", "0"]
    assert "1 verdicts carry an error" in page


def test_scores_fall_into_bins_with_their_action():
    totals = Totals()
    for score in (0.0, 0.0499, 0.05, 0.95, 1.0):
        found, _ = verdict_of(verdict("a", label("drugs", score=score, sub_label=None)))
        totals.add(found)
    counts = [sum(each.values()) for each in totals.scores["drugs"]]
    assert (counts[0], counts[1], counts[-1], sum(counts)) == (2, 1, 2, 5)
    assert totals.scores["drugs"][-1]["block"] == 2
    assert totals.thresholds == {("drugs", "block"): (0.9, 0.9)}


@pytest.mark.parametrize("name", ["v.jsonl.gz", "v.jsonl.zst", "v.parquet", "v.arrow"])
def test_every_format_and_part_files_give_the_same_report(run, tmp_path, small, name):
    from moderation.scan import open_sink, scan_paths, sink_spec

    posts = [{"id": f"p{n}", "text": text} for n, text in enumerate((TEXT, "teapot", "a cat"))]
    write_lines(tmp_path / "posts.jsonl", *posts)

    def scanned(out: Path, source: str) -> Path:
        with open_sink(sink_spec(out, None)) as sink:
            scan_paths(small, [source], sink)
        return out

    scanned(tmp_path / "v.jsonl", "posts.jsonl")
    expected = run("v.jsonl")[1].replace("v.jsonl", "V")
    assert row(expected, "languages", "Chinese")[3] == "1"
    assert run(scanned(tmp_path / name, "posts.jsonl"))[1].replace(str(tmp_path / name), "V") == (
        expected
    )


def test_a_folder_of_part_files_is_one_input(run, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    write_lines(parts / "part-00000.jsonl", verdict("a"))
    (parts / "part-00001.jsonl.gz").write_bytes(gzip.compress(json.dumps(texted("b")).encode()))
    rejected = {"source": "p", "line": 1, "data_id": None, "reason": "null_text", "detail": ""}
    write_lines(parts / "errors.jsonl", rejected)
    code, page, err = run(parts)
    assert (code, err) == (0, "moderate: report on 2 verdicts\n")
    assert row(page, "languages", "Chinese")[:4] == ["1", "0", "1", "2"]


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        ("{", "malformed_json"),
        ("[]", "not_an_object"),
        ({"id": "a", "text": "a post"}, "missing required field `data_id`"),
        (verdict("a", action="ban"), "action"),
        (verdict("a", language="fr"), "language: expected one of zh, en, mixed, other"),
        (verdict("a", label("gambling", score=1.5)), "expected scores from 0 to 1"),
        (verdict("a", label("gambling", evidence(5, 2))), "expected 0 <= start <= end"),
        (
            verdict("a", label("gambling") | {"label": "spam"}),
            "label: expected one of porn, drugs, gambling",
        ),
        (verdict("a", category_scores={"porn": 0.0}), "expected scores for porn, drugs, gambling"),
        (verdict("a", text=3), "Expected `str`, got `int`"),
    ],
)
def test_a_row_that_is_no_verdict_is_named_and_the_others_count(run, tmp_path, bad, detail):
    path = write_lines(tmp_path / "v.jsonl", verdict("a"), bad, texted("b"))
    code, page, err = run(path)
    assert code == 3
    assert f"{path}:2: " in err
    assert detail in err
    assert "report on 2 verdicts" in err
    assert "1 rows were rejected" in page


def test_csv_is_refused_since_it_holds_no_spans(run, tmp_path):
    write_lines(tmp_path / "v.csv", "data_id,action", "a,pass")
    code, out, err = run("v.csv")
    assert (code, out) == (2, "")
    assert "v.csv: expected verdicts as JSON lines, Parquet or Arrow, found CSV" in err


def test_no_verdicts_are_a_page_too(run, tmp_path):
    code, page, _ = run(write_lines(tmp_path / "v.jsonl"))
    assert code == 0
    assert "There are no verdicts." in page
    assert Page(page).open == []


def test_evidence_and_contacts_are_masked_in_the_file_until_asked_for(tmp_path):
    path = write_lines(tmp_path / "v.jsonl", texted("a"))
    masked, shown = made(path), made(path, reveal=True)
    assert '老板要<mark class="hit masked">███</mark>找客服加 •••••' in masked
    assert HIT not in masked
    assert "xk387" not in masked
    assert f'老板要<mark class="hit">{HIT}</mark>找客服加 xk387' in shown


def test_evidence_of_other_rules_is_marked_as_theirs(tmp_path):
    both = label("gambling", evidence(*SPAN), evidence(7, 9, "gambling.zh.service"))
    html = made(write_lines(tmp_path / "v.jsonl", texted("a", TEXT, both)), reveal=True)
    assert '<mark class="hit">上下分</mark>找<mark class="other">客服</mark>' in html
    assert '<mark class="other">上下分</mark>找<mark class="hit">客服</mark>' in html


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(
            [label("porn", evidence(0, 3, MINORS), sub_label="porn.minors")], id="its sub-label"
        ),
        pytest.param(
            [label("porn", evidence(0, 3, MINORS), stance="warn", action="pass")], id="its rule"
        ),
        pytest.param(
            [
                label("porn", evidence(0, 3, MINORS), sub_label="porn.minors"),
                label("gambling", evidence(*SPAN)),
            ],
            id="beside another policy",
        ),
    ],
)
def test_words_about_minors_are_never_in_the_file(tmp_path, labels):
    path = write_lines(tmp_path / "v.jsonl", texted("a", TEXT, *labels))
    for reveal in (False, True):
        html = made(path, reveal=reveal)
        assert not [word for word in ("老板", "找客服", HIT, "xk387") if word in html]
        assert '(<span class="en" lang="en">not shown</span>' in html
        assert "characters 0–3" in html
    assert NOT_SHOWN == "(not shown)"


def test_long_posts_are_shown_around_their_evidence(tmp_path):
    text = "开" * 5000 + "上下分" + "尾" * 5000
    spans = label("gambling", evidence(5000, 5003))
    html = made(write_lines(tmp_path / "v.jsonl", texted("a", text, spans)), reveal=True)
    around = (
        '<span class="gap">…</span>' + "开" * 60 + '<mark class="hit">上下分</mark>' + "尾" * 60
    )
    assert around + '<span class="gap">…</span>' in html
    assert len(html) < 200_000


def test_samples_do_not_depend_on_the_order_and_repeats_come_once(tmp_path):
    rows = [texted(f"a{n}", f"{TEXT} 第{'一二三四五六七八九十'[n % 10]}号") for n in range(40)]
    forward = made(write_lines(tmp_path / "v.jsonl", *rows), samples=4)
    shown = re.findall(r'<p class="post".*?</p>', forward)
    assert len(shown) == len(set(shown)) == 4
    backward = made(write_lines(tmp_path / "v.jsonl", *rows[::-1]), samples=4)
    assert re.findall(r'<p class="post".*?</p>', backward) == shown
    other = made(tmp_path / "v.jsonl", samples=4, seed=1)
    assert re.findall(r'<p class="post".*?</p>', other) != shown


def test_hostile_posts_ids_and_rules_stay_text(run, tmp_path):
    found = label("gambling", evidence(0, len(HOSTILE), HOSTILE), sub_label=HOSTILE)
    hostile = texted(HOSTILE, HOSTILE, found) | {"model": HOSTILE}
    hostile["policy"] = {"region": HOSTILE, "bundle": HOSTILE}
    found["evidence"][0]["transforms"] = [HOSTILE]
    other = label("gambling", evidence(0, 5, HOSTILE), evidence(9, 12, f"{HOSTILE}2"))
    path = write_lines(tmp_path / "v.jsonl", hostile, texted("b", HOSTILE, other))
    _, page, _ = run(path, "--reveal")
    read = Page(page)
    assert read.open == []
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "img", "iframe", "object", "form", "base"}
    assert len([tag for tag, _ in read.tags if tag == "style"]) == 1
    assert not [a for _, a in read.tags if any(key.startswith("on") or key == "style" for key in a)]
    assert "<script>alert(1)</script>" in "".join(read.text)
    assert not {"\u202e", "\u2066", "\x1b"} & set(page)


def test_the_page_may_use_its_own_style_sheet_and_nothing_else(tmp_path):
    page = made(write_lines(tmp_path / "v.jsonl", texted("a")))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href|action|srcset)=\"(?!#|data:,)", page)
    assert "url(" not in page
    assert "@import" not in page


def test_the_same_verdicts_give_the_same_bytes(run, tmp_path):
    path = write_lines(tmp_path / "v.jsonl", texted("a"), verdict("b"))
    assert run(path, "-o", "one.html")[0] == run(path, "-o", "two.html")[0] == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert not re.search(r"20\d\d-\d\d-\d\d", (tmp_path / "one.html").read_text("utf-8"))


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_the_page_opens_in_the_language_asked_for_and_has_both(run, tmp_path, language):
    page = run(write_lines(tmp_path / "v.jsonl", texted("a")), "--language", language)[1]
    assert f'id="language-{language}" checked' in page
    assert f"<title>{words(language)['title']}</title>" in page
    assert all(words(name)["stances_note"] in page for name in PAGE_LANGUAGES)


def test_both_languages_have_the_same_words_and_places():
    for key, english in words("en").items():
        chinese = words("zh")[key]
        assert english
        assert chinese
        assert set(re.findall(r"\{(\w+)", english)) == set(re.findall(r"\{(\w+)", chinese)), key


def test_every_reference_within_the_page_leads_somewhere(tmp_path):
    read = Page(made(write_lines(tmp_path / "v.jsonl", texted("a"), verdict("b"))))
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for t, a in read.tags if t == "a"}
    wanted |= {a[key] for _, a in read.tags for key in ("aria-labelledby", "for") if key in a}
    assert wanted <= set(ids)
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_memory_does_not_grow_with_the_verdicts(tmp_path):
    """Ten times the verdicts, each with an id, a text and a rule of its own for a while."""

    def peak(count: int) -> int:
        rows = (
            texted(f"id-{n}", f"{TEXT}{n:08}", label("gambling", evidence(*SPAN, f"rule-{n % 50}")))
            for n in range(count)
        )
        path = write_lines(tmp_path / "v.jsonl", *rows)
        tracemalloc.start()
        try:
            made(path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)  # what is loaded on first use
    assert peak(8_000) < peak(800) * 1.25 + (1 << 20)


def test_counters_have_a_limit_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr("moderation.scan.report.aggregate._MOST_RULES", 3)
    rows = [texted(f"{n}", TEXT, label("gambling", evidence(3, 6, f"r{n}"))) for n in range(5)]
    page = made(write_lines(tmp_path / "v.jsonl", *rows))
    assert "2 pieces of evidence are left out" in page
    assert row(page, "rules", "r0")[0] == "1"


def test_verdicts_of_several_set_ups_are_pointed_out(tmp_path):
    path = write_lines(tmp_path / "v.jsonl", verdict("a"), verdict("b", model="other@2"))
    assert "come from several set-ups" in made(path)
    assert "come from several set-ups" not in made(write_lines(path, verdict("a")))


def test_the_output_never_overwrites_an_input(run, tmp_path):
    path = write_lines(tmp_path / "v.jsonl", verdict("a"))
    code, _, err = run(path, "-o", path)
    assert code == 2
    assert "--output would overwrite the input" in err


def test_rows_are_read_as_a_scan_wrote_them(tmp_path, moderator):
    """A verdict comes back as the object that the engine made."""
    from moderation.scan import open_sink, scan_paths, sink_spec

    examples = Path(__file__).parents[1] / "examples" / "posts.jsonl"
    posts = [json.loads(line) for line in examples.read_bytes().splitlines()[:24]]
    source, out = write_lines(tmp_path / "posts.jsonl", *posts), tmp_path / "v.jsonl"
    with open_sink(sink_spec(out, None)) as sink:
        scan_paths(moderator, [str(source)], sink)
    found = [each.verdict for each in read_verdicts(verdict_sources([str(out)]), pytest.fail)]
    expected = moderator.check_batch([post["text"] for post in posts])
    assert [v.to_dict() | {"data_id": None} for v in found] == [v.to_dict() for v in expected]
