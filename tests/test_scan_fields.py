"""Fields: one text out of several fields, and evidence given back to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.decide.fields import with_field_evidence
from moderation.decide.labels import LabelTable
from moderation.errors import ConfigError, RecordError
from moderation.scan.fields import FieldSpan, TextFields, record_id
from moderation.text import FieldSpans
from moderation.types import Evidence, Label

POST = TextFields(("title", "body", "tags"))


def span(start, end):
    return Evidence(start, end, "rule", "keyword", ("noise",))


def labelled(*evidence):
    return (Label("porn", None, "review", 0.9, 0.5, "offer", evidence),)


def by_field(evidence, spans):
    """Return one piece of evidence on a post of some fields, given back to them."""
    fields = FieldSpans.from_layouts([spans])
    ((label,),) = with_field_evidence(LabelTable.of({0: labelled(evidence)}), fields).values()
    return label.evidence


def test_one_field_is_the_text_itself():
    assert TextFields(("body",)).text({"body": "a\nb", "title": "x"}) == ("a\nb", ())


def test_several_fields_are_joined_in_the_given_order():
    record = {"tags": ["one", "two"], "body": "long story", "title": "Title"}
    text, spans = POST.text(record)
    assert text == "Title\nlong story\none two"
    assert spans == (FieldSpan("title", 0, 5), FieldSpan("body", 6, 16), FieldSpan("tags", 17, 24))


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"body": "b"}, "b"),
        ({"title": None, "body": "b", "tags": None}, "b"),
        ({"title": "", "body": "b"}, "\nb"),
        ({"tags": []}, ""),
    ],
)
def test_fields_that_a_record_lacks_are_left_out(record, text):
    assert POST.text(record)[0] == text


@pytest.mark.parametrize(
    ("fields", "record", "reason"),
    [
        (("text",), {}, "missing_text"),
        (("text",), {"text": None}, "null_text"),
        (("text",), {"text": 7}, "text_not_string"),
        (("text",), {"text": True}, "text_not_string"),
        (("text",), {"text": ["a"]}, "text_not_string"),
        (("text",), {"text": {"a": "b"}}, "text_not_string"),
        (POST.names, {"id": 1}, "missing_text"),
        (POST.names, {"title": None}, "null_text"),
        (POST.names, {"title": "t", "body": 7}, "text_not_string"),
        (POST.names, {"title": "t", "tags": ["a", None]}, "text_not_string"),
    ],
)
def test_a_record_without_text_is_refused_with_a_reason(fields, record, reason):
    with pytest.raises(RecordError) as caught:
        TextFields(fields).text(record)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("names", "message"), [((), "found none"), (("a", "a"), "named twice")])
def test_impossible_fields_are_refused(names, message):
    with pytest.raises(ConfigError, match=message):
        TextFields(names)


@pytest.mark.parametrize(
    ("value", "data_id"),
    [
        ("n1", "n1"),
        ("", ""),
        (None, None),
        (12, "12"),
        (1.5, "1.5"),
        (True, "true"),
        (2**70, str(2**70)),
        (["a", 1], '["a",1]'),
    ],
)
def test_an_id_that_is_no_string_is_its_json(value, data_id):
    assert record_id({"id": value}, "id") == data_id


def test_a_record_without_an_id_has_none():
    assert record_id({}, "id") is None


def test_evidence_within_a_field_counts_from_the_fields_start():
    _, spans = POST.text({"title": "Title", "body": "long story"})
    (part,) = by_field(span(11, 16), spans)
    assert (part.field, part.start, part.end) == ("body", 5, 10)
    assert (part.rule_id, part.transforms) == ("rule", ("noise",))


def test_evidence_across_a_border_is_split():
    _, spans = POST.text({"title": "Title", "body": "long story", "tags": ["x"]})
    parts = by_field(span(2, 18), spans)
    found = [(part.field, part.start, part.end) for part in parts]
    assert found == [("title", 2, 5), ("body", 0, 10), ("tags", 0, 1)]


def test_evidence_on_a_border_alone_keeps_its_place():
    _, spans = POST.text({"title": "Title", "body": "long story"})
    (part,) = by_field(span(5, 6), spans)
    assert (part.field, part.start, part.end) == ("title", 5, 5)


@given(st.lists(st.text(max_size=6), min_size=2, max_size=5), st.data())
def test_the_parts_of_a_span_are_the_span_without_the_borders(values, data):
    names = tuple(f"f{n}" for n in range(len(values)))
    record = dict(zip(names, values, strict=True))
    text, spans = TextFields(names).text(record)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    parts = by_field(span(start, end), spans)
    borders = {s.end for s in spans[:-1]}
    expected = "".join(text[at] for at in range(start, end) if at not in borders)
    assert "".join(record[part.field][part.start : part.end] for part in parts) == expected
    assert parts


def test_every_piece_goes_to_the_fields_of_its_own_post():
    _, one = POST.text({"title": "ab", "body": "cdef"})
    _, other = POST.text({"body": "gh"})
    both = (*labelled(span(4, 6), span(0, 5)), *labelled(span(1, 2)))
    labels = LabelTable.of({0: both, 2: labelled(span(3, 4)), 3: labelled(span(0, 2))})
    found = with_field_evidence(labels, FieldSpans.from_layouts([one, other, (), other]))
    places = {
        post: [[(e.field, e.start, e.end) for e in label.evidence] for label in made]
        for post, made in found.items()
    }
    assert places == {
        0: [[("body", 1, 3), ("title", 0, 2), ("body", 0, 2)], [("title", 1, 2)]],
        2: [[(None, 3, 4)]],
        3: [[("body", 0, 2)]],
    }


def test_no_labels_stay_none():
    assert with_field_evidence(LabelTable.of({}), FieldSpans.from_layouts([()])) == {}
