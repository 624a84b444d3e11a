"""What is checked of slices before they are used: what each shows, which are the same, which classes a group has."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.data.faults import Fault
from msdnet.data.manifest import Joined
from msdnet.data.similarity import merge_near_duplicates, symmetries, thumbnail
from msdnet.data.training_slice import TrainingSlice

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Facts:
    """What is kept of a slice for the checks, so that a data set need not fit into memory.

    Attributes:
        name, group: As in the manifest.
        split: As in the manifest.
        classes: Class numbers that its labels hold, without background; None without labels.
        blank: Whether all of the image is one grey.
        image_digest: The same for all turned and mirrored copies of the image.
        labels_digest: Of the labels turned the same way; empty without labels.
        thumbnail: (64, 64) float32, see `similarity`.
    """

    name: str
    group: str
    split: str
    classes: tuple[int, ...] | None
    blank: bool
    image_digest: str
    labels_digest: str
    thumbnail: Array


def facts_of(s: TrainingSlice, split: str) -> Facts:
    """The facts of one slice."""
    views = [_digest(view) for view in symmetries(s.image)]
    first = min(range(len(views)), key=views.__getitem__)
    labels = None if s.labels is None else list(symmetries(s.labels))[first]
    return Facts(
        name=s.name,
        group=s.group,
        split=split,
        classes=None if s.labels is None else tuple(int(c) for c in np.unique(s.labels) if c),
        blank=bool(s.image.min() == s.image.max()),
        image_digest=views[first],
        labels_digest="" if labels is None else _digest(labels),
        thumbnail=thumbnail(s.image).astype(np.float32),
    )


def find_faults(facts: Sequence[Facts]) -> list[Fault]:
    """What forbids the use: blank images, and one image with two truths."""
    faults = [Fault("an image of one grey only", f.name) for f in facts if f.blank]
    first: dict[str, Facts] = {}
    for f in facts:
        if f.classes is None or f.blank:
            continue
        before = first.setdefault(f.image_digest, f)
        if before.labels_digest != f.labels_digest:
            faults.append(
                Fault("the same image twice (perhaps turned) with different labels", f"{before.name}, {f.name}")
            )
    return faults


def merge_groups(facts: Sequence[Facts], threshold: float | None) -> tuple[dict[str, str], list[Joined]]:
    """The group of every slice by name after duplicates were put together, and each pair that did it.

    Args:
        facts: All slices. Exact copies are found among all of them, near-duplicates among those with labels, since
            only these are measured on.
        threshold: The smallest similarity of near-duplicates (see `similarity`); None looks for exact copies alone.
    """
    groups = {f.name: f.group for f in facts}
    joined = []
    first: dict[str, Facts] = {}
    for f in facts:
        before = first.setdefault(f.image_digest, f)
        if groups[before.name] != groups[f.name]:
            joined.append(Joined(before.name, f.name, None, (before.split, f.split)))
            given_up = groups[f.name]
            groups = {name: groups[before.name] if g == given_up else g for name, g in groups.items()}
    if threshold is None:
        return groups, joined
    compared = [f for f in facts if f.classes is not None]
    old = [groups[f.name] for f in compared]
    merged, pairs = merge_near_duplicates([f.thumbnail for f in compared], old, threshold)
    renamed = dict(zip(old, merged, strict=True))
    for i, j, found in pairs:
        one, two = compared[i], compared[j]
        joined.append(Joined(one.name, two.name, round(float(found), 3), (one.split, two.split)))
    return {name: renamed.get(group, group) for name, group in groups.items()}, joined


def _digest(array: Array) -> str:
    return hashlib.sha256(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()
