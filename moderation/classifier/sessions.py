"""ONNX Runtime sessions, cached for the whole process."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEVICES", "SessionOptions", "available_device", "clear_sessions", "session"]

DEVICES: Final = ("auto", "cpu", "cuda")
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"

_sessions: dict[tuple[str, SessionOptions, int], Any] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a session is made with; part of its cache key."""

    device: str = "cpu"
    threads: int = 1


def available_device(device: str) -> str:
    """Return the device that will be used: "cpu" or "cuda".

    Raises:
        ConfigError: the device is unknown, or cuda is asked for and ONNX Runtime has none.
    """
    if device not in DEVICES:
        raise ConfigError(f"unknown device {device!r}; known: {', '.join(DEVICES)}")
    if device == "cpu":
        return "cpu"
    import onnxruntime

    if _CUDA in onnxruntime.get_available_providers():
        return "cuda"
    if device == "cuda":
        raise ConfigError(
            "device cuda: this onnxruntime has no CUDAExecutionProvider "
            f"(it has {', '.join(onnxruntime.get_available_providers())}); "
            "pip install 'moderation-engine[gpu]' on a machine with a GPU, or use --device cpu"
        )
    return "cpu"


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
    providers = [_CUDA, _CPU] if options.device == "cuda" else [_CPU]
    try:
        opened = onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # onnxruntime raises types of its own, outside one tree
        raise ModelError(f"{path}: onnxruntime cannot load it: {error}") from error
    if options.device == "cuda" and _CUDA not in opened.get_providers():
        raise ConfigError("device cuda: onnxruntime fell back to the CPU; check driver and CUDA")
    return opened
