"""From a map of probabilities to numbered lesions, each with how sure the network is of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import Mask
from netseg.geometry.components import components

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer

    from netseg.domain import Grid

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

ONE_SIGMA = (0.1587, 0.8413)
"""Probabilities one standard deviation of the boundary's place outside and inside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What makes a spot a lesion that is listed.

    Attributes:
        smallest_ml: Smaller spots are not listed.
        least_inside: Share of a lesion that must lie in the liver; less of it is muscle, stomach
            or bowel beside the liver.
        least_confidence: Confidence that a listed lesion must reach.
        extent: A lesion ends where its probability falls below this share of its confidence, as
            uptake is outlined at a share of its maximum; a low threshold then finds faint lesions
            without swelling clear ones.
    """

    smallest_ml: float = 0.05
    least_inside: float = 0.5
    least_confidence: float = 0.6
    extent: float = 0.4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """Lesions in descending volume.

    Attributes:
        labels: Their numbers 1 ... n, (i, j, k).
        confidence: By number, the mean probability of the more certain half of the lesion's voxels.
        boundary_sd_mm: By number, how far the boundary may lie from where it was drawn.
        dropped: How many spots were not listed.
    """

    labels: Integer[np.ndarray, "i j k"]
    confidence: dict[int, float]
    boundary_sd_mm: dict[int, float]
    dropped: int


def list_lesions(
    probability: Float[np.ndarray, "i j k"],
    liver: Bool[np.ndarray, "i j k"],
    grid: Grid,
    threshold: float,
    rules: Listing,
) -> Listed:
    """Number the connected spots above a threshold and drop what is no lesion.

    Args:
        probability: Calibrated probability of lesion.
        liver: The liver the network found.
        grid: Where the voxels lie.
        threshold: Probability from which a voxel counts.
        rules: Which spots are listed.
    """
    numbered = components(Mask(probability >= threshold, grid)).labels
    boxes = ndi.find_objects(numbered)
    kept: list[tuple[int, tuple[slice, ...], float, float | None]] = []
    for number, box in enumerate(boxes, start=1):
        own = numbered[box] == number
        volume_ml = float(np.count_nonzero(own)) * grid.voxel_volume_ml
        share = float(np.count_nonzero(own & liver[box])) / float(np.count_nonzero(own))
        sure = _confidence(probability[box][own])
        if (
            volume_ml >= rules.smallest_ml
            and share >= rules.least_inside
            and sure >= rules.least_confidence
        ):
            around = _grown(box, numbered.shape, 4)
            others = numbered[around] * (numbered[around] != number) > 0
            kept.append((number, box, sure, boundary_sd_mm(probability[around], others, grid)))
    labels = np.zeros(numbered.shape, np.uint8 if len(kept) < 256 else np.uint16)
    for new, (number, box, _, _) in enumerate(kept, start=1):
        own = numbered[box] == number
        labels[box][own & (probability[box] >= rules.extent * kept[new - 1][2])] = new
    return Listed(
        labels=labels,
        confidence={n: sure for n, (_, _, sure, _) in enumerate(kept, start=1)},
        boundary_sd_mm={n: sd for n, (_, _, _, sd) in enumerate(kept, start=1) if sd is not None},
        dropped=len(boxes) - len(kept),
    )


def boundary_sd_mm(
    probability: Float[np.ndarray, "i j k"], others: Bool[np.ndarray, "i j k"], grid: Grid
) -> float | None:
    """Half the mean distance between the surfaces of 16 % and 84 % probability.

    If the boundary's place along its normal has a normal distribution, the probability one standard
    deviation outside its mean is 16 %, one inside 84 %. The distance is the volume between the two
    surfaces over the area of the middle one; the area is that of the sphere of the same volume,
    the least there is, so the answer errs to the large side.

    Args:
        probability: Around one lesion.
        others: Voxels of other lesions, left out.
        grid: For the voxels' size.

    Returns:
        None where no voxel reaches even one in six.
    """
    own = np.where(others, 0.0, probability)
    outer, inner = (float((own >= p).sum()) * grid.voxel_volume_ml * 1000.0 for p in ONE_SIGMA)
    middle = float((own >= 0.5).sum()) * grid.voxel_volume_ml * 1000.0
    if middle == 0.0:
        middle = 0.5 * (outer + inner)
    if middle == 0.0:
        return None
    area = (36.0 * np.pi) ** (1 / 3) * middle ** (2 / 3)
    return 0.5 * (outer - inner) / area


def _confidence(values: Float[np.ndarray, "n"]) -> float:
    upper = np.partition(values, len(values) // 2)[len(values) // 2 :]
    return float(upper.mean())


def _grown(box: tuple[slice, ...], shape: tuple[int, ...], by: int) -> tuple[slice, slice, slice]:
    i, j, k = (
        slice(max(0, s.start - by), min(n, s.stop + by)) for s, n in zip(box, shape, strict=True)
    )
    return i, j, k
