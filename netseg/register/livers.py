"""Two dates of one liver, brought together rigidly by its outline.

A patient lies and breathes differently on every day, so that no two scans share a frame. The liver's
own shape does: both outlines become maps of the distance to their surface, and one is turned and
shifted until the maps agree (least squares within 15 mm of the surface). Resections, growth and the
liver's bending are not undone; what is left is measured on the surfaces and told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import Code, Mask, StudyRejectedError
from netseg.domain.comparison import Alignment
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample_mask

if TYPE_CHECKING:
    from jaxtyping import Float

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

SPACING_MM = 3.0  # of the distance maps: smooth, so that finer ones move the answer by under 0.2 mm
BAND_MM = 15.0  # how far from the surface the maps are compared
ROOM_MM = 30.0  # around the liver, as far as the image goes
MOST_RESIDUAL_MM = 10.0  # mean surface distance; two livers of different people stay above


def align_livers(first: Mask, second: Mask) -> Alignment:
    """Find the rigid motion that brings one liver onto another.

    The border of an image is not taken for a surface: a liver that is cut off by it is aligned by
    the rest.

    Args:
        first: The liver at the first date, on perpendicular axes.
        second: The liver at the second date, in any frame.

    Returns:
        The motion from the first date's LPS millimetres to the second's, with the mean and 95th
        percentile of the distance between the surfaces afterwards, both ways, and the Dice.

    Raises:
        StudyRejectedError: MASK_EMPTY, GANTRY_TILT, or LIVERS_DIFFER where the surfaces stay more
            than 10 mm apart.
    """
    one, other = _coarse(first), _coarse(second)
    matrix = _registered(one, other)
    residual_mm = np.concatenate(
        (
            _surface_gap_mm(one, other, matrix),
            _surface_gap_mm(other, one, np.linalg.inv(matrix)),
        )
    )
    mean_mm = float(residual_mm.mean()) if residual_mm.size else np.inf
    if mean_mm > MOST_RESIDUAL_MM:
        raise StudyRejectedError(
            Code.LIVERS_DIFFER,
            f"after alignment the two livers' surfaces are still {mean_mm:.1f} mm apart on "
            f"average; at most {MOST_RESIDUAL_MM:.0f} mm is expected of one patient.",
            detail={"residual_mm": round(mean_mm, 2), "most_mm": MOST_RESIDUAL_MM},
            hint="Check that both outlines are whole livers of one patient, or register the scans "
            "yourself and say --same-frame.",
        )
    return Alignment(
        method="livers",
        matrix=matrix,
        residual_mm=mean_mm,
        residual_p95_mm=float(np.percentile(residual_mm, 95)),
        overlap=_dice(one, other, matrix),
    )


def _coarse(liver: Mask) -> Mask:
    """The liver with some room around it on cubic voxels."""
    part = crop(liver, *bounding_box(liver, ROOM_MM))
    return resample_mask(part, isotropic_grid(part.grid, SPACING_MM))


def _registered(one: Mask, other: Mask) -> Float[np.ndarray, "4 4"]:
    """LPS of `one` to LPS of `other`, by the distance maps."""
    import SimpleITK

    fixed, moving = _distance_map(one), _distance_map(other)
    start = SimpleITK.Euler3DTransform()
    start.SetCenter(_centre_mm(one).tolist())
    start.SetTranslation((_centre_mm(other) - _centre_mm(one)).tolist())
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetMetricFixedMask(_band(fixed))
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4.0, minStep=0.01, numberOfIterations=200, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([0, 0])
    method.SetInitialTransform(start, inPlace=True)
    method.SetNumberOfThreads(1)  # sums in one order: the same answer on every run
    method.Execute(fixed, moving)
    turn = np.array(start.GetMatrix()).reshape(3, 3)
    centre = np.array(start.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre + np.array(start.GetTranslation()) - turn @ centre
    return matrix


def _distance_map(liver: Mask) -> Any:
    """Millimetres to the surface, negative inside; an image of SimpleITK, which counts in LPS too."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(_signed_mm(liver).transpose())
    image.SetSpacing(liver.grid.spacing_mm)
    image.SetOrigin(liver.grid.affine_lps[:3, 3].tolist())
    image.SetDirection(liver.grid.directions.ravel().tolist())
    return image


def _band(distance: Any) -> Any:
    import SimpleITK

    return SimpleITK.Cast(SimpleITK.Abs(distance) < BAND_MM, SimpleITK.sitkUInt8)


def _signed_mm(liver: Mask) -> Float[np.ndarray, "i j k"]:
    """Distance to the surface, up to ROOM_MM; where the image cuts the liver it is drawn on."""
    beyond = int(np.ceil(ROOM_MM / SPACING_MM))
    drawn_on = np.pad(liver.inside, beyond, mode="edge")
    shape = (drawn_on.shape[0], drawn_on.shape[1], drawn_on.shape[2])
    grid = liver.grid.crop((-beyond, -beyond, -beyond), shape)
    distance_mm = signed_distance_mm(Mask(drawn_on, grid))
    inner = slice(beyond, -beyond)
    return np.clip(distance_mm[inner, inner, inner], -ROOM_MM, ROOM_MM)


def _centre_mm(mask: Mask) -> Float[np.ndarray, "3"]:
    return mask.grid.to_mm(np.argwhere(mask.inside)).mean(axis=0)


def _surface_gap_mm(one: Mask, other: Mask, matrix: np.ndarray) -> Float[np.ndarray, "n"]:
    """From `one`'s surface to `other`'s, where `other`'s image covers it."""
    edge = one.inside & ~ndi.binary_erosion(one.inside, border_value=1)  # not where the image ends
    from_edge_mm = _signed_mm(one)[edge]  # the outermost voxel centres lie a little inside
    points_mm = one.grid.to_mm(np.argwhere(edge)) @ matrix[:3, :3].T + matrix[:3, 3]
    index = other.grid.to_index(points_mm)
    covered = ((index >= 0) & (index <= np.array(other.grid.shape) - 1)).all(axis=1)
    found_mm = ndi.map_coordinates(_signed_mm(other), index[covered].T, order=1, mode="nearest")
    return np.abs(found_mm - from_edge_mm[covered])


def _dice(one: Mask, other: Mask, matrix: np.ndarray) -> float:
    index = other.grid.to_index(
        one.grid.to_mm(np.argwhere(one.inside)) @ matrix[:3, :3].T + matrix[:3, 3]
    )
    nearest = np.rint(index).astype(int)
    there = ((nearest >= 0) & (nearest < np.array(other.grid.shape))).all(axis=1)
    both = int(np.count_nonzero(other.inside[tuple(nearest[there].T)]))
    return 2.0 * both / (np.count_nonzero(one.inside) + np.count_nonzero(other.inside))
