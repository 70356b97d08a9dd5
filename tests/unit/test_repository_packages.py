"""What pyproject.toml says of the packages against the directories themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("config", "dispatch", "pollers", "service")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def directories() -> set[str]:
    """Each directory of the four layers that holds Python modules, as the package that it is installed as."""
    return {
        ".".join(("headrace", *path.parent.relative_to(ROOT).parts))
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*.py")
    }


def test_every_package_is_listed_and_every_listed_one_is_there() -> None:
    assert set(SETUPTOOLS["packages"]) == directories(), "[tool.setuptools] packages: what is not listed is not shipped"


def test_every_package_says_what_it_owns() -> None:
    for name in directories():
        init = ROOT.joinpath(*name.split(".")[1:], "__init__.py")
        assert init.is_file(), f"{init.relative_to(ROOT)} is missing"
        assert init.read_text().startswith('"""'), f"{init.relative_to(ROOT)} needs a docstring"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_mapped_typed_and_linked_for_checkers(layer: str) -> None:
    assert SETUPTOOLS["package-dir"][f"headrace.{layer}"] == layer
    assert (ROOT / layer / "py.typed").is_file()
    assert "py.typed" in SETUPTOOLS["package-data"][f"headrace.{layer}"]
    link = ROOT / ".typing" / "headrace" / layer
    assert link.is_symlink()
    assert link.readlink() == Path("..", "..", layer)


def test_data_files_of_packages_are_listed() -> None:
    shipped = {
        (name, Path(path).suffix)
        for name, patterns in SETUPTOOLS["package-data"].items()
        for path in patterns
        if Path(path).suffix != ".typed"
    }
    present = {
        (".".join(("headrace", *path.parent.relative_to(ROOT).parts)), path.suffix)
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".typed"}
    }
    assert present <= shipped, "[tool.setuptools.package-data] leaves out what a package needs"
