"""A model folder as nnU-Net keeps it, with fixed random weights. Runs in nnU-Net's environment.

PYTHON_WITH_NNUNETV2 random_model.py RESULTS
"""

import json
import sys
from pathlib import Path

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

NAME = "Dataset901_Random"
LABELS = {"background": 0, "liver": 1, "tumor": 2}
HU = {"max": 3071.0, "mean": 50.0, "median": 50.0, "min": -1024.0, "std": 60.0,
      "percentile_00_5": -100.0, "percentile_99_5": 250.0}  # fmt: skip
NETWORK = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
ARGUMENTS = {
    "n_stages": 3,
    "features_per_stage": [8, 16, 32],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [1, 1, 1],
    "n_conv_per_stage_decoder": [1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
IMPORTED = ["conv_op", "norm_op", "dropout_op", "nonlin"]


def resampling(word, order, *, labels=False):
    return {
        f"resampling_fn_{word}": "resample_data_or_seg_to_shape",
        f"resampling_fn_{word}_kwargs": {
            "is_seg": labels, "order": order, "order_z": 0, "force_separate_z": None
        },
    }  # fmt: skip


def plans():
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [32, 32, 32],
        "median_image_size_in_voxels": [64, 64, 64],
        "spacing": [3.0, 3.0, 3.0],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        **resampling("data", 3),
        **resampling("seg", 1, labels=True),
        **resampling("probabilities", 1),
        "architecture": {
            "network_class_name": NETWORK,
            "arch_kwargs": ARGUMENTS,
            "_kw_requires_import": IMPORTED,
        },
        "batch_dice": False,
    }
    return {
        "dataset_name": NAME,
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [3.0, 3.0, 3.0],
        "original_median_shape_after_transp": [64, 64, 64],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": HU},
        "configurations": {"3d_fullres": configuration},
    }


def main():
    folder = Path(sys.argv[1]) / NAME / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (folder / "fold_0").mkdir(parents=True)
    dataset = {"channel_names": {"0": "CT"}, "labels": LABELS, "numTraining": 1}
    (folder / "dataset.json").write_text(json.dumps({**dataset, "file_ending": ".nii.gz"}))
    (folder / "plans.json").write_text(json.dumps(plans()))
    torch.manual_seed(0)
    network = get_network_from_plans(
        NETWORK, ARGUMENTS, IMPORTED, 1, len(LABELS), allow_init=True, deep_supervision=True
    )
    with torch.no_grad():  # labels in large pieces instead of specks
        network.decoder.seg_layers[-1].weight *= 20
    torch.save(
        {
            "network_weights": network.state_dict(),
            "init_args": {"configuration": "3d_fullres"},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1, 2),
        },
        folder / "fold_0" / "checkpoint_final.pth",
    )


if __name__ == "__main__":
    main()
