"""The numbers that decide what a comparison says, for its record."""

from __future__ import annotations

from msdnet.quantification.follow_up.aligned import SMALLEST_DICE, SMALLEST_LIKENESS
from msdnet.quantification.follow_up.changes import LARGEST_BREATH, LEVEL, SMALLEST_SD, SPREAD_OF_NEW
from msdnet.quantification.follow_up.lesion_map import TOLERANCE_MM
from msdnet.quantification.follow_up.registration import MARGIN_MM, MESH_MM, SAMPLES


def settings_of_comparisons() -> dict[str, float]:
    """Name and value, the unit in the name; the same for every comparison of this version."""
    return {
        "smallest_lung_dice": SMALLEST_DICE,
        "smallest_likeness": SMALLEST_LIKENESS,
        "band_level": LEVEL,
        "smallest_sd_log_area": SMALLEST_SD,
        "spread_of_new_log_area": SPREAD_OF_NEW,
        "largest_change_of_lung_volume": LARGEST_BREATH,
        "tolerance_of_maps_mm": TOLERANCE_MM,
        "registration_margin_mm": MARGIN_MM,
        "registration_mesh_mm": MESH_MM,
        "registration_share_of_voxels": SAMPLES,
    }
