"""Temperature, threshold and listing rules, chosen on training-side cases.

    python experiments/any_scan/tune.py --weights FILE [--output FILE]

Cases: the six LiTS crops, fresh lesions painted into livers that were trained on, fresh synthetic
patients of seeds below the hold-out's. No check case and none of the kept-out livers is touched.
The networks run once per case; everything else is arithmetic on their probabilities.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cases import TRAINED, lits, painted, synthetic
from scipy.ndimage import distance_transform_edt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from netseg.segment import BuiltinBackend
from netseg.segment.inputs import choose
from netseg.segment.listing import Listing, list_lesions

THRESHOLDS = (0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
SURE = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SMALLEST_ML = (0.03, 0.06, 0.12)
PHANTOMS = {
    ("ct_portal",): range(800_000, 800_002),
    ("ct_arterial", "ct_portal"): range(800_010, 800_012),
    ("mr_hepatobiliary",): range(800_020, 800_022),
    ("pet_sstr",): range(800_030, 800_032),
}


def all_cases() -> Any:
    yield from lits()
    yield from painted(TRAINED, range(3), "painted")
    for channels, seeds in PHANTOMS.items():
        yield from synthetic(seeds, channels, "synthetic")


def temperature(values: np.ndarray, truth: np.ndarray) -> float:
    """What the logits must be divided by for the least cross-entropy."""
    z = logit(np.clip(values.astype(np.float64), 1e-5, 1 - 1e-5))

    def cost(log_t: float) -> float:
        p = np.clip(expit(z / np.exp(log_t)), 1e-7, 1 - 1e-7)
        return float(-np.mean(np.where(truth, np.log(p), np.log1p(-p))))

    return float(np.exp(minimize_scalar(cost, bounds=(-1.5, 1.5), method="bounded").x))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    words = parser.parse_args()
    backend = BuiltinBackend(words.weights)
    kept, values, truths = [], [], []
    for case in all_cases():
        liver, probability = backend.find(choose(case.study))
        inside = case.lesions.labels > 0
        near = distance_transform_edt(~case.liver.inside) <= 4
        step = np.flatnonzero(near.ravel())[:: max(1, int(near.sum()) // 100_000)]
        values.append(probability.ravel()[step])
        truths.append(inside.ravel()[step])
        kept.append((case, liver, probability.astype(np.float16)))
        print(case.name, flush=True)
    found = temperature(np.concatenate(values), np.concatenate(truths))
    rows = []
    for cut in THRESHOLDS:
        seen = [Spots.of(case, liver, calibrated(p, found), cut) for case, liver, p in kept]
        for sure, smallest in itertools.product(SURE, SMALLEST_ML):
            if not sure or sure > cut:
                rows.append(_row(cut, sure, smallest, seen))
    best = max(rows, key=lambda row: row["f1_of_groups"])
    answer = {"temperature": round(found, 3), "chosen": best, "rows": rows}
    print(json.dumps({k: answer[k] for k in ("temperature", "chosen")}, indent=1))
    if words.output:
        words.output.write_text(json.dumps(answer, indent=1) + "\n")


def calibrated(probability: np.ndarray, found: float) -> np.ndarray:
    """Probabilities whose logits are divided by the temperature."""
    z = logit(np.clip(probability.astype(np.float32), 1e-4, 1 - 1e-4)) / found
    return np.where(probability > 1e-4, expit(z), 0.0).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spots:
    """What there is above one threshold in one case: per spot its facts, and the truth's size."""

    group: str
    lesions: int
    truth_ml: float
    volume_ml: np.ndarray
    sure: np.ndarray
    common_ml: np.ndarray
    hits: list[set[int]]

    @classmethod
    def of(cls, case: Any, liver: np.ndarray, probability: np.ndarray, cut: float) -> Spots:
        rules = Listing(smallest_ml=0.0, least_inside=0.5, least_confidence=0.0)
        listed = list_lesions(probability, liver, case.lesions.grid, cut, rules)
        voxel = case.lesions.grid.voxel_volume_ml
        labels, truth = listed.labels, case.lesions.labels
        count = len(listed.confidence) + 1
        pairs = np.unique(np.stack((labels, truth), -1)[(labels > 0) & (truth > 0)], axis=0)
        return cls(
            group=case.group,
            lesions=len(case.lesions.values),
            truth_ml=float((truth > 0).sum()) * voxel,
            volume_ml=np.bincount(labels.ravel(), minlength=count)[1:] * voxel,
            sure=np.array([listed.confidence[n] for n in range(1, count)]),
            common_ml=np.bincount(labels[truth > 0], minlength=count)[1:] * voxel,
            hits=[{int(t) for s, t in pairs if s == n} for n in range(1, count)],
        )


def _row(cut: float, sure: float, smallest: float, seen: list[Spots]) -> dict[str, Any]:
    """F1 per group and their mean, so that the crowded group does not decide alone."""
    groups: dict[str, list[int]] = {}
    dice = []
    for case in seen:
        keep = np.flatnonzero((case.sure >= sure) & (case.volume_ml >= smallest))
        hit = set().union(*(case.hits[n] for n in keep)) if len(keep) else set()
        true = sum(bool(case.hits[n]) for n in keep)
        size = case.truth_ml + float(case.volume_ml[keep].sum())
        dice.append(2.0 * float(case.common_ml[keep].sum()) / size if size else 1.0)
        counts = groups.setdefault(case.group, [0, 0, 0, 0])
        for place, number in enumerate((len(hit), case.lesions, true, len(keep) - true)):
            counts[place] += number
    f1 = {}
    for group, (hit, lesions, true, false) in groups.items():
        recall, precision = hit / max(1, lesions), true / max(1, true + false)
        f1[group] = round(2 * recall * precision / max(1e-9, recall + precision), 3)
    return {
        "threshold": cut,
        "least_confidence": sure,
        "smallest_ml": smallest,
        "counts_hit_lesions_true_false": groups,
        "f1": f1,
        "f1_of_groups": round(float(np.mean(list(f1.values()))), 4),
        "dice": round(float(np.mean(dice)), 3),
    }


if __name__ == "__main__":
    main()
