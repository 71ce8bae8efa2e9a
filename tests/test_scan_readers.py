"""Readers: every row comes through, or is refused with a reason, in every format."""

import gzip
import io
import json
import tracemalloc
from decimal import Decimal

import pytest
import zstandard
from scan_support import rows, texts, write_jsonl

from moderation.errors import RecordError, ShardError
from moderation.scan import ScanOptions, TextFields, resolve_sources
from moderation.scan.accept import accepted
from moderation.scan.runner import read_rows
from moderation.scan.streams import Lines

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

LIMITED = ScanOptions(max_line_bytes=64)


def test_jsonl_lines_are_numbered_and_blank_lines_are_no_records(tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b'{"text":"one"}\r\n\n  \n{"text":"two"}')
    assert texts(rows(path)) == [(1, "one"), (4, "two")]


def test_jsonl_may_start_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text":"one"}\n')
    assert texts(rows(path)) == [(1, "one")]


@pytest.mark.parametrize(
    ("written", "data_id"),
    [
        ("18446744073709551616", "18446744073709551616"),
        ("-123456789012345678901234567890", "-123456789012345678901234567890"),
        ("1.10", "1.10"),
        ("0.12345678901234567891", "0.12345678901234567891"),
        ("1e400", "1e400"),
        ('[98765432109876543210, "a"]', '[98765432109876543210,"a"]'),
        ('{"n": 98765432109876543210}', '{"n":98765432109876543210}'),
    ],
)
@pytest.mark.parametrize("text", ["x", "\\ud800", "\t"])
def test_a_number_as_id_keeps_every_digit(tmp_path, written, data_id, text):
    path = tmp_path / "posts.jsonl"
    path.write_text(f'{{"id":{written},"text":"{text}"}}\n', encoding="utf-8")
    ((_, row),) = rows(path)
    assert accepted(row, ScanOptions()).data_id == data_id


@pytest.mark.parametrize("name", ["posts.parquet", "posts.arrow"])
@pytest.mark.parametrize(
    ("column", "ids"),
    [
        (pa.array([1, None], pa.timestamp("ns")), ["1970-01-01 00:00:00.000000001", None]),
        (pa.array([1, 2], pa.timestamp("ms", "No/Where")), ["1", "2"]),
        (pa.array([1 << 30, 0], pa.date32()), ["<value out of range: 1073741824>", '"1970-01-01"']),
        (pa.array([1 << 62, 0], pa.duration("ms")), [str(1 << 62), '"0:00:00"']),
        (pa.array([Decimal("1.50"), None]), ["1.50", None]),
        (pa.array([(1 << 64) - 1, 1], pa.uint64()), ["18446744073709551615", "1"]),
    ],
)
def test_an_id_that_python_has_no_equal_to_keeps_its_value(tmp_path, name, column, ids):
    table = pa.table({"id": column, "text": ["one", "two"]})
    if name.endswith("parquet"):
        pq.write_table(table, tmp_path / name)
    else:
        write_arrow(tmp_path / name, table)
    found = [accepted(row, ScanOptions()).data_id for _, row in rows(tmp_path / name)]
    assert found == ids


def test_an_id_of_more_digits_than_can_be_kept_is_a_rejected_record(tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_text('{"id":[%s],"text":"x"}\n{"text":"y"}\n' % ("9" * 5000), encoding="utf-8")
    assert texts(rows(path)) == [(1, "malformed_json"), (2, "y")]


def test_an_empty_file_has_no_rows(tmp_path):
    for name in ("a.jsonl", "a.csv", "a.arrow"):
        path = tmp_path / name
        path.write_bytes(b"")
        assert rows(path) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{not json}", "malformed_json"),
        (b'{"text":"cut off', "malformed_json"),
        (b'{"text":"x","score":NaN}', "malformed_json"),
        (b'{"text":"x","score":-Infinity}', "malformed_json"),
        (b'{"text":' + b"[" * 90, "malformed_json"),
        (b'{"text":' + b"[" * 5000, "too_deep"),
        (b'{"text":"x","raw":' + b"[{" * 50 + b"}]" * 50 + b"}", "too_deep"),
        (b'{"text":1' + b"0" * 5000 + b"x}", "malformed_json"),
        (b'["text"]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"text":"caf\xe9"}', "invalid_utf8"),
        (b'{"text":"\xed\xa0\x80"}', "invalid_utf8"),
    ],
)
def test_a_bad_json_line_is_refused_and_its_neighbours_are_not(tmp_path, line, reason):
    path = write_jsonl(tmp_path / "posts.jsonl", {"text": "before"}, line, {"text": "after"})
    assert texts(rows(path)) == [(1, "before"), (2, reason), (3, "after")]


