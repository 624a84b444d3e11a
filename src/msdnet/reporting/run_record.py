"""run.json: how a result was made, so that every figure can be traced; without path, UID, name or date."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msdnet import __version__
from msdnet.files import RUN_RECORD, TOOL
from msdnet.memory import peak_memory_mb
from msdnet.reporting.privacy import without_patient_data

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation
    from msdnet.scans.acquisition import Acquisition
    from msdnet.scans.scan import Scan
    from msdnet.scans.subject import Subject

_AXES = ("slice", "row", "column")
_LIBRARIES = ("torch", "timm", "numpy", "scipy", "SimpleITK", "highdicom", "pydicom", "nibabel")
_OF_ENGINES = {"torch": (), "openvino": ("openvino", "onnx"), "onnxruntime": ("onnxruntime", "onnx")}
_OF_INT8 = ("onnxruntime", "onnx")


def write_run_record(
    segmentation: Segmentation,
    folder: Path,
    *,
    files: Mapping[str, str],
    seconds: Mapping[str, float],
    options: Mapping[str, object],
    notes: tuple[str, ...] = (),
    absences: Mapping[str, str] | None = None,
    acquisition: Acquisition | None = None,
    subject: Subject | None = None,
    expected_memory_mb: int | None = None,
) -> None:
    """Writes run.json, which also marks the folder as a whole result of msdnet.

    The input's shape and spacing go by the axes of the report, slice, row and column, in whatever order the file stores
    them; a spacing that the file does not state is null. Skipped slices count from 0 along the slice axis.

    Args:
        segmentation: The result.
        folder: The result's folder.
        files: Role and name of every other file in it.
        seconds: Wall time per stage.
        options: What the caller asked for; plain values without paths or UIDs.
        notes: Findings, as in the report.
        acquisition: How the series was taken.
        subject: Who was scanned and when, as the site alone can tell.
        expected_memory_mb: The peak that was expected, in MB; None where it could not be told. The peak beside it is
            the process's, so that of the largest of several scans until then.
        absences: Role of each file that could not be written -> why; empty for one that was.
    """
    from msdnet.slices import to_canonical  # imports torch, which reading a record does not need

    scan = segmentation.scan
    grid = to_canonical(scan)
    record: dict[str, Any] = {
        "tool": TOOL,
        "version": __version__,
        "weights": {"name": segmentation.weights_name, "sha256": segmentation.weights_sha256},
        "schema": {
            "name": segmentation.schema.name,
            "labels": {"0": "background", **{str(c.index): c.name for c in segmentation.schema.classes}},
        },
        "input": {
            "sha256": scan.source.digest,
            "kind": scan.source.kind,
            "intensity": scan.intensity,
            "shape": dict(zip(_AXES, grid.shape, strict=True)),
            "spacing_mm": _spacing_mm(scan, grid.spacing),
            "orientation_known": scan.orientation_known,
        },
        "options": dict(options),
        "device": segmentation.device,
        "engine": dataclasses.asdict(segmentation.engine),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "network_seconds": round(segmentation.network_seconds, 3),
        "expected_memory_mb": expected_memory_mb,
        "peak_memory_mb": peak_memory_mb(),
        "skipped_slices": list(segmentation.skipped_slices),
        "discarded_voxels": segmentation.discarded_voxels,
        "notes": list(notes),
        "files": {**files, "run": RUN_RECORD},
        **software((*_LIBRARIES, *_libraries_of_engine(segmentation))),
    }
    if acquisition is not None:
        told = dataclasses.asdict(acquisition)
        record["acquisition"] = {k: without_patient_data(v, scan) if isinstance(v, str) else v for k, v in told.items()}
    if subject is not None:
        record["subject"] = dataclasses.asdict(subject)
    record |= {f"{role}_absent": reason for role, reason in (absences or {}).items() if reason}
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / RUN_RECORD).write_text(text + "\n", encoding="utf-8")


def software(libraries: Sequence[str]) -> dict[str, Any]:
    """Versions of Python and of these distributions (None where one is not installed), and the platform."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: _version_of(name) for name in libraries},
    }


def _libraries_of_engine(segmentation: Segmentation) -> tuple[str, ...]:
    engine = segmentation.engine
    return _OF_ENGINES.get(engine.engine, ()) + (_OF_INT8 if engine.precision == "int8" else ())


def _spacing_mm(scan: Scan, spacing: Sequence[float]) -> dict[str, float | None]:
    known = (scan.spacing_known, scan.pixel_spacing_known, scan.pixel_spacing_known)
    return {
        axis: round(float(mm), 6) if is_known else None
        for axis, mm, is_known in zip(_AXES, spacing, known, strict=True)
    }


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
