"""Tokens by the kernel are those of sentencepiece; a model that it does not know is left alone."""

from __future__ import annotations

import itertools
import random
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sentencepiece
from engine_support import AWKWARD, CASINO_AD, CHIPS_AD
from hypothesis import given
from hypothesis import strategies as st
from kernel_support import REFUSALS, SANITIZED, mutated

from moderation.classifier.features import Tokenizer
from moderation.errors import ModelError
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.text.native import kernel

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text import View

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

TABLE = load_table(data_root() / "rules")
SHIPPED = data_root() / "models" / "default" / "tokenizer.model"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
MARK = "▁"


def varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def block(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def piece(text: str, score: float, kind: int = NORMAL) -> bytes:
    return block(
        1, block(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + number(3, kind)
    )


def model(
    pieces: list[tuple[str, float]], *, more: bytes = b"", trainer: bytes = b"", normal: bytes = b""
) -> bytes:
    """Return a unigram model as the shipped one is made; what is given comes on top."""
    made = piece("<unk>", 0.0, UNKNOWN) + b"".join(piece(*each) for each in pieces) + more
    made += block(2, number(3, 1) + number(4, len(pieces) + 1) + trainer)
    return made + block(3, block(1, b"identity") + number(3, 1) + number(4, 1) + normal)


def ids(raw: bytes, base: View) -> list[list[int]] | None:
    native, _ = kernel.tokenizer(raw)
    if native is None:
        return None
    values, offsets = kernel.encode(native, base.codepoints, base.offsets)
    found = np.frombuffer(values, np.int32).tolist()
    bounds = np.frombuffer(offsets, np.int64).tolist()
    return [found[a:b] for a, b in itertools.pairwise(bounds)]


def codes(texts: list[str]) -> View:
    """Return texts as a view without folding them, so that any character can stand in it."""
    batch = TextBatch.from_strings(texts)
    base = TABLE.base(batch)
    return type(base)(
        **{
            **{name: getattr(base, name) for name in base.__dataclass_fields__},
            "codepoints": batch.codepoints,
            "offsets": batch.offsets,
        }
    )


TOKENIZER = Tokenizer(SHIPPED) if kernel is not None else None


@given(
    posts=st.lists(
        st.lists(
            st.sampled_from([
                "加V", "casino ", "  ", "\n", "▁", "赌博", "上下分", "😂", "message me", "1888",
                "é", "\U0002070e", "the ", "kg", "日本", "ö",
            ])
            | st.text(max_size=4),
            max_size=12,
        ).map("".join),
        max_size=5,
    )
)  # fmt: skip
def test_tokens_are_those_of_the_reference(posts: list[str]):
    assert TOKENIZER is not None
    base = TABLE.base(TextBatch.from_strings(posts))
    found, expected = TOKENIZER.encode(base), TOKENIZER.encode_reference(base)
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert found.values.tolist() == expected.values.tolist()
    assert (found.values.dtype, found.offsets.dtype) == (np.int32, np.int64)


def test_long_and_awkward_posts_are_cut_as_in_the_reference():
    assert TOKENIZER is not None
    posts = [*AWKWARD, CASINO_AD * 50, CHIPS_AD * 90, "x" * 5_000, "茶" * 3_000, " a" * 2_000]
    base = TABLE.base(TextBatch.from_strings(posts))
    found, expected = TOKENIZER.encode(base), TOKENIZER.encode_reference(base)
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert found.values.tolist() == expected.values.tolist()
    assert (
        TOKENIZER.size
        == sentencepiece.SentencePieceProcessor(model_file=str(SHIPPED)).get_piece_size()
    )


PIECES = st.text("ab茶😂", min_size=1, max_size=4) | st.text("▁a", min_size=1, max_size=3)
SCORES = st.sampled_from([-1.0, -2.0, -3.0, -0.5, 0.0]) | st.floats(-30, 2, width=32)


@given(
    pieces=st.dictionaries(PIECES, SCORES, min_size=1, max_size=12),
    texts=st.lists(st.text("abc茶😂▁ \0\n", max_size=14), min_size=1, max_size=6),
)
def test_any_vocabulary_cuts_posts_as_sentencepiece_does(
    pieces: dict[str, float], texts: list[str]
):
    raw = model(list(pieces.items()))
    theirs = sentencepiece.SentencePieceProcessor(model_proto=raw)
    lines = [text.replace("\n", " ") for text in texts]
    assert ids(raw, codes(texts)) == theirs.encode(lines, num_threads=1)


def test_control_pieces_have_an_id_and_are_in_no_text():
    raw = model([("a", -1.0)], more=piece("<s>", 0.0, CONTROL) + piece(MARK, -2.0))
    assert ids(raw, codes(["a<s>a"])) == [[3, 1, 0, 1]]
    assert kernel.tokenizer(raw)[1] == 4


SOME = [("a", -1.0), ("b", -2.0), (MARK, -3.0)]


@pytest.mark.parametrize(
    "raw",
    [
        model(SOME, more=piece("ab", 0.0, USER_DEFINED)),
        model(SOME, more=piece("ab", -1.0, UNUSED)),
        model(SOME, more=piece("<0x41>", 0.0, BYTE), trainer=number(35, 1)),
        model(SOME, trainer=number(3, 2)),
        model(SOME, trainer=number(24, 1)),
        model(SOME, normal=number(3, 0)),
        model(SOME, normal=number(4, 0)),
        model(SOME, normal=number(5, 0)),
        model(SOME, normal=block(2, b"\x04\x00\x00\x00....")),
        model([*SOME, ("a", -4.0)]),
        model([*SOME, ("", -4.0)]),
        model([*SOME, ("a" * 300, -4.0)]),
        model([*SOME, ("c", float("nan"))]),
        model([]),
        model(SOME)[:-1],
        piece("a", -1.0),
        b"",
        b"not a model at all",
    ],
    ids=[
        "user-defined", "unused", "bytes", "bpe", "suffix", "no-prefix", "spaces-kept",
        "not-escaped", "charsmap", "twice", "empty", "long", "nan", "none", "cut", "no-unknown",
        "nothing", "text",
    ],
)  # fmt: skip
def test_a_model_of_another_kind_is_left_to_sentencepiece(raw: bytes):
    assert kernel.tokenizer(raw) == (None, 0)


def test_a_tokenizer_of_another_kind_works_through_sentencepiece(tmp_path: Path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(model(SOME, more=piece("ab", 0.0, USER_DEFINED)))
    base = TABLE.base(TextBatch.from_strings(["bab", ""]))
    tokenizer = Tokenizer(path)
    assert tokenizer.size == 5
    assert tokenizer.encode(base).values.tolist() == [3, 2, 4]


@pytest.mark.skipif(SANITIZED, reason="the address sanitizer stops at sentencepiece's exceptions")
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path):
    path = tmp_path / "tokenizer.model"
    with pytest.raises(ModelError, match=r"tokenizer\.model: cannot be read: No such file"):
        Tokenizer(path)
    path.write_bytes(b"not a model at all")
    with pytest.raises(ModelError, match=r"tokenizer\.model: sentencepiece cannot load it"):
        Tokenizer(path)


def test_a_damaged_model_does_no_harm():
    random_ = random.Random(7)
    raw = model([(text, -float(at)) for at, text in enumerate(["ab", "a", "b茶", MARK, "茶😂"])])
    base = codes(["ab 茶😂 b茶", "", "zz"])
    known = 0
    for _ in range(4_000):
        wrong = bytearray(raw)
        for _ in range(random_.choice((1, 1, 2, 5))):
            wrong[random_.randrange(len(wrong))] = random_.randrange(256)
        cut = bytes(wrong[: random_.choice((len(wrong), random_.randrange(len(wrong))))])
        known += ids(cut, base) is not None
    assert 0 < known < 4_000


def test_what_is_wrong_is_refused_or_does_no_harm():
    random_ = random.Random(11)
    base = codes(["ab 茶😂", "", "zz"])
    native, _ = kernel.tokenizer(model(SOME))
    valid: list[Any] = [native, base.codepoints, base.offsets]
    refused = 0
    for _ in range(2_000):
        wrong = list(valid)
        at = random_.randrange(3)
        wrong[at] = mutated(valid[at], random_)
        try:
            kernel.encode(*wrong)
        except REFUSALS:
            refused += 1
    assert refused > 700
    for few in ([], valid[:-1], [*valid, None]):
        with pytest.raises(TypeError):
            kernel.encode(*few)
