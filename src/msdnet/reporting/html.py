"""report.html: one self-contained page with the figures, the picture, the findings, the method and its limits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from PIL import Image

from msdnet import __version__
from msdnet.quantification import LesionMeasure, ScanLungs, count_lesion_voxels
from msdnet.reporting.lungs import lung_section, opacity_tile
from msdnet.reporting.numbers import format_count, format_ml, format_ranges, format_share, format_signed
from msdnet.reporting.profile import draw_profile
from msdnet.reporting.texts import TEXTS
from msdnet.slices import to_canonical

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation


def write_report(
    segmentation: Segmentation,
    measures: Sequence[LesionMeasure],
    lungs: ScanLungs,
    path: Path,
    *,
    overview: Path,
    front: Path | None = None,
    notes: Sequence[str] = (),
    has_dicom: bool = False,
    identity: Sequence[tuple[str, str]] = (),
) -> None:
    """Writes the page. Style and pictures are inside it; it has no script and loads nothing.

    Args:
        segmentation: The scan, its labels and where they come from.
        measures: One per class of the schema, in its order.
        lungs: Of the same scan, or why there are none.
        path: Where to write.
        overview: The picture that `draw_overview` drew.
        front: The picture that `draw_front_views` drew, if any.
        notes: Findings, one sentence each, already free of patient data.
        has_dicom: Whether the folder holds DICOM, and with it patient data.
        identity: What the page says of patient and study, if it is to.
    """
    num_slices = to_canonical(segmentation.scan, segmentation.labels).shape[0]
    page = render_page(
        "report.html.j2",
        scan_line=_scan_line(segmentation),
        tiles=_tiles(segmentation, measures, lungs),
        lungs=lung_section(lungs, segmentation.schema),
        rows=_rows(segmentation, measures),
        trust_note=_trust_note(measures, num_slices),
        any_marked=any(m.voxels for m in measures),
        spacing_known=segmentation.scan.spacing_known,
        no_ml=TEXTS["no_ml_no_distance" if segmentation.scan.pixel_spacing_known else "no_ml"],
        orientation_known=segmentation.scan.orientation_known,
        findings=notes,
        views=[_view(overview, "overview_alt"), *([_view(front, "front_alt")] if front is not None else [])],
        profile=draw_profile(segmentation) if num_slices > 1 else None,
        method=_method(segmentation, num_slices),
        has_dicom=has_dicom,
        identity=identity,
    )
    path.write_text(page, encoding="utf-8")


def render_page(template: str, **values: Any) -> str:
    """A page from a template of this folder, which knows the texts and the version besides the values."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("msdnet.reporting", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(text=TEXTS, version=__version__, **values)


def embedded(picture: Path) -> str:
    """A picture's bytes as a page holds them."""
    return base64.b64encode(picture.read_bytes()).decode("ascii")


def _view(picture: Path, alt: str) -> dict[str, str]:
    """A picture with its width over its height, by which two beside each other become equally high."""
    with Image.open(picture) as opened:
        shape = opened.width / opened.height
    return {"png": embedded(picture), "shape": f"{shape:.4f}", "alt": TEXTS[alt]}


def _scan_line(segmentation: Segmentation) -> str:
    scan = segmentation.scan
    volume = to_canonical(scan, segmentation.labels)
    slices, rows, columns = volume.shape
    if scan.source.kind == "picture":
        key = "scan_picture"
    else:
        key = "scan_one_slice" if slices == 1 else "scan_volume"
        if not scan.pixel_spacing_known:
            key += "_no_spacing"
        elif not scan.spacing_known:  # only a single slice can lack its distance and yet be read
            key = "scan_one_slice_no_distance"
    slice_mm, row_mm, column_mm = (f"{mm:.2f}" for mm in volume.spacing)
    size = TEXTS[key].format(
        slices=slices, rows=rows, columns=columns, slice_mm=slice_mm, row_mm=row_mm, column_mm=column_mm
    )
    return f"{size}, {TEXTS['unit_hu' if scan.intensity == 'HU' else 'unit_grey']}"


