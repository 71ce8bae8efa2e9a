"""A tier: folded posts in, what its graph says of them out."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from msgspec.structs import astuple

from moderation.classifier.bag import open_bag
from moderation.classifier.cuda import PIECE, bound_runs, runs_on_cuda
from moderation.classifier.features import (
    Ragged,
    Tokenizer,
    character_ngrams,
    framed,
    posts_of,
    token_bigrams,
)
from moderation.classifier.ngrams import load_ngrams
from moderation.classifier.sessions import session
from moderation.errors import ModelError
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from moderation.classifier.bag import Bag
    from moderation.classifier.manifest import InputSpec, Manifest
    from moderation.classifier.sessions import SessionOptions
    from moderation.text import View

    Feed = dict[str, NDArray[np.int32]]

__all__ = ["Tier"]

_BLOCK: Final = 8
"""Rows and widths are multiples of this: then kernels take no other path for the last few, and a
post's logit does not depend on the posts it is scored with, bit for bit (tested)."""
_FEATURES: Final = "features"
_LOGITS: Final = "logits"


class _Input(NamedTuple):
    """One input of a batch; `head` is True where the head reads it, not the graph."""

    spec: InputSpec
    ragged: Ragged
    head: bool


class _Shape(NamedTuple):
    """Which matrices a graph is fed.

    Attributes:
        most, fewest: rows; fewer posts are filled up.
        step: rows are a multiple of this.
        block: widths are.
    """

    most: int
    fewest: int = 1
    step: int = _BLOCK
    block: int = _BLOCK

    def rows(self, posts: int) -> int:
        """Return how many rows a run of some posts has."""
        return -(-max(posts, self.fewest) // self.step) * self.step

    def blocks(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return widths in blocks; an empty row is as wide as one."""
        return -(-np.maximum(lengths, 1) // self.block)


class Tier:
    """One graph of a model, and the head on top of it if there is one, ready to run.

    Sessions live in the cache of `moderation.classifier.sessions`, not here.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, name: str, options: SessionOptions
    ) -> None:
        self.name = name
        self.spec = manifest.tiers[name]
        self._graphs = {
            graph: (folder / graph, manifest.files[graph].sha256)
            for graph in (self.spec.graph, *((self.spec.head.graph,) if self.spec.head else ()))
        }
        self._options = options
        self._vocabulary = folder / self.spec.tokenizer
        ngrams = self.spec.ngrams
        self._ngrams = None if ngrams is None else load_ngrams(folder / ngrams.file)
        self._shape = _Shape(self.spec.rows)
        if self.spec.exact_width:
            # With posts of one width alone, whole fours are enough, and any number of rows but
            # one, of which sums over the width run in another order.
            self._shape = _Shape(self.spec.rows, fewest=2, step=1, block=4)

    def logits(self, base: View) -> NDArray[np.float64]:
        """Score every post of a batch.

        Args:
            base: the batch in the base view.

        Returns:
            float64, shape (posts, policies), uncalibrated; with n-grams and a head's correction.
        """
        return self.outputs(base, (_LOGITS,))[0]

    def outputs(
        self, base: View, names: Sequence[str], *, head: bool = True
    ) -> list[NDArray[np.float64]]:
        """Run the graph, and the head behind it.

        Args:
            base: the batch in the base view.
            names: outputs of the graph: logits (with those of the n-grams), features, stance.
            head: False: logits as they are without the head.

        Returns:
            For each name float64, shape (posts, columns).

        Raises:
            ModelError: the graph has no such output.
        """
        widths = self._widths
        correct = head and self.spec.head is not None and _LOGITS in names
        wanted = list(dict.fromkeys((*names, *((_LOGITS, _FEATURES) if correct else ()))))
        absent = sorted(set(wanted) - set(widths))
        if absent:
            path, _ = self._graphs[self.spec.graph]
            raise ModelError(f"{path}: the graph has no output {', '.join(absent)}")
        posts = len(base.offsets) - 1
        if not posts:
            width = {name: size if isinstance(size, int) else 0 for name, size in widths.items()}
            width[_LOGITS] = len(POLICIES)
            return [np.zeros((0, width[name])) for name in names]
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        rows: list[NDArray[np.int64]] = []
        spelt = self._spelt(base) if _LOGITS in wanted else None
        for (part, extra), values in self._answers(wanted, base, correct=correct):
            said = dict(zip(wanted, values, strict=True))
            if spelt is not None:
                said[_LOGITS] = _added(said[_LOGITS], spelt[part])
            if correct:
                said[_LOGITS] = self._corrected(said, extra)
            rows.append(part)
            for name in names:
                parts[name].append(said[name][: len(part)])
        order = np.concatenate(rows)
        found = [np.concatenate(parts[name]).astype(np.float64) for name in names]
        if (order[1:] > order[:-1]).all():
            return found
        back = np.argsort(order)
        return [values[back] for values in found]

    def _spelt(self, base: View) -> NDArray[np.float64] | None:
        """Return the share of the logits that the posts' n-grams bring; None: the tier has none."""
        if self._ngrams is None or self.spec.ngrams is None:
            return None
        return self._ngrams.logits(base) * self.spec.ngrams.weight

    def _answers(
        self, wanted: list[str], base: View, *, correct: bool
    ) -> Iterator[tuple[tuple[NDArray[np.int64], Feed], list[NDArray[Any]]]]:
        """Yield posts with what the head is fed about them, and the graph's outputs for them.

        On a GPU the inputs are made piece by piece beside the inference, and a run is always filled
        up to the same number of rows: products of another shape may be rounded differently.
        """
        if self._bag is None and runs_on_cuda(self.session()):
            run = self.session()
            shape = _Shape(self._options.gpu_rows, step=self._options.gpu_rows)
            runs = (
                ((own + at, extra), feed)
                for at, piece in _pieces(base, PIECE)
                for own, feed, extra in self._runs(self._inputs(piece, correct=correct), shape)
            )
            yield from bound_runs(run, wanted, runs)
            return
        inputs = self._inputs(base, correct=correct)
        found = self._in_kernel(inputs)
        if found is None or not found.keys() >= set(wanted):
            run = self.session()
            for own, feed, extra in self._runs(inputs, self._shape):
                yield (own, extra), run.run(wanted, feed)
        elif not correct:
            yield (np.arange(len(base.offsets) - 1), {}), [found[name] for name in wanted]
        else:
            for own, _, extra in self._runs(inputs, self._shape):
                full = _filled_up(own, self._shape)
                yield (own, extra), [found[name][full] for name in wanted]

    def _in_kernel(self, inputs: list[_Input]) -> dict[str, NDArray[np.float32]] | None:
        """Return what the native kernel makes of posts; None where it does not know the graph."""
        if self._bag is None:
            return None
        return self._bag.outputs([each.ragged for each in inputs if not each.head])

    @cached_property
    def _bag(self) -> Bag | None:
        """The graph in the native kernel; None where it is left to its session, as on a GPU."""
        if self._options.device != "cpu" and runs_on_cuda(self.session()):
            return None
        path, digest = self._graphs[self.spec.graph]
        return open_bag(path, f"{digest} {self._options}", self.spec.inputs, self.session)

    @cached_property
    def _widths(self) -> dict[str, Any]:
        """Columns of the graph's outputs, by name; a name where they are not fixed."""
        if self._bag is not None:
            return dict(self._bag.widths)
        return {output.name: output.shape[-1] for output in self.session().get_outputs()}

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """Read with the first post that does not leave before."""
        return Tokenizer(self._vocabulary)

    def session(self) -> Any:
        """Return the ONNX Runtime session of the tier's graph."""
        return session(*self._graphs[self.spec.graph], self._options)

    def tokens(self, base: View) -> tuple[Ragged, int]:
        """Return the posts' token ids as the tokenizer numbers them, and how many there are."""
        return self._tokenizer.encode(base), self._tokenizer.size

    def _corrected(self, said: dict[str, NDArray[Any]], inputs: Feed) -> NDArray[Any]:
        assert self.spec.head is not None
        run = session(*self._graphs[self.spec.head.graph], self._options)
        feed = inputs | {_FEATURES: said[_FEATURES], "logits_in": said[_LOGITS]}
        out: NDArray[Any] = run.run([_LOGITS], feed)[0]
        return out

    def _inputs(self, base: View, *, correct: bool) -> list[_Input]:
        """Return every input of the graph, and of the head where it is asked."""
        specs = [(spec, False) for spec in self.spec.inputs]
        if correct and self.spec.head is not None:
            specs += [(spec, True) for spec in self.spec.head.inputs]
        tokens = self._tokenizer.encode(base)
        made: dict[tuple[object, ...], Ragged] = {}
        found = []
        for spec, own in specs:
            key = (*astuple(spec)[1:2], *astuple(spec)[3:])  # all but name and padding
            if key not in made:
                made[key] = _input(spec, tokens, base)
            found.append(_Input(spec, made[key], own))
        return found

    def _runs(
        self, inputs: list[_Input], shape: _Shape
    ) -> Iterator[tuple[NDArray[np.int64], Feed, Feed]]:
        """Yield posts of about the same length with what graph and head are fed about them.

        Args:
            inputs: of graph and head, for every post.
            shape: of the matrices; a head's widths are multiples of 8 as ever.
        """
        longest = np.max([each.ragged.lengths for each in inputs if not each.head], axis=0)
        order = np.argsort(longest, kind="stable")
        for rows in self._groups(order, longest, shape):
            full = _filled_up(rows, shape)
            feeds: tuple[Feed, Feed] = ({}, {})
            for spec, ragged, head in inputs:
                own = _Shape(shape.most) if head else shape
                width = int(own.blocks(ragged.lengths[rows]).max()) * own.block
                feeds[head][spec.name] = ragged.padded(full, width, spec.padding)
            yield rows, feeds[0], feeds[1]

    def _groups(
        self, order: NDArray[np.int64], longest: NDArray[np.int64], shape: _Shape
    ) -> Iterator[NDArray[np.int64]]:
        """Cut posts in the order of their length into runs."""
        if not self.spec.exact_width:
            for start in range(0, len(order), shape.most):
                yield order[start : start + shape.most]
            return
        blocks = shape.blocks(longest[order])
        for group in np.split(order, np.flatnonzero(np.diff(blocks)) + 1):
            yield from np.array_split(group, -(-len(group) // shape.most))


def _filled_up(posts: NDArray[np.int64], shape: _Shape) -> NDArray[np.int64]:
    """Return the posts of a run with the last one repeated where rows are lacking."""
    return np.pad(posts, (0, shape.rows(len(posts)) - len(posts)), mode="edge")


def _input(spec: InputSpec, tokens: Ragged, base: View) -> Ragged:
    if spec.kind == "tokens":
        return framed(tokens, spec)
    if spec.kind == "token_bigrams":
        return token_bigrams(tokens, spec.buckets)
    if spec.kind == "character_ngrams":
        return character_ngrams(base, spec.size, spec.buckets)
    raise ModelError(f"input {spec.name}: unknown kind {spec.kind!r}")


def _pieces(base: View, size: int) -> Iterator[tuple[int, View]]:
    """Yield a batch in pieces of so many posts, each with the number of its first post."""
    posts = len(base.offsets) - 1
    if posts <= size:
        yield 0, base
        return
    for start in range(0, posts, size):
        yield start, posts_of(base, np.arange(start, min(start + size, posts)))


def _added(logits: NDArray[Any], more: NDArray[np.float64]) -> NDArray[Any]:
    """Return a run's logits with those of the n-grams; rows that fill it up keep their own."""
    found = logits.copy()
    found[: len(more)] += more.astype(logits.dtype)
    return found
