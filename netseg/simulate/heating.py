"""Heating runs: equation, source, generator, damage and stepper, each a part of its own.

    parts = heating_parts(scene, protocol, models, timing, like=like)
    outcome = parts.run()

The equation (`heated_tissue`) knows nothing of what heats, the source nothing of how much, the
generator nothing of tissue, and the damage models see temperatures alone. To try another part,
replace it: `dataclasses.replace(parts, controller=...)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.conductivity import varying_conductivity
from netseg.simulate.control import controller_for
from netseg.simulate.coolant import Coolant
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.microwave import MicrowaveAntenna
from netseg.simulate.needle import LineKernel
from netseg.simulate.radiofrequency import build_rfa
from netseg.simulate.scene import needles, per_cell, require_fit
from netseg.simulate.solver import Problem, run
from netseg.simulate.stepping import Conduction
from netseg.simulate.vessel import film_w_m2k
from netseg.simulate.vessel_line import BloodLine, by_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.applicator import Applicator
    from netseg.simulate.control import Controller, Memory, Reading
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.drive import Timing
    from netseg.simulate.needle import Needle
    from netseg.simulate.scene import Scene
    from netseg.simulate.solver import Outcome

MICROWAVE_HZ = 2.45e9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeatingParts:
    """What a heating run is made of.

    Attributes:
        equation: Tissue that conducts, boils and is perfused.
        source: Where a watt goes.
        controller: How many watts.
        damage: When tissue dies; the first model stops perfusion.
        stepper: Durations and steps.
    """

    equation: Problem
    source: Applicator
    controller: Controller
    damage: Sequence[DamageModel]
    stepper: Timing

    def run(self, progress: Callable[[float, Tensor], None] | None = None) -> Outcome:
        """Heat, and see what dies.

        Args:
            progress: Called with time and excess temperature after each step.

        Raises:
            StudyRejectedError: If the step is unstable or the field becomes NaN.
        """
        return run(self.equation, self.source, self.controller, self.damage, self.stepper, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinDevice:
    """A generator that is asked for no more than its devices give.

    Attributes:
        controller: Who decides.
        most_w: Of all probes together.
    """

    controller: Controller
    most_w: float

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """What the controller wants.

        Raises:
            StudyRejectedError: If that is more than there is.
        """
        power, memory = self.controller.power_w(reading, memory)
        if power > self.most_w:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"after {reading.time_s:g} s the generator would need {power:.0f} W; the devices "
                f"give at most {self.most_w:.0f} W.",
                hint="Lower voltage_v or power_w.",
            )
        return power, memory


def heating_parts(
    scene: Scene,
    protocol: AblationProtocol,
    damage: Sequence[DamageModel],
    stepper: Timing,
    *,
    like: Tensor,
) -> HeatingParts:
    """The parts of a radiofrequency or microwave run.

    Args:
        scene: What lies where.
        protocol: Energy; it names the generator.
        damage: When tissue dies; the first model stops perfusion.
        stepper: Durations and steps.
        like: A tensor of the type and device to compute with.

    Raises:
        StudyRejectedError: If probes do not fit the protocol, or something cannot be placed.
    """
    equation, source = equation_and_source(scene, protocol, like=like)
    most_w = sum(p.device.max_power_w for p in scene.probes)
    return HeatingParts(
        equation=equation,
        source=source,
        controller=WithinDevice(controller=controller_for(protocol), most_w=most_w),
        damage=damage,
        stepper=stepper,
    )


def equation_and_source(
    scene: Scene, protocol: AblationProtocol, *, like: Tensor
) -> tuple[Problem, Applicator]:
    """The heat equation of a scene, and where a watt goes in it.

    Raises:
        StudyRejectedError: If probes do not fit the protocol, or something cannot be placed.
    """
    require_fit(scene, protocol)
    placed = needles(scene)
    equation = heated_tissue(scene, placed, like=like)
    if protocol.modality is AblationModality.RFA:
        return equation, radiofrequency_source(scene, placed, protocol, like=like)
    return equation, microwave_source(scene, placed, like=like)


def radiofrequency_source(
    scene: Scene, placed: Sequence[Needle], protocol: AblationProtocol, *, like: Tensor
) -> Applicator:
    """Joule heat of electrodes, in every connection that the protocol may use."""
    return build_rfa(
        placed,
        [p.id for p in scene.probes],
        per_cell(scene, "sigma_s_m", like),
        scene.grid.spacing_mm,
        scene.tissue,
        protocol,
    )


def microwave_source(scene: Scene, placed: Sequence[Needle], *, like: Tensor) -> Applicator:
    """Dielectric heat of antennas."""
    device = scene.probes[0].device
    return MicrowaveAntenna.place(
        placed,
        scene.grid.shape,
        scene.grid.spacing_mm,
        like=like,
        baseline_c=scene.tissue.baseline_c,
        frequency_hz=device.frequency_hz or MICROWAVE_HZ,
        efficiency=device.efficiency,
    )


def heated_tissue(scene: Scene, placed: Sequence[Needle], *, like: Tensor) -> Problem:
    """The heat equation of a scene, with its vessels and cooled needles.

    Args:
        scene: What lies where.
        placed: The scene's probes in the coordinates of the grid.
        like: A tensor of the type and device to compute with.

    Raises:
        StudyRejectedError: If a label has no tissue, or a vessel or needle cannot be placed.
    """
    k = per_cell(scene, "k_w_mk", like)
    capacity = per_cell(scene, "capacity_j_m3k", like)
    perfusion = per_cell(scene, "perfusion_rate_1_s", like)
    spacing = scene.grid.spacing_mm
    wide, thin = by_width(scene.vessels, scene.grid)
    film = film_w_m2k(wide, scene.grid, like=like) if wide else None
    inverse, held = 1.0 / capacity, None
    if film is not None:
        blood = film > 0
        inverse = torch.where(blood, 0.0, inverse)
        perfusion = torch.where(blood, 0.0, perfusion)
        held = blood.reshape(-1).nonzero()[:, 0]
    return Problem(
        conduction=Conduction(
            diffusion=Diffusion.assemble(k, spacing, film=film),
            inverse_capacity=inverse,
            law=scene.tissue.boiling,
            held=held,
            varying=varying_conductivity(
                k, scene.tissue.conductivity, spacing_mm=spacing, film=film
            ),
        ),
        capacity_j_m3k=capacity,
        perfusion_1_s=perfusion,
        cell_m3=math.prod(spacing) * 1e-9,
        baseline_c=scene.tissue.baseline_c,
        coolants=_coolants(scene, placed, k),
        sinks=tuple(BloodLine.place(v, scene.grid, k) for v in thin),
    )


def _coolants(scene: Scene, placed: Sequence[Needle], k: Tensor) -> tuple[Coolant, ...]:
    cooled = []
    for probe, needle in zip(scene.probes, placed, strict=True):
        device = probe.device
        if device.coolant_c is None:
            continue
        kernel = LineKernel.embed(needle, scene.grid.shape, scene.grid.spacing_mm, like=k)
        cooled.append(
            Coolant(
                kernel=kernel,
                link_w_k=kernel.link(k, surface_w_m2k=device.coolant_w_m2k),
                excess_k=device.coolant_c - scene.tissue.baseline_c,
            )
        )
    return tuple(cooled)
