from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from msdnet.config import Preprocessing
from msdnet.data.covid_semiseg import read_labelled, read_unlabelled
from msdnet.data.layouts import LAYOUTS, Options
from msdnet.data.manifest import read_manifest
from msdnet.data.preparation import prepare
from msdnet.data.slice_reader import load_slices
from msdnet.errors import DatasetError, OptionError
from msdnet.scans import read_scan
from msdnet.slices import to_canonical, to_grey
from msdnet.training.data import data_notes

Draw = Callable[..., np.ndarray]
Write = Callable[..., None]
SCHEMA = "ggo-consolidation"


def _labels(shape: tuple[int, ...], *values: int) -> np.ndarray:
    labels = np.zeros(shape, dtype=np.uint8)
    for i, value in enumerate(values):
        labels[4 * i : 4 * i + 3, 2:7] = value
    return labels


@pytest.fixture
def nifti(tmp_path: Path, draw_volume: Draw, write_volume: Write) -> Path:
    """Three scans; the last one is free of lesions."""
    for k in range(3):
        voxels = draw_volume(k)
        write_volume(tmp_path / f"scans/images/case{k}.nii.gz", voxels)
        labels = _labels(voxels.shape, 1, 2) if k < 2 else _labels(voxels.shape)
        write_volume(tmp_path / f"scans/labels/case{k}.nii.gz", labels)
    return tmp_path / "scans"


@pytest.fixture
def medseg(tmp_path: Path, draw_volume: Draw, write_volume: Write) -> Path:
    voxels = np.concatenate([draw_volume(k, (30, 30, 1)) for k in range(4)], axis=2)
    voxels[..., 3] = voxels[::-1, :, 1]
    labels = np.stack([_labels((30, 30), 1, 2, 3), _labels((30, 30), 1), _labels((30, 30)), _labels((30, 30), 1)[::-1]])
    write_volume(tmp_path / "medseg/tr_im.nii.gz", voxels.astype(np.float32))
    write_volume(tmp_path / "medseg/tr_mask.nii.gz", labels.transpose(1, 2, 0).astype(np.float32))
    return tmp_path / "medseg"


def test_pictures_without_truth_keep_their_guess(write_pictures: Callable[..., Path], draw_picture: Draw) -> None:
    folder = write_pictures(3)
    for part in ("unlabelled", "weak"):
        (folder / part).mkdir()
    Image.fromarray(draw_picture(8)).save(folder / "unlabelled/u0.png")
    Image.fromarray(draw_picture(9)).save(folder / "unlabelled/u1.png")
    Image.fromarray(draw_picture(10)).save(folder / "weak/u1.png")
    slices = {s.name: s for s in load_slices(prepare(folder, folder, SCHEMA).manifest)}
    assert slices["u0"].labels is slices["u0"].weak is slices["u1"].labels is None
    np.testing.assert_array_equal(slices["u1"].weak, draw_picture(10))
    assert slices["p0"].labels is not None  # no lesion is not the same as no labels
    assert not slices["p0"].labels.any()


def test_palette_pictures_hold_their_indices(write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(2)
    labels = np.asarray(Image.open(folder / "labels/p1.png"))
    picture = Image.fromarray(labels)
    picture.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10])
    picture.save(folder / "labels/p1.png")
    np.testing.assert_array_equal(load_slices(prepare(folder, folder, SCHEMA).manifest)[1].labels, labels)


def test_a_volume_gives_a_row_for_each_axial_slice(nifti: Path) -> None:
    manifest = prepare(nifti, nifti, SCHEMA).manifest
    assert manifest.intensity == "HU"
    assert len(manifest.rows) == 15
    assert data_notes(manifest) == ("patients assumed: every volume is taken as another patient",)
    assert {row.group for row in manifest.rows} == {"case0", "case1", "case2"}
    scan = to_canonical(read_scan(nifti / "images/case1.nii.gz"))
    for row, s in zip(manifest.rows[5:10], load_slices(manifest)[5:10], strict=True):
        assert row.slice is not None
        grey = to_grey(scan.array[row.slice], "HU", Preprocessing()).numpy() * 255
        np.testing.assert_array_equal(s.image, np.round(grey).astype(np.uint8))


