"""BabelViscoFDTD's bioheat solver on the same task, run by an interpreter that has it.

python -m venv peer; peer/bin/pip install babelviscofdtd 'pyopencl[pocl]' h5py hdf5plugin pydicom
peer/bin/python experiments/heat_speed/peer.py [--cells 128] [--steps 120] [--threads 1]

Row A1 without perfusion: 40 K exp(-r^2/25 mm^2) at 1 mm, 60 s; the exact middle is 11.4159 K. The
peer steps explicitly in fp32 with a dose per cell, by OpenCL (pocl on a CPU).
"""

import argparse
import contextlib
import io
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--cells", type=int, default=128)
parser.add_argument("--steps", type=int, default=120)
parser.add_argument("--threads", type=int, default=1)


def main() -> None:
    """Time two lengths of run, so that building and copying drop out of the difference."""
    given = parser.parse_args()
    os.environ["POCL_MAX_PTHREAD_COUNT"] = os.environ["POCL_CPU_MAX_CU_COUNT"] = str(given.threads)
    import numpy as np
    from BabelViscoFDTD.tools import RayleighAndBHTE

    with contextlib.redirect_stdout(io.StringIO()):
        RayleighAndBHTE.InitOpenCL("pthread")
    n, dt = given.cells, 0.5
    axis = np.arange(n) - n // 2
    i, j, k = np.meshgrid(axis, axis, axis, indexing="ij")
    start = (37 + 40 * np.exp(-(i**2 + j**2 + k**2) / 25)).astype(np.float32)
    liver = {
        "Conductivity": [0.52], "Density": [1079.0], "SpecificHeat": [3540.0], "Perfusion": [0.0],
        "SoS": [1595.0], "Attenuation": [7.0], "Absorption": [0.85], "InitTemperature": [37.0],
    }  # fmt: skip
    nothing = np.zeros((n, n, n), np.float32)
    took, field = {}, None
    for steps in (given.steps, 3 * given.steps):
        wall, used = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            field = RayleighAndBHTE.BHTE(
                nothing, np.zeros((n, n, n), np.uint32), liver, 1e-3, steps, 0, -1,
                nFactorMonitoring=steps, dt=dt, Backend="OpenCL", initT0=start,
            )[0]  # fmt: skip
        took[steps] = time.perf_counter() - wall, time.process_time() - used
        if steps == given.steps:
            middle = float(field[n // 2, n // 2, n // 2]) - 37.0
    more = 2 * given.steps
    wall = (took[3 * given.steps][0] - took[given.steps][0]) / more
    used = (took[3 * given.steps][1] - took[given.steps][1]) / more
    print(json.dumps({
        "engine": "BabelViscoFDTD BHTE, OpenCL (pocl)", "threads": given.threads, "cells": f"{n}^3",
        "cpu_ms": round(1e3 * used, 2), "wall_ms": round(1e3 * wall, 2),
        "mupdates_per_cpu_s": round(n**3 / used / 1e6), "mupdates_per_s": round(n**3 / wall / 1e6),
        "middle_after_steps_k": round(middle, 4), "seconds": given.steps * dt,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
