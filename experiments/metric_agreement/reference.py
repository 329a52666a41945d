"""The other packages' figures for the same masks; runs without netseg, in an environment of its own.

python -m venv other && other/bin/pip install surface-distance==0.1 panoptica==2.1.7
other/bin/python experiments/metric_agreement/reference.py > experiments/metric_agreement/reference.json
"""

import contextlib
import io
import json
import sys
import warnings
from importlib.metadata import version

import numpy as np

vars(np)["Inf"] = np.inf  # surface-distance 0.1 was written for numpy 1
warnings.simplefilter("ignore")

import surface_distance
from masks import PAIRS, pair
from panoptica import (
    CCABackend,
    ConnectedComponentsInstanceApproximator,
    InputType,
    NaiveThresholdMatching,
    Panoptica_Evaluator,
)
from panoptica.metrics import Metric

TOLERANCES_MM = (0.5, 2.0, 3.7)


def surfaces(found, truth, spacing_mm):
    told = surface_distance.compute_surface_distances(truth, found, spacing_mm)
    figures = {
        f"nsd_{mm}": surface_distance.compute_surface_dice_at_tolerance(told, mm)
        for mm in TOLERANCES_MM
    }
    hd95_mm = surface_distance.compute_robust_hausdorff(told, 95)
    figures["hd95_mm"] = float(hd95_mm) if np.isfinite(hd95_mm) else None  # a side is empty
    figures["dice"] = surface_distance.compute_dice_coefficient(truth, found)
    return figures


def matches(found, truth, least_iou):
    """Lesions of a one-to-one matching: panoptica pairs components greedily by IoU."""
    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(cca_backend=CCABackend.cc3d),
        instance_matcher=NaiveThresholdMatching(
            matching_metric=Metric.IOU, matching_threshold=least_iou
        ),
        instance_metrics=[Metric.DSC, Metric.IOU],
        global_metrics=[Metric.DSC],
        verbose=False,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        told = evaluator.evaluate(found.astype(np.uint8), truth.astype(np.uint8), verbose=False)
    result = told["ungrouped"] if isinstance(told, dict) else told
    return {
        "tp": int(result.tp),
        "fp": int(result.fp),
        "fn": int(result.fn),
        "sq_dsc": float(result.sq_dsc) if result.tp else None,
        "dice": float(result.global_bin_dsc),
    }


def main():
    rows = []
    for seed in range(PAIRS):
        found, truth, spacing_mm = pair(seed)
        row = {"seed": seed, "surface_distance": surfaces(found, truth, spacing_mm)}
        row["panoptica"] = {str(iou): matches(found, truth, iou) for iou in (0.1, 0.5)}
        rows.append(row)
    packages = ("surface-distance", "panoptica", "numpy", "scipy")
    json.dump({"packages": {p: version(p) for p in packages}, "pairs": rows}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
