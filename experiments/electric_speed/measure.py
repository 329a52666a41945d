"""What does the electric field cost: per solve, and in a whole ablation with three needles?

python experiments/electric_speed/measure.py [--solves 64 128] [--runs] [--cells 128 --mm 1]
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netseg.domain import AblationModality, AblationProtocol, Grid, PointMm
from netseg.simulate import load_device, load_tissue
from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.control import controller_for
from netseg.simulate.damage import damage_model
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.drive import Timing
from netseg.simulate.heating import heating_parts
from netseg.simulate.multigrid import Multigrid
from netseg.simulate.needle import LineKernel, Needle
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.surface import measure_shape

FIGURES = Path(__file__).with_name("figures.json")
TRIANGLE = {"A": (-8.7, -5.0), "B": (8.7, -5.0), "C": (0.0, 10.0)}


def spent(work):
    """Result, processor seconds, wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def system(n, h, dried_mm):
    """The set-up of the reference: 30 mm electrode, warm tissue, a dried core, ground outside."""
    axis = (torch.arange(n) - (n - 1) / 2) * h
    i, j, k = torch.meshgrid(axis, axis, axis, indexing="ij")
    r = torch.sqrt(i**2 + j**2 + (k.abs() - 15).clamp_min(0) ** 2)
    sigma = 0.2 * (1 + 0.9 * torch.exp(-r / 10))
    sigma = torch.where(r < dried_mm, 0.1 * sigma, sigma)
    middle = (n - 1) / 2 * h
    needle = Needle(
        tip_mm=(middle, middle, middle - 15),
        direction=(0, 0, 1),
        active_length_mm=30,
        diameter_mm=1.5,
    )
    kernel = LineKernel.embed(needle, (n, n, n), (h,) * 3, like=sigma)
    link = kernel.link(sigma)
    operator, cell_m3 = Diffusion.assemble(sigma, (h,) * 3), (h * 1e-3) ** 3
    return operator, kernel, link, cell_m3


def solves(n):
    """Cold, and warm after the dried core grew by 0.2 mm; Jacobi scaling beside multigrid."""
    h, rows, warm = 128 / n, [], {}
    for state, dried_mm in (("cold", 5.0), ("warm", 5.2)):
        operator, kernel, link, cell_m3 = system(n, h, dried_mm)
        shape = (n, n, n)
        source = kernel.spread(link, shape) / cell_m3

        def apply(v, operator=operator, kernel=kernel, link=link, cell_m3=cell_m3, shape=shape):
            fed = kernel.spread(link * kernel.feel(v), shape)
            return operator.apply(v).neg_().add_(fed, alpha=1 / cell_m3)

        for name in ("jacobi", "multigrid"):

            def solve(name=name, operator=operator, source=source, apply=apply):
                start = warm.get(name, torch.zeros_like(source))
                if name == "jacobi":
                    scaled = 1 / (operator.diagonal() + source)
                    return conjugate_gradients(
                        apply, source, start=start, tolerance=1e-3, inverse_diagonal=scaled
                    )
                cycle = Multigrid.of(operator, ties=source)
                return conjugate_gradients(
                    apply, source, start=start, tolerance=1e-3, precondition=cycle
                )

            (found, iterations), cpu, wall = spent(solve)
            warm[name] = found
            rows.append(
                {"cells": f"{n}^3", "solver": name, "start": state, "iterations": iterations,
                 "cpu_s": round(cpu, 3), "wall_s": round(wall, 3)}
            )  # fmt: skip
            print(json.dumps(rows[-1]), flush=True)
    return rows


class Timed:
    """Electrodes that count what their fields cost."""

    def __init__(self, electrodes):
        self.electrodes: Any = electrodes
        self.cpu_s, self.calls = 0.0, 0

    def _call(self, name, *given):
        result, cpu, _ = spent(lambda: getattr(self.electrodes, name)(*given))
        self.cpu_s += cpu
        self.calls += name == "renew"
        return result

    def deposit(self, *given):
        return self._call("deposit", *given)

    def renew(self, *given):
        return self._call("renew", *given)

    def way(self, *given):
        return self._call("way", *given)

    def within(self, window):
        """Seen through a window of the heat grid, where that can be."""
        return self if self.electrodes.within(window) is not None else None

    def drift(self, *given):
        return self._call("drift", *given)


def scene(cells, h):
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(cells - 1) / 2 * h
    kind = load_device("rfa_cooled_17g_30mm")
    return Scene(
        grid=Grid(shape=(cells,) * 3, affine_lps=affine, frame_uid="speed"),
        probes=tuple(
            PlacedProbe(
                id=name,
                device=kind,
                tip_mm=PointMm(x, y, -0.5 * kind.active_length_mm),
                direction=(0.0, 0.0, 1.0),
                active_length_mm=kind.active_length_mm,
            )
            for name, (x, y) in TRIANGLE.items()
        ),
        tissue=load_tissue("liver_in_vivo"),
    )


def ablation(cells, h, duration_s, controller):
    """Three needles, vapour, a listening generator, three damage models."""
    protocol = AblationProtocol(
        modality=AblationModality.RFA, duration_s=duration_s, power_w=150.0, controller=controller
    )
    models = [damage_model(m) for m in ("arrhenius", "cem43", "oneill")]
    given = scene(cells, h)
    parts = heating_parts(
        given, protocol, models, Timing(duration_s=duration_s), like=torch.zeros(())
    )
    timed = Timed(parts.source)
    parts = dataclasses.replace(parts, source=timed, controller=controller_for(protocol))
    outcome, cpu, wall = spent(parts.run)
    shape = measure_shape(models[0].depth(outcome.damage["arrhenius"]).numpy(), given.grid)
    row = {
        "cells": f"{cells}^3", "mm": h, "duration_s": duration_s, "controller": controller,
        "cpu_s": round(cpu, 1), "wall_s": round(wall, 1), "electric_cpu_s": round(timed.cpu_s, 1),
        "renewals": timed.calls, "iterations": timed.electrodes.iterations,
        "steps": outcome.steps, "heat_updates": outcome.updates,
        "mean_window": round(outcome.cell_updates / outcome.updates / cells**3, 3),
        "zone_ml": round(shape.volume_ml, 2), "balance_error": outcome.energy.balance_error,
        "threads": torch.get_num_threads(), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    print(json.dumps(row), flush=True)
    return row


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--solves", type=int, nargs="*", default=[])
    parser.add_argument("--runs", nargs="*", default=[], help="controllers: switching impedance")
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--mm", type=float, default=1.0)
    parser.add_argument("--duration-s", type=float, default=600.0)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    given = parser.parse_args(argv)
    known = json.loads(given.figures.read_text()) if given.figures.exists() else {}
    with torch.inference_mode():
        for n in given.solves:
            known[f"solve {n}"] = solves(n)
        for controller in given.runs:
            key = f"run {controller} {given.cells} {given.mm:g} {given.duration_s:g}"
            known[key] = ablation(given.cells, given.mm, given.duration_s, controller)
    given.figures.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
