"""Which way to move a needle: the derivative of a zone's score by a discrete adjoint.

One run forward and one sweep back give the derivatives with respect to every needle's tip and
direction, to power or voltage, and to the duration: exact for the discretised run, decisions held
(when the pattern is renewed, stages per step, the kernel's cells, the window). The price is two to
three runs, however many needles there are. Constant power and constant voltage are exact. A
generator that decides by impedance or temperature jumps, and jumps have no derivative: what share of
its power it gave at each step is held as it was, so that the derivative is that of the pauses' run
with the pauses nailed down, and `power_per_w` scales the whole record.

Zones are soft (`domain.DifferentiableAblationModel`), so that the score has a slope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from netseg.domain.ablation import AblationModality, ProbeGradient, ZoneGradient
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import require_same_frame
from netseg.simulate.adjoint import CooledNeedle, HeatRun, Schedule
from netseg.simulate.adjoint_sweep import Slopes, Sweep
from netseg.simulate.control import controller_for
from netseg.simulate.damage import damage_model
from netseg.simulate.devices import load_device
from netseg.simulate.drive import Timing
from netseg.simulate.heating import MICROWAVE_HZ, heated_tissue
from netseg.simulate.microwave import MicrowaveAntenna
from netseg.simulate.model import SPACING_MM
from netseg.simulate.pattern_adjoint import FINE, MicrowavePattern, RadiofrequencyPattern
from netseg.simulate.pose import PosedKernel, tangent
from netseg.simulate.scene import PlacedProbe, Scene, needles, per_cell, require_fit, tip_index
from netseg.simulate.scene_run import choose_device
from netseg.simulate.soft_cover import SOFTNESS, SoftCover
from netseg.simulate.threads import threads_for
from netseg.simulate.tissue import Tissue, load_tissue
from netseg.simulate.window import window_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from netseg.domain.ablation import Ablation, AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.domain.volume import Mask
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.needle import LineKernel, Needle
    from netseg.simulate.pattern_adjoint import Pattern
    from netseg.simulate.vessel import Vessel


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a differentiable run is made.

    Attributes:
        step_s: Step of control and damage.
        cooling_s: Simulated time after the energy is off.
        tolerance: Residual of the field solves, forward and back.
        keep_bytes: Memory for what the way back needs; beyond it steps are run twice.
    """

    step_s: float = 1.0
    cooling_s: float = 60.0
    tolerance: float = FINE
    keep_bytes: int = 2 << 30


