"""The walls of the house: which way imports run, what an import costs, what modules publish."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, NamedTuple

import pytest

import moderation

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(moderation.__file__).parent

ORDER = (
    ("types",),
    ("errors",),
    ("resources",),
    ("cache",),
    ("text",),
    ("rules", "classifier"),
    ("decide",),
    ("arrow",),
    ("engine",),
    ("scan",),
    ("bundle",),
    ("adapters", "evaluation"),
    ("training",),
    ("adaptation",),
    ("cli",),
)
"""From the bottom up; rooms of one floor do not know one another."""
RANK = {room: rank for rank, floor in enumerate(ORDER) for room in floor}
LAZY_ONLY = {
    ("moderation.decide.verdicts", "arrow"),
    ("moderation.arrow", "engine"),
}
"""Upward imports that are allowed inside a function or for type checking."""
HEAVY = {"pyarrow", "typer", "sklearn", "torch", "onnxruntime", "sentencepiece", "pandas"}


class Import(NamedTuple):
    target: str
    """Full name of the module."""
    line: int
    lazy: bool
    """True inside a function or under `if TYPE_CHECKING`."""


def modules(package: Path) -> dict[str, Path]:
    """Return every module of a package folder called moderation, by its full name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join(("moderation", *parts))] = path
    return found


def imports(module: str, source: str, known: set[str], *, is_package: bool) -> Iterator[Import]:
    """Yield a module's imports of the package's own modules."""

    def targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        origin = node.module or ""
        if node.level:
            base = module.split(".")
            base = base[: len(base) - node.level + is_package]
            origin = ".".join([*base, *([origin] if origin else [])])
        for alias in node.names:
            inner = f"{origin}.{alias.name}"
            yield inner if inner in known else origin

    def walk(node: ast.AST, *, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in targets(child):
                    if target.split(".")[0] == "moderation":
                        yield Import(target, child.lineno, lazy)
                continue
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            yield from walk(child, lazy=lazy or deferred)

    yield from walk(ast.parse(source), lazy=False)


def upward_imports(package: Path) -> list[str]:
    """Return what breaks the order of imports, one line each."""
    found = modules(package)
    problems = []
    for module, path in found.items():
        if module == "moderation":
            continue
        room = module.split(".")[1]
        if room not in RANK:
            problems.append(f"{module}: {room} has no place in the order")
            continue
        is_package = path.name == "__init__.py"
        for target, line, lazy in imports(
            module, path.read_text("utf-8"), set(found), is_package=is_package
        ):
            # The package itself publishes the engine.
            other = "engine" if target == "moderation" else target.split(".")[1]
            if other == room or (lazy and (module, other) in LAZY_ONLY):
                continue
            if RANK.get(other, len(ORDER)) >= RANK[room]:
                problems.append(f"{module}:{line}: {room} imports {target}")
    return problems


def export_problems(source: str) -> list[str]:
    """Return what is wrong with a module's `__all__`: absent, unsorted, or naming nothing."""
    tree = ast.parse(source)
    bound: set[str] = set()
    exported: list[str] | None = None
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                exported = ast.literal_eval(value)
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.Import() | ast.ImportFrom():
                bound |= {alias.asname or alias.name for alias in node.names}
            case ast.If(body=body):
                inner = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
                bound |= {alias.asname or alias.name for n in inner for alias in n.names}
    if exported is None:
        return ["no __all__"] if bound else []
    problems = [f"{name} is not bound" for name in exported if name not in bound]
    if exported != sorted(exported, key=_export_order):
        problems.append("not sorted: constants, then classes, then the rest, each by name")
    return problems


def _export_order(name: str) -> tuple[int, str]:
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


def loaded_by(statement: str, cwd: Path) -> set[str]:
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return set(run.stdout.split())


PUBLIC = {
    name: path
    for name, path in modules(PACKAGE).items()
    if not any(part.startswith("_") for part in name.split("."))
}


def made_up(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content), encoding="utf-8")
    return folder


