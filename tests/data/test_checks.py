from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from msdnet.data.checks import facts_of, find_faults, merge_groups
from msdnet.data.class_table import class_table
from msdnet.data.layouts import Options
from msdnet.data.manifest import read_manifest
from msdnet.data.preparation import map_labels, prepare
from msdnet.data.similarity import group_near_duplicates, merge_near_duplicates, thumbnail
from msdnet.data.slice_reader import load_slices
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError, OptionError
from msdnet.labels import get_schema

Draw = Callable[..., np.ndarray]
SCHEMA = "ggo-consolidation"


def _save(array: np.ndarray, path: Path) -> None:
    Image.fromarray(array).save(path)


def test_all_faults_are_told_at_once(write_pictures: Callable[..., Path], draw_picture: Draw) -> None:
    folder = write_pictures(8)
    _save(np.full((40, 50), 7, np.uint8), folder / "labels/p1.png")
    _save(np.zeros((40, 51), np.uint8), folder / "labels/p2.png")
    (folder / "labels/p3.png").unlink()
    (folder / "images/p4.png").unlink()
    _save(np.full((40, 50), 90, np.uint8), folder / "images/p5.png")
    (folder / "images/p6.png").write_bytes((folder / "images/p6.png").read_bytes()[:200])
    _save(draw_picture(7)[::-1], folder / "images/p9.png")
    _save(np.asarray(Image.open(folder / "labels/p7.png")), folder / "labels/p9.png")  # not mirrored with its image
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    text = str(refused.value)
    for told in (
        "label value 7 outside the schema: say --map=7=background|ggo|consolidation, and so for every label but 0: p1",
        "labels that do not lie on the image's grid, 40 x 51 instead of 40 x 50: p2",
        "an image without label map (all zero if it shows no lesion; without truth it belongs in unlabelled): p3",
        "a label map without image: p4",
        "an image of one grey only: p5",
        "the file cannot be read",
        ": images/p6.png (a damaged or truncated file (",
        "the same image twice (perhaps turned) with different labels: p7, p9",
    ):
        assert told in text
    assert not (folder / "manifest.csv").exists()


