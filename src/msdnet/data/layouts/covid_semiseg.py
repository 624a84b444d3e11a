"""The COVID-SemiSeg folder: its rows are loaded by `data.covid_semiseg`, which matches grey and cleans weak targets."""

from __future__ import annotations

from pathlib import Path

from msdnet.data.covid_semiseg import find_labelled, find_unlabelled
from msdnet.data.layouts.draft import Draft, Layout, Options
from msdnet.data.manifest import Row
from msdnet.errors import OptionError
from msdnet.labels import LabelSchema

_SCHEMA = "ggo-consolidation"


def draft_covid_semiseg(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """One row per slice, in the order and with the groups of `find_labelled` and `find_unlabelled`.

    Raises:
        OptionError: for another schema, a label map or a window: this preparation has its own.
    """
    if schema.name != _SCHEMA or options.label_map or options.window or options.grey:
        raise OptionError(
            "the layout covid-semiseg is read in one way only",
            got=f"schema {schema.name}" + (", and options for labels or grey" if schema.name == _SCHEMA else ""),
            expected=f"schema {_SCHEMA}, no label map, window or grey",
            do="leave these options out, or arrange the files as the layout pictures",
        )
    root = source.resolve()
    rows = []
    slices, faults = find_labelled(root)
    for s in slices:
        images, labels = root / "multiclass/images", root / "multiclass/labels"
        rows.append(Row(s.name, images / f"{s.name}.jpg", s.group, None, labels / f"{s.name}.png", source="labelled"))
    if (root / "unlabelled").is_dir():
        unlabelled, more = find_unlabelled(root)
        slices, faults = [*slices, *unlabelled], [*faults, *more]
        for s in unlabelled:
            images, weak = root / "unlabelled/images", root / "unlabelled/pseudo-labels"
            guess = next(p for p in (weak / f"{s.name}.png", weak / f"{s.name}.jpg") if p.is_file())
            rows.append(Row(s.name, images / f"{s.name}.jpg", s.group, None, None, guess, source="unlabelled"))
    return Draft(tuple(rows), tuple(faults), preparation="covid-semiseg", slices=tuple(slices), patients_known=False)


COVID_SEMISEG = Layout(
    "multiclass/images/*.jpg with multiclass/labels/*.png",
    lambda source: (source / "multiclass/images").is_dir(),
    draft_covid_semiseg,
)
