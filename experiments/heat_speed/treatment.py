"""How long does a whole treatment take?

python experiments/heat_speed/treatment.py [--device mwa_generic_14g] [--power 60] [--cells 128] [--window off]

The same treatment is run twice in one process: the first run pays the compilations, the second does
not. Processor time stands beside wall time, which other work on the machine stretches. A triad is
measured before and after each run with the same threads: the better of the two is the roofline that
the run is told its share of.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from bandwidth import LEAST_BYTES, MOVED_BYTES, triad_gb_s

from netseg.domain import AblationProtocol, Grid, PointMm
from netseg.simulate import growing, load_device, load_tissue, solver
from netseg.simulate.damage import damage_model
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import simulate_scene


def treated(given: argparse.Namespace) -> dict:
    """One run, timed from the scene to the measured zone."""
    n, h = given.cells, given.spacing
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    device = load_device(given.device)
    probe = PlacedProbe(
        id="A", device=device, tip_mm=PointMm(0.3, 0.1, -0.5 * device.active_length_mm),
        direction=(0.0, 0.0, 1.0), active_length_mm=device.active_length_mm,
    )  # fmt: skip
    solver.WORTH_CELLS = math.inf if given.window == "off" else growing.WORTH_CELLS
    protocol = AblationProtocol(
        modality=device.modality, duration_s=given.seconds, power_w=given.power,
        controller="impedance" if device.modality.value == "rfa" else "constant",
    )  # fmt: skip
    scene = Scene(
        grid=Grid((n, n, n), affine, frame_uid="x"), probes=(probe,),
        tissue=load_tissue("liver_in_vivo"),
    )  # fmt: skip
    wall, used = time.perf_counter(), time.process_time()
    done = simulate_scene(
        scene, protocol, [damage_model(m) for m in given.damage], like=torch.zeros(())
    )
    wall, used = time.perf_counter() - wall, time.process_time() - used
    return {
        "device": given.device, "window": given.window, "power_w": given.power, "seconds": given.seconds,
        "cells": f"{n}^3", "spacing_mm": h, "damage": given.damage, "threads": given.threads,
        "engine": done.engine, "wall_s": round(wall, 2), "cpu_s": round(used, 2), "run": dict(done.run),
        "mean_window": round(done.run["cell_updates"] / done.run["heat_updates"] / n**3, 3),
        "mupdates_per_cpu_s": round(done.run["cell_updates"] / used / 1e6),
        "load": round(os.getloadavg()[0], 1),
        "balance_error": done.energy.balance_error, "volumes_ml": dict(done.volumes_ml),
        "hottest_c": round(float(done.hottest_c.max()), 1),
    }  # fmt: skip


def beside_the_roofline(given: argparse.Namespace) -> dict:
    """A treatment and its share of the triad, both by processor and by wall time."""
    before = triad_gb_s(given.repeats)
    row = treated(given)
    after = triad_gb_s(given.repeats)
    wall, used = (max(pair) for pair in zip(before, after, strict=True))
    updates = row["run"]["cell_updates"] / 1e9
    return row | {
        "triad_gb_s": {"before": [round(t, 1) for t in before], "after": [round(t, 1) for t in after]},
        "share_of_least_traffic": round(updates * LEAST_BYTES / row["cpu_s"] / used, 3),
        "share_of_moved_traffic": round(updates * MOVED_BYTES / row["cpu_s"] / used, 3),
        "share_of_least_traffic_by_wall": round(updates * LEAST_BYTES / row["wall_s"] / wall, 3),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run twice and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="mwa_generic_14g")
    parser.add_argument("--power", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--damage", nargs="+", default=["arrhenius"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--window", choices=("on", "off"), default="on")
    parser.add_argument("--repeats", type=int, default=15, help="of the triad")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    rows = []
    for turn in ("with compilation", "compiled before"):
        rows.append({"turn": turn, **beside_the_roofline(given)})
        print(json.dumps(rows[-1]), flush=True)
    if given.output:
        given.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
