"""nnU-Net v2 and Medical Segmentation Decathlon: dataset.json, imagesTr, labelsTr; one CT channel, NIfTI.

FOLDER/dataset.json                  nnU-Net: "labels": {"background": 0, "ggo": 1}; Decathlon: {"0": "background"}
FOLDER/imagesTr/NAME_0000.nii.gz     nnU-Net; NAME.nii.gz in the Decathlon
FOLDER/labelsTr/NAME.nii.gz
FOLDER/imagesTs, labelsTs            optional: the split "test", used where both are there
FOLDER/groups.csv                    optional: name, group (the patient), and perhaps split
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msdnet.data.faults import Fault, raise_faults
from msdnet.data.layouts.draft import SAME_SLICE, Draft, Layout, Options, read_groups
from msdnet.data.layouts.pairs import by_stem, draft_rows, rows_of_volume
from msdnet.data.manifest import NO_GROUPS, Row
from msdnet.data.slice_reader import NIFTI
from msdnet.labels import LabelSchema

_PARTS = (("imagesTr", "labelsTr", "train"), ("imagesTs", "labelsTs", "test"))


def draft_nnunet(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """One row per axial slice; without groups.csv every case is a patient."""
    content, faults = _read_description(source / "dataset.json")
    label_names, more = _label_names(content.get("labels"))
    groups, wrong = read_groups(source / "groups.csv")
    faults = [*faults, *more, *wrong]
    raise_faults(
        "dataset.json cannot be used", faults, expected="one CT channel, NIfTI files and plain labels", do="correct it"
    )
    notes = [] if groups else [f"{NO_GROUPS}every case is taken as another patient."]
    rows: list[Row] = []
    for images_folder, labels_folder, split in _PARTS:
        images, faults_here = by_stem(source / images_folder, NIFTI)
        labels, more = by_stem(source / labels_folder, NIFTI)
        faults += [*faults_here, *more]
        images = {_case(name, content): path for name, path in images.items()}
        if split == "test" and not labels:
            notes += [f"Left out: {len(images)} test images without labels."] if images else []
            continue
        faults += [Fault("an image without label map", n) for n in images.keys() - labels.keys()]
        faults += [Fault("a label map without image", n) for n in labels.keys() - images.keys()]
        if groups:
            faults += [Fault("an image that groups.csv does not name", n) for n in images.keys() - groups.keys()]
        for name, image in images.items():
            group, own_split = groups.get(name, (name, ""))
            found, broken = draft_rows(
                rows_of_volume, name, image, labels.get(name), None, group, source.name, own_split or split
            )
            rows += found
            faults += broken
    return Draft(tuple(rows), tuple(sorted(faults)), label_names, SAME_SLICE, notes=tuple(notes))


def _read_description(path: Path) -> tuple[dict[str, Any], list[Fault]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {}, [Fault(f"a file that cannot be read ({type(error).__name__})", path.name)]
    if not isinstance(content, dict):
        return {}, [Fault("no JSON object", path.name)]
    channels: Any = content.get("channel_names", content.get("modality"))
    names = [str(c).upper() for c in channels.values()] if isinstance(channels, dict) else []
    faults = []
    if len(names) != 1 or not names[0].startswith("CT"):
        faults.append(Fault(f"channels other than one of CT: {channels}"))
    if content.get("file_ending", ".nii.gz") not in NIFTI:
        faults.append(Fault(f"files that are not NIfTI: {content['file_ending']}"))
    return content, faults


def _label_names(labels: Any) -> tuple[dict[str, int], list[Fault]]:
    """Name to number, whichever of the two stands first in the file."""
    if not isinstance(labels, dict) or not labels:
        return {}, [Fault("no labels")]
    names: dict[str, int] = {}
    for key, value in labels.items():
        if isinstance(value, int):
            names[str(key)] = value
        elif str(key).isdecimal() and isinstance(value, str):
            names[value] = int(key)
        else:
            return {}, [Fault(f"a label that is no single number: {key!r}: {value!r}")]
    if len(set(names.values())) != len(labels):
        return {}, [Fault("labels that share a name or a number")]
    return names, []


def _case(name: str, content: dict[str, Any]) -> str:
    """The case's name without the channel number, which nnU-Net appends and the Decathlon does not."""
    return name.removesuffix("_0000") if "channel_names" in content else name


NNUNET = Layout(
    "dataset.json with imagesTr and labelsTr",
    lambda source: (source / "dataset.json").is_file() and (source / "imagesTr").is_dir(),
    draft_nnunet,
)