def test_slices_know_the_distance_of_rows_and_columns(
    tmp_path: Path, draw_volume: Draw, write_volume: Write, write_pictures: Callable[..., Path]
) -> None:
    voxels, affine = draw_volume(0), np.diag([-0.7, 0.9, 5.0, 1.0])
    write_volume(tmp_path / "scans/images/a.nii.gz", voxels, affine)
    write_volume(tmp_path / "scans/labels/a.nii.gz", _labels(voxels.shape, 1), affine)
    of_volume = load_slices(prepare(tmp_path / "scans", tmp_path / "scans", SCHEMA).manifest)
    np.testing.assert_allclose([s.spacing_mm for s in of_volume], [(0.9, 0.7)] * len(of_volume), rtol=1e-6)
    folder = write_pictures(2)
    assert {s.spacing_mm for s in load_slices(prepare(folder, folder, SCHEMA).manifest)} == {None}


def test_a_stack_of_many_patients_slices_has_a_spacing_that_is_true_of_none(medseg: Path) -> None:
    stack = prepare(medseg, medseg, "msdnet-paper", options=Options(label_map={"effusion": "background"})).manifest
    assert len({row.group for row in stack.rows}) > 1
    assert {s.spacing_mm for s in load_slices(stack)} == {None}


def test_the_preprocessing_at_loading_sets_the_window(nifti: Path) -> None:
    manifest = prepare(nifti, nifti, SCHEMA).manifest
    wide = load_slices(manifest, preprocessing=Preprocessing(window_hu=(-2000, 2000)))
    assert wide[0].image.std() < 0.5 * load_slices(manifest)[0].image.std()


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SPL", "ALI"])
def test_labels_follow_their_image_in_every_orientation(
    tmp_path: Path, draw_volume: Draw, write_volume: Write, axes: str
) -> None:
    """A label map that is the thresholded image stays that, however either file orders its axes."""
    import nibabel as nib

    voxels = draw_volume(0)
    affine = np.diag([-1.0, 1.0, 5.0, 1.0])
    stored = nib.Nifti1Image((voxels > -300).astype(np.uint8), affine)
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    turned = stored.as_reoriented(turn)
    write_volume(tmp_path / "images/a.nii.gz", voxels, affine)
    write_volume(tmp_path / "labels/a.nii.gz", np.asarray(turned.dataobj), turned.affine)
    threshold = to_grey(np.array([-300.0]), "HU", Preprocessing()).item() * 255
    for s in load_slices(prepare(tmp_path, tmp_path, "infection").manifest):
        assert s.labels is not None
        sure = np.abs(s.image.astype(float) - threshold) > 1
        np.testing.assert_array_equal(s.labels[sure], (s.image > threshold)[sure])


def test_labels_on_another_grid_are_refused(nifti: Path, write_volume: Write) -> None:
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    affine[2, 3] = 5.0
    write_volume(nifti / "labels/case0.nii.gz", _labels((30, 24, 5), 1), affine)
    write_volume(nifti / "labels/case1.nii.gz", _labels((30, 24, 4), 1))
    with pytest.raises(DatasetError) as refused:
        prepare(nifti, nifti, SCHEMA)
    assert "do not lie on the image's grid, 5.0 mm apart: case0-000" in str(refused.value)
    assert "4 slices of 24 x 30 instead of 5 slices of 24 x 30: case1-000" in str(refused.value)


def test_blank_slices_of_a_volume_are_left_out(nifti: Path, draw_volume: Draw, write_volume: Write) -> None:
    voxels = draw_volume(5)
    voxels[..., 0] = -1024
    write_volume(nifti / "images/case2.nii.gz", voxels)
    manifest = prepare(nifti, nifti, SCHEMA).manifest
    assert "case2-000" not in {row.name for row in manifest.rows}
    assert "case2-001" in {row.name for row in manifest.rows}
    assert any("1 slices of one grey" in note for note in manifest.notes)


