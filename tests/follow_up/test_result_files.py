"""A result that is not as it was written is refused, and named."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from msdnet.errors import OptionError
from msdnet.quantification.follow_up import align, read_timepoints

OTHERS = {"same_person": True, "dates": (datetime.date(2024, 3, 1), datetime.date(2024, 3, 9))}


def _cut_off(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _edit(path: Path, place: tuple[int, int, int], value: int) -> None:
    image = nib.load(path)
    voxels = np.asarray(image.dataobj).copy()
    assert voxels[place] != value
    voxels[place] = value
    nib.save(nib.Nifti1Image(voxels, image.affine, image.header), path)


@pytest.mark.parametrize("how", ["cut off", "shorter", "edited", "another class"])
def test_a_label_map_that_is_not_that_of_the_tables_is_refused(how: str, copy_of, results) -> None:
    folder = copy_of(1)
    path = folder / "labels.nii.gz"
    marked = tuple(np.argwhere(np.asarray(nib.load(path).dataobj) == 1)[0])
    if how == "cut off":
        _cut_off(path)
    elif how == "shorter":  # a whole gzip of half a volume, which SimpleITK fills with nothing
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(content[: len(content) // 2]))
    else:
        _edit(path, marked, 0 if how == "edited" else 2)
    with pytest.raises(OptionError, match="segment that scan again") as caught:
        read_timepoints([results[0], folder], **OTHERS)
    assert str(folder) in str(caught.value)
    assert "labels.nii.gz" in str(caught.value)


@pytest.mark.parametrize("to", [0, 1])
def test_lungs_that_are_not_those_of_the_tables_are_refused(to: int, copy_of, results) -> None:
    folder = copy_of(1)
    path = folder / "lungs.nii.gz"
    left = tuple(np.argwhere(np.asarray(nib.load(path).dataobj) == 2)[0])
    _edit(path, left, to)
    with pytest.raises(OptionError, match="segment that scan again") as caught:
        read_timepoints([results[0], folder], **OTHERS)
    assert f"{folder}: lungs.nii.gz has other voxels" in str(caught.value)


@pytest.mark.parametrize("name", ["preview.nii.gz", "lungs.nii.gz"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_damaged_picture_is_named_and_not_called_other_lungs(place: int, name: str, copy_of, results) -> None:
    folders = list(results)
    folders[place] = copy_of(place)
    _cut_off(folders[place] / name)
    with pytest.raises(OptionError, match="segment that scan again") as caught:
        align(read_timepoints(folders, **OTHERS))
    assert f"{folders[place]}: {name}" in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({"schema": {}}, "schema.name"),
        ({"input": {"sha256": "0"}}, "input.spacing_mm.slice"),
        ({"input": {"sha256": "0", "spacing_mm": {"slice": 1.0, "row": "1", "column": 1.0}}}, "input.spacing_mm.row"),
        ({"input": []}, "input.sha256"),
        ({"weights": "resnet18-v3"}, "weights.name"),
        ({"options": None}, "options"),
        ({"subject": {"day": 3}}, "subject.key"),
        ({"subject": {"key": "a", "day": "3"}}, "subject.day"),
        ({"acquisition": []}, "acquisition"),
        ({"schema": {"name": "unheard-of"}}, "unheard-of"),
    ],
)
def test_a_partly_damaged_record_is_named(entries: dict[str, object], named: str, copy_of, results) -> None:
    folder = copy_of(1)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(record | entries), encoding="utf-8")
    with pytest.raises(OptionError, match="segment that scan again") as caught:
        read_timepoints([results[0], folder], **OTHERS)
    assert str(folder) in str(caught.value)
    assert named in str(caught.value)
