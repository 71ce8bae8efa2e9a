"""moderate redact: what is masked, what stays as it was, and what is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_support import MINORS, evidence, label, verdict, write_lines

from moderation.cli import main
from moderation.scan.redact import masked

BAD, GOOD = "老板要上下分找客服", "今天下雨了，记得带伞"
HIDDEN = "老板要███找客服"


def judged(data_id: str | None, *spans: dict[str, Any], **more: Any) -> dict[str, Any]:
    return verdict(data_id, label("gambling", *(spans or [evidence(3, 6)]), **more))


@pytest.fixture
def run(tmp_path, monkeypatch, capfdbinary):
    """Run `moderate redact` in a folder of its own; return exit code, copy and messages."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main(["redact", *map(str, arguments)])
        shown = capfdbinary.readouterr()
        return code, shown.out, shown.err.decode()

    return call


def files(tmp_path, posts, verdicts):
    write_lines(tmp_path / "posts.jsonl", *posts)
    write_lines(tmp_path / "v.jsonl", *verdicts)
    return "posts.jsonl", "--verdicts", "v.jsonl"


def rows(content: bytes) -> list[dict]:
    return [json.loads(line) for line in content.splitlines()]


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), max_size=6),
)
def test_exactly_the_characters_of_the_spans_are_masked(text, spans):
    spans = [(min(a, len(text)), min(b, len(text))) for a, b in spans]
    inside = {at for a, b in spans for at in range(a, b)}
    expected = "".join("█" if at in inside else c for at, c in enumerate(text))
    assert masked(text, spans, "█") == expected


def test_evidence_is_masked_and_every_post_copied(run, tmp_path):
    posts = [{"id": "a", "text": GOOD, "likes": 3}, {"id": "b", "text": BAD, "likes": 4}]
    code, out, err = run(*files(tmp_path, posts, [verdict("a"), judged("b")]))
    assert code == 0
    assert rows(out) == [posts[0], posts[1] | {"text": HIDDEN}]
    assert "2 posts copied, 1 of them masked" in err
    assert not (tmp_path / "errors.jsonl").exists()


def test_what_is_not_masked_keeps_its_bytes(run, tmp_path):
    odd = '{ "n": 12345678901234567890123, "f":1.50,"deep":{"a":[1, 2]}, "id":"b","text":"%s"}'
    plain = f'{{"text" : "{GOOD}", "id":"a"}}'
    given_files = files(tmp_path, [plain, "", odd % BAD], [verdict("a"), judged("b")])
    code, out, _ = run(*given_files)
    assert code == 0
    lines = out.decode().splitlines()
    assert lines[0] == plain
    assert '"n":12345678901234567890123,"f":1.50,"deep":{"a":[1, 2]}' in lines[1]
    assert json.loads(lines[1]) == json.loads(odd % HIDDEN)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "b", "note": "\\ud800", "text": "%s"}',
        '{"id": "b", "text": "%s\\ud800"}',
        '{"id": "b", "note": "\t raw", "text": "%s"}',
        '{"id": "b", "text": "first", "text": "%s"}',
    ],
)
def test_lines_that_only_a_lenient_parser_reads_are_masked_too(run, tmp_path, line):
    code, out, _ = run(*files(tmp_path, [line % BAD], [judged("b")]))
    assert code == 0
    assert rows(out) == [json.loads(line % HIDDEN, strict=False)]
    assert b"first" not in out


def test_fields_are_masked_each_by_its_own_spans_and_tags_item_by_item(run, tmp_path):
    post = {"id": "a", "title": "上下分", "text": "今天", "tags": ["棋牌", "上下", "分"]}
    spans = [evidence(0, 3, field="title"), evidence(1, 5, field="tags")]
    names = [part for name in ("title", "text", "tags") for part in ("--text-field", name)]
    code, out, _ = run(*files(tmp_path, [post], [judged("a", *spans)]), *names)
    assert code == 0
    assert rows(out) == [post | {"title": "███", "tags": ["棋█", "██", "分"]}]