def test_imports_run_downwards():
    assert upward_imports(PACKAGE) == []


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {"text/a.py": "from moderation.rules.b import x", "rules/b.py": ""},
            "moderation.text.a:1: text imports moderation.rules.b",
            id="upwards",
        ),
        pytest.param(
            {"text/a.py": "def f():\n    import moderation.engine", "engine.py": ""},
            "moderation.text.a:2: text imports moderation.engine",
            id="inside a function",
        ),
        pytest.param(
            {"types.py": "if TYPE_CHECKING:\n    from moderation.scan import x", "scan.py": ""},
            "moderation.types:2: types imports moderation.scan",
            id="for type checking",
        ),
        pytest.param(
            {"rules/a.py": "from moderation import classifier", "classifier/__init__.py": ""},
            "moderation.rules.a:1: rules imports moderation.classifier",
            id="same floor",
        ),
        pytest.param(
            {"text/a.py": "from ..engine import x", "engine.py": ""},
            "moderation.text.a:1: text imports moderation.engine",
            id="relative",
        ),
        pytest.param(
            {"rules/a.py": "from moderation import Moderator", "__init__.py": ""},
            "moderation.rules.a:1: rules imports moderation",
            id="the package itself",
        ),
        pytest.param(
            {"arrow.py": "import moderation.engine", "engine.py": ""},
            "moderation.arrow:1: arrow imports moderation.engine",
            id="allowed only lazily",
        ),
        pytest.param(
            {"attic/a.py": ""}, "moderation.attic.a: attic has no place in the order", id="no place"
        ),
    ],
)
def test_a_wrong_import_is_reported(tmp_path: Path, files: dict[str, str], problem: str):
    assert problem in upward_imports(made_up(tmp_path, files))


def test_downward_and_allowed_lazy_imports_are_not_reported(tmp_path: Path):
    package = made_up(
        tmp_path,
        {
            "__init__.py": "from moderation.engine import Moderator",
            "text/a.py": "import numpy\nfrom moderation.errors import E\nfrom . import b",
            "text/b.py": "",
            "errors.py": "from moderation.types import T",
            "types.py": "",
            "arrow.py": "if TYPE_CHECKING:\n    from moderation.engine import Moderator",
            "engine.py": "def f():\n    from moderation.arrow import score",
            "cli/main.py": "from moderation import Moderator",
        },
    )
    assert upward_imports(package) == []


@pytest.mark.parametrize(
    "statement", ["import moderation", "from moderation import Moderator, Verdicts"]
)
def test_importing_the_library_loads_nothing_heavy(tmp_path: Path, statement: str):
    assert loaded_by(statement, tmp_path) & HEAVY == set()


def test_a_heavy_import_is_noticed(tmp_path: Path):
    assert loaded_by("import moderation, typer", tmp_path) & HEAVY == {"typer"}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_has_a_sorted_all(module: str):
    assert export_problems(PUBLIC[module].read_text("utf-8")) == []


EXTRAS = {"training", "evaluation", "adaptation", "adapters"}
"""Rooms whose modules may need packages that are not installed."""


@pytest.mark.parametrize(
    "module", [m for m in PUBLIC if m == "moderation" or m.split(".")[1] not in EXTRAS]
)
def test_every_exported_name_resolves(module: str):
    loaded = importlib.import_module(module)
    missing = [n for n in getattr(loaded, "__all__", ()) if getattr(loaded, n, None) is None]
    assert missing == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import numpy\nx = 1", "no __all__"),
        ("__all__ = ['a']", "a is not bound"),
        (
            "__all__ = ['b', 'a']\na = b = 1\ndef a(): ...\ndef b(): ...",
            "not sorted: constants, then classes, then the rest, each by name",
        ),
        (
            "__all__ = ['f', 'C']\nclass C: ...\ndef f(): ...",
            "not sorted: constants, then classes, then the rest, each by name",
        ),
    ],
)
def test_a_wrong_all_is_reported(source: str, problem: str):
    assert export_problems(source) == [problem]
