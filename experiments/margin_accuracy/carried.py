"""A lesion carried into a control scan: as voxels there, or as a field on a grid of its own?

python experiments/margin_accuracy/carried.py > experiments/margin_accuracy/carried.csv
"""

import argparse
import csv
import sys

import numpy as np
from measure import ball, turned

from netseg.domain import AblationZone, Evidence, Grid, LabelMap, Mask, Registration
from netseg.register.transport import carry_lesions
from netseg.verify import MarginRule
from netseg.verify.carried import carried_field

PAIRS_MM = (  # planning scan, control scan
    ((0.8, 0.8, 1.0), (0.8, 0.8, 1.0)),
    ((0.9, 0.9, 1.2), (1.0, 1.0, 1.5)),
    ((0.8, 0.8, 3.0), (0.8, 0.8, 1.0)),
    ((0.8, 0.8, 2.5), (1.0, 1.0, 2.0)),
    ((0.8, 0.8, 5.0), (0.9, 0.9, 5.0)),
)
TRUE_MM = 5.0


def grid(size_mm, spacing_mm, axes, centre_mm, frame):
    shape = np.ceil(size_mm / np.array(spacing_mm)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing_mm)
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(int(n) for n in shape), affine, frame)


def errors(planning_mm, control_mm, seed):
    rng = np.random.default_rng(seed)
    centre, r, off = rng.uniform(-3, 3, 3), rng.uniform(8, 13), rng.uniform(-2, 2, 3)
    middle = np.array((30.0, -20.0, 5.0))
    at = middle + rng.uniform(-2, 2, 3)
    planning = grid(60, planning_mm, np.eye(3), np.zeros(3), "planning")
    control = grid(76, control_mm, turned(12, (1, 2, 3)), middle, "control")
    matrix = np.eye(4)
    matrix[:3, :3] = turned(7, (1, 0, 2))
    matrix[:3, 3] = centre - matrix[:3, :3] @ at
    both = Registration(method="rigid", fixed=control, moving=planning, matrix=matrix)
    lesions = LabelMap(ball(planning, centre, r).astype(np.uint8), planning)
    zone = Mask(ball(control, at + off, r + TRUE_MM + np.linalg.norm(off)), control)
    seen = AblationZone(mask=zone, evidence=Evidence.CONTROL_SCAN)
    numbered = carry_lesions(both, lesions, control)
    fields = {1: carried_field(both, lesions.region(1))}
    rule = MarginRule()
    ways = ({}, {"lesion_fields": fields})
    found = [rule.check(numbered, seen, observed=True, details=False, **w) for w in ways]
    return [report.smallest_mm - TRUE_MM for report in found]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=12)
    wanted = parser.parse_args()
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["planning_mm", "control_mm", "pairs", "mae_as_voxels_mm", "mae_as_field_mm"])
    for planning_mm, control_mm in PAIRS_MM:
        found = np.array([errors(planning_mm, control_mm, n) for n in range(wanted.pairs)])
        sizes = ["x".join(map(str, s)) for s in (planning_mm, control_mm)]
        mae = [f"{mm:.2f}" for mm in np.abs(found).mean(axis=0)]
        table.writerow([*sizes, wanted.pairs, *mae])
        sys.stdout.flush()


if __name__ == "__main__":
    main()
