from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from msdnet.files import alone_in, whole_file


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with whole_file(path) as unfinished:
        unfinished.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    with pytest.raises(KeyError), whole_file(path) as unfinished:
        _write_half(unfinished)
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked on Windows")
def test_a_folder_is_held_until_its_process_ends(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from msdnet.files import alone_in\n"
        "with alone_in(Path(sys.argv[1])) as alone: print(alone, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with alone_in(tmp_path, wait=False) as alone:
            assert not alone
        other.kill()
        with alone_in(tmp_path) as alone:  # waits for the end of the other one
            assert alone


def _write_half(path: Path) -> None:
    path.write_text("half")
    raise KeyError
