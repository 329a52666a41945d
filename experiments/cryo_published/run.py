"""Simulated ice beside published balls and isotherms (rows B18 to B20 of the evidence).

python experiments/cryo_published/run.py [ROW ...]      rows: b18 b18_length b18_thin b19 b20 cells steps speed
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from netseg.simulate.coolant import ColdLine
from netseg.simulate.cryo_protocol import ARGON_C, FreezeThaw
from netseg.simulate.freezing import FreezableTissue, compiled_kernels, freeze
from netseg.simulate.freezing_step import Kernels
from netseg.simulate.needle import LineKernel, Needle
from netseg.simulate.surface import occupancy
from netseg.simulate.tissue import Tissue, load_tissue

FIGURES = Path(__file__).with_name("figures.json")
ISOTHERMS_C = (0, -20, -30, -40)
FINE = 10  # parts of a cell in which isotherms are measured


def places(count, apart_mm):
    """One probe, two, a triangle, a square."""
    a = apart_mm / 2
    return {
        1: [(0, 0)],
        2: [(-a, 0), (a, 0)],
        3: [(-a, -a / math.sqrt(3)), (a, -a / math.sqrt(3)), (0, 2 * a / math.sqrt(3))],
        4: [(-a, -a), (a, -a), (-a, a), (a, a)],
    }[count]


def frozen(
    tissue, count=1, *, apart_mm=20.0, length_mm=30.0, diameter_mm=2.4, minutes=15.0,
    probe_c=ARGON_C, duty=1.0, h=2.5, reach_mm=45.0,
):  # fmt: skip
    """Freeze once; returns the coldest temperature in C, cell size and the ball's extents."""
    half = apart_mm / 2 if count > 1 else 0.0
    across = 2 * round((half + reach_mm) / h)
    along = 2 * round((length_mm / 2 + reach_mm) / h)
    shape, spacing = (across, across, along), (h, h, h)
    grid = FreezableTissue.of(tissue, shape, spacing, like=torch.zeros(()))
    middle, low = (across - 1) * h / 2, (along - 1) * h / 2 - length_mm / 2
    lines = []
    for x, y in places(count, apart_mm):
        needle = Needle(
            tip_mm=(middle + x, middle + y, low), direction=(0.0, 0.0, 1.0),
            active_length_mm=length_mm, diameter_mm=diameter_mm,
        )  # fmt: skip
        kernel = LineKernel.embed(needle, shape, spacing, like=grid.k_w_mk)
        lines.append(ColdLine.place(kernel, grid.k_w_mk, duty=duty))
    done = freeze(grid, lines, FreezeThaw.single(60 * minutes, probe_c=probe_c), kernels=Kernels())
    return (done.coldest_k + tissue.baseline_c).numpy(), h


def finely(plane):
    return ndimage.zoom(plane, FINE, order=1, mode="nearest", grid_mode=True)


def measured(celsius, h):
    """Mid-plane: diameter of the disc of equal area per isotherm; share of the ball's area."""
    k = celsius.shape[2] // 2
    fine = finely(0.5 * (celsius[:, :, k - 1] + celsius[:, :, k]))
    areas = {c: float((fine <= c).sum()) * (h / FINE) ** 2 for c in ISOTHERMS_C}
    row = {f"diameter_{c}_mm": round(2 * math.sqrt(a / math.pi), 1) for c, a in areas.items()}
    row |= {f"share_{c}_percent": round(100 * areas[c] / areas[0]) for c in ISOTHERMS_C[1:]}
    return row