def _write_nnunet(source: Path, nifti: Path, labels: dict[str, object], *, decathlon: bool) -> Path:
    source.mkdir()
    (nifti / "images").rename(source / "imagesTr")
    (nifti / "labels").rename(source / "labelsTr")
    content: dict[str, object] = {"labels": labels}
    content |= {"modality": {"0": "CT"}} if decathlon else {"channel_names": {"0": "CT"}, "file_ending": ".nii.gz"}
    (source / "dataset.json").write_text(json.dumps(content))
    if not decathlon:
        for path in (source / "imagesTr").iterdir():
            path.rename(path.with_name(path.name.replace(".nii.gz", "_0000.nii.gz")))
    return source


@pytest.mark.parametrize("decathlon", [False, True])
def test_named_labels_go_to_the_classes_of_their_names(tmp_path: Path, nifti: Path, decathlon: bool) -> None:
    names = {"background": 0, "consolidation": 1, "GGO": 2}
    labels: dict[str, object] = {str(v): k for k, v in names.items()} if decathlon else dict(names)
    folder = _write_nnunet(tmp_path / "task", nifti, labels, decathlon=decathlon)
    manifest = prepare(folder, folder, SCHEMA).manifest
    assert manifest.label_values == {0: 0, 1: 2, 2: 1}
    assert {row.split for row in manifest.rows} == {"train"}
    first = load_slices(manifest)[0]
    assert first.labels is not None
    assert (first.labels == 2).sum() == (first.labels == 1).sum() == 15


def test_labels_of_other_names_need_a_map(tmp_path: Path, nifti: Path) -> None:
    folder = _write_nnunet(tmp_path / "task", nifti, {"background": 0, "ggo": 1, "crazy paving": 2}, decathlon=False)
    with pytest.raises(DatasetError, match=r"schema \(crazy paving\): say --map 'crazy paving'=background"):
        prepare(folder, folder, SCHEMA)
    options = Options(label_map={"crazy paving": "ggo"})
    assert prepare(folder, folder, SCHEMA, options=options).manifest.label_values == {0: 0, 1: 1, 2: 1}


