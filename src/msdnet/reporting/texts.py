"""The overview's and the report's own texts in one table; findings about a scan come with the scan."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "language": "en",
    # Overview
    "overview_most_affected": "{shown} most affected of {total} slices",
    "overview_all_affected": "All {shown} affected of {total} slices",
    "overview_one_affected": "The one affected of {total} slices",
    "overview_none": "No lesion was marked. {shown} of {total} slices, evenly spread",
    "overview_picture": "Single slice: original and overlay",
    "overview_picture_none": "No lesion was marked. Single slice: original and overlay",
    "overview_window": "window {low} to {high} HU",
    "overview_grey": "grey levels as in the file",
    "slice": "Slice {number}",
    "position": "z {position} mm",
    "original": "Original",
    "overlay": "Overlay",
    "right": "R",
    "left": "L",
    "research_use": "Research use. Not a medical device.",
    # Report: head
    "title": "COVID-19 lesions on chest CT",
    "scan_volume": "{slices} axial slices of {rows} × {columns} pixels, {row_mm} × {column_mm} × {slice_mm} mm",
    "scan_volume_no_spacing": "{slices} axial slices of {rows} × {columns} pixels, spacing unknown",
    "scan_picture": "One picture of {rows} × {columns} pixels, spacing unknown",
    "scan_one_slice_no_spacing": "One axial slice of {rows} × {columns} pixels, spacing unknown",
    "scan_one_slice_no_distance": "One axial slice of {rows} × {columns} pixels, {row_mm} × {column_mm} mm, distance "
    "to the next slice unknown",
    "scan_one_slice": "One axial slice of {rows} × {columns} pixels, {row_mm} × {column_mm} × {slice_mm} mm",
    "unit_hu": "Hounsfield units",
    "unit_grey": "grey levels",
    # Report: headline figures
    "pixels": "pixels",
    "voxels": "voxels",
    "any_lesion": "All lesions",
    "in_slices": "in {num} of {total} slices ({share})",
    "in_picture": "{share} of the slice",
    "not_found": "not found",
    "no_lesion": "No lesion was marked in this scan. This does not exclude disease.",
    # Report: sections
    "findings": "Read this first",
    "overview": "Overview",
    "overview_caption": "The patient's right is at the left of each picture.",
    "overview_numbering": "Slices are numbered from the feet up.",
    "overview_caption_unknown": "The file states no orientation: sides are as stored.",
    "overview_alt": "CT slices with the marked lesions outlined in colour",
    "profile": "Lesion area along the scan",
    "profile_alt": "Lesion area per slice, stacked by class",
    "area_cm2": "cm² per slice",
    "area_share": "% of the slice",
    "slice_axis": "slice",
    "feet": "feet",
    "head": "head",
    "measures": "Measures",
    "column_class": "Class",
    "column_volume": "Volume (ml)",
    "column_voxels": "Voxels",
    "column_slices": "Slices with class",
    "column_share": "Share of slices (%)",
    "column_hu": "Mean density (HU)",
    "column_trust": "Predicted DSC",
    "trust_note": "Predicted DSC: how well the marks are likely to agree with a reader's, 0 to 1, told from how they "
    "change when slices are mirrored or zoomed. In brackets: 90 % intervals, fitted on single slices",
    "trust_note_scan": ", not calibrated on whole scans",
    "no_ml": "The file states no spacing, so no volume is given.",
    "no_ml_no_distance": "The file does not state the distance of its slices, so no volume is given.",
    "method": "Method",
    "method_network": "Network",
    "method_network_text": "MSD-Net (Zheng et al., IEEE Access 2020): a network with pyramid convolution, "
    "channel attention and residual refinement; each axial slice is segmented on its own.",
    "method_weights": "Weights",
    "method_schema": "Label schema",
    "method_skipped": "Slices skipped",
    "method_skipped_text": "{num} of {total}, without lung: {ranges}",
    "method_software": "Software",
    "method_software_text": "msdnet {version}, computed on {device}",
    "method_input": "Input",
    "limits": "Limits",
    "limits_text": "Research use only; not a medical device, not for diagnosis or treatment. The masks are a network's "
    "output and nobody has checked them. The network was trained on few patients with COVID-19: other opacities "
    "(oedema, haemorrhage, atelectasis, fibrosis, other pneumonia) may be marked alike, and faint or small lesions "
    "may be missed. A figure holds for this scan, these weights and this version alone.",
    # Report: findings
    "seg_absent": "No DICOM SEG was written: {reason}",
    "dicom_inside": "The folder of this report contains DICOM with patient data (segmentation.dcm). This page itself "
    "contains none.",
    "no_dicom_inside": "The folder of this report contains no DICOM and no patient's name, number or date.",
    "review": "Review {title}: {reason}.",
    "grey_finding": (
        "The scan was read as grey levels, not Hounsfield units: no density is given, and pictures that show chest "
        "wall and couch around the lungs are less reliable."
    ),
}
