"""From a simulated plan to its pictures: two stations meet here, as they never import each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import PointMm, Probe

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float

    from netseg.domain import LabelMap
    from netseg.report.simulation import DeviceNote, Scale, SimulationView
    from netseg.simulate.plan_file import SimulationPlan
    from netseg.simulate.plan_run import SimulationResult

SHAFT_MM = 400.0
TITLES = {
    "rfa": "Radiofrequency ablation, simulated",
    "mwa": "Microwave ablation, simulated",
    "cryo": "Cryoablation, simulated",
    "ire": "Irreversible electroporation, simulated",
}

COLD_NOTE = (
    "The ball of ice that an image shows is larger than the zone: tissue near its edge survives. "
    "The lethal temperature is not known better than the band says."
)
PULSE_NOTE = (
    "The field that kills liver is not known better than a factor of two: the band spans the "
    "published thresholds, the coverage weighs them alike. Heat is not simulated; heating_bound_k "
    "is what the pulses would warm tissue by if no heat flowed away."
)


def pictured_points(
    plan: SimulationPlan, tissue: LabelMap | None
) -> Float[np.ndarray, "rows columns 3"]:
    """Points of the plane that the pictures show (LPS)."""
    from netseg.report.simulation_plane import needle_plane, pixel_mm
    from netseg.simulate.plan_space import plan_grid

    plane = needle_plane(drawn_probes(plan), plan_grid(plan, tissue))
    return plane.points_mm(pixel_mm(plane))


def write_pictures(plan: SimulationPlan, result: SimulationResult, folder: Path) -> None:
    """Write the pictures and `simulation.html` into `folder`."""
    from netseg.report.simulation import write_simulation

    write_simulation(view_of(plan, result), folder)


def view_of(plan: SimulationPlan, result: SimulationResult) -> SimulationView:
    """What pictures and page show of a run."""
    from netseg.report.simulation import SimulationView, Tube
    from netseg.report.simulation_plane import needle_plane

    name, scale = leading_map(plan)
    grid = result.zone.mask.grid
    probes = drawn_probes(plan)
    return SimulationView(
        title=TITLES[plan.protocol.modality.value],
        leading=result.fields[name],
        scale=scale,
        depth=result.depth,
        probes=probes,
        plane=needle_plane(probes, grid),
        frames=tuple((f.time_s, f.values) for f in result.frames),
        document=result.document,
        devices=device_notes(plan),
        tissue=(plan.tissue.name, plan.tissue.source),
        protocol=protocol_words(plan),
        vessels=tuple(
            Tube(from_mm=v.from_mm, to_mm=v.to_mm, diameter_mm=v.diameter_mm) for v in plan.vessels
        ),
        run=run_words(plan, result),
        coverage=result.coverage,
        frame_scale=frame_scale(plan),
        notes=notes_of(plan),
    )


def drawn_probes(plan: SimulationPlan) -> tuple[Probe, ...]:
    """The needles with a shaft that leaves every picture."""
    return tuple(
        Probe(
            id=p.id,
            device=p.device.name,
            tip_mm=p.tip_mm,
            entry_mm=PointMm(
                *(t + SHAFT_MM * d for t, d in zip(p.tip_mm, p.direction, strict=True))
            ),
            active_length_mm=p.active_length_mm,
        )
        for p in plan.probes
    )


def leading_map(plan: SimulationPlan) -> tuple[str, Scale]:
    """The map that a physics is looked at by, and its colours."""
    from netseg.report.simulation import Scale

    base = plan.tissue.baseline_c
    if plan.protocol.modality.value == "cryo":
        return "coldest_c", Scale(
            what="Lowest temperature", unit="°C", low=-100.0, high=base, colours="Blues_r",
            levels=(-40.0, -20.0, 0.0), pale=True,
        )  # fmt: skip
    if plan.protocol.modality.value == "ire":
        return "field_v_cm", Scale(
            what="Strongest field", unit="V/cm", low=0.0, high=1500.0, colours="viridis",
            levels=(300.0, 600.0, 900.0),
        )  # fmt: skip
    return "hottest_c", Scale(
        what="Highest temperature", unit="°C", low=base, high=105.0, colours="inferno",
        levels=(50.0, 60.0, 100.0),
    )  # fmt: skip


def frame_scale(plan: SimulationPlan) -> Scale:
    """Colours of the pictures over time."""
    from dataclasses import replace

    scale = leading_map(plan)[1]
    what = "Strongest field so far" if scale.unit == "V/cm" else "Temperature"
    return replace(scale, what=what)


def device_notes(plan: SimulationPlan) -> tuple[DeviceNote, ...]:
    """Each kind of device once, with the probes of its kind."""
    from netseg.report.simulation import DeviceNote

    kinds = {p.device.name: p.device for p in plan.probes}
    return tuple(
        DeviceNote(
            probes=tuple(p.id for p in plan.probes if p.device.name == name),
            name=name,
            label=device.label,
            source=device.source,
        )
        for name, device in kinds.items()
    )


def notes_of(plan: SimulationPlan) -> tuple[str, ...]:
    """What a reader of this physics must know."""
    if plan.protocol.modality.value == "cryo":
        return (COLD_NOTE,)
    if plan.protocol.modality.value == "ire":
        return (PULSE_NOTE,)
    return ()


def protocol_words(plan: SimulationPlan) -> tuple[tuple[str, str], ...]:
    """The energy in words."""
    p = plan.protocol
    words = [("Modality", p.modality.value.upper()), ("Duration", f"{p.duration_s:g} s")]
    words += [("Power", f"{p.power_w:g} W")] if p.power_w else []
    words += [("Voltage", f"{p.voltage_v:g} V")] if p.voltage_v else []
    words += [("Pulses per pair", f"{p.pulses}")] if p.pulses else []
    words += [("Pairs", ", ".join(f"{a}-{b}" for a, b in p.pairs))] if p.pairs else []
    words += [("Phases", f"{len(p.schedule)}")] if p.schedule else []
    if p.modality.value in ("rfa", "mwa"):
        own = ", ".join(f"{k} {v:g}" for k, v in p.settings.items())
        words.append(("Generator", p.controller + (f" ({own})" if own else "")))
    return tuple(words)


def run_words(plan: SimulationPlan, result: SimulationResult) -> tuple[tuple[str, str], ...]:
    """What was computed, without times, so that the page is the same on every rerun."""
    grid = result.zone.mask.grid
    return (
        ("grid", " x ".join(str(n) for n in grid.shape)),
        ("cells of", " x ".join(f"{s:g}" for s in grid.spacing_mm) + " mm"),
        ("steps of", f"{plan.step_s:g} s"),
        ("steps", str(result.run["steps"])),
    )
