"""CUDA: whether a GPU can be used, and runs whose preparation and inference overlap.

A graph's inputs are made by a thread of their own while the device works on the run before: filled
into page-locked memory and copied to the device, then bound, so that ONNX Runtime copies nothing
itself. The same code drives a session on the processor, where the copies are views.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import io
import os
import queue
import sys
import threading
import weakref
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np

from moderation.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Feed = Mapping[str, NDArray[np.int32]]

__all__ = [
    "CUDA_PROVIDER",
    "PIECE",
    "bound_runs",
    "cuda_problem",
    "has_cuda",
    "overlapped",
    "runs_on_cuda",
]

CUDA_PROVIDER: Final = "CUDAExecutionProvider"
PIECE: Final = 1024
"""Posts that are tokenised and hashed at a time, so that the device need not wait for all."""
_AHEAD: Final = 2
"""Runs that lie ready while the device works on another."""
_LIBRARIES: Final = ("libcuda.so.1", "libcudart.so.{}", "libcublasLt.so.{}", "libcublas.so.{}")
_RUNTIMES: Final = ("libcudart.so.13", "libcudart.so.12", "cudart64_13.dll", "cudart64_12.dll")
_PORTABLE: Final = 1
"""cudaHostRegisterPortable: page-locked for every context of the process."""
_ALIGNED: Final = 4096

Kept = TypeVar("Kept")
Item = TypeVar("Item")


def has_cuda() -> bool:
    """Return whether the installed ONNX Runtime was built for CUDA.

    Every build for CUDA brings that provider as a library of its own: where there is none beside
    the others, nobody need load them.
    """
    found = importlib.util.find_spec("onnxruntime")
    places = (found and found.submodule_search_locations) or ()
    if places and not any(list(Path(p, "capi").glob("*providers_cuda.*")) for p in places):
        return False
    import onnxruntime

    return CUDA_PROVIDER in onnxruntime.get_available_providers()


@cache
def cuda_problem() -> str | None:
    """Return why no session can run on a GPU here, in half a sentence; None: nothing is known.

    It asks the installed packages, the loader and the driver, and touches no GPU: a process that
    has asked can still be forked. Whether a session gets the GPU, only opening one tells.
    """
    import onnxruntime

    if not has_cuda():
        providers = onnxruntime.get_available_providers()
        return f"this onnxruntime has no {CUDA_PROVIDER} (it has {', '.join(providers)})"
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        # CUDA installed by pip lies where the loader does not look; what is amiss gets printed.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(RuntimeError):
            preload()
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in {"", "-1"}:
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    if sys.platform != "linux":
        return None
    major = str(getattr(onnxruntime, "cuda_version", "") or "").partition(".")[0]
    for name in _LIBRARIES if major else _LIBRARIES[:1]:
        library = name.format(major)
        try:
            ctypes.CDLL(library)
        except OSError:
            owner = "NVIDIA driver" if library == _LIBRARIES[0] else f"CUDA {major}"
            return f"{library} of the {owner} cannot be loaded"
    return None if _gpus() != 0 else "the NVIDIA driver finds no GPU"


def _gpus() -> int | None:
    """Return how many GPUs the driver knows, without opening any; None: it cannot be asked."""
    try:
        management = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    if management.nvmlInit_v2() != 0:
        return None
    count = ctypes.c_uint()
    failed = management.nvmlDeviceGetCount_v2(ctypes.byref(count))
    management.nvmlShutdown()
    return None if failed else count.value


def runs_on_cuda(session: Any) -> bool:
    """Return whether a session got a GPU."""
    return CUDA_PROVIDER in session.get_providers()


def overlapped(made: Iterable[Item], ahead: int = _AHEAD) -> Iterator[Item]:
    """Yield what an iterable makes, in order, made by another thread while the caller works.

    Args:
        made: iterated in the other thread; what it raises is raised here.
        ahead: most items that lie ready.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(done: bool, item: Any) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((done, item), timeout=0.05)
                return True
        return False

    def work() -> None:
        try:
            for item in made:
                if not put(False, item):
                    return
        except BaseException as error:  # noqa: BLE001  (carried to the caller, whatever it is)
            put(True, error)
        else:
            put(True, None)

    thread = threading.Thread(target=work, name="moderation-prepare", daemon=True)
    thread.start()
    try:
        while True:
            done, item = ready.get()
            if not done:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        stopped.set()
        thread.join()


class _Ready(NamedTuple):
    """A run whose inputs are where the session wants them; `held` keeps their memory."""

    kept: Any
    inputs: dict[str, Any]
    held: _Staging


