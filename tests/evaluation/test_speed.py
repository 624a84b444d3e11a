"""The benchmark measures what it says, names its machine, and leaves nothing out. No time is asserted."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from msdnet import cli
from msdnet.evaluation.speed import CONTENDERS, time_stages, time_study
from msdnet.evaluation.speed.contenders import make_network
from msdnet.networks import build_network
from msdnet.networks.folding import fold
from msdnet.prediction.engines import ENGINES
from msdnet.prediction.engines.processor import read_processor

OURS = CONTENDERS[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of one network on small slices."""
    out = tmp_path_factory.mktemp("bench") / "out"
    words = ["bench", "-o", str(out), "--size", "64", "--repeats", "1", "--network", OURS.title, "--quiet"]
    assert cli.main([*words, "--slices", ""]) == 0
    return out


def test_every_engine_is_timed_beside_plain_torch(folder: Path) -> None:
    record = json.loads((folder / "benchmark.json").read_text())
    timed = [(row["engine"], row["precision"]) for row in record["networks"]]
    expected = [("eager", "f32")]
    for engine, precisions in ENGINES.items():
        if engine == "torch" or importlib.util.find_spec(engine):
            bf16 = read_processor(torch.device("cpu")).has_bf16
            expected += [(engine, p) for p in precisions if p == "f32" or (p == "bf16" and bf16)]
            expected += [(engine, "int8")] if engine == "openvino" else []
    assert timed == expected
    assert len(timed) + len(record["left_out"]) == 1 + sum(map(len, ENGINES.values())) - 1  # int8 by OpenVINO alone
    assert all(row["fastest_ms"] <= row["ms"] <= row["slowest_ms"] for row in record["networks"])
    assert record["machine"]["threads"] == torch.get_num_threads()
    assert record["machine"]["peak_gflops"]["f32"] > 0


def test_the_page_has_every_part_and_the_plot_is_there(folder: Path) -> None:
    page = (folder / "benchmark.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Networks",
        "## Where the time goes",
    ]
    assert (folder / "benchmark.png").stat().st_size > 1_000


@pytest.mark.slow
def test_a_study_may_have_another_network_with_random_weights() -> None:
    study = time_study(4, 96, contender=OURS, device="cpu")
    assert (study.network, study.num_slices) == (OURS.title, 4)
    assert 0 < study.network_seconds < study.seconds


@pytest.mark.slow
def test_a_study_states_its_stages_its_network_and_its_memory() -> None:
    study = time_study(4, 96, device="cpu")
    assert study.num_slices == 4
    assert set(study.stages) == {"read", "segment", "write", "measure", "report"}
    assert 0 < study.network_seconds < study.stages["segment"] < study.seconds
    assert study.peak_mb is None or study.peak_mb > 100


def test_the_parts_of_a_network_hold_all_of_its_operations() -> None:
    network = build_network("msdnet", num_classes=3, **OURS.arguments).eval()
    stages = time_stages(OURS, torch.device("cpu"), "f32", size=64, batch=2, repeats=1)
    assert {stage.network for stage in stages} == {OURS.title}
    assert [stage.name for stage in stages][:4] == ["encoder", "PCB-4", "CAB-4", "RRB-4"]
    folded = fold(network)  # which runs it once, too
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        folded(torch.zeros(1, 1, 64, 64))
    assert sum(stage.gflop for stage in stages) == pytest.approx(counter.get_total_flops() / 1e9)
    assert all(stage.ms > 0 and stage.gflop > 0 and stage.megabytes > 0 for stage in stages)


def test_no_convolution_of_a_contender_is_left_without_weights() -> None:
    folded = fold(make_network(OURS))
    kernels = [m.weight for m in folded.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(kernels) > 20
    assert all(kernel.any() for kernel in kernels)


def test_a_network_that_is_not_among_them_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--network", "--study-network"):
        assert cli.main(["bench", "-o", str(tmp_path / "out"), option, "nnU-Net"]) == 2
        assert OURS.title in capsys.readouterr().err


def test_studies_without_slices_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "-o", str(tmp_path / "out"), "--slices", "0"]) == 2
    assert "--slices 10,100" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--size", "65"), ("--repeats", "0"), ("--batch", "0"), ("--study-size", "-5")])
def test_numbers_that_cannot_be_are_refused(
    words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "-o", str(tmp_path / "out"), *words]) == 2
    assert f"for instance {words[0]}" in capsys.readouterr().err


def test_files_of_a_benchmarks_names_that_none_wrote_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "benchmark.md").write_text("mine")
    assert cli.main(["bench", "-o", str(tmp_path), "--slices", ""]) == 2
    assert "benchmark.md" in capsys.readouterr().err
    (tmp_path / "benchmark.json").write_text("[]")
    assert cli.main(["bench", "-o", str(tmp_path), "--slices", ""]) == 2
    assert (tmp_path / "benchmark.md").read_text() == "mine"


def test_stopped_it_says_what_it_leaves(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier benchmark is written over, and what was measured until then is kept."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("msdnet.evaluation.speed.time_stages", stop)
    words = ["bench", "-o", str(folder), "--size", "32", "--repeats", "1", "--network", OURS.title, "--quiet"]
    assert cli.main([*words, "--slices", ""]) == 130
    assert "what had been measured by then" in capsys.readouterr().err
    record = json.loads((folder / "benchmark.json").read_text())
    assert (record["settings"]["size"], record["stages"]) == (32, [])
    assert record["networks"]
