from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError, OptionError, SchemaError
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.pictures.drawing import Sheet, draw_grey, draw_labels
from msdnet.evaluation.pictures.side_by_side import MAX_ROWS, choose_slices, draw_side_by_side
from msdnet.labels import get_schema

SCHEMA = get_schema("ggo-consolidation")


def row(name: str, class_name: str, right: int, *, missed: int = 0) -> SliceOverlap:
    return SliceOverlap(name, f"group of {name}", 0, class_name, right, 0, missed, 100)


# DSC for ggo: a .18, b .67, c .89, d 1; consolidation: b 1, e .33; f has neither
ROWS = [
    row("a", "ggo", 1, missed=9),
    row("b", "ggo", 5, missed=5),
    row("c", "ggo", 8, missed=2),
    row("d", "ggo", 9),
    row("e", "ggo", 0),
    row("f", "ggo", 0),
    row("b", "consolidation", 4),
    row("e", "consolidation", 1, missed=4),
    *[row(name, "any_lesion", 5, missed=1) for name in "abcdef"],
]


def test_the_median_slice_of_each_class_is_chosen_in_turn() -> None:
    assert choose_slices(ROWS, 1) == ["b"]  # the median of ggo lies between b and c, as near to both
    assert choose_slices(ROWS, 2) == ["b", "e"]  # b is taken
    assert choose_slices(ROWS, 3) == ["b", "e", "c"]
    assert choose_slices(ROWS, 9) == ["b", "e", "c", "d", "a"]  # f has no lesion
    by_class = [r for name in ("ggo", "consolidation", "any_lesion") for r in ROWS[::-1] if r.class_name == name]
    assert choose_slices(by_class, 3) == choose_slices(ROWS, 3)


def test_no_two_slices_of_one_group_are_chosen() -> None:
    together = [dataclasses.replace(r, group="one") if r.name in "bc" else r for r in ROWS]
    assert choose_slices(together, 3) == ["b", "e", "d"]  # c is of the group of b
    assert choose_slices(together, 9) == ["b", "e", "d", "a"]
    assert choose_slices([dataclasses.replace(r, group="one") for r in ROWS], 4) == ["b"]


def test_no_slice_is_refused_and_none_with_lesion_gives_none() -> None:
    with pytest.raises(OptionError):
        choose_slices(ROWS, 0)
    assert choose_slices([row("f", "ggo", 0)], 3) == []


def make_slices() -> tuple[list[TrainingSlice], dict[str, dict[str, np.ndarray]]]:
    truth = [np.zeros((40, 60), np.uint8), np.zeros((80, 40), np.uint8)]
    truth[0][5:15, 5:20] = 1
    truth[1][60:70, 10:30] = 2
    slices = [TrainingSlice(f"patient {i}", "p", np.full(t.shape, 90, np.uint8), t) for i, t in enumerate(truth)]
    nothing = {s.name: np.zeros_like(t) for s, t in zip(slices, truth, strict=True)}
    return slices, {"MSD-Net": {s.name: t for s, t in zip(slices, truth, strict=True)}, "U-Net": nothing}


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(picture.astype(int) - colour) <= 2).all(axis=-1)


