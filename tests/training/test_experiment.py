from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from msdnet.config import CardTexts, Experiment, Preprocessing, Stage, read_experiment
from msdnet.data import folds as folds_module
from msdnet.data.folds import Folds
from msdnet.data.layouts import Options
from msdnet.data.manifest import SYNTHETIC, Manifest, Row, read_manifest
from msdnet.data.preparation import prepare
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError, OptionError
from msdnet.evaluation import trust
from msdnet.evaluation.calibration import read_histograms
from msdnet.evaluation.overlap import read_overlaps, write_overlaps
from msdnet.evaluation.robustness import Condition, read_robustness
from msdnet.evaluation.trust_rows import read_trust_rows
from msdnet.files import file_sha256
from msdnet.networks import build_network
from msdnet.prediction import steadiness
from msdnet.prediction.device import name_device
from msdnet.prediction.trust import read_trust_models
from msdnet.slices import to_grey
from msdnet.training import illustrations
from msdnet.training import network as network_module
from msdnet.training import stage as stage_module
from msdnet.training.ablation import ablation_rows
from msdnet.training.convergence import loss_curve, still_improving
from msdnet.training.cross_validation import cross_validate, cross_validate_network
from msdnet.training.data import TrainingData, load_training_data, split_to_train_on
from msdnet.training.experiment import run_experiment
from msdnet.training.illustrations import draw_features, draw_networks, run_robustness
from msdnet.training.out_of_fold import measure_fold
from msdnet.training.precision import usable_precision
from msdnet.training.run_folder import check_claim, claim, claim_measures
from msdnet.training.runs import fold_networks, open_runs
from msdnet.training.seeds import cross_validate_seeds
from msdnet.training.stage import run_stage
from msdnet.weights import Card, load_weights, save_weights

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RESULTS = Path(__file__).parents[2] / "docs" / "results"
Draw = Callable[[int], tuple[list[TrainingSlice], list[TrainingSlice]]]
EXPERIMENT = Experiment(
    name="tiny",
    training=Stage(steps=6, num_labelled=2, num_weak=1, deep_supervision=0.3),
    pretraining=Stage(steps=2, num_labelled=0, num_weak=2),
    network_arguments={"encoder": "resnet18"},
    preprocessing=Preprocessing(size=32),
    num_folds=2,
)


def _network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_network("msdnet", encoder="resnet18", num_classes=3)


@pytest.mark.parametrize(("start_share", "seed_again"), [(0.0, 9), (0.3, 0)])  # a share of the start needs it again
def test_an_interrupted_stage_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_slices: Draw, start_share: float, seed_again: int
) -> None:
    stage = dataclasses.replace(EXPERIMENT.training, start_share=start_share)
    monkeypatch.setattr(stage_module, "STEPS_PER_CHECKPOINT", 2)
    labelled, weak = draw_slices(3)
    slices = [*labelled, *weak]
    run_stage(_network(), stage, EXPERIMENT, slices, tmp_path / "whole", seed=1, device="cpu")

    original = stage_module.SegmentationTraining.training_step

    def stop_in_the_third_epoch(self: stage_module.SegmentationTraining, batch: dict, index: int) -> torch.Tensor:
        if self.current_epoch == 2:
            raise KeyError("killed")
        return original(self, batch, index)

    monkeypatch.setattr(stage_module.SegmentationTraining, "training_step", stop_in_the_third_epoch)
    with pytest.raises(KeyError, match="killed"):
        run_stage(_network(), stage, EXPERIMENT, slices, tmp_path / "halves", seed=1, device="cpu")
    assert not (tmp_path / "halves" / "weights.safetensors").exists()
    assert not (tmp_path / "halves" / "run.json").exists()
    _add_seconds(tmp_path / "halves" / "newest.ckpt", 1000)
    monkeypatch.setattr(stage_module.SegmentationTraining, "training_step", original)
    run_stage(_network(seed_again), stage, EXPERIMENT, slices, tmp_path / "halves", seed=1, device="cpu")

    whole, halves = (load_file(tmp_path / n / "weights.safetensors") for n in ("whole", "halves"))
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    start = _network().state_dict()
    assert any(not torch.equal(whole[name], start[name]) for name in whole)
    of_whole, of_halves = (json.loads((tmp_path / n / "run.json").read_text()) for n in ("whole", "halves"))
    assert of_whole.pop("seconds") < 1000 < of_halves.pop("seconds")  # over both starts
    assert of_whole == of_halves


def _add_seconds(checkpoint: Path, seconds: float) -> None:
    """As if what was done up to the checkpoint had taken so much longer."""
    state = torch.load(checkpoint, weights_only=False)
    state["callbacks"]["Timer"]["time_elapsed"]["train"] += seconds
    torch.save(state, checkpoint)


