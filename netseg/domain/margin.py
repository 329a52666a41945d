"""How far the ablation zone reaches beyond each lesion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.errors import Notice


class Verdict(StrEnum):
    """Answer of the margin check. Only evidence that was observed can make it A0."""

    A0 = "A0"
    A0_UNCERTAIN = "A0_uncertain"
    NOT_A0 = "not_A0"
    RESIDUAL = "residual"
    NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginErrors:
    """How far off the three things a margin is measured from may be.

    All numbers zero means that nothing is uncertain; a number nobody knows is no error model.

    Attributes:
        registration_mm: Root mean square distance between where a point of the lesion is and where
            the registration puts it: its expected target registration error.
        lesion_boundary_sd_mm: Standard deviation of the lesion's outline along its normal.
        zone_boundary_sd_mm: The same for the ablation zone's outline.
        lesion_boundary_sd_by_id_mm: The same for single lesions, by number; goes before the other.
        correlation_mm: How far along a surface its errors stay alike (Gaussian correlation).
        rotation_deg: Standard deviation of the registration's turn about the lesion's centre.
        contraction: Mean and standard deviation of the share by which heat shrank the zone in every
            direction. Shown as sensitivity, never part of the verdict.
        draws: How often the errors are drawn.
        seed: Where the draws begin.
        assumed: Which of the numbers nobody measured, in words; the report says so.
    """

    registration_mm: float
    lesion_boundary_sd_mm: float
    zone_boundary_sd_mm: float
    lesion_boundary_sd_by_id_mm: Mapping[int, float] = field(default_factory=dict[int, float])
    correlation_mm: float = 12.0
    rotation_deg: float = 0.0
    contraction: tuple[float, float] = (0.0, 0.05)
    draws: int = 400
    seed: int = 2020
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Keep standard deviations from being negative or unknown."""
        for name in (
            "registration_mm",
            "lesion_boundary_sd_mm",
            "zone_boundary_sd_mm",
            "rotation_deg",
        ):
            _require(name, getattr(self, name), low=0.0)
        for number, sd_mm in self.lesion_boundary_sd_by_id_mm.items():
            _require(f"lesion_boundary_sd_by_id_mm of lesion {number}", sd_mm, low=0.0)
        _require("correlation_mm", self.correlation_mm, low=0.1)
        mean, sd = self.contraction
        if not (-0.5 < mean < 0.5 and 0 <= sd < 0.5):
            raise ValueError(f"contraction is a share and its deviation; got {self.contraction}.")
        if self.draws < 40:
            raise ValueError(f"an interval needs at least 40 draws; got {self.draws}.")

    def lesion_sd_mm(self, number: int) -> float:
        """How far off the outline of one lesion may be."""
        return self.lesion_boundary_sd_by_id_mm.get(number, self.lesion_boundary_sd_mm)

    def is_nothing(self, number: int) -> bool:
        """Whether nothing at all is uncertain about one lesion."""
        other = (self.registration_mm, self.zone_boundary_sd_mm, self.rotation_deg)
        return not any((*other, self.lesion_sd_mm(number)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place on a lesion's surface.

    Attributes:
        at_mm: Where (LPS).
        direction: From the lesion's centre, in words: "cranial", "dorsal and left".
        margin_mm: The margin there; for a patch its smallest.
        area_cm2: Size of the patch; None for a point.
    """

    at_mm: tuple[float, float, float]
    direction: str
    margin_mm: float
    area_cm2: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceMap:
    """The margin over a lesion's surface as seen from its centre, for a map of the globe.

    Attributes:
        longitude_deg: Columns: 0 is ventral, 90 the patient's left, ±180 dorsal, -90 right.
        latitude_deg: Rows: 90 is cranial, -90 caudal.
        margin_mm: Row by row the margin of the surface in that direction.
    """

    longitude_deg: tuple[float, ...]
    latitude_deg: tuple[float, ...]
    margin_mm: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortFinding:
    """What a published cohort found at margins like this one; no prediction for this patient.

    Attributes:
        finding: In one sentence.
        cohort: Whom it was found in.
        source: Where it is published.
    """

    finding: str
    cohort: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleFilm:
    """Liver or lesion under the capsule that was set aside: too thin for the masks to tell.

    Attributes:
        volume_ml: Of what lies within the cut-off of the lesion.
        thickest_mm: Depth of the zone's surface under the capsule where it was set aside, at most.
        limit_mm: Up to which depth it would have been, at the thickest place.
        margin_if_counted_mm: The smallest margin if it counted as liver that is left.
    """

    volume_ml: float
    thickest_mm: float
    limit_mm: float
    margin_if_counted_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionMargin:
    """The margin around one lesion.

    Attributes:
        id: The lesion's number.
        smallest_margin_mm: The verdict's distance: to the nearest viable liver where a liver mask
            is known, else to the zone's surface. Negative = depth of lesion outside the zone.
        smallest_margin_to_zone_mm: To the zone's surface, whatever lies beyond it.
        box_lower_bound_mm: Voxel box to voxel box, a lower bound.
        interval_mm: 90 % interval of the smallest margin, None without an error model.
        p5_margin_mm: Fifth percentile over the lesion's surface.
        median_margin_mm: Median over the lesion's surface.
        surface_share: Share of surface area "below_0", "0_to_5", "5_to_10", "above_10".
        covered_fraction: Share of the lesion's volume inside the zone.
        residual_volume_ml: Lesion volume outside the zone.
        histogram_mm: Lower bin edges of 1 mm and surface shares, for the plot.
        p_a0: Probability that the true margin reaches the cut-off, None without an error model.
        verdict: The answer; for simulated evidence it says what the plan predicts.
        why: The sentences that lead to it.
        p1_margin_mm: First percentile over the lesion's surface.
        expected_margin_mm: The smallest margin after the errors' bias was taken away: the smallest
            of many noisy distances is too small. None without an error model.
        p_margin: Probability by further cut-off in mm that the true margin reaches it.
        shell_coverage: By distance in mm, the share of the liver up to so far from the lesion that
            the zone covers (90 % of a 6 mm shell: Laimer et al. 2021).
        undertreated_ml: By margin in mm, liver within it around the lesion that the zone spares.
        thinnest: Where the margin is smallest.
        undertreated_patch: The largest connected piece of surface below the cut-off; its place is
            its centre. None where there is none.
        surface_map: The margin as seen from the lesion's centre; None where nobody asked for it.
        contraction_margin_mm: By share of contraction, the smallest margin if heat had shrunk the
            zone by it; empty without an error model.
        heat_sink_mm: Way to the nearest vessel wider than 3 mm; None if none is within the cut-off,
            or nobody outlined vessels.
        published: What published cohorts found at such margins.
        film: What was set aside at the capsule near the lesion; None where nothing was, or nobody
            outlined the liver.
    """

    id: int
    smallest_margin_mm: float | None
    smallest_margin_to_zone_mm: float | None
    box_lower_bound_mm: float | None = None
    interval_mm: tuple[float, float] | None = None
    p5_margin_mm: float | None = None
    median_margin_mm: float | None = None
    surface_share: Mapping[str, float] = field(default_factory=dict[str, float])
    covered_fraction: float | None = None
    residual_volume_ml: float | None = None
    histogram_mm: Mapping[float, float] = field(default_factory=dict[float, float])
    p_a0: float | None = None
    verdict: Verdict
    why: tuple[str, ...] = ()
    p1_margin_mm: float | None = None
    expected_margin_mm: float | None = None
    p_margin: Mapping[float, float] = field(default_factory=dict[float, float])
    shell_coverage: Mapping[float, float] = field(default_factory=dict[float, float])
    undertreated_ml: Mapping[float, float] = field(default_factory=dict[float, float])
    thinnest: Spot | None = None
    undertreated_patch: Spot | None = None
    surface_map: SurfaceMap | None = None
    contraction_margin_mm: Mapping[float, float] = field(default_factory=dict[float, float])
    heat_sink_mm: float | None = None
    published: tuple[CohortFinding, ...] = ()
    film: CapsuleFilm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginReport:
    """The margins of all lesions of a study.

    Attributes:
        cutoff_mm: The margin that A0 requires.
        evidence: What the zone rests on.
        observed: Whether the zone was seen after an ablation: a control scan, or masks declared as
            observed. Anything else is worded "plan predicts" and never sets A0.
        lesions: One entry per lesion.
        registration: Method, error and gates, where two scans were registered.
        warnings: What the reader must know.
    """

    cutoff_mm: float
    evidence: Evidence
    observed: bool
    lesions: tuple[LesionMargin, ...]
    registration: Mapping[str, Any] | None = None
    warnings: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        """Keep a simulation from being called an observation."""
        if self.observed and self.evidence is Evidence.SIMULATED:
            raise ValueError("a simulated zone was not observed; it can only predict.")

    @property
    def smallest_mm(self) -> float | None:
        """The smallest margin over all lesions; None when one is not assessable or none exists."""
        margins = [m.smallest_margin_mm for m in self.lesions]
        known = [m for m in margins if m is not None]
        return min(known) if known and len(known) == len(margins) else None

    @property
    def is_a0(self) -> bool:
        """Whether every lesion was seen to be A0; a prediction never is."""
        seen = self.observed and bool(self.lesions)
        return seen and all(m.verdict is Verdict.A0 for m in self.lesions)


def _require(name: str, value: float, *, low: float) -> None:
    if not (math.isfinite(value) and value >= low):
        raise ValueError(f"{name} must be a finite number of at least {low:g}; got {value}.")
