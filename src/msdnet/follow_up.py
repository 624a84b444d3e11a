"""Results of one person at several times -> what has changed: the task that every way of comparing results shares."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msdnet.errors import OptionError
from msdnet.files import read_run_record
from msdnet.quantification.follow_up import Aligned, Change, Timepoint, align, find_changes, read_timepoints
from msdnet.reporting.follow_up import (
    draw_course,
    draw_side_by_side,
    follow_up_notes,
    write_changes,
    write_comparison_record,
    write_follow_up_page,
)
from msdnet.reporting.pdf import write_pdf
from msdnet.reporting.result_folder import check_out, replaced_folder

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class FollowUp:
    """A comparison of results.

    Attributes:
        folder: Where it was written.
        points: The results in the order of time.
        changes: From the first to the last.
        notes: What a reader should know, one sentence each.
        files: Role and name of the files in the folder.
    """

    folder: Path
    points: tuple[Timepoint, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    files: dict[str, str]

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / self.files["report"]


def compare_results(
    folders: Sequence[Path],
    out: Path,
    *,
    same_person: bool = False,
    dates: Sequence[datetime.date] = (),
    progress: Progress | None = None,
) -> FollowUp:
    """Compares two or more results of one person, and writes a folder with tables, maps, pictures, page and PDF.

    Args:
        folders: Results of `segment_study`.
        out: The folder of the comparison: new, empty, or an earlier one, which is replaced as a whole.
        same_person: Whether the caller says that they are of one person: needed where a result does not tell, or tells
            otherwise.
        dates: When the scans were taken: needed where the results do not tell.
        progress: Called with the stage and the share of the whole that is done, 0 to 1.

    Raises:
        OptionError: if they cannot be compared, or `out` cannot be used.
        SchemaError: if label schemas differ.
        OutputError: if the folder cannot be written.
    """
    starts: dict[str, float] = {}

    def tell(stage: str, share: float) -> None:
        starts.setdefault(stage, time.perf_counter())
        if progress is not None:
            progress(stage, share)

    _check_out(out, folders)
    tell("read", 0.0)
    points = read_timepoints(folders, same_person=same_person, dates=dates)
    tell("align", 0.05)
    aligned = align(points, lambda done, total: tell("align", 0.05 + 0.8 * done / total))
    tell("report", 0.85)
    places = [*((k, k + 1) for k in range(len(points) - 1)), *([(0, len(points) - 1)] if len(points) > 2 else [])]
    changes = [(a, b, find_changes(points[a], points[b])) for a, b in places]
    notes = tuple(follow_up_notes(points, aligned))
    claimed = len({point.key for point in points}) > 1 or points[0].key is None
    with replaced_folder(out) as unfinished:
        files, pdf_absent = _write(points, changes, aligned, unfinished, claimed=claimed)
        write_comparison_record(
            points,
            unfinished,
            files=files,
            notes=notes,
            seconds=_durations(starts),
            options={"same_person": claimed, "dates_given": bool(dates)},
            pdf_absent=pdf_absent,
        )
    tell("report", 1.0)
    return FollowUp(out, tuple(points), tuple(changes[-1][2]), notes, files)


def _durations(starts: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each stage, from when each began until now."""
    ends = [*list(starts.values())[1:], time.perf_counter()]
    return {stage: end - start for (stage, start), end in zip(starts.items(), ends, strict=True)}


def _check_out(out: Path, folders: Sequence[Path]) -> None:
    """As `check_out`; and no result is replaced by a comparison, or gets one into its folder."""
    check_out(out)
    place = out.resolve()
    inputs = [folder.resolve() for folder in folders]
    record = read_run_record(out)
    if any(place == one or one in place.parents or place in one.parents for one in inputs):
        got = f"-o {out}, which is, holds or lies in one that is compared"
    elif record is not None and "compared" not in record:
        got = f"-o {out}, a result"
    elif inside := [parent for parent in place.parents if read_run_record(parent) is not None]:
        got = f"-o {out}, in the folder of the result {inside[0]}"
    else:
        return
    raise OptionError(
        "the comparison would replace a result, or lie in one",
        got=got,
        expected="a folder that is new, empty, or an earlier comparison, beside the results",
        do="choose another folder with -o",
    )


def _write(
    points: Sequence[Timepoint],
    changes: Sequence[tuple[int, int, Sequence[Change]]],
    aligned: Aligned,
    folder: Path,
    *,
    claimed: bool,
) -> tuple[dict[str, str], str]:
    """Role and name of the files; and why there is no PDF, empty where there is one."""
    files = write_changes(points, changes, aligned, folder)
    side_by_side = None
    if not aligned.absent:
        for place in range(len(aligned.maps)):
            name = f"map-{place + 1}-{place + 2}.nii.gz"
            aligned.write_map(place, folder / name)
            files[f"map_{place + 1}_{place + 2}"] = name
        side_by_side = folder / "side-by-side.png"
        draw_side_by_side(points, aligned, side_by_side)
        files["side_by_side"] = side_by_side.name
    draw_course(points, folder / "course.png")
    page = folder / "report.html"
    write_follow_up_page(
        points,
        changes[-1][2],
        aligned,
        page,
        course=folder / "course.png",
        side_by_side=side_by_side,
        claimed=claimed,
    )
    files |= {"course": "course.png", "report": page.name}
    pdf_absent = write_pdf(page, folder / "report.pdf")
    if not pdf_absent:
        files["pdf"] = "report.pdf"
    return files, pdf_absent
