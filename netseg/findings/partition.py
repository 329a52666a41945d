"""An approximate partition of a liver into Couinaud segments, from its mask alone.

Couinaud's segments follow hepatic veins and the portal fork, which a liver mask does not show. This
partition imitates their layout:

- The three hepatic veins meet at the vena cava, so the sectors are a fan of vertical planes around
  an upright axis where the vena cava is assumed: at the liver's centre of mass plus 0.8 standard
  deviations of its voxels towards the patient's left and 1.0 towards the back (assumption).
- Counted from the left lobe over the front to the right and the back, the fan is cut where the sectors hold the mean shares of liver volume in adults: lateral left
  (II + III) 16 %, medial left (IV) 17 %, right anterior (V + VIII) 37 %, right posterior (VI + VII)
  30 %. Lateral left, medial left and right hemiliver follow the means usually quoted from Abdalla
  et al., Surgery 2004;135:404-410 (16, 17 and two thirds; not read again for this). The division of
  the right hemiliver into 37 and 30 is an assumption.
- The portal plane of each sector lies at the height of that sector's own centre of mass, since the
  left portal branch rises higher than the right one: above it II, VIII and VII, below it III, V and
  VI (assumption). IV is not divided.
- Segment I (caudate) is never assigned.

Individual livers differ widely from these means, so that a lesion near a plane can come out in the
neighbouring segment. Whoever shows these segments must say that they are approximate.

Measured against the true segments of ten synthetic livers (`netseg.phantom.make_phantom`, seeds 1 …
10, 3 mm voxels, segment I left out): 80 % of the voxels in the right segment (75 … 84 %), 88 % in the
right sector (83 … 93 %), 95 % in the right hemiliver (90 … 97 %); by segment II 87, III 70, IV 81, V
73, VI 91, VII 94, VIII 78 %. Those livers are drawn by planes around a vena cava, too, so that this
flatters the partition; it was not measured on patients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import LabelMap
from netseg.findings.region import Region
from netseg.geometry.extent import bounding_box

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain import Mask

ROMAN = dict(enumerate(("I", "II", "III", "IV", "V", "VI", "VII", "VIII"), 1))

CAVA_LEFT_SD, CAVA_BACK_SD = 0.8, 1.0  # vena cava from the centre of mass, in standard deviations
CUTS = (
    0.16,
    0.33,
    0.70,
)  # cumulated share of volume: lateral left | IV | right anterior | posterior
UPPER = (2, 4, 8, 7)  # segment of each sector above the portal plane
LOWER = (3, 4, 5, 6)  # and below it


def approximate_segments(liver: Mask) -> LabelMap:
    """Couinaud segments II-VIII by position in the liver; see the module for rules and limits.

    Args:
        liver: The liver, lesions included; at least one voxel.

    Returns:
        Labels 2 … 8 on the liver's grid with names "II" … "VIII"; 0 outside the liver.

    Raises:
        ValueError: If the liver is empty.
    """
    if liver.is_empty:
        raise ValueError("an empty liver has no segments.")
    start, shape = bounding_box(liver, 0.0)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    inside, grid = liver.inside[box], liver.grid.crop(start, shape)
    whole = Region(id=0, start=start, inside=inside, grid=grid, at_border=False)
    offset = np.concatenate([part.astype(np.float32) for part in whole.points_mm()])
    offset -= offset.mean(
        axis=0, dtype=np.float64
    )  # of millions in float32: 6 mm beside the centre
    sector = np.searchsorted(CUTS, _rank(_fan_angle(offset)), side="right").astype(np.uint8)
    height = np.array(
        [offset[sector == n, 2].mean(dtype=np.float64) for n in range(len(UPPER))], np.float32
    )
    upper = offset[:, 2] > height[sector]
    number = np.where(upper, np.array(UPPER, np.uint8)[sector], np.array(LOWER, np.uint8)[sector])
    labels = np.zeros(liver.grid.shape, np.uint8)
    labels[box][inside] = number
    return LabelMap(labels, liver.grid, {n: ROMAN[n] for n in range(2, 9)})


def _fan_angle(offset_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Angle around the assumed vena cava, 0 towards the back, growing over left, front and right."""
    spread = offset_mm.std(axis=0, dtype=np.float64).astype(np.float32)
    left = offset_mm[:, 0] - CAVA_LEFT_SD * spread[0]
    back = offset_mm[:, 1] - CAVA_BACK_SD * spread[1]
    return np.arctan2(left, back) % (2 * np.pi)


def _rank(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Share of the values that are smaller, for each value."""
    return np.searchsorted(np.sort(values), values) / len(values)
