"""The part of benchmarks/nnunet.sh that nnU-Net's environment runs: its plan, its 2D network, its own predictor."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

START = time.perf_counter()


def plan() -> None:
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments

    extract_fingerprints([1], num_processes=1, show_progress_bar=False)
    plan_experiments([1])


def predict(volume: str, mirroring: str, out: str) -> None:
    import torch
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    torch.manual_seed(0)
    planned, raw = (Path(os.environ[f"nnUNet_{name}"]) for name in ("preprocessed", "raw"))
    plans = PlansManager(str(next(planned.glob("*/nnUNetPlans.json"))))
    description = json.loads(next(raw.glob("*/dataset.json")).read_text())
    configuration = plans.get_configuration("2d")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        len(description["labels"]),
        deep_supervision=False,
    ).eval()
    predictor = nnUNetPredictor(use_mirroring=mirroring == "on", device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        network, plans, configuration, [network.state_dict()], description, "nnUNetTrainer", (0, 1)
    )
    reader = SimpleITKIO()
    image, properties = reader.read_images([volume])
    labels = predictor.predict_single_npy_array(image, properties)
    reader.write_seg(labels, str(Path(out).with_suffix(".nii.gz")), properties)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6
    facts = {"seconds": time.perf_counter() - START, "peak_mb": peak, "patch": configuration.patch_size}
    facts["versions"] = {name: version(name) for name in ("nnunetv2", "torch", "numpy")}
    Path(out).write_text(json.dumps(facts))


if __name__ == "__main__":
    plan() if sys.argv[1] == "plan" else predict(*sys.argv[2:5])
