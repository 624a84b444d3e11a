"""What README and docs tell people to type must work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from msdnet.cli.parser import build_parser
from msdnet.data.phantom import make_phantom, to_scan

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
COMMANDS = [
    (page.name, line.partition("#")[0].strip())
    for page in PAGES
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("msdnet ")
]


def test_there_are_commands_to_check() -> None:
    assert {command.split()[1] for _, command in COMMANDS} >= {"segment", "train"}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_in_the_docs_is_understood(page: str, command: str) -> None:
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert callable(arguments.run)


def test_the_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", "".join(p.read_text(encoding="utf-8") for p in PAGES[:1])))
    assert {"demo", "test", "setup"} <= named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_lines_of_python_run(tmp_path: Path) -> None:
    scan = to_scan(make_phantom(seed=2, shape=(6, 64, 64)))
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(scan.voxels), np.diag([-1, -1, 1, 1]) @ scan.volume.affine), path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("path/to/scan", path.as_posix())
    assert path.as_posix() in code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "('ggo', 'consolidation')" in done.stdout
