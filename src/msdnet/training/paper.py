"""The paper's experiments and its figures. The files in experiments/paper say the same for people."""

from __future__ import annotations

import dataclasses
from typing import Any

from msdnet.config import Augmentation, Experiment, Preprocessing, Stage

NETWORKS: dict[str, dict[str, Any]] = {
    "msdnet": {"encoder": "resnet101", "pretrained": True, "pointwise": "per_branch"},
    "unet": {"width": 64},
    "unetplusplus": {"width": 64},
    "unet_cbam": {"width": 64},
    "attention_unet": {"width": 64},
}

FIGURES: dict[str, dict[str, tuple[float | None, float | None, float | None]]] = {
    "msdnet": {
        "ggo": (0.7422, 0.8593, 0.9742),
        "interstitial": (0.7384, 0.8268, 0.9869),
        "consolidation": (0.8769, 0.8645, 0.9889),
    },
    "unet": {
        "ggo": (0.6034, None, None),
        "interstitial": (0.6423, None, None),
        "consolidation": (0.7526, None, None),
    },
    "unetplusplus": {
        "ggo": (0.7160, None, None),
        "interstitial": (0.6971, None, None),
        "consolidation": (0.8041, None, None),
    },
    "unet_cbam": {
        "ggo": (0.7037, 0.8172, None),
        "interstitial": (0.6824, 0.7975, None),
        "consolidation": (0.8005, None, None),
    },
    "attention_unet": {
        "ggo": (0.7226, None, None),
        "interstitial": (0.7158, None, None),
        "consolidation": (0.8012, None, None),
    },
}
"""DSC, sensitivity, specificity. Source: abstract, section IV and table 4 of the paper (PMC8545278); None where the
stored text does not have the figure. On private data: not to be reached or missed on any other."""

NUM_SLICES = {"All": 4780, "Any lesion": 2506, "No lesion": 2274}
"""Source: section III of the paper; the stored text does not have its table 1, which says how many show each class."""

NUM_PATIENTS = 36

_RECIPE = Experiment(
    name="paper",
    training=Stage(
        epochs=50,
        num_labelled=8,
        optimizer="adam",
        schedule="step",
        decay_epochs=100,
        dice_weight=0,
        largest_gradient=None,
        ema_decay=0,
    ),
    preprocessing=Preprocessing(size=512),
    augmentation=Augmentation(
        scale=(1, 1),
        surroundings=False,
        stretch=0,
        shift=0,
        contrast=0,
        brightness=0,
        gamma=0,
        noise=0,
        blur=0,
        elastic=0,
    ),
)
_SMALL: dict[str, Any] = {"encoder": "test_resnet", "pretrained": False, "width": 8}  # timm's smallest ResNet


def paper_experiments(schema: str, *, full: bool) -> list[Experiment]:
    """MSD-Net and its rivals with one recipe.

    Args:
        schema: Of the data set.
        full: The paper's recipe; False for small networks on small slices, which shows only that the machinery works.
    """
    experiments = []
    for name, arguments in NETWORKS.items():
        experiment = dataclasses.replace(
            _RECIPE, name=name, schema=schema, network=name, network_arguments=dict(arguments)
        )
        experiments.append(experiment if full else _smaller(experiment))
    return experiments


def _smaller(experiment: Experiment) -> Experiment:
    arguments = {k: _SMALL.get(k, v) for k, v in experiment.network_arguments.items()}
    training = Stage(steps=150, num_labelled=4, learning_rate=3e-3, ema_decay=0.9)
    preprocessing = dataclasses.replace(experiment.preprocessing, size=96)
    return dataclasses.replace(
        experiment, network_arguments=arguments, training=training, preprocessing=preprocessing, num_folds=2
    )
