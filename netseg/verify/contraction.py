"""What the margin would be if heat had shrunk the zone.

Heated tissue shrinks: 52 to 74 % of the volume ex vivo (Farina 2014), hardly at all in the tumour
in vivo (MHH, 0.6 %). Tissue that was x from the zone's centre lies at (1 - c) x afterwards, so a
zone seen afterwards is too small for the lesion that was outlined before. The lesion is shrunk
alike, its distances are measured there and stretched back. The verdict rests on c = 0, which is on
the safe side; with c the margin only grows where the zone encloses the lesion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.geometry.components import components
from netseg.verify import shares
from netseg.verify.lesion import margins_at
from netseg.verify.uncertainty import POINTS, thinned

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.margin import MarginErrors
    from netseg.domain.volume import Mask
    from netseg.verify.lesion import SurfaceMargins, Surroundings

SHOWN = (0.0, 0.05, 0.12)


def contraction_margins(
    margins: SurfaceMargins, around: Surroundings, errors: MarginErrors
) -> dict[float, float]:
    """The smallest margin by share of contraction.

    Args:
        margins: What was measured over the lesion's surface.
        around: Zone and liver; a capsule is stretched with the zone, which holds near it.
        errors: Its contraction's mean and deviation are shown beside 0, 5 and 12 %.

    Returns:
        Millimetres by share, ascending; those of contraction only, for a zone that swelled is no
        contraction.
    """
    mean, sd = errors.contraction
    wanted = sorted({round(c, 4) for c in (*SHOWN, mean, mean + sd) if c >= 0})
    chosen = thinned(margins.points_mm, margins.to_viable_mm, POINTS)
    at_mm, seen = margins.points_mm[chosen], margins.to_viable_mm[chosen]
    centre = _zone_centre_mm(around.zone, margins.centre_mm)
    _, plain = margins_at(at_mm, around)
    found: dict[float, float] = {}
    for c in wanted:
        _, there = margins_at(centre + (1 - c) * (at_mm - centre), around)
        found[c] = shares.rounded_mm((seen + there / (1 - c) - plain).min())
    return found


def _zone_centre_mm(zone: Mask, near_mm: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Centre of the part of the zone that lies nearest to a place."""
    parts = components(zone)
    centres = [
        zone.grid.to_mm(np.argwhere(parts.labels == number).mean(axis=0)) for number in parts.values
    ]
    away = [float(np.linalg.norm(centre - near_mm)) for centre in centres]
    return centres[int(np.argmin(away))]
