"""CSV files that people make: in UTF-8, with commas, semicolons or tabs."""

from __future__ import annotations

import csv
from pathlib import Path

from msdnet.errors import DatasetError


def read_csv(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns, and a dict for each line; the head line tells what separates them. Blanks around values are dropped.

    Raises:
        DatasetError: if it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        head = lines[0] if lines else ""
        records = list(csv.reader(lines, delimiter=max(",;\t", key=head.count)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path.name} cannot be read",
            got=type(error).__name__,
            expected="a CSV file in UTF-8",
            do='check the path, or save it anew: in Excel as "CSV UTF-8"',
        ) from error
    columns, *rows = [[value.strip() for value in record] for record in records if record] or [[]]
    return columns, [dict(zip(columns, [*row, *[""] * len(columns)], strict=False)) for row in rows]
