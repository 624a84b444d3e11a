"""run.json of a comparison: what was compared and how, so that every figure can be traced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msdnet import __version__
from msdnet.files import RUN_RECORD, TOOL, file_sha256
from msdnet.memory import peak_memory_mb
from msdnet.quantification.follow_up import Timepoint, settings_of_comparisons
from msdnet.reporting.run_record import software

_LIBRARIES = ("SimpleITK", "numpy", "scipy", "nibabel", "matplotlib", "weasyprint")


def write_comparison_record(
    points: Sequence[Timepoint],
    folder: Path,
    *,
    files: Mapping[str, str],
    notes: Sequence[str],
    seconds: Mapping[str, float],
    options: Mapping[str, object],
    pdf_absent: str = "",
) -> None:
    """Writes run.json, which also marks the folder as a comparison; without path, name or date.

    Args:
        points: What was compared, in the order of time.
        folder: The comparison's folder.
        files: Role and name of every other file in it.
        notes: As on the page.
        seconds: Wall time per stage.
        options: What the caller asked for.
        pdf_absent: Why there is no PDF; empty where there is one.
    """
    record: dict[str, Any] = {
        "tool": TOOL,
        "version": __version__,
        "compared": [
            {
                "day": point.day,
                "run_sha256": file_sha256(point.folder / RUN_RECORD),
                "input_sha256": point.record["input"]["sha256"],
                "weights": point.record["weights"],
                "version": point.record["version"],
                "engine": point.record.get("engine"),
            }
            for point in points
        ],
        "options": dict(options),
        "settings": settings_of_comparisons(),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "peak_memory_mb": peak_memory_mb(),
        "notes": list(notes),
        "files": {**files, "run": RUN_RECORD},
        **software(_LIBRARIES),
    }
    if pdf_absent:
        record["pdf_absent"] = pdf_absent
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / RUN_RECORD).write_text(text + "\n", encoding="utf-8")
