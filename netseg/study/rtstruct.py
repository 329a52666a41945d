"""DICOM RTSTRUCT: outlines drawn slice by slice, filled on the voxels of the scan they belong to.

A structure set holds polygons and no voxels, so that it needs the scan's grid. A voxel is inside where
its centre is inside an odd number of the polygons of its plane, so that a polygon within another is a
hole. A contour stands for the slab around it: half the way to the next contour's plane on either side,
as wide as the ROI's usual distance of planes; contours drawn on thicker slices than the scan's fill
all of its slices in between. Planes left out within an ROI stay empty.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import GridMismatchError, StudyRejectedError
from netseg.domain.grid import Grid, describe, require_same_frame
from netseg.study.dicom_header import (
    items_of,
    malformed,
    parser_errors,
    quiet_pydicom,
    text_of,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float, Integer
    from pydicom import Dataset

_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
FLAT_VOXELS = 0.1  # a contour's points may leave their plane by this much, in voxels
SAME_PLANE_MM = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roi:
    """One outlined region.

    Attributes:
        number: Its number in the file, by which a mask argument names it.
        name: Its name as drawn.
        frame_uid: Frame of reference of its points.
        polygons: Its closed contours as LPS points.
    """

    number: int
    name: str
    frame_uid: str
    polygons: tuple[Float[np.ndarray, "n 3"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureSet:
    """What a DICOM RTSTRUCT outlines.

    Attributes:
        name: The file's name for messages.
        rois: Regions with at least one closed contour, in the order of their numbers.
    """

    name: str
    rois: tuple[Roi, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The regions' numbers."""
        return tuple(roi.number for roi in self.rois)

    def numbers_of(self, names: str) -> tuple[int, ...]:
        """The numbers of regions by name; several names are separated by commas.

        Raises:
            StudyRejectedError: LABEL_UNKNOWN, and LABEL_AMBIGUOUS where two regions share a name.
        """
        found: list[int] = []
        for name in names.split(","):
            hits = [roi.number for roi in self.rois if roi.name.lower() == name.strip().lower()]
            if len(hits) > 1:
                raise StudyRejectedError(
                    Code.LABEL_AMBIGUOUS,
                    f"The regions {hits} share the name that was asked for.",
                    file=self.name,
                    hint=f"Name one by its number: {self.name}:{hits[0]}.",
                )
            if not hits:
                raise StudyRejectedError(
                    Code.LABEL_UNKNOWN,
                    f"No region has a name that was asked for; there are {len(self.rois)}, with the "
                    f"numbers {', '.join(map(str, self.numbers))}.",
                    file=self.name,
                    hint="Name them as they were drawn, or by number: FILE:1,2.",
                )
            found.append(hits[0])
        return tuple(found)

    def labels(self, wanted: Sequence[int], on: Grid) -> Integer[np.ndarray, "i j k"]:
        """The wanted regions, or all when none is named, on a scan's grid.

        Args:
            wanted: Numbers of regions.
            on: The scan's grid.

        Raises:
            FrameMismatchError: If a region was drawn in another frame of reference.
            GridMismatchError: If a region is not drawn along the scan's slices, or beyond the scan.
            StudyRejectedError: LABEL_AMBIGUOUS if all are asked for and two of them overlap.
        """
        labels = np.zeros(on.shape, np.uint16)
        for roi in self.rois:
            if wanted and roi.number not in wanted:
                continue
            inside = filled(roi, on, self.name)
            if not wanted and (labels[inside] != 0).any():
                raise StudyRejectedError(
                    Code.LABEL_AMBIGUOUS,
                    f"Regions {list(self.numbers)} overlap; a voxel cannot have two numbers.",
                    file=self.name,
                    hint=f"Name those that are meant: {self.name}:{self.numbers[0]}.",
                )
            labels[inside] = roi.number
        return labels


def is_structure_set(path: Path) -> bool:
    """Whether a DICOM file is an RTSTRUCT; False for whatever cannot be parsed."""
    import pydicom

    with quiet_pydicom():
        try:
            tags = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
            return str(tags.get("SOPClassUID")) == _STRUCTURE_SET
        except parser_errors():
            return False


def read_structure_set(path: Path) -> StructureSet:
    """Read one RTSTRUCT.

    Raises:
        StudyRejectedError: UNSUPPORTED_FORMAT for other DICOM objects, MASK_EMPTY without a closed
            contour, MALFORMED_HEADER.
    """
    import pydicom

    name = path.name
    with quiet_pydicom():
        try:
            tags = pydicom.dcmread(io.BytesIO(path.read_bytes()))
            if str(tags.get("SOPClassUID")) != _STRUCTURE_SET:
                raise StudyRejectedError(
                    Code.UNSUPPORTED_FORMAT, "The file is no RTSTRUCT.", file=name
                )
            rois = _rois(tags)
        except parser_errors() as error:
            raise malformed(name) from error
    if not rois:
        raise StudyRejectedError(
            Code.MASK_EMPTY, "The RTSTRUCT holds no closed contour.", file=name
        )
    return StructureSet(name=name, rois=tuple(sorted(rois, key=lambda roi: roi.number)))


