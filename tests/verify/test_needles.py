"""Needles of known place in a CT are found where they are; what is bright and no needle is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from netseg.domain import (
    FrameMismatchError,
    Grid,
    Mask,
    PointMm,
    Probe,
    Quantity,
    Registration,
    StudyRejectedError,
    Volume,
)
from netseg.verify.needle_errors import compare_with_plan
from netseg.verify.needles import find_needles

LIVER_MM = 30.0  # radius of the liver, a ball around the origin
FINE = 3  # parts of a voxel along each axis when metal is laid


def grid_of(spacing: tuple[float, float, float], turn_deg: float = 0.0) -> Grid:
    """A cube of 110 mm around the origin, turned about an oblique axis."""
    shape = tuple(round(110.0 / s) for s in spacing)
    turn = Rotation.from_rotvec(np.radians(turn_deg) * np.array((0.6, 0.64, 0.48))).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine, "1.2.3")


def body(grid: Grid, seed: int = 0) -> tuple[np.ndarray, Mask]:
    """A liver of 110 HU in a body of 40 HU, noise 12 HU."""
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    liver = np.linalg.norm(points, axis=-1) <= LIVER_MM
    hu = np.where(liver, 110.0, 40.0) + np.random.default_rng(seed).normal(0, 12.0, grid.shape)
    return hu, Mask(liver, grid)


def with_rod(
    hu: np.ndarray, grid: Grid, tip, entry, radius_mm: float = 0.9, metal_hu: float = 9000.0
) -> np.ndarray:
    """Metal averaged over parts of voxels, as a scanner's voxels do; saturates at 3071."""
    tip, entry = np.array(tip, float), np.array(entry, float)
    offsets = (np.arange(FINE) - (FINE - 1) / 2) / FINE
    share = np.zeros(grid.shape)
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    length = np.linalg.norm(entry - tip)
    way = (entry - tip) / length
    away = grid.to_mm(index) - tip
    near = np.linalg.norm(away - (away @ way)[..., None] * way, axis=-1) < 8.0
    for a in offsets:
        for b in offsets:
            for c in offsets:
                points = grid.to_mm(index[near] + (a, b, c)) - tip
                t = points @ way
                off = np.linalg.norm(points - t[:, None] * way, axis=1)
                share[near] += ((off <= radius_mm) & (t >= 0) & (t <= length)) / FINE**3
    return hu + share * (metal_hu - hu)


def scan(hu: np.ndarray, grid: Grid) -> Volume:
    return Volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), grid, Quantity.HU)


def angle_deg(a, b) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


TIP, ENTRY = (6.0, -4.0, 3.0), (-46.0, -32.0, 10.0)
SECOND = ((10.0, 12.0, -8.0), (-44.0, 28.0, -14.0))


@pytest.mark.parametrize(
    ("spacing", "turn"),
    [
        ((1.0, 1.0, 1.0), 0.0),
        ((0.8, 0.8, 2.5), 0.0),
        ((0.8, 0.8, 2.5), 20.0),
        ((1.5, 1.5, 5.0), 0.0),
        ((2.0, 2.0, 2.0), 33.0),
    ],
)
def test_tip_and_direction_are_found_on_any_grid(spacing, turn) -> None:
    """Within 1 mm and 1 degree; 1.5 degrees in slices of 5 mm, which saturate in steps."""
    grid = grid_of(spacing, turn)
    hu, liver = body(grid)
    (needle,) = find_needles(scan(with_rod(hu, grid, TIP, ENTRY), grid), liver)
    way = np.subtract(ENTRY, TIP) / np.linalg.norm(np.subtract(ENTRY, TIP))
    assert angle_deg(needle.direction, way) < (1.5 if spacing[2] > 4 else 1.0)
    away = needle.tip_mm.as_array() - TIP
    assert np.linalg.norm(away) < 1.0
    assert needle.length_mm == pytest.approx(np.linalg.norm(np.subtract(ENTRY, TIP)), abs=2.0)


def test_two_needles_are_two() -> None:
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    hu = with_rod(with_rod(hu, grid, TIP, ENTRY), grid, *SECOND)
    found = find_needles(scan(hu, grid), liver)
    assert len(found) == 2
    tips = sorted(n.tip_mm.x for n in found)
    assert tips == pytest.approx([6.0, 10.0], abs=1.0)


def test_needles_that_cross_are_two() -> None:
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    hu = with_rod(hu, grid, (10.0, 0.0, 0.0), (-48.0, 20.0, 0.0))
    hu = with_rod(hu, grid, (10.0, 10.0, 2.0), (-48.0, -14.0, 0.0))
    found = find_needles(scan(hu, grid), liver)
    assert len(found) == 2
    assert sorted(round(n.tip_mm.y / 5) * 5 for n in found) == [0, 10]


def test_streaks_move_nothing() -> None:
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    way = np.subtract(ENTRY, TIP) / np.linalg.norm(np.subtract(ENTRY, TIP))
    across = points - TIP - ((points - TIP) @ way)[..., None] * way
    turn = np.arctan2(across[..., 1], across[..., 2])
    hu = hu + 250.0 * np.cos(5 * turn) * np.exp(-np.linalg.norm(across, axis=-1) / 12.0)
    (needle,) = find_needles(scan(with_rod(hu, grid, TIP, ENTRY), grid), liver)
    assert np.linalg.norm(needle.tip_mm.as_array() - TIP) < 1.0


