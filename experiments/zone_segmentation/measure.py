"""How well is an ablation zone outlined? Painted zones in phantoms, and in the real CT.

python experiments/zone_segmentation/measure.py            # phantoms
python experiments/zone_segmentation/measure.py --real     # and the real CT of the data folder
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

import numpy as np

from netseg.domain import LabelMap, NetsegError, Phase, Quantity, Volume
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample, resample_mask
from netseg.phantom import LesionKind, LesionSpec, make_phantom, render_ct
from netseg.phantom.ablated import ControlSetup, Known, denoised, make_control
from netseg.phantom.ablated_motion import MotionPrior
from netseg.phantom.ablated_paint import ControlLooks
from netseg.phantom.ablated_zone import ZoneOrder
from netseg.phantom.ct import CtContrast
from netseg.study.masks import read_instances, read_mask
from netseg.study.nifti import read_volume_file
from netseg.verify.zone import ClassicZone

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NETSEG_DATA") or HERE.parents[2] / "shared" / "data")
ROOM_MM = 50.0  # around the lesion
ASTRAY_MM = 4.0  # what a registration by the livers leaves
LOOKS = {
    "plain": {},
    "rim +15 HU": {"rim_hu": 15.0},
    "rim +30 HU": {"rim_hu": 30.0},
    "gas": {"gas": 12},
    "needle in place": {"needle": True},
    "dense core": {"core_hu": 90.0},
    "noise 20 HU": {"noise_hu": 20.0},
    "noise 30 HU": {"noise_hu": 30.0},
    "contrast 30 HU": {"zone_hu": 74.0},
    "contrast 20 HU": {"zone_hu": 84.0},
    "contrast 12 HU": {"zone_hu": 92.0},
    "rim, gas, core, needle": {"rim_hu": 25.0, "gas": 8, "core_hu": 85.0, "needle": True},
}
SLICES = {"slices of 2.5 mm": (1.0, 1.0, 2.5), "slices of 5 mm": (1.0, 1.0, 5.0)}
logger = logging.getLogger("zone_segmentation")


def phantom_around_lesion(seed):
    """The surroundings of a lesion of 14 to 22 mm on 1.5 mm voxels, with noise and without."""
    diameter = float(np.random.default_rng(seed).uniform(14.0, 22.0))
    spec = LesionSpec(diameter_mm=diameter, elongation=1.15, irregularity=0.1, kind=LesionKind.HYPOVASCULAR)  # fmt: skip
    phantom = make_phantom(seed, spacing_mm=(1.5, 1.5, 1.5), lesions=[spec])
    start, shape = bounding_box(phantom.lesions.region(), ROOM_MM)
    loud, silent = (
        crop(render_ct(phantom, Phase.PORTAL_VENOUS, np.random.default_rng(seed), contrast=CtContrast(noise_hu=hu)), start, shape)
        for hu in (12.0, 0.0)
    )  # fmt: skip
    known = Known(
        source=silent,
        liver=crop(phantom.liver, start, shape),
        lesions=crop(phantom.lesions, start, shape),
        blobs={n: b for n, b in phantom.blobs.items() if n > 0},
    )
    return loud, known, diameter


def ablated(loud, known, diameter, seed, looks, spacing_mm=None):
    rng = np.random.default_rng((seed, 7))
    half = (diameter / 2 + rng.uniform(2.0, 9.0)) * rng.uniform(0.95, 1.2, 3)
    order = ZoneOrder(
        lesions=(1,), half_axes_mm=(float(half[0]), float(half[1]), float(half[2])), rough_mm=1.0,
        offset_mm=(float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3))),
    )  # fmt: skip
    still = MotionPrior(turn_deg=1.0, breath_mm=(0.0, 2.0), shift_mm=1.0, bend_mm=3.0)
    setup = ControlSetup(zones=(order,), looks=ControlLooks(**looks), motion=still, spacing_mm=spacing_mm)  # fmt: skip
    return make_control(loud, known, setup, np.random.default_rng((seed, 8)))


def astray(lesions, seed):
    """The lesions shifted by 4 mm in a random direction."""
    way = np.random.default_rng((seed, 9)).normal(size=3)
    steps = np.rint(ASTRAY_MM * way / np.linalg.norm(way) / lesions.grid.spacing_mm).astype(int)
    return LabelMap(np.roll(lesions.labels, steps, axis=(0, 1, 2)), lesions.grid)


def score(pair, seed, name):
    """One row."""
    cpu = time.process_time()
    try:
        found = ClassicZone().zone(pair.control, astray(pair.lesions, seed), pair.liver)
    except NetsegError as refusal:
        return {"case": name, "seed": seed, "refused": str(refusal)}
    cpu = time.process_time() - cpu
    truth, seen = pair.zone.inside, found.mask.inside
    true_mm, seen_mm = signed_distance_mm(pair.zone), signed_distance_mm(found.mask)
    edge = np.abs(true_mm) < 0.75 * max(pair.zone.grid.spacing_mm)
    back = np.abs(seen_mm) < 0.75 * max(pair.zone.grid.spacing_mm)
    error = seen_mm[edge] - true_mm[edge]  # positive: found too small there
    return {
        "case": name,
        "seed": seed,
        "dice": float(2 * (truth & seen).sum() / (truth.sum() + seen.sum())),
        "surface_mm": float(
            (np.abs(error).mean() + np.abs(true_mm[back] - seen_mm[back]).mean()) / 2
        ),
        "bias_mm": float(-error.mean()),
        "p95_mm": float(np.percentile(np.abs(error), 95)),
        "volume_bias": float(seen.sum() / truth.sum() - 1),
        "zone_ml": pair.zone.volume_ml,
        "stated_sd_mm": found.boundary_sd_mm,
        "sd_mm": float(error.std()),
        "cpu_s": cpu,
    }


def real_pairs():
    """The real CT's two lesions (79 and 86 ml) with zones 6 mm beyond them, up to the capsule."""
    folder = DATA / "ct_ircadb17"
    if not folder.is_dir():
        raise SystemExit(f"{folder} not found; set NETSEG_DATA to the folder that holds it")
    ct = read_volume_file(folder / "ct.nii.gz", Quantity.HU)
    liver = read_mask(f"{folder / 'liver_lesion.nii.gz'}:1,2", ct.grid)
    lesions = read_instances(f"{folder / 'lesion_instances.nii.gz'}:instances", ct.grid)
    for number in lesions.values:
        start, shape = bounding_box(lesions.region(number), ROOM_MM)
        grid = isotropic_grid(ct.grid.crop(start, shape), 1.6)
        scan = resample(ct, grid, outside=-1000.0)
        own = resample_mask(lesions.region(number), grid)
        scan = Volume(np.rint(scan.values).astype(np.int16), grid, Quantity.HU)
        known = Known(
            source=denoised(scan, 12.0),
            liver=resample_mask(liver, grid),
            lesions=LabelMap(own.inside.astype(np.uint8), grid),
        )
        for name, looks in (("real", {}), ("real: rim, gas", {"rim_hu": 25.0, "gas": 8})):
            setup = ControlSetup(
                zones=(ZoneOrder(lesions=(1,), margin_mm=6.0, rough_mm=0.8),),
                looks=ControlLooks(**looks),
            )
            pair = make_control(scan, known, setup, np.random.default_rng(number))
            yield name, number, pair


