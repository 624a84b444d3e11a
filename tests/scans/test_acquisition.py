from __future__ import annotations

from pathlib import Path
from typing import Any

from msdnet.data.phantom import make_phantom, to_scan
from msdnet.scans import read_scan
from msdnet.scans.acquisition import Acquisition, is_sharp_kernel, read_acquisition

SHARP = "LUNG BONEPLUS B60f B70s Br64d Bl57d Br59d\\3 FC51 FC30 FC86 L YB"
NOT_SHARP = "STANDARD SOFT B30f B31s Br40d I50f\\2 FC08 FC13-H B C"


def test_kernels_are_told_by_the_names_of_four_makers() -> None:
    assert [k for k in SHARP.split() if not is_sharp_kernel(k)] == []
    assert [k for k in NOT_SHARP.split() if is_sharp_kernel(k)] == []
    assert is_sharp_kernel(" lung ")
    assert is_sharp_kernel("bone plus")
    assert not is_sharp_kernel("")
    assert not Acquisition(kernel="SOFT D").is_sharp


def test_the_header_is_read_and_what_it_does_not_say_is_none(tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices(
        ConvolutionKernel=["Br64d", "3"], ContrastBolusAgent="APPLIED", Manufacturer="Maker\n<b>", KVP="120"
    )
    ct.write_slices(slices, tmp_path / "scan")
    found = read_acquisition(read_scan(tmp_path / "scan"))
    assert (found.kernel, found.contrast, found.tube_kv) == ("Br64d\\3", True, 120)
    assert found.manufacturer == "Maker  b"
    assert found.is_sharp  # the second value is the strength of an iterative reconstruction
    assert Acquisition(kernel="Br64d").is_sharp


def test_no_agent_and_no_voltage_are_told_as_such(tmp_path: Path, ct: Any) -> None:
    ct.write_slices(ct.make_slices(ContrastBolusAgent="NONE", KVP="0"), tmp_path / "scan")
    found = read_acquisition(read_scan(tmp_path / "scan"))
    assert (found.contrast, found.tube_kv) == (False, None)


def test_a_volume_says_nothing() -> None:
    assert read_acquisition(to_scan(make_phantom(0, shape=(2, 32, 32)))) == Acquisition()
    assert not Acquisition().is_sharp
