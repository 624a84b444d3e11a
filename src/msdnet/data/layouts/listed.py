"""A manifest's CSV file, written or changed by hand: for data sets that no other layout fits, and to correct groups."""

from __future__ import annotations

from pathlib import Path

from msdnet.data.layouts.draft import SAME_SLICE, Draft, Layout, Options
from msdnet.data.manifest import read_rows, settings_path, with_settings
from msdnet.data.slice_reader import load_covid_semiseg
from msdnet.errors import OptionError
from msdnet.labels import LabelSchema


def draft_listed(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """The rows as they are listed, with their groups; read as before where they were prepared once.

    Raises:
        DatasetError: if the file cannot be used.
        OptionError: if it was prepared once and the options say that it is to be read in another way now.
    """
    rows = read_rows(source)
    if not settings_path(source).is_file():
        return Draft(rows, near_duplicate=SAME_SLICE)
    before = with_settings(source, rows)
    if before.schema != schema.name or options.label_map or options.window or options.grey:
        raise OptionError(
            f"{source.name} was prepared in another way",
            got="another schema, label map, window or grey",
            expected=f"what {settings_path(source).name} says (schema {before.schema}), and no such options",
            do=f"leave them out, or delete {settings_path(source).name} to begin anew",
        )
    if before.preparation == "files":
        return Draft(rows, near_duplicate=SAME_SLICE, before=before)
    return Draft(rows, preparation=before.preparation, slices=tuple(load_covid_semiseg(rows)), before=before)


LISTED = Layout("a CSV file with the columns of a manifest", lambda source: source.suffix == ".csv", draft_listed)
