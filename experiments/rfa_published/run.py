"""Published radiofrequency experiments simulated: rows B1, B2, B3, B4, B7, B9 and B10.

python experiments/rfa_published/run.py [ROW ...] [--coarser 1.0] [--step-s 1.0]
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from rows import clusters, device, liver, one_after_another, rfa, scene, triangle

from netseg.simulate.contraction import EX_VIVO as EXCISED
from netseg.simulate.contraction import IN_VIVO as LIVING
from netseg.simulate.contraction import contracted
from netseg.simulate.damage import Arrhenius, damage_model
from netseg.simulate.scene_run import simulate_scene

FIGURES = Path(__file__).with_name("figures.json")
HENRIQUES = Arrhenius(frequency_1_s=3.1e98, energy_j_mol=6.28e5, name="henriques")
MODELS = (damage_model("arrhenius"), HENRIQUES, damage_model("cem43"), damage_model("oneill"))

# The calibration, one set per tissue class (README.md)
EX_VIVO = {
    "tissue": "liver_ex_vivo",
    "model": "cem43",
    "power_w": 200.0,
    "contraction": EXCISED,
}
IN_VIVO = {"tissue": "liver_in_vivo", "model": "cem43", "power_w": 200.0, "contraction": LIVING}

ONE = {"A": np.zeros(2)}
CLUSTER = clusters([np.zeros(2)])
THREE_CLUSTERS = clusters(triangle(40.0))
TRIANGLE = dict(zip("ABC", triangle(25.0), strict=True))
PAIRS = (("A", "B"), ("B", "C"), ("C", "A"))


def duty(on_s, on_v, off_s, off_v, total_s):
    """Phases of a high and a low voltage in turn."""
    phases = []
    while (left := total_s - sum(p["duration_s"] for p in phases)) > 1e-6:
        low = len(phases) % 2 == 1
        duration_s, volts = (off_s, off_v) if low else (on_s, on_v)
        phases.append({"duration_s": min(left, duration_s), "limit_v": volts})
    return phases


def cases(ex, viv):
    """Name: places, device, class, protocol, spacing, margin, published figures."""
    single, short = device(30.0), device(25.0)
    frozen = device(40.0, diameter_mm=1.8, coolant_c=-40.0)
    ex_w, vivo_w = ex["power_w"], viv["power_w"]
    b3, b4 = (THREE_CLUSTERS, short, ex), (TRIANGLE, single, viv)
    b9 = (ONE, frozen, ex)
    seq3 = one_after_another("ABC", 720.0)
    return {
        "B7 cooled needle in vivo 12 min": (
            ONE, single, viv, rfa(720.0, power_w=vivo_w), 2.0, 36.0,
            {"long_mm": (46.0, 2.0), "short_mm": (30.2, 2.0)}),
        "B10 another simulation of 12 min": (
            ONE, single, viv, rfa(720.0, power_w=vivo_w), 2.0, 36.0,
            {"volume_ml": (10.96, None), "short_mm": (21.7, None), "long_mm": (40.8, None)}),
        "B1 cooled needle ex vivo": (
            ONE, single, ex, rfa(720.0, power_w=ex_w), 2.0, 40.0, {"short_mm": (29.0, None)}),
        "B1 cooled needle in vivo": (
            ONE, single, viv, rfa(720.0, power_w=vivo_w), 2.0, 36.0, {"short_mm": (18.0, None)}),
        "B2 cluster ex vivo 15 min": (
            CLUSTER, short, ex, rfa(900.0, power_w=ex_w), 2.0, 48.0, {"short_mm": (47.0, 1.0)}),
        "B2 cluster ex vivo 30 min": (
            CLUSTER, short, ex, rfa(1800.0, power_w=ex_w), 2.0, 51.0, {"short_mm": (62.0, 1.0)}),
        "B2 cluster ex vivo 45 min": (
            CLUSTER, short, ex, rfa(2700.0, power_w=ex_w), 2.0, 57.0, {"short_mm": (70.0, 2.0)}),
        "B2 cluster in vivo 12 min": (
            CLUSTER, short, viv, rfa(720.0, power_w=vivo_w), 2.0, 36.0, {"short_mm": (31.0, 2.0)}),
        "B3 simultaneous": (
            *b3, rfa(720.0, power_w=ex_w), 2.0, 36.0,
            {"volume_ml": (22.3, 6.4), "centre_c": (41.0, 3.0)}),
        "B3 switching": (
            *b3, rfa(720.0, power_w=ex_w, controller="switching"), 2.0, 36.0,
            {"volume_ml": (116.4, 15.2), "centre_c": (97.0, 8.0)}),
        "B3 sequential": (
            *b3, rfa(2160.0, power_w=ex_w, schedule=seq3), 2.0, 36.0,
            {"volume_ml": (137.5, 22.2), "centre_c": (80.0, 5.0)}),
        "B4 consecutive in vivo 36 min": (
            *b4, rfa(2160.0, power_w=vivo_w, schedule=seq3), 2.0, 30.0,
            {"volume_ml": (28.8, 13.2)}),
        "B4 switching in vivo 18 min": (
            *b4, rfa(1080.0, power_w=vivo_w, controller="switching"), 2.0, 30.0,
            {"volume_ml": (49.1, 12.3)}),
        "B4 multipolar in vivo 21 min": (
            *b4, rfa(1272.0, power_w=vivo_w, controller="switching", pairs=PAIRS), 2.0, 30.0,
            {"volume_ml": (40.6, 16.3)}),
        "B9 continuous 715 s": (
            *b9, rfa(715.0, power_w=ex_w, controller="constant", limit_v=40.0, limit_a=2.0), 2.0,
            40.0, {"short_mm": (44.4, 4.1)}),
        "B9 pulsed 816 s": (
            *b9, rfa(816.0, power_w=ex_w, controller="constant", limit_a=2.0,
                     schedule=duty(20.0, 45.0, 10.0, 30.0, 816.0)), 2.0, 40.0,
            {"short_mm": (46.1, 5.6)}),
        "B9 impedance-controlled 1062 s": (
            *b9, rfa(1062.0, power_w=ex_w, limit_v=45.0), 2.0, 40.0, {"short_mm": (51.1, 2.3)}),
    }  # fmt: skip


def simulate(case, *, coarser, step_s):
    """One row: what the simulation says by damage model, beside what was published."""
    places, kind, calibrated, protocol, spacing_mm, margin_mm, published = case
    given = scene(
        places, kind, liver(calibrated["tissue"]),
        spacing_mm=spacing_mm * coarser, margin_mm=margin_mm,
    )  # fmt: skip
    start = time.process_time()
    done = simulate_scene(given, protocol, MODELS, like=torch.zeros(()), step_s=step_s)
    middle = tuple(np.array(done.window.shape) // 2)
    shapes = {
        name: contracted(depth, done.hottest_c, done.window, calibrated["contraction"])
        for name, depth in done.depth.items()
    }
    ours = shapes[calibrated["model"]]
    diameters_mm = [d[1] for d in ours.diameters_mm]
    simulated = {
        "volume_ml": ours.volume_ml[1],
        "long_mm": diameters_mm[0],
        "short_mm": diameters_mm[-1] if len(places) == 1 else min(diameters_mm[1:]),
        "centre_c": float(done.fields["hottest_c"][middle]),
    }
    return {
        "published": {k: list(v) for k, v in published.items()},
        "simulated": {k: round(simulated[k], 1) for k in published},
        "within_2_sd": {
            k: abs(simulated[k] - mean) <= 2 * sd if sd is not None else None
            for k, (mean, sd) in published.items()
        },
        "off_by": {k: round(simulated[k] / mean - 1, 3) for k, (mean, _) in published.items()},
        "by_damage_model": {
            n: {"volume_ml": round(s.uncorrected.volume_ml, 1),
                "diameters_mm": [round(d, 1) for d in s.uncorrected.diameters_mm],
                "contracted_ml": [round(v, 1) for v in s.volume_ml],
                "contracted_mm": [round(d[1], 1) for d in s.diameters_mm]}
            for n, s in shapes.items()
        },
        "zone": calibrated["model"],
        "mean_power_w": round(done.energy.delivered / protocol.duration_s, 1),
        "pauses": done.run["pauses"],
        "balance_error": done.energy.balance_error,
        "spacing_mm": spacing_mm * coarser,
        "step_s": step_s,
        "cpu_s": round(time.process_time() - start, 1),
    }  # fmt: skip


def orders(figures):
    """The two orders that must come out: volumes of B3, short axes of B9."""
    wanted = {
        "B3": ("volume_ml", ["B3 simultaneous", "B3 switching", "B3 sequential"]),
        "B9": ("short_mm", ["B9 continuous 715 s", "B9 pulsed 816 s",
                            "B9 impedance-controlled 1062 s"]),
    }  # fmt: skip
    answer = {}
    for row, (what, names) in wanted.items():
        if all(n in figures for n in names):
            values = [figures[n]["simulated"][what] for n in names]
            answer[row] = {"values": values, "holds": values == sorted(set(values))}
    return answer


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", help="beginnings of names; all if none")
    parser.add_argument("--coarser", type=float, default=1.0, help="factor on the cell size")
    parser.add_argument("--step-s", type=float, default=1.0)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    given = parser.parse_args(argv)
    figures = json.loads(given.figures.read_text()) if given.figures.exists() else {}
    for name, case in cases(EX_VIVO, IN_VIVO).items():
        if given.rows and not any(name.startswith(r) for r in given.rows):
            continue
        figures[name] = simulate(case, coarser=given.coarser, step_s=given.step_s)
        print(name, json.dumps(figures[name]["simulated"]), flush=True)
        figures["orders"] = orders(figures)
        given.figures.write_text(json.dumps(figures, indent=1) + "\n")
    if any(math.isnan(v) for row in figures.get("orders", {}).values() for v in row["values"]):
        raise SystemExit("a figure is no number")


if __name__ == "__main__":
    main()
