"""A comparison with several seeds: each in a folder of its own, then their average and spread.

OUT/run.json                        the names of the experiments, and the seeds
OUT/seed-0/ ...                     what `cross_validation` writes, for one seed
OUT/comparison.*, significance.*    of the measures averaged over seeds, slice by slice
OUT/seeds.*                         each seed's figures, their mean and standard deviation
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

from msdnet.config import Experiment
from msdnet.data.manifest import read_manifest
from msdnet.errors import OptionError
from msdnet.evaluation.comparison import write_comparison
from msdnet.evaluation.overlap import read_overlaps
from msdnet.evaluation.seeds import average_seeds, seeds_table
from msdnet.labels import get_schema
from msdnet.training.cross_validation import (
    check_experiment,
    check_precision,
    check_together,
    cross_validate,
    table_notes,
)
from msdnet.training.head_notes import experiment_notes, seed_note
from msdnet.training.processes import find_processes
from msdnet.training.progress import Progress, part_of
from msdnet.training.run_folder import check_claim
from msdnet.training.runs import check_order, write_order


def cross_validate_seeds(
    experiments: Sequence[Experiment],
    data: Path,
    out: Path,
    *,
    seeds: Sequence[int],
    reference: str | None = None,
    only_folds: Collection[int] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """The comparison averaged over seeds, in Markdown; what else is written: see above.

    The folds are those of the experiments, the same for every seed.

    Args:
        experiments: As `cross_validate`; their own seeds are not used.
        data: As there.
        out: As there.
        seeds: At least one, each once.
        reference: As there.
        only_folds: As there.
        device: As there.
        progress: As there.

    Raises:
        OptionError: if a seed is given twice or none is, OUT holds a comparison without seeds, or the folder of any
            seed holds another run; and as `cross_validate`. Before anything is trained.
        DatasetError: as `cross_validate`.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise OptionError(
            "a seed is given twice, or none is",
            got=", ".join(map(str, seeds)) or "none",
            expected="at least one, each once",
            do="correct the list of seeds",
        )
    names = check_together(experiments, reference)
    check_order(out, seeds)
    sha256 = read_manifest(data).sha256
    of_seed = {seed: [dataclasses.replace(e, seed=seed) for e in experiments] for seed in seeds}
    for experiment in experiments:
        check_experiment(experiment, only_folds)
    for seed in seeds:
        for experiment in of_seed[seed]:
            folder = out / f"seed-{seed}" / experiment.name
            check_claim(folder, experiment, sha256)
            check_precision(experiment, folder, only_folds, device)
    if find_processes().writes:
        write_order(out, names, seeds)
    for i, seed in enumerate(seeds):
        tell = part_of(progress, i / len(seeds), 1 / len(seeds), f"seed {seed}, ")
        cross_validate(
            of_seed[seed],
            data,
            out / f"seed-{seed}",
            reference=reference,
            only_folds=only_folds,
            device=device,
            progress=tell,
        )
    if only_folds:
        return out
    if find_processes().writes:
        schema = get_schema(experiments[0].schema)
        by_seed = {
            e.name: {seed: read_overlaps(out / f"seed-{seed}" / e.name / "per_slice.csv") for seed in seeds}
            for e in experiments
        }
        about = f"mean of seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else seed_note(of_seed[seeds[0]])
        folders = {e.name: [out / f"seed-{seed}" / e.name for seed in seeds] for e in experiments}
        manifest = read_manifest(data)
        notes = table_notes(folders, manifest, [about, *experiment_notes(experiments, manifest.sha256)])
        averaged = {name: average_seeds(list(rows.values())) for name, rows in by_seed.items()}
        write_comparison(averaged, schema, out, reference=reference or experiments[0].name, notes=notes)
        seeds_table(by_seed, schema, notes=notes).write(out, "seeds")
    return out / "comparison.md"
