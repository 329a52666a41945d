"""Time, coverage and causes of an ensemble of 64 draws on 64^3 cells.

OMP_NUM_THREADS=2 python experiments/ensemble/measure.py --output experiments/ensemble/figures.json
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from netseg.domain import AblationModality, AblationProtocol, Grid, Mask, PointMm
from netseg.simulate import load_device, load_tissue
from netseg.simulate.damage import damage_model
from netseg.simulate.ensemble import ensemble
from netseg.simulate.priors import load_priors
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.sensitivity import first_order_indices

MODELS = ("arrhenius", "cem43", "oneill")
CASES = {
    "mwa": ("mwa_generic_14g", 60.0, 600.0, "constant"),
    "rfa": ("rfa_cooled_17g_30mm", 60.0, 720.0, "impedance"),
}


def scene(device_name, n, h):
    device = load_device(device_name)
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    probe = PlacedProbe(
        id="A",
        device=device,
        tip_mm=PointMm(0.3, 0.2, -device.active_length_mm / 2),
        direction=(0.0, 0.0, 1.0),
        active_length_mm=device.active_length_mm,
    )
    return Scene(
        grid=Grid(shape=(n, n, n), affine_lps=affine, frame_uid="x"),
        probes=(probe,),
        tissue=load_tissue("liver_in_vivo"),
    )


def ball(radius_mm):
    grid = Grid(shape=(41, 41, 41), affine_lps=_centred(41), frame_uid="x")
    index = np.stack(np.meshgrid(*(np.arange(41),) * 3, indexing="ij"), -1)
    away = np.linalg.norm(grid.to_mm(index.reshape(-1, 3)), axis=1)
    return Mask((away <= radius_mm).reshape(grid.shape), grid)


def _centred(n):
    affine = np.eye(4)
    affine[:3, 3] = -(n - 1) / 2
    return affine


def across(coverage, h):
    """Coverage along the line across the needle at the zone's middle, by distance in mm."""
    middle = coverage.shape[0] // 2
    line = coverage[middle:, middle, middle]
    return {f"{(c + 0.5) * h:.0f}": round(float(v), 3) for c, v in enumerate(line) if v > 0}


def one(name, n, h, draws, step_s, *, factor=1.0, priors=None, targets=None):
    device, power_w, duration_s, controller = CASES[name]
    protocol = AblationProtocol(
        modality=AblationModality(name),
        duration_s=factor * duration_s,
        power_w=power_w,
        controller=controller,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    result = ensemble(
        scene(device, n, h),
        protocol,
        [damage_model(m) for m in MODELS],
        draws=draws,
        seed=2015,
        like=torch.zeros(()),
        step_s=step_s,
        priors=priors,
        targets=targets,
    )
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return result, seconds


def described(name, n, h, draws, step_s, factor):
    targets = {f"{2 * r} mm ball": ball(float(r)) for r in (5, 8, 11)}
    result, seconds = one(name, n, h, draws, step_s, factor=factor, targets=targets)
    volumes = result.volumes_ml
    return {
        "case": name,
        "cells": f"{n}^3 of {h} mm",
        "step_s": step_s,
        "draws": result.draws,
        "seconds": seconds,
        "volume_quantiles_ml": result.document()["volume_quantiles_ml"],
        "probability_of_cover": {t: result.probability_of_margin(t, 0.0) for t in targets},
        "probability_of_5_mm": {t: result.probability_of_margin(t, 5.0) for t in targets},
        "coverage_across_the_needle": across(result.coverage, h),
        "first_order_indices": {
            m: first_order_indices(result.parameters, v)
            for m, v in volumes.items()
            if len(v) >= 20 and np.std(v) > 0
        },
    }


def batching(n, h, factor):
    """CPU seconds per draw, one by one and side by side, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    device, power_w, duration_s, _ = CASES["mwa"]
    protocol = AblationProtocol(
        modality=AblationModality.MWA, duration_s=factor * duration_s, power_w=power_w
    )
    figures = {}
    for batch in (1, 4):
        cpu = time.process_time()
        ensemble(
            scene(device, n, h),
            protocol,
            [damage_model("arrhenius")],
            draws=4,
            seed=1,
            like=torch.zeros(()),
            step_s=2.0,
            priors=[p for p in load_priors("liver_in_vivo") if p.name.startswith("tissue.k")],
            batch=batch,
        )
        figures[str(batch)] = (time.process_time() - cpu) / 4
    torch.set_num_threads(threads)
    return {"cells": f"{n}^3 of {h} mm", "cpu_s_per_draw_by_batch": figures}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--parts", nargs="*", choices=("batching", "rfa", "mwa"))
    parser.add_argument("--quick", action="store_true", help="small grids, for a smoke test")
    wanted = parser.parse_args()
    n, h, factor = (20, 4.0, 0.1) if wanted.quick else (64, 2.0, 1.0)
    rfa = (20, 4.0, 0.1) if wanted.quick else (32, 3.0, 1.0)
    figures = {"threads": torch.get_num_threads()}
    parts = {
        "batching": lambda: batching(n, h, 0.25 * factor),
        "rfa": lambda: described("rfa", rfa[0], rfa[1], wanted.draws, 2.0, rfa[2]),
        "mwa": lambda: described("mwa", n, h, wanted.draws, 2.0, factor),
    }
    for name in wanted.parts or parts:  # each is written as soon as it is known
        figures[name] = parts[name]()
        wanted.output.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
