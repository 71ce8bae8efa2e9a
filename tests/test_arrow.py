"""Arrow in, Arrow out: same length, same order, the published schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import arrow
from moderation.errors import ConfigError

if TYPE_CHECKING:
    from moderation import Moderator

POSTS = [
    "Best online casino, sign up bonus 100 free spins, DM me on telegram @lucky777 now",
    None,
    "今天喝了一杯咖啡，天气真好",
    "",
    "老板要上下分找客服 加V：abc88666 秒到账",
    "cat tax",
]
IDS = ["a", "b", None, "d", "e", "f"]

COLUMNS = {
    "string": pa.array(POSTS, pa.string()),
    "large_string": pa.array(POSTS, pa.large_string()),
    "string_view": pa.array(POSTS, pa.string_view()),
    "dictionary": pa.array(POSTS, pa.string()).dictionary_encode(),
}


def published(rows: list[dict]) -> list[dict]:
    """Return Arrow rows as JSON verdicts: without the field that only some evidence has."""
    for row in rows:
        for label in row["labels"]:
            for piece in label["evidence"]:
                assert piece.pop("field") is None
    return rows


@pytest.fixture(scope="module")
def expected(moderator: Moderator) -> list[dict]:
    return moderator.check_batch(POSTS, data_ids=IDS).to_dicts()


def test_the_schema_is_the_published_one():
    piece = "struct<start: int32 not null, end: int32 not null, rule_id: string, hit_type: string not null, transforms: list<item: string> not null, field: string>"  # noqa: E501
    label = f"struct<label: string not null, sub_label: string, action: string not null, score: double not null, threshold: double not null, stance: string not null, evidence: list<item: {piece}> not null>"  # noqa: E501
    assert [(f.name, str(f.type), f.nullable) for f in arrow.OUTPUT_SCHEMA] == [
        ("data_id", "string", True),
        ("action", "string", False),
        ("risk_level", "string", False),
        ("language", "string", False),
        (
            "category_scores",
            "struct<porn: double not null, drugs: double not null, gambling: double not null>",
            False,
        ),
        ("labels", f"list<item: {label}>", False),
        ("policy", "struct<region: string not null, bundle: string not null>", False),
        ("model", "string", False),
        ("tier", "string", False),
        ("error", "string", True),
    ]


@pytest.mark.parametrize("kind", COLUMNS)
def test_any_kind_of_string_column_is_scored_like_its_strings(
    moderator: Moderator, expected: list[dict], kind: str
):
    batch = pa.record_batch({"id": pa.array(IDS), "text": COLUMNS[kind]})
    scored = moderator.score_batch(batch)
    assert isinstance(scored, pa.RecordBatch)
    assert scored.schema.equals(arrow.OUTPUT_SCHEMA)
    scored.validate(full=True)
    assert published(scored.to_pylist()) == expected


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_slice_is_scored_as_what_it_shows(moderator: Moderator, expected: list[dict], kind: str):
    batch = pa.record_batch({"id": pa.array(IDS), "text": COLUMNS[kind]}).slice(1, 4)
    assert published(moderator.score_batch(batch).to_pylist()) == expected[1:5]


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_chunked_table_is_scored_as_one(moderator: Moderator, expected: list[dict], kind: str):
    whole = pa.table({"text": COLUMNS[kind], "id": pa.array(IDS)})
    table = pa.concat_tables([whole.slice(0, 2), whole.slice(2, 0), whole.slice(2)])
    assert table.column("text").num_chunks > 1
    assert published(moderator.score_batch(table).to_pylist()) == expected


def test_without_an_id_column_ids_are_null(moderator: Moderator):
    scored = moderator.score_batch(pa.record_batch({"text": pa.array(POSTS)}))
    assert scored.column("data_id").null_count == len(POSTS)


def test_ids_of_another_type_become_strings(moderator: Moderator):
    batch = pa.record_batch({"id": pa.array([7, None]), "text": pa.array(["a", "b"])})
    assert moderator.score_batch(batch).column("data_id").to_pylist() == ["7", None]


def test_columns_may_have_other_names(moderator: Moderator, expected: list[dict]):
    batch = pa.record_batch({"note": pa.array(IDS), "body": COLUMNS["string"], "text": IDS})
    scored = moderator.score_batch(batch, text_field="body", id_field="note")
    assert published(scored.to_pylist()) == expected


def test_a_missing_text_column_is_named_with_what_is_there(moderator: Moderator):
    with pytest.raises(ConfigError) as caught:
        moderator.score_batch(pa.record_batch({"body": ["a"], "id": ["x"]}))
    assert str(caught.value) == "expected a column 'text', found body, id"


def test_a_batch_without_columns_is_refused(moderator: Moderator):
    with pytest.raises(ConfigError, match="expected a column 'text', found none"):
        moderator.score_batch(pa.table({}))


def test_a_column_of_numbers_is_refused(moderator: Moderator):
    with pytest.raises(ConfigError, match="must hold strings, found Arrow type int64"):
        moderator.score_batch(pa.record_batch({"text": [1, 2]}))


def test_an_empty_batch_gives_an_empty_batch(moderator: Moderator):
    scored = moderator.score_batch(pa.record_batch({"text": pa.array([], pa.string())}))
    assert scored.num_rows == 0
    assert scored.schema.equals(arrow.OUTPUT_SCHEMA)


def test_a_column_of_nulls_is_scored(moderator: Moderator):
    scored = moderator.score_batch(pa.record_batch({"text": pa.nulls(2)}))
    assert scored.column("error").to_pylist() == ["text is null"] * 2


def test_verdicts_become_the_same_columns(moderator: Moderator, expected: list[dict]):
    found = moderator.check_batch(POSTS, data_ids=IDS).to_arrow()
    assert found.schema.equals(arrow.OUTPUT_SCHEMA)
    assert published(found.to_pylist()) == expected


@settings(max_examples=40)
@given(st.lists(st.none() | st.text(max_size=40), max_size=6))
def test_arrow_and_python_agree_on_any_text(moderator: Moderator, posts: list[str | None]):
    batch = pa.record_batch({"text": pa.array(posts, pa.string())})
    assert published(moderator.score_batch(batch).to_pylist()) == (
        moderator.check_batch(posts).to_dicts()
    )


def test_the_batch_is_left_as_it_was(moderator: Moderator):
    batch = pa.record_batch({"id": pa.array(IDS), "text": pa.array(POSTS)})
    before = batch.to_pylist()
    moderator.score_batch(batch)
    assert batch.to_pylist() == before


def test_an_id_with_a_lone_surrogate_is_replaced(moderator: Moderator):
    found = moderator.check_batch(["a"], data_ids=["n\ud800"]).to_arrow()
    assert found.column("data_id").to_pylist() == ["n\ufffd"]
