"""Price and error of the gradient of a zone's score.

OMP_NUM_THREADS=1 python experiments/gradient_speed/measure.py --output experiments/gradient_speed/figures.json
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import torch

from netseg.domain import AblationModality, AblationProtocol, Grid, Mask, PointMm
from netseg.simulate import load_device, load_tissue
from netseg.simulate.damage import damage_model
from netseg.simulate.differentiable import Settings, differentiate, heat_run
from netseg.simulate.pose import tangent
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.soft_cover import SoftCover

DEVICE = {"mwa": "mwa_generic_14g", "rfa": "rfa_cooled_17g_30mm"}
TIP = np.array([1.3, 0.4, -9.1])
ALONG = np.array([0.2, -0.3, 1.0]) / np.linalg.norm([0.2, -0.3, 1.0])
ARRHENIUS = damage_model("arrhenius")


def grid(n, h):
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    return Grid(shape=(n, n, n), affine_lps=affine, frame_uid="x")


def scene(modality, n, h, *, tip=TIP, direction=ALONG, probes=1):
    device = load_device(DEVICE[modality])
    x, y, z = (np.array(direction) / np.linalg.norm(direction)).tolist()
    placed = tuple(
        PlacedProbe(
            id="ABC"[p],
            device=device,
            tip_mm=PointMm.of(np.array(tip) + np.array((0.0, 14.0 * p, 0.0))),
            direction=(x, y, z),
            active_length_mm=device.active_length_mm,
        )
        for p in range(probes)
    )
    return Scene(grid=grid(n, h), probes=placed, tissue=load_tissue("liver_in_vivo"))


def target():
    where = grid(26, 1.7)
    index = np.stack(np.meshgrid(*(np.arange(26),) * 3, indexing="ij"), -1)
    away = np.linalg.norm(where.to_mm(index.reshape(-1, 3)) - (5.0, 3.0, 2.0), axis=1)
    return Mask((away <= 13.0).reshape(where.shape), where)


def protocol(modality, duration_s):
    power_w = 60.0 if modality == "mwa" else 40.0
    return AblationProtocol(
        modality=AblationModality(modality), duration_s=duration_s, power_w=power_w
    )


def timed(work):
    cpu = time.process_time()
    work()
    return time.process_time() - cpu


def price(modality, n, h, probes, duration_s):
    """Seconds of CPU of the solver, of the differentiable run, and of run plus way back."""
    at, how = scene(modality, n, h, probes=probes), protocol(modality, duration_s)
    like = torch.zeros(())
    cover = SoftCover.place(target(), at.grid, softness=1.0, like=like)
    plain, lean = Settings(), Settings(keep_bytes=0)
    ways = {
        "solver": lambda: simulate_scene(at, how, [ARRHENIUS], like=like),
        "forward": lambda: heat_run(at, how, ARRHENIUS, like=like, settings=plain).forward(),
        "gradient": lambda: differentiate(at, how, ARRHENIUS, cover, like=like, settings=plain),
        "gradient_from_checkpoints": lambda: differentiate(
            at, how, ARRHENIUS, cover, like=like, settings=lean
        ),
    }
    cpu = {name: timed(work) for name, work in ways.items()}
    return {
        "modality": modality,
        "cells": f"{n}^3 of {h} mm",
        "probes": probes,
        "duration_s": duration_s,
        "cpu_s": cpu,
        "over_forward": cpu["gradient"] / cpu["forward"],
        "over_solver": cpu["gradient"] / cpu["solver"],
        "from_checkpoints_over_forward": cpu["gradient_from_checkpoints"] / cpu["forward"],
    }


def error(modality, n, h, duration_s):
    """Largest differences to central differences, over the length of each gradient (fp64)."""
    like = torch.zeros((), dtype=torch.float64)
    settings = Settings(tolerance=1e-10, cooling_s=10.0)
    how = protocol(modality, duration_s)
    how = dataclasses.replace(how, power_w=1.5 * how.power_w)
    at = scene(modality, n, h)
    cover = SoftCover.place(target(), at.grid, softness=1.0, like=like)
    value, slopes, decided = differentiate(at, how, ARRHENIUS, cover, like=like, settings=settings)

    def score(place, by=how):
        run = heat_run(place, by, ARRHENIUS, like=like, settings=settings, given=decided)
        return cover.score(ARRHENIUS, run.forward())[0]

    def central(work, step):
        return (work(step) - work(-step)) / (2 * step)

    tip = slopes.tips[0].numpy()
    turned = tangent(slopes.directions[0], tuple(ALONG)).numpy()
    axes = np.eye(3)
    across = [e - (e @ ALONG) * ALONG for e in axes]
    measured_tip = np.array(
        [central(lambda s, e=e: score(scene(modality, n, h, tip=TIP + s * e)), 1e-4) for e in axes]
    )
    measured_turn = np.array(
        [
            central(lambda s, a=a: score(scene(modality, n, h, direction=ALONG + s * a)), 1e-5)
            for a in across
        ]
    )
    power = central(lambda s: score(at, dataclasses.replace(how, power_w=how.power_w + s)), 1e-3)
    lasting = central(
        lambda s: score(at, dataclasses.replace(how, duration_s=duration_s + s)), 1e-3
    )
    return {
        "modality": modality,
        "cells": f"{n}^3 of {h} mm",
        "score": value,
        "tip": float(np.abs(tip - measured_tip).max() / np.linalg.norm(tip)),
        "direction": float(
            max(abs(turned @ a - m) for a, m in zip(across, measured_turn, strict=True))
            / np.linalg.norm(turned)
        ),
        "power": abs(slopes.drive / power - 1),
        "duration": abs(slopes.duration_s / lasting - 1),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="small grids, for a smoke test")
    parser.add_argument("--seconds", type=float, default=60.0, help="of energy")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    price("mwa", 20, 4.0, 1, 5.0)  # the first run of a process is slower
    price("rfa", 24, 3.5, 1, 5.0)
    cases = [
        ("mwa", 28, 3.0, 1),
        ("rfa", 28, 3.0, 1),
        ("mwa", 64, 2.0, 1),
        ("mwa", 64, 2.0, 3),
        ("rfa", 64, 2.0, 1),
        ("mwa", 96, 1.5, 1),
    ]
    if wanted.quick:
        prices = [price("mwa", 24, 3.5, 1, 20.0)]
        errors = [error("mwa", 20, 3.5, 20.5)]
    else:
        errors = [error(m, 24, 3.5, 45.5) for m in DEVICE]
        prices = [price(*case, wanted.seconds) for case in cases]
    figures = {"threads": 1, "price": prices, "relative_error": errors}
    wanted.output.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
