"""Simulated zones beside published ones (rows B1, B7, B12, B15, B16 of the evidence).

python experiments/zone_sizes/run.py
"""

import numpy as np
import torch

from netseg.domain import AblationProtocol, PointMm
from netseg.simulate import load_device, load_tissue
from netseg.simulate.damage import damage_model
from netseg.simulate.model import simulate_scene
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.surface import measure_shape
from netseg.simulate.window import window_for

MODELS = ("arrhenius", "cem43", "oneill")
CASES = (
    ("B7 RFA cooled 12 min in vivo pig: 46.0+-2.0 x 30.2+-2.0 mm",
     "rfa_cooled_17g_30mm", 80, 720, "impedance", "liver_in_vivo", 2.0),
    ("B1 RFA cooled ex vivo, largest: 29 mm",
     "rfa_cooled_17g_30mm", 80, 720, "impedance", "liver_ex_vivo", 2.0),
    ("B16 MWA patients 5 min (power not stated, 60 W here): 31.9+-5.5 x 27.6+-5.3 mm",
     "mwa_generic_14g", 60, 300, "constant", "liver_in_vivo", 2.0),
    ("B15 MWA 60 W: 10 min reaches 89 % of the largest short axis (first 10, then 25 min)",
     "mwa_generic_14g", 60, 600, "constant", "liver_in_vivo", 2.0),
    ("",
     "mwa_generic_14g", 60, 1500, "constant", "liver_in_vivo", 2.0),
    ("B12 MWA 120 W 15 min ex vivo: 42.0+-1.4 mm short axis, 56.8+-3.1 ml",
     "mwa_generic_14g", 120, 900, "constant", "liver_ex_vivo", 2.0),
    ("spacing: B16 again at 3 and 1.5 mm",
     "mwa_generic_14g", 60, 300, "constant", "liver_in_vivo", 3.0),
    ("",
     "mwa_generic_14g", 60, 300, "constant", "liver_in_vivo", 1.5),
)  # fmt: skip


def main():
    torch.set_num_threads(1)
    for title, name, power, duration, controller, tissue, spacing in CASES:
        device = load_device(name)
        probe = PlacedProbe(
            id="A", device=device, tip_mm=PointMm(0.0, 0.0, 0.0), direction=(0.0, 0.0, 1.0),
            active_length_mm=device.active_length_mm,
        )  # fmt: skip
        window = window_for((probe,), spacing_mm=spacing, margin_mm=40.0, frame_uid="x")
        protocol = AblationProtocol(
            modality=device.modality, duration_s=duration, power_w=power, controller=controller
        )
        scene = Scene(grid=window, probes=(probe,), tissue=load_tissue(tissue))
        done = simulate_scene(
            scene, protocol, [damage_model(m) for m in MODELS], like=torch.zeros(())
        )
        if title:
            print(title)
        print(f"  {name} {power} W {duration} s {tissue} {spacing} mm", end=": ")
        for model in MODELS:
            shape = measure_shape(done.depth[model], window)
            size = " x ".join(f"{d:.1f}" for d in shape.diameters_mm[:2])
            print(f"{model} {size} mm {shape.volume_ml:.1f} ml", end="; ")
        power_w = np.mean(done.trace["power_w"])
        print(f"mean power {power_w:.0f} W, hottest {done.hottest_c.max():.0f} C", flush=True)


if __name__ == "__main__":
    main()
