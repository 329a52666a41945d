"""Error of three ways to measure a margin, on random pairs of spheres whose margin is known.

python experiments/margin_accuracy/measure.py > experiments/margin_accuracy/figures.csv
"""

import argparse
import csv
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy import ndimage

from netseg.domain import AblationZone, Evidence, Grid, Mask, Verdict
from netseg.verify import MarginRule

SPACINGS_MM = ((1.0, 1.0, 1.0), (0.8, 0.8, 2.5), (0.8, 0.8, 5.0))
METHODS = ("netseg", "box to box", "naive EDT")
CUTOFF_MM = 5.0
HEADS = (
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
    "a0_from_6_mm",
)


def turned(degrees, about):
    """Axes turned about a direction (Rodrigues)."""
    x, y, z = np.array(about) / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


FLIPPED = np.diag([-1.0, 1.0, -1.0])
PERMUTED = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
ORIENTATIONS = (
    np.eye(3),
    FLIPPED,
    PERMUTED,
    turned(20, (1, 2, 3)),
    turned(20, (1, 2, 3)) @ FLIPPED @ PERMUTED,
)


def ball(grid, centre_mm, radius_mm):
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    away = grid.to_mm(index.reshape(-1, 3)) - centre_mm
    return (np.einsum("nd,nd->n", away, away) <= radius_mm**2).reshape(grid.shape)


def pair(spacing_mm, seed):
    """Lesion of 6 to 15 mm radius, margin of -2 to 8 mm, zone up to 4 mm off, anywhere in a voxel.

    The grids take turns in being straight, flipped, permuted, oblique, and all of it.
    """
    rng = np.random.default_rng(seed)
    r, truth, off = rng.uniform(6, 15), rng.uniform(-2, 8), rng.uniform(0, 4)
    way = rng.normal(size=3)
    centre = rng.uniform(-0.5, 0.5, 3) * spacing_mm
    big_r = truth + r + off
    half = np.array([np.ceil((max(r, big_r + off) + 5) / s) for s in spacing_mm]).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = ORIENTATIONS[seed % len(ORIENTATIONS)] * np.array(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ half
    grid = Grid(tuple(int(n) for n in 2 * half + 1), affine, "1.2.3")
    lesion = ball(grid, centre, r)
    zone = ball(grid, centre + way / np.linalg.norm(way) * off, big_r)
    return Mask(lesion, grid), Mask(zone, grid), truth


def errors(case):
    spacing_mm, seed = case
    lesion, zone, truth = pair(spacing_mm, seed)
    seen = AblationZone(mask=zone, evidence=Evidence.GIVEN_MASKS)
    rule = MarginRule(required_mm=CUTOFF_MM)
    (found,) = rule.check(lesion, seen, observed=True, details=False).lesions
    depth = ndimage.distance_transform_edt(zone.inside, sampling=spacing_mm)
    outside = lesion.inside & ~zone.inside
    beyond = ndimage.distance_transform_edt(~zone.inside, sampling=spacing_mm)
    naive = -beyond[outside].max() if outside.any() else depth[lesion.inside].min()
    said = found.verdict is Verdict.A0
    return truth, found.smallest_margin_mm, found.box_lower_bound_mm, round(float(naive), 2), said


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=334)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=2020)
    wanted = parser.parse_args()
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(HEADS)
    with ProcessPoolExecutor(wanted.workers) as workers:
        for spacing_mm in SPACINGS_MM:
            cases = [(spacing_mm, wanted.seed + n) for n in range(wanted.pairs)]
            found = np.array(list(workers.map(errors, cases, chunksize=10)), dtype=float)
            for method, margin in zip(METHODS, found[:, 1:4].T, strict=True):
                said = found[:, 4] > 0 if method == "netseg" else margin >= CUTOFF_MM
                figures = row(found[:, 0], margin, said)
                table.writerow(["x".join(map(str, spacing_mm)), method, len(cases), *figures])
            sys.stdout.flush()


def row(truth, margin, said):
    """Errors, verdicts that are wrong, and the share of margins from 6 mm on that are called A0."""
    error, is_a0 = margin - truth, truth >= CUTOFF_MM
    lengths = (error.mean(), np.abs(error).mean(), error.std(), error.min(), error.max())
    wide = truth >= CUTOFF_MM + 1
    return [
        *(f"{mm:+.2f}" for mm in lengths),
        int((said & ~is_a0).sum()),
        int((~said & is_a0).sum()),
        f"{said[wide].mean():.3f}" if wide.any() else "",
    ]


if __name__ == "__main__":
    main()
