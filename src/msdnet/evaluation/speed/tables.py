"""A benchmark's files: JSON with everything, a page in Markdown, and a plot."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from msdnet.evaluation.rendering import Column, Table
from msdnet.evaluation.speed.contenders import EAGER, Timing
from msdnet.evaluation.speed.machine import Machine
from msdnet.evaluation.speed.stages import StageTiming
from msdnet.evaluation.speed.studies import StudyTiming
from msdnet.files import whole_file


def write_benchmark(
    folder: Path,
    machine: Machine,
    settings: dict[str, Any],
    timings: Sequence[Timing],
    stages: Sequence[StageTiming],
    studies: Sequence[StudyTiming],
    left_out: Sequence[str] = (),
) -> None:
    """Writes benchmark.json, benchmark.md, and benchmark.png where networks were timed.

    Args:
        folder: Made where it is missing.
        machine: Where all was measured.
        settings: Of the run: size, batch, repeats, versions.
        timings: Of the networks.
        stages: Of those of them that are MSD-Nets.
        studies: Of whole studies.
        left_out: What was not timed, and why, one line each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": dataclasses.asdict(machine),
        "settings": settings,
        **{
            name: [dataclasses.asdict(row) for row in rows]
            for name, rows in (("networks", timings), ("stages", stages), ("studies", studies))
        },
        "left_out": list(left_out),
    }
    with whole_file(folder / "benchmark.json") as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    parts = [_head(machine, settings)]
    if timings:
        parts += ["## Networks", _networks(timings)]
        _draw(timings, folder / "benchmark.png")
    if left_out:
        parts += ["Not timed:\n\n" + "\n".join(f"- {line}" for line in left_out)]
    if stages:
        parts += ["## Where the time goes", _stages(stages, machine, settings)]
    if studies:
        parts += ["## Whole studies", _studies(studies)]
    with whole_file(folder / "benchmark.md") as unfinished:
        unfinished.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = tuple(Column(title, title) for title in head)
    return Table(columns, tuple(tuple(row) for row in rows)).markdown().rstrip("\n")


def _head(machine: Machine, settings: dict[str, Any]) -> str:
    peaks = ", ".join(f"{value:,.0f} GFLOP/s in {name}" for name, value in machine.peak_gflops.items())
    flags = ", ".join(machine.flags) or "none of those that matter here"
    return (
        f"{machine.name} ({machine.device}), {machine.threads} threads, {flags}. The most that torch gets out of it: "
        f"{peaks}, {machine.peak_gb_per_s:.1f} GB/s. "
        + ", ".join(f"{name} {value}" for name, value in settings.items())
        + "."
    )


def _networks(timings: Sequence[Timing]) -> str:
    """A row for each network, a column for each engine: milliseconds a slice, and how many times as fast as eager."""
    columns = list(dict.fromkeys((t.engine, t.precision) for t in timings))
    found = {(t.title, t.engine, t.precision): t for t in timings}
    rows = []
    for title in dict.fromkeys(t.title for t in timings):
        eager = found[title, EAGER, "f32"]
        cells = [title, f"{eager.parameters / 1e6:.1f}", f"{eager.gflop:.0f}"]
        for engine, precision in columns:
            timing = found.get((title, engine, precision))
            cells.append("" if timing is None else f"{timing.ms:.0f} ({eager.ms / timing.ms:.1f} x)")
        rows.append(cells)
    head = ["network", "million parameters", "GFLOP", *(f"{e} {p}" for e, p in columns)]
    return (
        _table(head, rows)
        + "\n\nMilliseconds a slice, median; in parentheses how many times as fast as eager torch (float32, nothing "
        "folded, NCHW)."
    )


def _stages(stages: Sequence[StageTiming], machine: Machine, settings: dict[str, Any]) -> str:
    """A table for each network."""
    peak = machine.peak_gflops[settings["stages in"]]
    head = ["part", "ms", "share", "GFLOP", "GFLOP/s (of the peak)", "GB/s at the least (of the peak)"]
    tables = []
    for network in dict.fromkeys(stage.network for stage in stages):
        own = [stage for stage in stages if stage.network == network]
        total = sum(stage.ms for stage in own)
        rows = []
        for stage in own:
            rate, moved = stage.gflop / stage.ms * 1000, stage.megabytes / stage.ms
            cells = [f"{stage.ms:.1f}", f"{stage.ms / total:.0%}", f"{stage.gflop:.2f}"]
            rates = f"{rate:.0f} ({rate / peak:.0%})", f"{moved:.1f} ({moved / machine.peak_gb_per_s:.0%})"
            rows.append([stage.name, *cells, *rates])
        rows.append(["all", f"{total:.1f}", "100%", f"{sum(s.gflop for s in own):.2f}", "", ""])
        tables.append(f"{network} in torch {settings['stages in']}.\n\n{_table(head, rows)}")
    return "\n\n".join(tables)


def _studies(studies: Sequence[StudyTiming]) -> str:
    names = list(studies[0].stages)
    rows = []
    for study in studies:
        start = study.seconds - sum(study.stages.values())
        rows.append(
            [
                study.network,
                study.engine,
                str(study.num_slices),
                f"{study.seconds:.1f}",
                f"{study.network_seconds:.1f}",
                f"{start:.1f}",
                *(f"{study.stages[name]:.1f}" for name in names),
                f"{study.seconds / study.network_seconds:.1f} x" if study.network_seconds else "",
                f"{study.peak_mb:,}" if study.peak_mb else "",
            ]
        )
    head = ["network", "engine", "slices", "s in all", "network alone", "start", *names, "in all / network", "peak MB"]
    return (
        "`msdnet segment` on a synthetic chest CT, from DICOM files to masks, SEG, SR, PDF and report. Networks that "
        f"are named have random weights.\n\n{_table(head, rows)}"
    )


def _draw(timings: Sequence[Timing], path: Path) -> None:
    """Each network's time in eager torch and in its fastest engine that is not int8."""
    titles = list(dict.fromkeys(t.title for t in timings))
    figure = Figure(figsize=(9, 0.45 * len(titles) + 1), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, title in enumerate(reversed(titles)):
        own = [t for t in timings if t.title == title]
        eager = next(t for t in own if t.engine == EAGER)
        best = min((t for t in own if t.precision != "int8"), key=lambda t: t.ms)
        axes.plot([best.ms, eager.ms], [place, place], color="#b8c0cc", linewidth=3, zorder=1)
        for timing, colour, side in ((eager, "#64748b", "left"), (best, "#0f766e", "right")):
            axes.scatter(timing.ms, place, s=60, color=colour, zorder=2)
            at = timing.ms * (1.12 if side == "left" else 1 / 1.12)
            axes.text(at, place, f"{timing.ms:.0f}", va="center", ha=side, size=9, color=colour)
    axes.set_yticks(range(len(titles)), list(reversed(titles)))
    axes.set_xscale("log")
    axes.set_xlim(0.5 * min(t.ms for t in timings), 2 * max(t.ms for t in timings))
    axes.set_xlabel("milliseconds a slice: fastest engine but int8 (green), eager torch (grey)", size=9)
    axes.grid(axis="x", color="#e5e7eb")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, metadata={"Software": "msdnet"})