def _rois(tags: Dataset) -> list[Roi]:
    named = {
        int(value_of(item, "ROINumber")): item for item in items_of(tags, "StructureSetROISequence")
    }
    found: list[Roi] = []
    for item in items_of(tags, "ROIContourSequence"):
        number = int(value_of(item, "ReferencedROINumber"))
        polygons = tuple(
            np.array(value_of(contour, "ContourData"), dtype=np.float64).reshape(-1, 3)
            for contour in items_of(item, "ContourSequence")
            if text_of(contour, "ContourGeometricType") in _CLOSED
        )
        if polygons and number in named:
            found.append(
                Roi(
                    number=number,
                    name=text_of(named[number], "ROIName"),
                    frame_uid=text_of(named[number], "ReferencedFrameOfReferenceUID"),
                    polygons=polygons,
                )
            )
    return found


def filled(roi: Roi, on: Grid, name: str) -> Bool[np.ndarray, "i j k"]:
    """The voxels whose centre a region holds.

    Args:
        roi: The region.
        on: The scan's grid.
        name: The structure set's file, for messages.

    Raises:
        FrameMismatchError: If the region was drawn in another frame of reference.
        GridMismatchError: If it is not drawn along the scan's slices, or reaches beyond the scan.
    """
    drawn = Grid(shape=on.shape, affine_lps=on.affine_lps, frame_uid=roi.frame_uid or "none stated")
    require_same_frame(f"region {roi.number} and scan", drawn, on)
    points = [on.to_index(polygon) for polygon in roi.polygons]
    axis = _slice_axis(points)
    if axis is None:
        raise _elsewhere("is not drawn along the scan's slices", roi, on, name)
    every = np.concatenate(points)
    if (every < -0.5 - FLAT_VOXELS).any() or (every > np.array(on.shape) - 0.5 + FLAT_VOXELS).any():
        raise _elsewhere("reaches beyond the scan", roi, on, name)
    planes = np.array([polygon[:, axis].mean() for polygon in points])
    unique = _merged(planes, SAME_PLANE_MM / on.spacing_mm[axis])
    half = 0.5 * (float(np.median(np.diff(unique))) if len(unique) > 1 else 1.0)
    inside = np.zeros(on.shape, np.bool_)
    layers = np.moveaxis(inside, axis, 0)
    flat = [np.delete(polygon, axis, axis=1) for polygon in points]
    for level in range(on.shape[axis]):
        nearest = unique[np.argmin(np.abs(unique - level))]
        if not -half <= level - nearest < half + 1e-6:
            continue
        here = [p for p, at in zip(flat, planes, strict=True) if abs(at - nearest) < FLAT_VOXELS]
        layers[level] = _fill(here, layers.shape[1:])
    return inside


def _slice_axis(points: Sequence[Float[np.ndarray, "n 3"]]) -> int | None:
    """The array axis that all contours are perpendicular to."""
    thickness = np.max([np.ptp(polygon, axis=0) for polygon in points], axis=0)
    axis = int(np.argmin(thickness))
    return axis if thickness[axis] <= FLAT_VOXELS else None


def _merged(planes: Float[np.ndarray, " n"], tolerance: float) -> Float[np.ndarray, " m"]:
    """The planes in ascending order, equal ones once."""
    ordered = np.sort(planes)
    return ordered[np.concatenate(([True], np.diff(ordered) > tolerance))]


def _fill(
    polygons: Sequence[Float[np.ndarray, "n 2"]], shape: tuple[int, ...]
) -> Bool[np.ndarray, "a b"]:
    """Pixels whose centre lies in an odd number of polygons.

    Along every row the parity changes where an edge crosses it; an edge owns its lower end only, so
    that a corner on a row counts once.
    """
    rows = np.arange(shape[1])
    changes = np.zeros((shape[0] + 1, shape[1]), np.int64)
    for polygon in polygons:
        begin, end = polygon, np.roll(polygon, -1, axis=0)
        for (x0, y0), (x1, y1) in zip(begin, end, strict=True):
            crossed = rows[(rows >= min(y0, y1)) & (rows < max(y0, y1))]
            if len(crossed):
                x = x0 + (crossed - y0) * (x1 - x0) / (y1 - y0)
                first = np.clip(np.ceil(x), 0, shape[0]).astype(int)
                np.add.at(changes, (first, crossed), 1)
    return np.cumsum(changes[:-1], axis=0) % 2 == 1


def _elsewhere(what: str, roi: Roi, on: Grid, name: str) -> GridMismatchError:
    return GridMismatchError(
        Code.GRID_MISMATCH,
        f"Region {roi.number} {what}, which has {describe(on)}.",
        file=name,
        hint="Give the scan the region was drawn on.",
    )
