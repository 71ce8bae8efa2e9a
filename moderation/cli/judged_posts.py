"""Judged posts: the options of commands that read posts beside their verdicts."""

from __future__ import annotations

from enum import StrEnum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moderation.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.scan import ScanOptions, Source

__all__ = [
    "HashIds",
    "Join",
    "JoinOption",
    "MaxDepth",
    "MaxLineBytes",
    "MaxPostChars",
    "MaxRatio",
    "PostId",
    "reading_options",
]

_AS_SCANNED = "default: as in the scan, where its folder says"


class Join(StrEnum):
    """How posts and verdicts find each other."""

    ORDER = auto()
    ID = auto()


JoinOption = Annotated[
    Join,
    typer.Option("--join", help="Posts and verdicts: in one order (ids are compared), or by id."),
]
PostId = Annotated[
    str | None,
    typer.Option("--id-field", help="Field with the post's id. Default: id.", show_default=False),
]
MaxLineBytes = Annotated[
    int | None,
    typer.Option(
        "--max-line-bytes",
        min=1,
        help=f"Longest JSON line or CSV record; {_AS_SCANNED}.",
        show_default=False,
    ),
]
MaxPostChars = Annotated[
    int | None,
    typer.Option(
        "--max-post-chars",
        min=1,
        help=f"Longest post, in code points; {_AS_SCANNED}.",
        show_default=False,
    ),
]
MaxDepth = Annotated[
    int | None,
    typer.Option(
        "--max-depth",
        min=1,
        help=f"Most brackets within one another in a JSON line; {_AS_SCANNED}.",
        show_default=False,
    ),
]
MaxRatio = Annotated[
    int | None,
    typer.Option(
        "--max-ratio",
        min=1,
        help=f"Most content a compressed byte may hold; {_AS_SCANNED}.",
        show_default=False,
    ),
]
HashIds = Annotated[
    Path | None,
    typer.Option(
        "--hash-ids",
        metavar="KEYFILE",
        help="The key that the scan hashed its ids with.",
        show_default=False,
    ),
]


def reading_options(
    verdicts: Sequence[Source],
    *,
    text_field: list[str] | None,
    id_field: str | None,
    input_format: str | None,
    hash_ids: Path | None,
    **limits: int | None,
) -> ScanOptions:
    """Return how to read posts so that they are those that a scan gave the verdicts to.

    What was not asked for is as in the scan, where the verdicts lie in its folder, and else as
    scan does it by default.

    Args:
        verdicts: inputs of verdicts.
        text_field: names of the text fields; None: not asked for, like None in the others.
        id_field: name of the id field.
        input_format: format of what has no known extension.
        hash_ids: file of the key that ids were hashed with.
        limits: those of `ScanOptions`, by name.

    Raises:
        ConfigError: something else was asked for than the scan did.
    """
    from moderation.scan import ScanOptions, TextFields, read_key
    from moderation.scan.manifest import scanned_with
    from moderation.scan.options import key_digest

    key = None if hash_ids is None else read_key(hash_ids)
    asked: dict[str, Any] = {
        "text_fields": text_field or None,
        "id_field": id_field,
        "id_key": None if key is None else key_digest(key),
        **limits,
    }
    found = scanned_with(verdicts)
    if found is not None:
        manifest, scanned = found
        for name, value in asked.items():
            if value is not None and value != scanned[name]:
                raise ConfigError(
                    f"{manifest}: expected {name} as in the scan, {scanned[name]!r}, "
                    f"found {value!r}"
                )
        if scanned["id_key"] is not None and key is None:
            raise ConfigError(f"{manifest}: expected --hash-ids: the scan hashed its ids")
        asked = {name: scanned[name] for name in asked}
    given = {name: value for name, value in asked.items() if value is not None}
    given.pop("id_key", None)
    fields = TextFields(tuple(given.pop("text_fields", ("text",))))
    return ScanOptions(fields, input_format=input_format, id_key=key, **given)
