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
    """Return the device to ask for: "cpu", "cuda", or "auto" where CUDA is built in.

    With "auto", a session that does not get a GPU runs on the CPU.

    Raises:
        ConfigError: the device is unknown, or cuda is asked for and ONNX Runtime has none.
    """
    if device not in DEVICES:
        raise ConfigError(f"unknown device {device!r}; known: {', '.join(DEVICES)}")
    if device == "cpu":
        return "cpu"
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    if _CUDA in providers:
        return device
    if device == "auto":
        return "cpu"
    raise ConfigError(
        f"device cuda: this onnxruntime has no {_CUDA} (it has {', '.join(providers)}); "
        "pip install 'moderation-engine[gpu]' on a machine with a GPU, or use --device cpu"
    )


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
    gpu = options.device != "cpu"
    try:
        opened = _load(path, settings, [_CUDA, _CPU] if gpu else [_CPU])
    except ModelError:
        if options.device != "auto":
            raise
        return _load(path, settings, [_CPU])
    if options.device == "cuda" and _CUDA not in opened.get_providers():
        raise ConfigError("device cuda: onnxruntime fell back to the CPU; check driver and CUDA")
    return opened


def _load(path: Path, settings: Any, providers: list[str]) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # onnxruntime raises types of its own, outside one tree
        raise ModelError(f"{path}: onnxruntime cannot load it: {error}") from error
