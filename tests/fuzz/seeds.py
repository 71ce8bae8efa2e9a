"""Seeds: a few small inputs of each kind, from which fuzzing starts."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

__all__ = ["seeds"]

_POSTS = (
    {"id": "a", "text": "老板要上下分找客服"},
    {"id": 7, "title": "tea", "text": "今天下雨了", "tags": ["伞", "雨"]},
    {"id": None, "text": "caf\u0301e \ud83d\ude00 \ud800", "n": 1.5e300},
    {"text": ""},
)
_LINES = b"".join(json.dumps(post).encode() + b"\n" for post in _POSTS)
_CSV = '\ufeffid,text,note\r\na,"老板, ""上下分""",x\r\n\r\nb,"two\nlines",\r\nc,plain\r\n'.encode()
_TEXTS = (
    "老板要上.下.分 找 客 服",
    "今 天 天 气 很 好\x1e加 w3ixin\x1eＡＢ ﷺ ① 賭 ß İ",
    "p0rn $ex lll\u200b\u00ad e\u0301\u0300 か\u3099",
    "\u202eabc\u202c \ud800 \U0010ffff 👩\u200d👩\u200d👧",
)
_RULES = (
    """\
schema: 1
policy: gambling
lists:
  games: [teapot, 小茶壶, {regex: "t[e3]a", require: [tea]}]
rules:
  - id: gambling.en.sale
    title: Teapots for sale
    sub_label: gambling.promotion
    stance: offer
    level: strong
    languages: [zh, en]
    any: [list: games, "two words"]
    all: [{cue: contact}]
    none: [museum]
    near: {within: 8, of: [teapot, sale]}
    exceptions: [teapots]
    in: [title]
    views: [base, compact]
    severity: high
    enabled_from: 2026-01-01
    tests:
      hit: ["teapot sale"]
      pass: [museum]
      evasion: [t.eapot]
""",
    "schema: 1\npolicy: gambling\nrules:\n- {id: gambling.en.a, title: a, stance: offer, "
    "level: weak, sub_label: gambling.tips, any: [&a 中文, *a]}\n",
    "schema: 1\npolicy: gambling\nrules: []\n",
)


def seeds(target: str) -> list[bytes]:
    """Return inputs for one of `targets.TARGETS`."""
    # The first byte of what can be compressed says how: see `targets`.
    plain, packed = b"\x00", (b"\x01", b"\x02")
    if target == "jsonl":
        compressed = (gzip.compress(_LINES, mtime=0), zstandard.compress(_LINES))
        return [plain + _LINES, *(a + b for a, b in zip(packed, compressed, strict=True))]
    if target == "csv":
        compressed = (gzip.compress(_CSV, mtime=0), zstandard.compress(_CSV))
        return [plain + _CSV, *(a + b for a, b in zip(packed, compressed, strict=True))]
    if target == "parquet":
        return [_parquet(compression) for compression in ("none", "zstd", "snappy")] + [
            _parquet("none", _times()),
            _parquet("snappy", _many()),
        ]
    if target == "arrow":
        return [
            _arrow(pa.ipc.new_file),
            _arrow(pa.ipc.new_file, _many()),
            _arrow(pa.ipc.new_stream),
            _arrow(pa.ipc.new_stream, _times()),
        ]
    if target == "folds":
        return [text.encode("utf-8", "surrogatepass") for text in _TEXTS]
    if target == "rules":
        return [text.encode() for text in _RULES]
    return [
        bytes(range(256)),
        b"\xff" * 64,
        "上下分找客服".encode() * 4,
        b"<script>\xe2\x80\xae" * 8,
    ]


def _table() -> pa.Table:
    return pa.table(
        {
            "id": ["a", "b", None],
            "text": pa.array(["上下分", "", None]).dictionary_encode(),
            "tags": [["x", "y"], [], None],
        }
    )


def _many() -> pa.Table:
    """Return posts for several groups."""
    return pa.table({"id": range(11), "text": [f"post {n}" for n in range(11)]})


def _times() -> pa.Table:
    """Return posts whose ids are times, which Python cannot always hold."""
    return pa.table({"id": pa.array([1, 10**18], pa.timestamp("ns", "UTC")), "text": ["a", "b"]})


def _parquet(compression: str, table: pa.Table | None = None) -> bytes:
    out = io.BytesIO()
    pq.write_table(
        _table() if table is None else table, out, compression=compression, row_group_size=2
    )
    return out.getvalue()


def _arrow(new: object, table: pa.Table | None = None) -> bytes:
    out = io.BytesIO()
    table = _table() if table is None else table
    with new(out, table.schema) as writer:  # type: ignore[operator]
        writer.write_table(table, 2)
    return out.getvalue()
