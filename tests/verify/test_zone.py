"""The zone in a control scan: found where it was painted, and refused where there is none."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from netseg.domain import (
    Evidence,
    FrameMismatchError,
    Grid,
    GridMismatchError,
    LabelMap,
    Mask,
    Quantity,
    StudyRejectedError,
    Volume,
)
from netseg.verify.zone import ClassicZone, zone_from_mask

LIVER_MM, LIVER_HU, ZONE_HU = 52.0, 110.0, 58.0
SPACING = (2.0, 2.0, 2.0)
RADIUS = 16.0
CENTRE = (0.0, 0.0, 0.0)


def grid_of(spacing: tuple[float, float, float] = SPACING, frame: str = "1.2.3") -> Grid:
    shape = tuple(round(120.0 / s) for s in spacing)
    affine = np.diag((*spacing, 1.0))
    affine[:3, 3] = -np.array(spacing) * (np.array(shape) - 1) / 2
    return Grid(shape, affine, frame)


def off_mm(grid: Grid, centre) -> np.ndarray:
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(points - np.array(centre), axis=-1)


def ball(grid: Grid, centre, radius_mm: float) -> np.ndarray:
    return off_mm(grid, centre) <= radius_mm


@lru_cache
def noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 12.0, shape)


def painted(
    grid: Grid, zones, *, zone_hu: float = ZONE_HU, soft_mm: float = 1.5
) -> tuple[np.ndarray, Mask]:
    """A ball of liver in fat; zones with edges soft as a scanner's."""
    liver = ball(grid, CENTRE, LIVER_MM)
    within = np.clip((LIVER_MM - off_mm(grid, CENTRE)) / (2 * min(grid.spacing_mm)) + 0.5, 0, 1)
    hu = -90.0 + within * (LIVER_HU + 90.0)  # border voxels hold fat as well
    for centre, radius in zones:
        share = np.clip((radius - off_mm(grid, centre)) / soft_mm + 0.5, 0, 1) * liver
        hu = hu + share * (zone_hu - hu)
    return hu, Mask(liver, grid)


def scan(hu: np.ndarray, grid: Grid, *, noisy: bool = True) -> Volume:
    hu = hu + (noise(grid.shape) if noisy else 0.0)
    return Volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), grid, Quantity.HU)


def lesions_of(grid: Grid, *centres, radius_mm: float = 8.0) -> LabelMap:
    labels = np.zeros(grid.shape, np.uint8)
    for number, centre in enumerate(centres, 1):
        labels[ball(grid, centre, radius_mm)] = number
    return LabelMap(labels, grid)


def volume_ml(radius_mm: float) -> float:
    return 4 / 3 * np.pi * radius_mm**3 / 1000


def radius_of(mask: Mask) -> float:
    """Radius of the ball of the same volume."""
    return float((mask.volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3))


def dice(found: Mask, truth: np.ndarray) -> float:
    return 2 * (found.inside & truth).sum() / (found.inside.sum() + truth.sum())


def found_in(hu: np.ndarray, grid: Grid, liver: Mask | None, *centres, **more):
    return ClassicZone().zone(
        scan(hu, grid), lesions_of(grid, *(centres or (CENTRE,))), liver, **more
    )


@pytest.mark.parametrize("spacing", [SPACING, (0.9, 0.9, 2.5), (1.2, 1.2, 5.0)])
def test_a_ball_is_found_with_its_radius(spacing) -> None:
    """R 16: 17.2 ml, within 0.3 mm of radius, on cubic voxels and thick slices."""
    grid = grid_of(spacing)
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    zone = found_in(hu, grid, liver)
    assert radius_of(zone.mask) == pytest.approx(RADIUS, abs=0.3)
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.95
    assert zone.evidence is Evidence.CONTROL_SCAN
    assert zone.mask.grid.is_same_as(grid)


@pytest.mark.parametrize("radius", [6.0, 10.0, 25.0])
def test_small_and_large_zones_keep_their_size(radius: float) -> None:
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, radius)])
    lesion = lesions_of(grid, CENTRE, radius_mm=min(radius - 1, 10.0))
    zone = ClassicZone().zone(scan(hu, grid), lesion, liver)
    assert radius_of(zone.mask) == pytest.approx(radius, abs=0.4)