@final
class DifferentiableBioheat:
    """Bioheat simulation of microwave and radiofrequency needles, with gradients.

    Made like `BioheatModel`; a `domain.DifferentiableAblationModel`.

    Args:
        tissue: Name of a tissue set, or its numbers; constant thermal conductivity.
        device: "auto", "cpu" or "cuda[:N]": where to compute.
        spacing_mm: Cell size of the simulation; None for that of `BioheatModel`.
        margin_mm: Tissue simulated around the active parts.
        damage: The damage model whose zone is scored.
        softness: Depth over which the zone's edge is smeared; None for about a millimetre.
        vessels: Heat sinks (LPS).
        settings: How a run is made.
        dtype: torch.float32, or torch.float64 for tests.

    Raises:
        StudyRejectedError: If a name is unknown, or spacing or softness is not positive.
    """

    def __init__(
        self,
        tissue: str | Tissue = "liver_in_vivo",
        device: str = "auto",
        spacing_mm: float | None = None,
        *,
        margin_mm: float = 36.0,
        damage: str = "arrhenius",
        softness: float | None = None,
        vessels: Sequence[Vessel] = (),
        settings: Settings | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        for name, value in (("spacing_mm", spacing_mm), ("softness", softness)):
            if value is not None and not value > 0:
                raise StudyRejectedError(
                    Code.SIMULATION_REFUSED, f"{name} must be positive; got {value}."
                )
        self._tissue = load_tissue(tissue) if isinstance(tissue, str) else tissue
        self._like = torch.zeros((), dtype=dtype, device=choose_device(device))
        self._spacing_mm, self._margin_mm = spacing_mm, margin_mm
        self._model = damage_model(damage)
        self._softness = SOFTNESS.get(damage, 1.0) if softness is None else softness
        self._vessels = tuple(vessels)
        self._settings = settings or Settings()

    def score_and_gradient(
        self, ablation: Ablation, target: Mask, grid: Grid
    ) -> tuple[float, ZoneGradient]:
        """Soft coverage of a target, and its derivatives; see the protocol.

        Raises:
            StudyRejectedError: If the ablation cannot be simulated or differentiated as given.
            FrameMismatchError: If target and grid do not share a frame.
        """
        require_same_frame("score of a zone", target.grid, grid)
        probes = tuple(
            PlacedProbe(
                id=p.id,
                device=load_device(p.device),
                tip_mm=p.tip_mm,
                direction=p.direction,
                active_length_mm=p.active_length_mm,
            )
            for p in ablation.probes
        )
        if not probes:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, "an ablation needs at least one probe; got none."
            )
        for probe in probes:
            tip_index(probe, grid)
        protocol = ablation.protocol
        window = window_for(
            probes,
            spacing_mm=self._spacing_mm or SPACING_MM.get(protocol.modality, 2.0),
            margin_mm=self._margin_mm,
            frame_uid=grid.frame_uid,
        )
        scene = Scene(grid=window, probes=probes, tissue=self._tissue, vessels=self._vessels)
        with threads_for(math.prod(window.shape)):
            score, slopes, _ = differentiate(
                scene,
                protocol,
                self._model,
                SoftCover.place(target, window, softness=self._softness, like=self._like),
                like=self._like,
                settings=self._settings,
            )
        return score, in_the_patient(slopes, scene, protocol)


def differentiate(
    scene: Scene,
    protocol: AblationProtocol,
    model: DamageModel,
    cover: SoftCover,
    *,
    like: Tensor,
    settings: Settings | None = None,
) -> tuple[float, Slopes, Schedule]:
    """Score of one scene, its derivatives in the grid's coordinates, and what the run decided.

    Raises:
        StudyRejectedError: If the scene cannot be simulated or differentiated as given.
    """
    run = heat_run(scene, protocol, model, like=like, settings=settings)
    score, bar = cover.score(model, run.forward())
    return score, Sweep(run, bar).back(), run.schedule


def heat_run(
    scene: Scene,
    protocol: AblationProtocol,
    model: DamageModel,
    *,
    like: Tensor,
    settings: Settings | None = None,
    given: Schedule | None = None,
) -> HeatRun:
    """A run of a scene that can be gone through backwards.

    Args:
        scene: What lies where.
        protocol: Constant power or voltage.
        model: The damage model; it also stops perfusion.
        like: A tensor of the type and device to compute with.
        settings: How it is made.
        given: Decisions to be kept, for central differences.

    Raises:
        StudyRejectedError: If the scene cannot be simulated or differentiated as given.
    """
    chosen = settings or Settings()
    _require_smooth(scene, protocol)
    require_fit(scene, protocol)
    placed = needles(scene)
    posed = [
        PosedKernel.embed(n, scene.grid.shape, scene.grid.spacing_mm, like=like)
        for n in placed
        if protocol.modality is AblationModality.RFA or _is_cooled(scene)
    ]
    if protocol.modality is AblationModality.RFA:
        pattern: Pattern = RadiofrequencyPattern(
            posed=posed,
            sigma_s_m=per_cell(scene, "sigma_s_m", like),
            spacing_mm=scene.grid.spacing_mm,
            rise_1_k=scene.tissue.sigma_rise_1_k,
            baseline_c=scene.tissue.baseline_c,
            by_voltage=protocol.power_w is None,
            tolerance=chosen.tolerance,
        )
    else:
        pattern = _microwave(placed, scene, like)
    return HeatRun(
        problem=heated_tissue(scene, placed, like=like),
        pattern=pattern,
        cooled=_cooled(scene, posed, like),
        model=model,
        timing=Timing(
            duration_s=protocol.duration_s, step_s=chosen.step_s, cooling_s=chosen.cooling_s
        ),
        drive=_drive(protocol),
        controller=None if protocol.controller == "constant" else controller_for(protocol),
        given=given,
        keep_bytes=chosen.keep_bytes,
    )


