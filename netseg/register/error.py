"""How far the registration may be off near the lesions.

Nobody knows the true error of a real pair. What can be measured is where it comes from: the images
say little beside the lesion (spread of fields that fit as well), the tissue bends although the
lesion moves as one piece (scatter), the way back does not end where it began, and the field claims
that the lesion swells or shrinks. Tissue hardly does; where the field says so, it is wrong, and
wrong by more than the swelling itself. How these figures tell the error was fitted on synthetic
pairs (experiments/registration), whose true motion is known. On fresh pairs it is right on average and
orders good registrations badly: take it for the size of the usual error, not for a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UNSEEN_MM = 5.0  # taken for the spread where nothing could be compared
UNCHECKED_MM = 1.2  # taken for the way back where the reverse registration was not run
RIGID_MM = 3.5  # what livers bend from one breath to the next, where no bend could be looked for
OF_BENDING_MM = 1.2  # how far off the bend is that a rigid registration left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much of each figure is error.

    Attributes:
        floor_mm: Of the best pairs: noise, interpolation, what no figure shows.
        spread: Of the spread; livers bend more smoothly than the prior allows.
        scatter: Of what the lesion's one motion leaves.
        way_back: Of the way there and back.
        swelling: Of how far the field moves the lesion's surface by swelling.
    """

    floor_mm: float
    spread: float
    scatter: float
    way_back: float
    swelling: float


CONTINUED = Weights(floor_mm=0.3, spread=0.2, scatter=1.2, way_back=0.6, swelling=2.5)
"""Of a field that never looked at the lesion and continues into it."""
PAINTED = Weights(floor_mm=0.5, spread=0.45, scatter=0.65, way_back=0.5, swelling=0.0)
"""Of a field of painted images, or without a lesion: its swelling there means nothing."""


def expected_error_mm(
    *,
    spread_mm: float | None,
    scatter_mm: float | None,
    way_back_mm: float | None,
    swelling_mm: float | None = None,
    landmarks_mm: tuple[float, ...] = (),
) -> float:
    """Root mean square of the distance to the true place, near the lesions.

    Args:
        spread_mm: Spread of the fields that fit as well; None where nothing was compared.
        scatter_mm: What one motion per lesion leaves of the field where it was fitted; None
            without any.
        way_back_mm: Root mean square of the way there and back; None where it was not run.
        swelling_mm: How far the field that continues into the lesion moves its surface in or out;
            None where the field there means nothing.
        landmarks_mm: Distances of given landmarks; larger ones are believed.

    Returns:
        Millimetres, never zero.
    """
    weights = PAINTED if swelling_mm is None else CONTINUED
    back = UNCHECKED_MM if way_back_mm is None else way_back_mm
    spread = UNSEEN_MM if spread_mm is None else spread_mm
    parts = (
        weights.floor_mm,
        weights.spread * spread,
        weights.scatter * (scatter_mm or 0.0),
        weights.way_back * back,
        weights.swelling * (swelling_mm or 0.0),
    )
    return _at_least_landmarks(math.sqrt(sum(p * p for p in parts)), landmarks_mm)


def rigid_error_mm(left_out_mm: float | None = None, landmarks_mm: tuple[float, ...] = ()) -> float:
    """The same where nothing but the rigid part was kept.

    Args:
        left_out_mm: Root mean square of the bend found near the lesions and not used; None where
            none could be looked for: livers bend by a few millimetres.
        landmarks_mm: Distances of given landmarks; larger ones are believed.
    """
    expected = RIGID_MM if left_out_mm is None else math.hypot(left_out_mm, OF_BENDING_MM)
    return _at_least_landmarks(expected, landmarks_mm)


def root_mean_square_mm(distances_mm: tuple[float, ...]) -> float | None:
    """Of landmark distances; None without any."""
    if not distances_mm:
        return None
    return math.sqrt(sum(d * d for d in distances_mm) / len(distances_mm))


def _at_least_landmarks(estimate_mm: float, landmarks_mm: tuple[float, ...]) -> float:
    return round(max(estimate_mm, root_mean_square_mm(landmarks_mm) or 0.0), 3)
