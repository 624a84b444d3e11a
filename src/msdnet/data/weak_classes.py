"""A guess of any lesion -> a guess of its class, from how dense the place is."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from msdnet.data.covid_semiseg import REFERENCE_LUNG_GREY, REFERENCE_TISSUE_GREY

Array = np.ndarray[Any, Any]

SMOOTHING_PIXELS = 3.0
CERTAINLY_GROUND_GLASS, CERTAINLY_CONSOLIDATION = 0.45, 0.8  # of the way from aerated lung to soft tissue


def split_by_density(image: Array, weak: Array) -> Array:
    """The guess of any lesion, shared between ground-glass opacity and consolidation; (2, H, W) uint8.

    Vessels show through ground glass and are hidden by consolidation, which is as dense as soft tissue. Grey is
    averaged over the guessed lesion alone; between the two bounds the share of consolidation rises linearly.

    Shapes: image (H, W) uint8 grey with lung and tissue where the labelled slices have them, weak (H, W) uint8.
    Source: the definitions in Hansell et al., "Fleischner Society: Glossary of Terms for Thoracic Imaging", Radiology
    2008, doi:10.1148/radiol.2462070712. The bounds are ours (docs/decisions/006); they
    hold for grey that lies as that of the labelled slices, as the default window gives it.
    """
    lesion = weak.astype(np.float32) / 255
    weight = ndimage.gaussian_filter(lesion, SMOOTHING_PIXELS)
    grey = ndimage.gaussian_filter(lesion * image, SMOOTHING_PIXELS) / np.maximum(weight, 1e-3)
    density = (grey - REFERENCE_LUNG_GREY) / (REFERENCE_TISSUE_GREY - REFERENCE_LUNG_GREY)
    width = CERTAINLY_CONSOLIDATION - CERTAINLY_GROUND_GLASS
    share = np.clip((density - CERTAINLY_GROUND_GLASS) / width, 0, 1)
    consolidation: Array = np.rint(weak * share).astype(np.uint8)
    return np.stack([weak - consolidation, consolidation])