def test_a_lesion_six_millimetres_astray_still_leads_to_its_zone() -> None:
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, 9.0)])
    zone = found_in(hu, grid, liver, (6.0, 0.0, 0.0))
    assert dice(zone.mask, ball(grid, CENTRE, 9.0)) > 0.93


def test_a_bright_rim_is_no_zone() -> None:
    """A rim of 3 mm and +35 HU around it: at most 0.5 mm off."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    away = off_mm(grid, CENTRE)
    hu[(away > RADIUS + 0.75) & (away < RADIUS + 3.75)] += 35.0
    zone = found_in(hu, grid, liver)
    assert radius_of(zone.mask) == pytest.approx(RADIUS, abs=0.5)


def test_gas_is_zone() -> None:
    """Bubbles of 2 to 3 mm, one of them at the border."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    for centre, radius in (((0, 0, 4), 3.0), ((6, 0, 0), 2.0), ((-12.5, 0, 0), 2.5)):
        hu[ball(grid, centre, radius)] = -600.0
    zone = found_in(hu, grid, liver)
    assert zone.mask.inside[ball(grid, (0, 0, 4), 3.0)].all()
    beside = ball(grid, (-12.5, 0, 0), 8.0) & (off_mm(grid, CENTRE) > RADIUS + 1.9)
    assert not (zone.mask.inside & beside).any()
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.95


def test_a_needle_inside_is_zone_and_its_shaft_outside_is_not() -> None:
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    shaft = (np.hypot(points[..., 1], points[..., 2]) < 1.3) & (points[..., 0] < 5.0)
    hu[shaft] = 3000.0
    zone = found_in(hu, grid, liver)
    inside = ball(grid, CENTRE, RADIUS - 2.0)
    beside = np.hypot(points[..., 1], points[..., 2]) < 5.0
    assert zone.mask.inside[beside & inside].all()
    assert not zone.mask.inside[shaft & ~ball(grid, CENTRE, RADIUS + 3.0)].any()
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.95


def test_a_dense_middle_is_zone() -> None:
    """Coagulated tissue of 100 HU, nearly liver's 110, within a zone of 58."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    hu[ball(grid, CENTRE, 9.0)] = 100.0
    zone = ClassicZone().zone(scan(hu, grid), lesions_of(grid, CENTRE, radius_mm=10.5), liver)
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.95


def test_a_dark_duct_and_a_bright_vessel_do_not_draw_the_zone_out() -> None:
    """A bile duct of 4 mm at 15 HU runs from the zone; a vein of 8 mm at 170 HU touches it."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    x, y, z = (points[..., a] for a in range(3))
    hu[(np.hypot(y, z) < 2.0) & (x > RADIUS - 1) & liver.inside] = 15.0
    hu[(np.hypot(x, z - 20.5) < 4.0) & liver.inside] = 170.0
    zone = found_in(hu, grid, liver)
    far = off_mm(grid, CENTRE) > RADIUS + 6.0
    assert not (zone.mask.inside & far).any()
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.94


def test_at_the_capsule_the_zone_ends_with_the_liver() -> None:
    """Fat outside is as dark as the zone and never belongs to it."""
    grid = grid_of()
    at_capsule = (40.0, 0.0, 0.0)
    hu, liver = painted(grid, [(at_capsule, RADIUS)])
    zone = found_in(hu, grid, liver, at_capsule)
    assert not (zone.mask.inside & ~liver.inside).any()
    assert dice(zone.mask, ball(grid, at_capsule, RADIUS) & liver.inside) > 0.93
    shell = liver.inside & ~ball(grid, CENTRE, LIVER_MM - 3.0)
    assert not (zone.mask.inside & shell & ~ball(grid, at_capsule, RADIUS + 5.0)).any()


