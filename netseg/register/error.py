"""How far the registration may be off near the lesions.

Nobody knows the true error of a real pair. What can be measured is where it comes from: the images
say little beside the lesion (spread of fields that fit as well), the tissue bends although the
lesion moves as one piece (scatter), the way back does not end where it began. How these figures
tell the error was fitted on synthetic pairs (experiments/registration), whose true motion is known.
"""

from __future__ import annotations

import math

FLOOR_MM = 0.5  # of the best pairs: noise, interpolation, what no figure shows
OF_SPREAD = 0.45  # livers bend more smoothly than the prior allows
OF_SCATTER = 0.65
OF_WAY_BACK = 0.5
UNSEEN_MM = 5.0  # taken for the spread where nothing could be compared
UNCHECKED_MM = 1.2  # taken for the way back where the reverse registration was not run
RIGID_MM = 3.5  # what livers bend from one breath to the next, where only the rigid part was done


def expected_error_mm(
    *,
    spread_mm: float | None,
    scatter_mm: float | None,
    way_back_mm: float | None,
    landmarks_mm: tuple[float, ...] = (),
) -> float:
    """Root mean square of the distance to the true place, near the lesions.

    Args:
        spread_mm: Spread of the fields that fit as well; None where nothing was compared.
        scatter_mm: What rigid pieces leave of the field where they were fitted; None without any.
        way_back_mm: Root mean square of the way there and back; None where it was not run.
        landmarks_mm: Distances of given landmarks; larger ones are believed.

    Returns:
        Millimetres, never zero.
    """
    back = UNCHECKED_MM if way_back_mm is None else way_back_mm
    spread = UNSEEN_MM if spread_mm is None else spread_mm
    scatter = scatter_mm or 0.0
    parts = (FLOOR_MM, OF_SPREAD * spread, OF_SCATTER * scatter, OF_WAY_BACK * back)
    return _at_least_landmarks(math.sqrt(sum(p * p for p in parts)), landmarks_mm)


def rigid_error_mm(landmarks_mm: tuple[float, ...] = ()) -> float:
    """The same where nothing but the rigid part was computed: a liver bends by a few millimetres."""
    return _at_least_landmarks(RIGID_MM, landmarks_mm)


def root_mean_square_mm(distances_mm: tuple[float, ...]) -> float | None:
    """Of landmark distances; None without any."""
    if not distances_mm:
        return None
    return math.sqrt(sum(d * d for d in distances_mm) / len(distances_mm))


def _at_least_landmarks(estimate_mm: float, landmarks_mm: tuple[float, ...]) -> float:
    return round(max(estimate_mm, root_mean_square_mm(landmarks_mm) or 0.0), 3)