@pytest.mark.parametrize(
    ("at_least", "expected"),
    [("pass", "█████下分"), ("review", "█████下分"), ("block", "██要上█下分")],
)
def test_labels_below_an_action_stay(run, tmp_path, at_least, expected):
    text = "老板要上拿下分"
    labels = [
        label("gambling", evidence(0, 2)),
        label("drugs", evidence(2, 4), action="review"),
        label("porn", evidence(4, 5, MINORS), action="pass", stance="warn"),
    ]
    if at_least == "pass":
        labels[2]["evidence"].append(evidence(2, 3))
    given_files = files(tmp_path, [{"id": "a", "text": text}], [verdict("a", *labels)])
    code, out, _ = run(*given_files, "--at-least", at_least)
    assert code == 0
    assert rows(out)[0]["text"] == expected


def test_the_mask_is_one_character_of_the_user_s_choice(run, tmp_path):
    given_files = files(tmp_path, [{"id": "a", "text": BAD}], [judged("a")])
    assert rows(run(*given_files, "--mask", "*")[1])[0]["text"] == "老板要***找客服"
    for wrong in ("", "**", "\n"):
        code, out, err = run(*given_files, "--mask", wrong)
        assert (code, out) == (2, b"")
        assert "expected one visible character" in err


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        ([judged("b")], "v.jsonl:1: expected the verdict on the post 'a' of posts.jsonl:1"),
        ([], "posts.jsonl:1: expected a verdict for this post, found no more verdicts"),
        ([judged("a"), judged("b")], "v.jsonl:2: expected a post for this verdict"),
        ([judged("a", evidence(3, 99))], "expected evidence within the text of posts.jsonl:1"),
        ([judged("a", evidence(0, 1, field="title"))], "and no such field"),
        (["{"], "v.jsonl:1: malformed_json"),
        ([{"id": "a"}], "v.jsonl:1: not_a_verdict"),
    ],
)
def test_posts_and_verdicts_that_do_not_belong_together_leave_no_copy(
    run, tmp_path, verdicts, message
):
    given_files = files(tmp_path, [{"id": "a", "text": BAD}], verdicts)
    code, out, err = run(*given_files, "-o", "copy.jsonl")
    assert (code, out) == (2, b"")
    assert message in err
    assert not (tmp_path / "copy.jsonl").exists()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a"], "posts.jsonl:2: expected a verdict on the post 'b', found none"),
        (["a", "b", "c"], "v.jsonl:3: expected the post 'c' of this verdict, found none"),
        (["a", "b", "b"], "v.jsonl:3: a second verdict on the post 'b'"),
    ],
)
def test_joined_by_id_nobody_may_be_alone(run, tmp_path, ids, message):
    posts = [{"id": "a", "text": BAD}, {"id": "b", "text": BAD}]
    code, _, err = run(*files(tmp_path, posts, map(judged, ids)), "--join", "id")
    assert code == 2
    assert message in err


def test_joined_by_id_the_posts_keep_their_order(run, tmp_path):
    posts = [{"id": "a", "text": GOOD}, {"id": "b", "text": BAD}]
    given_files = files(tmp_path, posts, [judged("b"), verdict("a")])
    code, out, _ = run(*given_files, "--join", "id")
    assert code == 0
    assert rows(out) == [posts[0], posts[1] | {"text": HIDDEN}]


def test_records_that_nobody_scored_are_listed_and_not_copied(run, tmp_path):
    posts = [{"id": "n", "text": None}, "{", {"id": "a", "text": BAD}]
    given_files = files(tmp_path, posts, [judged("a")])
    code, out, err = run(*given_files)
    assert code == 3
    assert rows(out) == [{"id": "a", "text": HIDDEN}]
    listed = rows((tmp_path / "errors.jsonl").read_bytes())
    assert [(row["line"], row["data_id"], row["reason"]) for row in listed] == [
        (1, "n", "null_text"),
        (2, None, "malformed_json"),
    ]
    assert "2 rejected: see errors.jsonl" in err


