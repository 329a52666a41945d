"""How much of a large subcapsular lesion the liver network leaves out, and what closing repairs.

    python experiments/first_ct/closing.py [--weights FILE]

Large lesions, half of them with bright material, are painted into the LiTS crops (training data)
with seeds that training never used. No check case is touched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
import torch

from netseg.segment.builtin import BuiltinBackend
from netseg.segment.cascade import find_liver
from netseg.segment.sampling import Axis
from netseg.training.paint import LesionPrior, paint
from netseg.training.scenes import lits_crops
from netseg.training.sources import data_root
from netseg.training.tasks import generator_of

CASES = ("lits00", "lits02", "lits03", "lits05")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path)
    words = parser.parse_args()
    _, network, _ = BuiltinBackend(words.weights).networks()
    prior = LesionPrior(radius_mm=(22.0, 32.0), treated=0.5, bright=0.1)
    rows = {r: {"dice": [], "covered": []} for r in (0, 6, 9, 12, 15)}
    for scene in lits_crops(data_root(None), CASES, 3.0):
        for seed in range(4):
            liver = scene.labels > 0
            hu, lesions = paint(
                scene.hu, liver, 1, spacing_mm=3.0, prior=prior, generator=generator_of(4242, seed)
            )
            hu = hu + 8.0 * torch.randn(hu.shape, generator=generator_of(4243, seed))
            axes = tuple(Axis(count=n, spacing_mm=3.0) for n in hu.shape)
            found = find_liver(hu.numpy(), axes, network).values >= 0.5
            for radius, row in rows.items():
                closed = close(found, radius / 3.0)
                both = closed.sum() + int(liver.sum())
                row["dice"].append(2.0 * (closed & liver.numpy()).sum() / both)
                row["covered"].append(float(closed[lesions.numpy()].mean()))
    for radius, row in rows.items():
        print(
            f"closing {radius:2d} mm: liver Dice {np.mean(row['dice']):.4f} "
            f"(worst {min(row['dice']):.4f}), lesion inside liver {np.mean(row['covered']):.3f} "
            f"(worst {min(row['covered']):.3f})"
        )


def close(mask, radius):
    if radius == 0:
        return mask
    padded = np.pad(mask, 8)
    grown = ndi.distance_transform_edt(~padded) <= radius
    return (ndi.distance_transform_edt(grown) > radius)[8:-8, 8:-8, 8:-8]


if __name__ == "__main__":
    main()
