"""Needles, energy and what they are expected to destroy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain.errors import Notice
    from netseg.domain.grid import Grid
    from netseg.domain.point import PointMm
    from netseg.domain.volume import LabelMap, Mask, Volume


class AblationModality(StrEnum):
    """Physics of an ablation."""

    RFA = "rfa"
    MWA = "mwa"
    CRYO = "cryo"
    IRE = "ire"


class Evidence(StrEnum):
    """What a zone rests on. Only a control scan, or masks declared as observed, can set A0."""

    SIMULATED = "simulated"
    GIVEN_MASKS = "given_masks"
    CONTROL_SCAN = "control_scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One needle, as it lies in the planning scan.

    Attributes:
        id: Its name in plan and report, "A", "B", …
        device: Name of a device file.
        entry_mm: Where the needle passes the skin (LPS).
        tip_mm: Where it ends (LPS).
        active_length_mm: Length of the part that heats, freezes or conducts, back from the tip.
    """

    id: str
    device: str
    entry_mm: PointMm
    tip_mm: PointMm
    active_length_mm: float

    def __post_init__(self) -> None:
        """Keep the physical sense of the numbers."""
        if not 0 < self.active_length_mm <= self.length_mm:
            raise ValueError(
                f"active_length_mm must lie in (0, {self.length_mm:.1f}], the needle's length; "
                f"got {self.active_length_mm}."
            )

    @property
    def length_mm(self) -> float:
        """Way from skin to tip."""
        return float(np.linalg.norm(self.entry_mm.as_array() - self.tip_mm.as_array()))

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector from the tip towards the handle."""
        x, y, z = (self.entry_mm.as_array() - self.tip_mm.as_array()) / self.length_mm
        return float(x), float(y), float(z)


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationProtocol:
    """How energy is delivered.

    Attributes:
        modality: Physics.
        duration_s: Time with energy on.
        power_w: Generator power, for RFA and MWA.
        voltage_v: Electrode voltage, for RFA by voltage and IRE.
        controller: "constant", "impedance", "temperature" or "switching".
        settings: The controller's own numbers.
        schedule: Phases one after another, each a mapping with `duration_s` and what is done in it
            (`power_w`, `voltage_v`, `off`, …; the physics says which keys it knows); empty for one
            phase of `duration_s`.
        pairs: Electrode pairs by probe id, in the order of use, for bipolar RFA and IRE.
        pulses: Pulses per electrode pair, for IRE.
    """

    modality: AblationModality
    duration_s: float
    power_w: float | None = None
    voltage_v: float | None = None
    controller: str = "constant"
    settings: Mapping[str, float] = field(default_factory=dict[str, float])
    schedule: tuple[Mapping[str, Any], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    pulses: int | None = None

    def __post_init__(self) -> None:
        """Keep time, energy and pulses positive, and a pair two different electrodes."""
        if self.pulses is not None and self.pulses < 1:
            raise ValueError(f"pulses must be at least 1; got {self.pulses}.")
        for first, second in self.pairs:
            if first == second:
                raise ValueError(f"a pair needs two different electrodes; got {first} twice.")
        for name in ("duration_s", "power_w", "voltage_v"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number; got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """The needles and energy meant for one lesion.

    Attributes:
        lesion_id: The lesion it is meant for.
        probes: At least one needle.
        protocol: Energy.
        path_mm: Longest way from skin to tip over the probes.
        clearance_mm: Smallest distance of any needle to each obstacle that was considered.
        why: Why this one and not another, for the report.
    """

    lesion_id: int
    probes: tuple[Probe, ...]
    protocol: AblationProtocol
    path_mm: float
    clearance_mm: Mapping[str, float] = field(default_factory=dict[str, float])
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplanned:
    """A lesion for which no ablation is proposed.

    Attributes:
        lesion_id: The lesion.
        why: The reason in words.
        fallen: How many candidate paths each rule removed.
    """

    lesion_id: int
    why: str
    fallen: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationPlan:
    """The proposal for a study.

    Attributes:
        ablations: One entry per lesion that a needle can reach.
        unplanned: One entry per lesion without a proposal.
        obstacles: What was kept clear of, by name, and where its mask is from.
        not_considered: Organs a needle must avoid that nobody outlined; the operator must check.
        warnings: What the reader of the plan must know.
    """

    ablations: tuple[Ablation, ...]
    unplanned: tuple[Unplanned, ...] = ()
    obstacles: Mapping[str, str] = field(default_factory=dict[str, str])
    not_considered: tuple[str, ...] = ()
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AblationZone:
    """Tissue destroyed, or expected to be.

    Attributes:
        mask: The zone on the grid it is compared on.
        evidence: What it rests on.
        volume_band_ml: Smallest and largest volume over damage models, where simulated.
        max_temperature_c: Highest tissue temperature, where simulated.
        energy_j: Energy balance by name ("delivered", "stored", "perfusion", …), where simulated.
        trace: Time series by name ("time_s", "power_w", "temperature_c", …), where simulated.
        provenance: Model, device, tissue set, grid spacing, steps.
        coverage: Probability per voxel of `mask`'s grid that tissue is destroyed, over parameter
            priors and damage models; None where no ensemble was run.
        boundary_sd_mm: How far its surface may be off, one standard deviation, where it was
            outlined in a scan.
        membership: Share of each voxel, 0 to 1, that is destroyed, where whoever outlined the zone
            knows it; its level of one half is the zone's surface, and goes before `mask`'s.
    """

    mask: Mask
    evidence: Evidence
    volume_band_ml: tuple[float, float] | None = None
    max_temperature_c: float | None = None
    energy_j: Mapping[str, float] = field(default_factory=dict[str, float])
    trace: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    coverage: Float[np.ndarray, "i j k"] | None = None
    boundary_sd_mm: float | None = None
    membership: Volume | None = None


class AblationModel(Protocol):
    """Whoever can say what an ablation will destroy; handed to the planner by the pipeline."""

    def zone(self, ablation: Ablation, grid: Grid) -> AblationZone:
        """The zone of one ablation on `grid`.

        Raises:
            StudyRejectedError: If the ablation cannot be simulated as given.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeGradient:
    """How a score changes as one needle moves.

    Attributes:
        tip_per_mm: Per millimetre that the whole needle is shifted along LPS x, y, z.
        direction_per_rad: Per radian that it is turned about its tip, towards LPS x, y, z;
            perpendicular to the needle.
    """

    tip_per_mm: tuple[float, float, float]
    direction_per_rad: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneGradient:
    """How a score of the zone changes with needles and energy.

    Attributes:
        probes: By probe id.
        duration_per_s: Per second of energy.
        power_per_w: Per watt; None where the protocol gives a voltage.
        voltage_per_v: Per volt; None where it gives a power.
    """

    probes: Mapping[str, ProbeGradient]
    duration_per_s: float
    power_per_w: float | None = None
    voltage_per_v: float | None = None