def in_the_patient(slopes: Slopes, scene: Scene, protocol: AblationProtocol) -> ZoneGradient:
    """Slopes of the grid's coordinates as a gradient in LPS."""
    axes = scene.grid.directions
    moved = {}
    for probe, tip, direction in zip(scene.probes, slopes.tips, slopes.directions, strict=True):
        local = axes.T @ np.array(probe.direction)
        turned = tangent(direction, (float(local[0]), float(local[1]), float(local[2])))
        moved[probe.id] = ProbeGradient(
            tip_per_mm=_triple(axes @ tip.cpu().numpy()),
            direction_per_rad=_triple(axes @ turned.cpu().numpy()),
        )
    by_volts = protocol.power_w is None
    return ZoneGradient(
        probes=moved,
        duration_per_s=slopes.duration_s,
        power_per_w=None if by_volts else slopes.drive,
        voltage_per_v=slopes.drive * 2.0 * (protocol.voltage_v or 0.0) if by_volts else None,
    )


def _require_smooth(scene: Scene, protocol: AblationProtocol) -> None:
    """Refuse what has no derivative here."""
    why = ""
    if protocol.modality not in (AblationModality.MWA, AblationModality.RFA):
        why = f"gradients are for mwa and rfa; got {protocol.modality.value}"
    elif protocol.schedule or protocol.pairs or protocol.controller == "switching":
        why = (
            f"gradients are for all needles driven together in one phase; got the "
            f"{protocol.controller} generator with {len(protocol.schedule)} phases and "
            f"{len(protocol.pairs)} pairs"
        )
    elif scene.tissue.k_rise_1_k != 0:
        why = f"gradients take a constant thermal conductivity; k_rise_1_k is {scene.tissue.k_rise_1_k}"
    elif protocol.power_w is None and protocol.modality is AblationModality.MWA:
        why = "mwa needs power_w; got none"
    if why:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{why}.",
            hint="Take `BioheatModel` where no gradient is needed.",
        )


def _drive(protocol: AblationProtocol) -> float:
    if protocol.power_w is not None:
        return protocol.power_w
    if protocol.controller != "constant":
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"the {protocol.controller} generator needs power_w; got voltage_v alone.",
        )
    if protocol.voltage_v is None:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, "rfa needs power_w or voltage_v; got neither."
        )
    return protocol.voltage_v**2


def _microwave(placed: tuple[Needle, ...], scene: Scene, like: Tensor) -> MicrowavePattern:
    device, spacing_mm = scene.probes[0].device, scene.grid.spacing_mm
    antenna = MicrowaveAntenna.place(
        placed,
        scene.grid.shape,
        spacing_mm,
        like=like,
        baseline_c=scene.tissue.baseline_c,
        frequency_hz=device.frequency_hz or MICROWAVE_HZ,
        efficiency=device.efficiency,
    )
    return MicrowavePattern(antenna=antenna, needles=placed, spacing_mm=spacing_mm)


def _is_cooled(scene: Scene) -> bool:
    return any(p.device.coolant_c is not None for p in scene.probes)


def _cooled(scene: Scene, posed: Sequence[PosedKernel], like: Tensor) -> list[CooledNeedle]:
    """The needles with coolant inside."""
    cooled = []
    for number, probe in enumerate(scene.probes):
        film = probe.device.coolant_w_m2k
        if probe.device.coolant_c is None:
            continue
        k = per_cell(scene, "k_w_mk", like)

        def link_of(kernel: LineKernel, k: Tensor = k, film: float | None = film) -> Tensor:
            return kernel.link(k, surface_w_m2k=film)

        cooled.append(
            CooledNeedle(
                number=number,
                posed=posed[number],
                link_w_k=link_of(posed[number].kernel),
                excess_k=probe.device.coolant_c - scene.tissue.baseline_c,
                link_of=link_of,
            )
        )
    return cooled


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
