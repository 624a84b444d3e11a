"""Scan: voxels that carry their geometry, their unit and where they came from. Everything downstream takes one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import highdicom as hd
    import numpy as np

Intensity = Literal["HU", "grey"]
Kind = Literal["dicom", "volume", "picture"]

CANONICAL = "HPL"  # axes: slices from feet to head, rows to the back, columns to the patient's left


@dataclass(frozen=True)
class Source:
    """Where a scan came from. Holds patient data for DICOM: nothing of it may reach a log, a report or a file name.

    Attributes:
        kind: How it was stored; decides which files are written back.
        name: The input's file name without its extensions; private until checked against the patient's name and ID.
        digest: SHA-256 over the decoded content of the input files, in hexadecimal.
        datasets: DICOM only: one pydicom dataset per slice, without pixel data, in the order of the scan's first axis.
        nifti_header: NIfTI only: the nibabel header, so that labels are written on the input's own grid.
    """

    kind: Kind
    name: str
    digest: str
    datasets: tuple[Any, ...] = field(default=(), repr=False)
    nifti_header: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Scan:
    """One CT scan on the grid its labels will be written on.

    Attributes:
        volume: Array (three axes, in the order of the source's grid) and affine (voxel index to LPS millimetres).
            int16 HU (air is -1,024 at the least) or uint8 grey. DICOM: axis 0 is the slice, ascending along the
            normal, then row, column. Pictures: (1, row, column).
        intensity: "HU", or "grey" (0 to 255).
        spacing_known: False where the file states no spacing; then no millilitre is ever reported.
        orientation_known: False where the file states no orientation; then the first axis is taken as the slice.
        source: Where it came from.
        notes: Findings a reader of the result should know, one sentence each, without patient data.
        seg_obstacle: Why no DICOM SEG can be written (no frame of reference, position or orientation); else empty.
        pixel_spacing_stated: True where a file states the spacing within slices, even if not that between them.
    """

    volume: hd.Volume
    intensity: Intensity
    spacing_known: bool
    orientation_known: bool
    source: Source
    notes: tuple[str, ...] = ()
    seg_obstacle: str = ""
    pixel_spacing_stated: bool = False

    @property
    def voxels(self) -> np.ndarray[Any, Any]:
        """The array, axes in the source's order."""
        return self.volume.array

    @property
    def pixel_spacing_known(self) -> bool:
        """Whether the spacing of rows and columns is known; that of the slices may be missing."""
        return self.spacing_known or self.pixel_spacing_stated

    @property
    def has_volumes(self) -> bool:
        """Whether volumes in it can be compared with another scan's: in HU, with spacing and orientation."""
        return self.intensity == "HU" and self.spacing_known and self.orientation_known

    @property
    def voxel_ml(self) -> float | None:
        """The volume of a voxel in millilitres, or None where the spacing is unknown."""
        return float(self.volume.voxel_volume) / 1000.0 if self.spacing_known else None


@dataclass(frozen=True)
class ScanInput:
    """One scan-to-be as the user named it: the files of one series, one volume or one picture.

    Attributes:
        name: The file name without its extensions (see `Source.name`).
        paths: The files, all of one kind.
        kind: How it is stored.
        notes: What was left out beside it (localisers, reformats, other series), one sentence each.
        members: For a zip archive: the names of the series' files in it; `paths` then holds the archive alone.
        given: The folder, archive or file the user named, as it was named; of DICOM files named one by one, the first.
    """

    name: str
    paths: tuple[Path, ...]
    kind: Kind
    notes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    given: Path | None = None

    @property
    def shown(self) -> str:
        """The path as the user gave it, for the user's own console; it may name the patient, so no file may hold it."""
        return str(self.given if self.given is not None and self.kind == "dicom" else self.paths[0])
