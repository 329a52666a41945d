"""How well is an ablation zone outlined? By contrast and by the network, in phantoms and real livers.

python experiments/zone_segmentation/measure.py                # held-out pairs: what the default rests on
python experiments/zone_segmentation/measure.py --calibrate    # other pairs: how sure the outlines may be
python experiments/zone_segmentation/measure.py --real         # and the real CT of the data folder: looked at only
"""

import argparse
import json
import logging
import time
from pathlib import Path

import numpy as np
from pairs import LIVER_LOOKS, LOOKS, SLICES, astray, liver_pairs, phantom_pairs, real_pairs
from skimage import measure as mesh

from netseg.domain import Mask, NetsegError
from netseg.geometry.extent import bounding_box, crop
from netseg.verify.surface import keeping_volume, smooth_field, surface_of
from netseg.verify.zone import ClassicZone
from netseg.verify.zone_learned import LearnedZone

HERE = Path(__file__).parent
HELD_OUT = {"phantoms": (31, 32), "livers": ("11", "20"), "places": (1, 2)}
TO_CALIBRATE = {"phantoms": (41,), "livers": ("05", "07", "14"), "places": (3,)}
NINETY = 1.645  # standard deviations on either side that hold 90 % of a normal distribution
POINTS = 4000
REAL = ("real", "real: rim, gas")
KEYS = ("dice", "bias_mm", "surface_mm", "p95_mm", "volume_bias", "stated_sd_mm", "rms_mm", "within_90", "cpu_s")  # fmt: skip
logger = logging.getLogger("zone_segmentation")


def surface_mm(share, grid):
    """Points on a surface, from how much of each voxel lies inside."""
    index, *_ = mesh.marching_cubes(np.pad(share.astype(np.float32), 1), 0.5)
    points = grid.to_mm(index - 1.0)
    return points[np.random.default_rng(0).permutation(len(points))[:POINTS]]


def errors_mm(pair, found):
    """How far the found surface lies beyond the true one, seen from either; the margin's smoothing."""
    start, shape = bounding_box(Mask(pair.zone.inside | found.inside, found.grid), 8.0)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    truth, seen = crop(pair.zone, start, shape), crop(found, start, shape)
    fields = [keeping_volume(smooth_field(mask), mask) for mask in (truth, seen)]
    there = surface_mm(pair.zone_share[box], truth.grid)
    back = mesh_points(fields[1])
    return np.concatenate((-fields[1].at(there), fields[0].at(back)))


def mesh_points(field):
    points = surface_of(field).points_mm
    return points[np.random.default_rng(1).permutation(len(points))[:POINTS]]


def score(pair, seed, name, method, finder):
    """One row. Errors are positive where the zone found ends beyond the true one."""
    row = {"method": method, "case": name, "seed": seed, "zone_ml": pair.zone.volume_ml}
    cpu = time.process_time()
    try:
        found = finder.zone(pair.control, astray(pair.lesions, seed), pair.liver)
    except NetsegError as refusal:
        return {**row, "refused": str(refusal)}
    cpu = time.process_time() - cpu
    truth, seen = pair.zone.inside, found.mask.inside
    error = errors_mm(pair, found.mask)
    off = np.abs(error)
    return {
        **row,
        "dice": float(2 * (truth & seen).sum() / (truth.sum() + seen.sum())),
        "bias_mm": float(error.mean()),
        "surface_mm": float(off.mean()),
        "p95_mm": float(np.percentile(off, 95)),
        "p90_mm": float(np.percentile(off, 90)),
        "quantiles_mm": np.percentile(off, range(0, 101, 5)).tolist(),
        "volume_bias": float(seen.sum() / truth.sum() - 1),
        "stated_sd_mm": found.boundary_sd_mm,
        "rms_mm": float(np.sqrt(np.mean(error**2))),
        "within_90": float(np.mean(off <= NINETY * found.boundary_sd_mm)),
        "cpu_s": cpu,
    }


def summary(rows):
    """Means over the seeds of each case, and over all."""
    lines = []
    cases = [*dict.fromkeys(r["case"] for r in rows)]
    for method in dict.fromkeys(r["method"] for r in rows):
        groups = {name: [name] for name in cases}
        groups["all held out"] = [name for name in cases if name not in REAL]
        for name, wanted in groups.items():
            own = [r for r in rows if r["method"] == method and r["case"] in wanted]
            good = [r for r in own if "refused" not in r]
            line = {"method": method, "case": name, "cases": len(own), "refused": len(own) - len(good)}  # fmt: skip
            lines.append(line | {k: float(np.mean([r[k] for r in good])) if good else None for k in KEYS})  # fmt: skip
    return lines


def table(lines):
    head = ("zone", "outlined by", "cases (refused)", "Dice", "bias", "mean distance", "P95", "volume", "SD stated / RMS seen", "within 90 %", "CPU s")  # fmt: skip
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name in dict.fromkeys(line["case"] for line in lines):
        for line in (one for one in lines if one["case"] == name):
            start = f"| {name} | {line['method']} | {line['cases']} ({line['refused']}) |"
            if line["dice"] is None:
                out.append(start + " - |" * 8)
                continue
            out.append(
                f"{start} {line['dice']:.3f} | {line['bias_mm']:+.2f} | {line['surface_mm']:.2f} "
                f"| {line['p95_mm']:.2f} | {line['volume_bias']:+.1%} | {line['stated_sd_mm']:.2f} / "
                f"{line['rms_mm']:.2f} | {line['within_90']:.0%} | {line['cpu_s']:.1f} |"
            )
    return "\n".join(out)


def factor(rows, method):
    """By what the stated deviation must be multiplied so that 90 % of all surface points are held."""
    good = [r for r in rows if r["method"] == method and "refused" not in r]
    return float(np.percentile([r["p90_mm"] / (NINETY * r["stated_sd_mm"]) for r in good], 50))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calibrate", action="store_true", help="the pairs for calibration")
    parser.add_argument("--real", action="store_true", help="also the real CT of the data folder")
    parser.add_argument("--cases", nargs="*", default=[*LOOKS, *SLICES])
    parser.add_argument("--weights", type=Path, help="other weights than those shipped")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "figures.json")
    wanted = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    finders = {"classic": ClassicZone(), "learned": LearnedZone(weights=wanted.weights)}
    chosen = TO_CALIBRATE if wanted.calibrate else HELD_OUT
    sources = [phantom_pairs(chosen["phantoms"], wanted.cases), liver_pairs(chosen["livers"], chosen["places"])]  # fmt: skip
    if wanted.real:
        sources.append(real_pairs())
    rows = []
    for source in sources:
        for name, number, pair in source:
            for method, finder in finders.items():
                rows.append(score(pair, number, name, method, finder))
                logger.info("%s", rows[-1])
    if wanted.calibrate:
        for method in finders:
            logger.info("%s: deviation times %.2f", method, factor(rows, method))
        return
    order = [*LOOKS, *SLICES, *LIVER_LOOKS, *REAL]
    rows.sort(key=lambda r: (order.index(r["case"]), r["seed"], r["method"]))
    document = {"rows": rounded(rows), "summary": rounded(summary(rows))}
    wanted.output.write_text(json.dumps(document, indent=1) + "\n")
    print(table(summary(rows)))


def rounded(value):
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
