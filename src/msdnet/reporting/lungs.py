"""What the report says of the lungs: a headline figure, a table by region, the scores, and what looks wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from msdnet.labels import LabelSchema
from msdnet.quantification import LungMeasures, ScanLungs
from msdnet.quantification.aeration import compromised_percent
from msdnet.quantification.lung_measures import RegionMeasure
from msdnet.reporting.numbers import format_count, format_ml, format_share
from msdnet.reporting.texts import TEXTS

Array = np.ndarray[Any, Any]

_ROWS = ("lungs", "right", "left", "peripheral", "central")
_THIRDS = ("upper_third", "middle_third", "lower_third")


def opacity_tile(lungs: ScanLungs) -> list[dict[str, Any]]:
    """The headline figure of whole lungs, where it can be given."""
    measures = lungs.measures
    if measures is None or measures.opacity_percent is None or measures.high_opacity_percent is None:
        return []
    figure, high = (format_share(v / 100) for v in (measures.opacity_percent, measures.high_opacity_percent))
    under = TEXTS["opacity_under"].format(high=high)
    return [
        {"title": TEXTS["opacity"], "colour": None, "figure": figure.removesuffix(" %"), "unit": "%", "under": under}
    ]


def lung_section(lungs: ScanLungs, schema: LabelSchema) -> dict[str, Any]:
    """Columns and rows of the table, and the text under it; no rows where there are no lungs."""
    measures = lungs.measures
    if measures is None:
        return {"columns": [], "rows": [], "text": TEXTS[f"lungs_absent_{lungs.absent}"]}
    with_ml = measures.regions[0].volume_ml is not None
    columns = [
        {"title": TEXTS["column_region"], "colour": None},
        {"title": TEXTS["column_lung" if with_ml else "column_lung_voxels"], "colour": None},
        *({"title": f"{c.title} (%)", "colour": c.colour} for c in schema.classes),
        *([{"title": TEXTS["column_any"], "colour": None}] if len(schema.classes) > 1 else []),
        {"title": TEXTS["column_thirds"], "colour": None},
    ]
    if with_ml:
        columns += [
            {"title": TEXTS[key], "colour": None} for key in ("column_mass", "column_lesions", "column_largest")
        ]
    rows = [_row(measures, measures.region(name), with_ml=with_ml) for name in _ROWS]
    origin = TEXTS["lungs_given"].format(scheme=lungs.given) if lungs.given else TEXTS["lungs_found"]
    by_density = TEXTS["compromised"].format(percent=format_share(compromised_percent(measures.aeration) / 100))
    words = [origin, TEXTS["lungs_note"], by_density, *_scores(measures)]
    return {"columns": columns, "rows": rows, "text": " ".join(words)}


def lung_notes(lungs: ScanLungs, labels: Array) -> list[str]:
    """What looks wrong about the lungs.

    Args:
        lungs: Of the scan.
        labels: Its lesions.
    """
    measures = lungs.measures
    if measures is None:
        return []
    found = measures.findings
    volume = measures.regions[0].volume_ml
    notes = [TEXTS["lungs_volume"].format(volume=format_ml(volume))] if found.volume and volume is not None else []
    notes += [TEXTS["lungs_uneven"]] if found.uneven else []
    notes += [TEXTS["lungs_dense"]] if found.dense else []
    marked = int(np.count_nonzero(labels))
    if marked and measures.outside_voxels / marked > 0.01:
        notes.append(TEXTS["lesions_outside"].format(share=format_share(measures.outside_voxels / marked)))
    return notes


def _row(measures: LungMeasures, region: RegionMeasure, *, with_ml: bool) -> dict[str, Any]:
    size = format_count(region.voxels) if region.volume_ml is None else format_ml(region.volume_ml)
    cells = [TEXTS[f"region_{region.name}"], size, *(_percent(c.percent) for c in region.classes)]
    named = {r.name: r.classes[-1].percent for r in measures.regions}
    thirds = [named[name] for name in (f"{region.name}_{third}" for third in _THIRDS) if name in named]
    cells.append(" / ".join(map(_percent, thirds)) or "–")
    if with_ml:
        whole = region.classes[-1]
        largest = "–" if whole.largest_mm is None else f"{whole.largest_mm:.0f}"
        cells += [format_ml(whole.mass_g or 0.0), str(whole.num_lesions), largest]
    return {"cells": cells, "part": region.name not in ("lungs", "right", "left")}


def _percent(percent: float) -> str:
    return format_share(percent / 100).removesuffix(" %")


def _scores(measures: LungMeasures) -> list[str]:
    for reason in ("cut", "outside"):
        if reason in measures.absent.values():
            return [TEXTS[f"absent_{reason}"]]
    words = []
    if measures.zone_score is not None:
        words.append(TEXTS["score_zones"].format(points=measures.zone_score))
    if measures.thirds_score is not None:
        words.append(TEXTS["score_thirds"].format(points=measures.thirds_score))
    if measures.ct_severity is not None:
        words.append(TEXTS["score_lobes"].format(ctss=measures.ct_severity, lss=measures.lung_severity))
    else:
        words.append(TEXTS["absent_lobes"])
    return words
