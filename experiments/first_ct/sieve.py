"""Which spots are listed as lesions: rules compared on training-side cases, whole cascade.

    python experiments/first_ct/sieve.py [--weights FILE] [--phantoms 4]

The six LiTS crops (training data) and phantoms of seeds that are neither trained nor measured on.
No check case is touched.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from netseg.domain import LabelMap, Modality, Phase, Quantity, Series, Study
from netseg.geometry.components import components
from netseg.phantom import LesionPrior, make_phantom, render_ct
from netseg.segment import BuiltinBackend
from netseg.segment.choose import choose_ct
from netseg.segment.orient import Orientation
from netseg.study.masks import read_labels
from netseg.study.nifti import read_volume_file
from netseg.training.sources import data_root

CASES = ("lits00", "lits01", "lits02", "lits03", "lits04", "lits05")
FIRST_SEED = 800000
THRESHOLDS, INSIDE, SURE = (0.5, 0.7), (0.0, 0.5), (0.0, 0.65, 0.75, 0.85)


def cases(phantoms: int):
    root = data_root(None) / "ct_lits_train"
    for name in CASES:
        volume = read_volume_file(root / f"{name}_ct.nii.gz", Quantity.HU, "1.2.3")
        truth = read_labels(str(root / f"{name}_liver_lesion.nii.gz"), volume.grid).region(2)
        yield name, volume, components(truth)
    for seed in range(FIRST_SEED, FIRST_SEED + phantoms):
        phantom = make_phantom(seed, spacing_mm=(1.5, 1.5, 2.0), lesions=LesionPrior())
        chance = np.random.default_rng(seed)
        yield f"phantom {seed}", render_ct(phantom, Phase.PORTAL_VENOUS, chance), phantom.lesions


def score(found: LabelMap, truth: LabelMap) -> dict[str, float]:
    hit = [v for v in truth.values if (found.labels[truth.labels == v] > 0).any()]
    true_spots = set(np.unique(found.labels[truth.labels > 0]).tolist()) - {0}
    both = float(((found.labels > 0) & (truth.labels > 0)).sum())
    size = float((found.labels > 0).sum() + (truth.labels > 0).sum())
    return {
        "lesions": len(truth.values),
        "hit": len(hit),
        "true": len(true_spots),
        "false": len(found.values) - len(true_spots),
        "dice": 2 * both / size if size else 1.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--phantoms", type=int, default=4)
    words = parser.parse_args()
    rules = list(itertools.product(THRESHOLDS, INSIDE, SURE))
    rows: dict[tuple[float, float, float], list[dict[str, float]]] = {rule: [] for rule in rules}
    backend = BuiltinBackend(words.weights)
    for name, volume, truth in cases(words.phantoms):
        series = Series(key=name, modality=Modality.CT, volume=volume, phase=Phase.PORTAL_VENOUS)
        chosen = choose_ct(Study(case_id="sieve", series=(series,)))
        _, liver_net, lesion_net = backend.networks()
        turn = Orientation.of(volume.grid)
        values, axes = turn.turn(chosen.volume.values), turn.axes(volume.grid)
        for threshold in THRESHOLDS:
            backend.lesion_threshold = threshold
            found = backend._find(values, axes, liver_net, lesion_net, chosen)  # noqa: SLF001
            for rule in rules:
                if rule[0] != threshold:
                    continue
                backend.least_inside, backend.least_confidence = rule[1:]
                listed, _ = backend._list(turn, found, chosen)  # noqa: SLF001
                rows[rule].append(score(listed, truth))
    for rule, scores in rows.items():
        total = {k: sum(s[k] for s in scores) for k in ("lesions", "hit", "true", "false")}
        recall = total["hit"] / total["lesions"]
        precision = total["true"] / max(1, total["true"] + total["false"])
        figures = {
            "threshold": rule[0],
            "least_inside": rule[1],
            "least_confidence": rule[2],
            "recall": round(recall, 3),
            "precision": round(precision, 3),
            "f1": round(2 * recall * precision / max(1e-9, recall + precision), 3),
            "dice_mean": round(float(np.mean([s["dice"] for s in scores])), 3),
            "false_per_case": round(total["false"] / len(scores), 2),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
