"""Labels -> DICOM SEG (BINARY, coded segments, each frame referencing its source slice), and back to compare."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from pydicom.pixels.utils import iter_pixels
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from msdnet.errors import OutputError
from msdnet.labels import LUNGS, LabelSchema
from msdnet.scans.dicom_files import quiet_pydicom
from msdnet.scans.dicom_repeat import elements_but_frames, product_version, take_times_of, uid_of
from msdnet.scans.dicom_writing import identify_schemes, number_or_none, write_from_headers
from msdnet.scans.scan import Scan

Array = np.ndarray[Any, Any]

_MAX_SHIFT = 0.01


@dataclass(frozen=True)
class _Contents:
    """What a segmentation says it holds."""

    label: str
    description: str
    series: str
    series_number: int


_LESIONS = _Contents("LESIONS", "Lesions found by a network. Research use only.", "msdnet lesions", 9_101)
_LUNGS = _Contents("LUNGS", "Lungs found by density, with the lesions. Research use only.", "msdnet lungs", 9_102)
_LEVELS = _Contents("LUNG_LEVELS", "Parts of the lungs by height. Research use only.", "msdnet lung levels", 9_104)
_SHELLS = _Contents("LUNG_SHELLS", "Lungs by distance from the wall. Research use only.", "msdnet lung shells", 9_105)
_LOBES = _Contents("LUNG_LOBES", "Lobes of a mask that was given. Research use only.", "msdnet lung lobes", 9_106)
_GIVEN_LUNGS = _Contents("LUNGS", "Lungs of a mask that was given. Research use only.", "msdnet lungs", 9_102)


def write_segmentation(
    labels: Array,
    scan: Scan,
    path: Path,
    schema: LabelSchema,
    weights_name: str,
    weights_sha256: str,
    *,
    given: bool = False,
) -> str:
    """Writes the labels as one DICOM SEG in the source's study, patient and frame of reference.

    Frames without voxels are left out; a scan without lesions gives empty frames on its first two slices.
    UIDs follow from the source's UIDs, the weights, the schema, the labels and this version, times from the source's
    study: the same input under the same settings gives the same bytes again.

    Args:
        labels: uint8 (slice, row, column).
        given: Whether lungs are those of a mask that another program made.

    Returns:
        Why the source's headers make it impossible, and then there is no file; empty if it was written.
    """
    is_empty = not labels.any()
    what = _contents(schema, given=given)
    seed = _seed(labels, scan, schema, weights_sha256)

    def make(sources: list[Any]) -> Any:
        segmentation = hd.seg.Segmentation(
            source_images=sources,
            pixel_array=labels[:2] if is_empty else labels,
            plane_positions=[_position(s) for s in sources[:2]] if is_empty else None,
            pixel_measures=_measures(scan),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=_describe(schema, seed, weights_name, weights_sha256, given=given),
            series_instance_uid=uid_of(seed, "series"),
            series_number=what.series_number,
            sop_instance_uid=uid_of(seed, "instance"),
            instance_number=1,
            manufacturer="msdnet",
            manufacturer_model_name="msdnet",
            software_versions=product_version(),
            device_serial_number=weights_sha256[:16] or "0",
            content_label=what.label,
            content_description=what.description,
            series_description=f"{what.series}, {weights_name}. Research use only"[:64],
            coding_schemes=identify_schemes(_used_schemes(schema)),
            omit_empty_frames=not is_empty,
        )
        take_times_of(sources[0], segmentation)
        for item in elements_but_frames(segmentation):
            if item.keyword == "DimensionOrganizationUID":
                item.value = uid_of(seed, "dimensions")
        return segmentation

    return write_from_headers(scan, path, make)


def check_segmentation(path: Path, scan: Scan, labels: Array) -> None:
    """Reads a DICOM SEG back, frame by frame, each placed by its own position and orientation.

    Args:
        path: Of the segmentation.
        scan: Whose headers it was made from.
        labels: uint8 (slice, row, column), what it should hold.

    Raises:
        OutputError: if a frame lies on no slice of the scan, references another slice than it lies on, or differs from
            the labels.
    """
    with quiet_pydicom():
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        frames = iter_pixels(path)  # one at a time: bits become eight times as large
    inverse = np.linalg.inv(scan.volume.affine)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    num_left = np.count_nonzero(labels)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = inverse @ _frame_affine(groups, shared)
        index = round(float(place[0, 2]))
        wanted = np.array([[0, 0, index], [1, 0, 0], [0, 1, 0]], dtype=float)
        if not 0 <= index < len(labels) or np.abs(place[:3] - wanted).max() > _MAX_SHIFT:
            raise _misplaced(path, "a frame that lies on no slice of the scan", "every frame on its slice")
        reference = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        if reference != scan.source.datasets[index].SOPInstanceUID:
            raise _misplaced(path, f"a frame on slice {index + 1} that references another", "its own slice")
        number = _group(groups, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber
        check_same(labels[index] == number, frame > 0, path.name)
        num_left -= np.count_nonzero(frame)
    if num_left:
        raise differs(path.name, "frames of some labels alone", f"{num_left} voxels more")


def check_same(expected: Array, found: Array, file: str) -> None:
    """Nothing, if what was read from a file is what was to be written.

    Raises:
        OutputError: if it is not.
    """
    if found.shape != expected.shape:
        raise differs(file, f"shape {found.shape}", f"shape {expected.shape}")
    if not np.array_equal(found, expected):
        raise differs(file, f"{np.count_nonzero(found != expected)} other voxels on a slice", "none")


def differs(file: str, got: str, expected: str) -> OutputError:
    """The error for a file that does not hold what was to be written."""
    return OutputError(
        f"{file} differs from what was predicted", got=got, expected=expected, do="check the disk, and run it again"
    )


def _contents(schema: LabelSchema, *, given: bool) -> _Contents:
    of_lungs = {LUNGS.name: _GIVEN_LUNGS if given else _LUNGS, "lung-shells": _SHELLS, "lung-lobes": _LOBES}
    return of_lungs.get(schema.name, _LEVELS) if schema.anatomical else _LESIONS


def _position(source: Any) -> Any:
    return hd.PlanePositionSequence("PATIENT", image_position=[float(v) for v in source.ImagePositionPatient])


def _measures(scan: Scan) -> Any:
    """Pixel spacing and the slices' distance as the scan has them; a single slice may not state a distance."""
    spacing = [float(s) for s in scan.volume.spacing]
    known = len(scan.source.datasets) > 1 or scan.spacing_known
    return hd.PixelMeasuresSequence(
        pixel_spacing=spacing[1:],
        slice_thickness=number_or_none(scan.source.datasets[0], "SliceThickness") or spacing[0],
        spacing_between_slices=spacing[0] if known else None,
    )


