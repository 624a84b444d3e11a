"""A network as a MONAI bundle: a folder that MONAI loads and runs; it imports msdnet for the network itself.

The bundle sees whole slices at their own size. msdnet's own command crops to the lungs, resizes, and drops what lies
outside the chest cavity: its labels are the ones whose figures the card gives.
"""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from msdnet import __version__
from msdnet.errors import MissingExtraError
from msdnet.files import whole_file
from msdnet.weights import Card, load_weights
from msdnet.weights.licences import LICENCES, licences_of

METADATA, INFERENCE, MODEL = "configs/metadata.json", "configs/inference.json", "models/model.pt"
RESEARCH_USE = "Research use. Not a medical device."
_SLICES_AT_A_TIME = 4


def export_bundle(folder: Path, weights: str | Path | None = None) -> Card:
    """Writes configs/metadata.json with the card inside, configs/inference.json, models/model.pt, and licence texts.

    Args:
        folder: Made where it is missing; its files of the same names are replaced.
        weights: Embedded weights by name, those in a folder, or the default ones.

    Raises:
        WeightsError: if there are no such weights or they are damaged.
        MissingExtraError: if MONAI is not installed.
    """
    try:
        import monai
    except ImportError as error:
        raise MissingExtraError(
            "MONAI is not installed",
            got="a bundle to write",
            expected="the extra 'train'",
            do="pip install 'msdnet[train]'",
        ) from error
    network, card = load_weights(weights)
    # Tensors alone, which MONAI reads with weights_only: nothing in the file is executed.
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    (folder / METADATA).unlink(missing_ok=True)  # written last: it says that all is there, and of one make
    with whole_file(folder / MODEL) as unfinished:
        torch.save(tensors, unfinished)
    for name, text in licences_of(card.terms).items():
        (folder / name).write_text(text, encoding="utf-8")
    _write(folder / INFERENCE, _inference(card))
    _write(folder / METADATA, _metadata(card, monai.__version__))
    return card


def files_in_the_way(folder: Path) -> list[str]:
    """What a bundle would replace in that folder, or be mixed with; nothing in an earlier bundle of msdnet.

    An earlier bundle may hold more, such as pictures and labels; what is left of one that was never finished has no
    metadata, and nothing but files of a bundle's names.
    """
    if not folder.is_dir():
        return []
    path = folder / METADATA
    if path.exists():
        return [] if _is_ours(path) else [METADATA]
    ours = {METADATA, INFERENCE, MODEL, *LICENCES}
    found = [entry.relative_to(folder).as_posix() for entry in folder.rglob("*") if not entry.is_dir()]
    return sorted(name for name in found if name.removesuffix(".partial") not in ours)


def _is_ours(metadata: Path) -> bool:
    try:
        found = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "card" in found and "msdnet" in (found.get("required_packages_version") or {})


def _write(path: Path, content: dict[str, Any]) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _inference(card: Card) -> dict[str, Any]:
    """What `msdnet.slices` does to HU, in MONAI's transforms, and the network slice by slice."""
    settings = card.preprocessing
    low, high = settings.window_hu
    black, white = (0 - settings.mean) / settings.std, (1 - settings.mean) / settings.std
    return {
        "imports": ["$import glob", "$import torch", "$from monai.data import decollate_batch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/labels'",
        "datalist": "$[{'image': path} for path in sorted(glob.glob(@dataset_dir + '/*.nii*'))]",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": {
            "_target_": "msdnet.networks.build_network",
            "name": card.network,
            "num_classes": card.label_schema.num_classes,
            "in_channels": 1,
            **{k: v for k, v in card.network_arguments.items() if k != "pretrained"},
        },
        "network": "$@network_def.to(@device).eval().requires_grad_(False)",
        "load": "$@network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in "
        "torch.load(@bundle_root + '/models/model.pt', map_location=@device, weights_only=True).items()})",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "PLS", "labels": None},
                {
                    "_target_": "ScaleIntensityRanged",
                    "keys": "image",
                    "a_min": low,
                    "a_max": high,
                    "b_min": black,
                    "b_max": white,
                    "clip": True,
                },
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {
            "_target_": "SliceInferer",
            "spatial_dim": 2,
            "roi_size": [-1, -1],
            "sw_batch_size": _SLICES_AT_A_TIME,
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Invertd", "keys": "pred", "orig_keys": "image", "transform": "@preprocessing"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "labels",
                    "output_dtype": "$torch.uint8",
                    "separate_folder": False,
                },
            ],
        },
        "run": [
            "$@load",
            "$[@postprocessing({**one, 'pred': pred}) for batch in @dataloader for one, pred in "
            "zip(decollate_batch(batch), @inferer(batch['image'].to(@device), @network))]",
        ],
    }


def _metadata(card: Card, monai_version: str) -> dict[str, Any]:
    channels = {"0": "background", **{str(c.index): c.title for c in card.label_schema.classes}}
    return {
        "version": __version__,
        "monai_version": monai_version,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"msdnet": __version__, "nibabel": version("nibabel"), "timm": version("timm")},
        "name": card.name,
        "task": "Segmentation of COVID-19 lesions on chest CT, slice by slice",
        "description": f"MSD-Net. {RESEARCH_USE} {card.limits}",
        "authors": "msdnet",
        "copyright": card.terms,
        "intended_use": f"{RESEARCH_USE} {card.intended_use}",
        "data_type": "nifti",
        "image_classes": "1 channel, CT in HU, scaled by its lung window",
        "label_classes": "none",
        "pred_classes": f"{len(channels)} channels: {', '.join(channels.values())}",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "hounsfield",
                    "modality": "CT",
                    "num_channels": 1,
                    "spatial_shape": ["*", "*"],
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": len(channels),
                    "spatial_shape": ["*", "*"],
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": channels,
                }
            },
        },
        "card": dataclasses.asdict(card),
    }
