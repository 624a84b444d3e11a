"""Segmenter: a scan in, a label map on the scan's own grid out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from msdnet.labels import LabelSchema
from msdnet.networks.folding import fold
from msdnet.prediction.device import choose_device
from msdnet.prediction.engines import PLAIN, Engine, EngineChoice, build_engine
from msdnet.prediction.field_of_view import FieldOfView, discard_outside, find_field_of_view, whole_field
from msdnet.prediction.pixel_size import notes_on_pixels
from msdnet.prediction.repeatability import Repeatability, measure_repeatability
from msdnet.prediction.slicewise import most_probable, predict_probabilities
from msdnet.prediction.steadiness import Steadiness, measure_steadiness
from msdnet.prediction.trust import Trust, estimate_trust, read_trust_models
from msdnet.scans.scan import Scan
from msdnet.slices import from_canonical, to_canonical, to_grey
from msdnet.weights import Card, load_weights

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]

BATCH = 4
OPENVINO_BYTES_PER_PARAMETER = 30
"""What a network takes in OpenVINO beside torch: copies of its weights for three sizes, and their planes; measured on
MSD-Nets, in float32."""
AGAIN_SLICES = 12
"""About so many slices with lesions, evenly spread, are looked at again: for trust, and for repeatability."""


@dataclass(frozen=True)
class Segmentation:
    """The result for one scan.

    Attributes:
        scan: What was segmented.
        labels: uint8 on the scan's own grid, numbers of `schema`.
        schema: What the numbers mean.
        weights_name: Which weights made it.
        weights_sha256: Their hash.
        device: "cpu" or "cuda".
        skipped_slices: Slices the network did not see, counted along the canonical slice axis (from feet to head).
        discarded_voxels: Voxels the network marked outside the chest cavity, or as part of what lies mostly
            outside, which are not in `labels`.
        notes: What a reader should know, one sentence each, without patient data.
        trust: How far each class that was found can be trusted; empty where the weights' card has no calibration.
        repeatability: How far each class's area moves with the technique alone; empty where there is no lesion, or no
            volume to be compared with another scan's.
        engine: What computed the network, and how precisely.
        network_seconds: What that took for the looks that made the labels: one at every slice, four with flips.
    """

    scan: Scan
    labels: Array
    schema: LabelSchema
    weights_name: str
    weights_sha256: str
    device: str
    skipped_slices: tuple[int, ...] = ()
    discarded_voxels: int = 0
    notes: tuple[str, ...] = ()
    trust: tuple[Trust, ...] = ()
    repeatability: tuple[Repeatability, ...] = ()
    engine: EngineChoice = PLAIN
    network_seconds: float = 0.0


class Segmenter:
    """A network with its card, kept loaded for any number of scans.

    Args:
        network: Any state; a copy is kept, folded for prediction.
        card: Says what its input and output are.
        device: "auto", "cpu" or "cuda".
        flips: Average over the four mirror images: slower, slightly better.
        all_slices: Also look at slices without lung.
        engine: "auto", "torch", "openvino" or "onnxruntime"; see `msdnet.prediction.engines.choice` for the rule.
        precision: "auto", "f32", "bf16" or "int8". Only "f32" gives the same labels on every machine.

    Raises:
        OptionError: if the device does not exist here, or does not know the engine or precision.
        MissingExtraError: if the engine is not installed.
    """

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        *,
        device: str = "auto",
        flips: bool = False,
        all_slices: bool = False,
        engine: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.device, self.slices_at_once = choose_device(device), BATCH
        compute, self.engine = build_engine(
            fold(network), card.preprocessing, self.device, engine=engine, precision=precision
        )
        self.compute = _Clocked(compute)
        self._num_parameters = sum(p.numel() for p in network.parameters())
        self.card, self.flips, self.all_slices = card, flips, all_slices
        self.trust_models = read_trust_models(card.trust)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | Path | None = None,
        *,
        device: str = "auto",
        flips: bool = False,
        all_slices: bool = False,
        engine: str = "auto",
        precision: str = "auto",
    ) -> Segmenter:
        """A segmenter with embedded weights by name, those in a folder, or the default ones.

        Raises:
            WeightsError: if there are no such weights or they are damaged.
            OptionError, MissingExtraError: as the class.
        """
        network, card = load_weights(weights)
        return cls(network, card, device=device, flips=flips, all_slices=all_slices, engine=engine, precision=precision)

    @property
    def engine_memory_mb(self) -> int:
        """What the engine takes from its first slices on, MB; 0 where it is part of what the process holds already."""
        if self.engine.engine != "openvino":
            return 0
        return round(OPENVINO_BYTES_PER_PARAMETER * self._num_parameters / 1e6)

    def segment(self, scan: Scan, progress: Progress | None = None) -> Segmentation:
        """The lesions of a scan.

        Args:
            scan: In HU or grey.
            progress: Called with the number of slices done and to do.
        """
        slices = to_canonical(scan)
        view = self._field_of_view(scan, slices.array, slices.spacing)
        labels = np.zeros(slices.array.shape, dtype=np.uint8)
        self.compute.seconds = 0.0
        for start in range(0, len(view.slices), BATCH):
            chosen = list(view.slices[start : start + BATCH])
            grey = [self._grey(slices.array, index, view, scan.intensity) for index in chosen]
            probabilities = predict_probabilities(self.compute, grey, self.card.preprocessing, flips=self.flips)
            for index, one in zip(chosen, probabilities, strict=True):
                labels[index][view.box(index)] = most_probable(one).cpu().numpy()
            if progress is not None:
                progress(min(start + BATCH, len(view.slices)), len(view.slices))
        network_seconds = self.compute.seconds
        num_marked = int(np.count_nonzero(labels))
        discard_outside(labels, view)
        skipped = tuple(sorted(set(range(len(labels))) - set(view.slices)))
        return Segmentation(
            scan=scan,
            labels=from_canonical(labels, scan),
            schema=self.card.label_schema,
            weights_name=self.card.name,
            weights_sha256=self.card.sha256,
            device=self.device.type,
            engine=self.engine,
            network_seconds=network_seconds,
            skipped_slices=skipped,
            discarded_voxels=num_marked - int(np.count_nonzero(labels)),
            notes=view.notes + notes_on_pixels(scan),
            trust=tuple(self._trust(slices.array, labels, view, scan.intensity)),
            repeatability=self._repeatability(slices.array, labels, view) if scan.has_volumes else (),
        )

    def _grey(self, array: Array, index: int, view: FieldOfView, intensity: str) -> Tensor:
        """What the network sees of a slice, (H, W) in 0..1."""
        return to_grey(array[index][view.box(index)], intensity, self.card.preprocessing).to(self.device)

    def _trust(self, array: Array, labels: Array, view: FieldOfView, intensity: str) -> list[Trust]:
        """How far the labels (S, H, W) can be trusted, from further looks at some of the slices with lesions.

        It was fitted on single looks: where the labels are averages over mirror images, the plain look is judged.
        """
        if not self.trust_models:
            return []
        chosen = _spread_over_classes(labels, AGAIN_SLICES)
        counts: list[Steadiness] = []
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            of_slices = measure_steadiness(
                self.compute,
                [self._grey(array, i, view, intensity) for i in batch],
                None if self.flips else [labels[i][view.box(i)] for i in batch],
                self.card.preprocessing,
                self.card.label_schema,
                _cavities(view, batch),
            )
            for one in of_slices:
                counts = [a + b for a, b in zip(counts, one, strict=True)] if counts else one
        return estimate_trust(self.trust_models, counts)

    def _repeatability(self, array: Array, labels: Array, view: FieldOfView) -> tuple[Repeatability, ...]:
        """How far the area of each class moves on some of the slices with lesions; of a scan in HU."""
        chosen = _spread_over_classes(labels, AGAIN_SLICES)
        if not chosen:
            return ()
        grey = [self._grey(array, i, view, "HU") for i in chosen]
        return measure_repeatability(
            self.compute, grey, self.card.preprocessing, self.card.label_schema, _cavities(view, chosen)
        )

    def _field_of_view(self, scan: Scan, array: Array, spacing: tuple[float, float, float]) -> FieldOfView:
        if scan.intensity != "HU":
            return whole_field(array.shape)
        return find_field_of_view(array, spacing, self.card.preprocessing, all_slices=self.all_slices)


class _Clocked:
    """An engine that counts the seconds it takes."""

    def __init__(self, compute: Engine) -> None:
        self.compute, self.seconds = compute, 0.0

    def __call__(self, images: Tensor) -> Tensor:
        start = time.perf_counter()
        logits = self.compute(images)
        if logits.is_cuda:
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - start
        return logits


def _cavities(view: FieldOfView, indices: Sequence[int]) -> list[Array] | None:
    """Where lesions may lie in what the network sees of some slices; None where it cannot be known."""
    found = [view.cavity(index, view.box(index)) for index in indices]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def _spread_over_classes(labels: Array, num: int) -> list[int]:
    """About `num` slices with lesions, ascending: as many of each class, evenly spread over those that show it.

    Shapes: labels (S, H, W).
    """
    classes = [c for c in np.unique(labels) if c]
    chosen: set[int] = set()
    for c in classes:
        shown = np.flatnonzero((labels == c).any(axis=(1, 2)))
        places = np.linspace(0, len(shown) - 1, min(max(1, num // len(classes)), len(shown)))
        chosen |= {int(shown[round(place)]) for place in places}
    return sorted(chosen)
