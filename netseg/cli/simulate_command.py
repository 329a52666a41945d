"""`netseg simulate`: what a plan of needles destroys."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from netseg.domain import LabelMap
    from netseg.simulate.plan_run import SimulationResult


def execute(words: argparse.Namespace) -> int:
    """Read the plan, simulate it, write maps and zone."""
    from netseg.pipeline import output_lock
    from netseg.simulate.plan_file import read_plan
    from netseg.simulate.plan_run import simulate_plan

    plan = read_plan(words.plan)
    tissue = _read_tissue(words.tissue) if words.tissue else None
    start = time.perf_counter()
    result = simulate_plan(plan, tissue, device=words.device)
    wall_s = time.perf_counter() - start
    with output_lock(words.output):
        _write(result, wall_s, words.device, words.output)
    document = result.document
    if words.format == "json":
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return 0
    low, high = document["volume_band_ml"]
    sizes = " x ".join(f"{d:.1f}" for d in document["diameters_mm"])
    sys.stdout.write(
        f"zone {document['volume_ml']:.1f} ml (damage models: {low:.1f} to {high:.1f} ml), "
        f"{sizes} mm, hottest {document['max_temperature_c']:.1f} °C\n"
    )
    return 0


def _read_tissue(spec: str) -> LabelMap:
    from netseg.study.masks import read_labels

    return read_labels(spec)


def _write(result: SimulationResult, wall_s: float, device: str, out: Path) -> None:
    import netseg
    from netseg.export import write_document, write_image

    write_image(out / "zone.nii.gz", result.zone.mask)
    write_image(out / "hottest_c.nii.gz", result.hottest)
    write_image(out / "final_c.nii.gz", result.final)
    for name, depth in result.depth.items():
        write_image(out / f"damage_{name}.nii.gz", depth)
    write_document(out / "zone.json", dict(result.document))
    run = {"netseg_version": netseg.__version__, "wall_s": wall_s, "device": device}
    write_document(out / "run.json", {**run, **result.run})
