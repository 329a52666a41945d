"""The patient's body in a CT, and what lies beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import Mask
from netseg.geometry.components import components
from netseg.plan.parts import parts_of_at_least

if TYPE_CHECKING:
    from jaxtyping import Bool

    from netseg.domain import Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

BODY_HU = -300.0  # between air (-1000) and fat (-120)
PADDING_HU = -1100.0  # below air: the scanner filled in what it did not see
TABLE_MM = 8.0  # shells thinner than this (table, sheets) are taken off the body
CLUTTER_ML = 20.0  # smaller things outside the body (tubes, cables) can be moved


def body_of(ct: Volume) -> Mask:
    """The patient without table: everything inside the skin, lungs and bowel gas included.

    Voxels above -300 HU, opened by a cube of 8 mm so that the table's shells come off, largest
    26-connected part, holes filled in every slice along the axis closest to the patient's z.

    Args:
        ct: HU on cubic voxels.

    Returns:
        The body; its surface is the skin, to within a voxel.

    Raises:
        ValueError: If nothing in the image is denser than air.
    """
    dense = ct.values > BODY_HU
    size = max(2, round(TABLE_MM / ct.grid.spacing_mm[0]))
    opened = ndimage.maximum_filter(ndimage.minimum_filter(dense, size), size, origin=_back(size))
    if not opened.any():
        raise ValueError("the CT shows no body: nothing is denser than -300 HU.")
    largest = components(Mask(opened, ct.grid)).labels == 1
    axis = int(np.argmax(np.abs(ct.grid.directions[2])))
    filled = [ndimage.binary_fill_holes(one) for one in np.moveaxis(largest, axis, 0)]
    return Mask(np.moveaxis(np.stack(filled), 0, axis), ct.grid)


def _back(size: int) -> int:
    """Shift of the second filter of an opening, so that cubes of even size stay in place."""
    return -1 if size % 2 == 0 else 0


def seen_by(ct: Volume) -> Bool[np.ndarray, "i j k"]:
    """Where the scanner measured at all: padding outside its circular field is no air."""
    return ct.values > PADDING_HU


def clutter_around(ct: Volume, body: Mask) -> Bool[np.ndarray, "i j k"]:
    """Large dense things outside the body: the table, arms.

    Args:
        ct: HU.
        body: The patient, on the same grid.

    Returns:
        Voxels above -300 HU more than 4 mm off the body, in parts of at least 20 ml.
    """
    spacing = ct.grid.spacing_mm[0]
    near = ndimage.maximum_filter(body.inside, 2 * max(1, round(4.0 / spacing)) + 1)
    return parts_of_at_least((ct.values > BODY_HU) & ~near, ct.grid, CLUTTER_ML)
