"""Grids of one case brought together: turned to L, P, S, cut to one region, on cubic voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import Code, StudyRejectedError
from netseg.segment.sampling import Axis, resize
from netseg.training.datasets.case import BACKGROUND, IGNORED, LESION, LIVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Float32, Shaped, UInt8

    from netseg.training.datasets.slices import Placed

    Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    Cube = tuple[Axis, Axis, Axis]

_SAME_DIRECTION = 2e-3  # cosine: 0.1 degrees, which is 0.5 mm over 30 cm
_HALF = 0.5 - 1e-5  # a voxel half covered counts, whatever the rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turned:
    """Numbers whose axes run to the patient's left, back and head, as nearly as their grid allows.

    Attributes:
        name: For messages.
        values: Indexed (i, j, k).
        affine_lps: Voxel index to LPS millimetres, its diagonal positive.
        sha256: Hash of the bytes they came from.
    """

    name: str
    values: Shaped[np.ndarray, "i j k"]
    affine_lps: Float[np.ndarray, "4 4"]
    sha256: str

    @property
    def spacing_mm(self) -> Float[np.ndarray, 3]:
        """Voxel size along the axes."""
        return np.linalg.norm(self.affine_lps[:3, :3], axis=0)

    @property
    def directions(self) -> Float[np.ndarray, "3 3"]:
        """Unit vectors along the axes as columns."""
        return self.affine_lps[:3, :3] / self.spacing_mm


def turned(placed: Placed) -> Turned:
    """The same voxels with their axes in the order and direction of L, P, S.

    An oblique grid stays oblique: nothing is interpolated here.
    """
    import nibabel
    from nibabel import orientations

    nib: Any = nibabel.orientations
    order = orientations.io_orientation(placed.affine_lps)  # the affine's own world is LPS
    return Turned(
        name=placed.name,
        values=nib.apply_orientation(placed.values, order),
        affine_lps=placed.affine_lps @ nib.inv_ornt_aff(order, placed.values.shape),
        sha256=placed.sha256,
    )


def same_voxels(first: Turned, second: Turned, within_mm: float) -> bool:
    """Whether two grids have the same voxel centres to `within_mm`."""
    if first.values.shape != second.values.shape:
        return False
    last = np.array(first.values.shape) - 1.0
    corners = np.array([[*c, 1.0] for c in np.ndindex(2, 2, 2)]) * [*last, 1.0]
    apart = corners @ (first.affine_lps - second.affine_lps).T
    return bool(np.linalg.norm(apart, axis=1).max() <= within_mm)


def offset_mm(base: Turned, other: Turned) -> Float[np.ndarray, 3]:
    """Where the first voxel of `other` lies, along the axes of `base` from its first voxel.

    Raises:
        StudyRejectedError: GEOMETRY_CONFLICT if the two are rotated against each other.
    """
    if np.abs(base.directions - other.directions).max() > _SAME_DIRECTION:
        cosines = np.clip(np.diag(base.directions.T @ other.directions), -1.0, 1.0)
        raise StudyRejectedError(
            Code.GEOMETRY_CONFLICT,
            f"The axes are rotated by {np.degrees(np.arccos(cosines.min())):.1f} degrees against "
            f"those of {base.name}.",
            file=other.name,
            hint="Resample it onto the grid of the labels first.",
        )
    return base.directions.T @ (other.affine_lps[:3, 3] - base.affine_lps[:3, 3])


def extent_mm(image: Turned, first_mm: Float[np.ndarray, 3]) -> Box:
    """From the outer face of the first voxel to that of the last one, along each axis."""
    half = image.spacing_mm / 2
    low = first_mm - half
    high = first_mm + image.spacing_mm * (np.array(image.values.shape) - 1) + half
    return _box(low, high)


def outlined_mm(labels: Turned) -> Box:
    """The box around liver and lesions.

    Raises:
        StudyRejectedError: MASK_EMPTY if there are none.
    """
    inside = (labels.values == LIVER) | (labels.values == LESION)
    low, high = np.zeros(3), np.zeros(3)
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = np.flatnonzero(inside.any(axis=others))
        if len(used) == 0:
            raise StudyRejectedError(
                Code.MASK_EMPTY,
                "Neither liver nor lesion is outlined: there is no region to cut to.",
                file=labels.name,
                hint="Give liver masks, or keep whole scans with margin_mm: null.",
            )
        low[axis], high[axis] = used[0] - 0.5, used[-1] + 0.5
    return _box(low * labels.spacing_mm, high * labels.spacing_mm)


def cube(box: Box, spacing_mm: float) -> Cube:
    """Cubic voxels that fill a box, centred in it; at most half a voxel stands out or is missing."""
    made: list[Axis] = []
    for low, high in box:
        count = max(1, round((high - low) / spacing_mm))
        first = 0.5 * (low + high) - 0.5 * (count - 1) * spacing_mm
        made.append(Axis(count=count, spacing_mm=spacing_mm, first_mm=first))
    return made[0], made[1], made[2]


def on_cube(
    image: Turned, first_mm: Float[np.ndarray, 3], target: Cube
) -> Float32[np.ndarray, "a b c"]:
    """The values on the cubic voxels; only the part of the image that they need is copied."""
    part, source = _part(image, first_mm, target)
    return resize(part.astype(np.float32), source, target)


def labels_on_cube(labels: Turned, target: Cube) -> UInt8[np.ndarray, "a b c"]:
    """Labels on the cubic voxels: the share of each decides at one half.

    A voxel of which half may not be taught is ignored.
    """
    part, source = _part(labels, np.zeros(3), target)

    def at_least_half(*values: int) -> Bool[np.ndarray, "a b c"]:
        return resize(np.isin(part, values).astype(np.float32), source, target) >= _HALF

    made = np.where(at_least_half(LIVER, LESION), LIVER, BACKGROUND).astype(np.uint8)
    made[at_least_half(LESION)] = LESION
    if (part == IGNORED).any():
        made[at_least_half(IGNORED)] = IGNORED
    return made


def _part(
    image: Turned, first_mm: Float[np.ndarray, 3], target: Cube
) -> tuple[Shaped[np.ndarray, "i j k"], Cube]:
    """What the cubic voxels need of an image, and where it lies."""
    source: list[Axis] = []
    needed: list[slice] = []
    for axis, wanted in enumerate(target):
        spacing = float(image.spacing_mm[axis])
        reach = max(spacing, wanted.spacing_mm) + spacing
        ends = wanted.centres_mm[[0, -1]] + np.array([-reach, reach])
        low, high = np.floor((ends - first_mm[axis]) / spacing).astype(int)
        start = int(np.clip(low, 0, image.values.shape[axis] - 1))
        stop = int(np.clip(high + 1, start + 1, image.values.shape[axis]))
        needed.append(slice(start, stop))
        first = float(first_mm[axis]) + start * spacing
        source.append(Axis(count=stop - start, spacing_mm=spacing, first_mm=first))
    return image.values[tuple(needed)], (source[0], source[1], source[2])


def shared_box(boxes: Sequence[Box]) -> Box:
    """What lies in all of the boxes."""
    low = np.max([[side[0] for side in box] for box in boxes], axis=0)
    high = np.min([[side[1] for side in box] for box in boxes], axis=0)
    return _box(low, high)


def grown(box: Box, by_mm: float) -> Box:
    """The box with a margin around it."""
    low = np.array([side[0] for side in box]) - by_mm
    high = np.array([side[1] for side in box]) + by_mm
    return _box(low, high)


def covers(outer: Box, inner: Box, within_mm: float) -> bool:
    """Whether `inner` stands out of `outer` by no more than `within_mm`."""
    return all(
        o[0] - within_mm <= i[0] and i[1] <= o[1] + within_mm
        for o, i in zip(outer, inner, strict=True)
    )


def _box(low: Float[np.ndarray, 3], high: Float[np.ndarray, 3]) -> Box:
    sides = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    return sides[0], sides[1], sides[2]
