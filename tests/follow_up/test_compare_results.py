"""A comparison's folder is whole, says what it must, and names nobody."""

from __future__ import annotations

import csv
import datetime
import json
from pathlib import Path

import nibabel as nib
import pytest

from msdnet import cli
from msdnet.data.phantom import make_phantom
from msdnet.errors import OptionError
from msdnet.follow_up import FollowUp, compare_results

DATES = (datetime.date(2024, 3, 1), datetime.date(2024, 3, 9))


@pytest.fixture(scope="module")
def compared(results, tmp_path_factory) -> FollowUp:
    return compare_results(results, tmp_path_factory.mktemp("out") / "compared", same_person=True, dates=DATES)


def test_every_file_is_there_and_named(compared) -> None:
    names = {entry.name for entry in compared.folder.iterdir()}
    expected = {"changes.csv", "changes.json", "course.png", "map-1-2.nii.gz", "report.html", "run.json"}
    assert expected | {"side-by-side.png"} <= names
    record = json.loads((compared.folder / "run.json").read_text(encoding="utf-8"))
    assert set(record["files"].values()) == names
    assert [one["day"] for one in record["compared"]] == [0, 8]


def test_the_record_says_how_it_was_made(compared) -> None:
    record = json.loads((compared.folder / "run.json").read_text(encoding="utf-8"))
    assert set(record["seconds"]) == {"read", "align", "report"}
    assert all(seconds > 0 for seconds in record["seconds"].values())
    assert record["settings"]["smallest_lung_dice"] == 0.95
    assert record["settings"]["tolerance_of_maps_mm"] == 4.0
    assert {"SimpleITK", "scipy"} <= set(record["libraries"])
    assert record["python"]
    assert record["platform"]


def test_tables_hold_the_changes(compared, phantoms) -> None:
    with (compared.folder / "changes.csv").open(encoding="utf-8", newline="") as file:
        lines = {(r["region"], r["class"], r["measure"]): r for r in csv.DictReader(file)}
    line = lines["scan", "any_lesion", "volume_ml"]
    voxels = [(p.labels > 0).sum() for p in phantoms]
    assert float(line["change_percent"]) == pytest.approx(100 * (voxels[1] / voxels[0] - 1), abs=0.01)
    assert line["beyond_band"] == "True"
    assert float(line["band_percent_low"]) < 0 < float(line["band_percent_high"]) < float(line["change_percent_low"])
    told = json.loads((compared.folder / "changes.json").read_text(encoding="utf-8"))
    assert told["days"] == [0, 8]
    assert told["maps"][0]["new_ml"] + told["maps"][0]["persistent_ml"] > 0
    assert len(told["changes"]) == len(lines)


def test_the_page_says_what_the_tables_say(compared) -> None:
    page = compared.report.read_text(encoding="utf-8")
    change = next(c for c in compared.changes if (c.region, c.class_name) == ("scan", "any_lesion"))
    assert f"+{change.change_percent:.0f} <" in page
    assert "beyond the band of −7 to +7 %" in page
    assert "of one person by the user&#39;s word" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_no_date_and_no_path_is_in_any_file(compared, results) -> None:
    for path in compared.folder.iterdir():
        content = nib.load(path).header.binaryblock if path.suffix == ".gz" else path.read_bytes()
        for secret in ("2024", str(results[0].parent)):
            assert secret.encode() not in content, f"{path.name} holds {secret}"


def test_a_repeat_is_the_same(compared, results, tmp_path) -> None:
    again = compare_results(results, tmp_path / "again", same_person=True, dates=DATES)
    assert again.files == compared.files
    for name in again.files.values():
        assert (again.folder / name).read_bytes() == (compared.folder / name).read_bytes(), name
    records = [json.loads((one.folder / "run.json").read_text(encoding="utf-8")) for one in (again, compared)]
    for record in records:
        del record["seconds"], record["peak_memory_mb"]
    assert records[0] == records[1]


def test_results_of_other_weights_have_no_band_and_say_so(copy_of, results, tmp_path) -> None:
    folder = copy_of(1)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["weights"]["sha256"] = "ff" * 32
    record["acquisition"] = {"kernel": "B70f", "contrast": True}
    del record["files"]["preview"]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    found = compare_results([results[0], folder], tmp_path / "out", same_person=True, dates=DATES)
    notes = " ".join(found.notes)
    for words in (
        "different weights",
        "kernel: not stated on day 0, B70f on day 8",
        "agent: not stated on day 0, yes on day 8",
        "sharp kernel",
    ):
        assert words in notes
    assert "preview.nii.gz" in notes
    assert all(change.band_percent is None for change in found.changes)
    assert "side_by_side" not in found.files


def test_the_command_prints_the_changes_and_refuses_what_it_cannot_compare(results, tmp_path, capsys) -> None:
    words = ["compare", *map(str, results), "-o", str(tmp_path / "out")]
    assert cli.main(words) == 2
    assert "--same-person" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert cli.main([*words, "--same-person", "--dates", "2024-03-01,2024-13-09"]) == 2
    assert "--dates 2024-03-01,2024-13-09" in capsys.readouterr().err
    for words_of_dates in (["--dates", "2024-03-01", "2024-03-09"], ["--dates", "2024-03-01,", "2024-03-09"]):
        assert cli.main([*words, "--same-person", *words_of_dates]) == 2
        assert "parted by commas without blanks" in capsys.readouterr().err
    assert cli.main([*words, "--same-person", "--dates", "2024-03-01,2024-03-09"]) == 0
    printed = capsys.readouterr().out
    assert "beyond it" in printed
    assert "All lesions" in printed
    assert Path(printed.strip().rsplit("Report: ", 1)[1]).is_file()


def test_no_result_is_replaced_by_a_comparison(copy_of, results, tmp_path) -> None:
    first, second = copy_of(0), copy_of(1)
    for out, folders in (
        (first, (first, second)),
        (first / "inside", (first, second)),
        (second, results),
        (second / "inside" / "further", results),
    ):
        with pytest.raises(OptionError, match="choose another folder with -o"):
            compare_results(folders, out, same_person=True, dates=DATES)
    assert (first / "labels.nii.gz").is_file()
    assert (second / "labels.nii.gz").is_file()


def test_a_folder_of_other_files_is_not_replaced(results, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match="did not write"):
        compare_results(results, tmp_path, same_person=True, dates=DATES)


def test_a_scan_without_a_lesion_is_compared_and_not_blamed_for_it(phantoms, results, write, tmp_path) -> None:
    healthy = make_phantom(phantoms[0].seed, shape=phantoms[0].voxels_hu.shape, lesions=())
    found = compare_results(
        [write(healthy, tmp_path / "well"), results[0]], tmp_path / "out", same_person=True, dates=DATES
    )
    change = next(c for c in found.changes if (c.region, c.class_name) == ("scan", "any_lesion"))
    assert (change.before, change.change_percent, change.is_beyond_band) == (0.0, None, None)
    assert change.after > 0
    assert not any("repeatability" in note for note in found.notes)
