"""Put tuned values and measured figures into the model card's text.

python experiments/any_scan/fill_card.py --tuned tune.json [--figures figures.json] --output card_filled.yaml
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


def summaries(figures: dict[str, Any]) -> dict[str, Any]:
    """Without the single cases; the real CT keeps its only one."""
    out: dict[str, Any] = {"synthetic": {}, "real": {}, "painted": {}}
    for name, part in figures.items():
        if name == "synthetic":
            out["synthetic"] = {subset: one["summary"] for subset, one in part.items()}
        elif name.startswith("painted"):
            out["painted"][name] = part["summary"]
        elif name == "real CT":
            out["real"].update(part["cases"])
        else:
            out["real"][name] = part["summary"]
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tuned", type=Path, required=True)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    words = parser.parse_args()
    card = yaml.safe_load((HERE / "card.yaml").read_text())
    tuned = json.loads(words.tuned.read_text())
    chosen = tuned["chosen"]
    card["tuned"] = {
        "lesions": {"threshold": chosen["threshold"], "temperature": tuned["temperature"]}
    }
    card["about"]["threshold"] = {
        "rule": "best mean F1 of three groups of training-side cases (experiments/any_scan/tune.py)",
        **chosen,
    }
    figures = json.loads(words.figures.read_text()) if words.figures else {}
    card["about"]["measured"] = summaries(figures)
    words.output.write_text(yaml.safe_dump(card, sort_keys=False))


if __name__ == "__main__":
    main()
