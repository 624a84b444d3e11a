"""How a DICOM series was taken: what makes densities and volumes of two scans comparable, or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from msdnet.scans.dicom_files import quiet_pydicom, stated_number
from msdnet.scans.scan import Scan

_LONGEST = 40
_NO_AGENT = ("", "NONE", "NO", "N")
_SHARP_NAMES = frozenset({"LUNG", "BONE", "BONEPLUS", "EDGE", "ULTRA", "D", "E", "L", "YA", "YB", "YC", "YD"})
_SHARP_FROM = 57
_SHARP_FC = (range(30, 40), range(50, 60), range(80, 90))


@dataclass(frozen=True)
class Acquisition:
    """What a series' header says; None where it says nothing.

    Attributes:
        kernel: Of the reconstruction, as the scanner names it.
        slice_thickness_mm: Thickness of a slice.
        tube_kv: Tube voltage.
        contrast: Whether a contrast agent is named.
        manufacturer: Of the scanner.
        model: Of the scanner.
    """

    kernel: str | None = None
    slice_thickness_mm: float | None = None
    tube_kv: float | None = None
    contrast: bool | None = None
    manufacturer: str | None = None
    model: str | None = None

    @property
    def is_sharp(self) -> bool:
        """Whether the kernel is one for lung or bone by its name, in the ways of four makers; see `is_sharp_kernel`."""
        return any(is_sharp_kernel(value) for value in (self.kernel or "").split("\\"))


def read_acquisition(scan: Scan) -> Acquisition:
    """What the header of a scan's first slice says; nothing for volumes and pictures."""
    if not scan.source.datasets:
        return Acquisition()
    header = scan.source.datasets[0]
    with quiet_pydicom():
        agent = header.get("ContrastBolusAgent")
        return Acquisition(
            kernel=_text(header, "ConvolutionKernel"),
            slice_thickness_mm=_number(header, "SliceThickness"),
            tube_kv=_number(header, "KVP") or None,
            contrast=None if "ContrastBolusAgent" not in header else str(agent or "").strip().upper() not in _NO_AGENT,
            manufacturer=_text(header, "Manufacturer"),
            model=_text(header, "ManufacturerModelName"),
        )


def is_sharp_kernel(kernel: str) -> bool:
    """Whether a kernel's name is one of those that sharpen, and so add noise and overshoot at edges.

    GE names them (LUNG, BONE, EDGE ...); Siemens numbers sharpness (B60f, Br64 ...: from 57 on); Canon has FC30 to 39,
    50 to 59 and 80 to 89; Philips has D, E, L and YA to YD.
    """
    name = kernel.strip().upper().replace("BONE PLUS", "BONEPLUS")
    numbered = re.fullmatch(r"[A-Z]{1,2}(\d{2})[A-Z]?(\\\d+|_\d+)?", name)
    canon = re.fullmatch(r"FC(\d{2}).*", name)
    if canon:
        return any(int(canon[1]) in numbers for numbers in _SHARP_FC)
    if numbered:
        return int(numbered[1]) >= _SHARP_FROM
    return name in _SHARP_NAMES


def _text(header: Any, keyword: str) -> str | None:
    """The value as one line of plain text: a kernel may have two values, and a header may hold anything."""
    value = header.get(keyword)
    values = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    words = "\\".join(str(v) for v in values if v not in (None, ""))
    return re.sub(r"[^\w .+/\\-]", " ", words).strip()[:_LONGEST] or None


def _number(header: Any, keyword: str) -> float | None:
    try:
        return stated_number(header, keyword)
    except ValueError:
        return None
