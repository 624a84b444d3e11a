"""Settings as frozen dataclasses, checked on construction. No torch here, so that reading them costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from msdnet.settings import Fault, Faults, SettingsError, from_mapping, read_yaml


@dataclass(frozen=True)
class Preprocessing:
    """How slices become the network's input; the same for training and prediction, and part of the weights' card.

    Attributes:
        window_hu: Lower and upper HU that become grey 0 and 255. Chosen so that lung and soft tissue of a scan in HU
            have the grey of the 8-bit training slices.
        size: Side of the square network input in pixels; slices are fitted into it with their aspect kept.
        mean: Subtracted from grey on the scale 0..1.
        std: Divides grey after that.
        margin_mm: How far the field of view reaches beyond the lungs' bounding box in a scan with a full field of view.
        cavity_margin_mm: How far beyond the lungs' hull a lesion may lie before it is discarded.
        lung_below_hu: Air below this is lung where it lies inside the body; above diseased lung, below fat.
        pure_air_hu: Air whose median is below this is trachea, stomach or bowel, not lung.
        beyond_mm: Slices this near the lungs are looked at too.
        steady_mm: The view of a slice holds the lungs of slices this near.
        smallest_view: Smallest view of a slice, as a share of the whole scan's, along each axis.
    """

    window_hu: tuple[float, float] = (-1100.0, 250.0)
    size: int = 288
    mean: float = 0.45
    std: float = 0.30
    margin_mm: float = 12.0
    cavity_margin_mm: float = 2.0
    lung_below_hu: float = -350.0
    pure_air_hu: float = -945.0
    beyond_mm: float = 5.0
    steady_mm: float = 10.0
    smallest_view: float = 0.5

    def __post_init__(self) -> None:
        faults = Faults()
        object.__setattr__(self, "window_hu", tuple(float(v) for v in self.window_hu))
        faults.require(self.window_hu[0] < self.window_hu[1], "window_hu", self.window_hu, "LOW < HIGH")
        faults.require(self.size >= 32 and self.size % 32 == 0, "size", self.size, "a multiple of 32, at least 32")
        faults.require(self.std > 0, "std", self.std, "a number above 0")
        for name in ("margin_mm", "cavity_margin_mm", "beyond_mm", "steady_mm"):
            faults.require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        faults.require(0 <= self.smallest_view <= 1, "smallest_view", self.smallest_view, "a share, 0 to 1")
        faults.tell()


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which a training step draws. Every range is symmetric in the sense its name says.

    Attributes:
        rotation_deg: Rotation by up to this angle to either side; 180 means any.
        flip: Whether to mirror, each axis with probability 1/2.
        scale: Smallest and largest zoom.
        surroundings: Whether what comes in from outside the slice, by rotation, shift or a zoom below 1, is a simulated
            chest wall, couch and air; if not it is black, as prediction pads a slice.
        stretch: Largest relative difference between the two axes' zoom.
        shift: Largest shift as a share of the side.
        contrast: Largest relative change of contrast, about mid-grey.
        brightness: Largest shift of grey on the scale 0..1.
        gamma: Largest change of the exponent, on a logarithmic scale.
        noise: Largest standard deviation of Gaussian noise on the scale 0..1.
        heavy_noise: Probability of noise far beyond that, as the paper's test of robustness adds it.
        heaviest_noise: Largest standard deviation of such noise.
        blur: Probability of a slight blur.
        elastic: Largest displacement by a smooth random field, as a share of the side.
        coarse: Probability of the look of a coarse scan: grey averaged over blocks and interpolated back.
        coarsest: Largest side of such a block in pixels.
        cutmix: Probability that a rectangle of a slice with a weak target is that of another one, target and all.
            Source: Yun et al., "CutMix", ICCV 2019, doi:10.1109/ICCV.2019.00612.
    """

    rotation_deg: float = 180.0
    flip: bool = True
    scale: tuple[float, float] = (0.65, 1.3)
    surroundings: bool = True
    stretch: float = 0.15
    shift: float = 0.08
    contrast: float = 0.2
    brightness: float = 0.1
    gamma: float = 0.3
    noise: float = 0.04
    heavy_noise: float = 0.0
    heaviest_noise: float = 0.35
    blur: float = 0.2
    elastic: float = 0.02
    coarse: float = 0.0
    coarsest: float = 4.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        faults = Faults()
        object.__setattr__(self, "scale", tuple(float(v) for v in self.scale))
        faults.require(0 < self.scale[0] <= self.scale[1], "scale", self.scale, "0 < SMALLEST <= LARGEST")
        for name in (
            "rotation_deg",
            "stretch",
            "shift",
            "contrast",
            "brightness",
            "gamma",
            "noise",
            "heaviest_noise",
            "elastic",
        ):
            faults.require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("heavy_noise", "blur", "coarse", "cutmix"):
            faults.require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a probability")
        faults.require(self.coarsest >= 1, "coarsest", self.coarsest, "at least 1")
        faults.tell()


WEAK_CLASSES = ("any", "density")


