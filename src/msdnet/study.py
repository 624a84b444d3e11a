"""One scan -> masks -> measures -> report, all or nothing: the task that every way of running msdnet shares."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msdnet.errors import OptionError, ScanError
from msdnet.files import file_sha256
from msdnet.labels import ANY_LESION
from msdnet.memory import free_memory_mb, held_memory_mb, peak_memory_mb
from msdnet.quantification import (
    GivenLungs,
    LesionMeasure,
    ScanLungs,
    check_given_lungs,
    measure_lesions,
    measure_scan_lungs,
)
from msdnet.reporting import (
    draw_overview,
    write_lung_tables,
    write_measures,
    write_preview,
    write_repeatability,
    write_report,
    write_run_record,
)
from msdnet.reporting.encapsulated_pdf import write_encapsulated_pdf
from msdnet.reporting.front_views import can_be_drawn, draw_front_views
from msdnet.reporting.identity import identity_of
from msdnet.reporting.lungs import lung_notes
from msdnet.reporting.pdf import write_pdf
from msdnet.reporting.privacy import without_patient_data
from msdnet.reporting.result_folder import check_out, replaced_folder
from msdnet.reporting.structured_report import SEGMENTATIONS, write_structured_report
from msdnet.reporting.texts import TEXTS
from msdnet.scans import read_scan, write_labels, write_lungs
from msdnet.scans.acquisition import Acquisition, read_acquisition
from msdnet.scans.privacy import public_name
from msdnet.scans.scan import Scan, ScanInput
from msdnet.scans.subject import identify_subject
from msdnet.slices import to_canonical

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation, Segmenter

Progress = Callable[[str, float], None]
FIXED_MB, BYTES_PER_VOXEL, BYTES_WITH_MASK, BYTES_SHOWN = 280, 4.8, 36.0, 64.0
"""What a study takes at the most beside its voxels: libraries and pictures; labels, lungs and their segmentations, of
which a mask of the lungs that is given takes much more; probabilities of each pixel that the network sees at once.

