"""A person is told by a key that the site alone can make, and a day that tells no date."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from msdnet.scans import read_scan
from msdnet.scans.subject import identify_subject, site_key_path


def _subject(tmp_path: Path, ct: Any, name: str, **header: object) -> Any:
    ct.write_slices(ct.make_slices(**header), tmp_path / name)
    return identify_subject(read_scan(tmp_path / name))


def test_days_between_two_scans_of_one_person_are_right(tmp_path: Path, ct: Any) -> None:
    first = _subject(tmp_path, ct, "a", PatientID="4711", StudyDate="20200228")
    second = _subject(tmp_path, ct, "b", PatientID="4711 ", StudyDate="20200307")
    other = _subject(tmp_path, ct, "c", PatientID="4712", StudyDate="20200307")
    assert first.key == second.key != other.key
    assert second.day - first.day == 8  # a leap year
    assert other.day != second.day
    assert "4711" not in first.key
    namesake = _subject(tmp_path, ct, "d", PatientID="4711", PatientBirthDate="19500101", StudyDate="20200228")
    assert namesake.key != first.key


def test_another_site_has_another_key(tmp_path: Path, ct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = _subject(tmp_path, ct, "a", PatientID="4711", StudyDate="20200228")
    monkeypatch.setenv("MSDNET_SITE_KEY", str(tmp_path / "elsewhere" / "key"))
    there = _subject(tmp_path, ct, "b", PatientID="4711", StudyDate="20200228")
    assert here.key != there.key
    assert stat.S_IMODE((tmp_path / "elsewhere" / "key").stat().st_mode) == 0o600


def test_without_number_date_or_secret_there_is_none(tmp_path: Path, ct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _subject(tmp_path, ct, "a", PatientID="") is None
    for number, name in enumerate(("ANONYMOUS", "0000", "Anon_01"[:4])):
        assert _subject(tmp_path, ct, f"anonymous{number}", PatientID=name, StudyDate="20200228") is None
    assert _subject(tmp_path, ct, "b", PatientID="4711", StudyDate="") is None
    (tmp_path / "short").write_bytes(b"short")
    monkeypatch.setenv("MSDNET_SITE_KEY", str(tmp_path / "short"))
    assert _subject(tmp_path, ct, "c", PatientID="4711", StudyDate="20200228") is None


def test_the_secret_lies_among_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSDNET_SITE_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/settings")
    assert site_key_path() == Path("/settings/msdnet/site-key")