def test_ribs_and_contrast_filled_vessels_are_no_needles() -> None:
    """Ribs of 1500 HU, curved and 8 mm thick; a straight vessel of 400 HU."""
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    around = np.hypot(points[..., 0], points[..., 1])
    for height in (-24.0, 0.0, 24.0):
        hu[(np.abs(around - 44.0) < 4.0) & (np.abs(points[..., 2] - height) < 4.0)] = 1500.0
    hu = with_rod(hu, grid, (20.0, 0.0, 0.0), (-20.0, 0.0, 10.0), radius_mm=4.0, metal_hu=400.0)
    assert find_needles(scan(hu, grid), liver) == ()


def test_a_clip_and_a_thick_implant_are_no_needles() -> None:
    """A clip of 8 mm, and a metal block of 20 mm: metal, but neither long nor thin."""
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    hu = with_rod(hu, grid, (0.0, 0.0, 0.0), (8.0, 0.0, 0.0))
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    hu[(np.abs(points - (0, 25, 0)) < 10.0).all(axis=-1)] = 3071.0
    assert find_needles(scan(hu, grid), liver) == ()


def test_a_needle_that_misses_the_liver_by_seventeen_millimetres_is_not_reported() -> None:
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    hu = with_rod(hu, grid, (10.0, 47.0, 0.0), (-48.0, 47.0, 10.0))
    assert find_needles(scan(hu, grid), liver) == ()


def test_a_scan_without_metal_has_no_needle() -> None:
    grid = grid_of((2.0, 2.0, 2.0))
    hu, liver = body(grid)
    assert find_needles(scan(hu, grid), liver) == ()


def test_a_liver_of_another_frame_is_refused() -> None:
    grid = grid_of((2.0, 2.0, 2.0))
    hu, liver = body(grid)
    foreign = Mask(liver.inside, Grid(grid.shape, grid.affine_lps, "9.9"))
    with pytest.raises(FrameMismatchError, match="never registered"):
        find_needles(scan(hu, grid), foreign)


def test_an_mr_is_refused() -> None:
    grid = grid_of((2.0, 2.0, 2.0))
    hu, liver = body(grid)
    with pytest.raises(StudyRejectedError, match=r"holds arbitrary; needles are found by their HU"):
        find_needles(Volume(hu.astype(np.float32), grid, Quantity.ARBITRARY), liver)


def probe(name: str, tip, entry) -> Probe:
    return Probe(
        id=name, device="rfa", entry_mm=PointMm.of(entry), tip_mm=PointMm.of(tip), active_length_mm=20.0
    )  # fmt: skip


def shifted(grid: Grid, by_mm: tuple[float, float, float]) -> Registration:
    """The planning scan lies `by_mm` beside the control scan."""
    matrix = np.eye(4)
    matrix[:3, 3] = by_mm
    planning = Grid(grid.shape, grid.affine_lps, "4.5.6")
    return Registration(method="test", fixed=grid, moving=planning, matrix=matrix)


def test_lateral_error_depth_and_angle_against_the_plan() -> None:
    """Planned 3 mm beside and 4 mm deeper, parallel, in a scan that lies 10 mm higher."""
    grid = grid_of((1.2, 1.2, 1.2))
    hu, liver = body(grid)
    tip, entry = np.array((5.0, 0.0, 0.0)), np.array((-50.0, 0.0, 0.0))
    found = find_needles(scan(with_rod(hu, grid, tip, entry), grid), liver)
    beside, up = np.array((4.0, 3.0, 0.0)), np.array((0.0, 0.0, 10.0))
    plan = [probe("A", tip + beside + up, entry + beside + up)]
    compared = compare_with_plan(found, plan, shifted(grid, (0.0, 0.0, 10.0)))
    (error,) = compared.errors
    assert error.probe_id == "A"
    assert error.lateral_mm == pytest.approx(3.0, abs=0.3)
    assert error.depth_mm == pytest.approx(-4.0, abs=0.6)
    assert error.angle_deg < 0.5
    assert error.tip_mm == pytest.approx(5.0, abs=0.6)
    assert (compared.not_found, compared.not_planned) == ((), ())


def test_an_angle_of_five_degrees_is_five_degrees() -> None:
    grid = grid_of((1.2, 1.2, 1.2))
    hu, liver = body(grid)
    tip, entry = np.array((5.0, 0.0, 0.0)), np.array((-50.0, 0.0, 0.0))
    found = find_needles(scan(with_rod(hu, grid, tip, entry), grid), liver)
    aim = tip + 70.0 * np.array((-np.cos(np.radians(5.0)), np.sin(np.radians(5.0)), 0.0))
    (error,) = compare_with_plan(found, [probe("A", tip, aim)], shifted(grid, (0, 0, 0))).errors
    assert error.angle_deg == pytest.approx(5.0, abs=0.5)


def test_each_needle_is_matched_once_and_the_rest_is_told() -> None:
    grid = grid_of((1.2, 1.2, 2.0))
    hu, liver = body(grid)
    hu = with_rod(with_rod(hu, grid, TIP, ENTRY), grid, *SECOND)
    found = find_needles(scan(hu, grid), liver)
    plan = [probe("B", *SECOND), probe("C", (0.0, 0.0, 60.0), (0.0, 70.0, 60.0))]
    compared = compare_with_plan(found, plan, shifted(grid, (0, 0, 0)))
    assert [e.probe_id for e in compared.errors] == ["B"]
    assert compared.errors[0].tip_mm < 1.0
    assert compared.not_found == ("C",)
    assert len(compared.not_planned) == 1


def test_no_needle_leaves_every_probe_unfound() -> None:
    grid = grid_of((2.0, 2.0, 2.0))
    compared = compare_with_plan((), [probe("A", TIP, ENTRY)], shifted(grid, (0, 0, 0)))
    assert compared.errors == ()
    assert compared.not_found == ("A",)
