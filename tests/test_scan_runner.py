"""The run: every row in order, whatever the batch size, whatever is wrong with its neighbours."""

import gzip
import json

import pytest
from scan_support import ORDINARY, VIOLATING, read_jsonl, small_rules, write_jsonl

from moderation import Moderator
from moderation.errors import ConfigError
from moderation.scan import (
    ScanOptions,
    ScanSummary,
    SinkSpec,
    TextFields,
    open_sink,
    scan_paths,
    sink_spec,
)
from moderation.scan import plain as plain_module
from moderation.scan import runner as runner_module

FIELDS = TextFields(("title", "text"))


@pytest.fixture(scope="module")
def moderator(tmp_path_factory):
    return Moderator(rules=small_rules(tmp_path_factory.mktemp("rules")))


def scan(moderator, out, *paths, fields=None, with_text=False, **options):
    """Scan into a file; return the summary and what was rejected."""
    rejected = []
    fields = fields or TextFields()
    made = sink_spec(out, None)
    spec = SinkSpec(out, made.format, made.compression, fields, with_text)
    with open_sink(spec) as sink:
        summary = scan_paths(
            moderator,
            [str(path) for path in paths],
            sink,
            ScanOptions(fields, **options),
            reject=rejected.append,
        )
    return summary, rejected


def ids(path):
    return [row["data_id"] for row in read_jsonl(path)]


def mixed_posts(folder):
    """Posts of all kinds, good rows and bad, long ones and short ones."""
    records = []
    for n in range(60):
        text = (ORDINARY, VIOLATING, "the ferry leaves at nine", "", "晚饭吃什么？" * 300)[n % 5]
        record = {"id": f"n{n}", "title": "随便说说", "text": f"{n} {text}"}
        records.append(b"broken" if n % 13 == 6 else record)
    records.append({"id": "\ud800", "text": VIOLATING + "\udfff"})
    return write_jsonl(folder / "posts.jsonl", *records)


NAMES = ["jsonl", "jsonl.gz", "csv", "csv.zst", "parquet", "arrow", "txt"]


@pytest.mark.parametrize("fields", [TextFields(), FIELDS], ids=["one-field", "several-fields"])
@pytest.mark.parametrize("name", NAMES)
def test_the_batch_size_does_not_change_a_byte(moderator, tmp_path, name, fields):
    if name in {"parquet", "arrow"}:
        pytest.importorskip("pyarrow")
    posts = mixed_posts(tmp_path)
    made = []
    for size in (1, 7, 4096):
        out = tmp_path / f"{size}.{name}"
        summary, rejected = scan(
            moderator, out, posts, fields=fields, with_text=True, batch_size=size
        )
        assert (summary.posts, summary.rejected, len(rejected)) == (56, 5, 5)
        made.append(out.read_bytes())
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_row_groups_are_cut_by_the_posts_and_not_by_the_batches(
    moderator, tmp_path, name, monkeypatch
):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("moderation.scan.arrow_sinks._GROUP_POSTS", 10)
    monkeypatch.setattr("moderation.scan.arrow_sinks._GROUP_CHARACTERS", 3000)
    posts = mixed_posts(tmp_path)
    made = []
    for size in (1, 7, 4096):
        out = tmp_path / f"{size}.{name}"
        scan(moderator, out, posts, with_text=True, batch_size=size)
        made.append(out.read_bytes())
    assert made[0] == made[1] == made[2]


def test_a_batch_holds_a_bounded_amount_of_text(moderator, tmp_path, monkeypatch):
    for module in (runner_module, plain_module):
        monkeypatch.setattr(module, "BATCH_CODEPOINTS", 100)
    records = [{"id": str(n), "text": "字" * (1 + 37 * n % 90)} for n in range(30)]
    records.insert(10, {"id": "long", "text": "长" * 500})
    posts = write_jsonl(tmp_path / "posts.jsonl", *records)
    batches = []
    with open_sink(sink_spec(tmp_path / "out.jsonl", None)) as sink:
        write = sink.write
        sink.write = lambda scored: (batches.append(list(scored.texts)), write(scored))
        scan_paths(moderator, [str(posts)], sink)
    assert all(sum(map(len, batch)) <= 100 or len(batch) == 1 for batch in batches)
    assert [t for batch in batches for t in batch] == [record["text"] for record in records]
    assert ids(tmp_path / "out.jsonl") == [record["id"] for record in records]


def test_batches_span_files_and_order_is_kept(moderator, tmp_path):
    for n in range(5):
        write_jsonl(tmp_path / f"{n}.jsonl", *({"id": f"{n}.{m}", "text": "x"} for m in range(3)))
    seen = []
    with open_sink(sink_spec(tmp_path / "out.jsonl", None)) as sink:
        scan_paths(moderator, [str(tmp_path)], sink, progress=seen.append)
    assert [summary.posts for summary in seen] == [15]
    assert ids(tmp_path / "out.jsonl") == [f"{n}.{m}" for n in range(5) for m in range(3)]


