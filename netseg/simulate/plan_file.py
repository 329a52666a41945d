"""Reading PLAN.yaml: the file behind `netseg simulate --plan`.

Every key is known or refused by name. Coordinates are LPS millimetres: of the label image where
one is given, else of a grid whose centre is the origin. Grid and probes are read in
`plan_parts`, tissue in `plan_tissue`, the energy in `plan_protocol`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.lethal import HEAT, lethal_models, lethal_names
from netseg.simulate.plan_parts import read_grid, read_probes, read_vessel
from netseg.simulate.plan_protocol import read_protocol
from netseg.simulate.plan_tissue import read_labels, read_ramps, read_tissue
from netseg.simulate.plan_values import mapping, name, positive, read_yaml, sequence, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain.ablation import AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.simulate.pulsed_tissue import Ramp
    from netseg.simulate.scene import PlacedProbe
    from netseg.simulate.tissue import Tissue
    from netseg.simulate.vessel import Vessel

PLAN_KEYS = (
    "grid", "tissue", "labels", "pulsed", "vessels", "probes", "protocol", "damage", "ensemble", "seed", "certified",
    "step_s", "cooling_s",
)  # fmt: skip
MOST_DRAWS = 4096
CERTIFIED_MM = 1.0
LONGEST_STEP_S = 10.0
STEP_S = {AblationModality.CRYO: 2.0}  # ice moves slowly; others take a second


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulationPlan:
    """What to simulate.

    Attributes:
        grid: The simulation grid; None where the label image gives it.
        tissue: Tissue where no label says else.
        labelled: Tissue by label number.
        ramps: Conductivity under pulses by label number; 0 is where no label says else.
        vessels: Heat sinks.
        probes: Needles.
        protocol: Energy.
        damage: Damage models; the first makes the zone.
        ensemble: Draws over the parameter priors; 0 for none.
        seed: Of the draws.
        certified_mm: Middle cell size of the three grids that bound the numeric error; None where
            no error bar is asked for.
        step_s: Step of control and damage.
        cooling_s: Simulated time after the energy is off, in which damage goes on.
        notes: What of the plan was not used, in sentences.
    """

    grid: Grid | None
    tissue: Tissue
    probes: tuple[PlacedProbe, ...]
    protocol: AblationProtocol
    labelled: Mapping[int, Tissue] = field(default_factory=dict)
    ramps: Mapping[int, Ramp] = field(default_factory=dict)
    vessels: tuple[Vessel, ...] = ()
    damage: tuple[str, ...] = HEAT
    ensemble: int = 0
    seed: int = 0
    certified_mm: float | None = None
    step_s: float = 1.0
    cooling_s: float = 60.0
    notes: tuple[str, ...] = ()

    @property
    def total_s(self) -> float:
        """Simulated time in all."""
        heated = self.protocol.modality in (AblationModality.RFA, AblationModality.MWA)
        return self.protocol.duration_s + (self.cooling_s if heated else 0.0)


def read_plan(path: Path) -> SimulationPlan:
    """Read a plan file.

    Raises:
        UsageError: If the file is missing or not well-formed YAML.
        StudyRejectedError: If a key is unknown or a value is not what it must be.
    """
    return parse_plan(read_yaml(path))


def parse_plan(document: object) -> SimulationPlan:
    """Make a plan of a mapping.

    Raises:
        StudyRejectedError: If a key is unknown or a value is not what it must be.
    """
    plan = mapping(document, "plan", PLAN_KEYS)
    for key in ("probes", "protocol"):
        if key not in plan:
            raise StudyRejectedError(Code.CONFIG_TYPE, f"plan: {key} must be given.")
    modality = mapping(plan["protocol"], "protocol").get("modality")
    probes = read_probes(plan["probes"], modality)
    protocol = read_protocol(plan["protocol"], tuple(p.id for p in probes))
    step_s = positive(plan.get("step_s", STEP_S.get(protocol.modality, 1.0)), "step_s")
    if step_s > LONGEST_STEP_S:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"step_s must be at most {LONGEST_STEP_S:g}, or the generator reacts too late; "
            f"got {step_s:g}.",
        )
    tissue = read_tissue(plan.get("tissue", "liver_in_vivo"), "plan")
    damage, notes = _damage(plan.get("damage"), protocol)
    return SimulationPlan(
        grid=read_grid(plan["grid"]) if "grid" in plan else None,
        tissue=tissue,
        labelled=read_labels(plan.get("labels", {}), tissue),
        vessels=tuple(
            read_vessel(v, n) for n, v in enumerate(sequence(plan.get("vessels", []), "vessels"))
        ),
        probes=probes,
        protocol=protocol,
        damage=damage,
        notes=notes,
        ramps=read_ramps(plan.get("pulsed", {})),
        ensemble=whole(plan.get("ensemble", 0), "ensemble", least=0, most=MOST_DRAWS),
        seed=whole(plan.get("seed", 0), "seed", least=0, most=2**31),
        certified_mm=_certified_mm(plan.get("certified", False)),
        step_s=step_s,
        cooling_s=_cooling_s(plan.get("cooling_s", 60.0)),
    )


def _damage(
    document: object, protocol: AblationProtocol
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The models of the plan's physics, and what was left out of the list.

    Heat does not kill in a cryoablation or between pulses: models of heat alone, as a plan carries
    them along from another physics, give way to those of its own, and the zone says so.
    """
    usual = lethal_names(protocol.modality)
    if document is None:
        return usual, ()
    names = tuple(name(n, "damage") for n in sequence(document, "damage"))
    if names and usual != HEAT and set(names) <= set(HEAT):
        note = (
            f"damage: {', '.join(names)} are models of heat; the zone of {protocol.modality.value} "
            f"is judged by {', '.join(usual)}."
        )
        return usual, (note,)
    lethal_models(protocol.modality, names)
    if not names or len(set(names)) != len(names):
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"plan: damage must list different models; got {list(names)}."
        )
    return names, ()


def _certified_mm(document: object) -> float | None:
    """True for cells of 2, 1 and 0.5 mm, or the middle size of three."""
    if isinstance(document, bool):
        return CERTIFIED_MM if document else None
    given = mapping(document, "certified", ("spacing_mm",))
    return positive(given.get("spacing_mm"), "certified.spacing_mm")


def _cooling_s(document: object) -> float:
    return 0.0 if document == 0 and document is not False else positive(document, "cooling_s")