def _tiles(segmentation: Segmentation, measures: Sequence[LesionMeasure], lungs: ScanLungs) -> list[dict[str, Any]]:
    """The headline figures: opacity of the lungs, all lesions where there are several classes, then each class."""
    scan, schema = segmentation.scan, segmentation.schema
    counts = count_lesion_voxels(scan, segmentation.labels, schema)
    tiles = [_tile(scan, lesion.title, lesion.colour, counts[:, place]) for place, lesion in enumerate(schema.classes)]
    if len(measures) > 1:
        tiles.insert(0, _tile(scan, TEXTS["any_lesion"], None, counts.sum(axis=1)))
    return [*opacity_tile(lungs), *tiles]


def _tile(scan: Any, title: str, colour: tuple[int, int, int] | None, counts: np.ndarray[Any, Any]) -> dict[str, Any]:
    num_with, total = int(np.count_nonzero(counts)), len(counts)
    voxels = int(counts.sum())
    if scan.voxel_ml is not None:
        figure, unit = format_ml(voxels * scan.voxel_ml), "ml"
    else:
        figure, unit = format_count(voxels), TEXTS["pixels" if total == 1 else "voxels"]
    if not voxels:
        under = TEXTS["not_found"]
    elif total == 1:
        under = TEXTS["in_picture"].format(share=format_share(voxels / scan.voxels.size))
    else:
        under = TEXTS["in_slices"].format(num=num_with, total=total, share=format_share(num_with / total))
    return {"title": title, "colour": colour, "figure": figure, "unit": unit, "under": under}


def _rows(segmentation: Segmentation, measures: Sequence[LesionMeasure]) -> list[dict[str, Any]]:
    return [
        {
            "title": lesion.title,
            "colour": lesion.colour,
            "volume": "–" if m.volume_ml is None else format_ml(m.volume_ml),
            "voxels": format_count(m.voxels) + (_range(m.voxel_interval, format_count) if m.volume_ml is None else ""),
            "slices": m.num_slices_with_class,
            "share": format_share(m.share_of_slices_with_class).removesuffix(" %"),
            "hu": "–" if m.mean_hu is None else format_signed(m.mean_hu),
            "trust": "–"
            if m.trust is None
            else f"{m.trust.predicted_dsc:.2f}" + _range(m.trust.dsc_interval, "{:.2f}".format),
        }
        for lesion, m in zip(segmentation.schema.classes, measures, strict=True)
    ]


def _range(interval: tuple[Any, Any] | None, words: Callable[[Any], str]) -> str:
    return "" if interval is None else f" ({words(interval[0])}–{words(interval[1])})"


def _trust_note(measures: Sequence[LesionMeasure], num_slices: int) -> str:
    """What the predicted DSC is; empty where none is given."""
    if not any(m.trust for m in measures):
        return ""
    return TEXTS["trust_note"] + (TEXTS["trust_note_scan"] if num_slices > 1 else "") + "."


def _method(segmentation: Segmentation, num_slices: int) -> list[tuple[str, str, str]]:
    """Name, text and monospaced addition of every line."""
    schema = segmentation.schema
    labels = ", ".join(f"{c.index} {c.title.lower()}" for c in schema.classes)
    software = TEXTS["method_software_text"].format(
        version=__version__,
        device=segmentation.device,
        engine=segmentation.engine.engine,
        precision=segmentation.engine.precision,
    )
    lines = [
        (TEXTS["method_network"], TEXTS["method_network_text"], ""),
        (TEXTS["method_weights"], segmentation.weights_name, f"SHA-256 {segmentation.weights_sha256}"),
        (TEXTS["method_schema"], f"{schema.name}: {labels}", ""),
        (TEXTS["method_software"], software, ""),
        (TEXTS["method_input"], "", f"SHA-256 {segmentation.scan.source.digest}"),
    ]
    if segmentation.skipped_slices:
        skipped = TEXTS["method_skipped_text"].format(
            num=len(segmentation.skipped_slices),
            total=num_slices,
            ranges=format_ranges(index + 1 for index in segmentation.skipped_slices),
        )
        lines.insert(3, (TEXTS["method_skipped"], skipped, ""))
    return lines