def test_two_lesions_in_one_zone_and_one_in_another() -> None:
    grid = grid_of()
    first, second, third = (-22.0, -6.0, 0.0), (-22.0, 6.0, 0.0), (24.0, 0.0, 0.0)
    hu, liver = painted(grid, [((-22.0, 0.0, 0.0), RADIUS), (third, 12.0)])
    lesions = lesions_of(grid, first, second, third, radius_mm=5.0)
    zone = ClassicZone().zone(scan(hu, grid), lesions, liver)
    truth = ball(grid, (-22.0, 0.0, 0.0), RADIUS) | ball(grid, third, 12.0)
    assert dice(zone.mask, truth) > 0.95
    assert ndimage.label(zone.mask.inside, np.ones((3, 3, 3)))[1] == 2
    assert zone.provenance["lesions_without_zone"] == []


def test_a_lesion_without_a_zone_is_named() -> None:
    """The second was not treated and does not show: its number is told, the first's zone found."""
    grid = grid_of()
    hu, liver = painted(grid, [((-22.0, 0.0, 0.0), RADIUS)])
    zone = found_in(hu, grid, liver, (-22.0, 0.0, 0.0), (26.0, 0.0, 0.0))
    assert zone.provenance["lesions_without_zone"] == [2]
    assert dice(zone.mask, ball(grid, (-22.0, 0.0, 0.0), RADIUS)) > 0.95


def test_a_bright_zone_in_a_dark_liver_is_found() -> None:
    """Coagulated tissue in T1: brighter than liver, arbitrary units."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)], zone_hu=190.0)
    values = (hu + noise(grid.shape) + 200.0).astype(np.float32)
    control = Volume(values, grid, Quantity.ARBITRARY)
    zone = ClassicZone().zone(control, lesions_of(grid, CENTRE), liver)
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.95


def test_without_a_liver_the_soft_tissue_is_searched() -> None:
    grid = grid_of()
    hu, _ = painted(grid, [(CENTRE, RADIUS)])
    zone = found_in(hu, grid, None)
    assert dice(zone.mask, ball(grid, CENTRE, RADIUS)) > 0.95


def test_the_planned_zone_is_a_seed_too() -> None:
    """The lesion lies where the zone is not; the plan overlaps it."""
    grid = grid_of()
    at = (18.0, 0.0, 0.0)
    hu, liver = painted(grid, [(at, 10.0)])
    planned = Mask(ball(grid, (10.0, 0.0, 0.0), 15.0), grid)
    zone = ClassicZone().zone(
        scan(hu, grid), lesions_of(grid, CENTRE, radius_mm=9.0), liver, planned
    )
    assert dice(zone.mask, ball(grid, at, 10.0)) > 0.93


def test_the_stated_accuracy_grows_with_noise_and_falls_with_contrast() -> None:
    grid = grid_of()
    clear, liver = painted(grid, [(CENTRE, RADIUS)])
    faint, _ = painted(grid, [(CENTRE, RADIUS)], zone_hu=85.0)
    sure, unsure = (found_in(hu, grid, liver).boundary_sd_mm for hu in (clear, faint))
    assert 0.3 < sure < unsure < 3.0


def test_a_liver_without_a_zone_is_refused() -> None:
    grid = grid_of()
    hu, liver = painted(grid, [])
    with pytest.raises(
        StudyRejectedError, match=r"at none of the lesions \[1\] .* darker or brighter"
    ):
        found_in(hu, grid, liver)


def test_what_runs_on_to_the_capsule_is_refused() -> None:
    """A dark band 16 mm thick leads from the zone to the capsule, 44 mm from the lesion."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    band = (np.abs(points[..., 1:]) < 8.0).all(axis=-1) & (points[..., 0] > 0)
    hu[band & liver.inside] = ZONE_HU
    with pytest.raises(StudyRejectedError, match="runs on farther than 30 mm from the lesion"):
        found_in(hu, grid, liver)


