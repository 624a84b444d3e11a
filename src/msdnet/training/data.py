"""What an experiment trains on: the slices of a prepared data set, and the folds drawn for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msdnet.config import Experiment, Stage
from msdnet.data.folds import Folds, folds_for
from msdnet.data.manifest import NO_GROUPS, Manifest, read_manifest
from msdnet.data.slice_reader import load_slices
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError, OptionError
from msdnet.training.losses import class_weights_for

TRAIN = "train"
PATIENTS_NOT_KNOWN = (
    "patients not known: groups are near-duplicates only, so intervals are too narrow and p-values too small"
)


@dataclass(frozen=True)
class TrainingData:
    """The slices of a data set that an experiment may train on.

    Attributes:
        manifest: The data set.
        labelled: Slices with true labels; those without lesion are among them.
        unlabelled: Slices without, with or without a guess of any lesion.
    """

    manifest: Manifest
    labelled: list[TrainingSlice]
    unlabelled: list[TrainingSlice]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the head of every table with figures of this data set says."""
        return data_notes(self.manifest)

    def folds(self, path: Path, experiment: Experiment) -> Folds:
        """The folds kept in a file, or drawn now and written to it.

        Raises:
            DatasetError: as `data.folds.folds_for`.
        """
        num_folds, seed = experiment.num_folds, experiment.fold_seed
        return folds_for(self.manifest, self.labelled, path, num_folds=num_folds, seed=seed)


def data_notes(manifest: Manifest) -> tuple[str, ...]:
    """What the head of every table with figures of a data set says."""
    notes = ["synthetic"] if manifest.is_synthetic else []
    if not manifest.patients_known:
        notes.append(PATIENTS_NOT_KNOWN)
    taken = [note.removeprefix(NO_GROUPS) for note in manifest.notes if note.startswith(NO_GROUPS)]
    notes += [f"patients assumed: {words.removesuffix('.')}" for words in taken]
    return tuple(notes)


def load_training_data(path: Path, experiment: Experiment) -> TrainingData:
    """The slices of the split "train", or of the whole data set where no slice has a split.

    Args:
        path: The manifest, or its folder.
        experiment: Its schema must be the data set's; its window makes grey from HU.

    Raises:
        DatasetError: if the data set cannot be read or has changed since it was prepared.
        DatasetError: if it has splits, and none of them is "train".
        DatasetError: if a stage of the experiment needs slices that it does not have.
        OptionError: if its label schema is another one.
    """
    manifest = read_manifest(path)
    if manifest.schema != experiment.schema:
        raise OptionError(
            f"experiment {experiment.name!r} and the data set have different label schemas",
            got=f"{experiment.schema!r} in the experiment, {manifest.schema!r} in the data set",
            expected="one schema",
            do="change the experiment's schema, or prepare the data set for it",
        )
    slices = load_slices(manifest, split_to_train_on(manifest), experiment.preprocessing)
    labelled = [s for s in slices if s.labels is not None]
    data = TrainingData(manifest, labelled, [s for s in slices if s.labels is None])
    check_stages(experiment, data)
    return data


def split_to_train_on(manifest: Manifest) -> str | None:
    """The split "train"; None where no slice has a split.

    Raises:
        DatasetError: if there are splits, but none of that name: those that are left for a test must not be trained on.
    """
    if TRAIN in manifest.splits:
        return TRAIN
    if any(manifest.splits):
        raise DatasetError(
            f"no split of the data set is called {TRAIN!r}",
            got=", ".join(repr(split) if split else "none (empty)" for split in manifest.splits),
            expected=f"{TRAIN!r} in the column `split` for the slices to train on, or that column empty for all slices",
            do=f"call that split {TRAIN!r} in groups.csv or {manifest.path.name}, and prepare the data set again",
        )
    return None


def check_stages(experiment: Experiment, data: TrainingData) -> None:
    """Refuses at once what a later stage would fail at.

    Raises:
        DatasetError: if a stage needs slices that there are not.
        OptionError: if the class weights cannot be taken from the labels.
    """
    class_weights_for(data.labelled, experiment)
    labelled_groups = {s.group for s in data.labelled}
    guessed = [s for s in data.unlabelled if s.weak is not None]
    of_no_labelled = [s for s in guessed if s.group not in labelled_groups]
    faults = []
    for name, weak in (("pretraining", of_no_labelled), ("training", guessed), ("self_training", data.unlabelled)):
        stage: Stage | None = getattr(experiment, name)
        if stage is not None:
            found = (("labels", stage.num_labelled, data.labelled), ("a weak target", stage.num_weak, weak))
            faults += [f"{name} wants {wanted} with {role}" for role, wanted, slices in found if wanted and not slices]
    if faults:
        raise DatasetError(
            f"the data set has not the slices that {experiment.name!r} needs in each batch",
            got=f"none of these: {'; '.join(faults)}",
            expected="at least one slice of each kind",
            do="prepare the data set with them, or change the experiment's num_labelled and num_weak",
        )
