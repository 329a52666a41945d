"""Error of the margin at the capsule, where three outlines of one surface disagree.

python experiments/margin_accuracy/capsule.py > experiments/margin_accuracy/capsule.csv
"""

import argparse
import csv
import sys
from dataclasses import replace

import numpy as np
from capsule_cases import masks, scene

from netseg.domain import AblationZone, Evidence, Verdict
from netseg.verify import MarginRule

SPACINGS_MM = ((1.0, 1.0, 1.0), (0.8, 0.8, 2.5), (2.0, 2.0, 2.0), (0.8, 0.8, 5.0), (0.5, 0.5, 0.5))
RIMS_MM = (0.0, 2.0)  # thickness of untreated liver under the capsule
HEADS = (
    "spacing_mm",
    "rim_mm",
    "cases",
    "bias_mm",
    "mae_mm",
    "min_mm",
    "max_mm",
    "films_counted_bias_mm",
    "false_a0",
    "missed_a0",
    "a0_from_6_mm",
)


def case(spacing_mm, rim_mm, seed):
    """Truth, what is measured, what it would be if films counted as liver, and whether A0 is said."""
    rng = np.random.default_rng((seed, 77))
    made = replace(scene(rng), bare_mm=rim_mm)
    lesion, zone, liver = masks(made, spacing_mm, rng)
    seen = AblationZone(mask=zone, evidence=Evidence.GIVEN_MASKS)
    report = MarginRule().check(lesion, seen, observed=True, liver=liver, details=False)
    found = min(report.lesions, key=lambda m: m.smallest_margin_mm)
    counted = found.smallest_margin_mm
    if found.film is not None:
        counted = found.film.margin_if_counted_mm
    return made.margin_mm(), found.smallest_margin_mm, counted, found.verdict is Verdict.A0


def row(found):
    truth, margin, counted, said = np.array(found, dtype=float).T
    error, is_a0, wide = margin - truth, truth >= 5, truth >= 6
    lengths = (
        error.mean(),
        np.abs(error).mean(),
        error.min(),
        error.max(),
        (counted - truth).mean(),
    )
    return [
        *(f"{mm:+.2f}" for mm in lengths),
        int((said * ~is_a0).sum()),
        int(((1 - said) * is_a0).sum()),
        f"{said[wide].mean():.2f} of {wide.sum()}" if wide.any() else "",
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spacings", type=int, nargs="*", default=range(len(SPACINGS_MM)))
    wanted = parser.parse_args()
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(HEADS)
    seeds = range(wanted.seed, wanted.seed + wanted.cases)
    for spacing_mm in (SPACINGS_MM[n] for n in wanted.spacings):
        for rim_mm in RIMS_MM:
            found = [case(spacing_mm, rim_mm, seed) for seed in seeds]
            table.writerow(["x".join(map(str, spacing_mm)), rim_mm, len(found), *row(found)])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
