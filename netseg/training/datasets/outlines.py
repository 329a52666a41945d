"""The label maps of one case as one: liver, lesions, and what may not be taught."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import Code, GridMismatchError, StudyRejectedError
from netseg.study.image_file import read_image_file
from netseg.training.datasets.case import BACKGROUND, IGNORED, LESION, LIVER
from netseg.training.datasets.cubic import Turned, same_voxels, turned
from netseg.training.datasets.slices import Placed, read_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Integer, Shaped, UInt8

    from netseg.training.datasets.case import LabelFiles, RawCase

SAME_VOXEL_MM = 0.1


def read_outlines(case: RawCase) -> Turned:
    """Every outline of the case on one grid, as 0, 1, 2 and 255.

    Raises:
        StudyRejectedError: LABEL_UNKNOWN for a number without a meaning, LABEL_AMBIGUOUS,
            LABEL_NOT_INTEGER, and what the file's reader refuses.
        GridMismatchError: If two label maps of the case do not share their voxels.
    """
    maps = [turned(_read(files)) for files in case.labels]
    for other in maps[1:]:
        if not same_voxels(maps[0], other, SAME_VOXEL_MM):
            raise GridMismatchError(
                Code.GRID_MISMATCH,
                f"Its voxels are not those of {maps[0].name}: {shape_of(other)} against "
                f"{shape_of(maps[0])}.",
                file=other.name,
            )
    meant = [_meant(m, files) for m, files in zip(maps, case.labels, strict=True)]
    labels = meant[0]
    for further in meant[1:]:
        labels = np.maximum(labels, further)
    if case.whole_body and case.liver_known:
        labels = _of_the_liver(meant)
    return Turned(
        name=maps[0].name,
        values=labels,
        affine_lps=maps[0].affine_lps,
        sha256="+".join(m.sha256 for m in maps),
    )


def shape_of(image: Turned) -> str:
    """A grid in a few words for messages."""
    shape = "x".join(str(n) for n in image.values.shape)
    spacing = "x".join(f"{s:.3g}" for s in image.spacing_mm)
    x, y, z = image.affine_lps[:3, 3]
    return f"{shape} voxels of {spacing} mm from ({x:.1f}, {y:.1f}, {z:.1f})"


def _read(files: LabelFiles) -> Placed:
    if files.slices_of is not None:
        return read_pictures(files.path, files.slices_of)
    image = read_image_file(files.path)
    return Placed(
        name=image.name,
        values=_whole(image.values, image.name),
        affine_lps=image.affine_lps,
        sha256=image.sha256,
    )


def _whole(values: Shaped[np.ndarray, "i j k"], name: str) -> Integer[np.ndarray, "i j k"]:
    if np.issubdtype(values.dtype, np.integer):
        return values
    rounded = np.rint(values)
    if not np.array_equal(rounded, values):
        raise StudyRejectedError(
            Code.LABEL_NOT_INTEGER,
            "A label map holds values that are no whole numbers.",
            file=name,
            hint="A probability map is no outline: threshold it, and say at which probability.",
        )
    return rounded.astype(np.int32)


def _meant(found: Turned, files: LabelFiles) -> UInt8[np.ndarray, "i j k"]:
    present = _present(found.values)
    others = [v for v in present if v not in files.meaning]
    if others and files.otherwise is None:
        known = ", ".join(str(v) for v in sorted(files.meaning)[:12])
        raise StudyRejectedError(
            Code.LABEL_UNKNOWN,
            f"The label map holds {others[:8]}, which the layout gives no meaning; it knows {known}.",
            file=found.name,
            detail={"values": others[:20]},
        )
    if files.single and len(others) > 1:
        raise StudyRejectedError(
            Code.LABEL_AMBIGUOUS,
            f"The mask holds the values {others[:8]} and nothing says which is meant.",
            file=found.name,
            hint="Name them in study.yaml: label: 2, or label: instances.",
        )
    meant = np.zeros(found.values.shape, np.uint8)
    for value in present:
        label = files.meaning.get(value, files.otherwise)
        if label is not None and label != BACKGROUND:
            meant[found.values == value] = label
    return meant


def _present(values: Integer[np.ndarray, "i j k"]) -> list[int]:
    """The numbers in use; empty planes are not sorted."""
    found: set[int] = set()
    for k in range(values.shape[2]):
        plane = values[:, :, k]
        found.update(np.unique(plane).tolist() if plane.any() else (0,))
    return sorted(int(v) for v in found)


def _of_the_liver(meant: Sequence[UInt8[np.ndarray, "i j k"]]) -> UInt8[np.ndarray, "i j k"]:
    """Lesions of the whole body sorted by how much of each lies in the liver.

    At least half: a lesion of the liver. Nothing: background. Between: nobody knows, so neither the
    lesion nor the liver is taught there.
    """
    import scipy.ndimage

    ndimage: Any = scipy.ndimage
    liver: Bool[np.ndarray, "i j k"] = np.any([m == LIVER for m in meant], axis=0)
    lesions: Bool[np.ndarray, "i j k"] = np.any([m == LESION for m in meant], axis=0)
    parts, count = ndimage.label(lesions, np.ones((3, 3, 3)))
    within = np.bincount(parts[liver].ravel(), minlength=count + 1)
    whole = np.bincount(parts.ravel(), minlength=count + 1)
    label_of = np.where(2 * within >= whole, LESION, np.where(within > 0, IGNORED, BACKGROUND))
    labels = np.where(liver, LIVER, BACKGROUND).astype(np.uint8)
    labels[lesions] = label_of[parts[lesions]]
    for m in meant:
        labels[m == IGNORED] = IGNORED
    return labels
