"""Which part of an image is needed: bounding boxes, crops, and grids for a field of view."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid, describe
from netseg.domain.volume import LabelMap, Mask, Volume
from netseg.geometry.affine import require_orthogonal, voxels_per_mm

Image = TypeVar("Image", Volume, Mask, LabelMap)


def isotropic_grid(grid: Grid, spacing_mm: float) -> Grid:
    """Cubic voxels over the same field of view, along the same axes, around the same centre.

    Args:
        grid: The field of view: from the outer face of its first voxels to that of its last.
        spacing_mm: Edge length of the new voxels.

    Returns:
        The smallest such grid that covers the field of view, in the same frame.

    Raises:
        ValueError: If `spacing_mm` is not a positive number.
        StudyRejectedError: If the axes are not perpendicular.
    """
    if not (np.isfinite(spacing_mm) and spacing_mm > 0):
        raise ValueError(f"spacing_mm must be a positive number; got {spacing_mm}.")
    require_orthogonal("isotropic grid", grid)
    size_mm = np.array(grid.shape) * np.array(grid.spacing_mm)
    shape = np.maximum(1, np.ceil(size_mm / spacing_mm - 1e-6)).astype(int)
    centre_mm = grid.to_mm((np.array(grid.shape) - 1) / 2)
    affine = np.eye(4)
    affine[:3, :3] = grid.directions * spacing_mm
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine, grid.frame_uid)


def bounding_box(mask: Mask, margin_mm: float) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The smallest box of voxels that holds a region and its surroundings, within the image.

    Args:
        mask: The region.
        margin_mm: How far the box must reach beyond the region, where the image does.

    Returns:
        First voxel and shape of the box, both along i, j, k.

    Raises:
        StudyRejectedError: If the mask is empty (MASK_EMPTY).
    """
    extra = np.ceil(margin_mm * voxels_per_mm(mask.grid) - 1e-6).astype(int)
    start: list[int] = []
    shape: list[int] = []
    for axis, size in enumerate(mask.grid.shape):
        others = tuple(a for a in range(3) if a != axis)
        used = np.flatnonzero(mask.inside.any(axis=others))
        if not used.size:
            raise StudyRejectedError(
                Code.MASK_EMPTY,
                f"bounding box: the mask on {describe(mask.grid)} holds no voxel; at least one is "
                "expected.",
                hint="Check that the right file and label were given.",
            )
        first = max(0, int(used[0]) - int(extra[axis]))
        start.append(first)
        shape.append(min(size, int(used[-1]) + 1 + int(extra[axis])) - first)
    return (start[0], start[1], start[2]), (shape[0], shape[1], shape[2])


def crop(image: Image, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Image:
    """A box of an image, without copying its voxels.

    Args:
        image: What to cut from.
        start: First voxel of the box.
        shape: Number of voxels of the box along i, j, k.

    Returns:
        The part, on the part's own grid: every voxel keeps its place in the patient.

    Raises:
        ValueError: If the box reaches beyond the image.
    """
    stop = tuple(a + n for a, n in zip(start, shape, strict=True))
    if min(start) < 0 or any(e > n for e, n in zip(stop, image.grid.shape, strict=True)):
        raise ValueError(
            f"the box {start} … {stop} reaches beyond the image of {image.grid.shape}."
        )
    box = tuple(slice(a, e) for a, e in zip(start, stop, strict=True))
    grid = image.grid.crop(start, shape)
    if isinstance(image, Volume):
        return Volume(image.values[box], grid, image.quantity)
    if isinstance(image, Mask):
        return Mask(image.inside[box], grid)
    return LabelMap(image.labels[box], grid, image.names)
