"""Cell updates per second of a heat step against the memory bandwidth measured in the same run.

python experiments/heat_speed/run.py [--cells 64 128] [--threads 1 2] [--output figures.json]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from bandwidth import LEAST_BYTES, MOVED_BYTES, best, triad_gb_s

from netseg.simulate.diffusion import Diffusion
from netseg.simulate.engine import engine_for
from netseg.simulate.hot import BoxedLaw, HotBox
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction

LAW = PhaseLaw(latent_k=472.0, dry_slope=4.8)


def step_of(engine, n, stages):
    """A whole Strang step of heterogeneous, perfused tissue with a source."""
    shape = (n, n, n)
    box = HotBox(shape=shape, low=[n // 3] * 3, high=[2 * n // 3] * 3)
    law = BoxedLaw(law=LAW, box=box)
    tissue = Conduction(
        diffusion=Diffusion.assemble(0.4 + 0.2 * torch.rand(shape), (1.0, 1.0, 1.0)),
        inverse_capacity=torch.full(shape, 1 / 3.82e6),
        law=law,
    )
    carrier, tissue = engine_for(engine, tissue, law, steps=1)
    heat, source = torch.rand(shape), 1e5 * torch.rand(shape)
    factor = torch.full(shape, -1.8e-3)

    def step():
        return carrier.step(heat, factor, tissue, source, step_s=0.5, stages=stages)

    return step


def measured(engine, n, stages, threads, triad, repeats):
    """One row of the table."""
    step = step_of(engine, n, stages)
    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    wall, used = best(step, repeats)
    updates = n**3 * stages
    return {
        "engine": engine, "threads": threads, "cells": f"{n}^3", "stages": stages,
        "first_call_s": round(first, 2),
        "cpu_ms": round(1e3 * used, 2), "wall_ms": round(1e3 * wall, 2),
        "mupdates_per_cpu_s": round(updates / used / 1e6), "mupdates_per_s": round(updates / wall / 1e6),
        "triad_gb_s": [round(t, 1) for t in triad],
        # by processor time of both: other work stretches wall time, and not evenly
        "share_of_least_traffic": round(updates * LEAST_BYTES / used / triad[1] / 1e9, 3),
        "share_of_moved_traffic": round(updates * MOVED_BYTES / used / triad[1] / 1e9, 3),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--stages", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--engines", nargs="+", default=["eager", "compiled"])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(arguments)
    rows = []
    for threads in given.threads:
        torch.set_num_threads(threads)
        triad = triad_gb_s(given.repeats)
        for n in given.cells:
            for stages in given.stages:
                for engine in given.engines:
                    with torch.no_grad():
                        row = measured(engine, n, stages, threads, triad, given.repeats)
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    if given.output:
        given.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
