from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from msdnet.errors import DatasetError, OptionError, SchemaError
from msdnet.evaluation.agreement import evaluate_masks
from msdnet.evaluation.comparison import comparison_table, significance_table
from msdnet.evaluation.overlap import count_overlap, pool_groups, read_overlaps
from msdnet.evaluation.surface_distance import hausdorff95_mm
from msdnet.evaluation.tables import figures_table
from msdnet.labels import get_schema

SCHEMA = get_schema("ggo-consolidation")
AFFINE = np.diag([-0.7, -0.8, 5.0, 1.0])


def write_pngs(folder: Path, masks: dict[str, np.ndarray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        Image.fromarray(mask.astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def write_nifti(path: Path, labels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(labels.astype(np.uint8), affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def random_masks(seed: int, num: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"s{i}": rng.integers(0, 3, (10, 8)) for i in range(num)}


def test_folders_of_pngs_give_rows_tables_and_a_record(tmp_path: Path) -> None:
    predicted, true = random_masks(0), random_masks(1)
    groups = tmp_path / "groups.csv"
    groups.write_text("slice,group,fold\n" + "".join(f"s{i},p{i // 2},0\n" for i in range(4)))
    table = evaluate_masks(
        write_pngs(tmp_path / "p", predicted), write_pngs(tmp_path / "t", true), SCHEMA, tmp_path / "out", groups=groups
    )
    out = tmp_path / "out"
    assert table == out / "table.md"
    rows = [
        r
        for i in range(4)
        for r in count_overlap(predicted[f"s{i}"], true[f"s{i}"], SCHEMA, name=f"s{i}", group=f"p{i // 2}")
    ]
    assert read_overlaps(out / "per_slice.csv") == rows
    with (out / "per_patient.csv").open() as file:
        patients = list(csv.DictReader(file))
    assert [(p["group"], p["class_name"], int(p["tp"])) for p in patients] == [
        (p.group, p.class_name, p.tp) for p in pool_groups(rows)
    ]
    assert [float(p["dsc"]) for p in patients] == [p.dsc for p in pool_groups(rows)]
    expected = figures_table(rows, SCHEMA, notes=["no HD95: the spacing is not known"])
    assert table.read_text() == expected.markdown()
    assert (out / "table.csv").read_text() == expected.csv()
    assert (out / "table.tex").read_text() == expected.latex("table")
    text = (out / "run.json").read_text()
    assert str(tmp_path) not in text
    record = json.loads(text)
    assert (record["tool"], record["task"], record["bootstrap"]["seed"]) == ("msdnet", "evaluate", 0)
    assert (record["input"]["num_slices"], record["input"]["num_groups"]) == (4, 2)
    assert sorted(record["files"].values()) == sorted(p.name for p in out.iterdir())


def test_the_hash_follows_the_masks(tmp_path: Path) -> None:
    digests = []
    for seed in (0, 0, 2):
        p = write_pngs(tmp_path / "p", random_masks(seed))
        evaluate_masks(p, write_pngs(tmp_path / "t", random_masks(1)), SCHEMA, tmp_path / "out")
        digests.append(json.loads((tmp_path / "out" / "run.json").read_text())["input"]["sha256"]["p"])
    assert digests[0] == digests[1] != digests[2]
    assert "patients not known" in (tmp_path / "out" / "table.md").read_text()


def test_volumes_are_sliced_along_the_third_axis_with_their_spacing(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    volumes = {side: {n: rng.integers(0, 3, (8, 10, 3)) for n in ("a", "b")} for side in "pt"}
    for side, masks in volumes.items():
        for name, labels in masks.items():
            ending = ".nii.gz" if side == "p" else ".nii"
            write_nifti(tmp_path / side / (name + ending), labels)
    evaluate_masks(tmp_path / "p", tmp_path / "t", SCHEMA, tmp_path / "out")
    rows = read_overlaps(tmp_path / "out" / "per_slice.csv")
    assert [r.name for r in rows[::3]] == ["a:0", "a:1", "a:2", "b:0", "b:1", "b:2"]
    assert {r.group for r in rows} == {"a", "b"}
    p, t = (volumes[side]["b"][:, :, 2] == 1 for side in "pt")
    expected = hausdorff95_mm(p, t, (0.7, 0.8))
    assert rows[15].hd95_mm == pytest.approx(expected, rel=1e-6)
    assert rows[15].tp == (p & t).sum()
    assert "HD95 in mm" in (tmp_path / "out" / "table.md").read_text()
    evaluate_masks(tmp_path / "p", tmp_path / "t", SCHEMA, tmp_path / "out", hausdorff=False)
    assert "HD95" not in (tmp_path / "out" / "table.md").read_text()
    single = evaluate_masks(tmp_path / "p" / "a.nii.gz", tmp_path / "t" / "b.nii", SCHEMA, tmp_path / "one")
    assert "each volume counts as one patient" in single.read_text()


def test_results_of_segment_are_matched_by_their_folders(tmp_path: Path) -> None:
    labels = np.ones((4, 4, 2))
    write_nifti(tmp_path / "results" / "case1" / "labels.nii.gz", labels)
    write_nifti(tmp_path / "truth" / "case1.nii.gz", labels)
    evaluate_masks(tmp_path / "results", tmp_path / "truth", SCHEMA, tmp_path / "out")
    assert {r.group for r in read_overlaps(tmp_path / "out" / "per_slice.csv")} == {"case1"}


def test_a_volume_without_spacing_has_no_distance(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.ones((4, 4, 2), np.uint8), None)
    for side in "pt":
        nib.save(image, tmp_path / f"{side}.nii")
    evaluate_masks(tmp_path / "p.nii", tmp_path / "t.nii", SCHEMA, tmp_path / "out")
    assert "no HD95: the spacing is not known" in (tmp_path / "out" / "table.md").read_text()


def test_grey_values_of_other_people_are_mapped(tmp_path: Path) -> None:
    predicted, true = random_masks(0), random_masks(1)
    grey = np.array([0, 38, 75])
    p = write_pngs(tmp_path / "p", {k: grey[v] for k, v in predicted.items()})
    t = write_pngs(tmp_path / "t", true)
    evaluate_masks(p, t, SCHEMA, tmp_path / "mapped", values={38: 1, 75: 2})
    evaluate_masks(write_pngs(tmp_path / "i", predicted), t, SCHEMA, tmp_path / "plain", values={1: 1, 2: 2})
    rows = (tmp_path / "mapped" / "per_slice.csv").read_text()
    assert rows == (tmp_path / "plain" / "per_slice.csv").read_text()
    swapped = write_pngs(tmp_path / "s", {k: np.array([0, 2, 1])[v] for k, v in true.items()})
    evaluate_masks(p, swapped, SCHEMA, tmp_path / "both", values={38: 1, 75: 2}, label_values={2: 1, 1: 2})
    assert rows == (tmp_path / "both" / "per_slice.csv").read_text()
    for option, given in (("--values", {"values": {38: 3}}), ("--label-values", {"label_values": {38: 3}})):
        with pytest.raises(OptionError, match=f"{option} leads to numbers .* does not have"):
            evaluate_masks(p, t, SCHEMA, tmp_path / "out", **given)


def test_numbers_outside_the_schema_are_listed_for_every_file(tmp_path: Path) -> None:
    bad = {"a": np.full((3, 3), 75), "b": np.full((3, 3), 38), "c": np.ones((3, 3))}
    p = write_pngs(tmp_path / "p", bad)
    t = write_pngs(tmp_path / "t", {k: np.ones((3, 3)) for k in bad})
    with pytest.raises(SchemaError) as error:
        evaluate_masks(p, t, SCHEMA, tmp_path / "out")
    assert "2 faults" in error.value.what
    assert "a, predicted: numbers that are not in the schema 'ggo-consolidation': 75" in error.value.got
    assert "b, predicted: numbers that are not in the schema 'ggo-consolidation': 38" in error.value.got
    assert "--values OLD=NEW (predictions) or --label-values OLD=NEW (labels)" in error.value.do
    with pytest.raises(SchemaError, match="not mapped: 75"):
        evaluate_masks(p, t, SCHEMA, tmp_path / "out", values={38: 1, 1: 1})
    assert not (tmp_path / "out").exists()


def test_every_fault_of_pictures_is_told_at_once(tmp_path: Path) -> None:
    one = np.ones((4, 4))
    p = write_pngs(tmp_path / "p", {"size": np.ones((4, 5)), "extra": one, "value": one * 9, "lone": one})
    t = write_pngs(tmp_path / "t", dict.fromkeys(("size", "value", "colour", "broken", "missing", "lone"), one))
    coloured = np.zeros((4, 4, 3), np.uint8)
    coloured[0, 0] = (128, 0, 0)
    Image.fromarray(coloured).save(p / "colour.png")
    (p / "broken.png").write_bytes((t / "broken.png").read_bytes()[:40])
    groups = tmp_path / "groups.csv"
    groups.write_text("slice,group\nsize,x\nvalue,x\ncolour,x\nbroken,x\n")
    with pytest.raises(DatasetError) as error:
        evaluate_masks(p, t, SCHEMA, tmp_path / "out", groups=groups)
    for words in (
        "extra: predicted, but not among the labels",
        "missing: among the labels, but not predicted",
        "size: predicted and true labels differ in size: 4 x 5 against 4 x 4",
        "value, predicted: numbers that are not in the schema 'ggo-consolidation': 9",
        "p/colour.png is not a picture of class numbers: a picture in colours (RGB)",
        "p/broken.png cannot be read",
        "lone: not among the slices of --groups",
    ):
        assert words in error.value.got
    assert "7 faults" in error.value.what
    assert "give --groups a line for every slice or volume; complete the folders" in error.value.do
    assert "convert('L') and say which grey is which class with --values OLD=NEW" in error.value.do
    assert not (tmp_path / "out").exists()


def test_every_fault_of_volumes_is_told_at_once(tmp_path: Path) -> None:
    ones = np.ones((4, 4, 2))
    moved = AFFINE.copy()
    moved[0, 3] = 3.0
    rounded = AFFINE.copy()
    rounded[0, 3] = 1e-3
    sagittal = AFFINE[:, [2, 1, 0, 3]]
    for name in ("moved", "rounded", "shape", "axes", "fraction"):
        write_nifti(tmp_path / "t" / f"{name}.nii", ones)
    write_nifti(tmp_path / "p" / "moved.nii", ones, moved)
    write_nifti(tmp_path / "p" / "rounded.nii", ones, rounded)
    write_nifti(tmp_path / "p" / "shape.nii", np.ones((4, 4, 3)))
    write_nifti(tmp_path / "p" / "axes.nii", ones, sagittal)
    nib.save(nib.Nifti1Image(ones.astype(np.float32) * 0.5, AFFINE), tmp_path / "p" / "fraction.nii")
    with pytest.raises(DatasetError) as error:
        evaluate_masks(tmp_path / "p", tmp_path / "t", SCHEMA, tmp_path / "out")
    for words in (
        "moved: predicted and true labels lie on different grids: affines that put a corner 3 mm apart",
        "shape: predicted and true labels differ in size: 4 x 4 x 3 against 4 x 4 x 2",
        "the third axis of p/axes.nii does not run from slice to slice",
        "p/fraction.nii is not a label map: float32 of shape (4, 4, 2) with fractions",
    ):
        assert words in error.value.got
    assert "4 faults" in error.value.what


def test_kinds_that_cannot_be_matched_are_refused(tmp_path: Path) -> None:
    pngs = write_pngs(tmp_path / "p", {"a": np.ones((3, 3))})
    write_nifti(tmp_path / "n" / "a.nii", np.ones((3, 3, 1)))
    with pytest.raises(DatasetError, match="two kinds"):
        evaluate_masks(pngs, tmp_path / "n", SCHEMA, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="hold no masks"):
        evaluate_masks(tmp_path / "empty", pngs, SCHEMA, tmp_path / "out")
    write_nifti(pngs / "b.nii", np.ones((3, 3, 1)))
    with pytest.raises(DatasetError, match="cannot be used"):
        evaluate_masks(pngs, pngs, SCHEMA, tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "words"),
    [("name,patient\na,b\n", "columns name, patient"), ("slice;group\na;x\na;y\n", "two groups: a")],
)
def test_groups_that_cannot_be_used_are_refused(tmp_path: Path, text: str, words: str) -> None:
    pngs = write_pngs(tmp_path / "p", {"a": np.ones((3, 3))})
    groups = tmp_path / "groups.csv"
    groups.write_text(text)
    with pytest.raises(DatasetError) as error:
        evaluate_masks(pngs, pngs, SCHEMA, tmp_path / "out", groups=groups)
    assert words in error.value.got
    with pytest.raises(DatasetError, match="cannot be read"):
        evaluate_masks(pngs, pngs, SCHEMA, tmp_path / "out", groups=tmp_path / "nowhere.csv")


def test_palette_bilevel_and_grey_colour_pictures_are_read_as_their_numbers(tmp_path: Path) -> None:
    mask = np.random.default_rng(5).integers(0, 2, (6, 5)).astype(np.uint8)
    t = write_pngs(tmp_path / "t", dict.fromkeys(("palette", "bilevel", "grey"), mask))
    (tmp_path / "p").mkdir()
    palette = Image.fromarray(mask).convert("P")
    palette.putdata(mask.ravel().tolist())
    palette.putpalette([0, 0, 0, 235, 70, 70])
    palette.save(tmp_path / "p" / "palette.png")
    Image.fromarray(mask.astype(bool)).save(tmp_path / "p" / "bilevel.png")
    Image.fromarray(np.repeat(mask[..., None], 3, axis=2)).save(tmp_path / "p" / "grey.png")
    evaluate_masks(tmp_path / "p", t, SCHEMA, tmp_path / "out")
    rows = read_overlaps(tmp_path / "out" / "per_slice.csv")
    assert [(r.tp, r.fp + r.fn) for r in rows if r.class_name == "ggo"] == [(int(mask.sum()), 0)] * 3


def test_slices_of_a_volume_may_have_groups_of_their_own(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii", np.ones((3, 3, 2)))
    groups = tmp_path / "groups.csv"
    groups.write_text("slice,group\na:0,x\na:1,y\n")
    evaluate_masks(tmp_path / "a.nii", tmp_path / "a.nii", SCHEMA, tmp_path / "out", groups=groups)
    assert [r.group for r in read_overlaps(tmp_path / "out" / "per_slice.csv")[::3]] == ["x", "y"]


def test_names_of_groups_may_carry_an_ending_and_letters_in_two_parts(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    p = write_pngs(tmp_path / "p", {composed: np.ones((3, 3)), "b": np.ones((3, 3))})
    t = write_pngs(tmp_path / "t", {decomposed: np.ones((3, 3)), "b": np.ones((3, 3))})
    groups = tmp_path / "groups.csv"
    groups.write_text(f"name,group\n{decomposed},x\nb.png,y\n", encoding="utf-8")
    evaluate_masks(p, t, SCHEMA, tmp_path / "out", groups=groups)
    rows = read_overlaps(tmp_path / "out" / "per_slice.csv")
    assert {(r.name, r.group) for r in rows} == {(composed, "x"), ("b", "y")}


def test_a_slice_without_a_group_is_told_with_what_to_do(tmp_path: Path) -> None:
    pngs = write_pngs(tmp_path / "p", {"a": np.ones((3, 3)), "b": np.ones((3, 3))})
    groups = tmp_path / "groups.csv"
    groups.write_text("name,group\na,x\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="b: not among") as error:
        evaluate_masks(pngs, pngs, SCHEMA, tmp_path / "out", groups=groups)
    assert error.value.do == "give --groups a line for every slice or volume"


def test_soft_maps_are_marked_from_a_share_of_white_on(tmp_path: Path) -> None:
    infection = get_schema("infection")
    rng = np.random.default_rng(7)
    true = {name: rng.integers(0, 2, (9, 8)) for name in ("eight", "sixteen")}
    t = write_pngs(tmp_path / "t", {name: mask * 255 for name, mask in true.items()})
    soft = rng.random((9, 8))
    (tmp_path / "p").mkdir()
    Image.fromarray(np.round(soft * 255).astype(np.uint8)).save(tmp_path / "p" / "eight.png")
    Image.fromarray(np.round(soft * 65535).astype(np.uint16)).save(tmp_path / "p" / "sixteen.png")
    given = {"label_values": {255: 1}, "threshold": 0.4}
    evaluate_masks(tmp_path / "p", t, infection, tmp_path / "out", **given)
    rows = [r for r in read_overlaps(tmp_path / "out" / "per_slice.csv") if r.class_name == "infection"]
    for row, share in zip(rows, (np.round(soft * 255) / 255, np.round(soft * 65535) / 65535), strict=True):
        marked, lesion = share >= 0.4, true[row.name] == 1
        assert (row.tp, row.fp, row.fn) == ((marked & lesion).sum(), (marked & ~lesion).sum(), (~marked & lesion).sum())
    assert "soft maps, marked from 0.4 on" in (tmp_path / "out" / "table.md").read_text()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["options"]["threshold"] == 0.4

    for side, values in (("p", soft.astype(np.float32)), ("t", true["eight"].astype(np.uint8))):
        nib.save(nib.Nifti1Image(values[..., None], AFFINE), tmp_path / f"{side}.nii")
    evaluate_masks(tmp_path / "p.nii", tmp_path / "t.nii", infection, tmp_path / "nifti", threshold=0.4)
    row = read_overlaps(tmp_path / "nifti" / "per_slice.csv")[0]
    assert row.tp == ((soft.astype(np.float32) >= 0.4) & (true["eight"] == 1)).sum()


def test_soft_maps_that_are_none_are_refused(tmp_path: Path) -> None:
    infection = get_schema("infection")
    p = write_pngs(tmp_path / "p", {"a": np.ones((3, 3))})
    for schema, given in (
        (SCHEMA, {"threshold": 0.5}),
        (infection, {"threshold": 0.0}),
        (infection, {"threshold": 1.5}),
        (infection, {"threshold": float("nan")}),
        (infection, {"threshold": 0.5, "values": {1: 1}}),
    ):
        with pytest.raises(OptionError, match="--threshold cannot be used so"):
            evaluate_masks(p, p, schema, tmp_path / "out", **given)
    palette = Image.fromarray(np.ones((3, 3), np.uint8)).convert("P")
    (tmp_path / "palette").mkdir()
    palette.save(tmp_path / "palette" / "a.png")
    with pytest.raises(DatasetError, match="not a soft map: a picture with a palette"):
        evaluate_masks(tmp_path / "palette", p, infection, tmp_path / "out", threshold=0.5)
    nib.save(nib.Nifti1Image(np.full((3, 3, 1), 2.5, np.float32), AFFINE), tmp_path / "p.nii")
    write_nifti(tmp_path / "t.nii", np.ones((3, 3, 1)))
    with pytest.raises(DatasetError, match=r"numbers from 2\.5 to 2\.5"):
        evaluate_masks(tmp_path / "p.nii", tmp_path / "t.nii", infection, tmp_path / "out", threshold=0.5)
    with pytest.raises(DatasetError, match="--threshold"):
        evaluate_masks(tmp_path / "p.nii", tmp_path / "t.nii", infection, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_class_numbers_are_not_taken_for_soft_maps(tmp_path: Path) -> None:
    infection = get_schema("infection")
    masks = {name: np.minimum(mask, 1) for name, mask in random_masks(1, num=3).items()}
    p, soft = write_pngs(tmp_path / "p", masks), write_pngs(tmp_path / "soft", {n: m * 255 for n, m in masks.items()})
    with pytest.raises(
        DatasetError, match=r"p: the soft maps are all but black: no pixel with more than 0\.0039 of white"
    ):
        evaluate_masks([soft, p], p, infection, tmp_path / "out", threshold=0.5)
    evaluate_masks(soft, p, infection, tmp_path / "out", threshold=0.5)
    assert all(r.fp == r.fn == 0 for r in read_overlaps(tmp_path / "out" / "per_slice.csv"))
    empty = write_pngs(tmp_path / "empty", {n: np.zeros_like(m) for n, m in masks.items()})
    evaluate_masks(empty, p, infection, tmp_path / "nothing", threshold=0.5)
    Image.new("RGBA", (8, 10)).save(p / "s0.png")
    with pytest.raises(DatasetError, match="not a soft map") as colours:
        evaluate_masks(p, soft, infection, tmp_path / "none", label_values={255: 1}, threshold=0.5)
    assert "--values" not in colours.value.do


def test_probabilities_saved_as_scaled_bytes_are_soft_maps(tmp_path: Path) -> None:
    infection = get_schema("infection")
    shares = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 3, 2)
    image = nib.Nifti1Image(shares, AFFINE)
    image.header.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "p.nii")
    assert np.asanyarray(nib.load(tmp_path / "p.nii").dataobj).max() > 1
    write_nifti(tmp_path / "t.nii", (shares >= 0.5).astype(np.uint8))
    evaluate_masks(tmp_path / "p.nii", tmp_path / "t.nii", infection, tmp_path / "out", threshold=0.5)
    assert all(r.dsc == 1 for r in read_overlaps(tmp_path / "out" / "per_slice.csv") if r.present)
    colours = np.zeros((4, 3, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, AFFINE), tmp_path / "p.nii")
    with pytest.raises(DatasetError, match="not a label map"):
        evaluate_masks(tmp_path / "p.nii", tmp_path / "t.nii", infection, tmp_path / "none", threshold=0.5)


def test_a_linked_folder_goes_by_its_own_name(tmp_path: Path) -> None:
    masks = random_masks(1, num=2)
    t = write_pngs(tmp_path / "t", masks)
    for name in ("unet", "infnet"):
        target = tmp_path / f"run of {name}" / "pred"
        target.parent.mkdir()
        (tmp_path / name).symlink_to(write_pngs(target, masks))
    evaluate_masks([tmp_path / "unet", tmp_path / "infnet"], t, SCHEMA, tmp_path / "out", reference="infnet")
    assert (tmp_path / "out" / "per_slice.unet.csv").is_file()


def test_several_predictions_are_compared_as_networks_are(tmp_path: Path) -> None:
    true = random_masks(1, num=8)
    t = write_pngs(tmp_path / "t", true)
    folders = [write_pngs(tmp_path / name, random_masks(seed, num=8)) for name, seed in (("one", 2), ("two", 3))]
    out = tmp_path / "out"
    table = evaluate_masks(folders, t, SCHEMA, out, reference="two")
    rows = {path.name: read_overlaps(out / f"per_slice.{path.name}.csv") for path in folders}
    notes = json.loads((out / "run.json").read_text())["notes"]
    assert table.read_text() == comparison_table(rows, SCHEMA, reference="two", notes=notes).markdown()
    expected = significance_table(rows, SCHEMA, reference="two", notes=notes)
    assert (out / "significance.csv").read_text() == expected.csv()
    evaluate_masks(folders, t, SCHEMA, tmp_path / "strict", min_pixels=20)
    for folder, pixels in ((out, 1), (tmp_path / "strict", 20)):
        with (folder / "detection.csv").open(newline="", encoding="utf-8") as file:
            told = {(row["network"], row["class"], row["unit"]): row for row in csv.DictReader(file)}
        assert len(told) == 2 * 3 * 2
        found = [r.tp + r.fp >= pixels for r in rows["one"] if r.class_name == "ggo" and r.present]
        assert float(told["one", "Ground-glass opacity", "slices"]["sensitivity"]) == pytest.approx(np.mean(found))
    for path in folders:
        evaluate_masks(path, t, SCHEMA, tmp_path / "alone")
        assert read_overlaps(tmp_path / "alone" / "per_slice.csv") == rows[path.name]
    record = json.loads((out / "run.json").read_text())
    assert record["options"]["reference"] == "two"
    assert sorted(record["files"].values()) == sorted(p.name for p in out.iterdir())
    evaluate_masks(folders, t, SCHEMA, tmp_path / "first")
    assert json.loads((tmp_path / "first" / "run.json").read_text())["options"]["reference"] == "one"


def test_the_working_folder_goes_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = random_masks(1, num=2)
    one, t = write_pngs(tmp_path / "one", masks), write_pngs(tmp_path / "t", masks)
    monkeypatch.chdir(one)
    evaluate_masks(Path(), t, SCHEMA, tmp_path / "out")
    assert list(json.loads((tmp_path / "out" / "run.json").read_text())["input"]["sha256"]) == ["one"]


def test_several_predictions_that_cannot_be_compared_are_refused_with_their_names(tmp_path: Path) -> None:
    masks = random_masks(1, num=2)
    t, one = write_pngs(tmp_path / "t", masks), write_pngs(tmp_path / "one", masks)
    wrong = write_pngs(tmp_path / "wrong", {"s0": masks["s0"], "s1": np.full((10, 8), 9)})
    fewer = write_pngs(tmp_path / "fewer", {"s0": masks["s0"]})
    with pytest.raises(DatasetError) as error:
        evaluate_masks([one, wrong, fewer], t, SCHEMA, tmp_path / "out")
    assert "wrong: s1, predicted: numbers that are not in the schema 'ggo-consolidation': 9" in error.value.got
    assert "fewer: s1: among the labels, but not predicted" in error.value.got
    assert "2 faults" in error.value.what
    broken = write_pngs(tmp_path / "broken", {**masks, "s0": np.full((10, 8), 7)})
    with pytest.raises(SchemaError) as truth:
        evaluate_masks([one, write_pngs(tmp_path / "uno", masks)], broken, SCHEMA, tmp_path / "out")
    assert "1 fault" in truth.value.what  # the truth's, told once
    assert "s0, true: numbers" in truth.value.got
    with pytest.raises(OptionError, match="--min-pixels 0"):
        evaluate_masks([one, fewer], t, SCHEMA, tmp_path / "out", min_pixels=0)
    with pytest.raises(OptionError, match="cannot be told apart"):
        evaluate_masks([one, one], t, SCHEMA, tmp_path / "out")
    with pytest.raises(OptionError, match=r"no prediction is the reference(.|\n)*name one of them with --reference"):
        evaluate_masks([one, fewer], t, SCHEMA, tmp_path / "out", reference="three")
    assert not (tmp_path / "out").exists()