def _describe(
    schema: LabelSchema, seed: str, weights_name: str, weights_sha256: str, *, given: bool
) -> list[SegmentDescription]:
    algorithm = hd.AlgorithmIdentificationSequence(
        name="MSD-Net" if not schema.anatomical else "given mask" if given else "density and morphology",
        family=codes.DCM.ArtificialIntelligence,
        version=product_version(),
        source="msdnet",
        parameters={"weights": weights_name, "weights_sha256": weights_sha256},
    )
    anatomy, disease = codes.SCT.AnatomicalStructure, codes.SCT.MorphologicallyAbnormalStructure
    segments = []
    for c in schema.classes:
        segment = SegmentDescription(
            segment_number=c.index,
            segment_label=c.title,
            segmented_property_category=anatomy if schema.anatomical else disease,
            segmented_property_type=Code(c.code.value, c.code.scheme, c.code.meaning),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=uid_of(seed, f"segment {c.index}"),
            tracking_id=f"msdnet {c.name}",
            anatomic_regions=None if schema.anatomical else [codes.SCT.Lung],
            display_color=CIELabColor.from_rgb(*c.colour),
        )
        modifiers = [hd.sr.CodedConcept(m.value, m.scheme, m.meaning) for m in (c.side, c.place) if m is not None]
        if modifiers:
            segment.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = modifiers
        segments.append(segment)
    return segments


def _used_schemes(schema: LabelSchema) -> set[str]:
    codes_used = (code for c in schema.classes for code in (c.code, c.side, c.place) if code is not None)
    return {"DCM", "SCT"} | {code.scheme for code in codes_used}


def _seed(labels: Array, scan: Scan, schema: LabelSchema, weights_sha256: str) -> str:
    digest = hashlib.sha256("\n".join([product_version(), weights_sha256, repr(schema)]).encode())
    for source in scan.source.datasets:
        digest.update(str(source.SOPInstanceUID).encode())
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()


def _frame_affine(groups: Any, shared: Any) -> Array:
    """Columns: one step along the rows, one along the columns, and the first pixel's position (LPS mm), 4 x 3."""
    origin = np.array(_group(groups, shared, "PlanePositionSequence").ImagePositionPatient, dtype=float)
    cosines = np.array(_group(groups, shared, "PlaneOrientationSequence").ImageOrientationPatient, dtype=float)
    spacing = np.array(_group(groups, shared, "PixelMeasuresSequence").PixelSpacing, dtype=float)
    affine = np.zeros((4, 3))
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = cosines[3:] * spacing[0], cosines[:3] * spacing[1], origin
    affine[3, 2] = 1
    return affine


def _group(groups: Any, shared: Any, keyword: str) -> Any:
    return (groups[keyword] if keyword in groups else shared[keyword]).value[0]


def _misplaced(path: Path, got: str, expected: str) -> OutputError:
    return OutputError(
        f"{path.name} lies elsewhere than the scan", got=got, expected=expected, do="report this as a defect"
    )
