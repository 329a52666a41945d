"""The benchmark's pairs as files, for programs that are not netseg.

    python experiments/margin_benchmark/write.py OUT --variants plain --seeds 1 2 3

Per case: planning and control scan, liver and lesions of both, zone, landmarks (LPS mm, control and
planning), the true motion as a displacement field, and truth.json with the margins.
"""

import argparse
import json
from pathlib import Path

import nibabel
import numpy as np
from cases import VARIANTS, synthetic

from netseg.geometry.nifti import to_nifti


def write(folder, pair, known):
    folder.mkdir(parents=True, exist_ok=True)
    images = {
        "planning": pair.planning,
        "planning_liver": known.liver,
        "planning_lesions": known.lesions,
        "control": pair.control,
        "control_liver": pair.liver,
        "control_lesions_truth": pair.lesions,
        "zone": pair.zone,
    }
    for name, image in images.items():
        nibabel.save(to_nifti(image), folder / f"{name}.nii.gz")
    points = np.hstack((pair.landmarks_control_mm, pair.landmarks_planning_mm))
    head = "control_x,control_y,control_z,planning_x,planning_y,planning_z"
    np.savetxt(folder / "landmarks.csv", points, "%.3f", ",", header=head, comments="")
    motion = pair.motion.as_registration(pair.control.grid, pair.planning.grid)
    np.savez_compressed(
        folder / "motion.npz",
        matrix=motion.matrix,
        bend_mm=motion.bend_mm,
        bend_affine_lps=motion.bend_grid.affine_lps,
    )
    truth = {
        str(n): {
            "to_viable_liver_mm": round(m.to_viable_mm, 3),
            "to_zone_mm": round(m.to_zone_mm, 3),
        }
        for n, m in pair.margins.items()
    }
    (folder / "truth.json").write_text(json.dumps({"margins": truth}, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    wanted = parser.parse_args()
    for name in wanted.variants:
        for seed in wanted.seeds:
            write(wanted.output / f"{name}_{seed}", *synthetic(VARIANTS[name], seed))


if __name__ == "__main__":
    main()
