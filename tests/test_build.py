"""The build hook: with a compiler the kernel is in the wheel, without one a pure wheel is built."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moderation.cli import main
from moderation.text.native import kernel

ROOT = Path(__file__).resolve().parent.parent
pytest.importorskip("hatchling")


def load_hook() -> Any:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = load_hook()
needs_compiler = pytest.mark.skipif(
    sys.platform == "win32"
    or shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) is None
    or not (Path(sysconfig.get_path("include")) / "Python.h").is_file(),
    reason="no C compiler, or no headers of Python",
)


class Messages:
    """Stands where hatch prints."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_info(self, message: str) -> None:
        pass

    def display_warning(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("moderation", "rules", "models"):
        (tmp_path / name).mkdir()
    shutil.copytree(ROOT / "native", tmp_path / "native")
    for name in ("CC", "CFLAGS", "LDFLAGS", "MODERATION_KERNEL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def build(checkout: Path, version: str) -> tuple[dict[str, Any], list[str]]:
    """Run the hook as hatch does; return what it says of the wheel, and its warnings."""
    messages = Messages()
    hook = BUILD.DataHook(str(checkout), {}, None, None, str(checkout), "wheel", messages)
    data: dict[str, Any] = {"force_include": {}, "pure_python": True}
    hook.initialize(version, data)
    sources = [Path(source) for source in data["force_include"]]
    assert all(source.exists() for source in sources)
    hook.finalize(version, data, "")
    return data, messages.warnings


@needs_compiler
def test_a_wheel_carries_the_kernel_and_the_tag_of_the_stable_abi(checkout: Path):
    data, warnings = build(checkout, "standard")
    assert sorted(data["force_include"].values()) == [
        "moderation/_data/models", "moderation/_data/rules", "moderation/_kernel.abi3.so",
    ]  # fmt: skip
    assert data["pure_python"] is False
    assert data["tag"].startswith("cp311-abi3-")
    assert warnings == []
    assert not (checkout / BUILD.KERNEL).exists()


@needs_compiler
def test_an_editable_install_leaves_the_kernel_in_the_checkout(checkout: Path):
    data, _ = build(checkout, "editable")
    assert [path.name for path in (checkout / "moderation").iterdir()] == ["_kernel.abi3.so"]
    assert data == {"force_include": {}, "pure_python": True}


@needs_compiler
@pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")
def test_plain_c_gives_what_wide_instructions_do(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CFLAGS", "-O0 -DMODERATION_PLAIN")
    BUILD.compile_kernel(checkout, tmp_path / "_kernel.abi3.so")
    spec = importlib.util.spec_from_file_location("_kernel", tmp_path / "_kernel.abi3.so")
    assert spec is not None
    plain = importlib.util.module_from_spec(spec)
    draw = np.random.default_rng(3)
    offsets = np.concatenate(([0], np.cumsum(draw.integers(0, 40, 300))))
    codes = draw.integers(0x4E00, 0x4F00, int(offsets[-1]), np.uint32)
    weights = draw.integers(-128, 128, 4 << 10).astype(np.int8)
    for size in range(1, 5):
        for name, more in (("ngrams", 1 << 12), ("ngram_sums", 0), ("ngram_set_sums", 0)):
            last = (size, more) if more else (weights, size)
            made = [getattr(module, name)(codes, offsets, *last) for module in (kernel, plain)]
            assert made[0] == made[1]


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_the_wheel_is_pure_and_a_warning_says_so(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
):
    monkeypatch.setenv("CC", compiler)
    data, (warning,) = build(checkout, "standard")
    assert "moderation/_kernel.abi3.so" not in data["force_include"].values()
    assert data["pure_python"] is True
    assert "tag" not in data
    assert warning.startswith("NO NATIVE KERNEL")
    assert compiler in warning


def test_the_kernel_is_left_out_where_that_is_asked(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MODERATION_KERNEL", "off")
    data, warnings = build(checkout, "standard")
    assert (data["pure_python"], warnings) == (True, [])
    (checkout / BUILD.KERNEL).write_bytes(b"an older one")
    build(checkout, "editable")
    assert not (checkout / BUILD.KERNEL).exists()


def test_where_the_kernel_is_required_nothing_is_built_without_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MODERATION_KERNEL", "require")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(BUILD.KernelError, match="no-such-compiler"):
        build(checkout, "standard")


def test_another_word_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MODERATION_KERNEL", "yes")
    with pytest.raises(ValueError, match="expected auto, off, require, found 'yes'"):
        build(checkout, "standard")


def test_the_command_line_says_which_kernel_runs(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    expected = "kernel reference" if kernel is None else "kernel native"
    assert expected in capsys.readouterr().out.splitlines()
