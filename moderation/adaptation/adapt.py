"""Adapt or calibrate a model on a user's own labels."""

from __future__ import annotations

import platform
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import blake2b, sha256
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.adaptation.card import Comparison, card, comparisons, worse
from moderation.adaptation.examples import make_examples
from moderation.adaptation.fit import Outcome, fit
from moderation.adaptation.folder import check_target, write_folder
from moderation.adaptation.head import FOLDS
from moderation.adaptation.points import LEAST
from moderation.adaptation.pool import pooling_model
from moderation.classifier import SessionOptions, load_model
from moderation.errors import ConfigError, ModelError
from moderation.evaluation.labelled import read_labelled
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.adaptation.examples import Examples
    from moderation.classifier import Model
    from moderation.rules import Ruleset

__all__ = ["NotBetterError", "Report", "adapt", "read_labels"]

_ANCHORS: Final = 200
_PACKAGES: Final = ("numpy", "scipy", "scikit-learn", "onnx", "onnxruntime")
_ADAPTED: Final = (
    "A correction of the log-odds for each policy, linear in what the graph pools, in the post's "
    "tokens (tf-idf) and in the graph's logits: ridge-penalised logistic regression with the "
    "log-odds of the model it came from as offset. Innocent test posts of the rules stand beside "
    "the labels as anchors on which nothing should change. Then Platt scaling, and operating "
    "points. Each step is left out where held-out labels do not show that it helps."
)
_CALIBRATED: Final = (
    "Platt scaling of the log-odds of the model it came from, and operating points; the weights "
    "are the same. Each step is left out where held-out labels do not show that it helps."
)


class NotBetterError(ModelError):
    """The fitted model is not better than the one it came from, so nothing was written."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `adapt` did.

    Attributes:
        outcome: fits, tables and notes.
        comparisons: figures before and after.
        worse: by policy, where it got worse; empty unless the folder was written all the same.
    """

    outcome: Outcome
    comparisons: list[Comparison]
    worse: dict[str, list[str]]


def adapt(
    labelled: Sequence[Path],
    out: Path,
    base: Path,
    ruleset: Ruleset,
    *,
    heads: bool = True,
    tier: str | None = None,
    seed: int = 0,
    force: bool = False,
) -> Report:
    """Fit a model to labels and write it as a folder of its own.

    A policy that would get worse on held-out labels stays as it was, unless `force` is given.

    Args:
        labelled: files of labelled posts.
        out: folder to make.
        base: folder of the model to start from.
        ruleset: the rules it runs with.
        heads: False moves calibration and operating points alone.
        tier: whose graphs are fitted; default: the model's own default.
        seed: deals posts into folds.
        force: write the folder even where the labels show no gain, or a loss.

    Raises:
        ConfigError: the labels cannot be used, or `out` is not empty; the message says why.
        NotBetterError: no policy improves, and `force` is not given.
        ShardError: a file cannot be read.
        ModelError: the model pools no features, or is adapted already.
    """
    check_target(out)
    texts, labels, counts = read_labels(labelled)
    plain = load_model(base, tier, SessionOptions())
    with pooling_model(base, plain.tier) if heads else nullcontext(plain) as model:
        if heads:
            _check_unadapted(model, base)
        examples = make_examples(model, ruleset, texts, labels, features=heads, head=not heads)
        anchors = _anchors(model, ruleset) if heads else None
    outcome = fit(plain, examples, anchors, seed, heads=heads)
    found = comparisons(examples, outcome)
    losses = worse(found)
    if losses and not force:
        kept = {
            p: f"stays as it was, worse otherwise: {', '.join(why)}" for p, why in losses.items()
        }
        outcome = fit(plain, examples, anchors, seed, heads=heads, skip=kept)
        found = comparisons(examples, outcome)
        losses = {}
    if not force:
        _refuse(outcome)
    reference = plain.reference
    settings: dict[str, Any] = {
        "seed": seed, "folds": FOLDS, "tier": plain.tier,
        "labelled files (SHA-256)": ", ".join(counts["files"]), "posts": counts["posts"],
        "rules": ruleset.digest,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }  # fmt: skip
    suffix = "adapted" if heads else "calibrated"
    name = plain.manifest.name.removesuffix(f"-{suffix}") + f"-{suffix}"
    write_folder(
        out,
        base,
        outcome,
        name=name,
        card=card(
            title=f"{name} {plain.manifest.version}",
            base=reference,
            how=_ADAPTED if heads else _CALIBRATED,
            found=found,
            outcome=outcome,
            settings=settings,
        ),
        provenance={
            f"{suffix}_from": reference,
            "settings": settings,
            "policies": {
                policy: {
                    "violating": note.violating, "innocent": note.innocent, "done": note.said
                }
                for policy, note in outcome.notes.items()
            },
            "base": plain.manifest.provenance,
        },
    )  # fmt: skip
    return Report(outcome, found, losses)


