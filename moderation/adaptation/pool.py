"""A model behind graphs that give their pooled features, whether or not its files do."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from moderation.adaptation.graph import gives_features, with_features
from moderation.classifier import Model, SessionOptions, load_model
from moderation.classifier.manifest import FileDigest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pooling_model"]


@contextmanager
def pooling_model(base: Path, tier: str | None) -> Iterator[Model]:
    """Yield a model whose tiers have the output `features`.

    Graphs that lack it are rewritten in a folder that lasts as long as the context.

    Args:
        base: model folder.
        tier: which tier; None: the model's default.

    Raises:
        ModelError: a graph pools nothing.
        MissingExtraError: onnx is needed and not installed.
    """
    model = load_model(base, tier, SessionOptions())
    if all(gives_features(each.session()) for each in model.tiers):
        yield model
        return
    with tempfile.TemporaryDirectory() as made:
        files = dict(model.manifest.files)
        for name in sorted(files):
            raw = (base / name).read_bytes()
            if name in {each.spec.graph for each in model.tiers}:
                raw = with_features(raw, str(base / name))
                files[name] = FileDigest(sha256(raw).hexdigest(), len(raw))
            (Path(made) / name).write_bytes(raw)
        manifest = msgspec.structs.replace(model.manifest, files=files)
        yield Model(Path(made), manifest, model.digest, model.tier, SessionOptions())
