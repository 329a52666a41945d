"""One network, one scan, two predictors: netseg's `bundle` backend and nnU-Net's own.

python experiments/nnunet_race/race.py --peer PYTHON_WITH_NNUNETV2
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nibabel
import numpy as np
import torch
import yaml
from safetensors.torch import save_file

HERE = Path(__file__).parent
PATCH, SPACING_MM = (96, 128, 128), (2.0, 1.5, 1.5)  # in nnU-Net's order: slice, row, column
CT = {"mean": 99.0, "std": 38.0, "percentile_00_5": -15.0, "percentile_99_5": 197.0}
FILTERS = (32, 64, 128, 256, 320)
DYNUNET = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 3,
    "kernel_size": [3] * 5, "strides": [1, 2, 2, 2, 2], "upsample_kernel_size": [2] * 4,
    "filters": list(FILTERS), "norm_name": ["INSTANCE", {"affine": True}], "res_block": False,
}  # fmt: skip


def prepare(folder, shape):
    """A scan, a network with fixed random weights that calls everything background, both layouts."""
    from netseg.segment.monai_networks import make_network

    torch.manual_seed(7)
    network = make_network("DynUNet", DYNUNET)
    with torch.no_grad():  # which label wins says nothing here; a field of specks would be listed
        network.output_block.conv.conv.bias.copy_(torch.tensor([6.0, 0.0, 0.0]))
    tensors = {k: v.clone().contiguous() for k, v in network.state_dict().items()}
    save_file(tensors, folder / "race.safetensors")
    (folder / "race.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "race",
                "network": {"name": "DynUNet", "arguments": DYNUNET},
                "inputs": [{"channel": "ct", "intensity": {
                    "kind": "normalise", "low": CT["percentile_00_5"],
                    "high": CT["percentile_99_5"], "mean": CT["mean"], "sd": CT["std"]}}],
                "orientation": "SPL",
                "spacing_mm": list(SPACING_MM),
                "patch": list(PATCH),
                "labels": {"lesion": [2]},
                "output": "softmax",
                "overlap": 0.5,
            }
        )
    )  # fmt: skip
    generator = np.random.default_rng(3)
    values = generator.normal(60.0, 30.0, shape).astype(np.int16)
    (folder / "scans").mkdir()
    affine = np.diag([0.75, 0.75, 1.6, 1.0])
    nibabel.save(nibabel.Nifti1Image(values, affine), folder / "scans" / "case_0000.nii.gz")


def ours(folder, precision):
    """What `netseg segment --backend bundle` does."""
    from netseg.cli.main import main
    from netseg.segment import streaming

    if precision == "fp32":
        streaming.runs_bf16 = lambda _: False
    return main([
        "segment", "-i", str(folder / "scans" / "case_0000.nii.gz"), "--modality", "CT",
        "--backend", "bundle", "--weights", str(folder / "race.safetensors"), "--device", "cpu",
        "-o", str(folder / f"ours_{precision}"), "-q",
    ])  # fmt: skip


def theirs(folder, precision):
    """nnU-Net's predictor over the same network, from file to file, with its default workers."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(folder)
    from monai.networks.nets import DynUNet
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
    from safetensors.torch import load_file

    weights = load_file(folder / "race.safetensors")

    class Network(DynUNet):
        """DynUNet in bf16 where asked."""

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                return super().forward(x).float()

    arguments = {**DYNUNET, "norm_name": ("INSTANCE", {"affine": True})}
    network = Network(**arguments)
    network.load_state_dict(weights)
    plans = PlansManager(plans_of())
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False, device=torch.device("cpu"),
        perform_everything_on_device=False, allow_tqdm=False,
    )  # fmt: skip
    labels = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "organ": 1, "lesion": 2},
              "file_ending": ".nii.gz"}  # fmt: skip
    predictor.manual_initialization(
        network, plans, plans.get_configuration("3d_fullres"), [weights], labels, "nnUNetTrainer",
        None,
    )  # fmt: skip
    predictor.predict_from_files(
        [[str(folder / "scans" / "case_0000.nii.gz")]], [str(folder / f"theirs_{precision}")],
        num_processes_preprocessing=1, num_processes_segmentation_export=1,
    )  # fmt: skip
    return 0


