"""Which probability counts as lesion: lesion F1 and Dice on training-side patches never seen.

    python experiments/first_ct/threshold.py [--weights FILE] [--patches 40]

The LiTS crops are training data; the painted lesions, the bending and the contrast are new (another
seed). No check case is touched.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cc3d
import numpy as np
import torch

from netseg.segment.builtin import build
from netseg.segment.weights_file import load_weights
from netseg.training.contrast import Contrast
from netseg.training.sources import LitsSource, gather
from netseg.training.tasks import LesionTask
from netseg.training.warp import Warp

CASES = ("lits00", "lits01", "lits02", "lits03", "lits04", "lits05")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--patches", type=int, default=40)
    words = parser.parse_args()
    card, tensors = load_weights(words.weights)
    entry = card.networks["lesions"]
    network = build(entry.spec, "lesions", tensors).eval()
    scenes, weights = gather([LitsSource(cases=CASES, spacing_mm=1.5)])
    task = LesionTask(
        scenes=scenes,
        weights=weights,
        seed=999,
        warp=Warp(patch=entry.patch),
        contrast=Contrast(noise_hu=14.0),
    )
    table = {
        t: {"hit": 0, "false": 0, "lesions": 0, "dice": []} for t in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    }
    for step in range(words.patches):
        image, truth = task(step)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            probability = torch.sigmoid(network(image[None]).float())[0, 0].numpy()
        true = truth[0].numpy() > 0
        lesions = cc3d.connected_components(cc3d.dust(true, threshold=15), connectivity=26)
        for threshold, row in table.items():
            found = cc3d.dust(probability >= threshold, threshold=15).astype(bool)
            parts = cc3d.connected_components(found, connectivity=26)
            row["lesions"] += int(lesions.max())
            row["hit"] += len(np.unique(lesions[found & (lesions > 0)]))
            row["false"] += int(parts.max()) - len(np.unique(parts[true & (parts > 0)]))
            if true.any():
                row["dice"].append(
                    2 * float((found & true).sum()) / float(found.sum() + true.sum())
                )
    for threshold, row in table.items():
        recall = row["hit"] / row["lesions"]
        precision = row["hit"] / max(1, row["hit"] + row["false"])
        figures = {
            "threshold": threshold,
            "recall": round(recall, 3),
            "precision": round(precision, 3),
            "f1": round(2 * recall * precision / max(1e-9, recall + precision), 3),
            "dice_mean": round(float(np.mean(row["dice"])), 3),
            "false_per_patch": round(row["false"] / words.patches, 2),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
