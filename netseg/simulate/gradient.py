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
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from netseg.domain.ablation import ProbeGradient, ZoneGradient
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import require_same_frame
from netseg.simulate.damage import damage_model
from netseg.simulate.devices import load_device
from netseg.simulate.differentiable import Settings, differentiate
from netseg.simulate.model import SPACING_MM
from netseg.simulate.pose import tangent
from netseg.simulate.scene import PlacedProbe, Scene, tip_index
from netseg.simulate.scene_run import choose_device
from netseg.simulate.soft_cover import SOFTNESS, SoftCover
from netseg.simulate.threads import threads_for
from netseg.simulate.tissue import Tissue, load_tissue
from netseg.simulate.window import window_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain.ablation import Ablation, AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.domain.volume import Mask
    from netseg.simulate.adjoint_sweep import Slopes
    from netseg.simulate.vessel import Vessel


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


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
