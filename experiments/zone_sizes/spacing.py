"""How much does a zone depend on the size of the cells?    python experiments/zone_sizes/spacing.py"""

from __future__ import annotations

from netseg.simulate.plan_file import parse_plan
from netseg.simulate.plan_run import simulate_plan

CASES = (
    ("mwa", "mwa_generic_14g", 60, 300, "constant"),
    ("mwa", "mwa_generic_14g", 100, 600, "constant"),
    ("rfa", "rfa_cooled_17g_30mm", 80, 720, "impedance"),
)
EXTENT_MM = 96.0


def main() -> None:
    for spacing_mm in (3.0, 2.0, 1.5):
        cells = round(EXTENT_MM / spacing_mm)
        for modality, device, power_w, duration_s, controller in CASES:
            plan = parse_plan(
                {
                    "grid": {"shape": [cells] * 3, "spacing_mm": [spacing_mm] * 3},
                    "tissue": "liver_in_vivo",
                    "probes": [
                        {"id": "A", "device": device, "tip_mm": [0, 0, -10], "direction": [0, 0, 1]}
                    ],
                    "protocol": {
                        "modality": modality,
                        "duration_s": duration_s,
                        "power_w": power_w,
                        "controller": controller,
                    },
                }
            )
            volumes = simulate_plan(plan).document["volumes_ml"]
            shown = {name: round(volume, 2) for name, volume in volumes.items()}
            print(f"{spacing_mm} mm {modality} {power_w} W {duration_s} s: {shown}", flush=True)


if __name__ == "__main__":
    main()
