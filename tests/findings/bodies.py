"""Small studies with answers that can be worked out on paper."""

from __future__ import annotations

import numpy as np

from netseg.domain import (
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    Phase,
    Quantity,
    Segmentation,
    Series,
    Study,
    Volume,
)

FRAME = "1.2.3"


def grid_of(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    directions: np.ndarray | None = None,
    frame_uid: str = FRAME,
) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if directions is None else directions) * spacing_mm
    affine[:3, 3] = origin_mm
    return Grid(shape, affine, frame_uid)


def grid_around(
    centre_mm: np.ndarray, size_mm: float, spacing_mm: tuple[float, float, float], turn: np.ndarray
) -> Grid:
    """A grid of about `size_mm` edge length whose axes are the columns of `turn`."""
    shape = tuple(int(np.ceil(size_mm / s)) for s in spacing_mm)
    centred = grid_of(shape, spacing_mm, directions=turn)
    shift = centre_mm - centred.to_mm((np.array(shape) - 1) / 2)
    return grid_of(shape, spacing_mm, tuple(shift), turn)


def ellipsoid(
    grid: Grid, centre_mm: np.ndarray, semi_axes_mm: tuple[float, float, float]
) -> np.ndarray:
    """Voxels whose centre lies in an ellipsoid along the patient's axes."""
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    return (((points - centre_mm) / np.array(semi_axes_mm)) ** 2).sum(axis=-1) <= 1


def ct(values: np.ndarray | float, grid: Grid, phase: Phase | None, key: str = "") -> Series:
    filled = np.broadcast_to(np.asarray(values, np.float32), grid.shape).copy()
    return Series(
        key=key or f"ct_{phase}",
        modality=Modality.CT,
        volume=Volume(filled, grid, Quantity.HU),
        phase=phase,
    )


def pet(
    values: np.ndarray, grid: Grid, tracer: str | None = None, quantity: Quantity = Quantity.SUVBW
) -> Series:
    return Series(
        key=f"pt_{tracer}",
        modality=Modality.PT,
        volume=Volume(values.astype(np.float32), grid, quantity),
        tracer=tracer,
    )


def study_of(*series: Series) -> Study:
    return Study(case_id="made-up", series=series)


def segmentation_of(
    lesions: np.ndarray, grid: Grid, liver: np.ndarray | None = None, **more: object
) -> Segmentation:
    return Segmentation(
        series_key="ct",
        liver=None if liver is None else Mask(liver, grid),
        lesions=LabelMap(lesions.astype(np.uint8), grid),
        provenance=ModelProvenance(backend="masks", name="made up"),
        **more,
    )
