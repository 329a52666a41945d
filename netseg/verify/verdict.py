"""From distances and probabilities to the verdict, as the contract of margin.json has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.margin import Verdict
from netseg.verify import shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.verify.uncertainty import Draws

SURE = 0.9  # P(A0) from which it is A0
SURELY_NOT = 0.1  # P(A0) up to which it is not
INTERVAL = (0.05, 0.95)
GUARDED_FROM_MM = 2.5  # wider slices know a pole too badly for the bare distance
GUARD_OF_SLICE = 0.1
# What a millimetre of slice thickness does to the smallest margin of bumpy lesions, measured less true, the
# motion known (experiment margin_benchmark, 30 and 31 pairs): mean and standard deviation for a lesion that
# was cut into such slices twice, the safe side for one cut once; and of one that is carried as a field.
TOO_LONG_OF_SLICE, SD_OF_SLICE = 0.075, 0.11
SD_OF_SLICE_AS_FIELD = 0.065
special: Any = scipy.special  # scipy carries no types
SLICE_NODES: np.ndarray = special.ndtri((np.arange(101) + 0.5) / 101)  # equally likely normals


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """What the draws of a smallest margin say.

    Attributes:
        interval_mm: 90 % interval.
        expected_mm: Mean.
        p_margin: Probability by cut-off in mm that the true margin reaches it.
    """

    interval_mm: tuple[float, float]
    expected_mm: float
    p_margin: Mapping[float, float]


def certain(smallest_mm: float, cutoffs_mm: tuple[float, ...]) -> Certainty:
    """Nothing is uncertain: the interval is a point and the probabilities are 0 or 1."""
    reached = {cutoff: float(smallest_mm >= cutoff) for cutoff in cutoffs_mm}
    return Certainty(
        interval_mm=(smallest_mm, smallest_mm), expected_mm=smallest_mm, p_margin=reached
    )


def from_draws(
    draws: Draws, cutoffs_mm: tuple[float, ...], hidden_mm: tuple[float, float]
) -> Certainty:
    """Interval and probabilities of the true smallest margin.

    Args:
        draws: Draws of it, given the errors of registration and outlines.
        cutoffs_mm: The margins that it may reach.
        hidden_mm: What thick slices hide, from `slice_error_mm`; it is taken off.
    """
    too_long_mm, sd_mm = hidden_mm
    true_mm = draws.true_mm
    if sd_mm:
        true_mm = (true_mm[:, None] - too_long_mm - sd_mm * SLICE_NODES).ravel()
    true_mm = np.round(true_mm, shares.DIGITS)
    low, high = np.quantile(true_mm, INTERVAL)
    return Certainty(
        interval_mm=(shares.rounded_mm(low), shares.rounded_mm(high)),
        expected_mm=shares.rounded_mm(true_mm.mean()),
        p_margin={c: round(float(np.mean(true_mm >= c)), 4) for c in cutoffs_mm},
    )


def slice_error_mm(slice_mm: float, *, as_field: bool) -> tuple[float, float]:
    """By how much thick slices make a smallest margin too long: mean and standard deviation.

    A pole or a bump between two slices is not seen. Up to 2.5 mm the outlines' own deviation covers it.

    Args:
        slice_mm: Widest voxel edge.
        as_field: Whether the lesion's surface is known better than these voxels say.
    """
    if slice_mm <= GUARDED_FROM_MM:
        return 0.0, 0.0
    if as_field:
        return 0.0, SD_OF_SLICE_AS_FIELD * slice_mm
    return TOO_LONG_OF_SLICE * slice_mm, SD_OF_SLICE * slice_mm


def guard_mm(slice_mm: float) -> float:
    """How much more than the cut-off a bare distance must be on thick slices.

    Up to 2.5 mm nothing; above, a tenth of the slice thickness (experiment margin_accuracy: on
    slices of 5 mm about one margin in fifty was falsely A0 without it, none of 334 with it).
    """
    return GUARD_OF_SLICE * slice_mm if slice_mm > GUARDED_FROM_MM else 0.0


def by_distance(smallest_mm: float, required_mm: float, slice_mm: float, left: int) -> Verdict:
    """The verdict of two bare masks.

    Args:
        smallest_mm: The distance that decides.
        required_mm: The cut-off.
        slice_mm: Widest voxel edge.
        left: Lesion voxels outside the zone.
    """
    if smallest_mm >= required_mm:
        near = smallest_mm < required_mm + guard_mm(slice_mm)
        return Verdict.A0_UNCERTAIN if near else Verdict.A0
    return Verdict.RESIDUAL if smallest_mm < 0 and left else Verdict.NOT_A0


def by_probability(certainty: Certainty, required_mm: float) -> Verdict:
    """The verdict with an error model."""
    if certainty.interval_mm[1] < 0:
        return Verdict.RESIDUAL
    p_a0 = certainty.p_margin[required_mm]
    if p_a0 >= SURE:
        return Verdict.A0
    return Verdict.NOT_A0 if p_a0 <= SURELY_NOT else Verdict.A0_UNCERTAIN
