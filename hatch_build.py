"""Build hook: the native kernel, and the shipped rules and models inside the wheel.

The kernel is optional: without a compiler the wheel is pure and the references in Python do its
work, with the same results. MODERATION_KERNEL=off leaves it out, =require fails without it. Run as
a script this file only compiles the kernel, into the checkout or to a given path.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

ROOT = Path(__file__).resolve().parent
SOURCES = "native/*.c"
KERNEL = "moderation/_kernel.abi3.so"
# No product is fused with a sum by itself: results are those of numpy, bit for bit.
FLAGS = ("-O3", "-std=c11", "-ffp-contract=off", "-fPIC")
LINK = {"darwin": ("-bundle", "-undefined", "dynamic_lookup")}
CHOICES = ("auto", "off", "require")


class KernelError(Exception):
    """The kernel cannot be compiled here; the message says why."""


def compile_kernel(root: Path, target: Path) -> None:
    """Compile native/*.c, in one go, with CC, or the compiler Python was built with, and CFLAGS.

    The target is replaced in one step: a process that has loaded the old one goes on with it.

    Raises:
        KernelError: there is no such compiler, it failed, or this Python has no stable ABI.
    """
    if sys.platform == "win32":
        raise KernelError("it is not built on Windows")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise KernelError("free-threaded Python has no stable ABI")
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("include", "platinclude"))
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        command = [*compiler, *FLAGS, *LINK.get(sys.platform, ("-shared",))]
        command += [f"-I{path}" for path in paths]
        command += shlex.split(os.environ.get("CFLAGS", ""))
        command += [*map(str, sorted(root.glob(SOURCES))), "-o", str(built), "-lm"]
        command += shlex.split(os.environ.get("LDFLAGS", ""))
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        except OSError as error:
            raise KernelError(f"{compiler[0]}: {error.strerror}") from error
        if run.returncode:
            said = run.stderr.strip() or f"exit code {run.returncode}"
            raise KernelError(f"{shlex.join(command)}: {said}")
        built.replace(target)


def wheel_tag() -> str:
    """Return the tag of a wheel with the kernel: any CPython from 3.11 on, this platform."""
    plain = (p for p in platform_tags() if not p.startswith(("manylinux", "musllinux")))
    return f"cp311-abi3-{next(plain)}"


def choice() -> str:
    """Return what MODERATION_KERNEL asks for.

    Raises:
        ValueError: it is none of auto, off and require.
    """
    found = os.environ.get("MODERATION_KERNEL") or "auto"
    if found not in CHOICES:
        raise ValueError(f"MODERATION_KERNEL: expected {', '.join(CHOICES)}, found {found!r}")
    return found


class DataHook(BuildHookInterface):
    """Compile the kernel; map it and rules/ and models/ into a standard wheel.

    An editable install reads the checkout itself: the kernel is left there, and copying rules and
    models into the wheel would leave stale data behind.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernel and add the forced inclusions."""
        root = Path(self.root)
        if version != "standard":
            if not self._compile(root / KERNEL):
                (root / KERNEL).unlink(missing_ok=True)  # an old one would still be loaded
            return
        for name in ("rules", "models"):
            source = root / name
            if not source.is_dir():
                raise FileNotFoundError(f"cannot build the wheel: expected the folder {source}")
            build_data["force_include"][str(source)] = f"moderation/_data/{name}"
        self._folder = tempfile.TemporaryDirectory(prefix="moderation-kernel-")
        target = Path(self._folder.name) / Path(KERNEL).name
        try:
            compiled = self._compile(target)
        except Exception:
            self._folder.cleanup()
            raise
        if compiled:
            build_data["force_include"][str(target)] = KERNEL
            build_data["pure_python"] = False
            build_data["tag"] = wheel_tag()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the compiled kernel: it is in the wheel."""
        del build_data, artifact_path
        if version == "standard":
            self._folder.cleanup()

    def _compile(self, target: Path) -> bool:
        wanted = choice()
        if wanted == "off":
            self.app.display_info("MODERATION_KERNEL=off: no native kernel")
            return False
        try:
            compile_kernel(Path(self.root), target)
        except KernelError as error:
            if wanted == "require":
                raise
            self.app.display_warning(
                f"NO NATIVE KERNEL, moderation will be several times slower: {error}\n"
                "Install a C compiler and Python's headers, and build again."
            )
            return False
        return True


if __name__ == "__main__":
    compile_kernel(ROOT, Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / KERNEL)
