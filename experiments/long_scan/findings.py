"""Peak memory and wall time of the measures alone on a made-up study of 512x512x1000 voxels.

Usage: python experiments/long_scan/findings.py [--slices 1000]

No network and no file: a CT of noise (int16), a liver of two ellipsoids, 22 lesions in it and one
ring-shaped outside, a probability per voxel (float32) as the built-in network hands on. The kernel says
what the process took at most, before the measures and with them.
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np

from netseg.domain import (
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    Phase,
    Quantity,
    Segmentation,
    Series,
    Study,
    Volume,
)
from netseg.findings import measure

SPACING_MM = (0.75, 0.75, 0.6)
LESIONS, SEED = 22, 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slices", type=int, default=1000)
    words = parser.parse_args()
    study, segmentation = made_up(words.slices)
    before = peak_gib()
    held = resident_gib()
    started = time.monotonic()
    findings = measure(study, segmentation)
    numbers = {
        "liver": dict(findings.liver_measures),
        "lesions": [
            {"id": one.id, "volume_ml": one.volume_ml, **one.measures, **one.segment_shares}
            for one in findings.lesions
        ],
    }
    text = json.dumps(numbers, sort_keys=True)
    print(
        json.dumps(
            {
                "shape": [512, 512, words.slices],
                "liver_ml": round(findings.liver_volume_ml or 0.0, 1),
                "lesions": len(findings.lesions),
                "held_before_gib": round(held, 2),
                "peak_before_gib": round(before, 2),
                "peak_gib": round(peak_gib(), 2),
                "above_what_was_held_gib": round(peak_gib() - held, 2),
                "wall_s": round(time.monotonic() - started, 1),
                "load_average": round(os.getloadavg()[0], 1),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "numbers_sha256": hashlib.sha256(text.encode()).hexdigest()[:12],
            },
            indent=1,
        )
    )
    if "NUMBERS" in os.environ:
        Path(os.environ["NUMBERS"]).write_text(text)


def made_up(slices: int) -> tuple[Study, Segmentation]:
    """The study and who lies where; slice by slice, so that making it takes no more than it holds."""
    shape = (512, 512, slices)
    affine = np.diag([*SPACING_MM, 1.0])
    grid = Grid(shape, affine, "1.2.3")
    rng = np.random.default_rng(SEED)
    liver = np.zeros(shape, np.bool_)
    middle = 0.55 * slices
    ellipsoid(liver, (170, 230, middle), (115, 105, 0.18 * slices), 1)
    ellipsoid(liver, (290, 200, middle + 0.05 * slices), (95, 65, 0.09 * slices), 1)
    lesions = np.zeros(shape, np.uint8)
    for number in range(1, LESIONS + 1):
        place = (
            rng.uniform(90, 250),
            rng.uniform(160, 300),
            middle + rng.uniform(-0.1, 0.1) * slices,
        )
        radius = rng.uniform(5, 22) if number < LESIONS else 45.0
        ellipsoid(lesions, place, (radius, radius, radius * 1.25), number)
    ct = np.empty(shape, np.int16)
    noise = rng.normal(0, 12, (512, 512)).astype(np.int16)
    for k in range(slices):
        here = np.where(liver[:, :, k], 110, -80) - 40 * (lesions[:, :, k] > 0)
        ct[:, :, k] = here + np.roll(noise, 7 * k)
        liver[:, :, k] |= lesions[:, :, k] > 0
    probability = np.zeros(shape, np.float32)
    probability[lesions > 0] = 0.9
    probability += np.float32(1e-3)  # so that every page is held
    series = Series(
        key="ct",
        modality=Modality.CT,
        volume=Volume(ct, grid, Quantity.HU),
        phase=Phase.PORTAL_VENOUS,
    )
    return Study(case_id="made-up", series=(series,)), Segmentation(
        series_key="ct",
        liver=Mask(liver, grid),
        lesions=LabelMap(lesions, grid),
        lesion_probability=Volume(probability, grid, Quantity.PROBABILITY),
        provenance=ModelProvenance(backend="masks", name="made up"),
    )


def ellipsoid(
    array: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...], value: int
) -> None:
    """Write a value into the voxels of an ellipsoid along the axes."""
    box = tuple(
        slice(max(0, int(c - r)), min(n, int(c + r) + 2))
        for c, r, n in zip(centre, radii, array.shape, strict=True)
    )
    axes = np.ogrid[box]
    far = sum(((x - c) / r) ** 2 for x, c, r in zip(axes, centre, radii, strict=True))
    array[box][far <= 1] = value


def peak_gib() -> float:
    """The most this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def resident_gib() -> float:
    """What it holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**3


if __name__ == "__main__":
    main()
