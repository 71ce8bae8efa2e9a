"""Options: how a scan reads posts, and what it refuses to read."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import ConfigError
from moderation.scan.fields import TextFields

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ScanOptions", "hashed_id", "key_digest", "read_key"]

DEFAULT_BATCH_SIZE: Final = 4096
DEFAULT_MAX_LINE_BYTES: Final = 16 << 20
DEFAULT_MAX_POST_CHARS: Final = 16 << 20
DEFAULT_MAX_DEPTH: Final = 100
DEFAULT_MAX_RATIO: Final = 1000
MIN_KEY_BYTES: Final = 16
_KEY_LABEL: Final = b"moderation-engine: which key hashed the ids"


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to read posts."""

    fields: TextFields = field(default_factory=TextFields)
    id_field: str = "id"
    input_format: str | None = None
    """For standard input and for names without a known extension."""
    batch_size: int = DEFAULT_BATCH_SIZE
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
    """Of a JSON line or CSV record."""
    max_post_chars: int = DEFAULT_MAX_POST_CHARS
    """Code points of a post."""
    max_depth: int = DEFAULT_MAX_DEPTH
    """Brackets within one another in a JSON line."""
    max_ratio: int = DEFAULT_MAX_RATIO
    """Bytes of content for each byte of a compressed input."""
    id_key: bytes | None = field(default=None, repr=False)
    """Key that ids are hashed with; None: ids are kept as they are."""

    def __post_init__(self) -> None:
        sizes = ("batch_size", "max_line_bytes", "max_post_chars", "max_depth", "max_ratio")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if self.id_field in self.fields.names:
            raise ConfigError(f"field {self.id_field!r} is named both as id and as text")

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that a scan reads, where they exist."""
        return tuple(dict.fromkeys((self.id_field, *self.fields.names)))

    def to_dict(self) -> dict[str, Any]:
        """Return what the verdicts and rejections depend on; of the key only a digest."""
        return {
            "text_fields": list(self.fields.names),
            "id_field": self.id_field,
            "max_line_bytes": self.max_line_bytes,
            "max_post_chars": self.max_post_chars,
            "max_depth": self.max_depth,
            "max_ratio": self.max_ratio,
            "id_key": None if self.id_key is None else key_digest(self.id_key),
        }


def read_key(path: Path) -> bytes:
    """Return the key that a file holds: its bytes, without a line break at the end.

    Raises:
        ConfigError: the file cannot be read, or holds too little to be a secret.
    """
    try:
        key = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path}: expected a file with a key, found: {reason}") from error
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"{path}: expected a key of at least {MIN_KEY_BYTES} bytes, found {len(key)}"
        )
    return key


def key_digest(key: bytes) -> str:
    """Return what tells one key from another without giving it away."""
    return f"hmac-sha256:{hmac.new(key, _KEY_LABEL, hashlib.sha256).hexdigest()}"


def hashed_id(key: bytes, data_id: str) -> str:
    """Return an id's HMAC-SHA-256 in hexadecimal; a lone surrogate counts as its three bytes."""
    content = data_id.encode("utf-8", "surrogatepass")
    return hmac.new(key, content, hashlib.sha256).hexdigest()
