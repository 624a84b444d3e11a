from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from msdnet.config import Experiment, Preprocessing, read_experiment
from msdnet.data.layouts import Options
from msdnet.data.manifest import SYNTHETIC, Manifest, Row
from msdnet.data.preparation import prepare
from msdnet.errors import OptionError
from msdnet.networks.msdnet import MSDNet
from msdnet.prediction.engines.choice import Processor
from msdnet.training import precision, reproduction
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


@pytest.mark.slow
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


def _result_files(out: Path) -> None:
    for folder in ("networks", "ablation", "figures"):
        (out / folder).mkdir(parents=True)
    for name in ("networks", "features-1", "noise", "robustness"):
        (out / "figures" / f"{name}.png").write_bytes(b"picture")
    for path in ("networks/comparison", "networks/significance", "ablation/comparison", "figures/robustness-table"):
        (out / f"{path}.md").write_text(
            "| network | DSC |\n| --- | --- |\n| msdnet | 0.500 (0.100) |\n", encoding="utf-8"
        )
    (out / "networks" / "comparison.csv").write_text(
        "network,class,dsc,dsc_sd,sensitivity,specificity\n"
        "msdnet,Ground-glass opacity,0.5,0.1,0.9,0.9842\n"
        "msdnet,Any lesion,0.6,0.1,0.9,0.9\n"
        "unet,Consolidation,,,0.7,0.8\n",
        encoding="utf-8",
    )


def _manifest(folder: Path, source: str) -> Manifest:
    rows = []
    for i, values in enumerate(([0, 1], [0, 2], [0, 0])):
        Image.fromarray(np.array([values], np.uint8)).save(folder / f"{i}.png")
        rows.append(Row(str(i), folder / f"{i}.png", f"p{i // 2}", labels=folder / f"{i}.png", source=source))
    return Manifest(Path(), tuple(rows), "ggo-consolidation", "grey", {0: 0, 1: 1, 2: 2})


def _page(out: Path, source: str, scale: str) -> str:
    experiments = paper_experiments("ggo-consolidation", full=scale == "full")
    return reproduction._page(out, _manifest(out, source), experiments, scale, torch.device("cpu"))


def _cells(text: str) -> str:
    return re.sub(r"</t[dh]><t[dh]>", "|", text)


@pytest.mark.parametrize(("has_bf16", "computed_in"), [(True, "bf16-mixed"), (False, "32-true")])
def test_on_patients_each_table_has_the_papers_figure_ours_their_difference_and_why(
    has_bf16: bool, computed_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "read_processor", lambda device: Processor(has_bf16=has_bf16))
    _result_files(tmp_path)
    text = _cells(_page(tmp_path, "a hospital", "full"))
    assert "synthetic" not in text.lower()
    assert "slices with|paper|ours|difference<" in text
    assert "<td>All|4780|3|-4777<" in text
    assert "<td>Consolidation|-|1|-<" in text
    assert "network|class|DSC, paper|DSC, ours|DSC, difference|sensitivity, paper|" in text
    assert ">msdnet|Ground-glass opacity|0.7422|0.5000|-0.2422|0.8593|0.9000|+0.0407|0.9742|0.9842|+0.0100<" in text
    assert ">msdnet|Interstitial infiltrates|0.7384|-|-|0.8268|-|-|0.9869|-|-<" in text
    assert ">unet|Consolidation|0.7526|-|-|-|0.7000|-|-|0.8000|-<" in text
    for reason in (
        "data|private|",
        "number of slices|4780 of 36 patients|3 of 2 patients",
        "classes|Ground-glass opacity, Interstitial infiltrates, Consolidation|Ground-glass opacity, Consolidation",
        f"recipe|number of epochs not given|50 epochs in batches of 8, {computed_in}",
        "size|512 x 512|512 x 512",
        "device|GTX 1080 Ti|processor",
    ):
        assert f"<td>{reason}" in text


@pytest.mark.parametrize(("source", "scale"), [(SYNTHETIC, "quick"), (SYNTHETIC, "full"), ("a hospital", "quick")])
def test_the_papers_figures_stand_beside_its_recipe_on_patients_alone(tmp_path: Path, source: str, scale: str) -> None:
    _result_files(tmp_path)
    text = _page(tmp_path, source, scale)
    assert not re.search(r"0\.7422|4780|>difference<", text)
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles[0].startswith("Table 1: ")
    assert all(title.endswith(" (synthetic)") == (source == SYNTHETIC) for title in titles)


@pytest.mark.slow
def test_the_quick_scale_runs_on_synthetic_patients_alone(tmp_path: Path) -> None:
    text = reproduce(tmp_path / "out", scale="quick", device="cpu").read_text()
    for name in ("unetplusplus", "unet_cbam", "attention_unet", "RRB + CAB + PCB", "Interstitial infiltrates"):
        assert f"<td>{name}</td>" in text
