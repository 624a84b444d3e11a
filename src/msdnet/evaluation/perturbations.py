"""Ways to spoil a slice before a network sees it: `draw_noise` draws all that is random, `perturb` draws nothing.

The noise of a slice follows from the seed and the slice's name alone, so that every network, kind and level meets the
same grain, and differences between networks are paired.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from msdnet.config import Preprocessing
from msdnet.errors import OptionError

FULL_DOSE_SD_HU = 20.0
"""Noise of the undamaged picture that "dose" starts from. Reading: an assumption, not measured on the pictures: the
usual order of size in chest CT of standard dose, 10 to 30 HU with slice thickness and kernel. The added noise is in
proportion to it."""

_WINDOW_HU = Preprocessing().window_hu


def add_noise(grey: Tensor, level: float, noise: Tensor) -> Tensor:
    """White Gaussian noise: x + sqrt(level) n, clipped; `level` is the variance on the scale 0..1.

    Source: section IV and figure 6, "gaussian noise with variances of 0.05 and 0.10".
    Reading: on the picture scaled to 0..1, before normalisation. Clipping makes the noise that the network meets
    smaller: at variance 0.10 on mid-grey its variance is about 0.081. In HU these levels are large: the standard
    deviation is .22 and .32 of the window, about 300 and 430 HU.
    """
    return (grey + math.sqrt(level) * noise).clamp(0, 1)


def blur(grey: Tensor, level: float, noise: Tensor) -> Tensor:
    """Gaussian blur: x * G, `level` is G's standard deviation in pixels of the slice; the border is repeated."""
    radius = math.ceil(4 * level)
    offsets = torch.arange(-radius, radius + 1, dtype=grey.dtype, device=grey.device)
    kernel = torch.exp(-0.5 * (offsets / level) ** 2)
    kernel = kernel / kernel.sum()
    rows = F.conv2d(F.pad(grey[None, None], (0, 0, radius, radius), mode="replicate"), kernel[None, None, :, None])
    return F.conv2d(F.pad(rows, (radius, radius, 0, 0), mode="replicate"), kernel[None, None, None, :])[0, 0]


def lower_dose(grey: Tensor, level: float, noise: Tensor) -> Tensor:
    """Noise of a lower dose: x + s sqrt(1 / level - 1) c, clipped; `level` is the share of the dose that is left.

    s is `FULL_DOSE_SD_HU` over the window's width; c is the noise with the grain of filtered back-projection
    (`correlate`), with a standard deviation of 1.

    Reading: quantum noise has a variance in proportion to 1 / dose; the picture already holds that of the full dose,
    and independent noise of s^2 (1 / level - 1) brings it to s^2 / level. Streaks, electronic noise and noise that
    grows towards the body's centre are not simulated.
    """
    full = FULL_DOSE_SD_HU / (_WINDOW_HU[1] - _WINDOW_HU[0])
    return (grey + full * math.sqrt(1 / level - 1) * correlate(noise)).clamp(0, 1)


def change_contrast(grey: Tensor, level: float, noise: Tensor) -> Tensor:
    """Contrast about mid-grey: 0.5 + level (x - 0.5), clipped; below 1 flatter (a wider window), above 1 harder."""
    return (0.5 + level * (grey - 0.5)).clamp(0, 1)


@dataclass(frozen=True)
class Perturbation:
    """One way to spoil a slice.

    Attributes:
        title: For tables and figures.
        unit: What a level is.
        neutral: The level that changes nothing.
        levels: The usual levels, the neutral one among them, in the order in which figures show them.
        lowest, highest: The levels that can be used.
        apply: Grey (H, W) in 0..1, level, standard normal noise (H, W) -> grey (H, W) in 0..1.
    """

    title: str
    unit: str
    neutral: float
    levels: tuple[float, ...]
    lowest: float
    highest: float
    apply: Callable[[Tensor, float, Tensor], Tensor]


