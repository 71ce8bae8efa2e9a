"""Sinks: the same verdicts as JSON lines, CSV, Parquet, Arrow and as a table."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from scan_support import ORDINARY, RULE_ID, VIOLATING, read_jsonl, small_rules, write_jsonl

from moderation import Moderator
from moderation.errors import ConfigError, ModerationError
from moderation.scan import ScanOptions, TextFields, open_sink, scan_paths, sink_spec
from moderation.scan.sinks import CSV_COLUMNS, SinkSpec
from moderation.scan.table import clipped, display_width, visible
from moderation.types import ACTIONS

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

POSTS = [
    {"id": "a", "text": ORDINARY},
    {"id": "b", "text": VIOLATING},
    {"text": 'he said "hi", then left\n'},
]
SEVERAL = [
    {"id": "a", "title": "老板要上", "body": "下分", "tags": ["上下分", "x"]},
    {"id": "b", "body": VIOLATING},
]
FIELDS = TextFields(("title", "body", "tags"))


@pytest.fixture(scope="module")
def moderator(tmp_path_factory):
    return Moderator(rules=small_rules(tmp_path_factory.mktemp("rules")))


def written(moderator, folder, name, records, fields=None, **spec):
    """Scan records into a file and return its path."""
    fields = fields or TextFields()
    path = folder / name
    posts = write_jsonl(folder / "posts.jsonl", *records)
    made = sink_spec(path, spec.pop("form", None))
    made = SinkSpec(made.path, made.format, made.compression, fields, **spec)
    with open_sink(made) as sink:
        scan_paths(moderator, [str(posts)], sink, ScanOptions(fields))
    return path


def table(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    return pa.ipc.open_stream(path).read_all()


def test_json_lines_are_the_verdict_schema(moderator, tmp_path):
    found = read_jsonl(written(moderator, tmp_path, "out.jsonl", POSTS))
    texts = [post["text"] for post in POSTS]
    assert found == moderator.check_batch(texts, data_ids=["a", "b", None]).to_dicts()
    assert found[1]["action"] == "block"
    assert found[1]["labels"][0]["evidence"][0]["rule_id"] == RULE_ID


def test_json_lines_carry_the_text_only_when_asked(moderator, tmp_path):
    plain = read_jsonl(written(moderator, tmp_path, "plain.jsonl", POSTS))
    asked = read_jsonl(written(moderator, tmp_path, "asked.jsonl", POSTS, with_text=True))
    assert [{**row, "text": post["text"]} for row, post in zip(plain, POSTS, strict=True)] == asked


def test_json_lines_name_the_field_of_evidence(moderator, tmp_path):
    path = written(moderator, tmp_path, "out.jsonl", SEVERAL, FIELDS, with_text=True)
    first, second = read_jsonl(path)
    assert first["fields"] == {"title": "老板要上", "body": "下分", "tags": "上下分 x"}
    assert second["fields"] == {"body": VIOLATING}
    for row in (first, second):
        for evidence in row["labels"][0]["evidence"]:
            text = row["fields"][evidence["field"]]
            assert text[evidence["start"] : evidence["end"]] in {"上", "下分", "上下分"}
    assert "tags" in {e["field"] for e in first["labels"][0]["evidence"]}


def test_a_lone_surrogate_is_valid_json_and_the_span_still_fits(moderator, tmp_path):
    posts = [{"id": "\ud800", "text": "\udc00 " + VIOLATING}, POSTS[0]]
    path = written(moderator, tmp_path, "out.jsonl", posts, with_text=True)
    raw = path.read_bytes()
    raw.decode("utf-8")
    assert rb"\ud800" in raw
    first, second = read_jsonl(path)
    assert first["data_id"] == "\ud800"
    assert first["text"] == posts[0]["text"]
    evidence = first["labels"][0]["evidence"][0]
    assert first["text"][evidence["start"] : evidence["end"]] == "上下分"
    assert second["text"] == ORDINARY


def test_csv_is_flat(moderator, tmp_path):
    path = written(moderator, tmp_path, "out.csv", POSTS, with_text=True)
    header, *found = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert header == [*CSV_COLUMNS, "text"]
    first, second, third = (dict(zip(header, row, strict=True)) for row in found)
    assert (first["data_id"], first["action"], first["labels"]) == ("a", "pass", "")
    assert (second["action"], second["risk_level"]) == ("block", "high")
    assert (second["labels"], second["rules"]) == ("gambling.promotion", RULE_ID)
    assert float(second["score_gambling"]) >= 0.9
    assert (third["data_id"], third["text"], third["error"]) == ("", POSTS[2]["text"], "")


def test_csv_gives_each_field_a_column(moderator, tmp_path):
    path = written(moderator, tmp_path, "out.csv", SEVERAL, FIELDS, with_text=True)
    first, second = csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert [first[f"fields.{name}"] for name in FIELDS.names] == ["老板要上", "下分", "上下分 x"]
    assert [second[f"fields.{name}"] for name in FIELDS.names] == ["", VIOLATING, ""]


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow"])
@pytest.mark.parametrize(("posts", "fields"), [(POSTS, TextFields()), (SEVERAL, FIELDS)])
def test_columns_hold_what_json_holds(moderator, tmp_path, name, posts, fields):
    expected = read_jsonl(written(moderator, tmp_path, "out.jsonl", posts, fields, with_text=True))
    path = written(moderator, tmp_path, name, posts, fields, with_text=True)
    found = table(path).to_pylist()
    for row in expected:
        for evidence in (e for label in row["labels"] for e in label["evidence"]):
            evidence.setdefault("field", None)
        if "fields" in row:
            row["fields"] = {name: row["fields"].get(name) for name in fields.names}
    assert found == expected


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow"])
def test_columns_without_posts_still_have_the_schema(moderator, tmp_path, name):
    from moderation.arrow import output_schema

    path = written(moderator, tmp_path, name, [])
    assert table(path).num_rows == 0
    assert table(path).schema.equals(output_schema())


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out.csv", "out.txt"])
def test_a_lone_surrogate_is_replaced_where_utf8_is_all_there_is(moderator, tmp_path, name):
    posts = [{"id": "\ud800", "text": "a\udc00b"}]
    raw = written(moderator, tmp_path, name, posts, with_text=True).read_bytes()
    if name == "out.parquet":
        (row,) = pq.read_table(tmp_path / name).to_pylist()
        assert (row["data_id"], row["text"]) == ("\ufffd", "a\ufffdb")
    elif name != "out.arrow":
        raw.decode("utf-8")


def test_output_is_compressed_by_its_name(moderator, tmp_path):
    plain = written(moderator, tmp_path, "out.jsonl", POSTS).read_bytes()
    packed = written(moderator, tmp_path, "out.jsonl.gz", POSTS).read_bytes()
    assert gzip.decompress(packed) == plain


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("out", None, "expected the name to end in .jsonl, .ndjson, .csv"),
        ("out.gz", None, "expected the name to end in"),
        ("out.parquet.gz", None, "parquet is not written compressed"),
        ("out.jsonl", "xml", "unknown format 'xml'; known: jsonl, csv"),
    ],
)
def test_an_output_name_that_says_nothing_is_refused(tmp_path, name, form, message):
    with pytest.raises(ConfigError, match=message):
        sink_spec(tmp_path / name, form)


def test_a_format_that_was_asked_for_beats_the_name(tmp_path):
    assert sink_spec(tmp_path / "out.csv", "jsonl").format == "jsonl"
    assert sink_spec(None, None).format == "jsonl"


def test_a_table_shows_action_label_stance_and_evidence(moderator, tmp_path):
    lines = written(moderator, tmp_path, "out.txt", POSTS).read_text().splitlines()
    (label,) = (line for line in lines if "gambling.promotion" in line)
    assert label.split() == ["block", "gambling.promotion", "(offer):", "“上下分”"]
    (post,) = (line for line in lines if VIOLATING in line)
    assert post.split()[:3] == ["b", "block", "zh"]
    assert "\x1b" not in "".join(lines)


def test_a_table_names_the_field_of_evidence(moderator, tmp_path):
    text = written(moderator, tmp_path, "out.txt", SEVERAL, FIELDS).read_text()
    assert "tags “上下分”" in text
    assert "body “上下分”" in text


@pytest.mark.parametrize("words", ["未成年色情 出售 加V", "警惕有人出售未成年色情，已报警并举报"])
def test_a_table_shows_no_words_about_minors(tmp_path, words):
    spans = {"text": words, "title": words}
    for fields in (TextFields(), TextFields(("title", "text"))):
        lines = written(Moderator(), tmp_path, "out.txt", [{"id": "a", **spans}], fields)
        shown = lines.read_text()
        assert "(not shown)@" in shown
        assert "未成年" not in shown
        assert "出售" not in shown


def test_a_table_is_coloured_when_asked(moderator, tmp_path):
    text = written(moderator, tmp_path, "out.txt", POSTS, colour=True).read_text()
    assert "\x1b[31mblock \x1b[0m" in text
    assert "\x1b[32mpass  \x1b[0m" in text


def test_a_table_keeps_its_columns_whatever_the_post_holds(moderator, tmp_path):
    posts = [
        {"id": "一二三四五六七八", "text": "今天下雨了" * 40},
        {"id": "x" * 50, "text": "\x1b[2J \u202eab\u2028c"},
        {"id": "z", "text": "a" + "\u0301" * 500},
    ]
    lines = written(moderator, tmp_path, "out.txt", posts, width=90).read_text().splitlines()
    header, rule, *found = lines
    assert len(rule) == 90
    assert all(display_width(line) <= 90 for line in found)
    for line in found:
        before = next((line.index(f" {a} ") + 1 for a in ACTIONS if f" {a} " in line), None)
        assert before is not None
        assert display_width(line[:before]) == header.index("action")
    assert any("\\x1b[2J \\u202eab\\u2028c" in line for line in found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\tb\nc\r", "a\\tb\\nc\\r"),
        ("\x00\x1b\x9b", "\\x00\\x1b\\x9b"),
        ("\u200b\u202e\u2066\ufeff", "\\u200b\\u202e\\u2066\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("博彩 é 😀", "博彩 é 😀"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("博彩博", 6, "博彩博"),
        ("博彩博彩", 6, "博彩…"),
        ("ａｂ", 3, "ａ…"),
        ("", 3, ""),
    ],
)
def test_text_is_cut_by_terminal_columns(text, columns, shown):
    assert clipped(text, columns) == shown
    assert display_width(shown) <= columns


def test_json_rows_match_the_library(moderator, tmp_path):
    path = written(moderator, tmp_path, "out.jsonl", POSTS)
    last = json.loads(path.read_bytes().splitlines()[1])
    assert last == moderator.check(VIOLATING, data_id="b").to_dict()


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow", "table"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_a_full_disk_is_one_clear_line_in_every_format(moderator, tmp_path, form):
    posts = write_jsonl(tmp_path / "posts.jsonl", *POSTS * 4000)
    with (
        pytest.raises(ModerationError, match=r"^/dev/full: cannot be written: No space left"),
        open_sink(sink_spec(Path("/dev/full"), form)) as sink,
    ):
        scan_paths(moderator, [str(posts)], sink)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv.gz", "out.parquet", "out.arrow", "out.txt"])
def test_an_abandoned_scan_leaves_no_file(moderator, tmp_path, name):
    posts = write_jsonl(tmp_path / "posts.jsonl", *POSTS)

    def interrupt(summary):
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        open_sink(sink_spec(tmp_path / name, None)) as sink,
    ):
        scan_paths(moderator, [str(posts)], sink, progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["posts.jsonl"]
