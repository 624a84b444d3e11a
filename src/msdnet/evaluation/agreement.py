"""Predicted masks against true ones, from files to tables: the task of `msdnet evaluate`.

OUT/per_slice.csv, per_patient.csv    pixel counts and measures; every figure is made from the slices' rows
OUT/table.md, table.csv, table.tex    one table in three forms
OUT/run.json                          how it was made
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msdnet import __version__
from msdnet.errors import InputError
from msdnet.evaluation.bootstrap import LEVEL, RESAMPLES, SEED
from msdnet.evaluation.masks import MaskSlice, all_faults, check_values, match_masks, read_groups, read_masks
from msdnet.evaluation.overlap import SliceOverlap, count_overlap, pool_groups, write_overlaps
from msdnet.evaluation.tables import figures_table
from msdnet.files import RUN_RECORD, TOOL
from msdnet.labels import LabelSchema


def evaluate_masks(
    predictions: Path,
    labels: Path,
    schema: LabelSchema,
    out: Path,
    *,
    groups: Path | None = None,
    values: Mapping[int, int] | None = None,
    label_values: Mapping[int, int] | None = None,
    hausdorff: bool = True,
    min_pixels: int = 1,
) -> Path:
    """The table in Markdown; beside it in `out` the rows it is made from and how (see the module's text).

    Nothing is written unless every pair can be compared.

    Args:
        predictions: A folder of index PNGs or NIfTI files, a folder of results of `msdnet segment`, or one file.
        labels: The truth, of the same kind, with the same file names up to their endings.
        schema: What the numbers mean.
        out: Made if missing; files of these names in it are replaced.
        groups: CSV with the columns name (of a slice) and group (patient). Without it each volume or picture is one.
        values: Number in the predictions -> number in the schema.
        label_values: The same for the true labels.
        hausdorff: Whether to take the 95 % Hausdorff distance where the spacing is known.
        min_pixels: From how many pixels on a slice counts as predicted positive.

    Raises:
        DatasetError: if masks are missing, damaged, in colours, of different size or place, or without group: all
            faults in one error.
        SchemaError: if the only fault are numbers outside the schema, listed for all files.
        OptionError: if a mapping leads outside the schema, or min_pixels is less than 1.
    """
    check_values(values, schema, "--values")
    check_values(label_values, schema, "--label-values")
    group_of = read_groups(groups) if groups is not None else None
    pairs, without_partner = match_masks(predictions, labels)
    faults: list[str | InputError] = [*without_partner]
    rows: list[SliceOverlap] = []
    digest = hashlib.sha256()
    for files in pairs:
        try:
            slices = read_masks(files, schema, values=values, label_values=label_values)
        except InputError as error:
            faults.append(error)
            continue
        if group_of is not None and files.name not in group_of and any(s.name not in group_of for s in slices):
            faults.append(f"{files.name}: not among the slices of --groups")
        for s in slices if not faults else ():
            group = files.name if group_of is None else group_of.get(s.name, group_of.get(files.name, ""))
            _add(digest, s)
            spacing_mm = s.spacing_mm if hausdorff else None
            rows += count_overlap(s.predicted, s.true, schema, name=s.name, group=group, spacing_mm=spacing_mm)
    if faults:
        raise all_faults(faults, schema)

    kind = pairs[0].kind
    notes = [] if group_of is not None else [_UNGROUPED[kind]]
    if hausdorff and all(r.hd95_mm is None for r in rows if r.present and r.predicted):
        notes.append("no HD95: the spacing is not known")
    table = figures_table(rows, schema, min_pixels=min_pixels, notes=notes)
    out.mkdir(parents=True, exist_ok=True)
    write_overlaps(out / "per_slice.csv", rows, with_measures=True)
    write_overlaps(out / "per_patient.csv", pool_groups(rows), with_measures=True)
    markdown, table_csv, latex = table.write(out, "table")
    record: dict[str, Any] = {
        "tool": TOOL,
        "task": "evaluate",
        "version": __version__,
        "schema": {
            "name": schema.name,
            "labels": {"0": "background", **{str(c.index): c.name for c in schema.classes}},
        },
        "input": {
            "sha256": digest.hexdigest(),
            "kind": kind,
            "num_pairs": len(pairs),
            "num_slices": len({r.name for r in rows}),
            "num_groups": len({r.group for r in rows}),
        },
        "options": {
            "groups": groups is not None,
            "values": _plain(values),
            "label_values": _plain(label_values),
            "hausdorff": hausdorff,
            "min_pixels": min_pixels,
        },
        "bootstrap": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED, "unit": "group"},
        "conventions": " ".join(table.foot.split()),
        "notes": notes,
        "files": {
            "per_slice": "per_slice.csv",
            "per_patient": "per_patient.csv",
            "table": markdown,
            "table_csv": table_csv,
            "table_latex": latex,
            "run": RUN_RECORD,
        },
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("numpy", "scipy", "nibabel", "pillow")},
    }
    (out / RUN_RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return out / markdown


_UNGROUPED = {
    "PNG": "patients not known: each slice counts as its own, so the intervals are too narrow",
    "NIfTI": "each volume counts as one patient",
}


def _add(digest: Any, s: MaskSlice) -> None:
    digest.update(f"{s.name} {s.true.shape} {s.spacing_mm}".encode())
    digest.update(s.predicted.tobytes())
    digest.update(s.true.tobytes())


def _plain(values: Mapping[int, int] | None) -> dict[str, int] | None:
    return None if values is None else {str(old): new for old, new in values.items()}
