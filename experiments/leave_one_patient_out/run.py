"""Lesions of patients a network has never seen: leave one patient out on the LiTS crops.

    python experiments/leave_one_patient_out/run.py --output RUNS [--base-steps 1500] [--fold-steps 500]

One base network learns from synthetic patients and from lesions painted into bare livers of another
set; it sees no LiTS crop. From there five networks go on, each with the crops of all patients but
one, and are measured on that one with its true liver given. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from netseg.cli.registry import build
from netseg.domain import Grid, LabelMap, Mask
from netseg.evaluation import Outlines, Overlap, score_case
from netseg.geometry.components import components
from netseg.segment.card import NetworkCard
from netseg.segment.cascade import Network, Probability, find_lesions
from netseg.segment.inputs import choose, cubic
from netseg.segment.listing import Listing, list_lesions
from netseg.segment.sampling import resize
from netseg.tracking import NoTracker
from netseg.training.fit import Schedule, fit
from netseg.training.scenes import LESION, lits_crops
from netseg.training.sources import data_root
from netseg.training.steps import Curriculum, Stage

HERE = Path(__file__).resolve().parent
PATIENTS = {
    "a": ("lits00", "lits01"),  # one patient at two dates
    "b": ("lits02",),
    "c": ("lits03",),
    "d": ("lits04",),
    "e": ("lits05",),
}
BINS = {"<10": (0.0, 10.0), "10-20": (10.0, 20.0), ">20": (20.0, 1e9)}


def settings() -> dict[str, Any]:
    return yaml.safe_load((HERE / "tasks.yaml").read_text())


def train(
    folder: Path,
    task: dict[str, Any],
    steps: int,
    rate: float,
    threads: int,
    start: dict[str, torch.Tensor] | None = None,
) -> Any:
    schedule = Schedule(
        steps=steps,
        checkpoint_every=50,
        learning_rate=rate,
        warmup_steps=30,
        cooldown_steps=steps // 4,
        average_decay=0.99,
        threads=threads,
    )
    curriculum = Curriculum((Stage(from_step=0, task=build(task)),))
    spec = build(settings()["network"])
    return fit(
        spec,
        curriculum,
        schedule,
        folder=folder,
        tracker=NoTracker(),
        resume=True,
        start=start,
    )


def measure(module: Any, cases: tuple[str, ...], threshold: float) -> list[dict[str, Any]]:
    spec = module.spec
    card = NetworkCard(spec=spec, spacing_mm=1.5, patch=(80, 80, 80), threshold=threshold)
    network = Network(card=card, module=module.averaged.eval(), device=torch.device("cpu"))
    rows = []
    for scene in lits_crops(data_root(None), cases, 1.5):
        affine = np.diag((1.5, 1.5, 1.5, 1.0))
        i, j, k = scene.labels.shape
        grid = Grid(shape=(i, j, k), affine_lps=affine, frame_uid="1.2")
        truth = components(Mask((scene.labels == LESION).numpy(), grid))
        inputs = choose(_study(scene, grid))
        coarse = cubic(inputs.axes, 3.0)
        given = resize(scene.liver.numpy().astype(np.float32), inputs.axes, coarse)
        liver = Probability(values=given, axes=coarse)
        lesion, _ = find_lesions(inputs, inputs.axes, liver, network, 6.0)
        values = np.concatenate([v for _, v in lesion.slabs(inputs.axes)], axis=2)
        rules = Listing(smallest_ml=0.05, least_inside=0.5, least_confidence=0.0)
        listed = list_lesions(values, scene.liver.numpy(), grid, threshold, rules)
        mine = Outlines(lesions=LabelMap(listed.labels, grid), confidence=listed.confidence)
        score = score_case(mine, truth, id=scene.name, tolerances_mm=())
        rows.append(
            {
                "case": scene.name,
                "dice": round(score.lesion.dice, 3),
                "false_positives": score.detection.false_positives,
                "lesions": [
                    {
                        "diameter_mm": round(one.equivalent_diameter_mm, 1),
                        "found": one.detected,
                        "iou_0.1": one.found_at(Overlap.IOU_10),
                    }
                    for one in score.detection.lesions
                ],
            }
        )
        print(scene.name, rows[-1]["dice"], rows[-1]["false_positives"], flush=True)
    return rows


def _study(scene: Any, grid: Grid) -> Any:
    from netseg.domain import Modality, Phase, Quantity, Series, Study, Volume

    volume = Volume(scene.hu.numpy(), grid, Quantity.HU)
    series = Series(key="ct", modality=Modality.CT, volume=volume, phase=Phase.PORTAL_VENOUS)
    return Study(case_id=scene.name, series=(series,))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    lesions = [one for row in rows for one in row["lesions"]]
    return {
        "recall_by_diameter_mm": {
            name: {
                "lesions": len(own := [o for o in lesions if low <= o["diameter_mm"] < high]),
                "found": sum(o["found"] for o in own),
                "iou_0.1": sum(o["iou_0.1"] for o in own),
            }
            for name, (low, high) in BINS.items()
        },
        "false_positives_per_case": round(float(np.mean([r["false_positives"] for r in rows])), 2),
        "dice_mean": round(float(np.mean([r["dice"] for r in rows])), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--base-steps", type=int, default=1500)
    parser.add_argument("--fold-steps", type=int, default=500)
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--figures", type=Path)
    words = parser.parse_args()
    told = settings()
    base = words.output / "base"
    module = train(base, told["base"], words.base_steps, 1.2e-3, words.threads)
    start = {n: v.clone() for n, v in module.averaged.state_dict().items()}
    rows: list[dict[str, Any]] = []
    for patient, cases in PATIENTS.items():
        task = json.loads(json.dumps(told["fold"]))
        others = [c for p, own in PATIENTS.items() if p != patient for c in own]
        task["mixture"]["sources"][0]["cases"] = others
        folder = words.output / f"fold_{patient}"
        fold = train(folder, task, words.fold_steps, 6e-4, words.threads, start)
        rows += [{"patient": patient, **row} for row in measure(fold, cases, words.threshold)]
    answer = {
        "cross-validation": summary(rows),
        "base_steps": words.base_steps,
        "fold_steps": words.fold_steps,
        "threshold": words.threshold,
        "cases": rows,
    }
    print(json.dumps(answer["cross-validation"], indent=1))
    if words.figures:
        words.figures.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