def test_an_mlflow_address_without_a_server_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_slices: Draw
) -> None:
    pytest.importorskip("mlflow", reason='needs the extra "mlflow"')
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    labelled, _ = draw_slices(2)
    stage = Stage(steps=1, num_labelled=2)
    with pytest.raises(OptionError, match="MLflow cannot use what MLFLOW_TRACKING_URI names"):
        run_stage(_network(), stage, EXPERIMENT, labelled, tmp_path, seed=0, device="cpu")
    assert not (tmp_path / "newest.ckpt").exists()


def test_training_learns_what_grey_tells(tmp_path: Path, draw_slices: Draw) -> None:
    stage = Stage(steps=40, num_labelled=4, learning_rate=3e-3, ema_decay=0.8)
    experiment = dataclasses.replace(EXPERIMENT, training=stage)
    labelled, _ = draw_slices(4)
    run_stage(_network(), stage, experiment, labelled, tmp_path, seed=0, device="cpu")
    log = (tmp_path / "log" / "version_0" / "metrics.csv").read_text().splitlines()
    assert "loss" in log[0]
    network = _network()
    network.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    overlaps = measure_fold(network.eval(), labelled, experiment, 0).overlaps
    assert np.mean([r.dsc for r in overlaps if r.class_name == "any_lesion"]) > 0.5
    assert {r.hd95_mm for r in overlaps} == {None}
    fine, coarse = (
        [r.hd95_mm for r in measure_fold(network, with_spacing, experiment, 0).overlaps if r.present and r.predicted]
        for with_spacing in ([dataclasses.replace(s, spacing_mm=(mm, mm)) for s in labelled] for mm in (0.5, 1.0))
    )
    assert coarse == pytest.approx([2 * distance for distance in fine])  # in mm
    assert len(coarse) > 0


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Four labelled and four unlabelled slices in COVID-SemiSeg's layout, prepared; the manifest's folder."""
    data = tmp_path / "data"
    for part in ("multiclass/images", "multiclass/labels", "unlabelled/images", "unlabelled/pseudo-labels"):
        (data / part).mkdir(parents=True)
    rng = np.random.default_rng(2)
    for i in range(4):
        image = rng.integers(0, 256, (8, 8), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
        Image.fromarray(image).save(data / f"multiclass/images/{i}.jpg")
        Image.fromarray((image > 128).astype(np.uint8) + (image > 200)).save(data / f"multiclass/labels/{i}.png")
        Image.fromarray(image).save(data / f"unlabelled/images/a_org_00{i}_1.jpg")
        Image.fromarray(image).save(data / f"unlabelled/pseudo-labels/a_org_00{i}_1.png")
    prepare(data, tmp_path / "prepared", "ggo-consolidation")
    return tmp_path / "prepared"


SHORT = dataclasses.replace(
    EXPERIMENT, training=Stage(steps=1, num_labelled=2), pretraining=Stage(steps=1, num_labelled=0, num_weak=2)
)


@pytest.mark.slow
def test_several_seeds_give_their_mean_and_spread(tmp_path: Path, data_set: Path) -> None:
    rival = dataclasses.replace(SHORT, name="unet", network="unet", network_arguments={"width": 2})
    table = cross_validate_seeds([SHORT, rival], data_set, tmp_path / "out", seeds=[3, 5], device="cpu")
    assert "mean of seeds 3, 5" in table.read_text(encoding="utf-8")
    assert "one seed" not in table.read_text(encoding="utf-8")
    assert {p.suffix for p in (tmp_path / "out").glob("seeds.*")} == {".md", ".csv", ".tex"}
    first, second = (load_file(tmp_path / f"out/seed-{s}/tiny/fold-0/weights.safetensors") for s in (3, 5))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    assert len(open_runs(tmp_path / "out/seed-3")) == 2  # each seed is a run of its own
    with pytest.raises(OptionError, match=r"several seeds(.|\n)*seed-3"):
        open_runs(tmp_path / "out")
    with pytest.raises(OptionError, match="a comparison with --seed"):
        cross_validate([SHORT, rival], data_set, tmp_path / "out", device="cpu")
    with pytest.raises(OptionError, match="twice"):
        cross_validate_seeds([SHORT], data_set, tmp_path / "out", seeds=[3, 3], device="cpu")


def test_what_stands_against_a_later_seed_is_said_before_the_first_is_trained(tmp_path: Path, data_set: Path) -> None:
    claim(tmp_path / "out/seed-5/tiny", dataclasses.replace(SHORT, seed=5, focal_gamma=1.0), "0" * 64)
    with pytest.raises(OptionError, match="changed since: focal_gamma, the data"):
        cross_validate_seeds([SHORT], data_set, tmp_path / "out", seeds=[3, 5], device="cpu")
    assert not (tmp_path / "out/seed-3").exists()
    assert not (tmp_path / "out/run.json").exists()


def test_an_experiment_writes_weights_table_and_rows(tmp_path: Path, data_set: Path) -> None:
    experiment = dataclasses.replace(SHORT, card=CardTexts(limits="Made up."))
    weights = run_experiment(experiment, data_set, tmp_path / "out", device="cpu")
    network, card = load_weights(weights)
    out = tmp_path / "out"
    assert card.name == "tiny"
    assert card.limits == "Made up."
    assert card.trained_on.startswith("4 labelled slices in 4 groups or patients, 4 unlabelled slices.")
    assert card.recipe["training"]["steps"] == 1
    rows = (tmp_path / "out" / "per_slice.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 3
    for table in ("table.md", "summary.md"):
        text = (tmp_path / "out" / table).read_text()
        assert "| Ground-glass opacity | " in text
        assert text.startswith("**patients not known: groups are near-duplicates only")
    [of_ggo] = [h for h in read_histograms(out / "calibration_per_slice.csv") if (h.name, h.class_name) == ("0", "ggo")]
    true = load_training_data(data_set, experiment).labelled[0].labels == 1
    assert (sum(of_ggo.pixels), sum(of_ggo.positives)) == (true.size, np.count_nonzero(true))
    assert "| Ground-glass opacity | 4 |" in (out / "calibration.md").read_text()
    _check_stage_records(out, load_training_data(data_set, experiment).labelled)
    page = (weights / "model-card.md").read_text()
    assert "Made up." in page
    assert card.sha256 in page
    assert "## Trust" not in page
    before = (tmp_path / "out" / "final" / "weights.safetensors").stat().st_mtime_ns
    run_experiment(experiment, data_set, tmp_path / "out", device="cpu")  # all is finished: nothing is trained anew
    assert (tmp_path / "out" / "final" / "weights.safetensors").stat().st_mtime_ns == before
    assert isinstance(network, torch.nn.Module)
    other = dataclasses.replace(experiment, focal_gamma=1.0)
    with pytest.raises(OptionError, match="focal_gamma"):
        run_experiment(other, data_set, tmp_path / "out", device="cpu")
    with pytest.raises(OptionError, match="a run of `msdnet train`"):
        cross_validate([experiment], data_set, tmp_path / "out", device="cpu")


def _check_stage_records(out: Path, labelled: list[TrainingSlice]) -> None:
    """Every stage says how its weights were made; class weights are counted over the fold's training part alone."""
    fold_of = {r.name: r.fold for r in read_overlaps(out / "per_slice.csv")}
    of_pretraining = json.loads((out / "pretraining" / "run.json").read_text())
    assert (of_pretraining["class_weights"], of_pretraining["num_labelled"], of_pretraining["num_weak"]) == (None, 0, 4)
    for name, held_back in (("fold-0", 0), ("fold-1", 1), ("final", None)):
        record = json.loads((out / name / "run.json").read_text())
        seen = [s.labels for s in labelled if fold_of[s.name] != held_back]
        counts = np.bincount(np.concatenate([labels.ravel() for labels in seen if labels is not None]), minlength=3)
        shares = dict(zip(("background", "ggo", "consolidation"), 1 - counts / counts.sum(), strict=True))
        assert record["class_weights"] == pytest.approx(shares, abs=1e-5)
        assert (record["num_labelled"], record["num_weak"], record["processes"]) == (len(seen), 0, 1)
        assert record["weights_sha256"] == file_sha256(out / name / "weights.safetensors")
        assert (record["device"], record["precision"]) == ("cpu", usable_precision(SHORT.precision, "cpu"))
        assert record["device_name"] == name_device(torch.device("cpu")) != ""
        assert record["threads"] == torch.get_num_threads()
        assert record["seconds"] > 0


