"""Freezing runs: tissue that freezes, probes as cold lines, phases of gas, isotherms.

parts = freezing_parts(scene, protocol, isotherms, like=like)
frozen = parts.run(step_s=2.0)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.coolant import ColdLine
from netseg.simulate.cryo_protocol import FreezeThaw
from netseg.simulate.freezing import FreezableTissue, freeze
from netseg.simulate.needle import LineKernel
from netseg.simulate.scene import needles, per_cell, require_fit
from netseg.simulate.vessel import film_w_m2k

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.damage.isotherm import Isotherm
    from netseg.simulate.freezing import Frozen
    from netseg.simulate.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreezingParts:
    """What a freezing run is made of.

    Attributes:
        tissue: Tissue that conducts, freezes and is perfused.
        probes: Where the cold comes from.
        phases: When gas flows, and how cold it is.
        isotherms: When tissue dies, by name; the first stops blood for good.
    """

    tissue: FreezableTissue
    probes: tuple[ColdLine, ...]
    phases: FreezeThaw
    isotherms: Mapping[str, Isotherm]

    def run(
        self,
        *,
        step_s: float,
        record_s: float,
        progress: Callable[[float, Tensor], None] | None = None,
    ) -> Frozen:
        """Freeze, thaw, and see what dies.

        Args:
            step_s: Step of blood and record.
            record_s: Interval of the trace.
            progress: Called with time and excess temperature after each step.

        Raises:
            StudyRejectedError: If the step is unstable or the field becomes NaN.
        """
        return freeze(
            self.tissue,
            self.probes,
            self.phases,
            models=self.isotherms,
            step_s=step_s,
            record_s=record_s,
            progress=progress,
        )


def freezing_parts(
    scene: Scene, protocol: AblationProtocol, isotherms: Sequence[Isotherm], *, like: Tensor
) -> FreezingParts:
    """Cryo probes of a scene under the phases of a protocol.

    Raises:
        StudyRejectedError: If probes do not fit the protocol, differ in temperature, or leave the
            grid.
    """
    require_fit(scene, protocol)
    coldest = {p.device.coolant_c for p in scene.probes}
    probe_c = coldest.pop() if len(coldest) == 1 else None
    if probe_c is None:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "cryo probes run on one gas: their devices must state one coolant_c; got "
            f"{', '.join(str(p.device.coolant_c) for p in scene.probes)}.",
            hint="Simulate probes of different temperature one after the other.",
        )
    k, grid = per_cell(scene, "k_w_mk", like), scene.grid
    lines = tuple(
        ColdLine.place(
            LineKernel.embed(needle, grid.shape, grid.spacing_mm, like=k),
            k,
            film_w_m2k=probe.device.coolant_w_m2k,
        )
        for probe, needle in zip(scene.probes, needles(scene), strict=True)
    )
    tissue = FreezableTissue(
        k_w_mk=k,
        capacity_j_m3k=per_cell(scene, "capacity_j_m3k", like),
        perfusion_1_s=per_cell(scene, "perfusion_rate_1_s", like),
        law=scene.tissue.freezing,
        spacing_mm=grid.spacing_mm,
        baseline_c=scene.tissue.baseline_c,
        film=film_w_m2k(scene.vessels, grid, like=like) if scene.vessels else None,
    )
    return FreezingParts(
        tissue=tissue,
        probes=lines,
        phases=FreezeThaw.of(protocol, probe_c=probe_c),
        isotherms={m.name: m for m in isotherms},
    )
