"""Text: code points in, folded code points and a map back to the original out."""

from moderation.text.batch import TextBatch
from moderation.text.fields import FieldSpan, FieldSpans, join_fields
from moderation.text.fold import VIEWS, FoldTable, View, load_table
from moderation.text.language import identify

__all__ = [
    "VIEWS",
    "FieldSpan",
    "FieldSpans",
    "FoldTable",
    "TextBatch",
    "View",
    "identify",
    "join_fields",
    "load_table",
]
