"""Cryoablation: cold lines in tissue that freezes, thaws and freezes again.

    tissue = FreezableTissue.of(load_tissue("liver_in_vivo"), shape, spacing_mm, like=like)
    kernel = LineKernel.embed(needle, shape, spacing_mm, like=like)
    probe = ColdLine.place(kernel, tissue.k_w_mk)
    frozen = freeze(tissue, (probe,), FreezeThaw.double())
    frozen.depth["isotherm_40"], frozen.ice_ml, frozen.energy.balance_error

Conduction is by enthalpy (no latent heat can be skipped) along the conduction potential of
`FreezingLaw`; blood warms what is above 271 K and alive. Metabolic heat is what keeps tissue at its
baseline and is contained in it; like blood it stops in ice, and there is then nothing to add. Cells
may differ in conductivity, capacity and perfusion; how they freeze is one law for all of them.

Close to flowing blood the film acts on the conduction potential, which in ice is up to four times
the temperature: frozen tissue at a vessel is warmed too much, the zone there errs small.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.damage.isotherm import ISOTHERMS
from netseg.simulate.diffusion import FACES
from netseg.simulate.freezing_box import Box
from netseg.simulate.freezing_step import (
    BLOOD,
    IceField,
    Kernels,
    blood_field,
    first_stage_field,
    stage_field,
)
from netseg.simulate.ledger import Ledger
from netseg.simulate.stepping import stages_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.coolant import ColdLine
    from netseg.simulate.cryo_protocol import FreezeThaw
    from netseg.simulate.damage.isotherm import Isotherm
    from netseg.simulate.phase import FreezingLaw
    from netseg.simulate.tissue import Tissue

NO_BLOOD_C = 271.0 - 273.15  # no perfusion below (Go-Smart cryoablation template)
WORTH_COMPILING = 2e8  # cells times steps; below this compiling takes longer than it saves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreezableTissue:
    """Tissue on a grid, unfrozen and at its baseline temperature.

    Attributes:
        k_w_mk: Conductivity of unfrozen tissue.
        capacity_j_m3k: Its rho c.
        perfusion_1_s: Rate at which blood equalises temperature.
        law: How it freezes.
        spacing_mm: Cell sizes.
        baseline_c: Temperature of unfrozen tissue and its blood.
        fixed: Sides whose outside is held at baseline temperature; the others are insulated.
        film: Film coefficient of cells that are flowing blood, zero elsewhere; None without.
    """

    k_w_mk: Float[Tensor, "i j k"]
    capacity_j_m3k: Float[Tensor, "i j k"]
    perfusion_1_s: Float[Tensor, "i j k"]
    law: FreezingLaw
    spacing_mm: tuple[float, float, float]
    baseline_c: float = 37.0
    fixed: Collection[str] = FACES
    film: Float[Tensor, "i j k"] | None = None

    @classmethod
    def of(
        cls,
        tissue: Tissue,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        *,
        like: Tensor,
        fixed: Collection[str] = FACES,
    ) -> FreezableTissue:
        """One tissue everywhere."""
        return cls(
            k_w_mk=like.new_full(shape, tissue.k_w_mk),
            capacity_j_m3k=like.new_full(shape, tissue.capacity_j_m3k),
            perfusion_1_s=like.new_full(shape, tissue.perfusion_rate_1_s),
            law=tissue.freezing,
            spacing_mm=spacing_mm,
            baseline_c=tissue.baseline_c,
            fixed=fixed,
        )

    @property
    def cell_m3(self) -> float:
        """Volume of a cell."""
        return math.prod(self.spacing_mm) * 1e-9

    def coefficients(self) -> IceField:
        """Of the whole grid; flowing blood stays warm whatever it takes up."""
        inverse, perfusion = 1.0 / self.capacity_j_m3k, self.perfusion_1_s
        if self.film is not None:
            blood = self.film > 0
            inverse = torch.where(blood, inverse / BLOOD, inverse)
            perfusion = torch.where(blood, 0.0, perfusion)
        return IceField.assemble(
            self.k_w_mk, inverse, perfusion, self.law,
            spacing_mm=self.spacing_mm, fixed=self.fixed, film=self.film,
        )  # fmt: skip


@dataclass(slots=True, kw_only=True, eq=False)
class Frozen:
    """What a cryoablation ends with.

    Attributes:
        excess_k: Temperature above baseline at the end.
        coldest_k: Lowest excess temperature of each cell.
        depth: Depth of the zone by isotherm name, positive inside; the first is the zone.
        ice_ml: Largest volume of ice at any time: what an image would show as the ball.
        energy: Energy balance; `coolant` is what the probes drew, `delivered` is 0.
        drawn_j: What each probe drew.
        trace: `time_s`, `probe_c` (NaN where no gas flows), `temperature_c` of the coldest cell,
            `ice_ml`, `drawn_w`.
        steps: Steps.
        updates: Stages.
        cell_updates: Cells updated in all stages together.
    """

    excess_k: Float[Tensor, "i j k"]
    coldest_k: Float[Tensor, "i j k"]
    depth: dict[str, Float[Tensor, "i j k"]] = field(default_factory=dict)
    ice_ml: float = 0.0
    energy: Ledger = field(default_factory=Ledger)
    drawn_j: tuple[float, ...] = ()
    trace: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    updates: int = 0
    cell_updates: int = 0


@torch.no_grad()
def freeze(
    tissue: FreezableTissue,
    probes: Sequence[ColdLine],
    protocol: FreezeThaw,
    *,
    models: Mapping[str, Isotherm] = ISOTHERMS,
    step_s: float = 8.0,
    record_s: float = 10.0,
    kernels: Kernels | None = None,
    progress: Callable[[float, Tensor], None] | None = None,
) -> Frozen:
    """Run a freeze-thaw protocol.

    Args:
        tissue: Tissue on a grid.
        probes: Cold lines; each follows the protocol, whose duty its own one scales.
        protocol: Phases.
        models: Isotherms by name; the first is the zone, and stops blood for good.
        step_s: Step of blood and record; conduction takes as many stages in it as it needs. Ice of
            1 and 8 s steps differs by 0.3 %, and 8 s take a third of the stages.
        record_s: Interval of the trace.
        kernels: Field functions; None compiles them where the run is long enough to pay.
        progress: Called after each step with the simulated time in seconds and the excess
            temperature then, which it must not change.

    Raises:
        StudyRejectedError: If there is no probe or model, the step is unstable or the field
            becomes NaN.
    """
    if not probes or not models:
        what = "probe" if not probes else "isotherm"
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, f"a cryoablation needs at least one {what}; got none."
        )
    course = _Course(
        tissue=tissue,
        box=Box(
            whole=tissue.coefficients(),
            probes=tuple(probes),
            cell_m3=tissue.cell_m3,
            kernels=kernels or kernels_for(tissue.k_w_mk.numel() * protocol.duration_s / step_s),
        ),
        lethal_k=next(iter(models.values())).lethal_c - tissue.baseline_c,
    )
    now, due = 0.0, 0.0
    for phase in protocol.phases:
        gas_k = None if phase.probe_c is None else phase.probe_c - tissue.baseline_c
        course.box.open_valves(tuple(replace(p, duty=p.duty * phase.duty) for p in probes))
        count = math.ceil(phase.duration_s / step_s - 1e-9)
        dt = phase.duration_s / count
        for _ in range(count):
            drawn_w = course.step(gas_k, dt) / dt
            now += dt
            if now >= due - 1e-6:
                course.record(now, phase.probe_c, drawn_w)
                due += record_s
            if progress is not None:
                progress(now, course.excess())
    return course.end(models)


@dataclass(slots=True, kw_only=True, eq=False)
class _Course:
    """A run in progress."""

    tissue: FreezableTissue
    box: Box
    lethal_k: float
    fastest_1_s: float = field(init=False)
    lowest_k: float = 0.0
    passed_j: Tensor = field(init=False)
    energy: Ledger = field(default_factory=Ledger)
    trace: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    steps: int = 0
    updates: int = 0
    cell_updates: int = 0

    def __post_init__(self) -> None:
        """Know the stable step."""
        self.fastest_1_s = self.box.whole.fastest_1_s(self.box.probes, self.tissue.cell_m3)
        self.passed_j = torch.zeros(
            len(self.box.probes) + 1, dtype=torch.float64, device=self.tissue.k_w_mk.device
        )

    def step(self, gas_k: float | None, dt: float) -> float:
        """Blood for half a step, conduction, blood again; returns the joules drawn."""
        law = self.tissue.law
        no_blood_k = NO_BLOOD_C - self.tissue.baseline_c
        freezing = gas_k is not None and gas_k < law.starts_k
        steepest = law.steepest(-math.inf if freezing else self.lowest_k)
        limit_s = 2.0 / (self.fastest_1_s * steepest)
        stages = stages_for(dt, limit_s)
        half = (0.5 * dt, no_blood_k, self.lethal_k)
        self.energy.perfusion -= self.box.bleed(half)
        passed = self.box.conduct(gas_k, step_s=dt, stages=stages)
        self.energy.perfusion -= self.box.bleed(half)
        self.passed_j += passed
        self.lowest_k = float(self.box.stepper.inner.min())
        drawn = float(passed[:-1].sum())
        if not (math.isfinite(self.lowest_k) and math.isfinite(drawn)):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"the temperature became NaN or infinite in step {self.steps + 1}.",
                hint="Check the plan's numbers.",
            )
        self.steps += 1
        self.updates += stages
        self.cell_updates += stages * self.box.cells
        return drawn

    def excess(self) -> Tensor:
        """Temperature above baseline of the whole grid."""
        return self.box.in_whole(self.tissue.law.excess(self.box.stepper.inner))

    def record(self, now: float, probe_c: float | None, drawn_w: float) -> None:
        """Add a line to the trace."""
        law, heat = self.tissue.law, self.box.stepper.inner
        ice = float(law.vapour(heat).sum(dtype=torch.float64)) * self.tissue.cell_m3 * 1e6
        coldest = float(law.excess(heat.min())) + self.tissue.baseline_c
        for name, value in (
            ("time_s", now),
            ("probe_c", math.nan if probe_c is None else probe_c),
            ("temperature_c", coldest),
            ("ice_ml", ice),
            ("drawn_w", drawn_w),
        ):
            self.trace.setdefault(name, []).append(value)

    def end(self, models: Mapping[str, Isotherm]) -> Frozen:
        """Close the books."""
        tissue, law, heat = self.tissue, self.tissue.law, self.box.stepper.inner
        capacity = 1.0 / self.box.stepper.coefficients.inverse_capacity.double()
        content = heat.double() * capacity * tissue.cell_m3
        if tissue.film is not None:
            low, high = self.box.low, self.box.high
            part = tissue.film[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            self.energy.boundary += float(content[part > 0].sum())
            content = torch.where(part > 0, 0.0, content)
            capacity = torch.where(part > 0, 0.0, capacity)
        latent = law.latent_k * law.vapour(heat).double() * capacity * tissue.cell_m3
        drawn = self.passed_j.tolist()
        self.energy.latent = float(latent.sum())
        self.energy.stored = float(content.sum()) - self.energy.latent
        self.energy.coolant = sum(drawn[:-1])
        self.energy.boundary += drawn[-1]
        coldest = self.box.in_whole(self.box.coldest)
        coldest_c = coldest + tissue.baseline_c
        return Frozen(
            excess_k=self.excess(),
            coldest_k=coldest,
            depth={name: m.depth(coldest_c) for name, m in models.items()},
            energy=self.energy,
            drawn_j=tuple(drawn[:-1]),
            trace=self.trace,
            ice_ml=max(self.trace["ice_ml"]),
            steps=self.steps,
            updates=self.updates,
            cell_updates=self.cell_updates,
        )


def kernels_for(updates: float) -> Kernels:
    """Compiled field functions where a run of so many cell steps pays for compiling them."""
    if updates < WORTH_COMPILING or shutil.which("g++") is None:
        return Kernels()
    return compiled_kernels()


@cache
def compiled_kernels() -> Kernels:
    """The field functions, compiled for boxes of any size at their first use."""
    return Kernels(
        first=torch.compile(first_stage_field, dynamic=True),
        stage=torch.compile(stage_field, dynamic=True),
        blood=torch.compile(blood_field, dynamic=True),
    )
