"""Pack the averaged weights of checkpoints, at whatever step they stand.

    python experiments/any_scan/pack.py --liver RUN --lesions RUN --output FILE.safetensors [--name any_scan]

RUN is the folder that was `output=` of `train.py`. Spacing, patch and network come from the
configurations; threshold, temperature and the text of the card from `--card FILE.yaml` where given.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import yaml

from netseg.cli.registry import build
from netseg.segment.card import NetworkCard
from netseg.training.export import export

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "training"
FILES = {"liver": "liver_3mm.yaml", "lesions": "lesions_1p5mm.yaml"}


def network(role: str, run: Path, tuned: dict[str, Any]) -> tuple[torch.nn.Module, NetworkCard]:
    settings = yaml.safe_load((CONFIGS / FILES[role]).read_text())
    spec = build(settings["network"])
    state = torch.load(run / role / "last.ckpt", map_location="cpu", weights_only=True)
    module = spec.build()
    module.load_state_dict(
        {
            name.removeprefix("averaged."): value
            for name, value in state["state_dict"].items()
            if name.startswith("averaged.")
        }
    )
    print(role, "step", state["global_step"])
    i, j, k = settings["patch"]
    card = NetworkCard(
        spec=spec,
        spacing_mm=settings["spacing_mm"],
        patch=(i, j, k),
        threshold=tuned.get("threshold", settings["threshold"]),
        temperature=tuned.get("temperature", 1.0),
    )
    return module, card


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--liver", type=Path, required=True)
    parser.add_argument("--lesions", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--name", default="any_scan")
    parser.add_argument("--card", type=Path)
    words = parser.parse_args()
    told = yaml.safe_load(words.card.read_text()) if words.card else {}
    tuned = told.get("tuned", {})
    networks = {role: network(role, getattr(words, role), tuned.get(role, {})) for role in FILES}
    card = export(networks, words.output, name=words.name, about=told.get("about", {}))
    print(words.output, f"{words.output.stat().st_size / 1e6:.1f} MB", card.sha256[:12])


if __name__ == "__main__":
    main()
