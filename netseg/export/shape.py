"""Size and roundness of a zone.

Diameters are extents along the zone's principal axes; sphericity is the surface of the ball of
equal volume over the zone's surface (Wadell 1935), with the surface triangulated at the half level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from netseg.domain import Mask


def diameters_mm(mask: Mask) -> tuple[float, float, float] | None:
    """Extents along the principal axes, longest first; None for an empty mask.

    The extent of the voxel centres is lengthened by the voxel's own extent along that axis. On
    round shapes of ten voxels and more this is right to about one voxel.
    """
    index = np.argwhere(mask.inside)
    if len(index) == 0:
        return None
    points = mask.grid.to_mm(index)
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    along = centred @ axes
    voxel = np.abs(mask.grid.affine_lps[:3, :3].T @ axes).max(axis=0)
    longest, middle, shortest = np.sort(np.ptp(along, axis=0) + voxel)[::-1]
    return float(longest), float(middle), float(shortest)


def sphericity(mask: Mask) -> float | None:
    """1 for a ball, smaller for anything else; None for an empty mask.

    The mask is smoothed by half a voxel first: stairs of voxels would count as surface. Balls of
    ten voxels' diameter and more come out within 0.03 of 1.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes, mesh_surface_area

    index = np.argwhere(mask.inside)
    if len(index) == 0:
        return None
    low, high = index.min(axis=0), index.max(axis=0) + 1
    part = mask.inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    soft = gaussian_filter(np.pad(part, 3).astype(np.float32), 0.7)
    if soft.max() <= 0.5:
        return None
    corners, faces, _, _ = marching_cubes(soft, 0.5)
    area = float(mesh_surface_area(corners @ mask.grid.affine_lps[:3, :3].T, faces))
    volume = mask.volume_ml * 1000.0
    return min(1.0, float(np.cbrt(np.pi) * np.cbrt(6.0 * volume) ** 2) / area)
