"""Finding: one thing the lint has to say, before anybody allowed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from moderation.rules.outline import Place

__all__ = ["Finding"]


class Finding(NamedTuple):
    """One thing the lint has to say."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    place: Place
    owner: str
    """Id of the rule that may allow it; another name where none may."""
