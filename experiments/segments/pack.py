"""Pack the checkpoint of a training run, finished or not, as weights with a card (powers of 1).

python experiments/segments/pack.py --run runs/segments --output segments.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import yaml

from netseg.cli.registry import build
from netseg.training.segments_export import export_segments

CONFIG = Path(__file__).parents[2] / "configs" / "training" / "segments_3mm.yaml"
ABOUT = {
    "training_data": "procedural livers of netseg.phantom, planes of the hepatic veins drawn over "
    "wide ranges (netseg.training.segment_anatomies); no image of a patient",
    "intended_use": "Couinaud segments inside a given liver on CT or MR, as a proposal that a "
    "physician checks at the hepatic veins; research only",
    "limits": "never trained nor scored on a patient's segments; the phantom's segments are "
    "parted by planes through the vena cava, a patient's are not",
    "licence": "Apache-2.0",
}

if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--run", type=Path, required=True)
    words.add_argument("--output", type=Path, required=True)
    words.add_argument("--config", type=Path, default=CONFIG)
    given = words.parse_args()
    spec = build(yaml.safe_load(given.config.read_text(encoding="utf-8"))["network"])
    # our own checkpoint, written by Lightning just now: the only place where one is unpickled
    stored = torch.load(given.run / "last.ckpt", map_location="cpu", weights_only=True)
    network = spec.build()
    prefix = "averaged."
    state = {
        n.removeprefix(prefix): v for n, v in stored["state_dict"].items() if n.startswith(prefix)
    }
    network.load_state_dict(state)
    about = {**ABOUT, "steps": int(stored["global_step"])}
    card = export_segments(network, spec, given.output, name="couinaud_phantom", about=about)
    print(f"{given.output.name}: step {about['steps']}, checksum {card.sha256[:12]}")
