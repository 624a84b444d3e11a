from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from msdnet.scans import public_name, read_scan


@pytest.mark.parametrize(
    "name",
    [
        "SAMPLE_Quintus",
        "quintus",
        "ct-of-sample-2",
        "pid-4711",
        "PID4711_thorax",
        "x4711x",
        "CT_20200102",
        "wu",
        "chest Wu 3",
        "José",
        "1.2.826.0.1.3680043.8.498.1.100",
        "Wu Jose",
    ],
)
def test_a_name_that_tells_who_the_patient_is_becomes_the_start_of_the_digest(
    name: str, tmp_path: Path, ct: Any
) -> None:
    ct.write_slices(ct.make_slices(OtherPatientNames="Wu^José", SpecificCharacterSet="ISO_IR 192"), tmp_path / name)
    scan = read_scan(tmp_path / name)
    assert scan.source.name == name
    assert public_name(scan) == scan.source.digest[:12]


@pytest.mark.parametrize("name", ["case-17", "thorax", "1", "wuhan", "study 7", "pidgin"])
def test_another_name_is_kept(name: str, tmp_path: Path, ct: Any) -> None:
    ct.write_slices(ct.make_slices(OtherPatientNames="Wu^José", SpecificCharacterSet="ISO_IR 192"), tmp_path / name)
    assert public_name(read_scan(tmp_path / name)) == name


@pytest.mark.parametrize(
    ("patient", "number", "name"),
    [
        ("Wang^Xiaoming=王^小明", "4711", "王小明肺CT"),
        ("Wang^Xiaoming=王^小明", "4711", "小明"),
        ("Ng^Al", "4711", "NgCT"),
        ("Sample^Quintus", "017", "pat017"),
        ("Sample^Quintus", "A1", "scanA1"),
        ("Müller^Uwe", "4711", "Mueller_ct"),
        ("Mueller^Uwe", "4711", "müller ct"),
    ],
)
def test_short_and_foreign_names_are_found_too(patient: str, number: str, name: str, tmp_path: Path, ct: Any) -> None:
    header = {"PatientName": patient, "PatientID": number, "SpecificCharacterSet": "ISO_IR 192"}
    ct.write_slices(ct.make_slices(**header), tmp_path / name)
    scan = read_scan(tmp_path / name)
    assert public_name(scan) == scan.source.digest[:12]


def test_the_notes_and_the_printed_scan_hold_nothing_of_the_patient(tmp_path: Path, ct: Any) -> None:
    ct.write_slices(ct.make_slices(), tmp_path / "scan")
    ct.write_slices(ct.make_slices(series=2, ImageType=["DERIVED", "PRIMARY", "AXIAL"]), tmp_path / "scan", "b")
    scan = read_scan(tmp_path / "scan")
    assert scan.notes
    printed = " ".join(scan.notes) + repr(scan.source)
    for private in ("Sample", "Quintus", "4711", "2020", "1.2.826"):
        assert private not in printed