def along_mm(celsius, h, isotherm_c):
    i, j = (n // 2 for n in celsius.shape[:2])
    line = celsius[i - 1 : i + 1, j - 1 : j + 1].mean((0, 1))
    fine = np.interp(np.arange(0, len(line), 0.1), np.arange(len(line)), line)
    return round(float((fine <= isotherm_c).sum()) * 0.1 * h, 1)


def b18():
    """1 to 4 probes of 2.4 mm, 2 cm apart, agar at 39 C, 15 min."""
    published = {1: (12, 13), 2: (33, 46), 3: (41, 51), 4: (49, 56)}
    rows = []
    for count, (diameter, share) in published.items():
        row = measured(*frozen(load_tissue("agar_gel"), count))
        rows.append(
            {"probes": count, "published_30_mm": diameter, "published_percent": share} | row
        )
    return rows


def b18_length():
    """The same for other active lengths: the abstract does not state it."""
    return [
        {"length_mm": length, "probes": count}
        | measured(*frozen(load_tissue("agar_gel"), count, length_mm=length))
        for length in (20.0, 40.0)
        for count in (1, 2)
    ]


def b18_thin():
    """1.7 mm probes: 84 % of the diameter, 71 % of the area of 2.4 mm probes."""
    rows = []
    for count in (1, 2, 4):
        thick, thin = (
            measured(*frozen(load_tissue("agar_gel"), count, diameter_mm=d)) for d in (2.4, 1.7)
        )
        share = thin["diameter_-30_mm"] / thick["diameter_-30_mm"]
        rows.append({"probes": count, "diameter_percent": round(100 * share),
                     "area_percent": round(100 * share**2)})  # fmt: skip
    return rows


def b19():
    """Gel at 37 C, 10 min: how far -40 C lies from the needles and within the ball's edge."""
    gel = load_tissue("agar_gel")
    gel = Tissue(**{f: getattr(gel, f) for f in gel.__dataclass_fields__} | {"baseline_c": 37.0})
    rows = []
    for gauge, diameter in (("17 G", 1.5), ("10 G", 3.4)):
        for count, apart, duty in ((2, 15, 1.0), (2, 20, 1.0), (2, 20, 0.7), (2, 25, 1.0),
                                   (4, 15, 1.0), (4, 20, 1.0), (4, 20, 0.7)):  # fmt: skip
            celsius, h = frozen(
                gel, count, apart_mm=float(apart), diameter_mm=diameter, duty=duty, minutes=10.0
            )
            i, j, k = (n // 2 for n in celsius.shape)
            centre = float(celsius[i - 1 : i + 1, j - 1 : j + 1, k - 1 : k + 1].mean())
            fine = finely(0.5 * (celsius[:, :, k - 1] + celsius[:, :, k]))
            step, middle = h / FINE, fine.shape[0] // 2
            row = middle + round((0 if count == 2 else apart / 2) / step)
            start = middle + round(apart / 2 / step)
            outwards = fine[start:, row]
            reach = [round(float((outwards <= c).sum()) * step, 1) for c in (-40, 0)]
            rows.append({
                "needles": f"{count} x {gauge}", "apart_mm": apart, "duty": duty,
                "from_needle_to_-40_mm": reach[0], "from_-40_to_0_mm": round(reach[1] - reach[0], 1),
                "middle_c": round(centre),
            })  # fmt: skip
    return rows


def b20():
    """Liquid nitrogen, pig liver in vivo, 4 min: 38+-15 x 17+-3 x 17+-7 mm after three days."""
    rows = []
    for tissue in ("liver_cryo", "liver_in_vivo"):
        for probe_c in (-170.0, -140.15):
            celsius, h = frozen(
                load_tissue(tissue), length_mm=35.0, diameter_mm=3.4, minutes=4.0, probe_c=probe_c
            )
            across = measured(celsius, h)
            rows.append(
                {"tissue": tissue, "probe_c": probe_c}
                | {k: v for k, v in across.items() if k.startswith("diameter")}
                | {f"length_{c}_mm": along_mm(celsius, h, c) for c in ISOTHERMS_C}
            )
    return rows


def cells():
    """Cell size: one and two probes of B18."""
    return [
        {"cell_mm": h, "probes": count} | measured(*frozen(load_tissue("agar_gel"), count, h=h))
        for count, h in ((1, 3.0), (1, 2.5), (1, 2.0), (2, 2.5), (2, 2.0))
    ]


def steps():
    """Length of a step: the double protocol, 3 probes in liver, 3 mm cells."""
    rows = []
    for step_s in (2.0, 8.0):
        grid, lines = three_probes(44, 3.0)
        done = freeze(grid, lines, FreezeThaw.double(), step_s=step_s, kernels=Kernels())
        rows.append(
            {"step_s": step_s, "stages": done.updates, "ice_ml": round(done.ice_ml, 2),
             "balance_error": float(f"{done.energy.balance_error:.1e}")}
            | {n: round(measure_ml(d, 3.0), 2) for n, d in done.depth.items()}
        )  # fmt: skip
    return rows


def speed():
    """Double freeze of 26 min, 3 probes, 128^3 cells of 1 mm; compiling apart; a triad beside."""
    grid, lines = three_probes(128, 1.0)
    kernels = compiled_kernels()
    start = time.perf_counter()
    freeze(grid, lines, FreezeThaw.single(16.0), kernels=kernels)
    compiling_s = time.perf_counter() - start
    wall, cpu = time.perf_counter(), time.process_time()
    done = freeze(grid, lines, FreezeThaw.double(), kernels=kernels)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return [{
        "compiling_s": round(compiling_s, 1), "wall_s": round(wall, 1), "cpu_s": round(cpu, 1),
        "threads": torch.get_num_threads(), "steps": done.steps, "stages": done.updates,
        "cell_updates": done.cell_updates, "share_of_grid": round(
            done.cell_updates / done.updates / 128**3, 3),
        "updates_per_cpu_s": round(done.cell_updates / cpu),
        "triad_gb_s": round(triad_gb_s(), 1), "ice_ml": round(done.ice_ml, 2),
        "balance_error": float(f"{done.energy.balance_error:.1e}"),
    }]  # fmt: skip


def three_probes(cells, h):
    """A triangle of 15 mm in liver, probes of 30 mm."""
    shape, spacing = (cells,) * 3, (h,) * 3
    grid = FreezableTissue.of(load_tissue("liver_cryo"), shape, spacing, like=torch.zeros(()))
    middle = (cells - 1) * h / 2
    lines = [
        ColdLine.place(
            LineKernel.embed(
                Needle(
                    tip_mm=(middle + x, middle + y, middle - 15.0), direction=(0.0, 0.0, 1.0),
                    active_length_mm=30.0, diameter_mm=1.5,
                ),
                shape, spacing, like=grid.k_w_mk,
            ),
            grid.k_w_mk,
        )
        for x, y in places(3, 15.0)
    ]  # fmt: skip
    return grid, lines


def measure_ml(depth, h):
    return float(occupancy(depth.numpy()).sum()) * h**3 / 1000


def triad_gb_s(cells=128**3):
    """a = b + s c on three fields of that size, in one process."""
    a, b, c = (torch.rand(cells) for _ in range(3))
    torch.add(b, c, alpha=0.5, out=a)
    start = time.process_time()
    for _ in range(50):
        torch.add(b, c, alpha=0.5, out=a)
    return 50 * 3 * 4 * cells / (time.process_time() - start) / 1e9


ROWS = {f.__name__: f for f in (b18, b18_length, b18_thin, b19, b20, cells, steps, speed)}


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
