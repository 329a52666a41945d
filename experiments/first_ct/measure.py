"""Figures of a weights file: phantom hold-out, and the real check CT where it is found.

    python experiments/first_ct/measure.py [--weights FILE] [--phantoms 8] [--real] [--output FILE]

The phantoms' seeds begin at 900000 and are never trained on. The real CT is measured only.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from netseg.domain import Grid, Mask, Modality, Phase, Quantity, Series, Study, Volume
from netseg.evaluation import dice, score_lesions
from netseg.geometry.affine import lps_from_ras
from netseg.segment import BuiltinBackend

FIRST_SEED = 900_000


def study(hu, grid):
    volume = Volume(np.ascontiguousarray(hu), grid, Quantity.HU)
    series = Series(key="ct", modality=Modality.CT, volume=volume, phase=Phase.PORTAL_VENOUS)
    return Study(case_id="case", series=(series,))


def measure(backend, hu, labels, grid):
    start = time.perf_counter()
    found = backend.segment(study(hu, grid))
    seconds = time.perf_counter() - start
    liver, lesions = Mask(labels > 0, grid), Mask(labels == 2, grid)
    score = score_lesions(found.lesions.region(), lesions)
    return found, {
        "liver_dice": round(dice(found.liver, liver), 4),
        "lesion_dice": round(dice(found.lesions.region(), lesions), 4),
        "lesions": [
            {
                "diameter_mm": round(one.equivalent_diameter_mm, 1),
                "volume_ml": round(one.volume_ml, 2),
                "covered": round(one.covered, 3),
                "found": one.detected,
            }
            for one in score.lesions
        ],
        "false_positives": score.false_positives,
        "predicted_ml": round(found.lesions.region().volume_ml, 2),
        "seconds": round(seconds, 1),
    }


def phantoms(backend, count):
    from netseg.phantom import training_case

    cases = {}
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        hu, labels, _ = training_case(seed, spacing_mm=1.5)
        affine = np.diag((1.5, 1.5, 1.5, 1.0))
        grid = Grid(shape=hu.shape, affine_lps=affine, frame_uid="1.2")
        _, cases[str(seed)] = measure(backend, hu, labels, grid)
        print(seed, cases[str(seed)], flush=True)
    return cases


def summary(cases):
    sizes = {"<5": (0, 5), "5-10": (5, 10), ">10": (10, 1000)}
    every = [one for case in cases.values() for one in case["lesions"]]
    recall = {}
    for name, (low, high) in sizes.items():
        bin_ = [one["found"] for one in every if low <= one["diameter_mm"] < high]
        recall[name] = {"lesions": len(bin_), "found": sum(bin_)}
    return {
        "liver_dice_mean": round(float(np.mean([c["liver_dice"] for c in cases.values()])), 4),
        "lesion_dice_mean": round(float(np.mean([c["lesion_dice"] for c in cases.values()])), 4),
        "recall_by_diameter_mm": recall,
        "false_positives_per_case": round(
            float(np.mean([c["false_positives"] for c in cases.values()])), 2
        ),
    }


def real(backend):
    root = Path(os.environ.get("NETSEG_DATA") or Path(__file__).parents[3] / "shared" / "data")
    folder = root / "ct_ircadb17"
    image, truth = nib.load(folder / "ct.nii.gz"), nib.load(folder / "liver_lesion.nii.gz")
    hu, labels = np.asarray(image.dataobj).astype(np.int16), np.asarray(truth.dataobj)
    grid = Grid(shape=hu.shape, affine_lps=lps_from_ras(image.affine), frame_uid="1.2")
    return (*measure(backend, hu, labels, grid), hu, labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--phantoms", type=int, default=8)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--save", type=Path, help="keep the real CT's masks here, to look at")
    words = parser.parse_args()
    backend = BuiltinBackend(words.weights, lesion_threshold=words.threshold)
    answer = {}
    if words.phantoms:
        cases = phantoms(backend, words.phantoms)
        answer["synthetic"] = {"summary": summary(cases), "cases": cases}
        print(json.dumps(answer["synthetic"]["summary"]))
    if words.real:
        found, figures, hu, labels = real(backend)
        answer["real"] = {"ct_ircadb17": figures}
        print(json.dumps(answer["real"]))
        if words.save:
            np.savez(
                words.save,
                hu=hu,
                labels=labels,
                liver=found.liver.inside,
                lesions=found.lesions.labels,
                probability=found.lesion_probability.values.astype(np.float16),
            )
    if words.output:
        words.output.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