def test_the_detail_of_a_bad_line_says_where_and_not_what(tmp_path):
    path = write_jsonl(tmp_path / "posts.jsonl", b'{"text": "private words" oops}')
    ((_, error),) = rows(path)
    assert "character 26" in error.detail
    assert "private" not in error.detail


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (rb'{"text":"a \ud800 b"}', "a \ud800 b"),
        (rb'{"text":"a \u0000 b"}', "a \0 b"),
        (b'{"text":"a \x00\x1b b"}', "a \0\x1b b"),
        (b'{"text":""}', ""),
        ('{"text":"😀"}'.encode(), "😀"),
        (b'{"text":"x","big":123456789012345678901234567890}', "x"),
    ],
)
def test_odd_text_is_read_as_it_is(tmp_path, line, text):
    assert texts(rows(write_jsonl(tmp_path / "posts.jsonl", line))) == [(1, text)]


def test_a_line_over_the_limit_is_skipped_and_one_at_the_limit_is_not(tmp_path):
    def line(size):
        return json.dumps({"text": "x" * (size - len('{"text": ""}'))}).encode()

    path = tmp_path / "posts.jsonl"
    path.write_bytes(
        b"\n".join([line(64), line(65), line(64) + b"\r", line(66), line(5000), line(20)])
    )
    read = rows(path, LIMITED)
    refused = [(number, row.reason) for number, row in read if isinstance(row, RecordError)]
    assert refused == [(2, "line_too_long"), (4, "line_too_long"), (5, "line_too_long")]
    assert [number for number, row in read if isinstance(row, dict)] == [1, 3, 6]


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 6, 7, 100])
def test_lines_of_any_length_against_any_limit(limit):
    content = [b"", b"abc", b"abcd", b"abcde", b"abcdef", b"abcdefg", b"a" * 99, b"x"]
    for ending in (b"\n", b"\r\n"):
        stream = io.BytesIO(ending.join(content))
        expected = [line if len(line) <= limit else None for line in content]
        assert list(Lines(stream, limit)) == expected


def test_a_line_over_the_limit_is_never_held_in_memory(tmp_path):
    path = tmp_path / "posts.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(32):
            file.write(b" " * (1 << 20))
        file.write(b'\n{"text":"after"}\n')
    tracemalloc.start()
    read = rows(path, ScanOptions(max_line_bytes=1 << 16))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert texts(read) == [(1, "line_too_long"), (2, "after")]
    assert peak < 8 << 20