def test_folds_that_were_finished_without_a_record_are_not_trained_again(tmp_path: Path, data_set: Path) -> None:
    cross_validate([SHORT], data_set, tmp_path / "out", device="cpu")
    fold = tmp_path / "out/tiny/fold-0"
    (fold / "run.json").unlink()
    before = (fold / "weights.safetensors").stat().st_mtime_ns
    cross_validate([SHORT], data_set, tmp_path / "out", device="cpu")
    (fold / "per_slice.csv").unlink()
    cross_validate([SHORT], data_set, tmp_path / "out", device="cpu")
    assert (fold / "weights.safetensors").stat().st_mtime_ns == before
    assert not (fold / "run.json").exists()


def test_a_run_fits_trust_on_slices_its_networks_had_not_seen(
    tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "MIN_SLICES", 2)
    monkeypatch.setattr(trust, "MIN_GROUPS", 2)
    monkeypatch.setattr(steadiness, "predict_probabilities", _mark_everything)
    weights = run_experiment(SHORT, data_set, tmp_path / "out", device="cpu")
    rows = read_trust_rows(tmp_path / "out" / "trust_per_slice.csv")
    data = load_training_data(data_set, SHORT)
    fold_of = fold_networks(open_runs(tmp_path / "out")["tiny"], data).fold_of
    assert {(r.name, r.fold) for r in rows} == set(fold_of.items())
    [one] = [r for r in rows if r.name == data.labelled[0].name and r.steadiness.class_name == "ggo"]
    assert one.true_area == one.shared == np.count_nonzero(data.labelled[0].labels == 1)
    assert one.steadiness.area == data.labelled[0].labels.size
    models = read_trust_models(load_weights(weights)[1].trust)
    assert [c.class_name for c in models] == ["ggo", "any_lesion"]
    assert "| Ground-glass opacity | marked area alone |" in (tmp_path / "out" / "trust.md").read_text()
    assert (tmp_path / "out" / "trust.svg").is_file()
    assert "| Ground-glass opacity | steadiness |" in (weights / "model-card.md").read_text()
    again = dataclasses.replace(SHORT, name="again", pretraining=None, start=str(weights))
    tuned = load_weights(run_experiment(again, data_set, tmp_path / "tuned", device="cpu"))[1]
    assert tuned.trust == []  # its start had seen every slice
    assert "again started from the weights tiny, which had seen these slices: not out of fold" in tuned.conventions


