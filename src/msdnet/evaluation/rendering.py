"""One table of figures -> Markdown, LaTeX and CSV, so that the three cannot differ."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msdnet.evaluation.figures import Estimate

Cell = str | int | float | Estimate | None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Its name in the CSV.
        title: Its head in Markdown and LaTeX.
        kind: "estimate" takes five columns in the CSV: KEY, KEY_sd, KEY_low, KEY_high, KEY_num.
        digits: After the point; in the CSV numbers stand in full.
    """

    key: str
    title: str
    kind: Literal["text", "number", "estimate", "p"] = "text"
    digits: int = 3


WIDE = 4
"""A table of more columns than these is wider than a page."""


@dataclass(frozen=True)
class Table:
    """Figures in rows.

    Attributes:
        columns: What the cells are.
        rows: One cell per column.
        notes: What a reader must know first, such as "one seed"; they stand in the head, and in each row of the CSV.
        foot: The conventions, under the table; not in the CSV.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    foot: str = ""

    def markdown(self) -> str:
        """The table for people to read."""
        head = [f"**{'; '.join(self.notes)}**", ""] if self.notes else []
        lines = [[c.title for c in self.columns], ["---"] * len(self.columns), *self._texts()]
        body = ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines]
        return "\n".join([*head, *body, *(["", self.foot] if self.foot else [])]) + "\n"

    def latex(self, label: str = "msdnet") -> str:
        """The table for a paper, a wide one across the page; its first line names the packages that it needs."""
        caption = " ".join([*(["; ".join(self.notes) + "."] if self.notes else []), *self.foot.split()])
        kinds = "".join("l" if c.kind == "text" else "r" for c in self.columns)
        lines = [" & ".join(map(_escape, line)) + r" \\" for line in [[c.title for c in self.columns], *self._texts()]]
        is_wide = len(self.columns) > WIDE
        kind = "sidewaystable" if is_wide else "table"
        return "\n".join(
            [
                rf"% \usepackage{{booktabs{',graphicx,rotating' if is_wide else ''}}}",
                rf"\begin{{{kind}}}",
                r"\centering",
                rf"\caption{{{_escape(caption)}}}",
                rf"\label{{tab:{label}}}",
                *([r"\resizebox{\linewidth}{!}{%"] if is_wide else []),
                rf"\begin{{tabular}}{{{kinds}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                rf"\end{{tabular}}{'}' if is_wide else ''}",
                rf"\end{{{kind}}}",
                "",
            ]
        )

    def csv(self) -> str:
        """The table for programs: unrounded, empty where there is no figure."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*(key for c in self.columns for key in _csv_keys(c)), *(["notes"] if self.notes else [])])
        for row in self.rows:
            cells = [v for c, cell in zip(self.columns, row, strict=True) for v in _csv_values(c, cell)]
            writer.writerow([*cells, *(["; ".join(self.notes)] if self.notes else [])])
        return stream.getvalue()

    def write(self, folder: Path, name: str) -> tuple[str, str, str]:
        """NAME.md, NAME.csv and NAME.tex in the folder; gives these names."""
        files = {f"{name}.md": self.markdown(), f"{name}.csv": self.csv(), f"{name}.tex": self.latex(name)}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        return f"{name}.md", f"{name}.csv", f"{name}.tex"

    def _texts(self) -> list[list[str]]:
        return [[_text(c, cell) for c, cell in zip(self.columns, row, strict=True)] for row in self.rows]


def _text(column: Column, cell: Cell) -> str:
    if isinstance(cell, Estimate):
        return _estimate_text(cell, column.digits)
    if isinstance(cell, float):
        if column.kind == "p":
            return "< 0.001" if cell < 0.001 else f"{cell:.3f}"
        return f"{cell:.{column.digits}f}"
    return "-" if cell is None else str(cell)


def _estimate_text(figure: Estimate, digits: int) -> str:
    if figure.value is None:
        return "-"
    text = f"{figure.value:.{digits}f}"
    if figure.sd is not None:
        text += f" ({figure.sd:.{digits}f})"
    if figure.interval is not None:
        text += f" [{figure.interval[0]:.{digits}f}, {figure.interval[1]:.{digits}f}]"
    return text


def _csv_keys(column: Column) -> Sequence[str]:
    if column.kind != "estimate":
        return [column.key]
    return [column.key, *(f"{column.key}_{part}" for part in ("sd", "low", "high", "num"))]


def _csv_values(column: Column, cell: Cell) -> Sequence[str | int | float | None]:
    if column.kind != "estimate":
        return [None if isinstance(cell, Estimate) else cell]
    if not isinstance(cell, Estimate):
        return [None] * 5
    return [cell.value, cell.sd, *(cell.interval or (None, None)), cell.num_units]


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def _escape(text: str) -> str:
    quoted = re.sub(r'"([^"]*)"', r"``\1''", text)
    return re.sub(r"[\\~^<>&%$#_{}]", lambda found: _SPECIAL[found[0]], quoted)
