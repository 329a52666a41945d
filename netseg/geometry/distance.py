"""Distances in millimetres, for any spacing along perpendicular axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import describe
from netseg.geometry.affine import require_orthogonal

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain.volume import Mask

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

_CUBE = np.ones((3, 3, 3), np.bool_)


def signed_distance_mm(mask: Mask) -> Float[np.ndarray, "i j k"]:
    """Distance of every voxel centre to the region's surface.

    The surface passes half-way between a voxel inside and its neighbour outside. So the distance
    between the two centres is shortened by half a voxel: by half the spacing of the axes that the
    way between them runs along, each by its share of that way (the squared direction cosine). This
    is exact for faces along the axes, whatever the spacing, and within about a quarter of a voxel
    on average for others. Beyond the array is outside.

    Args:
        mask: The region, on perpendicular axes; flipped or permuted ones are fine.

    Returns:
        float32 millimetres, negative inside.

    Raises:
        StudyRejectedError: If the mask is empty (MASK_EMPTY) or the grid's axes are sheared
            (GANTRY_TILT).
    """
    require_orthogonal("signed distance", mask.grid)
    if mask.is_empty:
        raise StudyRejectedError(
            Code.MASK_EMPTY,
            f"signed distance: the mask on {describe(mask.grid)} holds no voxel; at least one is "
            "expected.",
            hint="Check that the right file and label were given.",
        )
    spacing_mm = mask.grid.spacing_mm
    distance = _beyond_half_a_voxel(~mask.inside, spacing_mm)
    padded = np.pad(mask.inside, 1)
    distance -= _beyond_half_a_voxel(padded, spacing_mm)[1:-1, 1:-1, 1:-1]
    return distance


def box_gap_mm(
    inner: Bool[np.ndarray, "i j k"],
    outer: Bool[np.ndarray, "i j k"],
    spacing_mm: tuple[float, float, float],
) -> float:
    """Shortest way from inside `inner` to the outside of `outer`, voxel box to voxel box.

    A lower bound of the margin: boxes are exact for block shapes and up to 1.3 mm short on round
    ones at 1 mm voxels. The distance between voxel centres would be one voxel too long: it calls
    a 4 mm shell 5 mm on a 1 mm grid.

    Args:
        inner: The lesion, for instance.
        outer: The ablation zone on the same grid. Beyond the array nothing is ablated.
        spacing_mm: Voxel edge lengths along i, j, k; the grid's axes are orthogonal.

    Returns:
        Millimetres; negative where `inner` reaches beyond `outer`: its depth outside. Minus
        infinity if `outer` is empty.

    Raises:
        ValueError: If `inner` is empty: there is no margin around nothing.
    """
    if inner.shape != outer.shape:
        raise ValueError(f"inner has shape {inner.shape}, outer {outer.shape}; one is expected.")
    if not inner.any():
        raise ValueError("inner is empty: there is no margin around nothing.")
    if not outer.any():
        return -np.inf
    box = ndimage.find_objects((inner | outer).astype(np.uint8))[0]
    inside, ablated = np.pad(inner[box], 1), np.pad(outer[box], 1)
    beyond = inside & ~ablated
    if beyond.any():  # far face of the lesion's voxel to the near face of the zone's: whole steps
        return -float(ndimage.distance_transform_edt(~ablated, sampling=spacing_mm)[beyond].max())
    # Boxes are nearer than centres by one step along each axis: let the outside grow by one voxel.
    grown = ndimage.binary_dilation(~ablated, _CUBE)
    return float(ndimage.distance_transform_edt(~grown, sampling=spacing_mm)[inside].min())


def _beyond_half_a_voxel(
    inside: Bool[np.ndarray, "i j k"], spacing_mm: tuple[float, float, float]
) -> Float[np.ndarray, "i j k"]:
    """Way of the voxels in `inside` to the nearest one not in it, less the half voxel; else 0."""
    if not inside.any():
        return np.zeros(inside.shape, np.float32)
    distance = ndimage.distance_transform_edt(inside, sampling=spacing_mm)
    if np.ptp(spacing_mm) < 1e-6 * max(spacing_mm):
        return np.where(inside, distance - spacing_mm[0] / 2, 0).astype(np.float32)
    nearest = ndimage.distance_transform_edt(
        inside, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    half = np.zeros(inside.shape, np.float32)
    ways = np.ogrid[: inside.shape[0], : inside.shape[1], : inside.shape[2]]
    for axis, spacing in enumerate(spacing_mm):
        steps = (nearest[axis] - ways[axis]).astype(np.float32)
        half += steps**2 * np.float32(spacing**3 / 2)
    squared = np.where(inside, distance**2, 1)
    return np.where(inside, distance - half / squared, 0).astype(np.float32)