def summary(rows):
    lines = []
    for name in dict.fromkeys(r["case"] for r in rows):
        own = [r for r in rows if r["case"] == name]
        good = [r for r in own if "refused" not in r]
        line = {"case": name, "cases": len(own), "refused": len(own) - len(good)}
        for key in ("dice", "surface_mm", "bias_mm", "p95_mm", "volume_bias", "stated_sd_mm", "sd_mm", "cpu_s"):  # fmt: skip
            line[key] = float(np.mean([r[key] for r in good])) if good else None
        lines.append(line)
    return lines


def table(lines):
    head = ("zone", "cases (refused)", "Dice", "mean surface distance", "bias", "P95", "volume", "SD stated / seen", "CPU s")  # fmt: skip
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for line in lines:
        if line["dice"] is None:
            out.append(f"| {line['case']} | {line['cases']} ({line['refused']}) |" + " - |" * 7)
            continue
        out.append(
            f"| {line['case']} | {line['cases']} ({line['refused']}) | {line['dice']:.3f} "
            f"| {line['surface_mm']:.2f} | {line['bias_mm']:+.2f} | {line['p95_mm']:.2f} "
            f"| {line['volume_bias']:+.1%} | {line['stated_sd_mm']:.2f} / {line['sd_mm']:.2f} "
            f"| {line['cpu_s']:.1f} |"
        )
    return "\n".join(out)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="*", type=int, default=[11, 12, 13, 14, 15])
    parser.add_argument("--cases", nargs="*", default=[*LOOKS, *SLICES])
    parser.add_argument("--real", action="store_true", help="also the real CT of the data folder")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "figures.json")
    wanted = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = []
    for seed in wanted.seeds:
        loud, known, diameter = phantom_around_lesion(seed)
        for name in wanted.cases:
            looks, spacing = LOOKS.get(name, {}), SLICES.get(name)
            pair = ablated(loud, known, diameter, seed, looks, spacing)
            rows.append(score(pair, seed, name))
            logger.info("%s", rows[-1])
    if wanted.real:
        for name, number, pair in real_pairs():
            rows.append(score(pair, number, name))
            logger.info("%s", rows[-1])
    rows.sort(
        key=lambda r: ([*LOOKS, *SLICES, "real", "real: rim, gas"].index(r["case"]), r["seed"])
    )
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