def test_csv_reads_quotes_line_breaks_nul_and_long_fields(tmp_path):
    long = "长" * 200_000
    path = tmp_path / "posts.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid,text\r\n1,"a, ""b"""\r\n2,"two\r\nlines\n."\r\n\r\n3,x\0y\r\n4,'
        + long.encode()
    )
    assert texts(rows(path)) == [
        (2, 'a, "b"'),
        (3, "two\r\nlines\n."),
        (7, "x\0y"),
        (8, long),
    ]


def test_csv_refuses_only_the_record_that_is_not_utf8(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"text\none\ncaf\xe9\nthree\n")
    assert texts(rows(path)) == [(2, "one"), (3, "invalid_utf8"), (4, "three")]


def test_csv_refuses_a_record_with_more_cells_than_the_header(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"id,text\n1,one\n2,un,quoted\n3,three,,\n")
    assert texts(rows(path)) == [(2, "one"), (3, "column_count"), (4, "three")]


def test_csv_refuses_a_quote_that_is_never_closed(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b'text\none\n"two\nthree\n')
    assert texts(rows(path)) == [(2, "one"), (3, "malformed_csv")]


def test_csv_does_not_let_an_unclosed_quote_swallow_more_than_the_limit(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b'text\none\n"two\n' + b"swallowed\n" * 10 + b"after\n")
    read = texts(rows(path, LIMITED))
    assert read[:2] == [(2, "one"), (3, "line_too_long")]
    assert read[-1] == (14, "after")


def test_csv_without_the_text_column_is_refused_whole(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"id,content\n1,one\n")
    with pytest.raises(ShardError, match="expected a column 'text' in the header, found id, co"):
        rows(path)


def test_csv_without_a_header_does_not_print_its_first_post(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("1,我的第一条 post\n2,x\n", encoding="utf-8")
    with pytest.raises(ShardError, match="found 2 other columns"):
        rows(path)


def test_csv_with_a_column_twice_is_refused(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"text,text\n1,2\n")
    with pytest.raises(ShardError, match="'text' stands twice"):
        rows(path)


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_parquet_reads_every_type_of_string(tmp_path, kind):
    column = pa.array(["one", None, "three"], pa.string()).cast(kind)
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": column, "other": [1, 2, 3]}), path)
    assert rows(path) == [(1, {"text": "one"}), (2, {"text": None}), (3, {"text": "three"})]


def test_parquet_numbers_rows_across_row_groups(tmp_path):
    path = tmp_path / "posts.parquet"
    posts = [f"post {n}" for n in range(10_000)]
    pq.write_table(pa.table({"id": range(10_000), "text": posts}), path, row_group_size=3000)
    assert rows(path) == [(n + 1, {"id": n, "text": posts[n]}) for n in range(10_000)]


def test_parquet_lists_are_tags_when_there_are_several_fields(tmp_path):
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": ["one"], "tags": [["a", "b"]]}), path)
    fields = ScanOptions(TextFields(("text", "tags")))
    assert rows(path, fields) == [(1, {"text": "one", "tags": ["a", "b"]})]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"content": ["x"]}, "expected a column 'text', found content"),
        ({"text": [1]}, "expected strings in column 'text', found int64"),
        ({"text": [["x"]]}, "expected strings in column 'text', found list"),
        ({"text": [b"x"]}, "expected strings in column 'text', found binary"),
    ],
)
def test_parquet_without_strings_is_refused_whole(tmp_path, columns, message):
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(ShardError, match=message):
        rows(path)


def test_parquet_refuses_only_the_row_that_is_not_utf8(tmp_path):
    raw = pa.array([b"one", b"caf\xe9", b"three"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": broken}), path)
    assert texts(rows(path)) == [(1, "one"), (2, "invalid_utf8"), (3, "three")]


def test_arrow_files_and_streams_are_told_apart(tmp_path):
    table = pa.table({"id": ["a", "b"], "text": ["one", "two"]})
    for name, new in (("f.arrow", pa.ipc.new_file), ("s.arrows", pa.ipc.new_stream)):
        with new(tmp_path / name, table.schema) as writer:
            writer.write_table(table)
        assert texts(rows(tmp_path / name)) == [(1, "one"), (2, "two")]


NOT_UTF8 = pa.array([b"one", b"caf\xe9", b"three"], pa.binary())


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_arrow_refuses_only_the_row_that_is_not_utf8(tmp_path, kind):
    if kind == "dictionary":
        column = pa.DictionaryArray.from_arrays([0, 1, 2], NOT_UTF8.view(pa.string()))
    else:
        raw = NOT_UTF8.cast(
            {"string": "binary", "large_string": "large_binary"}.get(kind, "binary")
        )
        column = (raw.cast(pa.binary_view()) if kind == "string_view" else raw).view(kind)
    path = tmp_path / "posts.arrow"
    write_arrow(path, pa.table({"text": column}))
    assert texts(rows(path)) == [(1, "one"), (2, "invalid_utf8"), (3, "three")]


def write_arrow(path, table):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def write_as_it_is(path, table, found, changed):
    """Write a table of which some bytes are changed in the file."""
    write_arrow(path, table)
    content = path.read_bytes()
    assert content.count(found) == 1
    path.write_bytes(content.replace(found, changed))


def int32s(*values):
    return pa.array(values, pa.int32()).buffers()[1].to_pybytes()


@pytest.mark.parametrize("column", [["one", "two"], pa.array(["one", "two"]).dictionary_encode()])
@pytest.mark.parametrize("wrong", [int32s(0, 1 << 30, 6), int32s(0, -9, 6)])
def test_arrow_whose_offsets_lead_out_of_the_file_is_refused_whole(tmp_path, column, wrong):
    path = tmp_path / "posts.arrow"
    write_as_it_is(path, pa.table({"text": column}), int32s(0, 3, 6), wrong)
    with pytest.raises(ShardError, match=r"damaged arrow: .*[Oo]ffset"):
        rows(path)


def test_arrow_whose_dictionary_is_too_small_is_refused_whole(tmp_path):
    path = tmp_path / "posts.arrow"
    table = pa.table({"text": pa.array(["a", "b", "a", "b", "a"]).dictionary_encode()})
    write_as_it_is(path, table, int32s(0, 1, 0, 1, 0), int32s(0, 1, 0, 1 << 30, 0))
    with pytest.raises(ShardError, match=r"damaged arrow: .*out of bounds"):
        rows(path)


def test_arrow_that_claims_to_be_larger_than_any_memory_is_refused_whole(tmp_path):
    table = pa.table({"text": ["one", "two"]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    messages = pa.ipc.MessageReader.open_stream(content)
    messages.read_next_message()
    size = messages.read_next_message().body.size.to_bytes(8, "little")
    path = tmp_path / "posts.arrow"
    path.write_bytes(content.replace(size, (1 << 60).to_bytes(8, "little")))
    with pytest.raises(ShardError, match="damaged arrow: it asks for more memory than there is"):
        rows(path)


def test_an_arrow_column_that_is_not_read_may_be_damaged(tmp_path):
    path = tmp_path / "posts.arrow"
    table = pa.table({"text": ["a", "b"], "note": ["one", "two"]})
    write_as_it_is(path, table, int32s(0, 3, 6), int32s(0, 1 << 30, 6))
    assert texts(rows(path)) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("name", ["posts.parquet", "posts.arrow"])
def test_a_damaged_columnar_file_says_so(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"nothing of the kind, but long enough to look for a footer")
    with pytest.raises(ShardError, match="damaged"):
        rows(path)


def compressed(name: str, data: bytes) -> bytes:
    return gzip.compress(data) if name.endswith(".gz") else zstandard.compress(data)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.ndjson.gz"])
def test_compressed_files_may_hold_several_members(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(
        compressed(name, b'{"text":"one"}\n')
        + compressed(name, b"")
        + compressed(name, b'{"text":"two"}\n')
    )
    assert texts(rows(path)) == [(1, "one"), (2, "two")]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_csv_may_be_compressed(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(compressed(name, b"text\none\n"))
    assert texts(rows(path)) == [(2, "one")]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_truncated_file_yields_what_is_there_and_then_fails(tmp_path, name):
    lines = b"".join(b'{"text":"post %d"}\n' % n for n in range(200_000))
    whole = compressed(name, lines)
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) // 2])
    (source,) = resolve_sources([str(path)])
    read = []
    with pytest.raises(ShardError, match="damaged"):
        read.extend(read_rows(source, ScanOptions()))
    # list.extend keeps what came before the exception
    assert len(read) > 1000
    assert texts(read) == [(n + 1, f"post {n}") for n in range(len(read))]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_that_is_not_compressed_at_all_says_so(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b'{"text":"one"}\n')
    with pytest.raises(ShardError, match=r"damaged (gzip|zstd)"):
        rows(path)


def test_gzip_members_may_be_padded_with_zeros(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text":"one"}\n') + bytes(5000))
    assert texts(rows(path)) == [(1, "one")]


def test_a_lone_carriage_return_spoils_only_its_own_csv_record(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"text\none\ntwo\rhalves\nthree\n")
    assert texts(rows(path)) == [(2, "one"), (3, "malformed_csv"), (4, "three")]


def test_csv_whose_header_cannot_be_read_is_refused_whole(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"te\xffxt\none\n")
    with pytest.raises(ShardError, match="expected a CSV header, found invalid_utf8"):
        rows(path)


@pytest.mark.parametrize("name", ["posts.arrow", "posts.arrows"])
def test_arrow_without_strings_is_refused_whole(tmp_path, name):
    table = pa.table({"text": [1]})
    new = pa.ipc.new_file if name == "posts.arrow" else pa.ipc.new_stream
    with new(tmp_path / name, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ShardError, match="expected strings in column 'text', found int64"):
        rows(tmp_path / name)
