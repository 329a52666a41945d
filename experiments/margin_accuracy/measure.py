"""Error of three ways to measure a margin, on random pairs of spheres whose margin is known.

python experiments/margin_accuracy/measure.py --pairs 40 > experiments/margin_accuracy/figures.csv
"""

import argparse
import csv
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy import ndimage

from netseg.domain import AblationZone, Evidence, Grid, Mask
from netseg.verify import MarginRule

SPACINGS_MM = ((1.0, 1.0, 1.0), (0.8, 0.8, 2.5), (0.8, 0.8, 5.0))
METHODS = ("netseg", "box to box", "naive EDT")
CUTOFF_MM = 5.0


def ball(grid, centre_mm, radius_mm):
    axes = np.ix_(*(np.arange(n) for n in grid.shape))
    steps = zip(axes, grid.affine_lps[:3, 3], grid.spacing_mm, centre_mm, strict=True)
    return sum((a * s + first - c) ** 2 for a, first, s, c in steps) <= radius_mm**2


def pair(spacing_mm, seed):
    """Lesion of 6 to 15 mm radius, margin of -2 to 8 mm, zone up to 4 mm off, anywhere in a voxel."""
    rng = np.random.default_rng(seed)
    r, truth, off = rng.uniform(6, 15), rng.uniform(-2, 8), rng.uniform(0, 4)
    way = rng.normal(size=3)
    centre = rng.uniform(-0.5, 0.5, 3) * spacing_mm
    big_r = truth + r + off
    half = np.array([np.ceil((max(r, big_r + off) + 5) / s) for s in spacing_mm]).astype(int)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -half * spacing_mm
    grid = Grid(tuple(int(n) for n in 2 * half + 1), affine, "1.2.3")
    lesion = ball(grid, centre, r)
    zone = ball(grid, centre + way / np.linalg.norm(way) * off, big_r)
    return Mask(lesion, grid), Mask(zone, grid), truth


def errors(case):
    spacing_mm, seed = case
    lesion, zone, truth = pair(spacing_mm, seed)
    seen = AblationZone(mask=zone, evidence=Evidence.GIVEN_MASKS)
    (found,) = MarginRule(required_mm=CUTOFF_MM).check(lesion, seen, observed=True).lesions
    depth = ndimage.distance_transform_edt(zone.inside, sampling=spacing_mm)
    outside = lesion.inside & ~zone.inside
    beyond = ndimage.distance_transform_edt(~zone.inside, sampling=spacing_mm)
    naive = -beyond[outside].max() if outside.any() else depth[lesion.inside].min()
    return truth, found.smallest_margin_mm, found.box_lower_bound_mm, round(float(naive), 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2020)
    wanted = parser.parse_args()
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(
        [
            "spacing_mm",
            "method",
            "pairs",
            "bias_mm",
            "mae_mm",
            "sd_mm",
            "min_mm",
            "max_mm",
            "false_a0",
            "missed_a0",
        ]
    )
    with ProcessPoolExecutor(2) as workers:
        for spacing_mm in SPACINGS_MM:
            cases = [(spacing_mm, wanted.seed + n) for n in range(wanted.pairs)]
            found = np.array(list(workers.map(errors, cases)))
            truth = found[:, 0]
            for method, margin in zip(METHODS, found[:, 1:].T, strict=True):
                error = margin - truth
                false_a0 = int(((margin >= CUTOFF_MM) & (truth < CUTOFF_MM)).sum())
                missed_a0 = int(((margin < CUTOFF_MM) & (truth >= CUTOFF_MM)).sum())
                figures = (
                    error.mean(),
                    np.abs(error).mean(),
                    error.std(),
                    error.min(),
                    error.max(),
                )
                table.writerow(
                    ["x".join(map(str, spacing_mm)), method, len(cases)]
                    + [f"{figure:+.2f}" for figure in figures]
                    + [false_a0, missed_a0]
                )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
