"""Images and label maps in two folders, paired by their names: pictures, or NIfTI volumes.

FOLDER/images/NAME.png        (.jpg, .tif; or .nii, .nii.gz)
FOLDER/labels/NAME.png        (.nii, .nii.gz) class numbers; all zero for an image without lesion
FOLDER/unlabelled/NAME.*      optional: images without truth
FOLDER/weak/NAME.*            optional: for some of these a guess of any lesion, 0 to 255
FOLDER/groups.csv             optional: name, group (the patient), and perhaps split
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from nibabel.filebasedimages import ImageFileError

from msdnet.data.faults import Fault
from msdnet.data.layouts.draft import SAME_SLICE, Draft, Layout, Options, read_groups
from msdnet.data.manifest import NO_GROUPS, Row
from msdnet.data.similarity import NEAR_DUPLICATE
from msdnet.data.slice_reader import NIFTI as NIFTI_SUFFIXES
from msdnet.data.slice_reader import count_slices
from msdnet.files import is_clutter
from msdnet.labels import LabelSchema

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def draft_pictures(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """One row per picture; without groups.csv every picture is a group until near-duplicates are merged."""
    draft = _draft(source, PICTURE_SUFFIXES, PICTURE_SUFFIXES, rows_of_picture)
    known = (source / "groups.csv").is_file()
    threshold = SAME_SLICE if known else NEAR_DUPLICATE
    return Draft(draft.rows, draft.faults, near_duplicate=threshold, patients_known=known)


def draft_nifti(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """One row per axial slice; without groups.csv every volume is a patient."""
    draft = _draft(source, NIFTI_SUFFIXES, NIFTI_SUFFIXES, rows_of_volume)
    known = (source / "groups.csv").is_file()
    notes = () if known else (f"{NO_GROUPS}every volume is taken as another patient.",)
    return Draft(draft.rows, draft.faults, near_duplicate=SAME_SLICE, notes=notes)


def rows_of_picture(
    name: str, image: Path, labels: Path | None, weak: Path | None, group: str, source: str, split: str
) -> list[Row]:
    """The one row of a picture."""
    return [Row(name, image, group, None, labels, weak, source, split)]


def rows_of_volume(
    name: str, image: Path, labels: Path | None, weak: Path | None, group: str, source: str, split: str
) -> list[Row]:
    """A row for each axial slice, named after the volume and the slice's index from feet to head.

    Raises:
        ImageFileError: if the file is no NIfTI file, or EOFError, OSError, ValueError where it is damaged.
    """
    count = count_slices(image)
    digits = len(str(max(count - 1, 100)))
    return [
        Row(f"{name}-{index:0{digits}d}", image, group, index, labels, weak, source, split) for index in range(count)
    ]


def draft_rows(rows_of: Callable[..., list[Row]], name: str, *arguments: object) -> tuple[list[Row], list[Fault]]:
    """The rows of one image, or the fault that it cannot be opened."""
    try:
        return rows_of(name, *arguments), []
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        return [], [Fault(f"an image that cannot be opened ({type(error).__name__})", name)]


def by_stem(folder: Path, suffixes: Iterable[str]) -> tuple[dict[str, Path], list[Fault]]:
    """The files of a folder by their names without suffix, and those that cannot be used."""
    found: dict[str, Path] = {}
    faults = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if is_clutter(path):
            continue
        suffix = max((s for s in suffixes if path.name.lower().endswith(s)), key=len, default="")
        name = path.name[: -len(suffix)] if suffix else path.name
        if not suffix:
            faults.append(Fault(f"files in {folder.name} that are none of {', '.join(suffixes)}", path.name))
        elif name in found:
            faults.append(Fault(f"two files of one name in {folder.name}", name))
        else:
            found[name] = path.resolve()
    return found, faults


def _draft(source: Path, images: Iterable[str], targets: Iterable[str], rows_of: Callable[..., list[Row]]) -> Draft:
    labelled, faults = by_stem(source / "images", images)
    labels, more = by_stem(source / "labels", targets)
    unlabelled, others = by_stem(source / "unlabelled", images)
    weak, last = by_stem(source / "weak", targets)
    groups, wrong = read_groups(source / "groups.csv")
    faults = [*faults, *more, *others, *last, *wrong]
    if not labelled and not unlabelled:
        faults.append(Fault("no image in images or unlabelled"))
    faults += [
        Fault("an image without label map (all zero if it shows no lesion; without truth it belongs in unlabelled)", n)
        for n in labelled.keys() - labels.keys()
    ]
    faults += [Fault("a label map without image", n) for n in labels.keys() - labelled.keys()]
    faults += [Fault("a weak target without an image in unlabelled", n) for n in weak.keys() - unlabelled.keys()]
    faults += [Fault("a name both in images and in unlabelled", n) for n in labelled.keys() & unlabelled.keys()]
    everything = labelled | unlabelled
    if groups:
        faults += [Fault("an image that groups.csv does not name", n) for n in everything.keys() - groups.keys()]
        faults += [Fault("a name in groups.csv without image", n) for n in groups.keys() - everything.keys()]
    rows: list[Row] = []
    for name, image in everything.items():
        group, split = groups.get(name, (name, ""))
        target = labels.get(name) if name in labelled else None
        found, broken = draft_rows(rows_of, name, image, target, weak.get(name), group, source.name, split)
        rows += found
        faults += broken
    return Draft(tuple(rows), tuple(sorted(faults)))


def _holds(source: Path, suffixes: tuple[str, ...]) -> bool:
    folders = [source / "images", source / "unlabelled"]
    files = [p for f in folders if f.is_dir() for p in f.iterdir() if not is_clutter(p)]
    return any(p.name.lower().endswith(suffixes) for p in files)


PICTURES = Layout(
    "images/*.png|jpg|tif with labels/*.png of the same names",
    lambda source: _holds(source, PICTURE_SUFFIXES),
    draft_pictures,
)
NIFTI = Layout(
    "images/*.nii|nii.gz with labels/*.nii|nii.gz of the same names",
    lambda source: _holds(source, NIFTI_SUFFIXES),
    draft_nifti,
)
