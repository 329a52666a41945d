"""From a scene to a heat run that can be gone through backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.adjoint import HeatRun
from netseg.simulate.adjoint_records import CooledNeedle, Schedule
from netseg.simulate.adjoint_sweep import Slopes, Sweep
from netseg.simulate.control import controller_for
from netseg.simulate.drive import Timing
from netseg.simulate.heating import MICROWAVE_HZ, heated_tissue
from netseg.simulate.microwave import MicrowaveAntenna
from netseg.simulate.microwave_adjoint import MicrowavePattern
from netseg.simulate.pose import PosedKernel
from netseg.simulate.radiofrequency_adjoint import FINE, RadiofrequencyPattern
from netseg.simulate.scene import needles, per_cell, require_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.needle import LineKernel, Needle
    from netseg.simulate.pattern import Pattern
    from netseg.simulate.scene import Scene
    from netseg.simulate.soft_cover import SoftCover


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


def _require_smooth(scene: Scene, protocol: AblationProtocol) -> None:
    """Refuse what has no derivative here."""
    modality, why, hint = protocol.modality, "", ""
    if modality not in (AblationModality.MWA, AblationModality.RFA):
        why = f"gradients are for mwa and rfa; got {modality.value}"
        hint = "Compare a few poses by `BioheatModel` instead: it simulates cold and pulses too."
    elif protocol.schedule or protocol.pairs or protocol.controller == "switching":
        why = (
            f"gradients are for all needles driven together in one phase; got the "
            f"{protocol.controller} generator with {len(protocol.schedule)} phases and "
            f"{len(protocol.pairs)} pairs"
        )
        hint = (
            'Drive the needles together (controller="constant", no schedule, no pairs) to improve '
            "their poses, then simulate the protocol itself with `BioheatModel`."
        )
    elif scene.tissue.k_rise_1_k != 0:
        why = f"gradients take a constant thermal conductivity; k_rise_1_k is {scene.tissue.k_rise_1_k}"
        hint = (
            "Set the tissue's k_rise_1_k to 0, or take `BioheatModel` where no gradient is needed."
        )
    elif protocol.power_w is None and modality is AblationModality.MWA:
        why, hint = "mwa needs power_w; got none", "Give the generator's power_w in the protocol."
    if why:
        raise StudyRejectedError(Code.SIMULATION_REFUSED, f"{why}.", hint=hint)


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
