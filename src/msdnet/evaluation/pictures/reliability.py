"""Predicted against true DSC: whether what is told of a result holds on slices that nobody had fitted it to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msdnet.evaluation.pictures.drawing import FAINT, PAGE_WIDTH, SMALL_SIZE, TEXT_SIZE, join_title, save_figure
from msdnet.evaluation.tables import titles
from msdnet.evaluation.trust import Judgement
from msdnet.labels import LabelSchema

_TOLD, _FLAGGED = "#0072b2", "#d55e00"


def draw_reliability(
    judgements: Sequence[Judgement], schema: LabelSchema, folder: Path, name: str, *, title: str = ""
) -> tuple[str, str]:
    """Writes NAME.png and NAME.svg into the folder and gives these names. A panel for each class, a point a slice.

    Bars: the 90 % interval of the predicted DSC. On the diagonal the prediction is right.

    Args:
        judgements: At least one, by nested cross-validation.
        schema: Whose classes are shown.
        folder: Where to write.
        name: Of the files, without ending.
        title: For the head, such as "synthetic".
    """
    panel = PAGE_WIDTH / max(3, len(judgements))
    figure = Figure(figsize=(panel * len(judgements), panel + 0.8), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(judgements), squeeze=False, sharey=True)[0]
    for axes, judgement in zip(panels, judgements, strict=True):
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=1)
        for review, colour, marker, words in (
            (False, _TOLD, "o", "slice"),
            (True, _FLAGGED, "D", "flagged for review"),
        ):
            _points(axes, judgement, review, colour, marker, words)
        axes.set_title(titles(schema)[judgement.class_name], size=TEXT_SIZE)
        axes.set_xlabel("predicted DSC", size=SMALL_SIZE)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
        axes.tick_params(labelsize=SMALL_SIZE)
    panels[0].set_ylabel("true DSC", size=SMALL_SIZE)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=TEXT_SIZE, frameon=False)
    head = "DSC told from mirrored and zoomed looks, slices not fitted on; bars: 90 % interval"
    figure.suptitle(join_title(title, head), size=TEXT_SIZE + 1)
    return save_figure(figure, folder, name)


def _points(axes: Axes, judgement: Judgement, review: bool, colour: str, marker: str, words: str) -> None:
    chosen = [(row, trust) for row, trust in judgement.told if trust.review == review]
    x, y = [t.predicted_dsc for _, t in chosen], [r.dsc for r, _ in chosen]
    low, high = [t.dsc_interval[0] for _, t in chosen], [t.dsc_interval[1] for _, t in chosen]
    axes.hlines(y, low, high, color=colour, alpha=0.35, linewidth=0.5, zorder=2)  # it need not hold the prediction
    axes.plot(x, y, marker, color=colour, markersize=3.5, label=words, zorder=3)
