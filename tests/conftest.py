"""What every test may ask for: real data, and programs that judge our output from outside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site's secret, in a folder of the tests' own."""
    path = tmp_path_factory.getbasetemp() / "site-key"
    monkeypatch.setenv("MSDNET_SITE_KEY", str(path))
    return path


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real scans named by MSDNET_DATA; tests that need it are skipped where it is absent."""
    folder = os.environ.get("MSDNET_DATA")
    if not folder:
        pytest.skip("needs real scans: set MSDNET_DATA to their folder")
    if not Path(folder).is_dir():
        pytest.fail(f"MSDNET_DATA names no folder: {folder}")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """A function from a program's name to its path.

    Where the program is absent the test is skipped; under CI=true it fails, so that no check vanishes unseen.
    """

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            reason = f"needs the program {name}: run scripts/install-system-packages"
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find
