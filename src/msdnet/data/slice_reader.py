"""Rows of a manifest -> training slices: images through `scans`, label maps on the image's grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from msdnet.config import Preprocessing
from msdnet.data.covid_semiseg import read_labelled, read_unlabelled
from msdnet.data.faults import Fault, raise_faults
from msdnet.data.manifest import Manifest, Row
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError, InputError
from msdnet.scans import read_scan
from msdnet.slices import to_canonical, to_grey

_UNREADABLE = (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError, Image.DecompressionBombError)

Array = np.ndarray[Any, Any]

NIFTI = (".nii", ".nii.gz")
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MANY_VALUES = 16
_WITH_LOSS = ("JPEG", "MPO", "JPEG2000", "WEBP")
_MOST_SHIFT = 0.25  # of a voxel, at any corner


def load_slices(
    manifest: Manifest, split: str | None = None, preprocessing: Preprocessing | None = None
) -> list[TrainingSlice]:
    """The slices of a split (None: of all), in the order of the rows.

    Args:
        manifest: The data set.
        split: See `Row.split`.
        preprocessing: Its window makes grey from HU; None for the default.

    Raises:
        OptionError: if no row has the split.
        DatasetError: if a slice cannot be used; all faults at once.
    """
    rows = manifest.rows_of(split)
    if manifest.preparation == "covid-semiseg":
        return load_covid_semiseg(rows)
    reader = SliceReader(manifest.label_values, manifest.window, manifest.grey, preprocessing or Preprocessing())
    groups: dict[Path, set[str]] = {}
    for row in manifest.rows:
        groups.setdefault(row.image, set()).add(row.group)
    slices, faults = [], []
    for row in rows:
        found = reader.read(row)
        faults += found.faults
        if found.slice is not None:
            of_one = len(groups[row.image]) == 1  # the header of a stack of many patients' slices is true of none
            slices.append(found.slice if of_one else dataclasses.replace(found.slice, spacing_mm=None))
    raise_faults(
        f"the data set of {manifest.path.name} cannot be loaded",
        faults,
        expected="slices and label maps as they were when the data set was prepared",
        do="prepare it again",
    )
    return slices


def load_covid_semiseg(rows: Sequence[Row]) -> list[TrainingSlice]:
    """The slices that `read_labelled` and `read_unlabelled` give for the rows, with the rows' groups."""
    slices: dict[str, TrainingSlice] = {}
    for labelled, read in ((True, read_labelled), (False, read_unlabelled)):
        for folder in {row.image.parents[2] for row in rows if (row.labels is not None) == labelled}:
            slices |= {s.name: s for s in read(folder)}
    return [dataclasses.replace(slices[row.name], group=row.group) for row in rows]


@dataclass(frozen=True)
class Found:
    """What a row gave: a slice, or the reasons why there is none; and whether its values are HU or grey."""

    slice: TrainingSlice | None
    faults: list[Fault]
    intensity: str = ""


@dataclass(frozen=True)
class Stack:
    """The slices of a file: (S, H, W) from feet to head, rows to the back, columns to the left.

    `affine` goes from indices to LPS millimetres; None where the file states no orientation. `spacing_mm` is the
    distance of rows and of columns of an image; None where the file does not tell it.
    """

    array: Array
    affine: Array | None
    intensity: str = ""
    spacing_mm: tuple[float, float] | None = None


class SliceReader:
    """Reads rows; the last file of each kind is kept, so that the slices of a volume cost one reading.

    Args:
        label_values: Number in the label files to number in the schema.
        window: As `read_scan` takes it.
        grey: As `read_scan` takes it.
        preprocessing: Its window makes grey from HU.
    """

    def __init__(
        self,
        label_values: Mapping[int, int],
        window: tuple[float, float] | None,
        grey: bool,
        preprocessing: Preprocessing,
    ) -> None:
        self.label_values, self.window, self.grey, self.preprocessing = label_values, window, grey, preprocessing
        self._kept: dict[str, tuple[Path, Stack | Fault]] = {}

    def read(self, row: Row) -> Found:
        """The slice of a row, or everything that is wrong with it."""
        image = self._stack("image", row.image)
        if isinstance(image, Fault):
            return Found(None, [image])
        count = image.array.shape[0]
        if (row.slice is None and count != 1) or (row.slice or 0) >= count:
            what = f"slice {'(none)' if row.slice is None else row.slice} of a file with {count} slices"
            return Found(None, [Fault(what, row.name)], image.intensity)
        labels, faults = self._target(row, "labels", image)
        weak, weak_faults = self._target(row, "weak", image)
        faults += weak_faults
        if labels is not None:
            picture = row.labels is not None and not row.labels.name.lower().endswith(NIFTI)
            labels, value_faults = self._in_schema(labels, row.name, picture)
            faults += value_faults
        if weak is not None and (weak.min() < 0 or weak.max() > 255):
            faults.append(Fault(f"a weak target with values from {weak.min()} to {weak.max()}, not 0 to 255", row.name))
        if faults:
            return Found(None, faults, image.intensity)
        values = image.array[row.slice or 0]
        grey = values
        if image.intensity == "HU":
            grey = (to_grey(values, "HU", self.preprocessing) * 255.0).round().numpy()
        found = TrainingSlice(
            row.name,
            row.group,
            np.array(grey, dtype=np.uint8),
            labels=labels,
            weak=None if weak is None else weak.astype(np.uint8),
            spacing_mm=image.spacing_mm,
        )
        return Found(found, [], image.intensity)

    def _target(self, row: Row, kind: str, image: Stack) -> tuple[Array | None, list[Fault]]:
        path: Path | None = getattr(row, kind)
        if path is None:
            return None, []
        stack = self._stack(kind, path)
        if isinstance(stack, Fault):
            return None, [stack]
        if misfit := _misfit(image, stack):
            return None, [Fault(f"{kind} that do not lie on the image's grid, {misfit}", row.name)]
        return stack.array[row.slice or 0], []

    def _in_schema(self, values: Array, name: str, picture: bool) -> tuple[Array | None, list[Fault]]:
        present = np.unique(values).tolist()
        unknown = [v for v in present if v not in self.label_values]
        if picture and len(unknown) > _MANY_VALUES:  # not one line for each
            what = "a picture of grey rather than of class numbers, perhaps once saved with loss (JPEG)"
            return None, [Fault(what, f"{name} ({len(present)} values, {present[0]} to {present[-1]})")]
        if unknown:
            return None, [Fault(f"label value {v} outside the schema", name) for v in unknown]
        labels = np.zeros(values.shape, dtype=np.uint8)
        for value in present:
            labels[values == value] = self.label_values[value]
        return labels, []

    def _stack(self, kind: str, path: Path) -> Stack | Fault:
        """The slices of a file, or why it cannot be read: a fault of the file, the same for each of its slices."""
        if kind not in self._kept or self._kept[kind][0] != path:
            self._kept.pop(kind, None)  # one volume of a kind at a time
            try:
                stack: Stack | Fault = self._read_image(path) if kind == "image" else read_label_map(path)
            except InputError as error:
                what = error.what.replace(path.name, "the file")
                stack = Fault(f"{what} ({error.do})", f"{path.parent.name}/{path.name} ({error.got})")
            except _UNREADABLE as error:
                stack = Fault(f"the file cannot be read ({type(error).__name__})", f"{path.parent.name}/{path.name}")
            self._kept[kind] = path, stack
        return self._kept[kind][1]

    def _read_image(self, path: Path) -> Stack:
        scan = read_scan(path, window=self.window, grey=self.grey)
        volume = to_canonical(scan)
        _, row_mm, column_mm = (float(mm) for mm in volume.spacing)
        spacing_mm = (row_mm, column_mm) if scan.pixel_spacing_known else None
        return Stack(volume.array, volume.affine if scan.orientation_known else None, scan.intensity, spacing_mm)


