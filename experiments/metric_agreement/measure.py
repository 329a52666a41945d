"""netseg's metrics against those of other packages, on the same random masks.

python experiments/metric_agreement/measure.py        (writes figures.json; two minutes on one core)
"""

import json
import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from masks import PAIRS, SHAPE, pair, probabilities
from monai.metrics import compute_dice, compute_surface_dice
from sklearn.metrics import brier_score_loss
from torchmetrics.functional.classification import binary_calibration_error

from netseg.domain import Grid, Mask
from netseg.evaluation import Overlap, calibration, score_lesions, score_region

HERE = Path(__file__).parent
TOLERANCES_MM = (0.5, 2.0, 3.7)
CALIBRATIONS = 20
BINS = 15


class Worst:
    """The largest difference per figure and package."""

    def __init__(self):
        self.found = {}

    def note(self, name, ours, theirs):
        if ours is None and theirs is None:  # both say that there is nothing to measure
            return
        entry = self.found.setdefault(name, {"compared": 0, "largest_difference": 0.0})
        entry["compared"] += 1
        entry["largest_difference"] = max(entry["largest_difference"], abs(ours - theirs))


def masks(seed):
    found, truth, spacing_mm = pair(seed)
    grid = Grid(SHAPE, np.diag([*spacing_mm, 1.0]), "1.2")
    return Mask(found, grid), Mask(truth, grid)


def against_surface_distance(found, truth, theirs, worst):
    score = score_region(found, truth, TOLERANCES_MM)
    worst.note("dice: surface-distance", score.dice, theirs["dice"])
    worst.note("hd95: surface-distance", score.hd95_mm, theirs["hd95_mm"])
    for mm in TOLERANCES_MM:
        worst.note("nsd: surface-distance", score.nsd[mm], theirs[f"nsd_{mm}"])
    return score


def against_monai(found, truth, score, worst):
    y_pred, y = (torch.from_numpy(m.inside.copy())[None, None].float() for m in (found, truth))
    worst.note("dice: MONAI", score.dice, float(compute_dice(y_pred, y)))
    told = compute_surface_dice(
        y_pred, y, [TOLERANCES_MM[1]], include_background=True,
        spacing=truth.grid.spacing_mm, use_subvoxels=True,
    )  # fmt: skip
    worst.note("nsd at 2 mm: MONAI", score.nsd[TOLERANCES_MM[1]], float(told))


def against_panoptica(found, truth, theirs, worst, apart):
    """panoptica pairs one to one; where a lesion has several predictions the answers may differ."""
    score = score_lesions(found, truth)
    for overlap in (Overlap.IOU_10, Overlap.IOU_50):
        told = theirs[str(overlap.least_iou)]
        is_simple = all(len(x.partners) < 2 for x in score.lesions) and all(
            sum(p.id in x.partners and x.found_at(overlap) for x in score.lesions) < 2
            for p in score.predictions
        )
        ours = (score.found_at(overlap), score.false_at(overlap))
        if is_simple:
            worst.note("found: panoptica, one to one", ours[0], told["tp"])
            worst.note("false: panoptica, one to one", ours[1], told["fp"])
            dices = [x.dice for x in score.lesions if x.found_at(overlap)]
            if dices:
                worst.note("lesion dice: panoptica, one to one", np.mean(dices), told["sq_dsc"])
        else:
            entry = apart.setdefault(str(overlap), {"pairs": 0, "found_more": 0, "found_fewer": 0})
            entry["pairs"] += 1
            entry["found_more"] += ours[0] > told["tp"]
            entry["found_fewer"] += ours[0] < told["tp"]


def calibrations(worst):
    for seed in range(CALIBRATIONS):
        p, t = probabilities(seed)
        ours = calibration(p, t, bins=BINS)
        worst.note("brier: scikit-learn", ours.brier, brier_score_loss(t, p))
        told = binary_calibration_error(
            torch.from_numpy(p), torch.from_numpy(t.astype(int)), n_bins=BINS, norm="l1"
        )
        worst.note("ece: torchmetrics", ours.ece, float(told))


def balls():
    """Two balls of 15 mm radius, centres 4 mm apart: NSD(x) = x / 4, HD95 = 3.8 mm, by theory."""
    rows = []
    for step in (1.0, 0.5, 0.25):
        half = round(21 / step)
        affine = np.diag((step, step, step, 1.0))
        affine[:3, 3] = -half * step
        grid = Grid((2 * half + 1,) * 3, affine, "1.2")
        axis = grid.to_mm(np.stack([np.arange(2 * half + 1.0)] * 3, axis=1))[:, 0]
        x, y, z = np.ix_(axis, axis, axis)
        truth, found = ((x - s) ** 2 + y**2 + z**2 <= 15.0**2 for s in (0.0, 4.0))
        score = score_region(Mask(found, grid), Mask(truth, grid), (1.0, 2.0, 3.0))
        rows.append(
            {
                "voxel_mm": step,
                "nsd_error": {str(mm): share - mm / 4 for mm, share in score.nsd.items()},
                "hd95_error_mm": score.hd95_mm - 3.8,
                "volume_error_pct": 100 * (score.truth_ml / (4 / 3 * math.pi * 3.375) - 1),
            }
        )
    return rows


def main():
    reference = json.loads((HERE / "reference.json").read_text())
    worst, apart = Worst(), {}
    for row in reference["pairs"]:
        found, truth = masks(row["seed"])
        score = against_surface_distance(found, truth, row["surface_distance"], worst)
        against_monai(found, truth, score, worst)
        against_panoptica(found, truth, row["panoptica"], worst, apart)
    assert len(reference["pairs"]) == PAIRS
    calibrations(worst)
    figures = {
        "packages": reference["packages"]
        | {name: version(name) for name in ("monai", "scikit-learn", "torchmetrics")},
        "agreement": worst.found,
        "several_to_one": apart,
        "balls": balls(),
    }
    (HERE / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name, entry in worst.found.items():
        print(f"{name:36s} {entry['compared']:5d}   {entry['largest_difference']:.1e}")
    print(apart)


if __name__ == "__main__":
    main()
