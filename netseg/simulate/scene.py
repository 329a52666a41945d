"""From probes in the patient to a problem on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.conductivity import varying_conductivity
from netseg.simulate.coolant import Coolant
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.microwave import MicrowaveAntenna
from netseg.simulate.needle import LineKernel, Needle
from netseg.simulate.radiofrequency import RadiofrequencyNeedles
from netseg.simulate.solver import Problem
from netseg.simulate.stepping import Conduction
from netseg.simulate.vessel import film_w_m2k

if TYPE_CHECKING:
    from jaxtyping import Float, Integer
    from torch import Tensor

    from netseg.domain.grid import Grid
    from netseg.domain.point import PointMm
    from netseg.simulate.applicator import Applicator
    from netseg.simulate.devices import Device
    from netseg.simulate.tissue import Tissue
    from netseg.simulate.vessel import Vessel

SUPPORTED = (AblationModality.RFA, AblationModality.MWA)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedProbe:
    """A device lying in the patient.

    Attributes:
        id: Its name in the plan.
        device: What it is.
        tip_mm: Its end (LPS).
        direction: Unit vector from the tip towards the handle (LPS).
        active_length_mm: Length of the heating part; the device's own unless the plan says else.
    """

    id: str
    device: Device
    tip_mm: PointMm
    direction: tuple[float, float, float]
    active_length_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Everything a run needs besides damage and time.

    Attributes:
        grid: The simulation grid; its axes are orthogonal.
        probes: Needles of one modality.
        tissue: The tissue where no label says else.
        labels: Tissue number per cell, 0 for `tissue`; None for one tissue everywhere.
        labelled: Tissue by number.
        vessels: Blood vessels.
    """

    grid: Grid
    probes: tuple[PlacedProbe, ...]
    tissue: Tissue
    labels: Integer[np.ndarray, "i j k"] | None = None
    labelled: dict[int, Tissue] | None = None
    vessels: tuple[Vessel, ...] = ()


def tip_index(probe: PlacedProbe, grid: Grid) -> Float[np.ndarray, "3"]:
    """Fractional voxel index of a probe's tip.

    Raises:
        StudyRejectedError: If the tip lies outside the grid.
    """
    index = grid.to_index(probe.tip_mm.as_array()[None])[0]
    if (index < -0.5).any() or (index > np.array(grid.shape) - 0.5).any():
        x, y, z = probe.tip_mm
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"probe outside the grid: the tip of {probe.id} at ({x:.1f}, {y:.1f}, {z:.1f}) mm "
            f"has index ({index[0]:.1f}, {index[1]:.1f}, {index[2]:.1f}) in {grid.shape}.",
            hint="Check that plan and image use the same LPS coordinates.",
        )
    return index


def needles(scene: Scene) -> tuple[Needle, ...]:
    """The probes in the coordinates of the grid.

    Raises:
        StudyRejectedError: If the grid's axes are not perpendicular or a tip lies outside.
    """
    grid = scene.grid
    if not grid.is_orthogonal:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "the simulation grid's axes must be perpendicular; a sheared image must be resampled.",
        )
    placed = []
    for probe in scene.probes:
        tip = tip_index(probe, grid) * np.array(grid.spacing_mm)
        along = grid.directions.T @ np.array(probe.direction)
        placed.append(
            Needle(
                tip_mm=(float(tip[0]), float(tip[1]), float(tip[2])),
                direction=_unit(along),
                active_length_mm=probe.active_length_mm,
                diameter_mm=probe.device.diameter_mm,
            )
        )
    return tuple(placed)


def assemble(
    scene: Scene, protocol: AblationProtocol, *, like: Tensor
) -> tuple[Problem, Applicator]:
    """Put tissue and probes on the grid.

    Args:
        scene: What lies where.
        protocol: Energy; its modality must be the probes'.
        like: A tensor of the type and device to compute with.

    Raises:
        StudyRejectedError: If the modality is not built, probes do not fit it, or leave the grid.
    """
    _check_modality(scene, protocol)
    k = _per_cell(scene, "k_w_mk", like)
    capacity = _per_cell(scene, "capacity_j_m3k", like)
    perfusion = _per_cell(scene, "perfusion_rate_1_s", like)
    sigma = _per_cell(scene, "sigma_s_m", like)
    film = film_w_m2k(scene.vessels, scene.grid, like=like) if scene.vessels else None
    inverse, held = 1.0 / capacity, None
    if film is not None:
        blood = film > 0
        inverse = torch.where(blood, 0.0, inverse)
        perfusion = torch.where(blood, 0.0, perfusion)
        held = blood.reshape(-1).nonzero()[:, 0]
    spacing = scene.grid.spacing_mm
    placed = needles(scene)
    problem = Problem(
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
    )
    return problem, _applicator(scene, placed, sigma, protocol)


def _applicator(
    scene: Scene, placed: tuple[Needle, ...], sigma: Tensor, protocol: AblationProtocol
) -> Applicator:
    spacing, shape = scene.grid.spacing_mm, scene.grid.shape
    if protocol.modality is AblationModality.RFA:
        return RadiofrequencyNeedles(
            kernels=tuple(LineKernel.embed(n, shape, spacing, like=sigma) for n in placed),
            sigma_s_m=sigma,
            spacing_mm=spacing,
            rise_1_k=scene.tissue.sigma_rise_1_k,
        )
    device = scene.probes[0].device
    return MicrowaveAntenna.place(
        placed,
        shape,
        spacing,
        like=sigma,
        baseline_c=scene.tissue.baseline_c,
        frequency_hz=device.frequency_hz or 2.45e9,
        efficiency=device.efficiency,
    )


def _coolants(scene: Scene, placed: tuple[Needle, ...], k: Tensor) -> tuple[Coolant, ...]:
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


def _check_modality(scene: Scene, protocol: AblationProtocol) -> None:
    if protocol.modality not in SUPPORTED:
        raise StudyRejectedError(
            Code.NOT_BUILT_YET,
            f"{protocol.modality.value} is not built yet; netseg simulates "
            f"{' and '.join(m.value for m in SUPPORTED)}.",
        )
    if not scene.probes:
        raise StudyRejectedError(Code.SIMULATION_REFUSED, "an ablation needs at least one probe.")
    for probe in scene.probes:
        if probe.device.modality is not protocol.modality:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"probe {probe.id} is a device for {probe.device.modality.value}, the protocol is "
                f"{protocol.modality.value}.",
            )
        power = protocol.power_w
        if power is not None and power > probe.device.max_power_w:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"power_w is {power:.0f}; {probe.device.name} gives at most "
                f"{probe.device.max_power_w:.0f}.",
            )


def _per_cell(scene: Scene, name: str, like: Tensor) -> Tensor:
    """One property of every cell's tissue."""
    value = like.new_full(scene.grid.shape, getattr(scene.tissue, name))
    if scene.labels is None:
        return value
    labelled = scene.labelled or {}
    for number in np.unique(scene.labels):
        if number == 0:
            continue
        if int(number) not in labelled:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"tissue label {number} has no properties; the plan names "
                f"{', '.join(str(n) for n in sorted(labelled)) or 'none'}.",
                hint="Give each label a tissue set in the plan's `labels`.",
            )
        where = torch.from_numpy(np.asarray(scene.labels == number)).to(like.device)
        value[where] = getattr(labelled[int(number)], name)
    return value


def _unit(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = vector / np.linalg.norm(vector)
    return float(x), float(y), float(z)
