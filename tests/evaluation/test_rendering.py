from __future__ import annotations

import csv
import io
from pathlib import Path

from msdnet.evaluation.figures import Estimate
from msdnet.evaluation.rendering import Column, Table

TABLE = Table(
    (
        Column("who", "who & what"),
        Column("dsc", "DSC", "estimate", 2),
        Column("p", "p_x", "p"),
        Column("n", "n", "number"),
    ),
    (
        ("a|b", Estimate(1 / 3, 0.1, (0.25, 0.5), 7), 0.0004, 12),
        ("c", Estimate(), "too few pairs", None),
    ),
    notes=("one seed", "100 % synthetic"),
    foot='Mean "over"\nslices.',
)


def test_markdown_has_notes_figures_and_foot() -> None:
    assert TABLE.markdown().splitlines() == [
        "**one seed; 100 % synthetic**",
        "",
        "| who & what | DSC | p_x | n |",
        "| --- | --- | --- | --- |",
        "| a\\|b | 0.33 (0.10) [0.25, 0.50] | < 0.001 | 12 |",
        "| c | - | too few pairs | - |",
        "",
        'Mean "over"',
        "slices.",
    ]


def test_latex_is_a_booktabs_table_with_escaped_text() -> None:
    lines = TABLE.latex().splitlines()
    assert lines[:2] == [r"% \usepackage{booktabs}", r"\begin{table}"]
    assert lines[3:5] == [r"\caption{one seed; 100 \% synthetic. Mean ``over'' slices.}", r"\label{tab:msdnet}"]
    assert lines[5:10] == [
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"who \& what & DSC & p\_x & n \\",
        r"\midrule",
        r"a|b & 0.33 (0.10) [0.25, 0.50] & $<$ 0.001 & 12 \\",
    ]
    assert lines[-3:] == [r"\bottomrule", r"\end{tabular}", r"\end{table}"]


def test_a_wide_latex_table_lies_across_the_page() -> None:
    wide = Table(tuple(Column(str(k), str(k)) for k in range(5)), (tuple("abcde"),))
    lines = wide.latex("comparison").splitlines()
    assert lines[:2] == [r"% \usepackage{booktabs,graphicx,rotating}", r"\begin{sidewaystable}"]
    assert lines[4:6] == [r"\label{tab:comparison}", r"\resizebox{\linewidth}{!}{%"]
    assert lines[-2:] == [r"\end{tabular}}", r"\end{sidewaystable}"]


def test_csv_gives_every_figure_back_in_full() -> None:
    first, second = csv.DictReader(io.StringIO(TABLE.csv()))
    assert list(first) == ["who", "dsc", "dsc_sd", "dsc_low", "dsc_high", "dsc_num", "p", "n", "notes"]
    figure = TABLE.rows[0][1]
    low, high = float(first["dsc_low"]), float(first["dsc_high"])
    assert Estimate(float(first["dsc"]), float(first["dsc_sd"]), (low, high), int(first["dsc_num"])) == figure
    assert (first["who"], float(first["p"]), first["n"]) == ("a|b", 0.0004, "12")
    assert (second["dsc"], second["dsc_num"], second["p"], second["n"]) == ("", "0", "too few pairs", "")
    assert first["notes"] == "one seed; 100 % synthetic"


def test_the_three_forms_are_written_under_one_name(tmp_path: Path) -> None:
    assert TABLE.write(tmp_path, "table") == ("table.md", "table.csv", "table.tex")
    assert (tmp_path / "table.md").read_text() == TABLE.markdown()
    assert (tmp_path / "table.csv").read_text() == TABLE.csv()
    assert (tmp_path / "table.tex").read_text() == TABLE.latex("table")
