"""What the margin check is given: on one grid, in one frame, with at least one voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.codes import Code
from netseg.domain.errors import Notice, StudyRejectedError
from netseg.domain.grid import describe, require_same_frame
from netseg.domain.volume import Mask, Quantity
from netseg.geometry.resample import resample, resample_mask
from netseg.verify.surface import Field, offset, window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jaxtyping import Float

    from netseg.domain.ablation import AblationZone
    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap, Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

DOING = "margin check"
HALF = 0.5  # share of a voxel from which it counts as inside


def each(numbered: LabelMap) -> Iterator[tuple[int, Mask]]:
    """Every lesion's number with its mask on the smallest grid that holds it."""
    for number, box in enumerate(ndimage.find_objects(numbered.labels), start=1):
        if box is None:
            continue
        start = (box[0].start, box[1].start, box[2].start)
        inside = numbered.labels[box] == number
        yield number, Mask(inside, numbered.grid.crop(start, inside.shape))


def onto(grid: Grid, name: str, mask: Mask, warnings: list[Notice]) -> Mask:
    """The mask on the lesions' grid: as it is, as a part of the same voxels, or interpolated.

    Raises:
        FrameMismatchError: If the two were never registered.
    """
    require_same_frame(DOING, grid, mask.grid)
    if mask.grid.is_same_as(grid):
        return mask
    start = offset(grid, mask.grid)
    if mask.grid.crop(start, grid.shape).is_same_as(grid):
        return Mask(window(mask, start, grid.shape).inside, grid)
    warnings.append(
        Notice(
            code=Code.GRID_MISMATCH,
            message=f"{DOING}: the {name} lies on {describe(mask.grid)} and was interpolated on "
            f"the lesions' {describe(grid)}.",
            hint="Give both masks on one grid to avoid the interpolation.",
        )
    )
    return resample_mask(mask, grid, half_is_inside=False)  # a zone must not grow by rounding


def zone_onto(
    grid: Grid, zone: AblationZone, warnings: list[Notice]
) -> tuple[Mask, Float[np.ndarray, "i j k"] | None]:
    """The zone's voxels on the lesions' grid, and the share of each that is destroyed if known.

    Raises:
        FrameMismatchError: If the two were never registered.
        StudyRejectedError: If shares lie outside 0 … 1 (PROBABILITY_RANGE).
    """
    if zone.membership is None:
        return onto(grid, "zone", zone.mask, warnings), None
    require_same_frame(DOING, grid, zone.membership.grid)
    low, high = float(zone.membership.values.min()), float(zone.membership.values.max())
    if not (low >= 0 and high <= 1):
        raise StudyRejectedError(
            Code.PROBABILITY_RANGE,
            f"{DOING}: the zone's membership reaches from {low:g} to {high:g}; shares of a voxel "
            "from 0 to 1 are expected.",
            hint="Give probabilities or shares, not grey values or labels.",
        )
    there = resample(zone.membership, grid, outside=0.0).values
    return Mask(there >= HALF, grid), there


def require_voxels(name: str, mask: Mask) -> None:
    """Refuse what is empty.

    Raises:
        StudyRejectedError: If no voxel is inside (MASK_EMPTY).
    """
    if not mask.is_empty:
        return
    raise StudyRejectedError(
        Code.MASK_EMPTY,
        f"{DOING}: the {name} on {describe(mask.grid)} holds no voxel; at least one is expected.",
        hint="Check that the right file and label were given.",
    )


def is_at_border(mask: Mask) -> bool:
    """Whether a region reaches the outermost voxels of its image."""
    faces = (mask.inside.take(end, axis=axis) for axis in range(3) for end in (0, -1))
    return any(bool(face.any()) for face in faces)


def fills_to_border(box: Grid, image: Grid) -> bool:
    """Whether a part of an image begins or ends with the image."""
    places = zip(offset(box, image), box.shape, image.shape, strict=True)
    return any(first <= 0 or first + count >= size for first, count, size in places)


def fields_of(given: Mapping[int, Volume], numbered: LabelMap) -> dict[int, Field]:
    """The lesions' own fields, negative inside.

    Args:
        given: Signed distances in mm, or probabilities, by the lesion's number.
        numbered: The lesions.

    Raises:
        FrameMismatchError: If a field lies in another frame.
        StudyRejectedError: If a field holds no inside (MASK_EMPTY) or belongs to no lesion
            (LABEL_UNKNOWN).
    """
    fields: dict[int, Field] = {}
    for number, volume in given.items():
        require_same_frame(DOING, numbered.grid, volume.grid)
        if number not in numbered.values:
            raise StudyRejectedError(
                Code.LABEL_UNKNOWN,
                f"{DOING}: a field was given for lesion {number}; the lesions are "
                f"{', '.join(map(str, numbered.values))}.",
                hint="Give fields under the lesions' own numbers.",
            )
        values = volume.values.astype(np.float32)
        if volume.quantity is Quantity.PROBABILITY:
            values = np.float32(0.5) - values
        require_voxels(f"field of lesion {number}", Mask(values < 0, volume.grid))
        fields[number] = Field(values, volume.grid)
    return fields


def outside_liver(lesion: Mask, liver: Mask) -> float:
    """Share of a lesion's voxels that the liver's outline leaves out.

    Args:
        lesion: At least one voxel, on a grid that continues the liver's.
        liver: As it was given, without the lesions added.
    """
    there = window(liver, offset(lesion.grid, liver.grid), lesion.grid.shape)
    return float(np.mean(~there.inside[lesion.inside]))


def border_notice(number: int) -> Notice:
    """What the reader of a cut-off lesion's margin must know."""
    return Notice(
        code=Code.LESION_AT_BORDER,
        message=f"{DOING}: lesion {number} touches the image's border; its margin there is unknown.",
        hint="Use a scan that shows the whole lesion with its surroundings.",
    )