def test_slices_of_different_sizes_stand_beside_truth_and_results(tmp_path: Path) -> None:
    slices, predictions = make_slices()
    names = draw_side_by_side(slices, predictions, SCHEMA, tmp_path, "side", title="synthetic")
    assert names == ("side.png", "side.svg")
    with Image.open(tmp_path / "side.png") as image:
        picture = np.asarray(image.convert("RGB"))
    assert (picture[:3] == 255).all()
    height, width, _ = picture.shape
    tiles = np.flatnonzero(near(picture[height // 2], (90, 90, 90)))  # the tall slice, without lesion at this height
    assert tiles.size > width * 0.8
    legend = int(height * 0.9)
    green, red = (near(picture[:legend], SCHEMA.classes[i].colour) for i in (0, 1))
    for colour, first_row in ((green, True), (red, False)):
        columns = np.flatnonzero(colour.any(axis=0)) / width
        assert ((columns > 0.25) & (columns < 0.75)).all()  # truth and MSD-Net only
        assert ((columns < 0.5).any(), (columns > 0.5).any()) == (True, True)
        at = np.flatnonzero(colour.any(axis=1)) / height
        assert (at < 0.35).all() if first_row else (at > 0.5).all()
    svg = (tmp_path / "side.svg").read_text()
    for words in ("synthetic", "CT", "Truth", "MSD-Net", "U-Net", "1.00 / –", "0.00 / –", "– / 1.00", "Consolidation"):
        assert f"<!-- {words}" in svg
    assert "patient" not in svg


def test_names_are_written_and_figures_left_out_where_asked(tmp_path: Path) -> None:
    slices, predictions = make_slices()
    draw_side_by_side(slices, predictions, SCHEMA, tmp_path, "side", with_dsc=False, with_names=True)
    svg = (tmp_path / "side.svg").read_text()
    assert "<!-- patient 1 -->" in svg
    assert "1.00" not in svg


def test_too_many_slices_missing_results_and_misfits_are_refused(tmp_path: Path) -> None:
    slices, predictions = make_slices()
    for wrong in ([], slices[:1] * (MAX_ROWS + 1)):
        with pytest.raises(OptionError, match="--num-slices 8"):
            draw_side_by_side(wrong, predictions, SCHEMA, tmp_path, "x")
    with pytest.raises(DatasetError, match="no result of V-Net"):
        draw_side_by_side(slices, predictions | {"V-Net": {}}, SCHEMA, tmp_path, "x")
    swapped = {"patient 0": predictions["U-Net"]["patient 1"], "patient 1": predictions["U-Net"]["patient 0"]}
    with pytest.raises(SchemaError):
        draw_side_by_side(slices, {"V-Net": swapped}, SCHEMA, tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_tile_shows_the_slice_to_its_borders_with_the_lesion_in_its_place(tmp_path: Path) -> None:
    labels = np.zeros((50, 100), np.uint8)
    labels[10:20, 60:80] = 2
    sheet = Sheet(["one", "a long title that must be broken"], ["r"], [0.5], title="t", foot="words " * 60)
    axes = sheet.tile(0, 1)
    draw_grey(axes, np.full((50, 100), 0.5))
    draw_labels(axes, labels, SCHEMA)
    sheet.save(tmp_path, "sheet")
    with Image.open(tmp_path / "sheet.png") as image:
        picture = np.asarray(image.convert("RGB"))
    height, width, _ = picture.shape
    box = axes.get_position()
    x = lambda column: int(width * (box.x0 + box.width * column / 100))  # noqa: E731
    y = lambda line: int(height * (1 - box.y1 + box.height * line / 50))  # noqa: E731
    assert box.width * width == pytest.approx(2 * box.height * height, rel=0.01)
    for line, column in ((1, 1), (1, 98), (48, 1), (48, 98), (15, 50)):
        assert np.allclose(picture[y(line), x(column)], 128, atol=1)
    lesion = np.array(SCHEMA.classes[1].colour)
    assert np.allclose(picture[y(15), x(70)], 0.3 * lesion + 0.7 * 128, atol=2)
    found = np.argwhere(near(picture[: int(height * 0.7)], SCHEMA.classes[1].colour))
    assert np.allclose(found.min(axis=0), (y(10), x(60)), atol=12)
    assert np.allclose(found.max(axis=0), (y(20), x(80)), atol=12)


def test_a_long_name_stays_beside_its_row() -> None:
    names = ["Data-1_coronacases_org_001_1_and_more", "b"]
    sheet = Sheet(["CT", "Truth", *"ABCD"], names, [1.0, 1.0])
    heights = {}
    for text in sheet.figure.texts:
        heights[text.get_text()] = text.get_window_extent(FigureCanvasAgg(sheet.figure).get_renderer()).height
    tile = sheet.tile(0, 0).get_window_extent().height
    assert 0.5 * tile < heights[names[0]] < tile


def test_equal_pictures_give_equal_files(tmp_path: Path) -> None:
    slices, predictions = make_slices()
    for name in ("a", "b"):
        draw_side_by_side(slices, predictions, SCHEMA, tmp_path, name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
