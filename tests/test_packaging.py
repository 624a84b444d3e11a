"""What a user installs: the lock file, the wheel's content, its version and its licences."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import msdnet

ROOT = Path(__file__).parents[1]
LICENCES = {"LICENSE": "Apache License", "LICENSE-WEIGHTS": "non-commercial", "NOTICE-DATA": "MedSeg"}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def locked() -> dict[str, list[str]]:
    """Each locked package's versions (more than one where they differ between Pythons)."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(
        r"^([a-z0-9.-]+)==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M
    ):
        found.setdefault(name, []).append(version)
    return found


def test_lock_names_no_address() -> None:
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        allowed = line.startswith("#") or re.match(r"[a-z0-9.-]+==\S+( ;.*)? \\$|    --hash=sha256:[0-9a-f]{64}", line)
        assert allowed, line
        assert "://" not in line, line


def test_lock_has_a_hash_for_every_package() -> None:
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(entries) > 50
    for entry in entries:
        assert "--hash=sha256:" in entry, entry


def test_lock_satisfies_every_dependency(project: dict, locked: dict[str, list[str]]) -> None:
    extras = project["optional-dependencies"]
    for text in project["dependencies"] + [line for lines in extras.values() for line in lines]:
        requirement = Requirement(text)
        versions = locked.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not locked: make lock"
        for version in versions:
            assert requirement.specifier.contains(version), f"{text} against {version}: make lock"


def test_version_is_the_same_everywhere(project: dict) -> None:
    assert msdnet.__version__ == project["version"] == metadata.version("msdnet")


def test_wheel_holds_the_whole_package_and_its_licences(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for licence, phrase in LICENCES.items():
            (member,) = [name for name in names if name.endswith(f"/licenses/{licence}")]
            assert phrase in archive.read(member).decode()

    package = ROOT / "src" / "msdnet"
    wanted = {
        f"msdnet/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in names if name.startswith("msdnet/")}
    assert shipped == wanted
    assert all(name.startswith(("msdnet/", "msdnet-")) for name in names)
    assert "msdnet/py.typed" in shipped
    assert any(name.endswith("/model.safetensors") for name in shipped)


def test_installed_package_carries_the_licences() -> None:
    for licence, phrase in LICENCES.items():
        text = metadata.distribution("msdnet").read_text(f"licenses/{licence}")
        assert text is not None, licence
        assert phrase in text
