"""What a step frees, the next one gets back without the system."""

import platform
import resource
import subprocess
import sys

import pytest

_STEPS = """
import resource, sys
import torch
from msdnet.training.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64 << 20, dtype=torch.uint8)  # 64 MB: above the largest block that is kept by default
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(faults[-1])
"""


def _faults_of_the_last_step(how: str) -> int:
    # Small pages for both, so that faults can be counted wherever the system would take huge ones.
    steps = "import ctypes; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)\n" + _STEPS
    done = subprocess.run([sys.executable, "-c", steps, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not GNU's")
@pytest.mark.slow
def test_a_large_block_is_fetched_from_the_system_only_once() -> None:
    pages = (64 << 20) // resource.getpagesize()
    assert _faults_of_the_last_step("plain") >= pages
    assert _faults_of_the_last_step("keep") < pages / 100
