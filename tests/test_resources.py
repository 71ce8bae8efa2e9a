"""The lookup of shipped rules and models: one place, never the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import moderation
from moderation.errors import DataNotFoundError
from moderation.resources import DATA_VARIABLE, data_root


def holding(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(DATA_VARIABLE, str(holding(tmp_path, "rules", "models")))
    assert data_root() == tmp_path


@pytest.mark.parametrize("names", [(), ("rules",), ("models",)])
def test_a_variable_that_names_an_incomplete_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
):
    chosen = holding(tmp_path / "chosen", *names)
    monkeypatch.setenv(DATA_VARIABLE, str(chosen))
    with pytest.raises(DataNotFoundError) as caught:
        data_root()
    assert str(caught.value) == (
        f"no folder holding both rules/ and models/ was found; tried: {chosen} "
        "($MODERATION_DATA is set, so nothing else is searched)"
    )


def test_without_the_variable_the_data_lies_in_or_beside_the_package(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    package = Path(moderation.__file__).resolve().parent
    assert data_root() in (package / "_data", package.parent)


def test_the_current_folder_is_never_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    before = data_root()
    monkeypatch.chdir(holding(tmp_path, "rules", "models"))
    assert data_root() == before