def test_csv_keeps_its_columns_and_cells(run, tmp_path):
    (tmp_path / "posts.csv").write_text(
        f'id, text,note\na,"{BAD}, ""x""","two\nlines"\nb,{GOOD},\n', "utf-8"
    )
    write_lines(tmp_path / "v.jsonl", judged("a"), verdict("b"))
    code, out, _ = run("posts.csv", "--verdicts", "v.jsonl")
    assert code == 0
    assert out.decode() == f'id,text,note\na,"{HIDDEN}, ""x""","two\nlines"\nb,{GOOD},\n'


@pytest.mark.parametrize("name", ["posts.parquet", "posts.arrow"])
def test_columns_keep_their_types_and_the_others_their_values(run, tmp_path, name):
    count = 10_000
    texts = [BAD if n % 3 == 0 else (None if n % 7 == 5 else GOOD) for n in range(count)]
    table = pa.table(
        {
            "at": pa.array([n * 10**9 + 1 for n in range(count)], pa.timestamp("ns")),
            "id": pa.array([f"p{n}" for n in range(count)], pa.large_string()),
            "text": pa.array(texts).dictionary_encode(),
            "map": pa.array([{"k": n} for n in range(count)]),
        }
    ).replace_schema_metadata({"made": "here"})
    if name.endswith("parquet"):
        pq.write_table(table, tmp_path / name, row_group_size=3000)
    else:
        with (
            pa.OSFile(str(tmp_path / name), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as w,
        ):
            w.write_table(table, 3000)
    kept = [n for n, text in enumerate(texts) if text is not None]
    ids = [(f"p{n}", texts[n]) for n in kept]
    write_lines(tmp_path / "v.jsonl", *(judged(i) if t == BAD else verdict(i) for i, t in ids))
    out = f"copy.{name.split('.')[1]}"
    code, _, err = run(name, "--verdicts", "v.jsonl", "-o", out)
    assert code == 3
    assert f"{len(kept):,} posts copied" in err
    read = (
        pq.read_table(tmp_path / out)
        if out.endswith("parquet")
        else pa.ipc.open_stream((tmp_path / out).read_bytes()).read_all()
    )
    expected = table.take(kept)
    assert read.schema.equals(expected.schema, check_metadata=True)
    for column in ("at", "id", "map"):
        assert read.column(column).equals(expected.column(column))
    found = read.column("text").to_pylist()
    assert found == [HIDDEN if texts[n] == BAD else texts[n] for n in kept]


def test_a_column_that_leads_out_of_its_file_is_not_copied(run, tmp_path):
    table = pa.table({"id": ["a", "b"], "text": [BAD, GOOD], "note": ["seven!!", "seven!!"]})
    with pa.ipc.new_file(tmp_path / "posts.arrow", table.schema) as writer:
        writer.write_table(table)
    sound, wrong = (
        pa.array([0, at, 14], pa.int32()).buffers()[1].to_pybytes() for at in (7, 1 << 30)
    )
    content = (tmp_path / "posts.arrow").read_bytes()
    assert content.count(sound) == 1
    (tmp_path / "posts.arrow").write_bytes(content.replace(sound, wrong))
    write_lines(tmp_path / "v.jsonl", judged("a"), verdict("b"))
    code, _, err = run("posts.arrow", "--verdicts", "v.jsonl", "-o", "copy.arrow")
    assert code == 2
    assert "damaged arrow" in err
    assert not (tmp_path / "copy.arrow").exists()


def test_an_input_without_posts_is_an_empty_copy_of_the_same_kind(run, tmp_path):
    table = pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    pq.write_table(table, tmp_path / "posts.parquet")
    write_lines(tmp_path / "v.jsonl")
    code, _, _ = run("posts.parquet", "--verdicts", "v.jsonl", "-o", "copy.parquet")
    assert code == 0
    assert pq.read_table(tmp_path / "copy.parquet").equals(table)


def test_compressed_posts_give_a_compressed_copy_where_it_is_named_so(run, tmp_path):
    (tmp_path / "posts.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": BAD}).encode()))
    write_lines(tmp_path / "v.jsonl", judged(None))
    code, _, _ = run("posts.jsonl.gz", "--verdicts", "v.jsonl", "-o", "copy.jsonl.gz")
    assert code == 0
    assert rows(gzip.decompress((tmp_path / "copy.jsonl.gz").read_bytes())) == [{"text": HIDDEN}]