PERTURBATIONS: dict[str, Perturbation] = {
    "noise": Perturbation(
        "Gaussian noise", "variance, grey 0 to 1", 0.0, (0.0, 0.01, 0.02, 0.05, 0.10, 0.20), 0.0, 1.0, add_noise
    ),
    "blur": Perturbation("Gaussian blur", "SD in pixels", 0.0, (0.0, 0.5, 1.0, 2.0, 3.0), 0.0, 20.0, blur),
    "dose": Perturbation("Lower dose", "share of the dose", 1.0, (1.0, 0.5, 0.25, 0.1, 0.05), 0.001, 1.0, lower_dose),
    "contrast": Perturbation(
        "Contrast", "factor about mid-grey", 1.0, (0.5, 0.75, 1.0, 1.25, 1.5), 0.1, 10.0, change_contrast
    ),
}


def draw_noise(name: str, shape: tuple[int, int], seed: int) -> Tensor:
    """Standard normal noise (H, W) float32 of the slice of that name, on the CPU; the same on every call."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randn(shape, generator=generator)


def perturb(grey: Tensor, kind: str, level: float, noise: Tensor) -> Tensor:
    """The spoilt slice; at the neutral level the slice itself, unchanged.

    Shapes: grey (H, W) in 0..1, noise (H, W) standard normal -> (H, W) in 0..1.

    Raises:
        OptionError: if the kind is unknown or the level cannot be used.
    """
    perturbation = get_perturbation(kind)
    check_level(kind, level)
    if level == perturbation.neutral:
        return grey
    return perturbation.apply(grey, level, noise.to(grey))


def get_perturbation(kind: str) -> Perturbation:
    """The perturbation of that name.

    Raises:
        OptionError: if there is none; the message lists the valid names.
    """
    if kind not in PERTURBATIONS:
        raise OptionError(
            f"unknown perturbation {kind!r}",
            got=kind,
            expected="one of " + ", ".join(PERTURBATIONS),
            do="choose one of these names",
        )
    return PERTURBATIONS[kind]


def check_level(kind: str, level: float) -> None:
    """Refuses a level that the kind cannot have.

    Raises:
        OptionError: if the kind is unknown, or the level lies outside its range.
    """
    perturbation = get_perturbation(kind)
    if not perturbation.lowest <= level <= perturbation.highest:  # also not for NaN
        raise OptionError(
            f"{kind} cannot have this level",
            got=str(level),
            expected=f"{perturbation.unit}: {perturbation.lowest:g} to {perturbation.highest:g}",
            do="for instance " + ", ".join(f"{v:g}" for v in perturbation.levels),
        )


def correlate(noise: Tensor) -> Tensor:
    """White noise given the grain of filtered back-projection; mean 0, standard deviation 1 in expectation.

    The power spectrum is f cos^2(pi f) up to f = 0.5 cycles per pixel and 0 beyond: it rises in proportion to the
    spatial frequency, and a Hann-like roll-off ends it. Neighbouring pixels are correlated, and slow changes are rare.

    Shapes: (H, W) -> (H, W).
    Source: Riederer, Pelc and Chesler, "The noise power spectrum in computed X-ray tomography", Phys. Med. Biol. 23,
    1978: ramp-filtered back-projection of white noise has a spectrum in proportion to f.
    Reading: the roll-off stands for an undistinguished kernel; a kernel for lungs would keep more of the high end.
    """
    height, width = noise.shape
    rows = torch.fft.fftfreq(height, dtype=noise.dtype, device=noise.device)
    columns = torch.fft.fftfreq(width, dtype=noise.dtype, device=noise.device)
    f = torch.hypot(rows[:, None], columns[None, :])  # (H, W) in cycles per pixel
    amplitude = f.sqrt() * torch.cos(torch.pi * f.clamp(max=0.5))
    amplitude = amplitude / amplitude.square().mean().sqrt()
    correlated: Tensor = torch.fft.ifft2(torch.fft.fft2(noise) * amplitude).real
    return correlated
