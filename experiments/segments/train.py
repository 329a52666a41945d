"""Train the network for Couinaud's segments.

python experiments/segments/train.py --output runs/segments [--resume]
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import yaml

from netseg.cli.registry import build
from netseg.training.segments_module import fit_segments
from netseg.training.steps import Curriculum

CONFIG = Path(__file__).parents[2] / "configs" / "training" / "segments_3mm.yaml"

if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--output", type=Path, required=True)
    words.add_argument("--resume", action="store_true")
    words.add_argument("--config", type=Path, default=CONFIG)
    given = words.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    settings = yaml.safe_load(given.config.read_text(encoding="utf-8"))
    cache = str(given.output / "anatomies")
    spec, schedule = build(settings["network"]), build(settings["schedule"])
    for stage in settings["stages"]:
        stage["task"]["cache"] = cache
    task = Curriculum(build(settings["stages"]))
    fit_segments(spec, task, schedule, folder=given.output, resume=given.resume)