def test_a_rejection_names_source_line_and_id(moderator, tmp_path):
    posts = write_jsonl(tmp_path / "posts.jsonl", {"id": "a", "text": "x"}, {"id": "b"}, b"{")
    _, rejected = scan(moderator, tmp_path / "out.jsonl", posts)
    found = [(r.source, r.line, r.data_id, r.reason) for r in rejected]
    assert found == [
        (str(posts), 2, "b", "missing_text"),
        (str(posts), 3, None, "malformed_json"),
    ]


def test_damage_within_one_file_spares_what_came_before_and_the_other_files(moderator, tmp_path):
    lines = b"".join(json.dumps({"id": f"z{n}", "text": "x"}).encode() + b"\n" for n in range(5000))
    damaged = tmp_path / "a.jsonl.gz"
    damaged.write_bytes(gzip.compress(lines)[:-2000])
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and then nothing that fits PAR1")
    after = write_jsonl(tmp_path / "c.jsonl", {"id": "c", "text": VIOLATING})
    summary, rejected = scan(
        moderator, tmp_path / "out.jsonl", damaged, tmp_path / "b.parquet", after
    )
    found = ids(tmp_path / "out.jsonl")
    assert found == [f"z{n}" for n in range(len(found) - 1)] + ["c"]
    assert 100 < len(found) < 5001
    assert (summary.failed_inputs, summary.rejected) == (2, 0)
    first, second = rejected
    assert (first.reason, first.line) == ("unreadable_input", len(found))
    assert first.detail.startswith("damaged gzip")
    assert (second.reason, second.line) == ("unreadable_input", None)


def test_a_csv_without_the_column_does_not_stop_the_others(moderator, tmp_path):
    (tmp_path / "a.csv").write_text("id,content\n1,x\n")
    (tmp_path / "b.csv").write_text("id,text\n2,x\n")
    summary, (rejection,) = scan(moderator, tmp_path / "out.jsonl", tmp_path)
    assert "expected a column 'text'" in rejection.detail
    assert (summary.posts, summary.failed_inputs) == (1, 1)
    assert ids(tmp_path / "out.jsonl") == ["2"]


def test_ten_megabytes_of_text_are_one_verdict(moderator, tmp_path):
    long = "good morning, " * (10_000_000 // 14)
    posts = write_jsonl(
        tmp_path / "posts.jsonl",
        {"id": "a", "text": ORDINARY},
        {"id": "long", "text": long + VIOLATING},
        {"id": "b", "text": ORDINARY},
    )
    summary, rejected = scan(moderator, tmp_path / "out.jsonl", posts)
    first, second, third = read_jsonl(tmp_path / "out.jsonl")
    assert [first["data_id"], second["data_id"], third["data_id"]] == ["a", "long", "b"]
    assert second["action"] == "block"
    start = long.__len__() + VIOLATING.index("上下分")
    rules = [e for label in second["labels"] for e in label["evidence"] if e["rule_id"]]
    assert {(e["start"], e["end"]) for e in rules} == {(start, start + 3)}
    assert (summary.posts, rejected) == (3, [])


def test_the_summary_counts(moderator, tmp_path):
    posts = write_jsonl(
        tmp_path / "posts.jsonl", {"text": ORDINARY}, {"text": VIOLATING}, {}, {"text": VIOLATING}
    )
    summary, _ = scan(moderator, tmp_path / "out.jsonl", posts)
    assert summary.actions == {"pass": 1, "review": 0, "block": 2}
    assert (summary.posts, summary.rejected, summary.with_error) == (3, 1, 0)
    assert summary.seconds > 0


@pytest.mark.parametrize(
    ("actions", "review", "block"),
    [((3, 0, 0), False, False), ((3, 1, 0), True, False), ((0, 0, 1), True, True)],
)
def test_a_summary_knows_whether_an_action_was_reached(actions, review, block):
    summary = ScanSummary(actions=dict(zip(("pass", "review", "block"), actions, strict=True)))
    assert summary.reaches("review") is review
    assert summary.reaches("block") is block


def test_a_field_that_no_record_has_is_reported(moderator, tmp_path):
    posts = write_jsonl(tmp_path / "posts.jsonl", {"text": "x", "titel": "y"})
    summary, _ = scan(moderator, tmp_path / "out.jsonl", posts, fields=FIELDS)
    assert summary.absent_fields == ("title",)


def test_a_pattern_that_times_out_or_not_never_costs_a_row(moderator, tmp_path):
    posts = write_jsonl(tmp_path / "posts.jsonl", *({"id": str(n), "text": ""} for n in range(9)))
    scan(moderator, tmp_path / "out.jsonl", posts)
    assert ids(tmp_path / "out.jsonl") == [str(n) for n in range(9)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected at least 1, found 0"),
        ({"max_line_bytes": -1}, "max_line_bytes: expected at least 1"),
        ({"id_field": "text"}, "'text' is named both as id and as text"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ScanOptions(**options)
