"""One slice under rising levels of a perturbation: input, truth and result in a row each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError
from msdnet.evaluation.overlap import count_overlap
from msdnet.evaluation.perturbations import get_perturbation
from msdnet.evaluation.pictures.drawing import Sheet, draw_grey, draw_labels, join_title
from msdnet.evaluation.pictures.side_by_side import DSC_FOOT, dsc_caption
from msdnet.evaluation.robustness import Predictor, perturb_slice
from msdnet.labels import LabelSchema


def draw_noise_picture(
    one: TrainingSlice,
    predict: Predictor,
    schema: LabelSchema,
    folder: Path,
    name: str,
    *,
    kind: str = "noise",
    levels: Sequence[float] = (0.0, 0.05, 0.10),
    seed: int = 0,
    title: str = "",
) -> tuple[str, str]:
    """Writes NAME.png and NAME.svg into the folder and gives these names. Rows: levels; columns: input, truth, result.

    Source: figure 6, with its variances 0, 0.05 and 0.10 of Gaussian noise by default. The noise is that of
    `measure_robustness` with the same seed. The truth is drawn on the undamaged slice, the result
    on what the network saw.

    Args:
        one: A slice with labels.
        predict: The network.
        schema: Of the labels.
        folder: Where to write.
        name: Of the files, without ending.
        kind: One of `PERTURBATIONS`.
        levels: Of the kind.
        seed: Of the noise.
        title: For the head, such as "synthetic".

    Raises:
        DatasetError: if the slice has no labels.
        OptionError: if the kind is unknown or a level cannot be used.
    """
    if one.labels is None:
        raise DatasetError(
            "the slice has no truth to draw", got=one.name, expected="a slice with labels", do="choose another slice"
        )
    perturbation = get_perturbation(kind)
    height, width = one.image.shape
    sheet = Sheet(
        ("Input", "Truth", "Result"),
        [f"{perturbation.title}, {level:g}" for level in levels],
        [height / width] * len(levels),
        title=join_title(title, f"{perturbation.title} ({perturbation.unit})"),
        foot=DSC_FOOT,
        captions=True,
    )
    for row, level in enumerate(levels):
        seen = perturb_slice(one, kind, level, seed)
        predicted = predict(one, seen)
        overlaps = count_overlap(predicted, one.labels, schema, name=one.name, group=one.group)
        tiles = [sheet.tile(row, column) for column in range(3)]
        draw_grey(tiles[0], seen.numpy())
        draw_grey(tiles[1], one.image / 255)
        draw_labels(tiles[1], one.labels, schema)
        draw_grey(tiles[2], seen.numpy())
        draw_labels(tiles[2], predicted, schema)
        sheet.caption(row, 2, dsc_caption(overlaps, schema))
    sheet.legend(schema)
    return sheet.save(folder, name)
