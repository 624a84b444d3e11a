from __future__ import annotations

import csv
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from msdnet.data.layouts import Options
from msdnet.data.manifest import Manifest, read_manifest, write_manifest
from msdnet.data.preparation import prepare
from msdnet.data.slice_reader import load_slices
from msdnet.errors import DatasetError, OptionError


@pytest.fixture
def manifest(write_pictures: Callable[..., Path]) -> Manifest:
    folder = write_pictures()
    lines = ["name,group,split"] + [f"p{i},patient-{i // 2},{'test' if i > 3 else 'train'}" for i in range(6)]
    (folder / "groups.csv").write_text("\n".join(lines))
    return prepare(folder, folder, "ggo-consolidation").manifest


def test_a_manifest_reads_back_as_it_was_written(manifest: Manifest) -> None:
    assert read_manifest(manifest.path) == manifest
    assert read_manifest(manifest.path.parent) == manifest
    assert [row.group for row in manifest.rows] == [f"patient-{i // 2}" for i in range(6)]
    assert manifest.patients_known


def test_a_killed_call_leaves_no_list_that_looks_prepared(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    written = manifest.path.read_bytes()
    monkeypatch.setattr(csv.DictWriter, "writerows", killed)
    with pytest.raises(KeyboardInterrupt):
        write_manifest(dataclasses.replace(manifest, path=tmp_path / "new" / "manifest.csv"))
    assert not (tmp_path / "new" / "manifest.csv").exists()
    with pytest.raises(KeyboardInterrupt):
        write_manifest(manifest)
    assert manifest.path.read_bytes() == written
    assert read_manifest(manifest.path) == manifest


def test_a_picture_too_large_to_be_one_is_a_fault(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # Pillow refuses pictures of more than twice as many
    with pytest.raises(DatasetError, match="DecompressionBombError"):
        load_slices(manifest)


def test_slices_load_as_the_files_are(manifest: Manifest) -> None:
    slices = load_slices(manifest)
    for row, s in zip(manifest.rows, slices, strict=True):
        assert row.labels is not None
        assert s.labels is not None
        assert (s.name, s.group) == (row.name, row.group)
        np.testing.assert_array_equal(s.image, np.asarray(Image.open(row.image)))
        np.testing.assert_array_equal(s.labels, np.asarray(Image.open(row.labels)))
        assert s.image.dtype == s.labels.dtype == np.uint8


def test_a_split_holds_its_own_slices(manifest: Manifest) -> None:
    assert [s.name for s in load_slices(manifest, "test")] == ["p4", "p5"]
    with pytest.raises(OptionError, match="'train', 'test'"):
        load_slices(manifest, "validation")


def test_a_data_set_may_move(manifest: Manifest, tmp_path: Path) -> None:
    shutil.move(manifest.path.parent, tmp_path / "elsewhere")
    assert read_manifest(tmp_path / "elsewhere").sha256 == manifest.sha256


def test_a_changed_file_is_refused(manifest: Manifest) -> None:
    labels = manifest.rows[2].labels
    assert labels is not None
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(labels)
    with pytest.raises(DatasetError, match="has changed since it was prepared"):
        read_manifest(manifest.path)


def test_a_changed_row_is_refused(manifest: Manifest) -> None:
    text = manifest.path.read_text()
    manifest.path.write_text(text.replace("patient-1", "patient-0", 1))
    with pytest.raises(DatasetError, match="has changed since it was prepared"):
        read_manifest(manifest.path)


def test_all_faults_of_the_rows_are_told_at_once(manifest: Manifest) -> None:
    lines = manifest.path.read_text().splitlines()
    lines[1] = lines[1].replace("patient-0", "")
    lines[2] = lines[2].replace("images/p1.png", "images/gone.png")
    lines[3] = lines[3].replace("p2.png,,", "p2.png,one,")
    lines.append(lines[4])
    manifest.path.write_text("\n".join(lines))
    with pytest.raises(DatasetError) as refused:
        read_manifest(manifest.path)
    for told in ("no group: p0", "no such file as gone.png: p1", "slice 'one'", "stands twice: p3"):
        assert told in str(refused.value)


def test_a_list_without_settings_is_refused(manifest: Manifest) -> None:
    manifest.path.with_suffix(".json").unlink()
    with pytest.raises(DatasetError, match="was not prepared"):
        read_manifest(manifest.path)


def test_unknown_and_missing_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("name,picture\na,b\n")
    with pytest.raises(DatasetError) as refused:
        read_manifest(tmp_path)
    assert "unknown column 'picture'" in str(refused.value)
    assert "no column 'image'" in str(refused.value)


def test_paths_outside_the_folder_are_kept_whole(manifest: Manifest, tmp_path: Path) -> None:
    moved = write_manifest(Manifest(**{**vars(manifest), "path": tmp_path / "lists" / "manifest.csv"}))
    assert moved.sha256 == manifest.sha256
    assert read_manifest(moved.path).rows == manifest.rows


def test_a_list_corrected_by_hand_is_prepared_again(manifest: Manifest) -> None:
    manifest.path.write_text(manifest.path.read_text().replace("patient-1", "patient-0"))
    again = prepare(manifest.path, manifest.path.parent, "ggo-consolidation").manifest
    assert read_manifest(again.path).sha256 == again.sha256 != manifest.sha256
    assert [row.group for row in again.rows][:4] == ["patient-0"] * 4


def test_notes_stay_with_a_list_that_is_prepared_again(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(5)
    for copy, original in ((3, 1), (4, 2)):
        for part in ("images", "labels"):
            shutil.copy(folder / f"{part}/p{original}.png", folder / f"{part}/p{copy}.png")
    first = prepare(folder, folder, "ggo-consolidation")
    manifest = first.manifest
    assert "p1 and p3 are the same image: one group." in first.findings
    assert not manifest.patients_known
    assert any(note.startswith("The largest group p1 holds 2 of 5") for note in first.findings)
    text = manifest.path.read_text()
    manifest.path.write_text(
        text.replace(",p0,", ",p2,").replace("p1.png,,labels/p1.png,,p1,", "p1.png,,labels/p1.png,,p9,")
    )
    prepared = prepare(manifest.path, folder, "ggo-consolidation")
    again = prepared.manifest
    kept = read_manifest(again.path)
    assert (kept.notes, kept.joined, kept.patients_known) == (again.notes, again.joined, False)
    assert len([note for note in prepared.findings if note.startswith("The largest group")]) == 1
    assert {*prepared.findings} >= {note for note in first.findings if not note.startswith("The largest group")}


def test_a_note_on_a_pair_ends_with_a_correction_that_parts_it(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(3)
    manifest = prepare(folder, folder, "ggo-consolidation", options=Options(near_duplicate=0.01)).manifest
    pairs = manifest.joined
    assert pairs
    lines = manifest.path.read_text().splitlines()
    parted = [lines[0], *(line.replace(",p0,", f",{line.split(',')[0]},") for line in lines[1:])]
    manifest.path.write_text("\n".join(parted))
    again = prepare(manifest.path, folder, "ggo-consolidation").manifest
    assert {row.group for row in again.rows} == {"p0", "p1", "p2"}
    assert not {*pairs} & {*again.joined}


def test_the_manifest_of_something_else_is_not_replaced(tmp_path: Path, write_pictures: Callable[..., Path]) -> None:
    folder, out = write_pictures(3), tmp_path / "out"
    first = prepare(folder, out, "ggo-consolidation").manifest
    shutil.copytree(folder, tmp_path / "other")
    before = first.path.read_bytes()
    with pytest.raises(OptionError, match=f"made from {folder}\n.*made from {tmp_path / 'other'}\n"):
        prepare(tmp_path / "other", out, "ggo-consolidation")
    with pytest.raises(OptionError, match="made from synthetic"):
        prepare(None, out, "ggo-consolidation", layout="phantom")
    assert sorted(p.name for p in out.iterdir()) == ["manifest-classes.csv", "manifest.csv", "manifest.json"]
    assert first.path.read_bytes() == before

    prepare(folder, out, "ggo-consolidation")  # its own source, and itself
    prepare(first.path, out, "ggo-consolidation")
    assert prepare(folder, out, "ggo-consolidation").manifest.made_from == str(folder)
    first.path.with_suffix(".json").write_text("{")
    with pytest.raises(OptionError, match="its settings are damaged"):
        prepare(folder, out, "ggo-consolidation")
    first.path.with_suffix(".json").unlink()
    with pytest.raises(OptionError, match="a list that was not prepared"):
        prepare(folder, out, "ggo-consolidation")
    assert prepare(first.path, out, "ggo-consolidation").manifest.made_from == "manifest.csv"


def test_a_list_prepared_once_is_not_advised_to_map_its_labels(manifest: Manifest) -> None:
    labels = next(row.labels for row in manifest.rows if row.labels is not None)
    values = np.asarray(Image.open(labels)).copy()
    values[0, 0] = 9
    Image.fromarray(values).save(labels)
    with pytest.raises(DatasetError, match="label value 9 outside the schema") as refused:
        prepare(manifest.path, manifest.path.parent, manifest.schema)
    assert "--map" not in str(refused.value)


def test_a_list_prepared_once_keeps_its_settings(manifest: Manifest) -> None:
    with pytest.raises(OptionError, match="prepared in another way"):
        prepare(manifest.path, manifest.path.parent, "msdnet-paper")
