from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest

from msdnet.config import Experiment, Preprocessing, read_experiment
from msdnet.data.layouts import Options
from msdnet.data.preparation import prepare
from msdnet.errors import OptionError
from msdnet.networks.msdnet import MSDNet
from msdnet.training import reproduction
from msdnet.training.ablation import ablation_rows
from msdnet.training.paper import paper_experiments
from msdnet.training.reproduction import reproduce, split_markdown

FILES = Path(__file__).parents[2] / "experiments" / "paper"


def test_the_experiment_files_say_what_is_run() -> None:
    experiments = {e.name: e for e in paper_experiments("ggo-consolidation", full=True)}
    assert {path.stem for path in FILES.glob("*.yaml")} == set(experiments)
    for name, experiment in experiments.items():
        assert read_experiment(FILES / f"{name}.yaml") == experiment


def test_the_ablation_files_say_what_is_run() -> None:
    rows = {row.name: row for row in ablation_rows(read_experiment(FILES / "msdnet.yaml"))}
    files = [read_experiment(path) for path in sorted((FILES.parent / "paper-ablation").glob("*.yaml"))]
    assert files == [rows[name] for name in ("RB", "RRB", "RRB + CAB")]
    defaults = {name: p.default for name, p in inspect.signature(MSDNet).parameters.items()}
    for name, value in rows["RRB + CAB + PCB"].network_arguments.items():  # experiments/paper/msdnet.yaml is that row
        assert read_experiment(FILES / "msdnet.yaml").network_arguments.get(name, defaults[name]) == value


def test_markdown_becomes_tables_and_paragraphs() -> None:
    text = "**one seed**\n\n| a | b |\n| --- | ---: |\n| 1 \\| 2 | 3 |\n\nfirst\nsecond\n"
    assert split_markdown(text) == ["one seed", [["a", "b"], ["1 \\| 2", "3"]], "first second"]


@pytest.mark.parametrize("scale", ["full", "huge"])
def test_the_whole_recipe_needs_patients(tmp_path: Path, scale: str) -> None:
    with pytest.raises(OptionError, match="cannot be reproduced"):
        reproduce(tmp_path / "out", scale=scale)
    assert not (tmp_path / "out").exists()


def _tiny(schema: str, *, full: bool) -> list[Experiment]:
    return [
        dataclasses.replace(e, training=dataclasses.replace(e.training, steps=1), preprocessing=Preprocessing(size=32))
        for e in paper_experiments(schema, full=full)
        if e.name in ("msdnet", "unet")
    ]


def test_the_page_holds_every_experiment_and_says_synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(
        None, tmp_path / "data", "msdnet-paper", layout="phantom", options=Options(num_patients=4, shape=(3, 48, 48))
    )
    monkeypatch.setattr(reproduction, "paper_experiments", _tiny)
    shares: list[float] = []
    page = reproduce(
        tmp_path / "out",
        scale="quick",
        data=tmp_path / "data",
        device="cpu",
        progress=lambda doing, share: shares.append(share),
    )
    text = page.read_text()
    assert "<title>Synthetic: " in text
    assert "0.7422" not in text  # the paper's figures never stand beside those of a phantom
    assert text.count("data:image/png;base64,") == 4
    assert "<td>RRB + CAB</td>" in text
    assert "<td>unet</td>" in text
    assert shares == pytest.approx(sorted(shares))
    assert 0 <= min(shares) <= max(shares) <= 1
    assert any(0.91 < share < 0.97 for share in shares)  # each part tells its own steps, the robustness too
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("weights.safetensors")}
    assert len(before) == 2 * 2 + 4 * 2
    reproduce(tmp_path / "out", scale="quick", data=tmp_path / "data", device="cpu")  # nothing is trained anew
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.slow
def test_the_quick_scale_runs_on_synthetic_patients_alone(tmp_path: Path) -> None:
    text = reproduce(tmp_path / "out", scale="quick", device="cpu").read_text()
    for name in ("unetplusplus", "unet_cbam", "attention_unet", "RRB + CAB + PCB", "Interstitial infiltrates"):
        assert f"<td>{name}</td>" in text