def bound_runs(
    session: Any, wanted: Sequence[str], runs: Iterable[tuple[Kept, Feed]]
) -> Iterator[tuple[Kept, list[NDArray[Any]]]]:
    """Run a graph on many feeds by I/O binding, the next ones prepared meanwhile.

    Args:
        session: an ONNX Runtime session, on a GPU or on the processor.
        wanted: names of outputs.
        runs: for each run something to keep beside it, and its inputs by name; iterated in a thread
            of its own.

    Yields:
        What was kept, and the outputs in the order of `wanted`, in the processor's memory.

    Raises:
        ModelError: the device fails, for want of memory for instance.
    """
    device = "cuda" if runs_on_cuda(session) else "cpu"

    def prepared() -> Iterator[_Ready]:
        for kept, feed in runs:
            staging = _staging_for(device)
            try:
                inputs = {name: staging.value(name, array) for name, array in feed.items()}
            except BaseException:
                staging.give_back()
                raise
            yield _Ready(kept, inputs, staging)

    binding = session.io_binding()
    ready = overlapped(prepared())
    try:
        for run in ready:
            for name, value in run.inputs.items():
                binding.bind_ortvalue_input(name, value)
            for name in wanted:
                binding.bind_output(name, "cpu")
            try:
                session.run_with_iobinding(binding)
                outputs = binding.copy_outputs_to_cpu()
            except Exception as error:  # onnxruntime raises types of its own, outside one tree
                raise ModelError(f"onnxruntime failed on {device}: {error}") from error
            binding.clear_binding_inputs()
            binding.clear_binding_outputs()
            run.held.give_back()
            yield run.kept, outputs
    finally:
        ready.close()  # type: ignore[attr-defined]


class _Staging:
    """Memory that inputs of one run are filled into; page-locked where it feeds a GPU.

    It belongs to one run at a time and goes back to a pool of the process behind it.
    """

    def __init__(self, device: str, pool: list[_Staging]) -> None:
        self._device = device
        self._pool = pool
        self._process = os.getpid()
        self._buffers: dict[str, NDArray[np.int32]] = {}
        if device == "cuda":
            weakref.finalize(self, _unlock_all, self._buffers).atexit = False

    def value(self, name: str, array: NDArray[np.int32]) -> Any:
        """Return an input of the session: a copy of an array, on the device."""
        import onnxruntime

        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < array.size:
            if buffer is not None and self._device == "cuda":
                _unlock(buffer)
            buffer = self._buffers[name] = _aligned(array.size)
            if self._device == "cuda":
                _lock(buffer)
        view = buffer[: array.size].reshape(array.shape)
        np.copyto(view, array)
        return onnxruntime.OrtValue.ortvalue_from_numpy(view, self._device, 0)

    def give_back(self) -> None:
        """Let another run have the memory."""
        if self._process == os.getpid():
            self._pool.append(self)


_pools: dict[tuple[str, int], list[_Staging]] = {}


def _staging_for(device: str) -> _Staging:
    """Return memory that no run holds; lists of CPython append and pop in one step."""
    pool = _pools.setdefault((device, os.getpid()), [])
    try:
        return pool.pop()
    except IndexError:
        return _Staging(device, pool)


def _aligned(size: int) -> NDArray[np.int32]:
    """Return an array that begins and ends with a page, with room for `size` numbers."""
    pages = -(-max(size, 1) * 4 // _ALIGNED)
    whole = np.empty(pages * _ALIGNED + _ALIGNED, np.uint8)
    start = -whole.ctypes.data % _ALIGNED
    return whole[start : start + pages * _ALIGNED].view(np.int32)


@cache
def _runtime() -> ctypes.CDLL | None:
    """Return the CUDA runtime that ONNX Runtime has loaded, or None."""
    for name in _RUNTIMES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    return None


def _lock(buffer: NDArray[np.int32]) -> None:
    """Page-lock memory, so that copies to the GPU are direct; without it they are slower only."""
    _call("cudaHostRegister", buffer, ctypes.c_size_t(buffer.nbytes), ctypes.c_uint(_PORTABLE))


def _unlock(buffer: NDArray[np.int32]) -> None:
    _call("cudaHostUnregister", buffer)


def _unlock_all(buffers: dict[str, NDArray[np.int32]]) -> None:
    for buffer in buffers.values():
        _unlock(buffer)


def _call(name: str, buffer: NDArray[np.int32], *arguments: Any) -> None:
    runtime = _runtime()
    if runtime is not None:
        function: Callable[..., int] = getattr(runtime, name)
        function(ctypes.c_void_p(buffer.ctypes.data), *arguments)
