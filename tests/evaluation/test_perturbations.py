from __future__ import annotations

import math

import pytest
import torch

from msdnet.errors import OptionError
from msdnet.evaluation.perturbations import (
    FULL_DOSE_SD_HU,
    PERTURBATIONS,
    check_level,
    correlate,
    draw_noise,
    perturb,
)

GREY = torch.full((200, 200), 0.5)
NOISE = draw_noise("slice", (200, 200), 0)


def test_noise_follows_from_seed_and_name_alone() -> None:
    assert torch.equal(NOISE, draw_noise("slice", (200, 200), 0))
    for other in (draw_noise("slice", (200, 200), 1), draw_noise("other", (200, 200), 0)):
        assert abs(torch.corrcoef(torch.stack([NOISE.flatten(), other.flatten()]))[0, 1]) < 0.02


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    draw_noise("slice", (8, 8), 3)
    assert torch.equal(before, torch.get_rng_state())


def test_noise_has_the_variance_that_its_level_says_where_nothing_is_clipped() -> None:
    added = perturb(GREY, "noise", 0.01, NOISE) - GREY
    assert added.mean().item() == pytest.approx(0, abs=0.002)
    assert added.var().item() == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize("level", [0.05, 0.10])
def test_clipped_noise_stays_in_range_and_has_the_variance_of_a_clipped_normal(level: float) -> None:
    seen = perturb(GREY, "noise", level, NOISE)
    assert seen.min() >= 0
    assert seen.max() <= 1
    a = 0.5 / math.sqrt(level)
    inside, density = math.erf(a / math.sqrt(2)), math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)
    assert seen.var().item() == pytest.approx(level * (inside - 2 * a * density) + 0.25 * (1 - inside), rel=0.03)


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_the_neutral_level_changes_nothing_and_every_other_usual_level_does(kind: str) -> None:
    grey = draw_noise("picture", (40, 50), 5).sigmoid()
    perturbation, noise = PERTURBATIONS[kind], draw_noise("slice", (40, 50), 0)
    assert torch.equal(perturb(grey, kind, perturbation.neutral, noise), grey)
    for level in set(perturbation.levels) - {perturbation.neutral}:
        seen = perturb(grey, kind, level, noise)
        assert seen.shape == grey.shape
        assert seen.min() >= 0
        assert seen.max() <= 1
        assert not torch.equal(seen, grey)


def test_dose_noise_is_correlated_of_no_mean_and_grows_as_quantum_noise_does() -> None:
    grain = correlate(NOISE)
    assert grain.mean().item() == pytest.approx(0, abs=1e-5)
    assert grain.std().item() == pytest.approx(1, rel=0.03)
    neighbours = torch.corrcoef(torch.stack([grain[:, 1:].flatten(), grain[:, :-1].flatten()]))[0, 1]
    white = torch.corrcoef(torch.stack([NOISE[:, 1:].flatten(), NOISE[:, :-1].flatten()]))[0, 1]
    assert abs(white) < 0.02
    assert neighbours > 0.2
    power = torch.fft.fft2(grain).abs().square()
    f = torch.hypot(torch.fft.fftfreq(200)[:, None], torch.fft.fftfreq(200)[None, :])
    slow, middle = (power[(f > at - 0.01) & (f < at + 0.01)].mean() for at in (0.05, 0.1))
    assert (middle / slow).item() == pytest.approx(1.9, rel=0.15)  # twice the frequency, less a little roll-off
    assert power[f > 0.5].max() < 1e-3 * power.mean()
    full = FULL_DOSE_SD_HU / 1350
    for dose in (0.5, 0.1):
        added = perturb(GREY, "dose", dose, NOISE) - GREY
        assert added.std().item() == pytest.approx(full * math.sqrt(1 / dose - 1), rel=0.03)


def test_blur_spreads_a_point_by_its_standard_deviation_and_keeps_the_sum() -> None:
    point = torch.zeros(41, 41)
    point[20, 20] = 1.0
    seen = perturb(point, "blur", 2.0, torch.zeros(41, 41))
    offsets = torch.arange(41.0) - 20
    assert seen.sum().item() == pytest.approx(1, abs=1e-5)
    for axis in (0, 1):
        assert math.sqrt((seen.sum(1 - axis) * offsets**2).sum()) == pytest.approx(2.0, rel=0.01)
    assert torch.allclose(perturb(GREY, "blur", 2.0, NOISE), GREY)  # also at the border


def test_contrast_turns_about_mid_grey() -> None:
    grey = torch.tensor([[0.1, 0.5, 0.6]])
    assert torch.allclose(perturb(grey, "contrast", 2.0, grey), torch.tensor([[0.0, 0.5, 0.7]]))
    assert torch.allclose(perturb(grey, "contrast", 0.5, grey), torch.tensor([[0.3, 0.5, 0.55]]))


@pytest.mark.parametrize(
    ("kind", "level"),
    [("fog", 1.0), ("noise", -0.1), ("noise", float("nan")), ("dose", 0.0), ("dose", 1.5), ("contrast", 0.0)],
)
def test_unknown_kinds_and_impossible_levels_are_refused(kind: str, level: float) -> None:
    with pytest.raises(OptionError):
        check_level(kind, level)
    with pytest.raises(OptionError):
        perturb(GREY, kind, level, NOISE)
