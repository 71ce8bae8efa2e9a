"""Sessions: one per graph, options and process, on the device that was asked for."""

from __future__ import annotations

import pickle
import shutil
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from moderation import Moderator
from moderation.classifier import SessionOptions, available_device, read_manifest
from moderation.classifier.sessions import session
from moderation.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture(scope="module")
def graph(shipped_model: Path) -> tuple[Path, str]:
    """Return the shipped graph and its digest."""
    manifest, _ = read_manifest(shipped_model)
    name = manifest.tiers["fast"].graph
    return shipped_model / name, manifest.files[name].sha256


def test_the_same_graph_and_options_share_a_session(graph: tuple[Path, str]):
    path, digest = graph
    assert session(path, digest, SessionOptions()) is session(path, digest, SessionOptions())


def test_a_graph_is_known_by_its_digest_not_by_its_place(graph: tuple[Path, str], tmp_path: Path):
    path, digest = graph
    copy = shutil.copy(path, tmp_path)
    assert session(path, digest, SessionOptions()) is session(copy, digest, SessionOptions())


def test_other_options_make_another_session(graph: tuple[Path, str]):
    path, digest = graph
    one, two = SessionOptions(threads=1), SessionOptions(threads=2)
    assert session(path, digest, one) is not session(path, digest, two)


def test_a_copied_moderator_opens_no_second_session(
    moderator: Moderator, monkeypatch: pytest.MonkeyPatch
):
    moderator.check("warm")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened a session")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    pickle.loads(pickle.dumps(moderator)).check("a post")
    Moderator(region="us").check("a post")


def test_threads_do_not_change_a_score(moderator: Moderator):
    posts = ["a post about cats", "今天天气真好", "long " * 200] * 20
    other = Moderator(threads=2).check_batch(posts)
    assert np.array_equal(other.scores, moderator.check_batch(posts).scores)


def test_a_graph_that_cannot_be_loaded_is_named(tmp_path: Path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ModelError) as caught:
        session(path, "0" * 64, SessionOptions())
    assert str(caught.value).startswith(f"{path}: onnxruntime cannot load it: ")


def test_a_graph_that_failed_may_be_tried_again(graph: tuple[Path, str], tmp_path: Path):
    path, digest = tmp_path / "late.onnx", "1" * 64
    with pytest.raises(ModelError):
        session(path, digest, SessionOptions())
    shutil.copy(graph[0], path)
    assert session(path, digest, SessionOptions()) is not None


def test_an_unknown_device_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        available_device("tpu")
    assert str(caught.value) == "unknown device 'tpu'; known: auto, cpu, cuda"


def test_the_cpu_is_always_there():
    assert available_device("cpu") == "cpu"


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime has a CUDA provider")
def test_cuda_without_a_provider_says_what_to_do():
    with pytest.raises(ConfigError) as caught:
        Moderator(device="cuda")
    message = str(caught.value)
    assert message.startswith("device cuda: this onnxruntime has no CUDAExecutionProvider (it has ")
    assert "pip install 'moderation-engine[gpu]'" in message
    assert "--device cpu" in message


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime has a CUDA provider")
def test_auto_falls_back_to_the_cpu():
    assert Moderator(device="auto").device == available_device("auto") == "cpu"