def test_a_fault_of_many_slices_is_one_line(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(12)
    for path in (folder / "labels").iterdir():
        _save(np.full((40, 50), 3, np.uint8), path)
    with pytest.raises(DatasetError, match=r"label value 3 outside the schema: .*: p0, .* and 4 more"):
        prepare(folder, folder, SCHEMA)


def test_a_picture_saved_with_loss_is_one_fault(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(3)
    _save(np.arange(2000, dtype=np.uint16).reshape(40, 50).astype(np.uint8), folder / "labels/p1.png")
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    assert "perhaps once saved with loss (JPEG): p1 (256 values, 0 to 255)" in str(refused.value)
    assert str(refused.value).count("label value") == 0


def test_labels_in_a_format_with_loss_are_refused(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(3)
    labels = np.asarray(Image.open(folder / "labels/p0.png"))
    (folder / "labels/p0.png").unlink()
    _save(labels, folder / "labels/p0.jpg")  # no pixel is above the largest class, many are another one
    with pytest.raises(DatasetError, match=r"labels/p0\.jpg \(a JPEG file"):
        prepare(folder, folder, SCHEMA)


def test_an_unknown_label_value_is_told_with_the_option_that_says_what_it_is(
    write_pictures: Callable[..., Path],
) -> None:
    folder = write_pictures(2)
    _save(np.full((40, 50), 255, np.uint8), folder / "labels/p1.png")
    with pytest.raises(DatasetError, match=r"say --map=255=background\|ggo\|consolidation, and so for every label"):
        prepare(folder, folder, SCHEMA)
    label_map = {"255": "GGO", "1": "ggo", "2": "Consolidation"}
    values = prepare(folder, folder, SCHEMA, options=Options(label_map=label_map)).manifest.label_values
    assert values == {0: 0, 1: 1, 2: 2, 255: 1}
    assert map_labels({}, {"-1": "background"}, get_schema(SCHEMA)) == ({0: 0, -1: 0}, [])


def test_a_class_that_no_labelled_slice_shows_is_noted(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(3)
    assert not any("No labelled slice" in note for note in prepare(folder, folder, SCHEMA).findings)
    for path in (folder / "labels").iterdir():
        _save(np.ones((40, 50), np.uint8), path)
    assert any("No labelled slice shows Consolidation:" in note for note in prepare(folder, folder, SCHEMA).findings)


def test_what_a_system_leaves_in_folders_is_passed_over(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(3)
    for left in ("images/Thumbs.db", "labels/.DS_Store", "labels/desktop.ini"):
        (folder / left).write_bytes(b"left by a file browser")
    assert len(prepare(folder, folder, SCHEMA).manifest.rows) == 3
    (folder / "images/notes.txt").write_text("not left by one")
    with pytest.raises(DatasetError, match="files in images that are none of"):
        prepare(folder, folder, SCHEMA)


def test_pictures_in_hu_and_in_grey_are_not_mixed(write_pictures: Callable[..., Path], draw_picture: Draw) -> None:
    folder = write_pictures(2)
    Image.fromarray(draw_picture(30).astype(np.int32) * 5 - 1000).save(folder / "images/hu.tif")
    _save(np.zeros((40, 50), np.uint8), folder / "labels/hu.png")
    with pytest.raises(DatasetError, match="images in HU and images in grey: hu, p0"):
        prepare(folder, folder, SCHEMA)


@pytest.mark.parametrize(
    "text", ["\ufeffname;group ;split\np0; Müller ;\np1;b;\np2;b;train\n", "name\tgroup\np0\tMüller\np1\tb\np2\tb\n"]
)
def test_groups_csv_may_be_as_spreadsheets_save_it(write_pictures: Callable[..., Path], text: str) -> None:
    folder = write_pictures(3)
    (folder / "groups.csv").write_text(text, encoding="utf-8")
    assert [row.group for row in prepare(folder, folder, SCHEMA).manifest.rows] == ["Müller", "b", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "name,group\np0,Müller\n".encode("cp1252"),
            "that is not a CSV file in UTF-8 (check the path, or save it anew",
        ),
        ("name,group\np0,Müller\n".encode("utf-16"), "that is not a CSV file in UTF-8"),
        (b"Name;Patient\np0;a\n", "without the columns name and group, but with: Name, Patient"),
        (b"", "without the columns name and group, but with: none"),
    ],
)
def test_a_groups_csv_that_cannot_be_read_is_told(
    write_pictures: Callable[..., Path], content: bytes, words: str
) -> None:
    folder = write_pictures(3)
    (folder / "groups.csv").write_bytes(content)
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    assert f"groups.csv {words}" in str(refused.value)


def test_groups_csv_must_name_every_image_once(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(3)
    (folder / "groups.csv").write_text("name,group\np0,a\np0,b\np1,a\nx,c\n")
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    assert "that groups.csv does not name: p2" in str(refused.value)
    assert "a name in groups.csv without image: x" in str(refused.value)
    assert "with a name again: p0" in str(refused.value)


def test_near_duplicates_are_one_group_and_no_fault(write_pictures: Callable[..., Path], draw_picture: Draw) -> None:
    folder = write_pictures(4)
    near = np.clip(np.rot90(draw_picture(2)).astype(int) + np.random.default_rng(0).normal(0, 6, (50, 40)), 0, 255)
    _save(near.astype(np.uint8), folder / "images/p7.png")
    _save(np.zeros((50, 40), np.uint8), folder / "labels/p7.png")
    prepared = prepare(folder, folder, SCHEMA)
    groups = {row.name: row.group for row in prepared.manifest.rows}
    assert groups["p7"] == groups["p2"]
    assert len(set(groups.values())) == 4
    assert "p2 and p7 are alike at 0.9" in str(prepared)
    apart = prepare(folder, folder, SCHEMA, options=Options(near_duplicate=1.1))
    assert len({row.group for row in apart.manifest.rows}) == 5


def test_a_patient_in_two_splits_is_noted(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(4)
    lines = ["name,group,split", "p0,a,train", "p1,a,test", "p2,b,train", "p3,c,test"]
    (folder / "groups.csv").write_text("\n".join(lines))
    notes = prepare(folder, folder, SCHEMA).findings
    assert any("lie in two splits, so that one tells about the other: a." in note for note in notes)


def test_copies_join_the_groups_of_all_their_slices(draw_picture: Draw) -> None:
    images = [draw_picture(0), draw_picture(1), np.rot90(draw_picture(0)), draw_picture(2)]
    slices = [
        TrainingSlice(f"s{i}", group, image, labels=np.zeros_like(image), weak=None)
        for i, (image, group) in enumerate(zip(images, ("a", "b", "c", "c"), strict=True))
    ]
    facts = [facts_of(s, "") for s in slices]
    assert find_faults(facts) == []
    groups, joined = merge_groups(facts, None)
    assert groups == {"s0": "a", "s1": "b", "s2": "a", "s3": "a"}
    assert [str(j) for j in joined] == ["s0 and s2 are the same image: one group."]


def test_merging_agrees_with_comparing_every_pair(draw_picture: Draw) -> None:
    images = [draw_picture(i, (64, 64)) for i in range(8)]
    images += [np.roll(images[0], 3, 0)[::-1], np.rot90(images[1])[2:, 1:], np.roll(images[0], -5, 1)]
    merged, pairs = merge_near_duplicates([thumbnail(i) for i in images], [str(i) for i in range(11)], 0.7)
    assert merged == [str(g) for g in group_near_duplicates(images, 0.7)]
    assert len(pairs) == 3


def test_the_table_counts_slices_and_patients_by_class_and_split(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(4)
    _save(np.ones((40, 50), np.uint8), folder / "labels/p3.png")
    lines = ["name,group,split", "p0,a,train", "p1,a,train", "p2,b,train", "p3,c,test"]
    (folder / "groups.csv").write_text("\n".join(lines))
    prepared = prepare(folder, folder, SCHEMA)
    assert prepared.classes.read_text(encoding="utf-8").splitlines() == [
        "group,slices,labelled,no_lesion,ggo,consolidation",
        *("a,2,2,1,1,1", "b,1,1,0,1,1", "c,1,1,0,1,0"),
    ]
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in prepared.table.splitlines() if line.startswith("|")]
    counts = {row[0]: row[1:] for row in rows}
    assert counts["Ground-glass opacity"] == ["3", "3", "2", "2", "1", "1"]
    assert counts["Consolidation"] == ["2", "2", "2", "2", "0", "0"]
    assert counts["No lesion"] == ["1", "0", "1", "0", "0", "0"]  # patient a has a lesion on another slice
    assert counts["Without labels"] == ["0"] * 6
    assert counts["All"] == ["4", "3", "3", "2", "1", "1"]
    assert class_table(prepared.manifest) == prepared.table


def test_options_without_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="needs a folder"):
        prepare(None, tmp_path, SCHEMA, layout="pictures")
    with pytest.raises(DatasetError, match="no data set to prepare"):
        prepare(None, tmp_path, SCHEMA)
    with pytest.raises(DatasetError, match="files that fit none"):
        prepare(tmp_path, tmp_path, SCHEMA)


def test_values_that_are_neither_hu_nor_grey_need_a_window(
    tmp_path: Path, draw_volume: Draw, write_volume: Callable[..., None]
) -> None:
    write_volume(tmp_path / "images/a.nii.gz", (draw_volume(0) / 1200.0).astype(np.float32))
    write_volume(tmp_path / "labels/a.nii.gz", np.zeros((30, 24, 5), np.uint8))
    with pytest.raises(
        DatasetError, match=r"do not look like HU .*LOW,HIGH.*: images/a.nii.gz \(values from .*\)\n"
    ) as refused:
        prepare(tmp_path, tmp_path, SCHEMA)
    assert str(refused.value).count("a.nii.gz") == str(refused.value).count("--window") == 1  # not for each slice
    manifest = prepare(tmp_path, tmp_path, SCHEMA, options=Options(window=(-0.8, 0.1))).manifest
    assert manifest.intensity == "grey"
    loaded = np.stack([s.image for s in load_slices(read_manifest(manifest.path))])
    assert (loaded.min(), loaded.max()) == (0, 255)


def test_a_missing_window_of_many_pictures_is_told_once(
    write_pictures: Callable[..., Path], draw_picture: Draw
) -> None:
    folder = write_pictures(12)
    for i in range(12):
        Image.fromarray(draw_picture(i).astype(np.uint16) * 200 + 2000).save(folder / f"images/p{i}.png")
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    assert str(refused.value).count("--window") == 1
    assert "images/p0.png (values from 2000 to 53000), images/p1.png (" in str(refused.value)
    assert " and 4 more" in str(refused.value)


def test_targets_of_other_numbers_are_refused(write_pictures: Callable[..., Path], draw_picture: Draw) -> None:
    folder = write_pictures(3)
    for part in ("unlabelled", "weak"):
        (folder / part).mkdir()
    _save(draw_picture(8), folder / "unlabelled/u.png")
    Image.fromarray(np.full((40, 50), 300, np.uint16)).save(folder / "weak/u.png")
    _save(np.zeros((40, 50, 3), np.uint8), folder / "labels/p1.png")
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    assert "a weak target with values from 300 to 300, not 0 to 255: u" in str(refused.value)
    assert "the file is no label map (save it so): labels/p1.png (pixels of type RGB)" in str(refused.value)
