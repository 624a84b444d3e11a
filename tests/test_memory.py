"""Memory as a system tells it: a machine alone, containers and jobs with limits, and systems that tell nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msdnet.memory import free_memory_mb, held_memory_mb, peak_memory_mb

MB = 1_000_000


def _write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def machine(tmp_path) -> Path:
    """8 GB free, no limits."""
    _write(
        tmp_path, proc__meminfo="MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n", proc__self__cgroup="0::/a/b\n"
    )
    return tmp_path


def _group(root: Path, place: str, limit: str, used: int, files: int, *, shared: int = 0, version: int = 2) -> None:
    names = {
        2: ("memory.max", "memory.current", "file", "shmem"),
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "total_shmem"),
    }[version]
    folder = root / "sys/fs/cgroup" / ("" if version == 2 else "memory") / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n", encoding="utf-8")
    (folder / names[1]).write_text(f"{used}\n", encoding="utf-8")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {files}\n{names[3]} {shared}\n", encoding="utf-8")


def test_what_is_held_grows_with_an_array_and_the_peak_stays():
    if held_memory_mb() is None:
        pytest.skip("the system does not tell what a process holds")
    before = held_memory_mb()
    array = np.ones(400 * MB // 8)
    assert held_memory_mb() - before == pytest.approx(400, abs=40)
    del array
    assert held_memory_mb() - before < 100
    assert peak_memory_mb() >= before + 350


def test_a_machine_without_limits_has_what_it_has_left(machine):
    assert free_memory_mb(machine) == 8192
    _group(machine, "a/b", "max", 100 * MB, 0)
    assert free_memory_mb(machine) == 8192


def test_the_tightest_limit_counts_and_files_in_memory_are_free(machine):
    _group(machine, "a/b", str(4000 * MB), 1500 * MB, 500 * MB)
    assert free_memory_mb(machine) == 3000
    _group(machine, "a", str(2000 * MB), 1600 * MB, 100 * MB)
    assert free_memory_mb(machine) == 500
    _group(machine, "a", str(1000 * MB), 1600 * MB, 100 * MB)
    assert free_memory_mb(machine) == 0


def test_a_container_sees_its_own_limit_as_the_topmost(machine):
    _group(machine, "", str(2000 * MB), 1500 * MB, 0)
    assert free_memory_mb(machine) == 500


def test_limits_of_the_first_version_count_too(machine):
    (machine / "proc/self/cgroup").write_text("5:cpuset:/x\n4:cpu,memory:/slurm/job\n", encoding="utf-8")
    _group(machine, "slurm/job", str(3000 * MB), 1000 * MB, 200 * MB, version=1)
    _group(machine, "", "9223372036854771712", 9000 * MB, 0, version=1)
    assert free_memory_mb(machine) == 2200


@pytest.mark.parametrize("version", [1, 2])
def test_files_in_a_ram_disk_are_not_free(version: int, machine):
    (machine / "proc/self/cgroup").write_text("0::/a\n" if version == 2 else "3:memory:/a\n", encoding="utf-8")
    _group(machine, "a", str(2000 * MB), 1900 * MB, 1850 * MB, shared=1800 * MB, version=version)
    assert free_memory_mb(machine) == 150


def test_a_limit_holds_though_what_is_given_back_cannot_be_read(machine):
    _group(machine, "a/b", str(2000 * MB), 1500 * MB, 400 * MB)
    for text in ("file\nshmem 1 2\n", None):
        path = machine / "sys/fs/cgroup/a/b/memory.stat"
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        assert free_memory_mb(machine) == 500


@pytest.mark.parametrize("line", [b"", b"odd", b"1:memory", b"7:memory:", b"0::/caf\xe9\n0:"])
def test_an_odd_list_of_groups_is_no_failure(line: bytes, machine):
    (machine / "proc/self/cgroup").write_bytes(line + b"\n0::/a/b\n")
    _group(machine, "a/b", str(2000 * MB), 1500 * MB, 0)
    assert free_memory_mb(machine) == 500


def test_nothing_is_said_where_the_system_says_nothing(tmp_path):
    assert held_memory_mb(tmp_path) is None
    assert free_memory_mb(tmp_path) is None
    _write(tmp_path, proc__meminfo="MemTotal: 16000000 kB\n")
    assert free_memory_mb(tmp_path) is None


def test_a_limit_on_addresses_counts_what_is_taken_of_them(machine):
    _write(
        machine,
        proc__self__limits="Limit  Soft Limit  Hard Limit  Units\nMax address space   6000000000  unlimited  bytes\n",
        proc__self__status="VmSize:\t 1000000 kB\n",
    )
    assert free_memory_mb(machine) == 6000 - 1024
    _write(machine, proc__self__limits="Max address space         unlimited            unlimited            bytes\n")
    assert free_memory_mb(machine) == 8192


def test_where_a_group_is_slowed_down_is_a_limit_too(machine):
    _group(machine, "a/b", "max", 100 * MB, 0)
    (machine / "sys/fs/cgroup/a/b/memory.high").write_text("3000000000\n", encoding="utf-8")
    assert free_memory_mb(machine) == 2900
