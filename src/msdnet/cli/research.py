"""The subcommands for those who train and compare: from the manifest to the figures."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msdnet.cli.console import progress_bar
from msdnet.errors import OptionError

if TYPE_CHECKING:
    from msdnet.config import Experiment

T = TypeVar("T")
V = TypeVar("V")


def prepare(arguments: argparse.Namespace) -> int:
    """`msdnet prepare`: checks a data set and writes its manifest."""
    from msdnet.reporting.result_folder import check_writable

    check_writable(arguments.out)
    label_map = _mapping(arguments.map)

    from msdnet.data.layouts import Options
    from msdnet.data.preparation import prepare as write_manifest

    options = Options(
        label_map=label_map,
        window=arguments.window,
        grey=arguments.grey,
        near_duplicate=arguments.near_duplicate,
        num_patients=arguments.patients,
    )
    with progress_bar(1.0, quiet=arguments.quiet) as advance:
        prepared = write_manifest(
            arguments.source,
            arguments.out,
            arguments.schema,
            layout=arguments.layout,
            options=options,
            progress=lambda done, total: advance("Reading", done / max(1, total)),
        )
    if not arguments.quiet:
        print(prepared, end="")
        print(f"Manifest: {prepared.manifest.path}")
    return 0


def train(arguments: argparse.Namespace) -> int:
    """`msdnet train`: runs an experiment file; interrupted, the same command goes on."""
    [experiment] = _read_experiments([arguments.experiment], arguments.device)

    from msdnet.training import run_experiment

    quiet = _is_quiet(arguments)
    with progress_bar(1.0, quiet=quiet) as advance:
        weights = run_experiment(
            experiment,
            arguments.data,
            arguments.out,
            only_folds=arguments.fold,
            device=arguments.device,
            progress=advance,
        )
    if quiet:
        return 0
    if arguments.fold:
        _say_what_is_left(arguments)
    else:
        print((arguments.out / "summary.md").read_text(encoding="utf-8"))
        print(f"Under more conventions: {arguments.out / 'table.md'}")
        print(f"Weights: {weights}")
    return 0


def cross_validate(arguments: argparse.Namespace) -> int:
    """`msdnet cross-validate`: several experiments on the same folds, side by side."""
    experiments = _read_experiments(arguments.experiments, arguments.device)
    return _compare(experiments, arguments, arguments.reference)


def ablate(arguments: argparse.Namespace) -> int:
    """`msdnet ablate`: the paper's four rows, each the experiment with a part of the network left out."""
    [experiment] = _read_experiments([arguments.experiment], arguments.device)

    from msdnet.training.ablation import ablation_rows

    rows = ablation_rows(experiment)
    return _compare(rows, arguments, rows[-1].name)


def robustness(arguments: argparse.Namespace) -> int:
    """`msdnet robustness`: a run's networks on spoilt slices."""
    from msdnet.evaluation.perturbations import PERTURBATIONS, get_perturbation

    kinds = arguments.kind or list(PERTURBATIONS)
    levels = {kind: get_perturbation(kind).levels for kind in kinds}

    from msdnet.training import run_robustness

    where = arguments.run_folder, arguments.data, arguments.out
    with progress_bar(1.0, quiet=arguments.quiet) as advance:
        table = run_robustness(*where, levels=levels, device=arguments.device, progress=advance)
    if not arguments.quiet:
        print(table.read_text(encoding="utf-8"))
        print(f"Tables and pictures: {arguments.out}")
    return 0


def features(arguments: argparse.Namespace) -> int:
    """`msdnet features`: what a network's decoder responds to."""
    from msdnet.training import draw_features

    where = arguments.run_folder, arguments.data, arguments.out
    with progress_bar(1.0, quiet=arguments.quiet) as advance:
        pictures = draw_features(
            *where,
            network=arguments.network,
            num_slices=arguments.num_slices,
            device=arguments.device,
            progress=advance,
        )
    if not arguments.quiet:
        print("\n".join(f"Picture: {picture}" for picture in pictures))
    return 0


def figure(arguments: argparse.Namespace) -> int:
    """`msdnet figure`: slices beside their truth and the labels of every network of a run."""
    from msdnet.training import draw_networks

    where = arguments.run_folder, arguments.data, arguments.out
    with progress_bar(1.0, quiet=arguments.quiet) as advance:
        picture = draw_networks(
            *where,
            num_slices=arguments.num_slices,
            worst=arguments.worst,
            with_names=arguments.names,
            device=arguments.device,
            progress=advance,
        )
    if not arguments.quiet:
        print(f"Picture: {picture}")
    return 0


def reproduce(arguments: argparse.Namespace) -> int:
    """`msdnet reproduce`: every experiment of the paper, and one page."""
    from msdnet.prediction.device import check_device

    check_device(arguments.device)

    from msdnet.training import reproduce as run

    with progress_bar(1.0, quiet=arguments.quiet) as advance:
        page = run(arguments.out, scale=arguments.scale, data=arguments.data, device=arguments.device, progress=advance)
    if not arguments.quiet:
        print(f"Page: {page}")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """`msdnet evaluate`: anybody's masks against the truth."""
    from msdnet.evaluation.agreement import evaluate_masks
    from msdnet.labels import get_schema
    from msdnet.reporting.result_folder import check_out, replaced_folder

    schema = get_schema(arguments.schema)
    check_out(arguments.out)
    with replaced_folder(arguments.out) as folder:
        table = evaluate_masks(
            arguments.predictions,
            arguments.labels,
            schema,
            folder,
            reference=arguments.reference,
            groups=arguments.groups,
            values=_mapping(arguments.values) or None,
            label_values=_mapping(arguments.label_values) or None,
            threshold=arguments.threshold,
            min_pixels=arguments.min_pixels,
        )
    if not arguments.quiet:
        print((arguments.out / table.name).read_text(encoding="utf-8"))
    return 0


def _mapping(pairs: Sequence[tuple[T, V]]) -> dict[T, V]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise OptionError(
            "a mapping has one label twice",
            got=", ".join(f"{old}={new}" for old, new in pairs),
            expected="each label once",
            do="leave one of them out",
        )
    return mapping


def _compare(experiments: Sequence[Experiment], arguments: argparse.Namespace, reference: str | None) -> int:
    from msdnet.training import cross_validate, cross_validate_seeds

    train_all = functools.partial(cross_validate_seeds, seeds=arguments.seed) if arguments.seed else cross_validate
    quiet = _is_quiet(arguments)
    with progress_bar(1.0, quiet=quiet) as advance:
        table = train_all(
            experiments,
            arguments.data,
            arguments.out,
            reference=reference,
            only_folds=arguments.fold,
            device=arguments.device,
            progress=advance,
        )
    if quiet:
        return 0
    if arguments.fold:
        _say_what_is_left(arguments)
    else:
        print(table.read_text(encoding="utf-8"))
        print(f"Tables: {arguments.out}")
    return 0


def _is_quiet(arguments: argparse.Namespace) -> bool:
    """Whether to say nothing: asked for, or one of several processes that another one speaks and writes for."""
    from msdnet.training.processes import find_processes

    return arguments.quiet or not find_processes().writes


def _say_what_is_left(arguments: argparse.Namespace) -> None:
    done = ", ".join(map(str, sorted(set(arguments.fold))))
    print(f"Trained: fold {done} in {arguments.out}")
    print("When every fold is, the same command without --fold does the rest.")


def _read_experiments(paths: Sequence[Path], device: str) -> list[Experiment]:
    from msdnet.config import read_experiments
    from msdnet.prediction.device import check_device

    experiments = read_experiments(paths)
    check_device(device)
    return experiments
