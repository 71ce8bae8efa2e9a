"""The exceptions that callers may catch.

ModerationError
├── ConfigError         an option, region, tier or device that does not exist
├── DataNotFoundError   rules or models could not be located
├── ModelError          a model file is missing, altered or unreadable
├── RuleError           rule or policy files do not compile (holds every diagnostic)
├── RecordError         one input record cannot be scored: skip the row
└── ShardError          an input cannot be read any further: fail the shard
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.types import Diagnostic

__all__ = [
    "ConfigError",
    "DataNotFoundError",
    "MissingExtraError",
    "ModelError",
    "ModerationError",
    "RecordError",
    "RuleError",
    "ShardError",
]


class ModerationError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(ModerationError):
    """An option has a value that nothing in the installation answers to."""


class MissingExtraError(ConfigError):
    """A feature needs a package that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'moderation-engine[{extra}]'")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return (MissingExtraError, (self.package, self.extra))


class DataNotFoundError(ModerationError):
    """The folder that holds rules/ and models/ was not found."""


class ModelError(ModerationError):
    """A model folder is incomplete, altered or cannot be loaded."""


class RuleError(ModerationError):
    """Rule files do not compile; `diagnostics` lists everything that is wrong at once."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[RuleError], tuple[Sequence[Diagnostic]]]:
        return (RuleError, (self.diagnostics,))


class RecordError(ModerationError):
    """One input record cannot be scored. `reason` goes into errors.jsonl."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[RecordError], tuple[str, str]]:
        return (RecordError, (self.reason, self.detail))


class ShardError(ModerationError):
    """An input cannot be opened or read to its end."""
