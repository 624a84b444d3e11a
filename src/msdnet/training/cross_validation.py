"""Cross-validation: every labelled slice is measured by the network of the fold that has not seen it.

    OUT/run.json                        the names of the experiments
    OUT/folds.csv                       slice, group, fold; drawn once, with the data set's hash
    OUT/NAME/run.json                   the experiment, the data set's hash, versions
    OUT/NAME/pretraining/               shared by the folds
    OUT/NAME/fold-0/ ...                checkpoints, loss curves, weights, run.json (how they were made), samples/, and
                                        what `out_of_fold` measures
    OUT/NAME/per_slice.csv              out-of-fold pixel counts; every figure is made from it
    OUT/NAME/per_patient.csv            the same summed per patient, where patients are known
    OUT/NAME/table.md, .csv, .tex       the network's own table
    OUT/comparison.*, significance.*    several networks side by side, with paired tests against the reference
    OUT/detection.*                     how often they tell rightly whether a slice or a patient shows a class

Each part is skipped where it is finished already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from msdnet.config import Experiment
from msdnet.data.folds import training_part
from msdnet.data.manifest import Manifest
from msdnet.errors import OptionError
from msdnet.evaluation.comparison import detection_table, write_comparison
from msdnet.evaluation.overlap import SliceOverlap, pool_groups, read_overlaps, write_overlaps
from msdnet.evaluation.tables import figures_table
from msdnet.labels import get_schema
from msdnet.training.convergence import still_improving
from msdnet.training.data import TrainingData, data_notes, load_training_data
from msdnet.training.head_notes import experiment_notes, seed_note
from msdnet.training.network import network_of, train_network
from msdnet.training.out_of_fold import OVERLAPS, measure_fold
from msdnet.training.precision import usable_precision
from msdnet.training.processes import check_shares, find_processes
from msdnet.training.progress import Progress, part_of
from msdnet.training.run_folder import check_claim, claim
from msdnet.training.runs import check_order, write_order


def cross_validate(
    experiments: Sequence[Experiment],
    data: Path,
    out: Path,
    *,
    reference: str | None = None,
    only_folds: Collection[int] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """The comparison of the experiments' networks on the same folds, in Markdown; what else is written: see above.

    Several processes can train folds of one OUT at a time, each with its own `only_folds`; a call without them then
    makes the tables. With them OUT is returned.

    Args:
        experiments: With different names, one schema and the same folds.
        data: The manifest, or its folder.
        out: Receives everything; a second call with the same arguments goes on where the first one stopped.
        reference: Name of the experiment that the others are tested against; the first one by default.
        only_folds: Train these alone; all by default.
        device: "auto", "cpu" or "cuda".
        progress: Called with what is being done and the share of the whole that is done, 0 to 1.

    Raises:
        OptionError: if the experiments do not fit together or to the data, or OUT holds another run.
        DatasetError: if the data cannot be used; before anything is trained.
    """
    names = check_together(experiments, reference)
    check_order(out)
    for experiment in experiments:
        check_experiment(experiment, only_folds)
        check_precision(experiment, out / experiment.name, only_folds, device)
    sets = [load_training_data(data, e) for e in experiments]
    for experiment, training_data in zip(experiments, sets, strict=True):  # before anything is written
        check_claim(out / experiment.name, experiment, training_data.manifest.sha256)
    for experiment, training_data in zip(experiments, sets, strict=True):
        training_data.folds(out / "folds.csv", experiment)
        claim(out / experiment.name, experiment, training_data.manifest.sha256)
    if find_processes().writes:
        write_order(out, names)
    rows: dict[str, list[SliceOverlap]] = {}
    for i, (experiment, training_data) in enumerate(zip(experiments, sets, strict=True)):
        tell = part_of(progress, i / len(experiments), 1 / len(experiments), f"{names[i]}: ")
        folder = out / experiment.name
        where = out / "folds.csv", folder
        rows[experiment.name] = cross_validate_network(
            experiment, training_data, *where, only_folds=only_folds, device=device, progress=tell
        )
    if only_folds:
        return out
    if find_processes().writes:
        folders = {name: [out / name] for name in names}
        manifest = sets[0].manifest
        about_folds = sets[0].folds(out / "folds.csv", experiments[0]).notes
        about_runs = [seed_note(experiments), *experiment_notes(experiments, manifest.sha256), *about_folds]
        notes = table_notes(folders, manifest, about_runs)
        schema = get_schema(experiments[0].schema)
        write_comparison(rows, schema, out, reference=reference or names[0], notes=notes)
        detection_table(rows, schema, notes=notes).write(out, "detection")
    return out / "comparison.md"


def table_notes(folders: Mapping[str, Sequence[Path]], manifest: Manifest, about_runs: Sequence[str]) -> list[str]:
    """What a reader of a comparison must know first.

    Args:
        folders: Name of each network, then the folders of its runs.
        manifest: The data set.
        about_runs: How many seeds there were, what the networks started from and in what their runs differ.
    """
    unready = [name for name, runs in folders.items() if any(map(still_improving, runs))]
    return [
        *data_notes(manifest),
        *about_runs,
        *([f"not converged, the loss was still falling: {', '.join(unready)}"] if unready else []),
    ]


def cross_validate_network(
    experiment: Experiment,
    data: TrainingData,
    folds_file: Path,
    folder: Path,
    *,
    only_folds: Collection[int] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> list[SliceOverlap]:
    """The out-of-fold rows of every labelled slice, in folder/per_slice.csv too; or those of some folds alone.

    Raises:
        DatasetError: if the folds cannot be used.
    """
    drawn = data.folds(folds_file, experiment)
    folds = drawn.folds
    rows: list[SliceOverlap] = []
    asked = sorted(set(only_folds)) or range(experiment.num_folds)
    for i, fold in enumerate(asked):
        tell = part_of(progress, i / len(asked), 1 / len(asked), f"fold {fold + 1} of {experiment.num_folds}, ")
        kept = folder / f"fold-{fold}" / OVERLAPS
        if not kept.is_file():
            training = training_part(data.labelled, folds, fold, data.unlabelled)
            validation = [s for s, f in zip(data.labelled, folds, strict=True) if f == fold]
            where = folder, f"fold-{fold}"
            network = train_network(training, experiment, *where, data, validation, device=device, progress=tell)
            tell("measuring", 1.0)
            measured = measure_fold(network, validation, experiment, fold, device=device)
            if find_processes().writes:
                measured.write(kept.parent)
            rows += measured.overlaps
        else:
            rows += read_overlaps(kept)
    if find_processes().writes and not only_folds:
        write_overlaps(folder / OVERLAPS, rows)
        if data.manifest.patients_known:
            write_overlaps(folder / "per_patient.csv", pool_groups(rows), with_measures=True)
        notes = [*data.notes, *experiment_notes([experiment], data.manifest.sha256), *drawn.notes]
        figures_table(rows, get_schema(experiment.schema), notes=notes).write(folder, "table")
    return rows


def check_together(experiments: Sequence[Experiment], reference: str | None) -> list[str]:
    """The experiments' names, in their order.

    Raises:
        OptionError: if they do not fit together.
    """
    names = [e.name for e in experiments]
    faults = [f"{n!r} is the name of two experiments" for n in sorted({n for n in names if names.count(n) > 1})]
    for key in ("schema", "num_folds", "fold_seed"):
        found = {str(getattr(e, key)) for e in experiments}
        faults += [f"{key} is {' and '.join(sorted(found))}"] if len(found) > 1 else []
    if reference is not None and reference not in names:
        faults.append(f"the reference {reference!r} is none of them")
    if faults:
        raise OptionError(
            "these experiments cannot be compared",
            got="; ".join(faults),
            expected="different names, one schema, the same folds, and a reference among them",
            do="correct the experiment files",
        )
    return names


def check_experiment(experiment: Experiment, only_folds: Collection[int] = ()) -> None:
    """Refuses at once what would fail after the data were loaded.

    Raises:
        OptionError: if the network cannot be built, does not fit its start, a fold does not exist, or several processes
            cannot share a batch evenly.
        WeightsError: if there are no such weights to start from.
    """
    strange = sorted(set(only_folds) - set(range(experiment.num_folds)))
    if strange:
        raise OptionError(
            "there is no such fold",
            got=", ".join(map(str, strange)),
            expected=f"0 to {experiment.num_folds - 1}, as num_folds of {experiment.name!r} is {experiment.num_folds}",
            do="choose among them",
        )
    for stage in (experiment.pretraining, experiment.training, experiment.self_training):
        if stage is not None:
            check_shares(stage, find_processes())
    network_of(experiment)


def check_precision(experiment: Experiment, folder: Path, only_folds: Collection[int], device: str) -> None:
    """Refuses a precision that the device does not have, where a fold is left to train.

    Raises:
        OptionError: as `usable_precision`.
    """
    asked = only_folds or range(experiment.num_folds)
    if not all((folder / f"fold-{fold}" / OVERLAPS).is_file() for fold in asked):
        usable_precision(experiment.precision, device)