def _mark_everything(network: torch.nn.Module, grey: list[torch.Tensor], *_: object) -> list[torch.Tensor]:
    return [torch.stack([torch.zeros_like(g), torch.ones_like(g), torch.zeros_like(g)]) for g in grey]


def test_rows_kept_from_a_run_without_trust_give_none(tmp_path: Path, data_set: Path) -> None:
    run_experiment(SHORT, data_set, tmp_path / "out", only_folds=[0, 1], device="cpu")
    for name in ("trust", "calibration"):
        (tmp_path / "out" / "fold-1" / f"{name}_per_slice.csv").unlink()
    weights = run_experiment(SHORT, data_set, tmp_path / "out", device="cpu")
    assert load_weights(weights)[1].trust == []
    assert not (tmp_path / "out" / "trust_per_slice.csv").exists()
    assert not (tmp_path / "out" / "calibration.md").exists()


def test_inverse_weights_without_a_class_are_refused_before_anything_is_trained(tmp_path: Path, data_set: Path) -> None:
    for path in (tmp_path / "data" / "multiclass" / "labels").glob("*.png"):
        Image.fromarray(np.minimum(np.asarray(Image.open(path)), 1)).save(path)
    prepare(tmp_path / "data", tmp_path / "without", "ggo-consolidation")
    inverse = dataclasses.replace(SHORT, class_weights="inverse")
    with pytest.raises(OptionError, match="inverse class weights need pixels of every class"):
        run_experiment(inverse, tmp_path / "without", tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_stage_without_its_slices_is_refused_before_the_first_is_trained(tmp_path: Path, data_set: Path) -> None:
    bare = tmp_path / "bare"
    prepare(tmp_path / "data" / "multiclass", bare, "ggo-consolidation")
    taught = dataclasses.replace(SHORT, self_training=Stage(steps=1, num_labelled=2, num_weak=2))
    with pytest.raises(DatasetError) as refused:
        run_experiment(taught, bare, tmp_path / "out", device="cpu")
    assert "pretraining wants 2 with a weak target; self_training wants 2 with a weak target" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_other_weights_in_the_folder_of_the_start_are_noticed(tmp_path: Path) -> None:
    start = tmp_path / "start"
    save_weights(
        start, _network(0), Card("first", "msdnet", {"encoder": "resnet18"}, SHORT.schema, SHORT.preprocessing)
    )
    experiment = dataclasses.replace(SHORT, pretraining=None, start=str(start))
    claim(tmp_path / "out", experiment, "0" * 64)
    claim(tmp_path / "out", experiment, "0" * 64)
    save_weights(
        start, _network(1), Card("first", "msdnet", {"encoder": "resnet18"}, SHORT.schema, SHORT.preprocessing)
    )
    with pytest.raises(OptionError, match="changed since: the weights it starts from"):
        claim(tmp_path / "out", experiment, "0" * 64)


def test_a_run_begun_before_a_key_existed_goes_on(tmp_path: Path) -> None:
    claim(tmp_path, SHORT, "0" * 64)
    record = json.loads((tmp_path / "run.json").read_text())
    del record["experiment"]["weak_classes"], record["experiment"]["training"]["start_share"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    claim(tmp_path, SHORT, "0" * 64)
    with pytest.raises(OptionError, match="changed since: weak_classes"):
        claim(tmp_path, dataclasses.replace(SHORT, weak_classes="density"), "0" * 64)


def test_the_recorded_runs_of_the_light_size_go_on() -> None:
    records = sorted(RESULTS.glob("light*/*/run.json"))
    assert len(records) == 9
    for record in records:
        name, folder = record.parent.name, record.parent
        experiments = {e.name: e for e in ablation_rows(read_experiment(EXPERIMENTS / "light" / "msdnet.yaml"))}
        if name not in experiments:
            experiments[name] = read_experiment(EXPERIMENTS / "light" / f"{name}.yaml")
        check_claim(folder, experiments[name], json.loads(record.read_text())["data_sha256"])


def test_networks_are_compared_on_the_same_folds(
    tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = dataclasses.replace(SHORT, name="rival", network="unet", network_arguments={"width": 4}, pretraining=None)
    table = cross_validate([SHORT, rival], data_set, tmp_path / "out", device="cpu")
    text = table.read_text()
    assert "one seed (0); not the same for all: pretraining" in text
    assert "| rival | Ground-glass opacity" in text
    for name in ("tiny", "rival"):
        rows = read_overlaps(tmp_path / "out" / name / "per_slice.csv")
        assert {r.name for r in rows} == {"0", "1", "2", "3"}
    folds = {(r.name, r.fold) for n in ("tiny", "rival") for r in read_overlaps(tmp_path / "out" / n / "per_slice.csv")}
    assert len(folds) == 4
    for file in ("comparison.md", "significance.md", "tiny/table.md"):
        assert (tmp_path / "out" / file).read_text().startswith("**patients not known"), file
    assert (tmp_path / "out" / "significance.tex").is_file()

    monkeypatch.setattr(
        folds_module, "check_classes", lambda *_: ["No slice with ggo in the validation part of fold 1"]
    )
    cross_validate([SHORT, rival], data_set, tmp_path / "out", device="cpu")
    for file in ("comparison.md", "significance.md"):
        assert "No slice with ggo in the validation part of fold 1" in (tmp_path / "out" / file).read_text()


def test_experiments_that_do_not_fit_together_are_refused_with_every_reason(tmp_path: Path, data_set: Path) -> None:
    others = [SHORT, dataclasses.replace(SHORT, num_folds=3, schema="infection")]
    with pytest.raises(OptionError, match=r"two experiments; schema is .*; num_folds is 2 and 3; the reference 'x'"):
        cross_validate(others, data_set, tmp_path / "out", reference="x", device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("splits", "split"), [(("", ""), None), (("train", "test"), "train"), (("train", ""), "train")]
)
def test_the_split_train_is_trained_on_or_everything(splits: tuple[str, ...], split: str | None) -> None:
    assert split_to_train_on(_with_splits(splits)) == split


@pytest.mark.parametrize("splits", [("training", "test"), ("", "test")])
def test_splits_without_train_are_refused(splits: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match=r"no split of the data set is called 'train'(.|\n)*'test'"):
        split_to_train_on(_with_splits(splits))


def _with_splits(splits: tuple[str, ...]) -> Manifest:
    rows = tuple(Row(str(i), Path("a.png"), "g", split=split) for i, split in enumerate(splits))
    return Manifest(Path("manifest.csv"), rows, "ggo-consolidation", "grey", {})


def test_another_schema_than_the_data_sets_is_refused(tmp_path: Path, data_set: Path) -> None:
    with pytest.raises(OptionError, match="'infection' in the experiment, 'ggo-consolidation' in the data set"):
        run_experiment(dataclasses.replace(SHORT, schema="infection"), data_set, tmp_path / "out", device="cpu")


def test_an_unlabelled_slice_of_a_held_back_patient_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_slices: Draw
) -> None:
    labelled, unlabelled = draw_slices(4)
    weak = [dataclasses.replace(s, group=f"g{i}") for i, s in enumerate(unlabelled)]
    manifest = Manifest(tmp_path, (), "ggo-consolidation", "grey", {})
    data = TrainingData(manifest, labelled, weak)
    seen: list[set[str]] = []

    def remember(
        network: torch.nn.Module,
        stage: Stage,
        experiment: Experiment,
        slices: list[TrainingSlice],
        folder: Path,
        **_: object,
    ) -> torch.nn.Module:
        folder.mkdir(parents=True)
        seen.append({s.name for s in slices})
        return network

    monkeypatch.setattr(network_module, "run_stage", remember)
    monkeypatch.setattr(TrainingData, "folds", lambda *_: Folds((0, 0, 1, 1), 2, 0))
    experiment = dataclasses.replace(SHORT, pretraining=None)
    cross_validate_network(experiment, data, tmp_path / "folds.csv", tmp_path, device="cpu")
    assert seen == [{"2", "3", "w2", "w3"}, {"0", "1", "w0", "w1"}]
    patients = (tmp_path / "per_patient.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in patients[1::3]] == [[f"g{i}", "ggo", "1"] for i in range(4)]
    unknown = dataclasses.replace(data, manifest=dataclasses.replace(manifest, patients_known=False))
    cross_validate_network(experiment, unknown, tmp_path / "folds.csv", tmp_path / "unknown", device="cpu")
    assert (tmp_path / "unknown" / "per_slice.csv").is_file()
    assert not (tmp_path / "unknown" / "per_patient.csv").exists()


def test_tables_say_of_the_patients_what_the_manifest_knows() -> None:
    def notes_of(source: str, *, known: bool = True, notes: tuple[str, ...] = ()) -> tuple[str, ...]:
        rows = (Row("a", Path("a.png"), "g", source=source),)
        manifest = Manifest(Path(), rows, "ggo-consolidation", "grey", {}, patients_known=known, notes=notes)
        return TrainingData(manifest, [], []).notes

    assert notes_of("MedSeg") == ()
    assert notes_of(SYNTHETIC) == ("synthetic",)
    [note] = notes_of("MedSeg", known=False)
    assert note.startswith("patients not known: groups are near-duplicates only")
    found = ("Left out: 1 slices of one grey only.", "No groups.csv: every volume is taken as another patient.")
    assert notes_of("MedSeg", notes=found) == ("patients assumed: every volume is taken as another patient",)


@pytest.mark.parametrize(
    ("losses", "improving"), [([5, 4, 3, 2, 1], True), ([5, 3, 2, 1.0, 0.995], False), ([1], False)]
)
def test_a_falling_loss_is_not_converged(tmp_path: Path, losses: list[float], improving: bool) -> None:
    for start, part in enumerate((losses[:2], losses[1:])):  # the second start repeats a checkpoint of the first
        (tmp_path / f"fold-0/log/version_{start}").mkdir(parents=True)
        lines = [f"{50 * (i + start)},{loss}" for i, loss in enumerate(part)]
        (tmp_path / f"fold-0/log/version_{start}/metrics.csv").write_text("step,loss\n" + "\n".join(lines) + "\n")
    assert [loss for _, loss in loss_curve(tmp_path / "fold-0")] == losses
    assert still_improving(tmp_path) is improving


def test_a_run_yields_the_papers_pictures_and_its_robustness(tmp_path: Path, data_set: Path) -> None:
    rival = dataclasses.replace(SHORT, name="rival", network="unet", network_arguments={"width": 4}, pretraining=None)
    told: list[tuple[str, float]] = []

    def tell(doing: str, share: float) -> None:
        told.append((doing, share))

    def told_shares() -> list[float]:
        """The shares told since the last call: they begin at 0 and never fall."""
        shares = [share for _, share in told]
        told.clear()
        assert 0 <= shares[0] < 0.2
        assert shares == pytest.approx(sorted(shares))
        return shares

    cross_validate([SHORT, rival], data_set, tmp_path / "run", device="cpu", progress=tell)
    assert ("tiny: fold 1 of 2, training", pytest.approx(1 / 4)) in told  # after a step, not only between folds
    assert told_shares()[-1] == pytest.approx(1)
    where = tmp_path / "run", data_set, tmp_path / "out"
    table = run_robustness(*where, levels={"noise": (0.05,)}, device="cpu", progress=tell).read_text()
    assert ("tiny: noise 0", pytest.approx(0.9 / 16)) in told  # a slice of the first of four conditions
    assert told_shares()[-1] == pytest.approx(0.9)
    assert table.startswith("**patients not known")
    assert "| Gaussian noise | 0 | tiny |" in table
    assert "| Gaussian noise | 0.05 | rival |" in table
    with (tmp_path / "out" / "robustness.csv").open() as file:
        folds = {(row["name"], int(row["fold"])) for row in csv.DictReader(file)}
    assert folds == {(r.name, r.fold) for r in read_overlaps(tmp_path / "run" / "tiny" / "per_slice.csv")}
    for with_names, num_named in ((True, 2), (False, 0)):
        draw_networks(*where, num_slices=2, with_names=with_names, device="cpu", progress=tell)
        assert told_shares() == [0, 0.25, 0.5, 0.75]
        drawn = (tmp_path / "out" / "networks.svg").read_text()
        names = [one.name for one in load_training_data(data_set, SHORT).labelled]
        assert sum(f"<!-- {name} -->" in drawn for name in names) == num_named
    worst = draw_networks(*where, num_slices=1, worst=True, with_names=True, device="cpu", progress=tell)
    told_shares()
    rows = [r for r in read_overlaps(tmp_path / "run" / "tiny" / "per_slice.csv") if r.class_name == "any_lesion"]
    lowest = min(rows, key=lambda r: (r.dsc, r.name)).name
    assert f"<!-- {lowest} -->" in worst.with_suffix(".svg").read_text()
    draw_features(*where, num_slices=2, device="cpu", progress=tell)
    assert told_shares() == [0, 0.5]
    for name in ("robustness", "noise", "networks", "worst", "features-1"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "out" / f"{name}.svg").is_file()
    with pytest.raises(OptionError, match="no run 'x'"):
        draw_features(*where, network="x", device="cpu")
    with pytest.raises(OptionError, match=r"rival has no refinement blocks(.|\n)*--network: tiny"):
        draw_features(*where, network="rival", device="cpu")
    measured = (tmp_path / "out" / "run.json").read_bytes()
    with pytest.raises(OptionError, match=r"run\.json of another command"):
        cross_validate([SHORT], data_set, tmp_path / "out", device="cpu")
    assert (tmp_path / "out" / "run.json").read_bytes() == measured


def test_more_slices_than_a_page_holds_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    for num_slices in (0, 9):
        with pytest.raises(OptionError, match=rf"got: +{num_slices}\n(.|\n)*--num-slices 8"):
            draw_networks(tmp_path / "absent", tmp_path, tmp_path / "out", num_slices=num_slices, device="cpu")


def test_every_network_sees_the_grey_of_its_own_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(num_patients=4, shape=(3, 48, 48))
    prepare(None, tmp_path / "data", "ggo-consolidation", layout="phantom", options=options)
    training = Stage(steps=10, num_labelled=2, learning_rate=0.03, schedule="constant", ema_decay=0)
    wide = Experiment(
        "wide",
        training,
        network="unet",
        network_arguments={"width": 2},
        preprocessing=Preprocessing(size=32),
        num_folds=2,
    )
    soft = dataclasses.replace(wide, name="soft", preprocessing=Preprocessing(size=32, window_hu=(-160, 240)))
    cross_validate([wide, soft], tmp_path / "data", tmp_path / "run", device="cpu")
    rows = {name: read_overlaps(tmp_path / "run" / name / "per_slice.csv") for name in ("wide", "soft")}
    drawn: list[dict[str, dict[str, np.ndarray]]] = []
    monkeypatch.setattr(illustrations, "draw_robustness", lambda *_, **__: None)
    monkeypatch.setattr(illustrations, "draw_noise_picture", lambda *_, **__: None)
    monkeypatch.setattr(illustrations, "draw_side_by_side", lambda _, found, *__, **___: drawn.append(found) or "  ")
    where = tmp_path / "run", tmp_path / "data", tmp_path / "out"
    run_robustness(*where, levels={"noise": (0.0,)}, device="cpu")
    undamaged = read_robustness(tmp_path / "out" / "robustness.csv")
    draw_networks(*where, device="cpu")
    for name, of_network in rows.items():
        counts = [dataclasses.replace(r, hd95_mm=None) for r in of_network]  # robustness takes no distances
        assert undamaged[Condition("noise", 0.0, name)] == sorted(counts, key=lambda r: r.name)
        marked = {r.name: r.tp + r.fp for r in of_network if r.class_name == "any_lesion"}
        assert len(set(marked.values())) > 3  # what is marked depends on the grey
        for slice_name, labels in drawn[0][name].items():
            assert np.count_nonzero(labels) == marked[slice_name]


def test_robustness_goes_on_with_the_same_run_alone(
    tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(illustrations, "draw_robustness", lambda *_, **__: None)
    monkeypatch.setattr(illustrations, "draw_noise_picture", lambda *_, **__: None)
    first = dataclasses.replace(SHORT, network="unet", network_arguments={"width": 2}, pretraining=None)
    cross_validate([first], data_set, tmp_path / "one", device="cpu")
    cross_validate([dataclasses.replace(first, seed=1)], data_set, tmp_path / "two", device="cpu")
    out, told = tmp_path / "out", list[str]()
    rows = out / "robustness.csv"

    def measure(run: str, into: Path = out) -> None:
        told.clear()
        levels = {"noise": (0.0,)}
        run_robustness(
            tmp_path / run, data_set, into, levels=levels, device="cpu", progress=lambda doing, _: told.append(doing)
        )

    measure("one")
    record = json.loads((out / "run.json").read_text())
    weights = [tmp_path / "one" / "tiny" / f"fold-{i}" / "weights.safetensors" for i in (0, 1)]
    assert record["weights_sha256"] == {"tiny": [file_sha256(path) for path in weights]}
    assert record["data_sha256"] == read_manifest(data_set).sha256
    before = rows.read_bytes()
    measure("one")
    assert told == ["tables and pictures"]  # nothing is measured again
    with pytest.raises(OptionError, match="other weights of tiny"):
        measure("two")
    assert rows.read_bytes() == before
    (out / "run.json").unlink()
    with pytest.raises(OptionError, match=r"no run\.json that names the networks"):
        measure("one")
    rows.unlink()
    measure("two")
    assert "tiny: noise 0" in told
    with pytest.raises(OptionError, match=r"run\.json of another command"):
        run_experiment(first, data_set, out, device="cpu")
    with pytest.raises(OptionError, match=r"run\.json of another kind"):
        measure("one", into=tmp_path / "one" / "tiny")


def test_measures_may_be_joined_by_networks_but_not_by_other_data(tmp_path: Path) -> None:
    rows = tmp_path / "robustness.csv"
    claim_measures(rows, {"a": ["1", "2"]}, "data")
    rows.touch()
    claim_measures(rows, {"a": ["1", "2"], "b": ["3", "4"]}, "data")
    with pytest.raises(OptionError, match="other weights of b; other data"):
        claim_measures(rows, {"a": ["1", "2"]}, "more data")


def test_each_slice_is_predicted_by_the_fold_that_has_not_seen_it(tmp_path: Path, data_set: Path) -> None:
    cross_validate([SHORT], data_set, tmp_path / "run", device="cpu")
    data = load_training_data(data_set, SHORT)
    networks = fold_networks(open_runs(tmp_path / "run")["tiny"], data, "cpu")
    measured = {(r.name, r.class_name): r for r in read_overlaps(tmp_path / "run" / "tiny" / "per_slice.csv")}
    for one in data.labelled:
        labels = networks.predict(one, to_grey(one.image, "grey", SHORT.preprocessing))
        row = measured[one.name, "ggo"]
        assert int((labels == 1).sum()) == row.tp + row.fp
        start = load_file(tmp_path / "run" / "tiny" / f"fold-{row.fold}" / "weights.safetensors")
        assert all(torch.equal(v, start[k]) for k, v in networks.of(one).state_dict().items())


def test_a_run_is_finished_with_its_folds_and_refused_before(tmp_path: Path, data_set: Path) -> None:
    with pytest.raises(OptionError, match="holds no run"):
        open_runs(tmp_path)
    experiment = dataclasses.replace(SHORT, network="unet", network_arguments={"width": 2}, pretraining=None)
    fold = tmp_path / "run" / "tiny" / "fold-1"
    cross_validate([experiment], data_set, tmp_path / "run", only_folds=[0, 1], device="cpu")
    assert not (tmp_path / "run" / "tiny" / "per_slice.csv").is_file()
    assert draw_networks(tmp_path / "run", data_set, tmp_path / "out", num_slices=1, device="cpu").is_file()
    for rows in ("fold-0", "fold-1"):
        write_overlaps(fold.parent / rows / "per_slice.csv", [])
    for work in (draw_networks, draw_features, run_robustness):
        with pytest.raises(DatasetError, match="no lesion in the true labels"):
            work(tmp_path / "run", data_set, tmp_path / "none", device="cpu")
    assert not (tmp_path / "none").exists()
    for file in ("per_slice.csv", "weights.safetensors"):
        (fold / file).unlink()
        with pytest.raises(OptionError, match=r"no weights or no per_slice\.csv of fold 1"):
            open_runs(tmp_path / "run")


def test_the_ablation_changes_the_network_alone() -> None:
    rows = ablation_rows(EXPERIMENT)
    assert [r.name for r in rows] == ["RB", "RRB", "RRB + CAB", "RRB + CAB + PCB"]
    plain = dataclasses.asdict(dataclasses.replace(EXPERIMENT, name="x", network_arguments={}))
    for row in rows:
        assert dataclasses.asdict(dataclasses.replace(row, name="x", network_arguments={})) == plain
    sizes = [
        sum(p.numel() for p in build_network("msdnet", num_classes=3, **r.network_arguments).parameters()) for r in rows
    ]
    whole = build_network("msdnet", num_classes=3, **EXPERIMENT.network_arguments)
    assert sizes[0] != sizes[1] < sizes[2] < sizes[3] == sum(p.numel() for p in whole.parameters())
    with pytest.raises(OptionError, match="only MSD-Net"):
        ablation_rows(dataclasses.replace(EXPERIMENT, network="unet"))


def test_an_experiment_that_cannot_run_claims_no_folder(tmp_path: Path, data_set: Path) -> None:
    wrong = dataclasses.replace(SHORT, network_arguments={"widht": 4})
    with pytest.raises(OptionError, match="does not take these arguments"):
        run_experiment(wrong, data_set, tmp_path / "out", device="cpu")
    with pytest.raises(DatasetError, match="fewer groups than folds"):
        cross_validate([dataclasses.replace(SHORT, num_folds=9)], data_set, tmp_path / "out", device="cpu")
    with pytest.raises(OptionError, match="16-mixed is a precision of GPUs"):
        cross_validate([dataclasses.replace(SHORT, precision="16-mixed")], data_set, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_gets_no_folds(tmp_path: Path, data_set: Path) -> None:
    claim(tmp_path / "out" / SHORT.name, SHORT, "0" * 64)
    with pytest.raises(OptionError, match="changed since: the data"):
        cross_validate([SHORT], data_set, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out" / "folds.csv").exists()
