"""prepare: files in any layout -> a checked manifest. Every slice is read once; all faults are told at once."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msdnet.config import Preprocessing
from msdnet.data.checks import Facts, facts_of, find_faults, merge_groups
from msdnet.data.class_table import Shown, table_of, write_groups
from msdnet.data.faults import Fault, raise_faults
from msdnet.data.layouts import Draft, Options, choose_layout
from msdnet.data.manifest import Joined, Manifest, check_rows, origin_of, settings_path, with_settings, write_manifest
from msdnet.data.slice_reader import Found, SliceReader
from msdnet.errors import DatasetError, OptionError
from msdnet.labels import LabelSchema, get_schema

BACKGROUND = "background"
_NUMBER = re.compile(r"-?\d+")
_OUTSIDE = re.compile(r"label value (-?\d+) outside the schema")


@dataclass(frozen=True)
class Prepared:
    """What `prepare` made.

    Attributes:
        manifest: As it was written.
        table: Slices and groups by class, Markdown.
        findings: What a reader should know, one sentence each: the manifest's notes, and what its rows tell.
        classes: The CSV file that says for every group (patient) how many of its slices show each class.
    """

    manifest: Manifest
    table: str
    findings: tuple[str, ...]
    classes: Path

    def __str__(self) -> str:
        return "\n".join([self.table, *(f"- {note}" for note in self.findings)]) + "\n"


def prepare(
    source: Path | None,
    out: Path,
    schema: str,
    *,
    layout: str | None = None,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """The checked data set, its manifest written to OUT: manifest.csv and .json; and what each patient shows.

    Checked are: partners, sizes and grids, label values against the schema, images of one grey, one image with two
    truths, mixed intensities. Near-duplicates are no fault: they are put into one group, and the notes name them.

    Args:
        source: The data set's folder, or a CSV file; None for the phantom.
        out: The folder of the manifest. Files below it are listed by relative paths.
        schema: Name of the label schema.
        layout: A name from `layouts.LAYOUTS`; None tells it from the files.
        options: What the user says about the files.
        progress: Called with the slices done and their number.

    Raises:
        DatasetError: if anything forbids the use; all faults at once, and nothing is written.
        OptionError: for an unknown name, an option that has no use here, or a manifest of another source in `out`.
    """
    options, target = options or Options(), get_schema(schema)
    name, chosen = choose_layout(layout, source)
    _check_use(name, source, options)
    _check_replaced(out / "manifest.csv", source)
    draft = chosen.draft(source or out, out, target, options)
    label_values, faults = map_labels(draft.label_names, options.label_map, target)
    window, grey = options.window, options.grey
    if draft.before is not None:
        label_values, window, grey = dict(draft.before.label_values), draft.before.window, draft.before.grey
    reader = SliceReader(label_values, window, grey, Preprocessing())
    faults = [*draft.faults, *faults, *check_rows(draft.rows)]
    faults += [] if draft.rows or faults else [Fault("no slice")]

    facts: list[Facts] = []
    intensities: dict[str, str] = {}
    splits = {row.name: row.split for row in draft.rows}
    for count, found in enumerate(_read(draft, reader), start=1):
        faults += found.faults
        intensities.setdefault(found.intensity, found.slice.name if found.slice else "")
        if found.slice is not None:
            facts.append(facts_of(found.slice, splits[found.slice.name]))
        if progress is not None:
            progress(count, len(draft.rows))
    intensities.pop("", None)
    if len(intensities) > 1:
        faults.append(Fault("images in HU and images in grey", ", ".join(intensities.values())))
    blank_faults, left_out = _blank_slices(draft, facts)
    facts = [f for f in facts if f.name not in left_out]
    faults += [*blank_faults, *find_faults(facts)]
    raise_faults(
        f"the data set {source.name if source else name} cannot be used",
        faults if draft.before else [_explained(f, draft.label_names, target) for f in faults],
        expected=f"images with label maps of their own size, in the schema {schema}: "
        + ", ".join([f"0 {BACKGROUND}", *(f"{c.index} {c.name}" for c in target.classes)]),
        do="correct what is listed and prepare the data set again; docs/data.md describes the layouts",
    )

    threshold = options.near_duplicate if options.near_duplicate is not None else draft.near_duplicate
    groups, joined = merge_groups(facts, threshold)
    notes, patients_known = draft.notes, draft.patients_known
    if draft.before is not None:
        notes, patients_known = draft.before.notes, draft.before.patients_known
        kept = [j for j in draft.before.joined if _are_one_group(j, groups)]
        joined = list({(j.one, j.two): j for j in [*kept, *joined]}.values())
    if left_out:
        notes = (*notes, f"Left out: {len(left_out)} slices of one grey only (padding).")
    rows = tuple(dataclasses.replace(row, group=groups[row.name]) for row in draft.rows if row.name not in left_out)
    shown = [Shown(groups[f.name], f.split, None if f.classes is None else frozenset(f.classes)) for f in facts]
    classes = out / "manifest-classes.csv"
    write_groups(shown, target, classes)  # first, as the list is what says that all is there
    manifest = write_manifest(
        Manifest(
            path=out / "manifest.csv",
            rows=rows,
            schema=schema,
            intensity=next(iter(intensities)),
            label_values=label_values,
            preparation=draft.preparation,
            window=window,
            grey=grey,
            notes=notes,
            patients_known=patients_known,
            joined=tuple(joined),
            made_from=_origin(source, out, draft.before),
        )
    )
    findings = (*_findings(manifest, facts, groups), *_missing_classes(shown, target))
    return Prepared(manifest, table_of(shown, target), findings, classes)


def map_labels(
    names: Mapping[str, int], label_map: Mapping[str, str], schema: LabelSchema
) -> tuple[dict[int, int], list[Fault]]:
    """Number in the files to number in the schema, and what is wrong with the label map.

    Named labels: each goes to the class that the label map says, else to the class of its own name, else nowhere.
    Numbers without names: as the label map says; without a label map they are the schema's own.
    """
    targets = {BACKGROUND: 0} | {c.name.lower(): c.index for c in schema.classes}
    label_map = {key: value.lower() for key, value in label_map.items()}
    faults = [
        Fault(f"--map names the class {value!r}; the schema {schema.name} has {', '.join(targets)}", key)
        for key, value in label_map.items()
        if value not in targets
    ]
    if names:
        numbers = {str(number): number for number in names.values()} | dict(names)
        has = f"has {', '.join(names)}"
    else:
        numbers = {key: int(key) for key in label_map if _NUMBER.fullmatch(key)}
        has = "has numbers only"
    faults += [
        Fault(f"--map names a label that the data set does not have; it {has}", key)
        for key in sorted(label_map.keys() - numbers)
    ]
    values = {0: 0}
    if names:
        values |= {number: targets[name.lower()] for name, number in names.items() if name.lower() in targets}
    elif not label_map:
        values |= {index: index for index in range(schema.num_classes)}
    values |= {numbers[k]: targets[v] for k, v in label_map.items() if k in numbers and v in targets}
    return values, faults


def _check_use(layout: str, source: Path | None, options: Options) -> None:
    """Refuses what the layout has no use for, and a layout without what it needs."""
    if layout != "phantom" and source is None:
        raise OptionError(f"the layout {layout} needs a folder", got="none", expected="a folder", do="name it")
    if layout != "phantom" and options.num_patients is not None:
        raise OptionError(
            "--patients is of the layout phantom alone",
            got=f"--patients {options.num_patients} with the layout {layout}",
            expected="a data set that says itself whose its slices are",
            do="leave --patients out, or make synthetic patients with --layout phantom and without a folder",
        )
    if layout == "phantom" and source is not None:
        raise OptionError(
            "the layout phantom reads no files",
            got=str(source),
            expected="no folder: the patients are made up, and written into the folder of -o",
            do="leave the folder out, or leave --layout phantom out to prepare what is in it",
        )


def _check_replaced(path: Path, source: Path | None) -> None:
    """Refuses to replace a manifest of another source; one may be prepared again from its own, and from itself."""
    if not path.is_file() or (source is not None and source.resolve() == path.resolve()):
        return
    try:
        found = with_settings(path, ()).made_from or "a source that it does not name"
    except DatasetError:
        damaged = settings_path(path).is_file()
        found = "no source: " + ("its settings are damaged" if damaged else "a list that was not prepared")
    wanted = origin_of(source, path.parent)
    if found != wanted:
        raise OptionError(
            "the output folder holds a manifest that was made from something else",
            got=f"{path}, made from {found}",
            expected=f"no manifest, or one made from {wanted}",
            do=f"choose another folder with -o, or delete {path.name} and {settings_path(path).name} if they may go",
        )


def _origin(source: Path | None, out: Path, before: Manifest | None) -> str:
    """What the manifest was made from; one that is prepared again was made from what it was at first."""
    again = before is not None and before.path.resolve() == (out / "manifest.csv").resolve()
    return before.made_from if before is not None and again else origin_of(source, out)


def _are_one_group(joined: Joined, groups: Mapping[str, str]) -> bool:
    """Whether a correction has left the two slices together."""
    return joined.one in groups and groups[joined.one] == groups.get(joined.two)


def _read(draft: Draft, reader: SliceReader) -> Iterator[Found]:
    if draft.slices:
        yield from (Found(s, [], "grey") for s in draft.slices)
    else:
        yield from (reader.read(row) for row in draft.rows)


def _blank_slices(draft: Draft, facts: list[Facts]) -> tuple[list[Fault], set[str]]:
    """Blank slices of volumes (padding) are left out, unless their labels show a lesion."""
    in_volume = {row.name for row in draft.rows if row.slice is not None}
    blank = [f for f in facts if f.blank and f.name in in_volume]
    faults = [Fault("a lesion on a slice of one grey only", f.name) for f in blank if f.classes]
    left_out = {f.name for f in blank if not f.classes}
    return faults, left_out if len(left_out) < len(facts) else set()


def _explained(fault: Fault, names: Mapping[str, int], schema: LabelSchema) -> Fault:
    """The fault with the name of a label value that has one, and what to say about it."""
    told = _OUTSIDE.fullmatch(fault.what)
    if told is None:
        return fault
    classes = "|".join([BACKGROUND, *schema.names])
    name = next((name for name, number in names.items() if number == int(told[1])), "")
    if name:
        return Fault(f"{fault.what} ({name}): say --map {shlex.quote(name)}={classes}", fault.where)
    return Fault(f"{fault.what}: say --map={told[1]}={classes}, and so for every label but 0", fault.where)


def _missing_classes(shown: Sequence[Shown], schema: LabelSchema) -> list[str]:
    labelled = [s.classes for s in shown if s.classes is not None]
    missing = [c.title for c in schema.classes if not any(c.index in classes for classes in labelled)]
    if not labelled or not missing:
        return []
    return [f"No labelled slice shows {', '.join(missing)}: a network cannot learn it here, nor be measured on it."]


def _findings(manifest: Manifest, facts: list[Facts], groups: dict[str, str]) -> tuple[str, ...]:
    findings = [] if manifest.patients_known else ["The patients are not known: groups are near-duplicates only."]
    findings += manifest.notes
    splits: dict[str, set[str]] = {}
    sizes: dict[str, int] = {}
    for f in facts:
        splits.setdefault(groups[f.name], set()).add(f.split)
        sizes[groups[f.name]] = sizes.get(groups[f.name], 0) + 1
    if shared := sorted(group for group, found in splits.items() if len(found) > 1):
        findings.append(f"Groups that lie in two splits, so that one tells about the other: {', '.join(shared)}.")
    largest = max(sizes, key=sizes.__getitem__)
    if len(sizes) > 1 and sizes[largest] > len(facts) / 3:
        findings.append(
            f"The largest group {largest} holds {sizes[largest]} of {len(facts)} slices: if they are not of one"
            " patient, raise --near-duplicate."
        )
    return (*findings, *map(str, manifest.joined))
