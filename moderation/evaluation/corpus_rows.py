"""Rows of the corpus: what a row must be, and what no post may hold."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moderation.types import (
    POLICIES,
    STANCES,
    SUB_LABELS,
    UNSHOWN_SUB_LABEL,
    VIOLATING_STANCES,
    Diagnostic,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CorpusRow", "contacts", "numbers", "opening", "read_row"]

_FIELDS: Final = ("id", "text", "lang", "labels", "sub_label", "stance", "kind")
_LANGUAGES: Final = ("zh", "en", "mixed")
_SUB_LABELS: Final = tuple(name for names in SUB_LABELS.values() for name in names)
_KIND: Final = re.compile(r"[a-z][a-z0-9_-]*")
_HAN: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U000323af]")
_LATIN: Final = re.compile(r"[A-Za-z]")
_FIRST_WORD: Final = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]{1,2}|\S")

_RESERVED: Final = re.compile(
    r"(?:.*\.)?(?:example|test|invalid|localhost|example\.(?:com|net|org))"
)
"""RFC 2606 and RFC 6761."""
_TOP_LEVEL: Final = (
    *("com", "net", "org", "cn", "top", "xyz", "cc", "vip", "me", "io", "info", "site", "club"),
    *("app", "tv", "co", "ru", "uk", "us", "hk", "tw", "shop", "link", "live", "online", "icu"),
    *("bet", "ly", "gg", "to", "win", "fun", "store", "pro"),
)
_TOP_LEVEL_ALONE: Final = ("com", "net", "cn", "xyz", "cc", "icu", "ru")
"""Those that are no words, so that they are also seen behind a full stop with spaces around it."""
_DOMAIN: Final = re.compile(
    rf"(?<![a-z0-9_])((?:[a-z0-9-]+\.)*[a-z0-9-]+)"
    rf"(?:\.({'|'.join(_TOP_LEVEL)})|\s?\.\s?({'|'.join(_TOP_LEVEL_ALONE)}))(?![a-z0-9_])"
)
_ADDRESS: Final = re.compile(r"https?://([\w.-]+)")
_NUMERALS: Final = str.maketrans("零〇一二三四五六七八九幺", "001234567891")
_NUMBER: Final = re.compile(r"\+?\d(?:[ .\-]?\d){6,}")
_MADE_UP: Final = re.compile(r"\d*0000\d*|1?(?:\d{3})?55501\d\d")
"""Masked by four zeros, or of the block that is kept for fiction (555-0100 to 555-0199)."""
_DATE: Final = re.compile(r"(?:19|20)\d\d([.-])\d\d?\1\d\d?")


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """One post of the corpus."""

    path: str
    line: int
    topics: tuple[str, ...]
    """The policies that the file is named after."""
    id: str
    text: str
    language: str
    labels: tuple[int, ...]
    sub_label: str | None
    stance: str


def read_row(line: bytes, path: Path, number: int) -> tuple[CorpusRow | None, list[Diagnostic]]:
    """Return a row, or None where its fields are not in order, and what is wrong with it."""

    def wrong(code: str, message: str) -> Diagnostic:
        return Diagnostic(code, message, str(path), number)

    try:
        row = json.loads(line)
    except ValueError as error:
        return None, [wrong("C001", f"expected a JSON object, found: {error}")]
    if not isinstance(row, dict):
        return None, [wrong("C001", "expected a JSON object, found something else")]
    problems = [wrong("C002", message) for message in _field_problems(row)]
    if problems:
        return None, problems
    labels = tuple(row["labels"][policy] for policy in POLICIES)
    named = path.name.partition(".")[0].split("_")
    found = CorpusRow(
        str(path),
        number,
        tuple(policy for policy in POLICIES if policy in named),
        row["id"],
        row["text"],
        row["lang"],
        labels,
        row["sub_label"],
        row["stance"],
    )
    problems += [wrong("C004", message) for message in _contradictions(found)]
    problems += [
        wrong("C005", f"expected contacts on reserved domains, found {name!r}")
        for name in contacts(found.text)
    ]
    problems += [
        wrong("C006", f"expected no number that may be somebody's, found {name!r}")
        for name in numbers(found.text)
    ]
    return found, problems


def _field_problems(row: dict[str, Any]) -> Iterator[str]:
    if tuple(row) != _FIELDS:
        yield f"expected the fields {', '.join(_FIELDS)}, found {', '.join(row)}"
        return
    for name in ("id", "text"):
        if not isinstance(row[name], str) or not row[name].strip():
            yield f"expected a string in {name!r} that is not empty"
    for name, known in (("lang", _LANGUAGES), ("stance", STANCES)):
        if row[name] not in known:
            yield f"expected one of {', '.join(known)} in {name!r}, found {row[name]!r}"
    if row["sub_label"] is not None and row["sub_label"] not in _SUB_LABELS:
        yield f"expected null or a sub-label in 'sub_label', found {row['sub_label']!r}"
    labels = row["labels"]
    if (
        not isinstance(labels, dict)
        or tuple(labels) != POLICIES
        or any(type(value) is not int or value not in (0, 1) for value in labels.values())
    ):
        yield f"expected 0 or 1 for {', '.join(POLICIES)} in 'labels'"
    if not isinstance(row["kind"], str) or not _KIND.fullmatch(row["kind"]):
        yield f"expected a word in 'kind', found {row['kind']!r}"


def _contradictions(row: CorpusRow) -> Iterator[str]:
    violates = any(row.labels)
    if violates != (row.stance in VIOLATING_STANCES):
        yield f"stance {row.stance} beside labels that say {'a violation' if violates else 'none'}"
    if violates != (row.sub_label is not None):
        said = "a violation" if violates else "none"
        yield f"sub-label {row.sub_label} beside labels that say {said}"
    elif row.sub_label is not None:
        policy = row.sub_label.partition(".")[0]
        if not row.labels[POLICIES.index(policy)]:
            yield f"sub-label {row.sub_label}, but the label of {policy} is 0"
        if row.sub_label == UNSHOWN_SUB_LABEL:
            yield f"sub-label {row.sub_label}: such posts are not written, not even as examples"
    han, latin = bool(_HAN.search(row.text)), bool(_LATIN.search(row.text))
    fits = {"zh": han or not latin, "en": not han, "mixed": han and latin}
    if not fits[row.language]:
        yield f"language {row.language}, but {'Han' if han else 'no Han'} characters"


def contacts(text: str) -> list[str]:
    """Return the domains in a text, also with spaces round the full stop, that are not reserved."""
    folded = unicodedata.normalize("NFKC", text).lower()
    found = [f"{m[1]}.{m[2] or m[3]}" for m in _DOMAIN.finditer(folded)]
    found += [m[1].rstrip(".-_") for m in _ADDRESS.finditer(folded)]
    return [name for name in dict.fromkeys(found) if not _RESERVED.fullmatch(name)]


def numbers(text: str) -> list[str]:
    """Return the runs of seven digits or more, in figures or Chinese numerals, of a real number."""
    folded = unicodedata.normalize("NFKC", text).translate(_NUMERALS)
    found = [m[0] for m in _NUMBER.finditer(folded)]
    return [
        name
        for name in found
        if not (_MADE_UP.fullmatch(re.sub(r"\D", "", name)) or _DATE.fullmatch(name))
    ]


def opening(text: str) -> str:
    """Return what a post begins with: a word, one or two Han characters, or a sign; folded."""
    found = _FIRST_WORD.search(unicodedata.normalize("NFKC", text).casefold())
    return found[0] if found else ""
