"""The manifest of a model folder, and the check that its files are the ones it names."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from moderation.errors import ModelError
from moderation.types import LANGUAGES, POLICIES

__all__ = [
    "CASCADE",
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "Calibration",
    "CascadeSpec",
    "FileDigest",
    "HeadSpec",
    "InputSpec",
    "Manifest",
    "NgramSpec",
    "OperatingPoint",
    "ScreenFit",
    "ScreenSpec",
    "TierSpec",
    "digest_file",
    "read_manifest",
    "verify_files",
]

MANIFEST_NAME: Final = "manifest.json"
SCHEMA_VERSION: Final = 1
CASCADE: Final = "cascade"
"""Name of the tier that asks a first tier about every post and a second one about some."""
FAST: Final = "fast"
_CHUNK: Final = 1 << 20


class FileDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of the model must be."""

    sha256: str
    bytes: int


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of a graph: int32, shape (rows, width).

    `kind` is tokens, token_bigrams or character_ngrams; hashed kinds name their buckets. Rows are
    filled up with the value `padding`, which the graph leaves out of account. Token ids are those
    of the tokenizer plus `offset`, the first of them so that the row has at most `limit` (0: all),
    with `begin` before and `end` behind them where these are set.
    """

    name: str
    kind: str
    padding: int
    buckets: int = 0
    size: int = 0
    offset: int = 0
    begin: int | None = None
    end: int | None = None
    limit: int = 0


class HeadSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction on top of a tier, fitted by `moderate adapt`.

    Its graph takes the tier's output `features`, its logits as `logits_in`, and inputs of its own;
    it gives `logits`.
    """

    graph: str
    inputs: tuple[InputSpec, ...]


class NgramSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A linear model of n-grams: `weight` times its logits are added to the graph's.

    That is done before the head, which reads the sum. The file is one that
    `moderation.classifier.ngrams` loads; tiers may share it.
    """

    file: str
    weight: float


class TierSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tier: its graph and what it eats.

    The graph gives `logits` (rows, policies); it may give `features` (rows, any), which a head
    reads, and `stance` (rows, len(stances)), logits of what a post does with its topic. A tier of
    `exact_width` runs posts only beside posts of the same padded width: graphs whose sums run
    over the width (attention, convolution) may otherwise round a post's logits differently in
    other company.
    """

    graph: str
    tokenizer: str
    inputs: tuple[InputSpec, ...]
    ngrams: NgramSpec | None = None
    head: HeadSpec | None = None
    stances: tuple[str, ...] = ()
    rows: int = 64
    """Most posts of a run, a multiple of 8."""
    exact_width: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The files that decide what the tier says of a post's tokens and n-grams."""
        head = self.head.graph if self.head else None
        ngrams = self.ngrams.file if self.ngrams else None
        return tuple(name for name in (self.graph, ngrams, head) if name)


class CascadeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tier `cascade`: which posts the second tier is asked about, and how the two are mixed.

    A post goes on where any policy's calibrated probability of the first tier lies within its
    band. Its log-odds are then the cascade's calibration of weight × second + (1 - weight) × first
    (logits); other posts keep those of the first tier.
    """

    tiers: tuple[str, str]
    band: dict[str, dict[str, tuple[float, float]]]
    """By policy and language: lowest and highest probability, both within."""
    weight: dict[str, float]
    """By policy."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Platt scaling of a logit z: probability = 1 / (1 + exp(-(slope z + offset)))."""

    slope: float
    offset: float


class OperatingPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Probabilities from which a post is reviewed and blocked."""

    review: float
    block: float


class ScreenFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lets a post leave before a tier; it counts while the tier is the one it was fitted for.

    A post leaves where its estimated margin over the review point is `below` this figure (log-odds)
    for every policy. `fitted_for` is `moderation.classifier.screen.fitted_for` of the tier.
    """

    below: float
    fitted_for: str


class ScreenSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The screen: weights of n-grams that tell plainly innocent posts apart.

    The score of a post that leaves is, by policy, 1 / (1 + exp(-(slope m + offset))) of its
    estimated margin m, with the log-odds of the review point of `tier` added to the offset.
    """

    file: str
    tier: str
    """The tier it imitates, which is the one that sees every post first."""
    tiers: dict[str, ScreenFit]
    """By the tier that was asked for."""
    scores: dict[str, Calibration]
    """By policy."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """models/<name>/manifest.json."""

    schema: int
    name: str
    version: str
    tiers: dict[str, TierSpec]
    files: dict[str, FileDigest]
    calibration: dict[str, dict[str, dict[str, Calibration]]]
    """By tier, policy and language; the cascade's own is for posts that both tiers saw."""
    rule_weights: dict[str, dict[str, dict[str, float]]]
    """By tier, policy and rule level: log-odds that a hit adds to the classifier's."""
    operating_points: dict[str, dict[str, dict[str, OperatingPoint]]]
    """By tier, policy and language."""
    fold_table: str
    """sha256 of the fold table that posts are read through: the one it was trained behind, or one
    that was measured against that one (then `provenance` names the other)."""
    cascade: CascadeSpec | None = None
    screen: ScreenSpec | None = None
    """What lets plainly innocent posts leave before the tiers; None: nothing does."""
    default: str = ""
    """The tier that runs where none is asked for; empty: the cascade where there is one."""
    provenance: dict[str, Any] = {}
    """Seeds, sources, package versions, figures: for people."""

    @property
    def tier_names(self) -> tuple[str, ...]:
        """Every tier that can be asked for, sorted."""
        return tuple(sorted((*self.tiers, *((CASCADE,) if self.cascade else ()))))

    @property
    def default_tier(self) -> str:
        """The one the manifest names; else the cascade, the fast tier, or the first."""
        names = self.tier_names
        if self.default in names:
            return self.default
        return next((name for name in (CASCADE, FAST) if name in names), names[0])


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
        manifest = msgspec.convert(_by_tier(msgspec.json.decode(raw)), Manifest)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path}: not a model manifest: {error}") from error
    problem = _problem(manifest)
    if problem:
        raise ModelError(f"{path}: {problem}")
    return manifest, f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _by_tier(content: Any) -> Any:
    """Return a manifest's content with every table by tier.

    A table by policy alone is that of the fast tier; one of rule weights is every tier's.
    """
    if not isinstance(content, dict):
        return content
    content = dict(content)
    for key in ("calibration", "operating_points", "rule_weights"):
        table = content.get(key)
        if isinstance(table, dict) and table.keys() <= set(POLICIES):
            tiers = content.get("tiers")
            every = [*(tiers if isinstance(tiers, dict) else ()), CASCADE]
            content[key] = dict.fromkeys(every if key == "rule_weights" else [FAST], table)
    return content


def _problem(manifest: Manifest) -> str | None:
    """Return what is wrong with a manifest that has the right shape."""
    if manifest.schema != SCHEMA_VERSION:
        return f"expected schema {SCHEMA_VERSION}, found {manifest.schema}"
    if not manifest.tiers:
        return "expected at least one tier"
    if CASCADE in manifest.tiers:
        return f"a tier cannot be called {CASCADE}: the section of that name makes one"
    for key in ("calibration", "operating_points"):
        missing = _missing(getattr(manifest, key), manifest.tier_names)
        if missing:
            return f"{key} lacks {', '.join(missing)}"
    problem = _cascade_problem(manifest) or _screen_problem(manifest)
    if problem:
        return problem
    named = set() if manifest.screen is None else {manifest.screen.file}
    for name, tier in manifest.tiers.items():
        if tier.rows < 8 or tier.rows % 8:
            return f"tier {name}: expected rows in multiples of 8, found {tier.rows}"
        named |= {*tier.files, tier.tokenizer}
    unlisted = sorted(named - set(manifest.files))
    return f"no digest is given for {', '.join(unlisted)}" if unlisted else None


def _cascade_problem(manifest: Manifest) -> str | None:
    cascade = manifest.cascade
    if cascade is None:
        return None
    unknown = sorted(set(cascade.tiers) - set(manifest.tiers))
    if unknown:
        return f"the cascade names tiers that are not there: {', '.join(unknown)}"
    missing = _missing({"band": cascade.band}, ("band",))
    missing += [f"weight/{policy}" for policy in POLICIES if policy not in cascade.weight]
    return f"the cascade lacks {', '.join(missing)}" if missing else None


def _screen_problem(manifest: Manifest) -> str | None:
    screen = manifest.screen
    if screen is None:
        return None
    if screen.tier not in manifest.tiers:
        return f"the screen imitates a tier that is not there: {screen.tier}"
    missing = [f"scores/{policy}" for policy in POLICIES if policy not in screen.scores]
    return f"the screen lacks {', '.join(missing)}" if missing else None


def _missing(table: dict[str, dict[str, Any]], tiers: tuple[str, ...]) -> list[str]:
    """Return which cells tables by policy and language lack."""
    return [
        f"{tier}/{policy}/{language}"
        for tier in tiers
        for policy in POLICIES
        for language in LANGUAGES
        if language not in table.get(tier, {}).get(policy, {})
    ]


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
