"""One DICOM series -> Scan: decoded, in HU, slices ascending along the normal. Reads what pydicom and GDCM decode."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import highdicom as hd
import numpy as np

from msdnet.errors import ScanError
from msdnet.scans.dicom_files import DicomFile, quiet_pydicom, read_headers, read_wholes, stated_number
from msdnet.scans.dicom_geometry import Stack, stack_slices
from msdnet.scans.hu import check_grey_options, read_values, refuse_grey_options, to_hu
from msdnet.scans.scan import Intensity, Scan, Source

Array = np.ndarray[Any, Any]

_MAX_SLICES = 5_000


def read_dicom(
    files: Sequence[DicomFile],
    name: str,
    *,
    notes: tuple[str, ...] = (),
    window: tuple[float, float] | None = None,
    grey: bool = False,
) -> Scan:
    """The scan of one series.

    Values are HU where every slice states rescale slope and intercept, and no rescale type other than HU. Otherwise
    `hu.read_values` decides as it does for volumes.

    Args:
        files: The files of one series in any order.
        name: The input's name, for messages and `Source.name`.
        notes: What was left out, to be carried in the scan.
        window: LOW, HIGH of a grey window; only for values that are not HU.
        grey: Whether values that are not HU are grey already.

    Raises:
        ScanError: if a file is damaged or is no CT slice, its header holds numbers that are none, or the slices make no
            regular grid.
        OptionError: for a window or grey given to values in HU.
    """
    check_grey_options(window, grey)
    if len(files) > _MAX_SLICES:
        raise ScanError(
            f"{name} has too many slices",
            got=f"{len(files)} files",
            expected=f"at most {_MAX_SLICES} slices in a series",
            do="pass one series",
        )
    headers = [_check_header(h, f) for f, h in zip(files, read_headers(files), strict=True)]
    stack = stack_slices(headers, name)
    ordered = [headers[i] for i in stack.order]
    is_hu = all(_states_hu(h) for h in ordered)
    if is_hu:
        refuse_grey_options(name, "DICOM slices that state HU", window, grey)
    voxels = np.empty(
        (len(files), int(ordered[0].Rows), int(ordered[0].Columns)), dtype=np.int16 if is_hu else np.float32
    )
    in_order = [files[i] for i in stack.order]
    for k, dataset in enumerate(read_wholes(in_order)):
        values = _rescale(_decode(dataset, in_order[k]), ordered[k])
        voxels[k] = to_hu(values) if is_hu else values
    digest = _digest(voxels, stack)
    intensity: Intensity = "HU"
    if not is_hu:
        voxels, intensity = read_values(voxels, name, window=window, grey=grey)
    frame_of_reference = str(ordered[0].get("FrameOfReferenceUID") or "") or None
    volume = hd.Volume(
        voxels, affine=stack.affine, coordinate_system="PATIENT", frame_of_reference_uid=frame_of_reference
    )
    return Scan(
        volume=volume,
        intensity=intensity,
        spacing_known=stack.spacing_known,
        orientation_known=stack.orientation_known,
        source=Source("dicom", name, digest, datasets=tuple(ordered)),
        notes=notes + stack.notes + _note_on_loss(ordered),
        seg_obstacle=_seg_obstacle(ordered, stack),
        pixel_spacing_stated=stack.pixel_spacing_known,
    )


def _check_header(header: Any, file: DicomFile) -> Any:
    problem = ""
    if header is None or not header.get("Rows") or not header.get("Columns"):
        problem = "a DICOM object without an image"
    elif header.get("Modality") != "CT":
        problem = f"modality {header.get('Modality') or 'not stated'}"
    elif (_checked_number(header, "NumberOfFrames", file) or 1) > 1:
        problem = f"{header.NumberOfFrames} frames in one file (multi-frame or 4D)"
    elif (_checked_number(header, "SamplesPerPixel", file) or 1) != 1:
        problem = "a colour image"
    elif _checked_number(header, "RescaleSlope", file) == 0:
        raise _bad_number("RescaleSlope", file, "0")
    _checked_number(header, "RescaleIntercept", file)
    if problem:
        raise ScanError(
            f"{file} is not a CT slice",
            got=problem,
            expected="single-frame CT slices",
            do="export the axial CT series, one file a slice",
        )
    # Kept for as long as the scan: without private elements and overlays, which nobody reads again.
    for tag in [e.tag for e in header.elements() if e.tag.is_private or 0x6000 <= e.tag.group <= 0x60FF]:
        del header[tag]
    return header


def _checked_number(header: Any, keyword: str, file: DicomFile) -> float | None:
    try:
        return stated_number(header, keyword)
    except ValueError as error:
        raise _bad_number(keyword, file, str(error)) from error


def _bad_number(keyword: str, file: DicomFile, got: str) -> ScanError:
    return ScanError(
        f"the header of {file} cannot be used",
        got=f"{keyword}: {got}",
        expected="one finite number, and a RescaleSlope other than 0",
        do="export the series again, or correct the header",
    )


def _decode(dataset: Any, file: DicomFile) -> Array:
    if "PixelData" not in dataset:
        raise _truncated(file, "no pixel data")
    with quiet_pydicom():
        try:
            pixels: Array = dataset.pixel_array
        except Exception as error:  # each decoder raises what it likes; nothing else runs in this block
            raise _truncated(file, f"{dataset.file_meta.TransferSyntaxUID.name}: {_first_line(error)}") from error
    if pixels.shape != (int(dataset.Rows), int(dataset.Columns)):
        raise _truncated(file, f"an image of shape {pixels.shape}")
    return pixels


def _truncated(file: DicomFile, got: str) -> ScanError:
    return ScanError(
        f"the pixel data of {file} cannot be read",
        got=got,
        expected="complete pixel data, uncompressed or JPEG Lossless, JPEG-LS, JPEG 2000 or RLE",
        do="the file may be truncated: copy or export the series again",
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _rescale(pixels: Array, header: Any) -> Array:
    slope, intercept = stated_number(header, "RescaleSlope"), stated_number(header, "RescaleIntercept")
    slope = 1.0 if slope is None else slope
    intercept = 0.0 if intercept is None else intercept
    if slope == 1.0 and intercept.is_integer():
        return pixels.astype(np.int32) + np.int32(intercept)
    return pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _states_hu(header: Any) -> bool:
    stated = all(header.get(k) not in (None, "") for k in ("RescaleSlope", "RescaleIntercept"))
    return stated and str(header.get("RescaleType") or "HU").upper() == "HU"


def _note_on_loss(headers: Sequence[Any]) -> tuple[str, ...]:
    lossy = any(str(h.get("LossyImageCompression", "")) == "01" for h in headers)
    return ("The slices were compressed with loss.",) if lossy else ()


def _seg_obstacle(headers: Sequence[Any], stack: Stack) -> str:
    needed = {
        "FrameOfReferenceUID": "frame of reference",
        "ImagePositionPatient": "position",
        "ImageOrientationPatient": "orientation",
        "PixelSpacing": "pixel spacing",
        "SOPInstanceUID": "instance UID",
        "SOPClassUID": "class UID",
        "StudyInstanceUID": "study UID",
        "SeriesInstanceUID": "series UID",
    }
    missing = [title for keyword, title in needed.items() if any(h.get(keyword) in (None, "", []) for h in headers)]
    if missing:
        return "the slices have no " + ", ".join(missing)
    if not stack.orientation_known:
        return "the slices' position or orientation cannot be read"
    if len({str(h.FrameOfReferenceUID) for h in headers}) > 1:
        return "the slices have several frames of reference"
    if len({str(h.SOPInstanceUID) for h in headers}) < len(headers):
        return "several slices have the same instance UID"
    return ""


def _digest(voxels: Array, stack: Stack) -> str:
    """SHA-256 over voxels and geometry: the same for any transfer syntax, file order and packing."""
    digest = hashlib.sha256()
    digest.update(f"{voxels.dtype} {voxels.shape} {stack.spacing_known}".encode())
    digest.update(np.round(stack.affine, 4).tobytes())
    for slab in voxels:
        digest.update(np.ascontiguousarray(slab).data)
    return digest.hexdigest()
