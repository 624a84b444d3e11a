"""DICOM files -> series, and which one to use: CT, axial, no localiser, originals before derived ones; else ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from msdnet.errors import ScanError
from msdnet.scans.dicom_files import DicomFile, read_headers, stated_number
from msdnet.scans.messages import count_of

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
_MULTI_FRAME_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_REFORMAT_WORDS = {"MIP", "MINIP", "MPR", "REFORMATTED", "PROJECTION", "MAX_IP", "MIN_IP", "VOLREND", "CURVED"}
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG")
_TAGS = (
    "SOPClassUID",
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImageOrientationPatient",
    "SliceThickness",
    "BodyPartExamined",
)


@dataclass
class Series:
    """The files of one series, and what their headers say. `uid` and `description` may identify a patient."""

    uid: str
    files: list[DicomFile] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    num_localisers: int = 0

    @property
    def title(self) -> str:
        """What to call it in a note: its number, and nothing that could identify a patient."""
        number = self.headers[0].get("SeriesNumber")
        return f"series {number if number is not None else 'without number'} ({count_of(len(self.files), 'file')})"

    @property
    def listing(self) -> str:
        """One line for the person who has to choose."""
        first = self.headers[0]
        parts = [self.uid or "(no UID)", count_of(len(self.files), "file")]
        thickness = first.get("SliceThickness")
        parts += [f"{thickness} mm"] if thickness else []
        parts += [str(first.get("SeriesDescription"))] if first.get("SeriesDescription") else []
        return ", ".join(parts)

    @property
    def is_original(self) -> bool:
        """Whether it is an original or does not say."""
        return "DERIVED" not in _image_type(self.headers[0])

    @property
    def body_part(self) -> str:
        """The part of the body that it states: "chest", "other" or nothing."""
        stated = str(self.headers[0].get("BodyPartExamined") or "").upper()
        return "" if not stated else "chest" if any(w in stated for w in _CHEST_WORDS) else "other"

    @property
    def obstacle(self) -> str:
        """Why no scan can be read from it whatever is asked for; empty if one can."""
        first = self.headers[0]
        if not first.get("Rows"):
            return "no image (a report or another object)"
        if first.get("Modality") != "CT":
            return f"modality {first.get('Modality') or 'not stated'} instead of CT"
        if _is_multi_frame(first):
            return "multi-frame or 4D"
        if _is_localiser(first):
            return "a localiser"
        if first.get("SOPClassUID") not in (None, "", CT_IMAGE):
            return "a secondary capture or another image that is no CT slice"
        return ""

    @property
    def doubt(self) -> str:
        """Why it is not chosen unless it is asked for; empty if it may be."""
        words = {word for v in _image_type(self.headers[0]) for word in v.split()} & _REFORMAT_WORDS
        plane = _plane(self.headers[0])
        if plane != "axial":
            return f"a {plane} reformat"
        return f"an axial reformat ({', '.join(sorted(words))})" if words else ""


def group_series(files: Iterable[DicomFile]) -> list[Series]:
    """The files by series in the order in which they appear; localisers within a series are set aside.

    Raises:
        ScanError: if a file is not DICOM or is damaged.
    """
    found: dict[str, Series] = {}
    files = list(files)
    for file, header in zip(files, read_headers(files, _TAGS), strict=True):
        if header is None:
            continue
        if getattr(header.file_meta, "MediaStorageSOPClassUID", "") == CT_IMAGE and not header.get("Rows"):
            raise ScanError(
                f"{file} is truncated",
                got="a CT slice that breaks off within its header",
                expected="a complete DICOM file",
                do="copy or export the series again",
            )
        uid = str(header.get("SeriesInstanceUID") or "")
        series = found.setdefault(uid, Series(uid))
        series.files.append(file)
        series.headers.append(header)
    return [_without_localisers(s) for s in found.values()]


def choose_series(found: Sequence[Series], where: str, wanted: str | None) -> tuple[Series, tuple[str, ...]]:
    """The one series to use, and a note for everything left out.

    The rules: `wanted`, if given. Else series that are no CT images, localisers, multi-frame objects, and sagittal,
    coronal or other reformats are left out; then the most specific are kept: those that state the chest before those
    that state another part of the body, originals before derived ones. If several are still left, none is chosen.

    Args:
        where: What to call the input in a message.
        wanted: A SeriesInstanceUID.

    Raises:
        ScanError: if none can be used, if several are left, or if `wanted` is not there or cannot be used.
    """
    usable = usable_series(found, where, wanted)
    if any(s.body_part == "chest" for s in usable):
        usable = [s for s in usable if s.body_part != "other"]
    if any(s.is_original for s in usable):
        usable = [s for s in usable if s.is_original]
    if len(usable) > 1:
        raise ScanError(
            f"{where} holds {len(usable)} CT series that could be meant",
            got="\n            ".join(["", *(s.listing for s in usable)]).strip(),
            expected="one axial CT series, or a choice",
            do="pass --series with one of these UIDs",
        )
    return usable[0], notes_on_rest(found, usable)


def usable_series(found: Sequence[Series], where: str, wanted: str | None) -> list[Series]:
    """Every series that may be used: `wanted` alone if given, else those that are CT and axial and no localiser.

    Raises:
        ScanError: if there is none, or if `wanted` is not there or cannot be used.
    """
    if wanted is not None:
        match = [s for s in found if s.uid == wanted]
        if not match:
            raise ScanError(
                f"{where} does not hold the series asked for",
                got=f"--series {wanted}; it holds " + "; ".join(s.listing for s in found),
                expected="the UID of a series in the input",
                do="pass one of these UIDs, or leave --series out",
            )
        if match[0].obstacle:
            raise _unusable(where, [match[0]])
        return match
    usable = [s for s in found if not s.obstacle and not s.doubt]
    if not usable:
        raise _unusable(where, found)
    return usable


def notes_on_rest(found: Sequence[Series], used: Sequence[Series]) -> tuple[str, ...]:
    """One sentence for each series that is left out, and for localisers within those used."""
    notes = [f"Left out: {s.title}, {s.obstacle or s.doubt or _lesser(s)}." for s in found if s not in used]
    notes += [
        f"Left out: {count_of(s.num_localisers, 'localiser')} within {s.title}." for s in used if s.num_localisers > 0
    ]
    return tuple(notes)


def _without_localisers(series: Series) -> Series:
    keep = [i for i, h in enumerate(series.headers) if not _is_localiser(h)]
    if not keep or len(keep) == len(series.files):
        return series
    return Series(
        series.uid,
        [series.files[i] for i in keep],
        [series.headers[i] for i in keep],
        num_localisers=len(series.files) - len(keep),
    )


def _unusable(where: str, found: Sequence[Series]) -> ScanError:
    obstacles = [s.obstacle or s.doubt for s in found]
    got = "; ".join(f"{s.title}: {o}" for s, o in zip(found, obstacles, strict=True)) or "no DICOM image"
    if obstacles and all(o == "a localiser" for o in obstacles):
        what = f"{where} holds a localiser and no CT slices"
    elif obstacles and all(o.startswith("modality") for o in obstacles):
        what = f"{where} is not a CT"
    elif obstacles and all(o == "multi-frame or 4D" for o in obstacles):
        what = f"{where} is a multi-frame or 4D DICOM object, which is not supported"
    else:
        what = f"{where} holds no CT series that can be used"
    reformats = [s for s in found if not s.obstacle and s.doubt]
    do = "export the axial CT series, one file a slice"
    if reformats:
        do += "; to use a reformat all the same pass --series " + reformats[0].uid
    return ScanError(what, got=got, expected="an axial CT series of single-frame slices", do=do)


def _lesser(series: Series) -> str:
    if series.body_part == "other":
        return "another part of the body"
    return "another series" if series.is_original else "derived"


def _image_type(header: Any) -> list[str]:
    value = header.get("ImageType") or []
    return [str(v).upper() for v in ([value] if isinstance(value, str) else value)]


def _is_localiser(header: Any) -> bool:
    return any(word in v for v in _image_type(header) for word in ("LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM"))


def _is_multi_frame(header: Any) -> bool:
    try:
        frames = stated_number(header, "NumberOfFrames") or 1
    except ValueError:  # said when the slice is read, if it is
        frames = 1
    return header.get("SOPClassUID") in _MULTI_FRAME_CT or frames > 1


def _plane(header: Any) -> str:
    """The plane that the slices lie in; axial where nothing is stated or the tilt is less than about 37 degrees."""
    try:
        cosines = np.asarray(header.get("ImageOrientationPatient"), dtype=float)
    except (ValueError, TypeError):  # said when the slice is read, if it is
        return "axial"
    if cosines.shape != (6,):
        return "axial"
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    if normal.max() < 0.8:
        return "oblique"
    return ("sagittal", "coronal", "axial")[int(normal.argmax())]
