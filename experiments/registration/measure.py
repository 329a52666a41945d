"""Methods of registration on synthetic pairs: landmark error, margin error, gates, predicted error."""

import argparse
import csv
import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from experiments.registration.phantom import Difficulty, make_pair
from netseg.register.scans import register_scans
from netseg.register.settings import RegistrationSettings
from netseg.register.transport import to_fixed, to_moving

NEAR_MM = 45.0
KINDS = {
    "usual": Difficulty(),
    "slices_5mm": Difficulty(control_spacing_mm=(1.0, 1.0, 5.0), spacing_mm=(1.0, 1.0, 5.0)),
    "oblique": Difficulty(control_turn_degrees=15.0),
    "stiffer": Difficulty(bend_mm=3.5),
    "few_vessels": Difficulty(vessel_generations=2),
    "noisy": Difficulty(noise_hu=25.0),
    "mr_control": Difficulty(as_mr=True),
}


def score(pair, found):
    """Errors of one registration in millimetres."""
    truth = pair.truth
    forks = truth.to_control(truth.bifurcations_mm)
    away = np.linalg.norm(to_moving(found, forks) - truth.bifurcations_mm, axis=1)
    centre = truth.to_control(truth.tumour_mm[0][None])[0]
    near = np.linalg.norm(forks - centre, axis=1) < NEAR_MM
    surface = truth.tumour_surface_mm()
    off = np.linalg.norm(to_moving(found, truth.to_control(surface)) - surface, axis=1)
    reach = np.linalg.norm(to_fixed(found, surface) - truth.zone_mm[0], axis=1).max()
    return {
        "tre_mm": away.mean(),
        "tre_p95_mm": np.percentile(away, 95),
        "tre_near_mm": away[near].mean() if near.any() else np.nan,
        "tumour_rms_mm": np.sqrt((off**2).mean()),
        "margin_error_mm": truth.zone_mm[1] - reach - truth.margin_mm,
    }


def one_row(seed, kind, pair, engine):
    settings = RegistrationSettings(engine=engine, device="cpu")
    wall, cpu = time.perf_counter(), time.process_time()
    found = register_scans(**pair.images, settings=settings)
    seconds = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    gates = {name: gate.value for name, gate in found.gates.items()}
    failed = [n for n, g in found.gates.items() if g.decides and g.passed is False]
    row = {"kind": kind, "seed": seed, "engine": engine, **score(pair, found)}
    row |= {"predicted_mm": found.error_mm, **seconds, "failed": " ".join(failed)}
    row |= {n: gates.get(n) for n in GATES}
    return {
        k: round(float(v), 3) if isinstance(v, (float, np.floating)) else v for k, v in row.items()
    }


GATES = (
    "liver_dice",
    "liver_surface_mm",
    "vessels_mm",
    "folded_share",
    "jacobian_low",
    "jacobian_high",
    "lesion_volume_change",
    "way_back_mm",
    "rigid_disagreement_mm",
)


def summary(rows):
    """Means over the pairs of each kind and engine."""
    found = []
    for kind, engine in dict.fromkeys((r["kind"], r["engine"]) for r in rows):
        these = [r for r in rows if (r["kind"], r["engine"]) == (kind, engine)]
        errors = np.array([r["margin_error_mm"] for r in these])
        true, told = (np.array([r[k] for r in these]) for k in ("tumour_rms_mm", "predicted_mm"))
        found.append(
            {
                "kind": kind,
                "engine": engine,
                "pairs": len(these),
                **{
                    k: mean(these, k)
                    for k in ("tre_mm", "tre_p95_mm", "tre_near_mm", "tumour_rms_mm")
                },
                "margin_bias_mm": round(float(errors.mean()), 2),
                "margin_mae_mm": round(float(abs(errors).mean()), 2),
                "margin_worst_mm": round(float(abs(errors).max()), 2),
                "predicted_mm": mean(these, "predicted_mm"),
                "true_over_predicted": round(float(np.sqrt(np.mean((true / told) ** 2))), 2),
                "told_finds_it_rho": rank(told, true),
                "told_finds_margin_rho": rank(told, abs(errors)),
                "refused": sum(bool(r["failed"]) for r in these),
                "cpu_s": mean(these, "cpu_s"),
            }
        )
    return found


def rank(told, true):
    """Spearman's correlation; None for fewer than four pairs."""
    return round(float(stats.spearmanr(told, true)[0]), 2) if len(told) > 3 else None


def mean(rows, key):
    return round(float(np.nanmean([r[key] for r in rows])), 2)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--first", type=int, default=100, help="seed of the first pair")
    parser.add_argument("--kinds", nargs="*", default=["usual"], choices=list(KINDS))
    parser.add_argument(
        "--engines", nargs="*", default=["rigid", "demons", "gauss_newton", "torch"]
    )
    parser.add_argument("--small", action="store_true", help="4 mm voxels, for a look only")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER)
    asked = parser.parse_args(argv)
    rows = []
    for kind in asked.kinds:
        difficulty = KINDS[kind]
        if asked.small:
            four = (4.0, 4.0, 4.0)
            difficulty = dataclasses.replace(difficulty, spacing_mm=four, control_spacing_mm=four)
        for seed in range(asked.first, asked.first + asked.pairs):
            pair = make_pair(np.random.default_rng(seed), difficulty)
            for engine in asked.engines:
                rows.append(one_row(seed, kind, pair, engine))
                print(rows[-1], flush=True)
            record(rows, asked.output)


def record(rows, folder):
    """Write what there is after every pair: a run that is cut short is not lost."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "figures.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "summary.json").write_text(json.dumps(summary(rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