def test_a_label_map_that_names_nothing_is_refused(nifti: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        prepare(nifti, nifti, SCHEMA, options=Options(label_map={"1": "interstitial", "lesion": "ggo"}))
    assert "'interstitial'; the schema ggo-consolidation has background, ggo, consolidation: 1" in str(refused.value)
    assert "a label that the data set does not have; it has numbers only: lesion" in str(refused.value)


def test_several_channels_or_regions_are_refused(tmp_path: Path, nifti: Path) -> None:
    folder = _write_nnunet(tmp_path / "task", nifti, {"background": 0, "lesion": [1, 2]}, decathlon=False)
    content = json.loads((folder / "dataset.json").read_text()) | {"channel_names": {"0": "CT", "1": "PET"}}
    (folder / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError) as refused:
        prepare(folder, folder, SCHEMA)
    assert "channels other than one of CT" in str(refused.value)
    assert "no single number: 'lesion'" in str(refused.value)


def test_effusion_must_be_given_a_class(medseg: Path) -> None:
    with pytest.raises(DatasetError, match=r"schema \(effusion\): say --map effusion=.*tr-000"):
        prepare(medseg, medseg, SCHEMA)


def test_a_stack_is_single_slices_grouped_by_likeness(medseg: Path) -> None:
    prepared = prepare(medseg, medseg, "msdnet-paper", options=Options(label_map={"effusion": "background"}))
    groups = [row.group for row in prepared.manifest.rows]
    assert groups[1] == groups[3]  # one is the other, mirrored
    assert len(set(groups)) == 3
    assert any("tr-001 and tr-003 are the same image" in note for note in prepared.findings)
    labels = load_slices(prepared.manifest)[0].labels
    assert labels is not None
    assert set(np.unique(labels)) == {0, 1, 3}  # consolidation is the third class of that schema


def test_the_layout_is_told_from_the_files(nifti: Path, medseg: Path, draw_picture: Draw) -> None:
    assert [name for name, layout in LAYOUTS.items() if layout.fits(medseg)] == ["medseg"]
    Image.fromarray(draw_picture(0)).save(nifti / "images/extra.png")
    with pytest.raises(DatasetError, match="pictures and nifti"):
        prepare(nifti, nifti, SCHEMA)
    with pytest.raises(DatasetError, match=r"none of \.nii, \.nii\.gz: extra\.png"):
        prepare(nifti, nifti, SCHEMA, layout="nifti")
    with pytest.raises(OptionError, match="pictures, nifti, nnunet"):
        prepare(nifti, nifti, SCHEMA, layout="dicom")


def test_synthetic_patients_have_every_class_and_half_of_them_no_lesion(tmp_path: Path) -> None:
    options = Options(num_patients=2, shape=(6, 64, 64), seed=3)
    prepared = prepare(None, tmp_path / "made", "msdnet-paper", layout="phantom", options=options)
    with prepared.classes.open(newline="") as file:
        shown = {row["group"]: row for row in csv.DictReader(file)}
    assert all(int(shown["phantom-0003"][c]) for c in ("ggo", "interstitial", "consolidation"))
    assert shown["phantom-0004"]["no_lesion"] == shown["phantom-0004"]["slices"] == "6"
    manifest = read_manifest(tmp_path / "made")
    assert len(manifest.rows) == 12
    with (tmp_path / "made/manifest.csv").open() as file:
        assert "images/phantom-0003.nii.gz" in file.read()  # relative: the folder may move
    from msdnet.data.phantom import make_phantom

    phantom = make_phantom(3, shape=(6, 64, 64))
    for s, labels, voxels in zip(load_slices(manifest)[:6], phantom.labels, phantom.voxels_hu, strict=True):
        np.testing.assert_array_equal(s.labels, labels)
        assert np.corrcoef(s.image.ravel(), np.clip(voxels, -1100, 250).ravel())[0, 1] > 0.999


@pytest.fixture
def semiseg(tmp_path: Path, draw_picture: Draw) -> Path:
    folder = tmp_path / "semiseg"
    for part in ("multiclass/images", "multiclass/labels", "unlabelled/images", "unlabelled/pseudo-labels"):
        (folder / part).mkdir(parents=True)
    for i in range(3):
        Image.fromarray(draw_picture(i)).save(folder / f"multiclass/images/{i}.jpg")
        Image.fromarray(_labels((40, 50), 1, 2)).save(folder / f"multiclass/labels/{i}.png")
        name = f"Data-1_coronacases_org_00{i}_1"
        Image.fromarray(draw_picture(10 + i)).save(folder / f"unlabelled/images/{name}.jpg")
        Image.fromarray(draw_picture(20 + i)).save(folder / f"unlabelled/pseudo-labels/{name}.png")
    return folder


def _assert_same(folder: Path, out: Path) -> None:
    prepare(folder, out, SCHEMA)
    manifest = read_manifest(out)
    assert manifest.preparation == "covid-semiseg"
    assert not manifest.patients_known
    expected = [*read_labelled(folder), *read_unlabelled(folder)]
    for a, b in zip(load_slices(manifest), expected, strict=True):
        assert (a.name, a.group) == (b.name, b.group)
        for mine, theirs in ((a.image, b.image), (a.labels, b.labels), (a.weak, b.weak)):
            np.testing.assert_array_equal(mine, theirs)


def test_covid_semiseg_loads_as_its_own_reader_does(semiseg: Path, tmp_path: Path) -> None:
    _assert_same(semiseg, tmp_path / "out")


def test_covid_semiseg_stays_what_it_is_when_its_groups_are_corrected(semiseg: Path, tmp_path: Path) -> None:
    path = prepare(semiseg, tmp_path / "out", SCHEMA).manifest.path
    path.write_text(path.read_text().replace("group-1", "group-0"))
    again = prepare(path, path.parent, SCHEMA).manifest
    assert again.preparation == "covid-semiseg"
    slices = load_slices(again)
    assert slices[1].group == "group-0"
    np.testing.assert_array_equal(slices[3].image, read_unlabelled(semiseg)[0].image)


def test_covid_semiseg_has_its_own_schema(semiseg: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="one way only"):
        prepare(semiseg, tmp_path / "out", "infection")


@pytest.mark.slow
def test_the_real_slices_load_as_their_own_reader_gives_them(data_folder: Path, tmp_path: Path) -> None:
    _assert_same(data_folder / "covid-semiseg", tmp_path)
