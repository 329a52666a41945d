"""A case from its files: checked, cut to the outlined region, on cubic voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, GridMismatchError, Modality, StudyRejectedError
from netseg.study.image_file import read_image_file, require_enough_slices
from netseg.study.values import FLOOR_HU, require_hounsfield
from netseg.training.datasets.case import LESION, LIVER, PreparedCase
from netseg.training.datasets.cubic import (
    Turned,
    covers,
    cube,
    extent_mm,
    grown,
    labels_on_cube,
    offset_mm,
    on_cube,
    outlined_mm,
    same_voxels,
    shared_box,
    turned,
)
from netseg.training.datasets.outlines import SAME_VOXEL_MM, read_outlines, shape_of
from netseg.training.datasets.slices import Placed, read_slices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, UInt8

    from netseg.training.datasets.case import ImageFiles, RawCase
    from netseg.training.datasets.cubic import Box, Cube

_STICKS_OUT_MM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How cases are brought onto cubic voxels.

    Attributes:
        spacing_mm: Voxel edge.
        margin_mm: How much is kept around what is outlined; None keeps all that every channel sees.
    """

    spacing_mm: float
    margin_mm: float | None = 30.0

    def __post_init__(self) -> None:
        """Keep both lengths real."""
        if not 0.2 <= self.spacing_mm <= 20.0:
            raise ValueError(f"spacing_mm must lie in [0.2, 20]; got {self.spacing_mm}.")
        if self.margin_mm is not None and not 0.0 <= self.margin_mm <= 1000.0:
            raise ValueError(f"margin_mm must lie in [0, 1000] or be None; got {self.margin_mm}.")


def read_case(case: RawCase, recipe: Recipe) -> PreparedCase:
    """Read one case.

    Args:
        case: Where its files lie.
        recipe: Voxel size and margin.

    Returns:
        Channels and labels on one cubic grid along L, P, S. Images are averaged, not skipped, where
        voxels grow; a voxel is liver or lesion when at least half of it is.

    Raises:
        StudyRejectedError: What a file's reader refuses; LABEL_UNKNOWN, LABEL_NOT_INTEGER,
            MASK_EMPTY if nothing is outlined, HU_IMPLAUSIBLE, GEOMETRY_CONFLICT for a channel that
            is rotated against the labels, INCOMPLETE_SERIES for one that does not see all of them.
        GridMismatchError: If label maps differ, or no channel lies on the labels' grid.
    """
    labels = read_outlines(case)
    images = {channel: _image(channel, files) for channel, files in case.images.items()}
    _require_drawn_on_one(labels, images)
    first = {channel: offset_mm(labels, image) for channel, image in images.items()}
    target = cube(_region(labels, images, first, recipe), recipe.spacing_mm)
    made = labels_on_cube(labels, target)
    return PreparedCase(
        name=case.name,
        patient=case.patient,
        images={
            channel: on_cube(image, first[channel], target)
            * np.float32(case.images[channel].factor)
            for channel, image in images.items()
        },
        labels=made,
        spacing_mm=recipe.spacing_mm,
        liver_known=case.liver_known,
        lesions_known=case.lesions_known,
        facts=_facts(labels, images, made, recipe.spacing_mm)
        | {"first_voxel_lps_mm": _place(labels, target)},
    )


def _image(channel: str, files: ImageFiles) -> Turned:
    modality = {"ct": Modality.CT, "mr": Modality.MR, "pet": Modality.PT}[
        channel.split("_", maxsplit=1)[0]
    ]
    if files.path.is_dir():
        return turned(read_slices(files.path, modality))
    image = read_image_file(files.path)
    require_enough_slices(image.values.shape, image.name)
    values = image.values
    if modality is Modality.CT:
        require_hounsfield(values, image.name)
        values = (
            np.maximum(values, values.dtype.type(FLOOR_HU)) if values.min() < FLOOR_HU else values
        )
    placed = Placed(
        name=image.name, values=values, affine_lps=image.affine_lps, sha256=image.sha256
    )
    return turned(placed)


def _require_drawn_on_one(labels: Turned, images: Mapping[str, Turned]) -> None:
    """Refuse outlines that lie on no image's voxels: somebody moved or resampled one of the two."""
    if any(same_voxels(labels, image, SAME_VOXEL_MM) for image in images.values()):
        return
    found = "; ".join(f"{channel} has {shape_of(image)}" for channel, image in images.items())
    raise GridMismatchError(
        Code.GRID_MISMATCH,
        f"The outlines have {shape_of(labels)}, {found}; the voxels of one image are expected.",
        file=labels.name,
        hint="Bring the outlines onto their image's grid with the tool that made them.",
    )


def _region(
    labels: Turned,
    images: Mapping[str, Turned],
    first: Mapping[str, Float[np.ndarray, 3]],
    recipe: Recipe,
) -> Box:
    """What is kept: the outlined box with its margin, as far as every channel sees."""
    seen = [extent_mm(image, first[channel]) for channel, image in images.items()]
    shared = shared_box([extent_mm(labels, np.zeros(3)), *seen])
    if recipe.margin_mm is None:
        return shared
    outlined = outlined_mm(labels)
    for (channel, image), box in zip(images.items(), seen, strict=True):
        if not covers(box, outlined, _STICKS_OUT_MM):
            raise StudyRejectedError(
                Code.INCOMPLETE_SERIES,
                f"{channel} does not see all of the liver and lesions that are outlined.",
                file=image.name,
                detail={"seen_mm": box, "outlined_mm": outlined},
                hint="Leave the channel or the case out; nothing is made up beyond a scan's edge.",
            )
    return shared_box([grown(outlined, recipe.margin_mm), shared])


def _place(labels: Turned, target: Cube) -> list[float]:
    """Where the first cubic voxel lies in the patient."""
    along = np.array([axis.first_mm for axis in target])
    place = labels.affine_lps[:3, 3] + labels.directions @ along
    return [round(float(x), 3) for x in place]


def _facts(
    labels: Turned,
    images: Mapping[str, Turned],
    made: UInt8[np.ndarray, "i j k"],
    spacing_mm: float,
) -> dict[str, object]:
    """Volumes before and after, so that lesions lost between voxels are seen."""
    before, after = float(np.prod(labels.spacing_mm)) / 1000.0, spacing_mm**3 / 1000.0
    inside = (labels.values == LIVER) | (labels.values == LESION)
    return {
        "source_spacing_mm": [round(float(s), 4) for s in labels.spacing_mm],
        "liver_ml": [
            round(float(np.count_nonzero(inside)) * before, 2),
            round(float(np.count_nonzero((made == LIVER) | (made == LESION))) * after, 2),
        ],
        "lesions_ml": [
            round(float(np.count_nonzero(labels.values == LESION)) * before, 3),
            round(float(np.count_nonzero(made == LESION)) * after, 3),
        ],
        "sha256": {channel: image.sha256 for channel, image in images.items()},
        "labels_sha256": labels.sha256,
    }
