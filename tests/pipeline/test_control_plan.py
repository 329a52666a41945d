"""The plan says where to look for the zone: the finder gets it on the control scan's grid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from netseg.domain import (
    AblationZone,
    FrameMismatchError,
    Grid,
    LabelMap,
    Mask,
    Modality,
    Quantity,
    Series,
    Study,
    Volume,
)
from netseg.domain.ablation import Evidence
from netseg.pipeline.control import ControlScan, ControlStations, check_control
from netseg.register.settings import RegistrationSettings
from netseg.segment import MasksBackend
from netseg.verify import MarginRule

SHIFT_MM = 8.0


def grid_of(frame: str, up_mm: float = 0.0) -> Grid:
    affine = np.diag((2.0, 2.0, 2.0, 1.0))
    affine[:3, 3] = (-59.0, -59.0, -59.0 + up_mm)
    return Grid((60, 60, 60), affine, frame)


def ball(grid: Grid, at_mm: tuple[float, float, float], radius_mm: float) -> Mask:
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    return Mask(np.linalg.norm(points - np.array(at_mm), axis=-1) <= radius_mm, grid)


def liver_of(grid: Grid, up_mm: float) -> Mask:
    """An egg, thicker on one side, so that it is laid on itself in one way only."""
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)) - np.array((0, 0, up_mm))
    flat = np.linalg.norm(points / np.array((45.0, 34.0, 26.0)), axis=-1) <= 1
    lobe = np.linalg.norm(points - np.array((18.0, 8.0, 6.0)), axis=-1) <= 24.0
    return Mask(flat | lobe, grid)


def study_of(case: str, liver: Mask, zone: Mask | None = None, lesion: Mask | None = None) -> Study:
    noise = np.random.default_rng(len(case)).normal(0.0, 5.0, liver.grid.shape)
    hu = np.where(liver.inside, 110.0, -90.0) + noise
    if zone is not None:
        hu[zone.inside] -= 50.0
    scan = Volume(hu.astype(np.int16), liver.grid, Quantity.HU)
    lesions = None if lesion is None else LabelMap(lesion.inside.astype(np.uint8), liver.grid)
    series = Series(key="scan", modality=Modality.CT, volume=scan)
    return Study(case_id=case, series=(series,), liver=liver, lesions=lesions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """Writes down what it was told, and answers with a known zone."""

    truth: Mask
    heard: list[Mask | None] = field(default_factory=list)

    def zone(
        self, control: Volume, lesions: LabelMap, liver: Mask | None, planned: Mask | None = None
    ) -> AblationZone:
        """The truth, whatever is told."""
        assert control.grid.is_same_as(lesions.grid)
        assert liver is not None
        self.heard.append(planned)
        return AblationZone(mask=self.truth, evidence=Evidence.CONTROL_SCAN)


def told(planned: Mask | None) -> tuple[Listener, Grid]:
    before, after = grid_of("1.2.3"), grid_of("1.2.4", SHIFT_MM)
    finder = Listener(truth=ball(after, (0, 0, SHIFT_MM), 15.0))
    planning = study_of("before", liver_of(before, 0.0), lesion=ball(before, (0, 0, 0), 8.0))
    stations = ControlStations(
        liver=MasksBackend(),
        zone=finder,
        registration=RegistrationSettings(engine="rigid"),
        margin=MarginRule(),
    )
    control = ControlScan(study=study_of("after", liver_of(after, SHIFT_MM), finder.truth))
    check_control(planning, MasksBackend().segment(planning), control, stations, planned)
    return finder, after


def test_the_planned_zone_reaches_the_finder_where_the_patient_now_lies() -> None:
    """Planned about the origin; the liver lies 8 mm higher in the control scan: so does the plan."""
    finder, after = told(ball(grid_of("1.2.3"), (0.0, 0.0, 0.0), 14.0))
    (heard,) = finder.heard
    assert heard is not None
    assert heard.grid.is_same_as(after)
    centre = after.to_mm(np.argwhere(heard.inside)).mean(axis=0)
    assert centre == pytest.approx((0.0, 0.0, SHIFT_MM), abs=1.5)
    assert heard.volume_ml == pytest.approx(4 / 3 * np.pi * 14.0**3 / 1000, rel=0.08)


def test_without_a_plan_the_finder_hears_of_none() -> None:
    finder, _ = told(None)
    assert finder.heard == [None]


def test_a_plan_of_another_frame_is_refused() -> None:
    with pytest.raises(FrameMismatchError, match="never registered"):
        told(ball(grid_of("9.9"), (0.0, 0.0, 0.0), 14.0))
