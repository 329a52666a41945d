"""Figures of a weights file on cases it was neither trained nor tuned on.

    python experiments/any_scan/measure.py --weights FILE [--what real painted synthetic mr] [--output FILE]

Synthetic and real figures stand apart. Nothing here may be used to choose anything.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from cases import KEPT_OUT, Case, painted, study_of, synthetic

from netseg.domain import Grid, LabelMap, Mask
from netseg.evaluation import Outlines, Overlap, score_case, summarise
from netseg.geometry.affine import lps_from_ras
from netseg.geometry.components import components
from netseg.segment import BuiltinBackend
from netseg.segment.channels import CHANNELS
from netseg.training.sources import data_root

SUBSETS = {
    "portal + arterial CT": ("ct_arterial", "ct_portal"),
    "hepatobiliary MR": ("mr_hepatobiliary",),
    "SSTR-PET": ("pet_sstr",),
    "everything": CHANNELS,
    "portal CT": ("ct_portal",),
    "arterial CT": ("ct_arterial",),
    "native CT": ("ct_native",),
    "portal CT + SSTR-PET": ("ct_portal", "pet_sstr"),
    "T2 + DWI": ("mr_t2", "mr_dwi"),
}
"""The first four have a bar; the others are reported."""
EOB = ("test_01", "test_04", "test_08", "test_09")
EOB_IN_PLANE = 2.6  # what the data's description says of the header's in-plane voxel size


def measure(backend: BuiltinBackend, cases: Any) -> tuple[dict[str, Any], list[Any]]:
    """Figures per case and over all, as JSON."""
    scores, rows = [], {}
    for case in cases:
        start = time.perf_counter()
        found = backend.segment(case.study)
        seconds = time.perf_counter() - start
        mine = Outlines(
            lesions=found.lesions,
            regions={"liver": found.liver} if found.liver else {},
            probability=found.lesion_probability,
            confidence=found.confidence,
        )
        truth = Outlines(lesions=case.lesions, regions={"liver": case.liver})
        surfaces = (2.0,) if case.lesions.grid.is_orthogonal else ()
        score = score_case(mine, truth, id=case.name, patient=case.name, tolerances_mm=surfaces)
        scores.append(score)
        rows[case.name] = {
            "liver_dice": round(score.regions["liver"].dice, 4),
            "lesion_dice": round(score.lesion.dice, 4),
            "lesions": [
                {
                    "diameter_mm": round(one.equivalent_diameter_mm, 1),
                    "covered": round(one.covered, 3),
                    "found": one.detected,
                }
                for one in score.detection.lesions
            ],
            "false_positives": score.detection.false_positives,
            "boundary_sd_mm": {n: round(v, 2) for n, v in found.boundary_sd_mm.items()},
            "seconds": round(seconds, 1),
        }
        print(
            case.name,
            json.dumps({k: v for k, v in rows[case.name].items() if k != "lesions"}),
            flush=True,
        )
    return {"summary": summary(scores), "cases": rows}, scores


def summary(scores: list[Any]) -> dict[str, Any]:
    whole = summarise(scores, draws=500)
    sizes = {"<5": (0, 5), "5-10": (5, 10), ">10": (10, 1e9)}
    lesions = [one for s in scores for one in s.detection.lesions]
    recall = {}
    for name, (low, high) in sizes.items():
        own = [one for one in lesions if low <= one.equivalent_diameter_mm < high]
        recall[name] = {
            "lesions": len(own),
            "found": sum(one.detected for one in own),
            "at IoU 0.1": sum(one.found_at(Overlap.IOU_10) for one in own),
        }
    calibrated = whole.calibration.get("liver")
    clean = [s for s in scores if s.is_clean]
    return {
        "cases": len(scores),
        "liver_dice_mean": round(float(np.mean([s.regions["liver"].dice for s in scores])), 4),
        "lesion_dice_mean": round(float(np.mean([s.lesion.dice for s in scores])), 4),
        "recall_by_diameter_mm": recall,
        "false_positives_per_case": round(
            float(np.mean([s.detection.false_positives for s in scores])), 2
        ),
        "clean_cases": len(clean),
        "clean_cases_without_false_positive": sum(not s.is_false_alarm for s in clean),
        "ece_within_10_mm_of_the_liver": None if calibrated is None else round(calibrated.ece, 4),
    }


def check_ct() -> Case:
    folder = data_root(None) / "ct_ircadb17"
    image, truth = nib.load(folder / "ct.nii.gz"), nib.load(folder / "liver_lesion.nii.gz")
    labels = np.asarray(truth.dataobj)
    grid = Grid(shape=labels.shape, affine_lps=lps_from_ras(image.affine), frame_uid="1.2")
    study = study_of("ct_ircadb17", {"ct_portal": np.asarray(image.dataobj)}, grid)
    return Case(
        name="ct_ircadb17",
        group="real",
        study=study,
        liver=Mask(labels > 0, grid),
        lesions=components(Mask(labels == 2, grid)),
    )


def mr_cases() -> Any:
    """Four MRs whose header is wrong; turned and stretched as their description says."""
    folder = data_root(None) / "mr_eob_check"
    for name in EOB:
        image = nib.load(folder / f"{name}_mr.nii.gz")
        labels = np.asarray(nib.load(folder / f"{name}_liver_lesion.nii.gz").dataobj)
        affine = image.affine.copy()
        affine[:2, :2] *= -EOB_IN_PLANE  # rotated by 180 degrees in plane as stored
        grid = Grid(shape=labels.shape, affine_lps=lps_from_ras(affine), frame_uid="1.2")
        values = np.asarray(image.dataobj).astype(np.float32)
        yield Case(
            name=f"mr_eob {name}",
            group="real",
            study=study_of(name, {"mr_hepatobiliary": values}, grid),
            liver=Mask(labels > 0, grid),
            lesions=components(Mask(labels == 2, grid)),
        )


def amos() -> Case:
    """A contrast MR whose liver is labelled; its lesions are not."""
    folder = data_root(None) / "mr_amos"
    image = nib.load(folder / "mr.nii.gz")
    labels = np.asarray(nib.load(folder / "organs.nii.gz").dataobj)
    grid = Grid(shape=labels.shape, affine_lps=lps_from_ras(image.affine), frame_uid="1.2")
    values = np.asarray(image.dataobj).astype(np.float32)
    return Case(
        name="mr_amos",
        group="real",
        study=study_of("mr_amos", {"mr_portal": values}, grid),
        liver=Mask(labels == 6, grid),
        lesions=LabelMap.empty(grid),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--what", nargs="+", default=["real", "painted", "synthetic", "mr"])
    parser.add_argument("--seeds", type=int, default=6, help="synthetic patients per subset")
    parser.add_argument("--output", type=Path)
    words = parser.parse_args()
    backend = BuiltinBackend(words.weights)
    answer: dict[str, Any] = {}
    if "real" in words.what:
        answer["real CT"], _ = measure(backend, [check_ct()])
    if "mr" in words.what:
        answer["real MR, geometry overridden"], _ = measure(backend, mr_cases())
        answer["real MR, liver only"], _ = measure(backend, [amos()])
    if "painted" in words.what:
        cases = painted(KEPT_OUT, range(1000, 1008), "kept out")
        answer["painted into livers kept out of training"], _ = measure(backend, cases)
    if "synthetic" in words.what:
        answer["synthetic"] = {}
        for name, channels in SUBSETS.items():
            print("==", name, flush=True)
            seeds = range(900_000, 900_000 + words.seeds)
            answer["synthetic"][name], _ = measure(backend, synthetic(seeds, channels, name))
            print(json.dumps(answer["synthetic"][name]["summary"]), flush=True)
    for name in (
        "real CT",
        "real MR, geometry overridden",
        "painted into livers kept out of training",
    ):
        if name in answer:
            print(name, json.dumps(answer[name]["summary"], indent=1))
    if words.output:
        words.output.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
