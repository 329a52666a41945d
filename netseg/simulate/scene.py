"""Probes, tissue and vessels in the patient and on a grid.

What each physics makes of a scene stands in a file of its own: `heating`, `cooling`, `pulsing`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.point import PointMm
from netseg.simulate.needle import Needle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, Integer
    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.simulate.devices import Device
    from netseg.simulate.pulsed_tissue import Ramp
    from netseg.simulate.tissue import Tissue
    from netseg.simulate.vessel import Vessel


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
        ramps: Conductivity under pulses by label number, where the plan states it.
    """

    grid: Grid
    probes: tuple[PlacedProbe, ...]
    tissue: Tissue
    labels: Integer[np.ndarray, "i j k"] | None = None
    labelled: dict[int, Tissue] | None = None
    vessels: tuple[Vessel, ...] = ()
    ramps: Mapping[int, Ramp] | None = None


def single_needles(probe: PlacedProbe) -> tuple[PlacedProbe, ...]:
    """The needles of a probe, side by side: "A.1", "A.2", … for a cluster A, itself for one.

    A cluster's needles stand on a circle around the probe's axis, the first towards the patient's
    left as far as the axis allows.
    """
    device = probe.device
    if device.needles == 1:
        return (probe,)
    along = np.array(probe.direction)
    axis = np.eye(3)[0] if abs(along[0]) < 0.9 else np.eye(3)[1]
    first = axis - (axis @ along) * along
    first /= np.linalg.norm(first)
    second = np.cross(along, first)
    radius = 0.5 * device.needles_apart_mm / math.sin(math.pi / device.needles)
    turns = [2 * math.pi * n / device.needles for n in range(device.needles)]
    return tuple(
        replace(
            probe,
            id=f"{probe.id}.{n + 1}",
            tip_mm=PointMm.of(
                probe.tip_mm.as_array()
                + radius * (math.cos(turn) * first + math.sin(turn) * second)
            ),
        )
        for n, turn in enumerate(turns)
    )


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


def require_fit(scene: Scene, protocol: AblationProtocol) -> None:
    """Refuse probes that are not of the protocol's physics or cannot give its energy.

    Raises:
        StudyRejectedError: If so, or if there is no probe.
    """
    if not scene.probes:
        raise StudyRejectedError(Code.SIMULATION_REFUSED, "an ablation needs at least one probe.")
    for probe in scene.probes:
        device = probe.device
        if device.modality is not protocol.modality:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"probe {probe.id} is a device for {device.modality.value}, the protocol is "
                f"{protocol.modality.value}.",
            )
        powers = [protocol.power_w, *(p.get("power_w") for p in protocol.schedule)]
        power = max((p for p in powers if p is not None), default=0.0)
        if power > device.max_power_w:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"power_w is {power:.0f}; {device.name} gives at most {device.max_power_w:.0f}.",
            )
        volts = protocol.voltage_v
        if volts is not None and device.max_voltage_v is not None and volts > device.max_voltage_v:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"voltage_v is {volts:.0f}; {device.name} gives at most "
                f"{device.max_voltage_v:.0f}.",
            )


def reaches(vessel: Vessel, grid: Grid) -> bool:
    """Whether any part of a vessel lies in the grid."""
    start, end = vessel.from_mm.as_array(), vessel.to_mm.as_array()
    share = np.linspace(0.0, 1.0, 501)[:, None]
    index = grid.to_index(start + share * (end - start))
    around = 0.5 + 0.5 * vessel.diameter_mm / np.array(grid.spacing_mm)
    return bool(((index >= -around) & (index <= np.array(grid.shape) - 1 + around)).all(1).any())


def require_reach(scene: Scene) -> None:
    """Refuse a vessel that is not in the grid: plan and image then speak of different places.

    Raises:
        StudyRejectedError: If there is one.
    """
    for number, vessel in enumerate(scene.vessels):
        if not reaches(vessel, scene.grid):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"vessel {number + 1} lies outside the grid.",
                hint="Leave it out, or check that plan and image use the same LPS coordinates.",
            )


def per_cell(scene: Scene, name: str, like: Tensor) -> Float[Tensor, "i j k"]:
    """One property of every cell's tissue.

    Args:
        scene: What lies where.
        name: An attribute of `Tissue`.
        like: A tensor of the type and device to use.

    Raises:
        StudyRejectedError: If a label has no tissue.
    """
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
