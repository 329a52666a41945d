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
from pathlib import Path
from typing import Any

import numpy as np
from cases import TRAINED, lits, painted, synthetic
from scipy.ndimage import distance_transform_edt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from netseg.domain import LabelMap
from netseg.evaluation import Outlines, score_case
from netseg.segment import BuiltinBackend
from netseg.segment.inputs import choose
from netseg.segment.listing import Listing, list_lesions

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
SURE = (0.0, 0.6, 0.7, 0.8, 0.85, 0.9)
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
        for sure, smallest in itertools.product(SURE, SMALLEST_ML):
            if sure and sure <= cut:
                continue
            rules = Listing(smallest_ml=smallest, least_inside=0.5, least_confidence=sure)
            scores = []
            for case, liver, probability in kept:
                calibrated = _with_temperature(probability, found)
                listed = list_lesions(calibrated, liver, case.lesions.grid, cut, rules)
                mine = Outlines(
                    lesions=LabelMap(listed.labels, case.lesions.grid),
                    confidence=listed.confidence,
                )
                scores.append(
                    score_case(
                        mine, case.lesions, id=case.name, patient=case.group, tolerances_mm=()
                    )
                )
            rows.append(_row(cut, sure, smallest, scores))
            print(rows[-1], flush=True)
    best = max(rows, key=lambda row: row["f1_of_groups"])
    answer = {"temperature": round(found, 3), "chosen": best, "rows": rows}
    print(json.dumps({k: answer[k] for k in ("temperature", "chosen")}, indent=1))
    if words.output:
        words.output.write_text(json.dumps(answer, indent=1) + "\n")


def _with_temperature(probability: np.ndarray, found: float) -> np.ndarray:
    z = logit(np.clip(probability.astype(np.float32), 1e-4, 1 - 1e-4)) / found
    return np.where(probability > 1e-4, expit(z), 0.0).astype(np.float32)


def _row(cut: float, sure: float, smallest: float, scores: list[Any]) -> dict[str, Any]:
    """F1 per group and their mean, so that the crowded group does not decide alone."""
    f1 = {}
    for group in sorted({s.patient for s in scores}):
        own = [s for s in scores if s.patient == group]
        hit = sum(one.detected for s in own for one in s.detection.lesions)
        lesions = sum(len(s.detection.lesions) for s in own)
        false = sum(s.detection.false_positives for s in own)
        true = sum(s.detection.predicted for s in own) - false
        recall, precision = hit / max(1, lesions), true / max(1, true + false)
        f1[group] = round(2 * recall * precision / max(1e-9, recall + precision), 3)
    false = sum(s.detection.false_positives for s in scores) / len(scores)
    dice = float(np.mean([s.lesion.dice for s in scores]))
    return {
        "threshold": cut,
        "least_confidence": sure,
        "smallest_ml": smallest,
        "f1": f1,
        "f1_of_groups": round(float(np.mean(list(f1.values()))), 4),
        "false_positives_per_case": round(false, 2),
        "dice": round(dice, 3),
    }


if __name__ == "__main__":
    main()
