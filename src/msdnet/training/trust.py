"""Per-case trust of a recipe, fitted on what its networks made of the labelled slices that they had not seen.

OUT/trust_per_slice.csv             how steady each result is, beside the truth
OUT/trust.md, .csv, .tex            how well that tells DSC and area, by nested cross-validation
OUT/trust.png, trust.svg            predicted against true DSC
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msdnet.evaluation.pictures.reliability import draw_reliability
from msdnet.evaluation.rendering import Table
from msdnet.evaluation.trust import fit_trust, judge_trust, trust_table
from msdnet.evaluation.trust_rows import read_trust_rows, write_trust_rows
from msdnet.labels import get_schema
from msdnet.prediction.trust import TrustModel
from msdnet.training.out_of_fold import TRUST, of_all_folds


def fit_trust_of_run(
    folder: Path, num_folds: int, schema_name: str, notes: Sequence[str], *, title: str = ""
) -> tuple[list[TrustModel], Table | None]:
    """The models for the weights' card, fitted on all out-of-fold rows, and a table of how well they hold.

    See above for what is written. None where a fold has no rows of it; none of a class that is
    marked on too few slices to be judged in every fold.

    Args:
        folder: Of a run whose folds are finished.
        num_folds: How many it has.
        schema_name: Whose classes are shown.
        notes: For the table's head.
        title: For the picture's head, such as "synthetic".
    """
    rows = of_all_folds(folder, num_folds, TRUST, read_trust_rows)
    judgements = judge_trust(rows)
    if rows:
        write_trust_rows(folder / TRUST, rows)
    if not judgements:
        return [], None
    schema = get_schema(schema_name)
    table = trust_table(rows, schema, notes=notes)
    table.write(folder, "trust")
    draw_reliability(judgements, schema, folder, "trust", title=title)
    judged = {j.class_name for j in judgements if {r.fold for r, _ in j.told} == {r.fold for r in rows}}
    models = [model for model in fit_trust(rows) if model.class_name in judged]
    return models, table if models else None
