"""ONNX Runtime sessions, cached for the whole process."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from moderation.classifier.cuda import CUDA_PROVIDER, cuda_problem, has_cuda
from moderation.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEVICES", "SessionOptions", "available_device", "clear_sessions", "session"]

DEVICES: Final = ("auto", "cpu", "cuda")
_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = (
    CUDA_PROVIDER,
    # Without TF32 a product on the GPU is rounded as on the processor, but for the order of sums.
    {"use_tf32": "0"},
)
_logger = logging.getLogger(__name__)

_sessions: dict[tuple[str, SessionOptions, int], Any] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a session is made with; part of its cache key.

    Attributes:
        device: auto, cpu or cuda.
        threads: threads of one run on the CPU.
        gpu_rows: posts of every run on a GPU, which fills short runs up to it.
    """

    device: str = "cpu"
    threads: int = 1
    gpu_rows: int = 128


def available_device(device: str) -> str:
    """Return the device to ask for: "cpu", "cuda", or "auto" where a GPU may be had.

    Where "auto" ends on the CPU a warning is logged, once, which Python prints to standard error
    unless the application says otherwise.

    Raises:
        ConfigError: the device is unknown, or cuda is asked for and cannot be had; the message says
            why.
    """
    if device not in DEVICES:
        raise ConfigError(f"unknown device {device!r}; known: {', '.join(DEVICES)}")
    if device == "cpu":
        return "cpu"
    problem = cuda_problem()
    if problem is None:
        return device
    if device == "auto":
        _say_once(f"device auto: {problem}; running on the CPU")
        return "cpu"
    install = (
        "" if has_cuda() else "pip install 'moderation-engine[gpu]' on a machine with a GPU, or "
    )
    raise ConfigError(f"device cuda: {problem}; {install}use --device cpu")


@cache
def _say_once(message: str) -> None:
    _logger.warning(message)


def session(path: Path, digest: str, options: SessionOptions) -> Any:
    """Return the session of a graph; the same one for the same digest, options and process.

    Raises:
        ModelError: ONNX Runtime cannot load the graph.
        ConfigError: the device cannot be used.
    """
    key = (digest, options, os.getpid())
    with _lock:
        found = _sessions.get(key)
        if found is None:
            found = _sessions[key] = _open(path, options)
    return found


def clear_sessions() -> None:
    """Drop every cached session, for tests and for processes that reload models."""
    with _lock:
        _sessions.clear()


def _open(path: Path, options: SessionOptions) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.log_severity_level = 3
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if options.device == "cpu":
        return _load(path, settings, [_CPU])
    try:
        opened = _load(path, settings, [_CUDA, _CPU])
    except ModelError as error:
        if options.device != "auto":
            raise
        _say_once(f"device auto: {error}; running on the CPU")
        return _load(path, settings, [_CPU])
    if CUDA_PROVIDER not in opened.get_providers():
        problem = "onnxruntime could not open the GPU; check driver, CUDA and cuDNN"
        if options.device == "cuda":
            raise ConfigError(f"device cuda: {problem}, or use --device cpu")
        _say_once(f"device auto: {problem}; running on the CPU")
    return opened


def _load(path: Path, settings: Any, providers: list[Any]) -> Any:
    import onnxruntime

    try:
        # By itself it would fall back to other providers and say so on standard output.
        return onnxruntime.InferenceSession(
            str(path), settings, providers=providers, enable_fallback=0
        )
    except Exception as error:  # onnxruntime raises types of its own, outside one tree
        raise ModelError(f"{path}: onnxruntime cannot load it: {error}") from error