A little more than was measured (docs/decisions/013).
"""

_SHARES = {"read": 0.10, "segment": 0.65, "write": 0.10, "measure": 0.10, "report": 0.05}


@dataclass(frozen=True)
class StudyResult:
    """Where a result lies and what it says.

    Attributes:
        folder: The result's folder.
        name: The input's name without patient data.
        measures: One per class of the schema.
        titles: The classes' titles in the same order.
        notes: Findings, without patient data.
        files: Role and name of the files in the folder.
        num_slices: The number of the scan's axial slices.
    """

    folder: Path
    name: str
    measures: tuple[LesionMeasure, ...]
    titles: tuple[str, ...]
    notes: tuple[str, ...]
    files: Mapping[str, str]
    num_slices: int

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / self.files["report"]


def segment_study(
    scan_input: ScanInput | Path,
    out: Path,
    segmenter: Segmenter,
    *,
    window: tuple[float, float] | None = None,
    grey: bool = False,
    anonymous: bool = False,
    dicom_pdf: bool = False,
    identify: bool = False,
    in_subfolder: bool = False,
    given_lungs: GivenLungs | None = None,
    memory_gb: float | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """Segments one scan and writes its result folder.

    Everything is written into a folder of its own beside `out` and moved into place at the end: a run that is
    stopped leaves `out` as it was. An earlier result of msdnet in `out` is replaced as a whole; a folder that holds
    anything else is refused (see `check_out`).

    Args:
        scan_input: What to read.
        out: The folder of the result.
        segmenter: Anything with `segment(scan, progress)`.
        window: Grey window (low, high) for pictures and volumes that are not in HU.
        grey: Take the intensities as grey levels.
        anonymous: Leave out DICOM files, which carry the patient's data.
        dicom_pdf: Write the PDF as DICOM, too, where there are both.
        given_lungs: A mask of the lungs from elsewhere, and the levels of the anatomical zones.
        identify: Name patient and study in report and PDF; without it no file but DICOM does.
        memory_gb: The most memory that may be taken in all (10^9 bytes), instead of what is free.
        in_subfolder: Write into `out/<the input's name without patient data>`, as for one of several inputs.
        progress: Called with the stage and the share of the whole that is done, 0 to 1.

    Raises:
        ScanError: if the scan cannot be read, or needs more memory than it may take.
        OptionError: if `out` cannot be used, there are no such levels of zones, or nobody whom the report could name.
        SchemaError: if the mask of the lungs is not of its scheme.
        OutputError: if what was written is not what was predicted, or cannot be written.
    """
    clock = _Clock(progress)
    _held_before()
    if not in_subfolder:
        check_out(out)
    clock.enter("read")
    scan = read_scan(scan_input, window=window, grey=grey)
    given_lungs = given_lungs or GivenLungs()
    expected_mb = _check_memory(scan, given_lungs, segmenter, memory_gb)
    name = public_name(scan)
    folder = out / name if in_subfolder else out
    check_out(folder)
    check_given_lungs(given_lungs, scan)
    identity = identity_of(scan) if identify else ()
    clock.enter("segment")
    segmentation = segmenter.segment(scan, clock.within)
    options = {
        "window": None if window is None else list(window),
        "grey": grey,
        "flips": bool(getattr(segmenter, "flips", False)),
        "all_slices": bool(getattr(segmenter, "all_slices", False)),
        "anonymous": anonymous,
        "dicom_pdf": dicom_pdf,
        "identify": identify,
        "lung_scheme": given_lungs.scheme or None,
        "lung_mask_sha256": None if given_lungs.mask is None else file_sha256(given_lungs.mask),
        "lungmask_sha256": None if given_lungs.lungmask is None else file_sha256(given_lungs.lungmask),
        "memory_gb": memory_gb,
        "zone_slices": [n + 1 for n in (given_lungs.carina, given_lungs.veins) if n is not None] or None,
    }
    with replaced_folder(folder) as unfinished:
        measures, notes, files = _write(
            segmentation,
            unfinished,
            clock,
            given_lungs,
            options=options,
            identity=identity,
            expected_memory_mb=expected_mb,
        )
    clock.finish()
    titles = tuple(c.title for c in segmentation.schema.classes)
    num_slices = to_canonical(scan, segmentation.labels).shape[0]
    return StudyResult(folder, name, tuple(measures), titles, notes, files, num_slices)


def _write(
    segmentation: Segmentation,
    folder: Path,
    clock: _Clock,
    given_lungs: GivenLungs,
    *,
    options: Mapping[str, object],
    identity: Sequence[tuple[str, str]],
    expected_memory_mb: int | None,
) -> tuple[list[LesionMeasure], tuple[str, ...], dict[str, str]]:
    scan, schema = segmentation.scan, segmentation.schema
    clock.enter("write")
    written = write_labels(
        segmentation.labels,
        scan,
        folder,
        schema=schema,
        weights_name=segmentation.weights_name,
        weights_sha256=segmentation.weights_sha256,
        anonymous=bool(options["anonymous"]),
    )
    absent = written.pop("segmentation_absent", None)
    absent = None if absent is None else without_patient_data(absent, scan)
    absences = {"segmentation": absent or ""}
    clock.enter("measure")
    measures = measure_lesions(scan, segmentation.labels, schema, segmentation.trust)
    lungs = measure_scan_lungs(scan, segmentation.labels, schema, given_lungs)
    if lungs.sides is not None:
        written |= write_lungs(
            lungs.sides,
            scan,
            folder,
            weights_name=segmentation.weights_name,
            weights_sha256=segmentation.weights_sha256,
            with_dicom="segmentation" in written,
            given=bool(lungs.given),
            parts=lungs.parts,
        )
        absences["lungs_segmentation"] = written.pop("lungs_segmentation_absent", "")
        lungs = dataclasses.replace(lungs, parts={})  # written: what they are made from can go
    clock.enter("report")
    acquisition = read_acquisition(scan)
    notes = _notes(segmentation, lungs, acquisition, absent)
    tables = write_measures(measures, folder) | write_lung_tables(
        lungs.measures, lungs.absent, measures, public_name(scan), folder
    )
    files = {**written, **tables, "overview": "overview.png", "report": "report.html"}
    files |= write_repeatability(segmentation.repeatability, folder) | write_preview(scan, folder)
    draw_overview(segmentation, folder / files["overview"])
    front = None
    if can_be_drawn(segmentation):
        files["front"], front = "front.png", folder / "front.png"
        draw_front_views(segmentation, front)
    write_report(
        segmentation,
        measures,
        lungs,
        folder / files["report"],
        overview=folder / files["overview"],
        front=front,
        notes=notes,
        has_dicom="segmentation" in written,
        identity=identity,
    )
    if "segmentation" in files:
        segs = {role: folder / files[role] for role in SEGMENTATIONS if role in files}
        absences["structured_report"] = write_structured_report(
            segmentation, measures, lungs.measures, segs, folder / "measures.dcm"
        )
        if not absences["structured_report"]:
            files["structured_report"] = "measures.dcm"
    absences["pdf"] = write_pdf(folder / files["report"], folder / "report.pdf")
    if not absences["pdf"]:
        files["pdf"] = "report.pdf"
    if options["dicom_pdf"] and {"pdf", "segmentation"} <= set(files):
        files["dicom_pdf"] = "report.dcm"
        write_encapsulated_pdf(folder / files["pdf"], folder / files["segmentation"], folder / files["dicom_pdf"])
    write_run_record(
        segmentation,
        folder,
        files=files,
        seconds=clock.seconds(),
        options=options,
        notes=notes,
        absences=absences,
        acquisition=acquisition if scan.source.kind == "dicom" else None,
        subject=None if options["anonymous"] else identify_subject(scan),
        expected_memory_mb=expected_memory_mb,
    )
    return measures, notes, files


@functools.cache
def _held_before() -> int | None:
    """MB that the process held before its first study: what later ones find beyond is left of earlier ones."""
    return held_memory_mb() or peak_memory_mb()


def _check_memory(scan: Scan, given_lungs: GivenLungs, segmenter: Segmenter, most_gb: float | None) -> int | None:
    """The most memory that the study will take in all, MB; None where the system does not tell what is held.

    Raises:
        ScanError: if that is more than may be taken.
        OptionError: if a limit is given where it cannot be kept.
    """
    before = _held_before()
    if before is None:
        if most_gb is not None:
            raise OptionError(
                "the memory cannot be limited",
                got=f"--memory {most_gb:g} on a system that does not tell what a process holds",
                expected="Linux or macOS",
                do="leave --memory out",
            )
        return None
    with_mask = given_lungs.mask is not None or given_lungs.lungmask is not None
    for_each = scan.voxels.itemsize + (BYTES_WITH_MASK if with_mask else BYTES_PER_VOXEL)
    slices, rows, columns = to_canonical(scan).shape
    shown = min(getattr(segmenter, "slices_at_once", 1), slices) * rows * columns
    expected = before + FIXED_MB + round((for_each * scan.voxels.size + BYTES_SHOWN * shown) / 1e6)
    expected += getattr(segmenter, "engine_memory_mb", 0)
    free = free_memory_mb()
    here = None if free is None else (held_memory_mb() or 0) + free
    allowed = here if most_gb is None else 1000 * most_gb
    if allowed is not None and expected > allowed:
        enough = math.ceil(expected / 100 + 1) / 10
        raise ScanError(
            "the scan needs more memory than it may take",
            got=f"{slices} x {rows} x {columns} voxels, about {expected:,} MB in all",
            expected=f"at most {allowed:,.0f} MB, "
            + ("what --memory allows" if most_gb is not None else "what is free here, with what msdnet holds"),
            do=f"allow more: --memory {enough:.1f}"
            if most_gb is not None
            else f"close other programs, ask for more, or try it all the same with --memory {enough:.1f}",
        )
    return expected


def _notes(
    segmentation: Segmentation, lungs: ScanLungs, acquisition: Acquisition, seg_absent: str | None
) -> tuple[str, ...]:
    """Every finding once, without patient data, in the order in which it came up."""
    scan: Scan = segmentation.scan
    notes = [*scan.notes, *segmentation.notes]
    titles = {c.name: c.title.lower() for c in segmentation.schema.classes} | {ANY_LESION: TEXTS["any_lesion"].lower()}
    if acquisition.is_sharp:
        notes.append(TEXTS["sharp_kernel"].format(kernel=acquisition.kernel))
    notes += lung_notes(lungs, segmentation.labels)
    for trust in segmentation.trust:
        if trust.review:
            notes.append(TEXTS["review"].format(title=titles[trust.class_name], reason=trust.reason))
    if scan.intensity == "grey":
        notes.append(TEXTS["grey_finding"])
    if seg_absent:
        notes.append(TEXTS["seg_absent"].format(reason=seg_absent))
    return tuple(dict.fromkeys(without_patient_data(note, scan) for note in notes))


class _Clock:
    """Seconds per stage, and the share of the whole that is done."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._starts: dict[str, float] = {}

    def enter(self, stage: str) -> None:
        self._starts[stage] = time.perf_counter()
        self._tell(stage, 0.0)

    def within(self, done: int, total: int) -> None:
        self._tell(next(reversed(self._starts)), done / total if total else 1.0)

    def finish(self) -> None:
        self._tell(next(reversed(self._starts)), 1.0)

    def seconds(self) -> dict[str, float]:
        ends = [*list(self._starts.values())[1:], time.perf_counter()]
        return {stage: end - start for (stage, start), end in zip(self._starts.items(), ends, strict=True)}

    def _tell(self, stage: str, share: float) -> None:
        if self._progress is not None:
            before = sum(_SHARES[s] for s in list(self._starts)[:-1])
            self._progress(stage, before + share * _SHARES[stage])
