"""Cell updates per second of the heat step against the memory bandwidth measured in the same run.

python experiments/heat_speed/run.py [--cells 96] [--threads 1 2] [--compile]
"""

import argparse
import json
import time

import torch

from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction, conduct

BYTES_PER_CELL = (
    24  # T read and written, k, 1/(rho c), source, outside: perfect reuse of neighbours
)


def median_s(work, repeats):
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def triad_gb_s(cells, repeats):
    """a = b + s c over three arrays far larger than the caches."""
    n = max(cells, 32_000_000)
    a, b, c = torch.empty(n), torch.ones(n), torch.ones(n)
    return 3 * 4 * n / median_s(lambda: torch.add(b, c, alpha=0.5, out=a), repeats) / 1e9


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, nargs="+", default=[40, 64, 96])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--compile", action="store_true", help="also torch.compile the step")
    given = parser.parse_args()
    rows = []
    for threads in given.threads:
        torch.set_num_threads(threads)
        triad = triad_gb_s(0, given.repeats)
        for n in given.cells:
            shape = (n, n, n)
            k = 0.4 + 0.2 * torch.rand(shape)
            equation = Conduction(
                diffusion=Diffusion.assemble(k, (1.0, 1.0, 1.0)),
                inverse_capacity=torch.full(shape, 1 / 3.82e6),
                law=PhaseLaw(latent_k=472.0, dry_slope=4.8),
            )
            heat, source = torch.rand(shape) * 60, torch.rand(shape) * 1e6

            def step(equation=equation, heat=heat, source=source):
                return conduct(heat, equation, source, step_s=0.5)[0]

            with torch.inference_mode():
                steps = {"eager": step}
                if given.compile:
                    steps["compiled"] = torch.compile(step)
                for engine, call in steps.items():
                    start = time.perf_counter()
                    call()
                    first = time.perf_counter() - start
                    seconds = median_s(call, given.repeats)
                    rate = n**3 / seconds
                    rows.append(
                        {
                            "engine": engine,
                            "threads": threads,
                            "cells": f"{n}^3",
                            "first_call_s": round(first, 3),
                            "mcell_per_s": round(rate / 1e6, 1),
                            "triad_gb_s": round(triad, 1),
                            "share_of_roofline": round(rate * BYTES_PER_CELL / triad / 1e9, 3),
                        }
                    )
                    print(json.dumps(rows[-1]), flush=True)


if __name__ == "__main__":
    main()
