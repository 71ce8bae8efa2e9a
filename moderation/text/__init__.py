"""Text: code points in, folded code points and a map back to the original out."""

from moderation.text.batch import TextBatch
from moderation.text.fold import VIEWS, FoldTable, View, load_table
from moderation.text.language import identify

__all__ = ["VIEWS", "FoldTable", "TextBatch", "View", "identify", "load_table"]