@dataclass(frozen=True)
class Stage:
    """One training stage.

    Attributes:
        steps: Optimiser steps; or give epochs.
        epochs: Passes over the labelled slices (over the weak ones in a stage without labels) instead of steps.
        num_labelled: Slices with true labels in each batch, over all processes.
        num_weak: Slices with a weak target, a guess, in each batch.
        optimizer: "adamw", or "adam" as in the paper (both with betas 0.9 and 0.999).
        learning_rate: Largest learning rate.
        schedule: "cosine": linear warm-up over the first 5 % of the steps, then cosine to 1 %; "step": x 0.1 every
            `decay_epochs` epochs, as in the paper; "constant".
        decay_epochs: Epochs between two steps of the schedule "step".
        weight_decay: AdamW's decoupled weight decay; Adam has none.
        dice_weight: Weight of the soft Dice loss beside the focal loss.
        dice_per_slice: Whether that is the mean over the slices that contain a class, as the reported DSC counts, and
            not over the pixels of the whole batch.
        weak_weight: Weight of the weak target's loss.
        weak_classes: As that of the experiment, for this stage alone; None for that.
        heavy_noise: As that of the augmentation, for this stage alone; None for that.
        deep_supervision: Weight of the same losses on the coarser outputs of the decoder, each through a head of its
            own that training alone has; 0 leaves them out.
        largest_gradient: Norm to which a larger gradient is cut; None cuts none.
        ema_decay: Decay per step of the moving average of the weights, which is what the stage yields; 0 for the last
            step's weights.
        start_share: How much of the weights that the stage started from is in what it yields: start_share x those +
            (1 - start_share) x the trained ones. This keeps what few slices would unlearn of a pretraining or a start;
            batch norm's statistics are mixed too, and the logged validation loss is that of the trained weights alone.
            Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
        size: Side of the training slices; None for that of the preprocessing.
        patience: Stop after so many epochs without a smaller validation loss, and keep the best weights; None never
            stops early. Only where there are validation slices: the training on all slices runs to its end. These
            slices are measured afterwards: figures with patience are optimistic, and tables say so.
    """

    steps: int | None = None
    epochs: int | None = None
    num_labelled: int = 8
    num_weak: int = 0
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    decay_epochs: int = 100
    weight_decay: float = 1e-2
    dice_weight: float = 1.0
    dice_per_slice: bool = False
    weak_weight: float = 1.0
    weak_classes: str | None = None
    heavy_noise: float | None = None
    deep_supervision: float = 0.0
    largest_gradient: float | None = 5.0
    ema_decay: float = 0.995
    start_share: float = 0.0
    size: int | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        given = [v for v in (self.steps, self.epochs) if v is not None]
        faults.require(
            len(given) == 1 and given[0] >= 1, "steps, epochs", (self.steps, self.epochs), "one of them, 1 or more"
        )
        batch = self.num_labelled + self.num_weak
        faults.require(batch >= 2, "num_labelled + num_weak", batch, "a batch of at least 2 slices")
        if self.size is not None:
            faults.require(self.size >= 32 and self.size % 32 == 0, "size", self.size, "a multiple of 32, at least 32")
        for name, choices in (("optimizer", ("adamw", "adam")), ("schedule", ("cosine", "step", "constant"))):
            faults.require(getattr(self, name) in choices, name, getattr(self, name), " or ".join(choices))
        faults.require(self.weak_classes in (None, *WEAK_CLASSES), "weak_classes", self.weak_classes, "any or density")
        noise = self.heavy_noise
        faults.require(noise is None or 0 <= noise <= 1, "heavy_noise", noise, "a probability")
        for name in ("learning_rate", "largest_gradient", "decay_epochs", "patience"):
            value = getattr(self, name)
            faults.require(value is None or value > 0, name, value, "a number above 0")
        for name in ("dice_weight", "weak_weight", "deep_supervision", "weight_decay"):
            faults.require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        faults.require(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, "0 <= DECAY < 1")
        faults.require(0 <= self.start_share < 1, "start_share", self.start_share, "0 <= SHARE < 1")
        faults.tell()

    def steps_per_epoch(self, num_labelled: int, num_weak: int) -> int:
        """Optimiser steps in one pass over the labelled slices, or over the weak ones where the stage has no others."""
        if self.num_labelled:
            return max(1, -(-num_labelled // self.num_labelled))
        return max(1, -(-num_weak // self.num_weak))

    def num_steps(self, num_labelled: int, num_weak: int) -> int:
        """All optimiser steps, given the data set's number of slices."""
        if self.steps is not None:
            return self.steps
        return (self.epochs or 0) * self.steps_per_epoch(num_labelled, num_weak)


@dataclass(frozen=True)
class CardTexts:
    """What the card of the resulting weights says in words.

    Attributes:
        trained_on: Data, their origin and what is known of them; the numbers of slices are put before it.
        limits: What the weights cannot do.
        terms: Under which they may be used: what the training data demand.
        intended_use: What they are for.
    """

    trained_on: str = ""
    limits: str = ""
    terms: str = ""
    intended_use: str = "Research on COVID-19 pneumonia in chest CT. Not a medical device."


@dataclass(frozen=True)
class Experiment:
    """A whole training: one file of this shape makes one set of weights and its cross-validation table.

    Attributes:
        name: Name of the resulting weights, and of a folder in the output of several experiments.
        schema: Label schema, by name.
        network: Network, by name.
        network_arguments: Arguments of the network's constructor other than num_classes and in_channels.
        start: Weights that the network starts from, a name of embedded ones or a folder that `msdnet train` wrote; None
            for random ones. Network, its arguments, schema and grey must be those of their card.
        preprocessing: How slices become tensors.
        augmentation: What is varied in training.
        pretraining: The stage without true labels, or None.
        training: The stage with true labels.
        self_training: A further stage whose weak targets are guessed by the network that the training yields, averaged
            with the data set's own guess of any lesion where it has one; or None.
            Source: Xie et al., "Self-training with Noisy Student", CVPR 2020, doi:10.1109/CVPR42600.2020.01070.
        focal_gamma: Focusing parameter of the focal loss.
        precision: "bf16-mixed" (where the processor has bfloat16, else "32-true"), "16-mixed" (GPU only) or "32-true",
            as Lightning names them.
        weak_classes: What a weak target says: "any" lesion, or its class too, told by "density" (ground-glass opacity
            or consolidation: the schema must be "ggo-consolidation").
        class_weights: "proportion" for the paper's 1 - share of pixels, "inverse" for inverse frequency, or "none".
        num_folds: Folds of the cross-validation.
        fold_seed: Draws the folds.
        seed: Seeds everything else that is drawn.
        card: What the resulting weights' card says of them.
    """

    name: str
    training: Stage
    pretraining: Stage | None = None
    self_training: Stage | None = None
    schema: str = "ggo-consolidation"
    network: str = "msdnet"
    network_arguments: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)
    focal_gamma: float = 2.0
    weak_classes: str = "any"
    class_weights: str = "proportion"
    precision: str = "bf16-mixed"
    num_folds: int = 5
    fold_seed: int = 0
    seed: int = 0
    card: CardTexts = field(default_factory=CardTexts)

    def __post_init__(self) -> None:
        faults = Faults()
        faults.require(
            self.class_weights in ("proportion", "inverse", "none"),
            "class_weights",
            self.class_weights,
            "proportion, inverse or none",
        )
        faults.require(self.weak_classes in WEAK_CLASSES, "weak_classes", self.weak_classes, "any or density")
        first = self.training if self.pretraining is None else self.pretraining
        without_start = [first] if self.start is None else []
        faults.require(
            all(stage.start_share == 0 for stage in without_start),
            "start_share",
            first.start_share,
            "0 where a stage starts from random weights: only what follows a pretraining, or has a start, keeps some",
        )
        faults.require(
            self.self_training is None or self.self_training.num_weak > 0,
            "self_training.num_weak",
            0,
            "1 or more: slices whose target the network has guessed",
        )
        stages = [stage for stage in (self.pretraining, self.training, self.self_training) if stage is not None]
        if "density" in (self.weak_classes, *(stage.weak_classes for stage in stages)):
            faults.require(self.schema == "ggo-consolidation", "schema", self.schema, "ggo-consolidation for density")
        precisions = ("bf16-mixed", "16-mixed", "32-true")
        faults.require(self.precision in precisions, "precision", self.precision, ", ".join(precisions))
        named = self.start is None or str(self.start) == self.start != ""  # YAML may hold a number
        faults.require(named, "start", self.start, "the name or the folder of weights, or null")
        faults.require(self.focal_gamma >= 0, "focal_gamma", self.focal_gamma, "0 or more")
        faults.require(self.num_folds >= 2, "num_folds", self.num_folds, "at least 2")
        is_plain = PureWindowsPath(self.name).name == self.name not in ("", "..")  # on every system
        faults.require(is_plain, "name", self.name, "the name of a folder, without / \\ or :")
        faults.tell()


_STAND_INS = {
    "name": "x",
    **{name: Stage(steps=1, num_weak=1) for name in ("training", "pretraining", "self_training")},
}


def read_experiment(path: Path) -> Experiment:
    """The experiment a YAML file describes.

    Raises:
        OptionError: as `read_experiments`.
    """
    return read_experiments([path])[0]


def read_experiments(paths: Sequence[Path]) -> list[Experiment]:
    """The experiment that each YAML file describes.

    Raises:
        OptionError: if a file is missing or not YAML, has an unknown or missing key, or a value out of range; one for
            all faults of all files.
    """
    import yaml

    experiments, faults = [], Faults()
    for path in paths:
        try:
            experiments.append(experiment_from(read_yaml(path.read_text(encoding="utf-8"))))
        except SettingsError as error:
            faults += [fault._replace(name=f"{path}: {fault.name}") for fault in error.faults]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            faults.append(Fault(str(path), f"cannot be read: {error}", "a YAML file"))
    faults.tell()
    return experiments


def experiment_from(content: Any) -> Experiment:
    """The experiment that a mapping (parsed YAML or JSON) describes.

    Raises:
        OptionError: if keys are unknown or missing, or values out of range; one for all of them.
    """
    return from_mapping(Experiment, content, stand_ins=_STAND_INS)
