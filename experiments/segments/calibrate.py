"""Fit how a lesion's mean probabilities turn into frequencies, and write the powers into the card.

Balls stand for lesions: 4 to 20 mm of radius anywhere in livers of training's kind that were not
trained on (seeds 5000 to 5015). No hold-out phantom and no patient is looked at.

python experiments/segments/calibrate.py --weights FILE --livers runs/segments/anatomies [--samples 80]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from netseg.segment.couinaud import LOBES, built, load_segments
from netseg.segment.couinaud_network import SEGMENTS
from netseg.training.segment_anatomies import anatomies
from netseg.training.segments_task import SegmentsTask
from netseg.training.warp import Warp

FIRST_SEED, COUNT, BALLS = 5000, 16, 10
LOBE_OF = np.array([next(i for i, l in enumerate(LOBES.values()) if n in l) for n in SEGMENTS])


def balls(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> list:
    """Mean probabilities and true segment of balls in one liver."""
    where = np.argwhere(truth > 0)
    at = np.stack(np.meshgrid(*[np.arange(n) for n in truth.shape], indexing="ij"), axis=-1)
    rows = []
    for centre in where[rng.integers(len(where), size=BALLS)]:
        radius = np.exp(rng.uniform(np.log(4.0), np.log(20.0))) / 3.0
        inside = (np.linalg.norm(at - centre, axis=-1) <= radius) & (truth > 0)
        true = int(np.bincount(truth[inside], minlength=9)[1:].argmax())
        said = int(np.bincount(values.argmax(axis=0)[inside], minlength=8).argmax())
        rows.append((values[:, inside].mean(axis=1), true, said))
    return rows


def fitted(shares: np.ndarray, true: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    """The power under which the said one's share best tells how often it is right."""
    powers = np.exp(np.linspace(np.log(0.3), np.log(6.0), 80))
    right = true == said
    costs = []
    for power in powers:
        raised = np.clip(shares, 1e-6, 1.0) ** power
        sure = (raised / raised.sum(axis=1, keepdims=True))[np.arange(len(said)), said]
        sure = np.clip(sure, 1e-6, 1 - 1e-6)
        costs.append(-np.where(right, np.log(sure), np.log(1 - sure)).mean())
    best = int(np.argmin(costs))
    return float(powers[best]), float(costs[best])


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--weights", type=Path, required=True)
    words.add_argument("--livers", type=Path, default=None)
    words.add_argument("--samples", type=int, default=80)
    given = words.parse_args()
    torch.set_num_threads(1)
    card, tensors = load_segments(given.weights)
    network = built(card, tensors).eval()
    drawn = anatomies(FIRST_SEED, COUNT, card.spec.spacing_mm, given.livers)
    warp = Warp(patch=card.spec.patch, angle_deg=10.0, scale=(0.85, 1.15), bend_vox=1.5)
    task = SegmentsTask(anatomies=drawn, seed=77, warp=warp, spec=card.spec)
    rng = np.random.default_rng(77)
    rows, voxels = [], []
    for step in range(given.samples):
        image, truth = task(step)
        with torch.inference_mode():
            values = torch.softmax(network(image[None])[0].float(), dim=0).numpy()
        rows += balls(values, truth.numpy(), rng)
        inside = truth.numpy() > 0
        voxels.append(float((values.argmax(axis=0) + 1 == truth.numpy())[inside].mean()))
    shares, true, said = (np.array([row[n] for row in rows]) for n in range(3))
    of_lobes = np.stack([shares[:, n == LOBE_OF].sum(axis=1) for n in range(3)], axis=1)
    segment, _ = fitted(shares, true, said)
    lobe, _ = fitted(of_lobes, LOBE_OF[true], LOBE_OF[said])
    path = given.weights.with_suffix(".json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["segment_power"], document["lobe_power"] = round(segment, 3), round(lobe, 3)
    document["about"]["calibration"] = {
        "livers": COUNT,
        "balls": len(rows),
        "voxels": round(float(np.mean(voxels)), 3),
        "segment": round(float((true == said).mean()), 3),
        "lobe": round(float((LOBE_OF[true] == LOBE_OF[said]).mean()), 3),
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(segment, lobe, document["about"]["calibration"])
