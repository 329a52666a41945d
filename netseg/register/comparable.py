"""Two scans on one grid in one scale of values, after the rigid part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.register.side import grown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid
    from netseg.register.side import Side

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

RIM_MM = 3.0  # of the liver's surroundings: its border is seen too
AROUND_MM = 8.0  # of the liver: fat, lung and muscle have values to translate
BINS = 48  # of values, when one kind of image is translated into another
CALM_VOXELS = 1.5  # blur before two scans' contrast is compared: noise depends on interpolation
BRIGHT = 97.0  # percentile: vessels, where contrast was given
FEW_VOXELS = 20  # in a bin: too few to know what it means
TO_SIGMA = 1.4826  # median absolute deviation of a Gaussian to its standard deviation
FILL_SCALES_MM = (3.0, 6.0, 12.0, 24.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparable:
    """What the bending part is computed from.

    Attributes:
        fixed: The control scan's values.
        moving: The planning scan's values, moved rigidly and translated into the control's scale.
        fixed_liver: The liver of the control scan.
        moving_liver: The liver of the planning scan, moved rigidly.
        fixed_avoided: Places of the control scan that are not compared: the zone.
        moving_avoided: Places of the planning scan that are not compared: the tumours.
        grid: Cubic voxels in the control scan's frame.
        translated: Whether the two scans are not both HU.
    """

    fixed: Float[np.ndarray, "i j k"]
    moving: Float[np.ndarray, "i j k"]
    fixed_liver: Bool[np.ndarray, "i j k"]
    moving_liver: Bool[np.ndarray, "i j k"]
    fixed_avoided: Bool[np.ndarray, "i j k"]
    moving_avoided: Bool[np.ndarray, "i j k"]
    grid: Grid
    translated: bool

    @property
    def compared(self) -> Bool[np.ndarray, "i j k"]:
        """Voxels of the control scan that are compared: its liver and a rim, without the zone."""
        return grown(self.fixed_liver, RIM_MM, self.grid) & ~self.fixed_avoided


def comparable(fixed: Side, moving: Side) -> Comparable:
    """Bring two views of one grid into one scale of values.

    Two CTs are brought to one level of parenchyma and of bright vessels. Otherwise every value of the
    planning scan is translated into the control value that is found most often where it stands
    (conditional median after the rigid part): vessels that were bright may become dark.

    Args:
        fixed: The control scan.
        moving: The planning scan on the same grid.
    """
    known = ~fixed.avoided & ~moving.avoided
    both = fixed.liver & moving.liver & known
    same = fixed.is_hu and moving.is_hu
    values = moving.values
    if both.any() and same:
        values = _same_spread(fixed.values, moving.values, both)
    elif both.any():  # what surrounds the liver is compared too, and must be known by its value
        around = grown(fixed.liver, AROUND_MM, fixed.grid) & known
        values = _translated(fixed.values, moving.values, around)
    return Comparable(
        fixed=fixed.values,
        moving=values,
        fixed_liver=fixed.liver,
        moving_liver=moving.liver,
        fixed_avoided=fixed.avoided,
        moving_avoided=moving.avoided,
        grid=fixed.grid,
        translated=not same,
    )


def swapped(pair: Comparable) -> Comparable:
    """The same two images with their parts exchanged."""
    return Comparable(
        fixed=pair.moving,
        moving=pair.fixed,
        fixed_liver=pair.moving_liver,
        moving_liver=pair.fixed_liver,
        fixed_avoided=pair.moving_avoided,
        moving_avoided=pair.fixed_avoided,
        grid=pair.grid,
        translated=pair.translated,
    )


def painted_over(
    values: Float[np.ndarray, "i j k"],
    liver: Bool[np.ndarray, "i j k"],
    avoided: Bool[np.ndarray, "i j k"],
    grid: Grid,
) -> Float[np.ndarray, "i j k"]:
    """Values with what is avoided filled in from the parenchyma around (normalised convolution)."""
    known = liver & ~avoided
    unknown = liver & avoided
    if not unknown.any() or not known.any():
        return values
    step_mm = grid.spacing_mm[0]
    weight = known.astype(np.float32)
    total = np.zeros(values.shape, np.float32)
    share = np.zeros(values.shape, np.float32)
    for nth, scale_mm in enumerate(FILL_SCALES_MM):  # wider ones speak where narrower ones cannot
        trust = np.float32(100.0**-nth)
        total += trust * ndi.gaussian_filter(weight * values, scale_mm / step_mm, truncate=3.0)
        share += trust * ndi.gaussian_filter(weight, scale_mm / step_mm, truncate=3.0)
    filled = values.copy()
    usual = np.median(values[known])
    filled[unknown] = np.where(share > 1e-9, total / np.maximum(share, 1e-9), usual)[unknown]
    return filled


def _same_spread(
    fixed: np.ndarray, moving: np.ndarray, both: np.ndarray
) -> Float[np.ndarray, "i j k"]:
    """Parenchyma to parenchyma, vessels to vessels; of blurred images, whose noise is alike."""
    levels = [
        np.percentile(ndi.gaussian_filter(values, CALM_VOXELS, truncate=3.0)[both], (50, BRIGHT))
        for values in (fixed, moving)
    ]
    (ours, bright), (theirs, other) = levels
    scale = (bright - ours) / (other - theirs) if other > theirs and bright > ours else 1.0
    return ((moving - theirs) * np.clip(scale, 0.5, 2.0) + ours).astype(np.float32)


def _translated(
    fixed: np.ndarray, moving: np.ndarray, both: np.ndarray
) -> Float[np.ndarray, "i j k"]:
    seen = moving[both]
    edges = np.quantile(seen, np.linspace(0.0, 1.0, BINS + 1))
    edges = np.unique(edges)
    if len(edges) < 3:
        return np.full(moving.shape, np.median(fixed[both]), np.float32)
    place = np.clip(np.searchsorted(edges, seen, side="right") - 1, 0, len(edges) - 2)
    answers = fixed[both]
    middles: list[float] = []
    meanings: list[float] = []
    for number in range(len(edges) - 1):
        here = place == number
        if np.count_nonzero(here) >= FEW_VOXELS:
            middles.append(float(np.median(seen[here])))
            meanings.append(float(np.median(answers[here])))
    return np.interp(moving, middles, meanings).astype(np.float32)
