"""A made-up patient: a block of fat with a block of liver in it, on voxels of 2 mm.

The body fills -100 ... 100 mm along x and y and all of z (-60 ... 60 mm); the liver -40 ... 40 mm
along x, y and z; one lesion of 20 mm diameter sits in the middle. A needle from the middle has 100 mm
to go to each side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import (
    AblationModality,
    AblationProtocol,
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
from netseg.findings import measure
from netseg.plan import Planner

if TYPE_CHECKING:
    from netseg.domain import AblationPlan, Probe

FRAME = "1.2.3"
AIR, FAT, MUSCLE, LIVER, BONE = -1000, -100, 60, 110, 1000
SHAPE = (120, 120, 60)


def grid_of(frame_uid: str = FRAME) -> Grid:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-119.0, -119.0, -59.0]
    return Grid(SHAPE, affine, frame_uid)


GRID = grid_of()
X, Y, Z = np.moveaxis(GRID.to_mm(np.moveaxis(np.indices(SHAPE), 0, -1)), -1, 0)
IN_BODY = (np.abs(X) < 100) & (np.abs(Y) < 100)
IN_LIVER = (np.abs(X) < 40) & (np.abs(Y) < 40) & (np.abs(Z) < 40)
IN_LESION = X**2 + Y**2 + Z**2 <= 10**2
SHELL = IN_BODY & ~((np.abs(X) < 60) & (np.abs(Y) < 60) & (np.abs(Z) < 50))
SHELL &= (np.abs(X) < 66) & (np.abs(Y) < 66) & (np.abs(Z) < 56)  # a closed box, 6 mm thick
LEFT_WINDOW = (X > 0) & (np.abs(Y) < 14) & (np.abs(Z) < 14)
BACK_WINDOW = (Y > 0) & (np.abs(X) < 14) & (np.abs(Z) < 14)

WEAK, MIDDLE, STRONG = (
    AblationProtocol(modality=AblationModality.MWA, duration_s=300, power_w=w)
    for w in (40, 60, 100)
)


def body() -> np.ndarray:
    """HU of the patient without bones."""
    return np.where(IN_LIVER, LIVER, np.where(IN_BODY, FAT, AIR)).astype(np.int16)


def study_of(hu: np.ndarray, grid: Grid = GRID, modality: Modality = Modality.CT) -> Study:
    quantity = Quantity.HU if modality is Modality.CT else Quantity.ARBITRARY
    series = Series(
        key="planning",
        modality=modality,
        volume=Volume(hu.astype(np.int16), grid, quantity),
        phase=Phase.PORTAL_VENOUS,
    )
    return Study(case_id="made-up", series=(series,))


def segmentation_of(
    lesions: np.ndarray = IN_LESION, liver: np.ndarray | None = IN_LIVER
) -> Segmentation:
    return Segmentation(
        series_key="planning",
        liver=None if liver is None else Mask(liver, GRID),
        lesions=LabelMap(lesions.astype(np.uint8), GRID),
        provenance=ModelProvenance(backend="masks", name="made up"),
    )


def planner(**changes: object) -> Planner:
    settings = {
        "device": "antenna",
        "needle_length_mm": 150.0,
        "active_length_mm": 20.0,
        "protocols": (WEAK, MIDDLE, STRONG),
    }
    return Planner(**(settings | changes))


def plan_on(
    hu: np.ndarray,
    lesions: np.ndarray = IN_LESION,
    obstacles: LabelMap | None = None,
    **changes: object,
) -> AblationPlan:
    """The plan without a model on a scan of the made-up patient."""
    study, segmentation = study_of(hu), segmentation_of(lesions)
    findings = measure(study, segmentation)
    return planner(**changes).plan(study, segmentation, findings, None, obstacles)


def points_of(probe: Probe) -> np.ndarray:
    """Points every half millimetre from tip to skin (LPS)."""
    along = np.arange(0.0, probe.length_mm, 0.5)[:, None]
    return probe.tip_mm.as_array() + along * np.array(probe.direction)


def distance_to(region: np.ndarray, probe: Probe) -> float:
    """Smallest distance from the needle to the centre of any voxel of a region, in mm."""
    from scipy.spatial import cKDTree

    tree = cKDTree(GRID.to_mm(np.argwhere(region)))
    return float(tree.query(points_of(probe))[0].min())
