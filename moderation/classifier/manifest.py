"""The manifest of a model folder, and the check that its files are the ones it names."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from moderation.errors import ModelError
from moderation.types import LANGUAGES, POLICIES

__all__ = [
    "MANIFEST_NAME",
    "Calibration",
    "FileDigest",
    "InputSpec",
    "Manifest",
    "OperatingPoint",
    "TierSpec",
    "digest_file",
    "read_manifest",
    "verify_files",
]

MANIFEST_NAME: Final = "manifest.json"
SCHEMA_VERSION: Final = 1
_CHUNK: Final = 1 << 20


class FileDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of the model must be."""

    sha256: str
    bytes: int


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of a tier's graph.

    `kind` is tokens, token_bigrams or character_ngrams; hashed kinds name their buckets. Rows are
    padded with the value `padding`, whose vector is zero.
    """

    name: str
    kind: str
    padding: int
    buckets: int = 0
    size: int = 0


class TierSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier: its graph and what it eats."""

    graph: str
    tokenizer: str
    inputs: tuple[InputSpec, ...]


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Platt scaling of a logit z: probability = 1 / (1 + exp(-(slope z + offset)))."""

    slope: float
    offset: float


class OperatingPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Probabilities from which a post is reviewed and blocked."""

    review: float
    block: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """models/<name>/manifest.json."""

    schema: int
    name: str
    version: str
    tiers: dict[str, TierSpec]
    files: dict[str, FileDigest]
    calibration: dict[str, dict[str, Calibration]]
    """By policy and language."""
    rule_weights: dict[str, dict[str, float]]
    """By policy and rule level: log-odds that a hit adds to the classifier's."""
    operating_points: dict[str, dict[str, OperatingPoint]]
    """By policy and language."""
    fold_table: str
    """sha256 of the fold table that posts are read through: the one it was trained behind, or one
    that was measured against that one (then `provenance` names the other)."""
    provenance: dict[str, msgspec.Raw] = {}
    """Seeds, sources, package versions, figures: for people."""


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Read a model folder's manifest.

    Returns:
        The manifest and the model's digest: sha256:… of the manifest, which in turn names the
        digest of every other file.

    Raises:
        ModelError: it is missing, malformed or incomplete; the message names the file.
    """
    path = folder / MANIFEST_NAME
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path}: not a model manifest: {error}") from error
    if manifest.schema != SCHEMA_VERSION:
        raise ModelError(f"{path}: expected schema {SCHEMA_VERSION}, found {manifest.schema}")
    for key in ("calibration", "operating_points"):
        table = getattr(manifest, key)
        missing = [f"{p}/{n}" for p in POLICIES for n in LANGUAGES if n not in table.get(p, {})]
        if missing:
            raise ModelError(f"{path}: {key} lacks {', '.join(missing)}")
    named = {name for tier in manifest.tiers.values() for name in (tier.graph, tier.tokenizer)}
    unlisted = sorted(named - set(manifest.files))
    if unlisted:
        raise ModelError(f"{path}: no digest is given for {', '.join(unlisted)}")
    return manifest, f"sha256:{hashlib.sha256(raw).hexdigest()}"


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a model with its digest.

    Raises:
        ModelError: a file is missing, altered or outside the folder; the message names it.
    """
    for name, expected in sorted(manifest.files.items()):
        if PurePosixPath(name).name != name:
            raise ModelError(f"{folder / MANIFEST_NAME}: {name!r} is not a plain file name")
        path = folder / name
        try:
            size = path.stat().st_size
            found = digest_file(path) if size == expected.bytes else ""
        except OSError as error:
            raise ModelError(f"{path}: listed in the manifest, {error.strerror}") from error
        if size != expected.bytes:
            raise ModelError(f"{path}: expected {expected.bytes} bytes, found {size}")
        if found != expected.sha256:
            raise ModelError(f"{path}: expected sha256 {expected.sha256}, found {found}")