def test_a_zone_that_fills_the_liver_is_refused() -> None:
    """Within an outline of 22 mm radius, a zone of 19.5 mm would be 70 % of the liver."""
    grid = grid_of()
    hu, _ = painted(grid, [(CENTRE, 19.5)])
    small = Mask(ball(grid, CENTRE, 22.0), grid)
    lesion = lesions_of(grid, CENTRE, radius_mm=10.0)
    with pytest.raises(StudyRejectedError, match=r"fills \d\d% of the liver"):
        ClassicZone().zone(scan(hu, grid), lesion, small)


def test_lesions_outside_the_scan_are_refused() -> None:
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    with pytest.raises(StudyRejectedError, match="no lesion lies within the control scan"):
        ClassicZone().zone(scan(hu, grid), LabelMap.empty(grid), liver)


def test_lesions_of_another_frame_or_grid_are_refused() -> None:
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)])
    with pytest.raises(FrameMismatchError, match="never registered"):
        ClassicZone().zone(scan(hu, grid), lesions_of(grid_of(frame="9.9"), CENTRE), liver)
    with pytest.raises(GridMismatchError, match="the grids differ"):
        ClassicZone().zone(scan(hu, grid), lesions_of(grid_of((3.0, 3.0, 3.0)), CENTRE), liver)


@pytest.mark.parametrize(("name", "value"), [("smoothing_mm", 0.0), ("reach_mm", -1.0)])
def test_an_impossible_setting_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive length; got {value}"):
        ClassicZone(**{name: value})


def test_a_hand_outline_is_taken_as_it_is() -> None:
    grid = grid_of()
    drawn = Mask(ball(grid, (3.0, 0.0, 0.0), 12.0), grid)
    zone = zone_from_mask(drawn, lesions_of(grid, CENTRE))
    assert zone.mask is drawn
    assert zone.evidence is Evidence.CONTROL_SCAN
    assert zone.boundary_sd_mm is None
    assert zone.provenance["method"] == "outlined by hand"


def test_an_empty_hand_outline_is_refused() -> None:
    grid = grid_of()
    with pytest.raises(StudyRejectedError, match="holds no voxel"):
        zone_from_mask(Mask(np.zeros(grid.shape, bool), grid), lesions_of(grid, CENTRE))


def test_a_hand_outline_off_the_lesions_is_refused() -> None:
    grid = grid_of()
    with pytest.raises(StudyRejectedError, match=r"touches none of the lesions \[1\]"):
        zone_from_mask(Mask(ball(grid, (30, 0, 0), 8.0), grid), lesions_of(grid, CENTRE))


def test_a_hand_outline_of_another_frame_is_refused() -> None:
    grid = grid_of(frame="9.9")
    with pytest.raises(FrameMismatchError, match="never registered"):
        zone_from_mask(Mask(ball(grid, CENTRE, 9.0), grid), lesions_of(grid_of(), CENTRE))


def test_gas_at_the_border_of_a_bright_zone_is_zone() -> None:
    """Darker than liver in a zone brighter than liver: known by its HU alone."""
    grid = grid_of()
    hu, liver = painted(grid, [(CENTRE, RADIUS)], zone_hu=180.0)
    bubble = ball(grid, (12.5, 0, 0), 3.5)
    hu[bubble] = -600.0
    zone = found_in(hu, grid, liver)
    assert zone.mask.inside[bubble].all()


def test_thick_slices_of_a_dome_do_not_draw_the_zone_along_the_capsule() -> None:
    """Slices of 5 mm average fat and liver over the dome to the zone's own value."""
    grid = grid_of((1.5, 1.5, 5.0))
    fine = grid_of((1.5, 1.5, 1.0))
    at = (0.0, 0.0, 34.0)
    hu, liver = painted(fine, [(at, 14.0)])
    averaged = hu.reshape(*fine.shape[:2], grid.shape[2], 5).mean(axis=-1)
    outline = liver.inside.reshape(*fine.shape[:2], grid.shape[2], 5).mean(axis=-1) >= 0.5
    zone = found_in(averaged, grid, Mask(outline, grid), at)
    assert dice(zone.mask, ball(grid, at, 14.0)) > 0.9
    assert not (zone.mask.inside & (off_mm(grid, at) > 14.0 + 6.0)).any()
