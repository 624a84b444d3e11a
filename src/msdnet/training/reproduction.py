"""The whole paper in one go: comparison, ablation, robustness, pictures, and one page that sets them beside the paper.

    OUT/index.html      the page
    OUT/data/           the phantom's manifest, where no data set is given
    OUT/networks/       cross-validation of the paper's five networks
    OUT/ablation/       its four ablation rows
    OUT/figures/        robustness, feature maps, side by side

It goes on where it stopped.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import torch

from msdnet import __version__
from msdnet.config import Experiment
from msdnet.data.class_table import class_table
from msdnet.data.layouts import Options
from msdnet.data.manifest import Manifest, read_manifest
from msdnet.data.preparation import prepare
from msdnet.errors import OptionError
from msdnet.prediction.device import choose_device
from msdnet.training.ablation import ablation_rows
from msdnet.training.beside_the_paper import figures_beside, reasons, slices_beside
from msdnet.training.cross_validation import cross_validate
from msdnet.training.illustrations import draw_features, draw_networks, run_robustness
from msdnet.training.paper import paper_experiments
from msdnet.training.progress import Progress, part_of

SCALES = ("quick", "full")
NUM_PATIENTS = 20
_COMPARISON_SHARE, _ABLATION_SHARE, _ROBUSTNESS_SHARE = 0.5, 0.4, 0.08


@dataclass(frozen=True)
class Section:
    """A part of the page: tables as Markdown, pictures, and what to know."""

    title: str
    text: str = ""
    table: str = ""
    pictures: tuple[Path, ...] = ()


def reproduce(
    out: Path,
    *,
    scale: str,
    data: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """The page; what else is written: see the module's text.

    Args:
        out: Receives everything.
        scale: "quick": small networks on small slices, which shows that the machinery works and nothing else. "full":
            the paper's recipe.
        data: A manifest; None for synthetic patients, with the scale "quick" alone.
        device: "auto", "cpu" or "cuda".
        progress: Called with what is being done and the share of the whole that is done, 0 to 1.

    Raises:
        OptionError: for an unknown scale, or the full one without data.
        DatasetError: if the data cannot be used.
    """
    if scale not in SCALES or (scale == "full" and data is None):
        raise OptionError(
            "the paper cannot be reproduced so",
            got=f"scale {scale!r} {'without' if data is None else 'with'} data",
            expected="quick, or full with a data set of patients",
            do="pass --data with what `msdnet prepare` wrote",
        )
    tell = part_of(progress, 0.0, 1.0)
    if data is None:
        data = out / "data"
        if not (data / "manifest.csv").is_file():
            tell("synthetic patients", 0.0)
            prepare(None, data, "msdnet-paper", layout="phantom", options=Options(num_patients=NUM_PATIENTS))
    manifest = read_manifest(data)
    experiments = paper_experiments(manifest.schema, full=scale == "full")
    cross_validate(
        experiments,
        data,
        out / "networks",
        reference="msdnet",
        device=device,
        progress=part_of(progress, 0.0, _COMPARISON_SHARE),
    )
    rows = ablation_rows(experiments[0])
    cross_validate(
        rows,
        data,
        out / "ablation",
        reference=rows[-1].name,
        device=device,
        progress=part_of(progress, _COMPARISON_SHARE, _ABLATION_SHARE),
    )
    figures = out / "figures"
    levels = {"noise": (0.0, 0.05, 0.10, 0.20)} if scale == "quick" else None
    run_robustness(
        out / "networks",
        data,
        figures,
        levels=levels,
        device=device,
        progress=part_of(progress, _COMPARISON_SHARE + _ABLATION_SHARE, _ROBUSTNESS_SHARE),
    )
    tell("pictures", 0.98)
    draw_networks(out / "networks", data, figures, device=device)
    draw_features(out / "networks", data, figures, num_slices=1, device=device)
    page = out / "index.html"
    page.write_text(_page(out, manifest, experiments, scale, choose_device(device)), encoding="utf-8")
    return page


def _page(out: Path, manifest: Manifest, experiments: Sequence[Experiment], scale: str, device: torch.device) -> str:
    figures, networks = out / "figures", out / "networks"
    slices, compared, ablated = class_table(manifest), _read(networks / "comparison.md"), ""
    sections = []
    if not manifest.is_synthetic and scale == "full":
        sections = [Section("Why the figures differ", table=reasons(manifest, experiments, device))]
        slices = f"{slices_beside(manifest)}\n\nOurs in full:\n\n{slices}"
        compared = f"{figures_beside(networks / 'comparison.csv')}\n\nOurs in full:\n\n{compared}"
        ablated = " The figures of the paper's own rows are not at hand."
    sections += [
        Section("Table 1: slices per class", table=slices),
        Section("Table 4: MSD-Net and its rivals", table=compared),
        Section("The differences, tested", table=_read(networks / "significance.md")),
        Section(
            "Ablation",
            f"Cumulative rows, tested against the whole network.{ablated}",
            _read(out / "ablation" / "comparison.md"),
        ),
        Section("Figure 4: side by side", pictures=(figures / "networks.png",)),
        Section("Figure 5: what the decoder responds to", pictures=(figures / "features-1.png",)),
        Section("Figure 6: noise", pictures=(figures / "noise.png", figures / "robustness.png")),
        Section("Robustness in figures", table=_read(figures / "robustness-table.md")),
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("msdnet.training", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("reproduction.html.j2").render(
        synthetic=manifest.is_synthetic,
        scale=scale,
        sections=[
            {
                "title": f"{s.title} (synthetic)" if manifest.is_synthetic else s.title,
                "text": s.text,
                "blocks": split_markdown(s.table),
                "pictures": [base64.b64encode(p.read_bytes()).decode() for p in s.pictures],
            }
            for s in sections
        ],
        data_sha256=manifest.sha256,
        version=__version__,
    )


def split_markdown(text: str) -> list[list[list[str]] | str]:
    """The parts of a Markdown text with tables: a table as rows of cells, head first, and a paragraph as text."""
    parts: list[list[list[str]] | str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        if len(lines) > 1 and lines[0].startswith("|"):
            cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
            parts.append([cells[0], *cells[2:]])
        elif block:
            parts.append(" ".join(lines).replace("**", ""))
    return parts


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
