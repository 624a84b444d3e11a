"""Whether a scan's pixels are like those the weights were trained on; what differs is said, not mended."""

from __future__ import annotations

from msdnet.scans.scan import Scan
from msdnet.slices import to_canonical

MAX_PIXEL_MM = 2.0
"""Above this a note is due. Clinical chest CT, and with it the training slices, has pixels of 0.5 to 1 mm; at twice the
coarsest of these partial volume blurs vessels and the lungs' edges into grey that looks like ground glass."""

MAX_PIXEL_RATIO = 1.5
"""Above this a note is due. Axial CT has square pixels; others come from axial views of a coronal or sagittal stack."""


def notes_on_pixels(scan: Scan) -> tuple[str, ...]:
    """What a reader should know of the pixels of the scan's axial slices; nothing where their spacing is unknown."""
    if not scan.pixel_spacing_known:
        return ()
    row_mm, column_mm = to_canonical(scan).spacing[1:]
    size = f"{row_mm:.2g} × {column_mm:.2g} mm"
    notes = []
    if max(row_mm, column_mm) > MAX_PIXEL_MM:
        notes.append(
            f"The pixels are coarse ({size}): the weights were trained on finer slices, and the result is unreliable, "
            "above all at the diaphragm and the lungs' edges."
        )
    if max(row_mm, column_mm) > MAX_PIXEL_RATIO * min(row_mm, column_mm):
        notes.append(
            f"The pixels of an axial slice are not square ({size}), as in a scan that was taken in another plane: the "
            "network sees the lungs out of proportion, and the result is unreliable."
        )
    return tuple(notes)
