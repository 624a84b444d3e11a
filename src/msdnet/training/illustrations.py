"""The paper's pictures and its robustness experiment, from finished runs: figures 4, 5 and 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.errors import DatasetError, OptionError
from msdnet.evaluation.pictures.drawing import join_title
from msdnet.evaluation.pictures.feature_map_figures import draw_feature_maps
from msdnet.evaluation.pictures.feature_maps import Decoder, compute_feature_maps
from msdnet.evaluation.pictures.noise_picture import draw_noise_picture
from msdnet.evaluation.pictures.robustness_figures import draw_robustness, robustness_table
from msdnet.evaluation.pictures.side_by_side import check_num_slices, choose_slices, draw_side_by_side
from msdnet.evaluation.robustness import measure_robustness
from msdnet.evaluation.worst_slices import worst_slices
from msdnet.labels import get_schema
from msdnet.networks import NETWORKS
from msdnet.prediction.device import choose_device
from msdnet.slices import to_grey
from msdnet.training.data import TrainingData, load_training_data
from msdnet.training.progress import Progress, part_of
from msdnet.training.run_folder import claim_measures
from msdnet.training.runs import Run, fold_networks, open_runs

SYNTHETIC = "synthetic"
_MEASURING_SHARE = 0.9


def run_robustness(
    runs_folder: Path,
    data: Path,
    out: Path,
    *,
    levels: Mapping[str, Sequence[float]] | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """The robustness table in Markdown; beside it in OUT the rows, the curves, and one slice under noise (figure 6).

    Every slice is predicted by the network of the fold that has not seen it. A second call goes on; OUT/run.json tells
    of which weights and data the rows are.

    Args:
        runs_folder: What `msdnet train`, `cross-validate` or `ablate` wrote.
        data: The manifest it was run on.
        out: Made if missing.
        levels: Kind -> levels; None for all of `PERTURBATIONS`.
        device: "auto", "cpu" or "cuda".
        seed: Draws the noise.
        progress: Called with what is being done and the share of the whole that is done, 0 to 1.

    Raises:
        OptionError: if there is no finished run, a kind or level cannot be used, or OUT holds rows of another run.
        DatasetError: if the data set is another one, or no slice has lesion.
    """
    runs, data_of = _open(runs_folder, data)
    leading = _leading(runs)
    training_data = data_of[leading]
    chosen = _chosen(runs[leading], 1)
    networks = {name: fold_networks(run, data_of[name], device) for name, run in runs.items()}
    schema, title = get_schema(training_data.manifest.schema), _title(training_data)
    predictors = {name: n.predict for name, n in networks.items()}
    folds = next(iter(networks.values())).fold_of
    rows = out / "robustness.csv"
    claim_measures(rows, {n: run.weights_sha256() for n, run in runs.items()}, training_data.manifest.sha256)
    results = measure_robustness(
        predictors,
        training_data.labelled,
        schema,
        levels,
        as_seen={name: of_network.labelled for name, of_network in data_of.items()},
        seed=seed,
        folds=folds,
        path=rows,
        progress=part_of(progress, 0.0, _MEASURING_SHARE),
    )
    part_of(progress, _MEASURING_SHARE, 1 - _MEASURING_SHARE)("tables and pictures", 0.0)
    table = robustness_table(results, schema, title="; ".join(training_data.notes))
    table.write(out, "robustness-table")
    draw_robustness(results, schema, out, "robustness", title=title)
    [one] = _named(chosen, training_data)
    of_network = join_title(title, leading)
    draw_noise_picture(one, predictors[leading], schema, out, "noise", seed=seed, title=of_network)
    return out / "robustness-table.md"


def draw_networks(
    runs_folder: Path,
    data: Path,
    out: Path,
    *,
    num_slices: int = 4,
    worst: bool = False,
    with_names: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """A picture of typical slices with their truth and the labels of every network (figure 4), in PNG and SVG.

    Beside each row stands a letter; with_names: the slice's name in the manifest, which may come from a file name.

    Args and Raises: as `run_robustness`; the slices are those of `choose_slices`, or with worst those of
    `worst_slices`, for the first MSD-Net, else the first run.
    """
    check_num_slices(num_slices)
    runs, data_of = _open(runs_folder, data)
    leading = _leading(runs)
    names = _chosen(runs[leading], num_slices, worst)
    predictions: dict[str, dict[str, Array]] = {}
    for i, (name, run) in enumerate(runs.items()):
        tell = part_of(progress, i / len(runs), 1 / len(runs))
        networks = fold_networks(run, data_of[name], device)
        settings = run.experiment.preprocessing
        predictions[name] = {}
        for k, s in enumerate(_named(names, data_of[name])):
            tell(name, k / len(names))
            predictions[name][s.name] = networks.predict(s, to_grey(s.image, "grey", settings))
    out.mkdir(parents=True, exist_ok=True)
    slices = _named(names, data_of[leading])
    schema = get_schema(data_of[leading].manifest.schema)
    title = _title(data_of[leading])
    name = "worst" if worst else "networks"
    picture, _ = draw_side_by_side(slices, predictions, schema, out, name, with_names=with_names, title=title)
    return out / picture


def draw_features(
    runs_folder: Path,
    data: Path,
    out: Path,
    *,
    network: str | None = None,
    num_slices: int = 2,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[Path]:
    """Pictures of what the decoder's stages respond to for each class on typical slices (figure 5), PNG and SVG.

    Args and Raises: as `run_robustness`; network: the run's name, by default the first MSD-Net, or the first run.
    """
    runs = open_runs(runs_folder)
    if network is not None and network not in runs:
        raise OptionError(
            f"there is no run {network!r}", got=network, expected="one of " + ", ".join(runs), do="choose one of these"
        )
    name = network or _leading(runs)
    run = runs[name]
    chosen = _chosen(run, num_slices)
    if not issubclass(NETWORKS[run.experiment.network], Decoder):
        able = [n for n, r in runs.items() if issubclass(NETWORKS[r.experiment.network], Decoder)]
        raise OptionError(
            f"{name} has no refinement blocks whose maps could be drawn",
            got=f"a run of the network {run.experiment.network}",
            expected="a run of msdnet",
            do=f"choose one with --network: {', '.join(able)}" if able else "train msdnet on this data set",
        )
    training_data = load_training_data(data, run.experiment)
    schema = get_schema(training_data.manifest.schema)
    networks, settings = fold_networks(run, training_data, device), run.experiment.preprocessing
    out.mkdir(parents=True, exist_ok=True)
    pictures = []
    slices = _named(chosen, training_data)
    for number, one in enumerate(slices, start=1):
        part_of(progress, (number - 1) / len(slices), 1 / len(slices))(f"slice {number} of {len(slices)}", 0.0)
        grey = to_grey(one.image, "grey", settings).to(choose_device(device))
        labels = networks.predict(one, grey)
        maps = compute_feature_maps(networks.of(one), grey, settings, schema, method="hires_cam")
        picture, _ = draw_feature_maps(
            one.image / 255,
            maps.cpu(),
            schema,
            out,
            f"features-{number}",
            labels=labels,
            method="hires_cam",
            title=join_title(_title(training_data), name),
        )
        pictures.append(out / picture)
    return pictures


def _open(runs_folder: Path, data: Path) -> tuple[dict[str, Run], dict[str, TrainingData]]:
    """The runs, and for each the slices in the grey of its own window; runs with one window share them."""
    runs = open_runs(runs_folder)
    of_window = {run.experiment.preprocessing.window_hu: run.experiment for run in runs.values()}
    loaded = {window: load_training_data(data, experiment) for window, experiment in of_window.items()}
    return runs, {name: loaded[run.experiment.preprocessing.window_hu] for name, run in runs.items()}


def _leading(runs: Mapping[str, Run]) -> str:
    """The run that pictures are chosen by: the first MSD-Net, else the first."""
    return next((name for name, run in runs.items() if run.experiment.network == "msdnet"), next(iter(runs)))


def _chosen(run: Run, num_slices: int, worst: bool = False) -> list[str]:
    rows = run.overlaps()
    names = [bad.name for bad in worst_slices(rows, num_slices)] if worst else choose_slices(rows, num_slices)
    if not names:
        raise DatasetError(
            "there is no slice to show",
            got="no lesion in the true labels of any slice",
            expected="one slice with lesion or more",
            do="check the labels and how they are mapped with `msdnet prepare`",
        )
    return names


def _named(names: Sequence[str], data: TrainingData) -> list[TrainingSlice]:
    by_name = {s.name: s for s in data.labelled}
    return [by_name[name] for name in names]


def _title(data: TrainingData) -> str:
    return SYNTHETIC if data.manifest.is_synthetic else ""
