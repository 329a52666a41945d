"""Simulated pulses beside published zones (rows B21 and B22 of the evidence), and what they hang on.

python experiments/ire_published/run.py [ROW ...]      rows: b21_b22 settings six
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

from netseg.simulate.electroporation import Pulses, all_pairs, electroporate
from netseg.simulate.needle import Needle
from netseg.simulate.pulsed_tissue import PULSED, PulsedTissue, Ramp
from netseg.simulate.survival import THRESHOLDS, PelegFermi

FIGURES = Path(__file__).with_name("figures.json")
EIGHTEEN_GAUGE_MM = 1.27
PUBLISHED = {  # spacing mm, volts: mean and SD of width, depth, height in mm; Ben-David et al. 2012
    "B21": (15.0, 2250.0, ((30, 4), (17, 4), (30, 6))),
    "B22 3000 V": (15.0, 3000.0, ((31, 4), (20, 2))),
    "B22 3000 V, 2 cm": (20.0, 3000.0, ((39, 5), (19, 4))),
}
OTHERS = {
    "low": Ramp(intact_s_m=0.02, open_s_m=0.08, from_v_cm=100.0, to_v_cm=400.0),
    "pig liver 0.12, opening as Go-Smart": Ramp(
        intact_s_m=0.12, open_s_m=0.48, from_v_cm=350.0, to_v_cm=700.0
    ),
    "constant": Ramp(intact_s_m=0.12, open_s_m=0.12, from_v_cm=350.0, to_v_cm=700.0),
}


def pulsed(
    apart_mm, volts, *, ramp=PULSED["tissue"], h=1.0, length_mm=20.0, reach_mm=32.0, **settings
):
    """Two needles in a cube; |E| in V/cm on the lines through the middle."""
    cells = 2 * round((apart_mm / 2 + reach_mm) / h) + 1
    spacing = (h, h, h)
    tissue = PulsedTissue.uniform(ramp, (cells,) * 3, spacing, like=torch.zeros(()))
    middle = (cells - 1) / 2 * h
    needles = {
        name: Needle(
            tip_mm=(middle + sign * apart_mm / 2, middle, middle - length_mm / 2),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=length_mm,
            diameter_mm=EIGHTEEN_GAUGE_MM,
        )
        for name, sign in (("A", -1), ("B", 1))
    }
    done = electroporate(
        tissue, needles, [Pulses(pair=("A", "B"), volts=volts, count=70)], **settings
    )
    return done.field_v_m.numpy() / 100, h, done


def extents_mm(field, h, threshold_v_cm):
    """Largest width, depth and height of the zone, to a tenth of a cell along each axis."""
    sizes = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        line = np.log(np.maximum(field.max(others), 1e-3))
        fine = np.interp(np.arange(0, len(line) - 1, 0.1), np.arange(len(line)), line)
        inside = np.flatnonzero(fine >= math.log(threshold_v_cm))
        sizes.append(round(float(inside[-1] - inside[0]) * 0.1 * h, 1) if len(inside) else 0.0)
    return sizes


def off_in_sd(sizes, wanted):
    return [round((s - mean) / sd, 1) for s, (mean, sd) in zip(sizes, wanted, strict=False)]


def calibrated(field, h, wanted):
    """The threshold whose zone is nearest to B21, in standard deviations."""
    tried = np.arange(250.0, 700.0, 2.0)
    errors = [sum(o * o for o in off_in_sd(extents_mm(field, h, t), wanted)) for t in tried]
    return float(tried[int(np.argmin(errors))])


def b21_b22():
    rows = []
    fields = {name: pulsed(apart, volts) for name, (apart, volts, _) in PUBLISHED.items()}
    own = calibrated(*fields["B21"][:2], PUBLISHED["B21"][2])
    thresholds = {"calibrated on B21": own} | {n: t.v_cm for n, t in THRESHOLDS.items()}
    for row, (field, h, done) in fields.items():
        for name, v_cm in thresholds.items():
            sizes = extents_mm(field, h, v_cm)
            rows.append({
                "row": row, "threshold": name, "v_cm": v_cm, "width_depth_height_mm": sizes,
                "published": [list(p) for p in PUBLISHED[row][2]],
                "off_in_sd": off_in_sd(sizes, PUBLISHED[row][2]),
                "current_a": round(done.currents_a[0], 1), "energy_j": round(done.energy_j[0]),
            })  # fmt: skip
    for pulses in (50, 70, 90):
        v_cm = PelegFermi(pulses=pulses).critical_v_m / 100
        sizes = extents_mm(*fields["B21"][:2], v_cm)
        rows.append({
            "row": "B21", "threshold": f"half survive {pulses} pulses", "v_cm": round(v_cm),
            "width_depth_height_mm": sizes,
            "off_in_sd": off_in_sd(sizes, PUBLISHED["B21"][2]),
        })  # fmt: skip
    return rows


def settings():
    """Cell size, margin, sides and conductivity, for B21 at 386 V/cm."""
    rows = []
    cases = {
        "1 mm cells, 30 mm margin": {},
        "2 mm cells": {"h": 2.0},
        "margin 20 mm": {"margin_mm": 20.0},
        "margin 45 mm": {"margin_mm": 45.0, "reach_mm": 47.0},
    } | {f"conductivity {name}": {"ramp": ramp} for name, ramp in OTHERS.items()}  # fmt: skip
    for name, given in cases.items():
        field, h, done = pulsed(15.0, 2250.0, **given)
        rows.append({
            "case": name, "width_depth_height_mm": extents_mm(field, h, 386.0),
            "volume_ml": round(float((field >= 386).sum()) * h**3 / 1000, 2),
            "current_a": round(done.currents_a[0], 2), "turns": done.turns[0],
        })  # fmt: skip
    return rows


def six():
    """Six needles on a ring of 24 mm, all 15 pairs at 1,500 V/cm, 128^3 cells of 1 mm."""
    like, n = torch.zeros(()), 128
    tissue = PulsedTissue.uniform(PULSED["tissue"], (n, n, n), (1.0, 1.0, 1.0), like=like)
    needles = {
        name: Needle(
            tip_mm=(63.5 + 12 * math.cos(a), 63.5 + 12 * math.sin(a), 53.5),
            direction=(0.0, 0.0, 1.0), active_length_mm=20.0, diameter_mm=1.0,
        )
        for name, a in zip("ABCDEF", np.arange(6) * math.pi / 3, strict=True)
    }  # fmt: skip
    rows = []
    for margin_mm in (25.0,):
        wall, cpu = time.perf_counter(), time.process_time()
        done = electroporate(
            tissue, needles, all_pairs(needles, volts_cm=1500.0), margin_mm=margin_mm
        )
        rows.append({
            "margin_mm": margin_mm, "wall_s": round(time.perf_counter() - wall, 1),
            "cpu_s": round(time.process_time() - cpu, 1), "turns": sum(done.turns),
            "volume_ml": {n: round(float((d > 0).sum()) / 1000, 2) for n, d in done.depth.items()},
            "expected_ml": round(float(done.coverage.sum()) / 1000, 2),
        })  # fmt: skip
    return rows


ROWS = {f.__name__: f for f in (b21_b22, settings, six)}


def main():
    torch.set_num_threads(1)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in sys.argv[1:] or ROWS:
        figures[name] = ROWS[name]()
        for row in figures[name]:
            print(name, row, flush=True)
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