class DifferentiableAblationModel(Protocol):
    """Whoever can say which way to move a needle so that more of a target is destroyed."""

    def score_and_gradient(
        self, ablation: Ablation, target: Mask, grid: Grid
    ) -> tuple[float, ZoneGradient]:
        """Soft coverage of a target, and its derivatives.

        The score is the mean over the target's voxels of 1/(1 + exp(-depth/softness)), depth
        positive where tissue is dead: between 0 (untouched) and 1 (dead throughout), one half for
        a voxel on the zone's surface.

        Args:
            ablation: Needles and energy.
            target: What is to be destroyed.
            grid: The image that the needles must lie in; its frame is the target's.

        Raises:
            StudyRejectedError: If the ablation cannot be simulated or differentiated as given.
            FrameMismatchError: If target and grid do not share a frame.
        """
        ...


class ZoneSegmenter(Protocol):
    """Whoever can outline the tissue that an ablation destroyed, in a scan made afterwards."""

    def zone(
        self, control: Volume, lesions: LabelMap, liver: Mask | None, planned: Mask | None = None
    ) -> AblationZone:
        """The observed zone.

        Args:
            control: The scan after the ablation.
            lesions: The lesions of the planning scan, brought onto the control scan's grid: where
                to look.
            liver: The liver on the same grid; None where nobody outlined it.
            planned: The zone that the plan predicted on the same grid, where there was a plan.

        Raises:
            StudyRejectedError: If no zone can be told at any of the lesions.
        """
        ...
