"""From numbers to quantities: Hounsfield units are recognised, bounded and doubted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid
from netseg.domain.volume import Quantity, Volume

if TYPE_CHECKING:
    from jaxtyping import Shaped

    from netseg.study.image_file import ImageFile

FLOOR_HU = -1024
"""What lies below no X-ray measured: padding such as -2000 or -3024 becomes this floor."""
CEILING_HU = 32767
_METAL_HU = 4000  # above bone and stents; only implants reach it
_MOST_METAL = 0.01  # share of the image
_WATERLESS_HU = -50  # fat and air lie below; an image of a body without them has lost its offset
_BRIGHT_HU = 1000


def volume_of(image: ImageFile, quantity: Quantity, frame_uid: str) -> Volume:
    """Give a file's numbers their meaning.

    HU below -1024 become -1024, whatever padding the file was written with.

    Raises:
        StudyRejectedError: HU_IMPLAUSIBLE.
    """
    grid = Grid(shape=image.values.shape, affine_lps=image.affine_lps, frame_uid=frame_uid)
    if quantity is not Quantity.HU:
        return Volume(compact(image.values), grid, quantity)
    require_hounsfield(image.values, image.name)
    bounded = np.clip(image.values, FLOOR_HU, CEILING_HU)
    return Volume(compact(bounded), grid, quantity)


def compact(values: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "i j k"]:
    """The numbers as int16 where that loses nothing, else as float32."""
    if values.dtype == np.int16:
        return values
    bounds = np.iinfo(np.int16)
    fits = values.min() >= bounds.min and values.max() <= bounds.max
    if fits and (np.issubdtype(values.dtype, np.integer) or _whole(values)):
        return values.astype(np.int16)
    return values.astype(np.float32)


def require_hounsfield(values: Shaped[np.ndarray, "i j k"], name: str | None) -> None:
    """Refuse numbers that cannot be Hounsfield units of a body.

    Three signs: more than 1 % of the voxels above 4000 HU (signed data read as unsigned: air
    becomes 64536); values over 1000 HU but nothing below -50 HU (the rescale intercept was lost);
    one single value everywhere.

    Raises:
        StudyRejectedError: HU_IMPLAUSIBLE.
    """
    lowest, highest = float(values.min()), float(values.max())
    metal = np.count_nonzero(values > _METAL_HU) / values.size
    if metal > _MOST_METAL:
        raise _implausible(f"{metal:.0%} of the voxels lie above {_METAL_HU} HU", values, name)
    if lowest > _WATERLESS_HU and float(np.percentile(values, 99)) > _BRIGHT_HU:
        raise _implausible("no voxel is as thin as fat or air: the offset is lost", values, name)
    if highest <= FLOOR_HU or lowest == highest:
        raise _implausible("the image is empty", values, name)


def looks_like_hounsfield(values: Shaped[np.ndarray, "i j k"]) -> bool:
    """Whether bare numbers can hardly be anything but HU: air near -1000, tissue near 0."""
    if values.min() > -900 or values.min() < -4096 or values.max() > CEILING_HU:
        return False
    air = np.count_nonzero(values < -700) / values.size
    tissue = np.count_nonzero((values > -200) & (values < 300)) / values.size
    metal = np.count_nonzero(values > _METAL_HU) / values.size
    return bool(air >= 0.001 and tissue >= 0.01 and metal <= _MOST_METAL)


def _whole(values: Shaped[np.ndarray, "i j k"]) -> bool:
    return all(
        bool((values[..., k] == np.rint(values[..., k])).all()) for k in range(values.shape[2])
    )


def _implausible(
    why: str, values: Shaped[np.ndarray, "i j k"], name: str | None
) -> StudyRejectedError:
    return StudyRejectedError(
        Code.HU_IMPLAUSIBLE,
        f"These values cannot be Hounsfield units: {why}; they run from {float(values.min()):g} to "
        f"{float(values.max()):g}.",
        file=name,
        detail={"lowest": float(values.min()), "highest": float(values.max())},
        hint="Check modality, rescale intercept and signedness of the file.",
    )
