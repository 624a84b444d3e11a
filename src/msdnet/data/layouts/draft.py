"""What a layout gives: rows that nobody has checked yet, and how its files are to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msdnet.data.csv_files import read_csv
from msdnet.data.faults import Fault
from msdnet.data.manifest import Manifest, Row
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError
from msdnet.labels import LabelSchema

# Smallest similarity of near-duplicates. Between patients that are known, only the same slice again counts: slices of
# one patient 5 mm apart reach 0.98. Whole chests are more alike than crops of lungs: unrelated ones reached 0.81, and
# slices of one patient 15 mm apart 0.91.
SAME_SLICE, SIMILAR_CHEST = 0.985, 0.88


@dataclass(frozen=True)
class Options:
    """What the user may say about a data set.

    Attributes:
        label_map: A label's number or name in the files to a class name of the schema or "background".
        window: LOW, HIGH for files that are neither HU nor 8-bit grey.
        grey: The values are grey, 0 to 255.
        near_duplicate: Smallest similarity of near-duplicates; None for the layout's own.
        num_patients: Phantom: how many; None for 20.
        shape: Phantom: slices, rows, columns.
        seed: Phantom: the first patient's seed.
    """

    label_map: Mapping[str, str] = field(default_factory=dict)
    window: tuple[float, float] | None = None
    grey: bool = False
    near_duplicate: float | None = None
    num_patients: int | None = None
    shape: tuple[int, int, int] = (8, 128, 128)
    seed: int = 0


@dataclass(frozen=True)
class Draft:
    """Rows before they are checked.

    Attributes:
        rows: One per slice.
        faults: What the layout found wrong itself.
        label_names: Name to number in the label files, where the data set names its labels.
        near_duplicate: Default threshold for near-duplicates; None where the groups are settled.
        preparation: See `Manifest.preparation`.
        notes: What the rows do not tell, one sentence each.
        patients_known: See `Manifest.patients_known`.
        slices: Those of the rows, where the layout has read them already.
        before: The manifest that the rows come from, if it was prepared once: its settings go on holding.
    """

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...] = ()
    label_names: Mapping[str, int] = field(default_factory=dict)
    near_duplicate: float | None = None
    preparation: str = "files"
    notes: tuple[str, ...] = ()
    patients_known: bool = True
    slices: tuple[TrainingSlice, ...] = ()
    before: Manifest | None = None


@dataclass(frozen=True)
class Layout:
    """A way in which data sets lie on disk.

    Attributes:
        files: The files it looks for, in words.
        fits: Whether they are there.
        draft: Rows from (source, out, schema, options); only the phantom writes into `out`.
    """

    files: str
    fits: Callable[[Path], bool]
    draft: Callable[[Path, Path, LabelSchema, Options], Draft]


def read_groups(path: Path) -> tuple[dict[str, tuple[str, str]], list[Fault]]:
    """Group and split by name from a CSV file with the columns name, group and perhaps split; and what is wrong."""
    if not path.is_file():
        return {}, []
    try:
        columns, records = read_csv(path)
    except DatasetError as error:
        return {}, [Fault(f"{path.name} that is not {error.expected} ({error.do})", error.got)]
    if not {"name", "group"} <= set(columns):
        return {}, [Fault(f"{path.name} without the columns name and group, but with", ", ".join(columns) or "none")]
    groups, faults = {}, []
    for record in records:
        name, group = record["name"], record["group"]
        if not name or not group or name in groups:
            faults.append(Fault(f"a line of {path.name} without name or group, or with a name again", name or "(none)"))
        groups[name] = group, record.get("split", "")
    return groups, faults
