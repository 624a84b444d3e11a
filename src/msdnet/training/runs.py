"""Finished runs: which networks they hold, and for every slice the prediction of the fold that has not seen it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from msdnet.config import Experiment, experiment_from
from msdnet.data.folds import read_folds
from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.errors import OptionError
from msdnet.evaluation.overlap import SliceOverlap, read_overlaps
from msdnet.files import RUN_RECORD, alone_in, file_sha256, whole_file
from msdnet.labels import get_schema
from msdnet.networks import build_network
from msdnet.prediction.device import choose_device
from msdnet.prediction.slicewise import most_probable, predict_probabilities
from msdnet.training.data import TrainingData
from msdnet.training.out_of_fold import OVERLAPS, of_all_folds

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Run:
    """One network's cross-validation.

    Attributes:
        experiment: What was run.
        folder: Its folder, with fold-0/weights.safetensors, fold-0/per_slice.csv and so on.
        folds_file: The folds it was run on.
    """

    experiment: Experiment
    folder: Path
    folds_file: Path

    def missing_folds(self) -> list[int]:
        """The folds whose weights or pixel counts are not there."""
        folders = [self.folder / f"fold-{fold}" for fold in range(self.experiment.num_folds)]
        return [i for i, f in enumerate(folders) if not all((f / name).is_file() for name in (WEIGHTS, OVERLAPS))]

    def weights_sha256(self) -> list[str]:
        """Of each fold's weights."""
        return [file_sha256(self.folder / f"fold-{fold}" / WEIGHTS) for fold in range(self.experiment.num_folds)]

    def overlaps(self) -> list[SliceOverlap]:
        """The out-of-fold rows of every labelled slice; the folds' own, as those of all may not be put together yet."""
        return of_all_folds(self.folder, self.experiment.num_folds, OVERLAPS, read_overlaps)


def open_runs(out: Path) -> dict[str, Run]:
    """The runs in a folder that `msdnet train`, `cross-validate` or `ablate` wrote, by name, in their order.

    Raises:
        OptionError: if there is none, a fold is not finished, or the folder holds several seeds.
    """
    record = _read(out)
    if "seeds" in record:
        raise OptionError(
            f"{out} holds the runs of several seeds",
            got=f"seeds {', '.join(map(str, record['seeds']))}",
            expected="the runs of one seed",
            do=f"name the folder of one: {out / 'seed-{}'.format(record['seeds'][0])}",
        )
    if "experiment" in record:
        found = {record["experiment"]["name"]: out}
    else:
        found = {name: out / name for name in record.get("experiments", [])}
    runs = {}
    for name, folder in found.items():
        experiment = experiment_from(_read(folder)["experiment"])
        run = Run(experiment, folder, out / "folds.csv")
        missing = run.missing_folds()
        if missing:
            raise OptionError(
                f"the run of {name} is not finished",
                got=f"no weights or no {OVERLAPS} of fold {', '.join(map(str, missing))}",
                expected=f"{experiment.num_folds} finished folds",
                do="go on with the command that started it, for all folds or with --fold for these",
            )
        runs[name] = run
    if not runs:
        raise _no_run(out)
    return runs


@dataclass
class FoldNetworks:
    """A run's networks; each slice is predicted by the one of the fold that has not seen it.

    Attributes:
        run: The run.
        fold_of: Slice's name -> fold.
        device: "auto", "cpu" or "cuda".
    """

    run: Run
    fold_of: Mapping[str, int]
    device: str = "auto"
    _networks: dict[int, nn.Module] = field(default_factory=dict)

    def of(self, one: TrainingSlice) -> nn.Module:
        """The network that has not seen the slice, in evaluation mode."""
        fold = self.fold_of[one.name]
        if fold not in self._networks:
            experiment = self.run.experiment
            network = build_network(
                experiment.network,
                num_classes=get_schema(experiment.schema).num_classes,
                in_channels=1,
                **{k: v for k, v in experiment.network_arguments.items() if k != "pretrained"},
            )
            network.load_state_dict(load_file(self.run.folder / f"fold-{fold}" / WEIGHTS))
            self._networks[fold] = network.eval().to(choose_device(self.device))
        return self._networks[fold]

    def predict(self, one: TrainingSlice, grey: Tensor) -> Array:
        """Labels (H, W) uint8 of grey (H, W) in 0..1, the slice's own or a spoilt one."""
        grey = grey.to(choose_device(self.device))
        [probabilities] = predict_probabilities(self.of(one), [grey], self.run.experiment.preprocessing)
        labels: Array = most_probable(probabilities).cpu().numpy()
        return labels


def fold_networks(run: Run, data: TrainingData, device: str = "auto") -> FoldNetworks:
    """The run's networks for the slices of the data set it was run on.

    Raises:
        DatasetError: if the data set is not the one, or has changed.
    """
    folds = read_folds(run.folds_file, data.manifest, data.labelled).folds
    return FoldNetworks(run, {s.name: f for s, f in zip(data.labelled, folds, strict=True)}, device)


def write_order(out: Path, names: Sequence[str], seeds: Sequence[int] = ()) -> None:
    """Keeps in OUT/run.json which runs the folder holds, in their order; or, in folders of their own, which seeds.

    Seeds that are there already are kept.

    Raises:
        OptionError: as `check_order`.
    """
    with alone_in(out):  # several processes may begin a run together
        kept = check_order(out, seeds)
        record: dict[str, Any] = {"experiments": list(names)}
        record |= {"seeds": list(dict.fromkeys([*kept, *seeds]))} if seeds else {}
        with whole_file(out / RUN_RECORD) as unfinished:
            unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def check_order(out: Path, seeds: Sequence[int] = ()) -> list[int]:
    """The seeds that the folder of a comparison holds already; writes nothing.

    Raises:
        OptionError: if the folder is a run of `msdnet train` or of another command, or of a comparison with seeds where
            this one is without, or the other way round.
    """
    before = _read(out) if (out / RUN_RECORD).is_file() else {}
    kept: list[int] = before.get("seeds", [])
    if "experiment" in before:
        found = "a run of `msdnet train`"
    elif before and "experiments" not in before:
        found = f"a {RUN_RECORD} of another command"
    else:
        found = f"a comparison {'with' if kept else 'without'} --seed" if before and bool(kept) != bool(seeds) else ""
    if found:
        raise OptionError(
            "the output folder holds a run of something else",
            got=found,
            expected=f"a comparison {'with' if seeds else 'without'} --seed, to go on with",
            do="choose another folder with -o",
        )
    return kept


def _read(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RUN_RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_run(folder) from error
    return record if isinstance(record, dict) else {}


def _no_run(folder: Path) -> OptionError:
    return OptionError(
        f"{folder} holds no run",
        got=f"no {RUN_RECORD} that names an experiment",
        expected="a folder that `msdnet train`, `cross-validate` or `ablate` wrote",
        do="check the path",
    )
