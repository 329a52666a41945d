"""`netseg simulate`: what a plan of needles destroys."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from netseg.domain import LabelMap
    from netseg.simulate.doubt import Progress
    from netseg.simulate.plan_file import SimulationPlan
    from netseg.simulate.plan_run import SimulationResult

INTERRUPTED = 130
RECORD, SEAL = "run.json", "zone.json"
SIMULATED = "simulated s"


def execute(words: argparse.Namespace) -> int:
    """Read the plan, simulate it, write maps, zone and pictures; all of it or nothing."""
    from netseg.simulate.doubt import require_sense
    from netseg.simulate.plan_file import CERTIFIED_MM, read_plan
    from netseg.simulate.plan_space import plan_grid

    plan = read_plan(words.plan)
    if words.certified and plan.certified_mm is None:
        plan = replace(plan, certified_mm=CERTIFIED_MM)
    tissue = _read_tissue(words.tissue) if words.tissue else None
    plan_grid(plan, tissue)  # what is wrong with the two is said before anything is written
    require_sense(plan, labelled=tissue is not None)
    reached = [0.0]
    try:
        result = _run(words, plan, tissue, reached)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"netseg simulate: interrupted after {reached[0]:.0f} of {plan.total_s:.0f} simulated "
            f"seconds; nothing was written to {words.output}.\n"
        )
        return INTERRUPTED
    _answer(result, words.format)
    return 0


def _run(
    words: argparse.Namespace, plan: SimulationPlan, tissue: LabelMap | None, reached: list[float]
) -> SimulationResult:
    """Simulate and write under the output folder's lock."""
    from netseg.cli.simulate_pictures import pictured_points, write_pictures
    from netseg.export import written_together
    from netseg.pipeline import output_lock
    from netseg.simulate.plan_run import simulate_plan

    out: Path = words.output
    with (
        _no_empty_folder(out),
        output_lock(out),
        written_together(out, record=RECORD, seal=SEAL) as folder,
    ):
        wall, process = time.perf_counter(), time.process_time()
        with _bar(words, plan, reached) as progress:
            result = simulate_plan(
                plan,
                tissue,
                device=words.device,
                progress=progress,
                pictured_mm=pictured_points(plan, tissue),
            )
        wall, process = time.perf_counter() - wall, time.process_time() - process
        _write(result, folder)
        write_pictures(plan, result, folder)
        _record(plan, result, {"wall_s": wall, "process_s": process}, folder)
    return result


@contextmanager
def _no_empty_folder(out: Path) -> Iterator[None]:
    """Remove the output folder again where a run that made it left nothing in it."""
    there = out.exists()
    try:
        yield
    finally:
        if not there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


@contextmanager
def _bar(
    words: argparse.Namespace, plan: SimulationPlan, reached: list[float]
) -> Iterator[Progress]:
    """A bar of simulated time on stderr, where somebody looks at it."""
    if words.quiet or words.log_json or not sys.stderr.isatty():

        def note(what: str, done: float, whole: float) -> None:  # noqa: ARG001
            reached[0] = max(reached[0], done if what == SIMULATED else 0.0)

        yield note
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(plan.protocol.modality.value),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {SIMULATED: bar.add_task(SIMULATED, total=plan.total_s)}

        def show(what: str, done: float, whole: float) -> None:
            reached[0] = max(reached[0], done if what == SIMULATED else 0.0)
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=whole)
            bar.update(tasks[what], completed=done)

        yield show


def _read_tissue(spec: str) -> LabelMap:
    from netseg.study.masks import read_labels

    return read_labels(spec)


def _write(result: SimulationResult, folder: Path) -> None:
    from netseg.export import write_document, write_image

    write_image(folder / "zone.nii.gz", result.zone.mask)
    for name, field in result.fields.items():
        write_image(folder / f"{name}.nii.gz", field)
    for name, depth in result.depth.items():
        write_image(folder / f"damage_{name}.nii.gz", depth)
    if result.coverage is not None:
        write_image(folder / "coverage.nii.gz", result.coverage)
    write_document(folder / SEAL, result.document)


def _record(
    plan: SimulationPlan, result: SimulationResult, times: Mapping[str, float], folder: Path
) -> None:
    """Times, steps, speed and device, and the list of the run's files."""
    import netseg
    from netseg.export import write_document

    files = sorted({file.name for file in folder.iterdir()} | {RECORD})
    updates = int(result.run.get("cell_updates", 0))
    record: dict[str, Any] = {
        "netseg_version": netseg.__version__,
        **times,
        "simulated_s": plan.total_s,
        **result.run,
        "cell_updates_per_s": updates / max(result.run["field_wall_s"], 1e-9) if updates else None,
        "files": files,
    }
    write_document(folder / RECORD, record)


def _answer(result: SimulationResult, output_format: str) -> None:
    from netseg.export import to_json

    document = result.document
    if output_format == "json":
        sys.stdout.write(to_json(document).decode())
        return
    low, high = document["volume_band_ml"]
    over = "damage models and draws" if "ensemble" in document else "damage models"
    sizes = " x ".join(f"{d:.1f}" for d in document["diameters_mm"])
    sys.stdout.write(
        f"zone {document['volume_ml']:.1f} ml ({over}: {low:.1f} to {high:.1f} ml), "
        f"{sizes} mm{_extreme(document)}\n"
    )
    sys.stdout.write("".join(f"{line}\n" for line in _doubt_lines(document)))


def _doubt_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What was not used, the ensemble and the numeric error: a line each, where there is any."""
    yield from document.get("notes", ())
    if drawn := document.get("ensemble"):
        name, shares = next(iter(drawn["volume_quantiles_ml"].items()))
        low, high = shares["0.05"], shares["0.95"]
        yield f"{drawn['draws']} draws: 90 % of the zones by {name} have {low:.1f} to {high:.1f} ml"
    if bars := document.get("numeric_error"):
        if not bars["certified"]:
            yield f"no numeric error bar: {bars['why']}"
            return
        volume = bars["values"]["volume_ml"]
        yield f"numeric error: {volume['value']:.2f} ± {volume['error']:.2f} ml, cells to zero"


def _extreme(document: Mapping[str, Any]) -> str:
    """The hottest, the coldest or the strongest, whichever the physics has."""
    for key, words, unit in (
        ("max_temperature_c", "hottest", "°C"),
        ("min_temperature_c", "coldest", "°C"),
        ("max_field_v_cm", "strongest field", "V/cm"),
    ):
        if document.get(key) is not None:
            return f", {words} {document[key]:.1f} {unit}"
    return ""