def test_verdicts_with_their_text_are_masked_in_place(run, tmp_path):
    several = judged("b", evidence(0, 1, field="title")) | {"fields": {"title": "上", "text": BAD}}
    write_lines(tmp_path / "v.jsonl", judged("a") | {"text": BAD}, several)
    code, out, err = run("v.jsonl")
    assert code == 0
    assert rows(out) == [
        judged("a") | {"text": HIDDEN},
        several | {"fields": {"title": "█", "text": BAD}},
    ]
    assert "2 posts copied, 2 of them masked" in err


@pytest.mark.parametrize("several", [False, True])
def test_verdicts_in_parquet_are_masked_like_those_in_json(run, tmp_path, small, several):
    from dataclasses import replace

    from moderation.scan import ScanOptions, TextFields, open_sink, scan_paths, sink_spec

    fields = TextFields(("title", "text") if several else ("text",))
    posts = [{"title": "小茶壶", "text": "teapot for sale"}, {"text": "nothing"}]
    write_lines(tmp_path / "posts.jsonl", *posts)
    for out in ("v.jsonl", "v.parquet"):
        spec = replace(sink_spec(tmp_path / out, None), fields=fields, with_text=True)
        with open_sink(spec) as sink:
            scan_paths(small, ["posts.jsonl"], sink, ScanOptions(fields))
        assert run(out, "-o", f"copy-{out}")[0] == 0
    texts = [row.get("fields") or {"text": row["text"]} for row in rows(
        (tmp_path / "copy-v.jsonl").read_bytes())]  # fmt: skip
    assert texts[0]["text"].startswith("██████")
    columns = pq.read_table(tmp_path / "copy-v.parquet").to_pylist()
    found = [row.get("fields") or {"text": row["text"]} for row in columns]
    assert [{k: v for k, v in row.items() if v is not None} for row in found] == texts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v.jsonl"], "v.jsonl:1: expected the post's text in the verdict (scan --with-text)"),
        (["posts.jsonl", "--verdicts", "v.jsonl", "-o", "a.csv"], "expected a name for jsonl"),
        (["posts.jsonl", "posts.csv", "--verdicts", "v.jsonl"], "expected inputs of one format"),
        (["posts.csv", "more.csv", "--verdicts", "v.jsonl"], "more.csv: expected the columns of"),
        (["-", "--input-format", "csv", "--verdicts", "v.jsonl"], "cannot be copied from a pipe"),
        (["posts.jsonl", "--verdicts", "v.csv"], "found CSV, which holds no spans"),
        (["posts.jsonl", "--verdicts", "v.jsonl", "-o", "v.jsonl"], "would overwrite the input"),
    ],
)
def test_what_cannot_be_copied_is_said(run, tmp_path, arguments, message):
    write_lines(tmp_path / "v.jsonl", judged("a"))
    write_lines(tmp_path / "posts.jsonl", {"id": "a", "text": BAD})
    for name, header in (("posts", "id,text"), ("more", "text,id"), ("v", "data_id")):
        (tmp_path / f"{name}.csv").write_text(f"{header}\n")
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
