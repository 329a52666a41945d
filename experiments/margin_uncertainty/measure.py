"""Is P(A0) calibrated? On lesions whose margin is known and whose scans were disturbed.

python experiments/margin_uncertainty/measure.py -o experiments/margin_uncertainty/figures.json
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from made import seen, truth

from netseg.domain import AblationZone, Evidence, MarginErrors
from netseg.geometry.components import components
from netseg.verify import MarginRule
from netseg.verify.lesion import around_lesion
from netseg.verify.uncertainty import draw_margins

CUTOFF_MM = 5.0
ROWS = (  # registration error, outlines' deviation, roughness of the truth, zone off centre up to
    (2.0, 1.0, 1.0, 4.0),
    (1.0, 0.5, 1.0, 4.0),
    (2.0, 0.5, 1.0, 4.0),
    (3.0, 1.0, 1.0, 4.0),
    (2.0, 1.0, 0.0, 4.0),
    (2.0, 1.0, 2.0, 4.0),
    (2.0, 1.0, 1.0, 8.0),
)
BINS = np.linspace(0, 1, 11)


def case(row, seed):
    """Truth, and what is said about it."""
    registration_mm, outline_mm, roughness_mm, off_mm = row
    rng = np.random.default_rng([seed, round(1000 * sum(row))])
    lesion, zone, true_mm = truth(rng, roughness_mm, off_mm)
    lesion, zone = seen(rng, lesion, zone, registration_mm, outline_mm)
    errors = MarginErrors(
        registration_mm=registration_mm,
        lesion_boundary_sd_mm=outline_mm,
        zone_boundary_sd_mm=outline_mm,
        seed=seed,
    )
    found = AblationZone(mask=zone, evidence=Evidence.CONTROL_SCAN)
    around = MarginRule().surroundings(components(lesion), found)
    margins = around_lesion(lesion, around)
    draws = draw_margins(margins, around, errors, 1)
    smallest = float(margins.to_viable_mm.min())
    mirrored = draws.mirrored_mm
    low, high = np.quantile(draws.true_mm, (0.05, 0.95))
    return {
        "true_mm": true_mm,
        "smallest_mm": smallest,
        "expected_mm": float(draws.true_mm.mean()),
        "low_mm": float(low),
        "high_mm": float(high),
        "bootstrap_mm": float(mirrored.mean()),
        "netseg": float(np.mean(draws.true_mm >= CUTOFF_MM)),
        "hard rule": float(smallest >= CUTOFF_MM),
        "errors added": float(np.mean(draws.repeated_mm >= CUTOFF_MM)),
        "bootstrap": float(np.mean(mirrored >= CUTOFF_MM)),
        "bayes": float(np.mean(draws.given_mm >= CUTOFF_MM)),
    }


def summary(row, cases):
    """Brier scores, reliability, what P >= 0.9 is worth."""
    of = {name: np.array([c[name] for c in cases]) for name in cases[0]}
    is_a0 = (of["true_mm"] >= CUTOFF_MM).astype(float)
    names = ("netseg", "hard rule", "errors added", "bootstrap", "bayes")
    p = of["netseg"]
    said, denied = p >= 0.9, p <= 0.1
    within = (of["true_mm"] >= of["low_mm"]) & (of["true_mm"] <= of["high_mm"])
    place = np.clip(np.digitize(p, BINS) - 1, 0, 9)
    return {
        "registration_mm": row[0],
        "outline_sd_mm": row[1],
        "roughness_mm": row[2],
        "off_centre_mm": row[3],
        "cases": len(cases),
        "brier": {n: round(float(np.mean((of[n] - is_a0) ** 2)), 4) for n in names}
        | {"constant": round(float(is_a0.mean() * (1 - is_a0.mean())), 4)},
        "margin_error_mm": {
            name: [round(float(f(of[key] - of["true_mm"])), 2) for f in (np.mean, np.std)]
            for name, key in (
                ("measured", "smallest_mm"),
                ("expected", "expected_mm"),
                ("bootstrap", "bootstrap_mm"),
            )
        },
        "interval_90_holds": round(float(within.mean()), 3),
        "interval_width_mm": round(float(np.mean(of["high_mm"] - of["low_mm"])), 2),
        "said_a0": {
            "cases": int(said.sum()),
            "right": round(float(is_a0[said].mean()), 3) if said.any() else None,
            "of_all_a0": round(float(is_a0[said].sum() / max(1, is_a0.sum())), 3),
        },
        "denied_a0": {
            "cases": int(denied.sum()),
            "right": round(float(1 - is_a0[denied].mean()), 3) if denied.any() else None,
        },
        "reliability": [
            {
                "from": round(float(BINS[n]), 1),
                "cases": int((place == n).sum()),
                "mean_p": round(float(p[place == n].mean()), 3),
                "is_a0": round(float(is_a0[place == n].mean()), 3),
            }
            for n in range(10)
            if (place == n).any()
        ],
    }


def main(words=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=300, help="of the first row")
    parser.add_argument("--others", type=int, default=100, help="cases of each other row")
    parser.add_argument("--rows", type=int, default=len(ROWS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    wanted = parser.parse_args(words)
    results = []
    with ProcessPoolExecutor(wanted.workers) as workers:
        for row in ROWS[: wanted.rows]:
            count = wanted.others if results else wanted.cases
            seeds = range(wanted.seed, wanted.seed + count)
            results.append(summary(row, list(workers.map(partial(case, row), seeds))))
            print(
                json.dumps({k: v for k, v in results[-1].items() if k != "reliability"}), flush=True
            )
            if wanted.output:
                wanted.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return results


if __name__ == "__main__":
    main()
