"""`msdnet bench`: how fast this machine is, ours beside its rivals."""

from __future__ import annotations

import argparse
import functools
import json
from importlib.metadata import version
from pathlib import Path

from msdnet.cli.console import progress_bar
from msdnet.errors import OptionError


def bench(arguments: argparse.Namespace) -> int:
    """`msdnet bench`: networks in every engine, the parts of MSD-Net, and whole studies; one after another."""
    from msdnet.prediction.device import check_device
    from msdnet.reporting.result_folder import check_writable

    check_device(arguments.device)
    check_writable(arguments.out)
    _check_benchmark(arguments.out)

    from msdnet.evaluation import speed
    from msdnet.prediction.device import choose_device
    from msdnet.prediction.engines.processor import read_processor

    contenders = [c for c in speed.CONTENDERS if not arguments.network or c.title in arguments.network]
    of_studies = [None, *(c for c in speed.CONTENDERS if c.title in arguments.study_network)]
    unknown = {*arguments.network, *arguments.study_network} - {c.title for c in speed.CONTENDERS}
    if unknown:
        raise OptionError(
            "the benchmark has no such network",
            got=", ".join(sorted(unknown)),
            expected="; ".join(c.title for c in speed.CONTENDERS),
            do="name one of these, in quotes",
        )
    device = choose_device(arguments.device)
    precisions = ("f32", "bf16") if read_processor(device).has_bf16 else ("f32",)
    how = {"size": arguments.size, "batch": arguments.batch, "repeats": arguments.repeats}
    ours = [c for c in contenders if c.network == "msdnet"]
    names = ("msdnet", "torch", "openvino", "onnxruntime")
    settings = dict(how)
    if ours:
        settings["stages in"] = precisions[-1]
    settings |= {name: version(name) for name in names if _is_installed(name)}
    timings: list[speed.Timing] = []
    stages: list[speed.StageTiming] = []
    studies: list[speed.StudyTiming] = []
    left_out: list[str] = []
    # after each step, so that what is done is kept
    write = functools.partial(speed.write_benchmark, arguments.out, left_out=left_out)
    sizes = [(contender, num_slices) for contender in of_studies for num_slices in arguments.slices]
    steps = len(contenders) + len(ours) + len(sizes)
    with progress_bar(steps, quiet=arguments.quiet) as advance:
        advance("The machine", 0)
        machine = speed.read_machine(device, precisions)
        for done, contender in enumerate(contenders):
            advance(contender.title, done)
            timings += speed.time_contender(contender, device, **how, leave_out=left_out.append)
            write(machine, settings, timings, stages, studies)
        for done, contender in enumerate(ours, start=len(contenders)):
            advance(f"Parts of {contender.title}", done)
            stages += speed.time_stages(contender, device, precisions[-1], **how)
            write(machine, settings, timings, stages, studies)
        for done, (of_study, num_slices) in enumerate(sizes, start=len(contenders) + len(ours)):
            advance(f"A study of {num_slices} slices" + (f", {of_study.title}" if of_study else ""), done)
            studies.append(
                speed.time_study(num_slices, arguments.study_size, contender=of_study, device=arguments.device)
            )
            write(machine, settings, timings, stages, studies)
        write(machine, settings, timings, stages, studies)
        advance("Done", steps)
    if not arguments.quiet:
        print((arguments.out / "benchmark.md").read_text(encoding="utf-8"))
    return 0


def _check_benchmark(out: Path) -> None:
    """Refuses a folder with files of a benchmark's names that no benchmark wrote."""
    names = ("benchmark.json", "benchmark.md", "benchmark.png")
    found = [name for name in names if (out / name).exists()]
    if found and not _is_benchmark(out / names[0]):
        raise OptionError(
            "the output folder holds files that msdnet did not write, and would replace",
            got=f"{', '.join(found)} in {out}",
            expected="a folder without these, or an earlier benchmark of msdnet",
            do="choose another folder with -o",
        )


def _is_benchmark(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"machine", "settings", "studies"} <= set(found)


def _is_installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
