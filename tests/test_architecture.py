"""Rules of the house that no linter knows: names, lengths, public names, and that the drawing is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import msdnet

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src" / "msdnet").rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core", "tools"}


def test_public_names_are_few_and_there() -> None:
    assert 0 < len(msdnet.__all__) <= 12
    assert len(set(msdnet.__all__)) == len(msdnet.__all__)
    for name in msdnet.__all__:
        assert getattr(msdnet, name) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_module_is_short_and_says_what_it_is(path: Path) -> None:
    names = {part.removeprefix("_").removesuffix(".py") for part in path.relative_to(ROOT / "src").parts}
    assert not names & VAGUE
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_drawing_of_the_layers_is_the_checked_one() -> None:
    """docs/architecture.md draws the layers; the contract in pyproject.toml is what CI checks."""
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    checked = [re.findall(r"\w+", layer) for layer in contract["layers"]]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = re.search(r"```layers\n(.*?)```", text, re.S)
    assert drawing is not None
    drawn = [re.findall(r"\w+", line.split("  ")[0]) for line in drawing[1].splitlines()]
    assert drawn == checked


def test_every_module_is_named_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.relative_to(ROOT / "src" / "msdnet").parts[0].removesuffix(".py") for path in MODULES}
    missing = sorted(room for room in rooms - {"__init__", "__main__"} if f"`{room}`" not in text)
    assert not missing
