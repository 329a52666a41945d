"""Simulated zones beside published ones (rows B1, B7, B12, B15, B16 of the evidence).

python experiments/zone_sizes/run.py [--only B12] [--efficiency 0.35] [--output figures.json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from netseg.domain import AblationProtocol, PointMm
from netseg.simulate import load_device, load_tissue
from netseg.simulate.contraction import EX_VIVO, IN_VIVO, contracted
from netseg.simulate.damage import damage_model
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.window import window_for

MODELS = ("arrhenius", "cem43", "oneill")  # blood stops where the first says that tissue is dead
ZONE = "cem43"  # what is compared with what was published
RFA, MWA = "rfa_cooled_17g_30mm", "mwa_generic_14g"
CASES = (
    # row, what was published, device, W, s, controller, tissue, cells in mm
    ("B7", "pig in vivo: 46.0±2.0 x 30.2±2.0 mm", RFA, 80, 720, "impedance", "liver_in_vivo", 2.0),
    ("B1", "ex vivo, largest: 29 mm", RFA, 80, 720, "impedance", "liver_ex_vivo", 2.0),
    (
        "B16", "patients, 5 min, power not stated: 31.9±5.5 x 27.6±5.3 mm",
        MWA, 60, 300, "constant", "liver_in_vivo", 3.0,
    ),
    ("B15 10 min", "60 W, pig: 89 % of the largest short axis",
     MWA, 60, 600, "constant", "liver_in_vivo", 3.0),
    ("B15 25 min", "60 W, pig: taken for the largest", MWA, 60, 1500, "constant", "liver_in_vivo", 3.0),
    ("B15 80 W 10 min", "80 W, pig: 85.8 % of the largest short axis",
     MWA, 80, 600, "constant", "liver_in_vivo", 3.0),
    ("B15 80 W 25 min", "80 W, pig: taken for the largest",
     MWA, 80, 1500, "constant", "liver_in_vivo", 3.0),
    ("B12", "120 W, 15 min ex vivo: short axis 42.0±1.41 mm, 56.78±3.08 ml",
     MWA, 120, 900, "constant", "liver_ex_vivo", 3.0),
)  # fmt: skip


def simulated(case: tuple, *, efficiency: float | None, k_rise_1_k: float | None) -> dict:
    """One row: zones by model, and what that of the calibration measures after contraction."""
    row, published, name, power, duration, controller, tissue_name, spacing = case
    device, tissue = load_device(name), load_tissue(tissue_name)
    if efficiency is not None and name == MWA:
        device = dataclasses.replace(device, efficiency=efficiency)
    if k_rise_1_k is not None:
        tissue = dataclasses.replace(tissue, k_rise_1_k=k_rise_1_k)
    probe = PlacedProbe(
        id="A", device=device, tip_mm=PointMm(0.0, 0.0, 0.0), direction=(0.0, 0.0, 1.0),
        active_length_mm=device.active_length_mm,
    )  # fmt: skip
    window = window_for((probe,), spacing_mm=spacing, margin_mm=45.0, frame_uid="x")
    protocol = AblationProtocol(
        modality=device.modality, duration_s=duration, power_w=power, controller=controller
    )
    scene = Scene(grid=window, probes=(probe,), tissue=tissue)
    done = simulate_scene(scene, protocol, [damage_model(m) for m in MODELS], like=torch.zeros(()))
    prior = EX_VIVO if tissue_name.endswith("ex_vivo") else IN_VIVO
    zones = {m: contracted(done.depth[m], done.hottest_c, window, prior) for m in MODELS}
    first = zones[ZONE]
    return {
        "row": row,
        "published": published,
        "setting": f"{name} {power} W {duration} s {tissue_name} {spacing} mm",
        "efficiency": device.efficiency,
        "k_rise_1_k": tissue.k_rise_1_k,
        "zones": {
            m: {
                "diameters_mm": [round(d, 1) for d in z.uncorrected.diameters_mm],
                "volume_ml": round(z.uncorrected.volume_ml, 1),
            }
            for m, z in zones.items()
        },
        "contracted": {
            "short_axis_mm": [round(d, 1) for d in first.diameters_mm[1]],
            "long_axis_mm": [round(d, 1) for d in first.diameters_mm[0]],
            "volume_ml": [round(v, 1) for v in first.volume_ml],
            "linear_share": [round(s, 3) for s in first.linear_share],
        },
        "mean_power_w": round(float(np.mean(done.trace["power_w"])), 1),
        "energy_j": {
            f.name: round(getattr(done.energy, f.name)) for f in dataclasses.fields(done.energy)
        },
        "hottest_c": round(float(done.hottest_c.max()), 1),
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the rows and record them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", help="rows to run")
    parser.add_argument("--efficiency", type=float, help="of the microwave antenna")
    parser.add_argument("--k-rise", type=float, help="k_rise_1_k of the tissue")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = []
    for case in CASES:
        if given.only and case[0].split()[0] not in given.only:
            continue
        found.append(simulated(case, efficiency=given.efficiency, k_rise_1_k=given.k_rise))
        print(json.dumps(found[-1], ensure_ascii=False), flush=True)
    if given.output:
        given.output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