def read_labels(
    paths: Sequence[Path],
) -> tuple[list[str], NDArray[np.float64], dict[str, Any]]:
    """Read labelled posts of several files, and check that something can be learned from them.

    Returns:
        Texts, labels (posts, policies), and the number of posts with the digests of the files.

    Raises:
        ConfigError: an id occurs twice, nothing is labelled, or every policy has one class only.
        ShardError: a file cannot be read or a row is malformed.
    """
    texts: list[str] = []
    parts: list[NDArray[np.float64]] = []
    seen: dict[str, str] = {}
    for path in paths:
        posts = read_labelled(path)
        for number, data_id in enumerate(posts.ids, 1):
            where = f"{path}, post {number}"
            if data_id in seen:
                raise ConfigError(f"{where}: id {data_id!r} is already that of {seen[data_id]}")
            seen[data_id] = where
        texts += posts.texts
        parts.append(posts.labels)
    named = ", ".join(str(path) for path in paths)
    labels = np.concatenate([np.zeros((0, len(POLICIES))), *parts])
    if np.isnan(labels).all():
        raise ConfigError(f"{named}: expected labels 0 or 1, found none in {len(texts)} posts")
    violating, innocent = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    if not ((violating >= LEAST) & (innocent >= LEAST)).any():
        told = "; ".join(
            f"{policy} {violating[at]} violating, {innocent[at]} innocent"
            for at, policy in enumerate(POLICIES)
        )
        raise ConfigError(
            f"{named}: expected at least {LEAST} violating and {LEAST} innocent labels of some "
            f"policy, found {told}"
        )
    digests = [sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    return texts, labels, {"posts": len(texts), "files": digests}


def _check_unadapted(model: Model, base: Path) -> None:
    if any(tier.spec.head is not None for tier in model.tiers):
        source = model.manifest.provenance.get("adapted_from", "another model")
        raise ModelError(f"{base}: is adapted already; adapt the model it came from: {source}")


def _anchors(model: Model, ruleset: Ruleset) -> Examples | None:
    """Return innocent test posts of the rules: what heads should leave as it is."""
    posts = {text for rule in ruleset.rules for text in rule.tests.passes if isinstance(text, str)}
    chosen = sorted(posts, key=lambda text: blake2b(text.encode()).digest())[:_ANCHORS]
    if not chosen:
        return None
    return make_examples(model, ruleset, chosen, np.zeros((len(chosen), len(POLICIES))))


def _refuse(outcome: Outcome) -> None:
    if any(note.changed for note in outcome.notes.values()):
        return
    said = "; ".join(
        f"{policy} ({note.violating} violating, {note.innocent} innocent): {', '.join(note.said)}"
        for policy, note in outcome.notes.items()
    )
    raise NotBetterError(
        "held-out labels do not show that any change helps; nothing was written (--force writes it "
        f"all the same): {said}"
    )
