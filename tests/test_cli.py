"""The command: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from msdnet import cli
from msdnet.cli import console
from msdnet.data import phantom
from msdnet.data.phantom import make_phantom, write_phantom_dicom
from msdnet.labels import get_schema
from msdnet.prediction import Segmentation, Segmenter

SOURCE = str(Path(cli.__file__).parents[2])


class FakeSegmenter:
    flips = all_slices = False

    def segment(self, scan, progress=None):
        labels = np.zeros(scan.voxels.shape, np.uint8)
        labels[tuple(slice(size // 3, 2 * size // 3 + 1) for size in labels.shape)] = 1
        if progress is not None:
            progress(1, 1)
        schema = get_schema("ggo-consolidation")
        return Segmentation(scan, labels, schema, "fake-weights", "0f" * 32, "cpu", notes=("A flag.",))


@pytest.fixture
def fake(monkeypatch):
    segmenter = FakeSegmenter()
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda *arguments, **keywords: segmenter)
    return segmenter


def write_nifti(path, seed=0):
    rng = np.random.default_rng(seed)
    voxels = rng.integers(-900, 100, (24, 22, 5)).astype(np.int16)
    voxels[:2] = -1000
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.5, -1.5, 3.0, 1.0])), path)
    return path


def run(*words):
    return cli.main([str(word) for word in words])


def in_subprocess(*words, **keywords):
    environment = os.environ | {"PYTHONPATH": SOURCE}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, **keywords)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["segment", "--help"], ["demo", "-h"], ["train", "-h"]])
def test_help_and_version_import_nothing_heavy(words):
    script = (
        "import sys\nfrom msdnet.cli import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'highdicom', 'pydicom', 'rich', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = in_subprocess("-c", script)
    assert done.returncode == 0, done.stderr
    assert "msdnet" in done.stdout


def test_the_module_runs_as_the_command():
    done = in_subprocess("-m", "msdnet", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("msdnet ")


def test_one_scan_goes_straight_into_the_folder(fake, tmp_path, capsys):
    assert run("segment", write_nifti(tmp_path / "a.nii.gz"), "-o", tmp_path / "out") == 0
    printed, errors = capsys.readouterr()
    assert (tmp_path / "out" / "report.html").is_file()
    assert "Ground-glass opacity" in printed
    assert "Consolidation" in printed
    assert "Note: A flag." in printed
    assert printed.rstrip().endswith(f"Report: {tmp_path / 'out' / 'report.html'}")
    assert errors == ""


def test_several_scans_go_into_folders_of_their_names(fake, tmp_path, capsys):
    inputs = [write_nifti(tmp_path / "a.nii.gz"), write_nifti(tmp_path / "b.nii", seed=1)]
    assert run("segment", *inputs, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b", "scans.csv"]
    assert (tmp_path / "out" / "b" / "run.json").is_file()
    printed = capsys.readouterr().out
    assert printed.count("Report: ") == 2
    assert f"{tmp_path / 'b.nii'} -> {tmp_path / 'out' / 'b'}" in printed


def test_the_console_says_which_input_went_into_a_folder_named_by_its_hash(fake, tmp_path, capsys):
    write_phantom_dicom(make_phantom(shape=(6, 48, 48)), tmp_path / "PHANTOM_SYNTHETIC")
    assert run("segment", tmp_path / "PHANTOM_SYNTHETIC", write_nifti(tmp_path / "b.nii"), "-o", tmp_path / "out") == 0
    (folder,) = (path for path in (tmp_path / "out").iterdir() if path.name not in ("b", "scans.csv"))
    assert len(folder.name) == 12
    assert f"{tmp_path / 'PHANTOM_SYNTHETIC'} -> {folder}" in capsys.readouterr().out
    assert not any(b"PHANTOM_SYNTHETIC" in path.read_bytes() for path in folder.iterdir())


def test_the_table_says_what_is_shared_and_only_where_there_are_several_slices(fake, tmp_path, capsys):
    assert run("segment", write_nifti(tmp_path / "a.nii"), "-o", tmp_path / "a") == 0
    head, row = capsys.readouterr().out.splitlines()[:2]
    assert head.endswith("slices  share of slices")
    assert row.endswith("60 %")
    assert len(row) == len(head)
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(tmp_path / "b.png")
    assert run("segment", tmp_path / "b.png", "-o", tmp_path / "b") == 0
    printed = capsys.readouterr().out
    assert "share" not in printed
    assert "%" not in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing", "-o", "out"], "missing does not exist"),
        (["a.nii", "-o", "out"], "a.nii is not what its extension says"),
        (["folder", "-o", "out", "--weights", "no-such-weights"], "no-such-weights"),
        (["folder", "-o", "out", "--weights", "folder"], "card.json"),
        (["folder", "-o", "out", "--device", "cuda"], "no NVIDIA driver"),
        (["folder", "-o", "a.nii/out"], "not a folder"),
    ],
)
def test_simple_mistakes_are_told_before_anything_heavy_is_imported(tmp_path, words, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.nii").write_text("text")
    script = (
        "import ctypes, sys\nfrom msdnet.cli import main\n"
        "def no_driver(name): raise OSError(name)\n"
        "ctypes.CDLL = no_driver\n"
        f"assert main(['segment', *{words!r}]) == 2\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'highdicom', 'pydicom', 'rich', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = in_subprocess("-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert message in done.stderr


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(fake, tmp_path, monkeypatch, capsys):
    def refuse(self, *arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FakeSegmenter, "segment", lambda *arguments: pytest.fail("the scan was segmented"))
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert run("segment", write_nifti(tmp_path / "a.nii"), "-o", tmp_path / "absent" / "out") == 2
    errors = capsys.readouterr().err
    assert f"Permission denied at {tmp_path / 'absent' / 'out'}" in errors


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc, where nobody can make a folder")
def test_an_output_where_not_even_the_superuser_can_write_is_refused(fake, tmp_path, capsys):
    assert run("segment", write_nifti(tmp_path / "a.nii"), "-o", "/proc/msdnet/out") == 2
    assert "/proc/msdnet/out" in capsys.readouterr().err


def test_quiet_prints_nothing(fake, tmp_path, capsys):
    assert run("segment", write_nifti(tmp_path / "a.nii"), "-o", tmp_path / "out", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_one_bad_scan_costs_only_itself(fake, tmp_path, capsys):
    write_nifti(tmp_path / "whole.nii")
    content = write_nifti(tmp_path / "cut.nii").read_bytes()
    (tmp_path / "cut.nii").write_bytes(content[: len(content) // 2])
    assert run("segment", tmp_path / "cut.nii", tmp_path / "whole.nii", "-o", tmp_path / "out") == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scans.csv", "whole"]
    printed, errors = capsys.readouterr()
    assert "whole" in printed
    assert f"1 of 2 inputs failed: {tmp_path / 'cut.nii'}" in errors
    assert f"msdnet: {tmp_path / 'cut.nii'}: cut.nii cannot be read" in errors
    assert "Traceback" not in errors


def test_an_unexpected_failure_of_one_scan_ends_with_1(fake, tmp_path, monkeypatch, capsys):
    whole = FakeSegmenter.segment
    calls = []

    def fail_first(self, scan, progress=None):
        calls.append(scan)
        if len(calls) == 1:
            raise RuntimeError("surprise")
        return whole(self, scan, progress)

    monkeypatch.setattr(FakeSegmenter, "segment", fail_first)
    inputs = [write_nifti(tmp_path / "a.nii"), write_nifti(tmp_path / "b.nii", seed=1)]
    assert run("segment", *inputs, "-o", tmp_path / "out") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b", "scans.csv"]
    assert "surprise" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.nii", "missing.nii"], "does not exist"),
        (["a.nii", "sub/a.nii"], "same name"),
        (["a.nii", "--window", "5"], "--window 5"),
        (["a.nii", "--window", "9,1"], "lower one first"),
        (["a.nii", "--window", "low,high"], "--window low,high"),
        (["a.nii", "--window", "nan,1"], "--window nan,1"),
        (["a.nii", "--window", "-5,-9"], "--window -5,-9"),
        (["a.nii", "--memory", "-1e3"], "--memory -1e3"),
        (["a.nii", "--memory", "inf"], "a finite number above 0"),
        (["a.nii", "--series", "1.2.3"], "--series"),
        (["a.nii", "--memory", "0"], "--memory 0"),
        (["a.nii", "--memory", "lots"], "--memory lots"),
        (["a.nii", "--memory", "0.001"], "at most 1 MB, what --memory allows"),
        (["a.nii", "--weights", "no-such-weights"], "no-such-weights"),
        (["a.nii", "-o", "taken"], r"mine.txt"),
        (["a.nii", "-o", "a.nii"], "not a folder"),
    ],
)
def test_every_bad_value_has_its_own_error_and_writes_nothing(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("sub", "taken"):
        Path(folder).mkdir()
    write_nifti(tmp_path / "a.nii")
    write_nifti(tmp_path / "sub" / "a.nii")
    Path("taken/mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert run("segment", *words, *([] if "-o" in words else ["-o", "out"])) == 2
    errors = capsys.readouterr().err
    assert message in errors
    for part in ("got:", "expected:", "do:"):
        assert part in errors
    assert "Traceback" not in errors
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "COMMAND"),
        (["paint"], "invalid choice"),
        (["segment", "a.nii"], "-o/--out"),
        (["segment", "-o", "out"], "INPUT"),
        (["segment", "a.nii", "-o", "out", "--device", "abacus"], "--device"),
        (["segment", "a.nii", "-o", "out", "--grey", "--window", "0,1"], "not allowed with"),
        (["segment", "a.nii", "-o", "out", "--sharpen"], "--sharpen"),
    ],
)
def test_usage_errors_end_with_2(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        run(*words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_window_may_begin_with_a_minus_sign(fake, tmp_path):
    picture = np.random.default_rng(0).integers(0, 4000, (40, 50)).astype(np.uint16)
    Image.fromarray(picture).save(tmp_path / "slice.png")
    assert run("segment", tmp_path / "slice.png", "-o", tmp_path / "out", "--window", "-100,3000.5") == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["options"]["window"] == [-100, 3000.5]


@pytest.mark.parametrize("num_inputs", [1, 2])
def test_ctrl_c_leaves_nothing_half_done(fake, tmp_path, monkeypatch, capsys, num_inputs):
    def interrupt(self, scan, progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeSegmenter, "segment", interrupt)
    inputs = [write_nifti(tmp_path / f"{index}.nii", seed=index) for index in range(num_inputs)]
    assert run("segment", *inputs, "-o", tmp_path / "out") == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in inputs)
    assert "stopped" in capsys.readouterr().err


def test_a_polite_kill_while_writing_removes_the_unfinished_folder(fake, tmp_path, monkeypatch):
    from msdnet import study

    def kill(*arguments, **keywords):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(study, "write_report", kill)
    with pytest.raises(SystemExit) as end:
        run("segment", write_nifti(tmp_path / "a.nii"), "-o", tmp_path / "out")
    assert end.value.code == 143
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


@pytest.mark.parametrize("debug", [False, True])
def test_an_unexpected_error_shows_its_traceback_only_on_request(fake, tmp_path, monkeypatch, capsys, debug):
    def fail(self, scan, progress=None):
        raise RuntimeError("surprise")

    monkeypatch.setattr(FakeSegmenter, "segment", fail)
    words = ["segment", write_nifti(tmp_path / "a.nii"), "-o", tmp_path / "out", *(["--debug"] if debug else [])]
    assert run(*words) == 1
    errors = capsys.readouterr().err
    assert "RuntimeError: surprise" in errors
    assert ("Traceback" in errors) is debug


def test_demo_makes_a_scan_and_a_report_and_can_be_repeated(fake, tmp_path, monkeypatch, capsys):
    small = make_phantom(shape=(6, 48, 48))
    monkeypatch.setattr(phantom, "make_phantom", lambda: small)
    for _ in range(2):
        assert run("demo", "-o", tmp_path / "demo") == 0
        assert f"Report: {tmp_path / 'demo' / 'result' / 'report.html'}" in capsys.readouterr().out
        assert len(list((tmp_path / "demo" / "phantom").glob("*.dcm"))) == 6
        assert (tmp_path / "demo" / "result" / "segmentation.dcm").is_file()


def test_demo_touches_no_foreign_files(fake, tmp_path, capsys):
    (tmp_path / "demo" / "result").mkdir(parents=True)
    (tmp_path / "demo" / "result" / "mine.txt").write_text("mine")
    assert run("demo", "-o", tmp_path / "demo") == 2
    assert "mine.txt" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["result"]


def test_info_lists_what_there_is(capsys):
    assert run("info") == 0
    printed = capsys.readouterr().out
    for words in ("msdnet-paper", "Ground-glass opacity", "112120", "LICENSE-WEIGHTS", "NOTICE-DATA", "not a medical"):
        assert words in printed


def test_info_is_machine_readable(capsys):
    assert run("info", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"version", "networks", "weights", "schemas", "licences"}
    assert "msdnet" in facts["networks"]
    assert [c["name"] for c in facts["schemas"]["ggo-consolidation"]] == ["ggo", "consolidation"]
    assert set(facts["licences"]) == {"LICENSE", "LICENSE-WEIGHTS", "NOTICE-DATA"}
    assert all(len(text) > 200 for text in facts["licences"].values())


def test_a_narrow_encoding_does_not_end_a_run(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert run("info") == 0


def test_a_reader_that_goes_away_is_no_error(monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert run("info") == 1
    assert capsys.readouterr().err == ""


def test_other_libraries_are_silent_only_during_a_run(fake, tmp_path, monkeypatch, capsys):
    whole = FakeSegmenter.segment

    def talk(self, scan, progress=None):
        warnings.warn("patient Plantedsurname", UserWarning, stacklevel=1)
        logging.getLogger("pydicom").warning("patient Plantedsurname")
        return whole(self, scan, progress)

    monkeypatch.setattr(FakeSegmenter, "segment", talk)
    assert run("segment", write_nifti(tmp_path / "a.nii"), "-o", tmp_path / "out", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert logging.root.manager.disable == 0


def test_without_a_terminal_progress_is_a_line_a_minute_and_one_where_the_work_changes(monkeypatch, capsys):
    clock = iter((0, 1, 11, 15, 22, 80, 83))
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=clock.__next__))
    with console.progress_bar(4, quiet=False) as advance:
        advance("reading", 0)  # over in seconds: not a word
        advance("fold 1", 1)
        advance("fold 2", 2)  # too soon after the last line
        advance("fold 2", 2.5)
        advance("fold 2", 3)
        advance("fold 2", 3.2)
    assert capsys.readouterr().err.splitlines() == [
        "msdnet: fold 1, 25 % of the whole done",
        "msdnet: fold 2, 62 % of the whole done",
        "msdnet: fold 2, 80 % of the whole done",
    ]
    monkeypatch.setattr(console, "CHANGE_SECONDS", 0)
    with console.progress_bar(4, quiet=True) as advance:
        advance("fold 3", 4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("command", "function"),
    [("robustness", "run_robustness"), ("features", "draw_features"), ("figure", "draw_networks")],
)
def test_what_is_done_with_a_run_tells_its_progress(tmp_path, monkeypatch, capsys, command, function):
    from msdnet import training

    def work(*arguments, progress, **keywords):
        progress("halfway", 0.5)
        (tmp_path / "table.md").write_text("table")
        return [tmp_path / "table.md"] if command == "features" else tmp_path / "table.md"

    monkeypatch.setattr(training, function, work)
    monkeypatch.setattr(console, "CHANGE_SECONDS", 0)
    assert run(command, tmp_path, "--data", tmp_path, "-o", tmp_path / "out") == 0
    assert capsys.readouterr().err == "msdnet: halfway, 50 % of the whole done\n"


@pytest.mark.parametrize("place", ["file", "file/deeper"])
def test_a_run_that_cannot_be_written_is_told(tmp_path, monkeypatch, capsys, place):
    from msdnet import training

    (tmp_path / "file").write_text("kept")
    monkeypatch.setattr(training, "draw_networks", lambda *arguments, **keywords: arguments[2].mkdir(exist_ok=True))
    assert run("figure", tmp_path, "--data", tmp_path, "-o", tmp_path / place) == 2
    errors = capsys.readouterr().err
    assert "the output folder cannot be written" in errors
    assert str(tmp_path / place) in errors
    assert (tmp_path / "file").read_text() == "kept"


def test_another_failure_of_the_system_stays_unexpected(tmp_path, monkeypatch, capsys):
    from msdnet import training

    monkeypatch.setattr(training, "draw_networks", lambda *arguments, **keywords: (tmp_path / "absent").read_text())
    assert run("figure", tmp_path, "--data", tmp_path, "-o", tmp_path / "out") == 1
    assert "unexpected error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "function", "words"),
    [
        ("robustness", "run_robustness", "stopped; the same command goes on from here"),
        ("figure", "draw_networks", "stopped; nothing unfinished was left"),
    ],
)
def test_a_command_that_goes_on_says_so_when_it_is_stopped(tmp_path, monkeypatch, capsys, command, function, words):
    from msdnet import training

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, function, interrupt)
    assert run(command, tmp_path, "--data", tmp_path, "-o", tmp_path / "out") == 130
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--map", "1=ggo", "--map", "1=consolidation"], "one label twice"),
        (["--map", "1"], "LABEL=CLASS"),
        (["--near-duplicate", "7"], "above 0, at most 1"),
        (["--layout", "pictures", "--patients", "3"], "--patients 3 with the layout pictures"),
        (["--layout", "phantom"], "the layout phantom reads no files"),
    ],
)
def test_an_unusable_option_of_prepare_is_refused_before_anything_is_read(tmp_path, capsys, words, message):
    assert run("prepare", tmp_path / "absent", "-o", tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--lung-mask", "m.nii"], "--lung-mask alone"),
        (["--lung-scheme", "binary"], "--lung-scheme alone"),
        (["--zone-slices", "3"], "CARINA,VEINS"),
        (["--zone-slices", "3,9"], "the veins not above the carina"),
    ],
)
def test_options_of_the_lungs_that_do_not_go_together_are_refused(tmp_path, capsys, options, words):
    scan = write_nifti(tmp_path / "a.nii")
    assert run("segment", scan, "-o", tmp_path / "out", *options) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_mask_of_the_lungs_is_for_one_scan(tmp_path, capsys):
    scans = [write_nifti(tmp_path / name) for name in ("a.nii", "b.nii")]
    assert run("segment", *scans, "-o", tmp_path / "out", "--zone-slices", "4,2") == 2
    assert "belongs to one scan" in capsys.readouterr().err


def test_a_mask_of_the_lungs_is_taken_and_told_without_its_path(fake, tmp_path):
    scan = write_nifti(tmp_path / "a.nii")
    mask = np.zeros((24, 22, 5), np.uint8)
    mask[4:10, 5:15], mask[14:20, 5:15] = 2, 1
    nib.save(nib.Nifti1Image(mask, nib.load(scan).affine), tmp_path / "secretname.nii")
    options = ["--lung-mask", tmp_path / "secretname.nii", "--lung-scheme", "left-right", "--quiet"]
    assert run("segment", scan, "-o", tmp_path / "out", *options) == 0
    lungs = np.asarray(nib.load(tmp_path / "out" / "lungs.nii.gz").dataobj)
    np.testing.assert_array_equal(lungs, mask)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["options"]["lung_scheme"] == "left-right"
    for path in (tmp_path / "out").iterdir():
        assert b"secretname" not in path.read_bytes(), path.name


def test_several_scans_have_their_lines_in_one_table(fake, tmp_path, capsys):
    scans = [write_nifti(tmp_path / f"{name}.nii", seed) for seed, name in enumerate("ab")]
    content = write_nifti(tmp_path / "cut.nii").read_bytes()
    (tmp_path / "cut.nii").write_bytes(content[: len(content) // 2])
    assert run("segment", *scans, tmp_path / "cut.nii", "-o", tmp_path / "out") == 2
    first, *lines = (tmp_path / "out" / "scans.csv").read_text(encoding="utf-8").splitlines()
    assert first.startswith("scan,slices,ggo_ml,")
    assert [line.split(",")[0] for line in lines] == ["a", "b"]
    assert str(tmp_path / "out" / "scans.csv") in capsys.readouterr().out


def test_evaluate_takes_one_network_or_several(tmp_path, capsys):
    for folder, seed in (("unet", 1), ("inf-net", 2), ("labels", 3)):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            pixels = np.random.default_rng([seed, ord(name)]).integers(0, 3, (8, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    one, two, labels = (tmp_path / folder for folder in ("unet", "inf-net", "labels"))
    assert run("evaluate", one, labels, "-o", tmp_path / "alone") == 0
    assert "| Ground-glass opacity | slices with it |" in capsys.readouterr().out
    compared = tmp_path / "compared"
    assert run("evaluate", one, two, labels, "-o", compared, "--reference", "inf-net", "--min-pixels", 3) == 0
    assert "| inf-net | Ground-glass opacity |" in capsys.readouterr().out
    record = json.loads((compared / "run.json").read_text(encoding="utf-8"))
    assert (record["options"]["reference"], record["options"]["min_pixels"]) == ("inf-net", 3)
    maps = tmp_path / "maps"
    assert run("evaluate", one, labels, "-o", maps, "--schema", "infection", "--threshold", "2") == 2
    assert not maps.exists()
    assert "--threshold cannot be used so" in capsys.readouterr().err