def read_label_map(path: Path) -> Stack:
    """The whole numbers in a PNG (grey, or palette indices) or NIfTI file.

    Raises:
        DatasetError: if it holds anything else; also what Pillow and nibabel raise for damaged files.
    """
    if path.name.lower().endswith(NIFTI):
        image: Any = nib.load(path)
        return _canonical(_whole_numbers(np.asanyarray(image.dataobj), path), image)
    with Image.open(path) as picture:
        if picture.format in _WITH_LOSS:
            raise _no_label_map(path, f"a {picture.format} file, whose pixels are not those that were saved")
        if picture.mode not in ("1", "L", "P", "I;16", "I"):
            raise _no_label_map(path, f"pixels of type {picture.mode}")
        return Stack(_whole_numbers(np.asarray(picture), path)[np.newaxis], None)


def count_slices(path: Path) -> int:
    """The number of axial slices in a NIfTI file, from its header."""
    image: Any = nib.load(path)
    return int(_canonical(np.broadcast_to(np.uint8(0), image.shape), image).array.shape[0])


def _whole_numbers(values: Array, path: Path) -> Array:
    if values.dtype.kind == "f":
        rounded = np.rint(values)
        if not np.array_equal(rounded, values):
            raise _no_label_map(path, "numbers that are not whole")
        values = rounded
    return values.astype(np.uint8) if values.dtype.kind == "b" else values.astype(np.int32)


def _no_label_map(path: Path, got: str) -> DatasetError:
    return DatasetError(
        f"{path.name} is no label map",
        got=got,
        expected="whole numbers: NIfTI, or PNG with 8-bit grey or palette indices",
        do="save it so",
    )


def _canonical(values: Array, image: Any) -> Stack:
    """The same orientation as `slices.to_canonical` gives the image of a label map."""
    values = values.reshape(values.shape[:3])
    if int(image.header["sform_code"]) <= 0 and int(image.header["qform_code"]) <= 0:
        return Stack(values.transpose(2, 1, 0), None)
    wanted = nib.orientations.axcodes2ornt(("S", "P", "L"))
    turn = nib.orientations.ornt_transform(nib.orientations.io_orientation(image.affine), wanted)
    affine = image.affine @ nib.orientations.inv_ornt_aff(turn, values.shape)
    return Stack(nib.orientations.apply_orientation(values, turn), _RAS_TO_LPS @ affine)


def _misfit(image: Stack, target: Stack) -> str:
    """How a label map's grid differs from the image's; empty where it does not."""
    if image.array.shape != target.array.shape:
        wanted, got = (" x ".join(map(str, s.array.shape[-2:])) for s in (image, target))
        if image.array.shape[0] != target.array.shape[0]:
            wanted, got = (f"{s.array.shape[0]} slices of {text}" for s, text in ((image, wanted), (target, got)))
        return f"{got} instead of {wanted}"
    if image.affine is None or target.affine is None:
        return ""
    size = np.array(image.array.shape) - 1
    corners = np.array([[*(size * (k, j, i)), 1] for k in (0, 1) for j in (0, 1) for i in (0, 1)])
    apart = np.abs((corners @ (image.affine - target.affine).T)[:, :3]).max()
    smallest = np.linalg.norm(image.affine[:3, :3], axis=0).min()
    return f"{apart:.1f} mm apart" if apart > _MOST_SHIFT * smallest else ""
