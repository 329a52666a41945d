"""What slice thickness does to the smallest margin when the motion is known: lesion as voxels, as a field.

python experiments/margin_benchmark/slices.py --seeds 200 230 > slices.jsonl
"""

import argparse
import json
from dataclasses import replace

from cases import VARIANTS, synthetic
from margins import netseg
from registrations import truth
from score import Case

from netseg.register.transport import carry_lesions
from netseg.verify.carried import carried_field


def row(seed, slice_mm):
    """True margin of one pair and what three ways to know its lesion make of it."""
    variant = replace(VARIANTS["slices_5.0"], spacing_mm=(1.5, 1.5, slice_mm))
    pair, known = synthetic(variant, seed)
    case = Case(f"{slice_mm}/{seed}", pair, known, pair.zone, pair.liver)
    motion = truth(case)
    voxels = carry_lesions(motion, known.lesions, pair.control.grid).region(1)
    ways = {
        "vox": {"lesion": voxels},
        "field": {"lesion": voxels, "field": carried_field(motion, known.lesions.region(1))},
        "truevox": {"lesion": pair.lesions.region(1)},
    }
    around = {"zone": pair.zone, "liver": pair.liver}
    found = {name: round(float(netseg(masks=around | way)), 3) for name, way in ways.items()}
    return {"seed": seed, "slice": slice_mm, "true": round(pair.margins[1].to_viable_mm, 3)} | found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs=2, type=int, default=(200, 230))
    parser.add_argument("--slices", nargs="*", type=float, default=(5.0, 4.0, 2.5, 1.0))
    wanted = parser.parse_args()
    for seed in range(wanted.seeds[0], wanted.seeds[1] + 1):
        for slice_mm in wanted.slices:
            print(json.dumps(row(seed, slice_mm)), flush=True)


if __name__ == "__main__":
    main()