def plans_of():
    """The plans that a training would have written for this network."""
    resize = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    back = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset001_race", "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO", "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2], "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": CT},
        "original_median_spacing_after_transp": list(SPACING_MM),
        "original_median_shape_after_transp": [100, 256, 256],
        "configurations": {"3d_fullres": {
            "data_identifier": "race", "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 1, "patch_size": list(PATCH), "spacing": list(SPACING_MM),
            "median_image_size_in_voxels": [100, 256, 256],
            "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": resize, "resampling_fn_seg_kwargs": back,
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": back,
            "architecture": {"network_class_name": "monai.networks.nets.DynUNet",
                             "arch_kwargs": {"strides": [[1, 1, 1]] + [[2, 2, 2]] * 4},
                             "_kw_requires_import": []},
            "batch_dice": False,
        }},
    }  # fmt: skip


def measured(command):
    """Wall and CPU seconds of a process with its children, and the most memory they held together."""
    started, before = time.perf_counter(), os.times()
    process = subprocess.Popen(command)
    peak, over = [0], threading.Event()

    def watch():
        while not over.wait(0.2):
            peak[0] = max(peak[0], tree_pss(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    over.set()
    watcher.join()
    after = os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    if code:
        raise SystemExit(f"{command} left with {code}.")
    return {
        "wall_s": round(time.perf_counter() - started, 1),
        "cpu_s": round(cpu, 1),
        "peak_gib": round(peak[0] / 2**30, 2),
    }


def tree_pss(pid):
    """Bytes that a process and its descendants hold, shared pages divided among their holders."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(c) for c in (task / "children").read_text().split()]
        except OSError:
            continue
    return total


def main():
    """Prepare, race, keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", type=Path, help="interpreter of an environment with nnunetv2")
    parser.add_argument("--role", choices=("ours", "theirs"))
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 119))
    parser.add_argument("--repeats", type=int, default=3)
    words = parser.parse_args()
    if words.role:
        work = ours if words.role == "ours" else theirs
        sys.exit(work(words.folder, words.precision))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, tuple(words.shape))
        runs = {}
        for _ in range(words.repeats):
            for role, python in (("ours", sys.executable), ("theirs", str(words.peer))):
                for precision in ("fp32", "bf16"):
                    command = [python, __file__, "--role", role, "--precision", precision,
                               "--folder", name]  # fmt: skip
                    runs.setdefault(f"{role} {precision}", []).append(measured(command))
                    print(role, precision, runs[f"{role} {precision}"][-1], flush=True)
    best = {k: {m: min(r[m] for r in v) for m in v[0]} for k, v in runs.items()}
    flags = Path("/proc/cpuinfo").read_text().split("flags")[1].splitlines()[0].split()
    figures = {
        "shape": list(words.shape), "threads": torch.get_num_threads(), "torch": torch.__version__,
        "cpu_flags": sorted(f for f in flags if f.startswith(("avx512", "amx"))),
        "runs": runs, "best": best,
        "ratios_to_nnunet_as_it_comes": {
            k: {"faster": round(best["theirs fp32"]["wall_s"] / v["wall_s"], 2),
                "less_cpu": round(best["theirs fp32"]["cpu_s"] / v["cpu_s"], 2),
                "memory": round(v["peak_gib"] / best["theirs fp32"]["peak_gib"], 2)}
            for k, v in best.items()},
    }  # fmt: skip
    (HERE / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures["ratios_to_nnunet_as_it_comes"], indent=1))


if __name__ == "__main__":
    main()
