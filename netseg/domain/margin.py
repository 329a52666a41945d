"""How far the ablation zone reaches beyond each lesion."""

from __future__ import annotations

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
