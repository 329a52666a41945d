"""Control scans whose truth is known: the truth itself is checked on shapes with closed forms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from netseg.domain import Grid, LabelMap, Mask, Quantity, Volume
from netseg.phantom.ablated import ControlSetup, Known, make_control
from netseg.phantom.ablated_motion import Contraction, MotionPrior, draw_motion
from netseg.phantom.ablated_paint import ControlLooks
from netseg.phantom.ablated_zone import ZoneOrder
from netseg.phantom.lesions import Blob

STILL = MotionPrior(turn_deg=0.0, breath_mm=(0.0, 0.0), shift_mm=0.0, bend_mm=0.0)
QUIET = ControlLooks(noise_hu=0.0, texture_hu=0.0, blur_mm=0.0, enhancement=1.0, shift_hu=0.0)
SPACING = 2.0
RADIUS = 9.0


def ball(grid: Grid, centre_mm: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(points - np.array(centre_mm), axis=-1) <= radius_mm


@lru_cache
def known() -> Known:
    """A liver of 112 HU, a ball of 48 mm radius in air, with a tumour of 9 mm radius at its centre."""
    affine = np.diag((SPACING, SPACING, SPACING, 1.0))
    affine[:3, 3] = -SPACING * 29.5
    grid = Grid((60, 60, 60), affine, "1.2.3")
    liver, tumour = ball(grid, (0, 0, 0), 48.0), ball(grid, (0, 0, 0), RADIUS)
    hu = np.where(liver, 112.0, -1000.0)
    hu[tumour] = 70.0
    return Known(
        source=Volume(hu.astype(np.float32), grid, Quantity.HU),
        liver=Mask(liver, grid),
        lesions=LabelMap(tumour.astype(np.uint8), grid),
        blobs={1: round_blob(RADIUS)},
    )


def inside_liver() -> np.ndarray:
    """Points all over the liver."""
    return known().liver.grid.to_mm(np.argwhere(known().liver.inside))


def round_blob(radius_mm: float) -> Blob:
    """A ball around the origin, known exactly."""
    return Blob(
        centre_mm=np.zeros(3),
        half_axes_mm=np.full(3, radius_mm),
        rotation=np.eye(3),
        bulge_axes=np.zeros((0, 3)),
        bulge_sizes=np.zeros((0, 2)),
    )


def pair(order: ZoneOrder, motion: MotionPrior = STILL, looks: ControlLooks = QUIET, **more):
    setup = ControlSetup(zones=(order,), motion=motion, looks=looks, **more)
    return make_control(known().source, known(), setup, np.random.default_rng(4))


def test_the_margin_of_a_ball_in_a_ball_is_the_difference_of_the_radii() -> None:
    """R 20 - r 9 - shift 3 = 8 mm."""
    made = pair(ZoneOrder(lesions=(1,), half_axes_mm=(20.0, 20.0, 20.0), offset_mm=(0, 3, 0)))
    assert made.margins[1].to_zone_mm == pytest.approx(8.0, abs=0.15)
    assert made.margins[1].to_viable_mm == pytest.approx(8.0, abs=0.15)
    assert made.zone.volume_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.02)


def test_a_zone_that_misses_lesion_has_the_depth_outside_as_negative_margin() -> None:
    """R 8 around r 9, shifted by 2: 3 mm of lesion outside."""
    made = pair(ZoneOrder(lesions=(1,), half_axes_mm=(8.0, 8.0, 8.0), offset_mm=(2, 0, 0)))
    assert made.margins[1].to_zone_mm == pytest.approx(-3.0, abs=0.15)


def test_a_grown_zone_has_the_margin_it_was_grown_by() -> None:
    made = pair(ZoneOrder(lesions=(1,), margin_mm=6.0))
    assert made.margins[1].to_zone_mm == pytest.approx(6.0, abs=0.15)


def test_at_a_capsule_the_zone_ends_and_the_nearest_viable_liver_is_the_margin() -> None:
    """Tumour r 10 touching a plane capsule, R 14 about the same centre: 0 to the zone, 4 to liver."""
    base = known().source.grid
    x = base.to_mm(np.moveaxis(np.indices(base.shape), 0, -1))[..., 0]
    liver = x <= 10.0
    at_capsule = Known(
        source=Volume(np.where(liver, 112.0, 0.0).astype(np.float32), base, Quantity.HU),
        liver=Mask(liver, base),
        lesions=LabelMap(ball(base, (0, 0, 0), 10.0).astype(np.uint8), base),
        blobs={1: round_blob(10.0)},
    )
    zones = (ZoneOrder(lesions=(1,), half_axes_mm=(14.0, 14.0, 14.0)),)
    setup = ControlSetup(zones=zones, motion=STILL, looks=QUIET)
    made = make_control(at_capsule.source, at_capsule, setup, np.random.default_rng(0))
    assert made.margins[1].to_zone_mm == pytest.approx(0.0, abs=0.3)
    assert made.margins[1].to_viable_mm == pytest.approx(4.0, abs=0.25)
    assert not (made.zone.inside & ~made.liver.inside).any()


def test_contraction_shrinks_the_tumour_by_its_cube() -> None:
    """Shrunk by 0.2, r 9 becomes 7.2: 1.56 ml; the margin grows by 1.8 mm."""
    order = ZoneOrder(lesions=(1,), half_axes_mm=(20.0, 20.0, 20.0))
    made = pair(order, MotionPrior(**{**_fields(STILL), "contraction": 0.2}))
    assert made.lesions.region().volume_ml == pytest.approx(1.563, rel=0.1)
    assert made.margins[1].to_zone_mm == pytest.approx(11.0 + 1.8, abs=0.2)


def test_contraction_leaves_tissue_beyond_twice_the_zone_alone() -> None:
    shrunk = Contraction(centre_mm=np.zeros(3), radius_mm=10.0, share=0.12)
    points = np.array([[5.0, 0, 0], [10.0, 0, 0], [22.0, 0, 0], [40.0, 0, 0]])
    back = points + shrunk.back_mm(points)
    assert back[:, 0] == pytest.approx([5 / 0.88, 10 / 0.88, 22.0, 40.0])


def test_the_motion_goes_there_and_back() -> None:
    rng = np.random.default_rng(0)
    motion = draw_motion(known().source.grid, inside_liver(), MotionPrior(), rng)
    points = rng.uniform(-45, 45, (50, 3))
    assert motion.to_control(motion.to_planning(points)) == pytest.approx(points, abs=1e-3)
    moved = np.linalg.norm(motion.to_planning(points) - points, axis=1)
    assert 2.0 < moved.mean() < 22.0


def test_the_motion_does_not_fold() -> None:
    rng = np.random.default_rng(1)
    motion = draw_motion(known().source.grid, inside_liver(), MotionPrior(), rng)
    points = rng.uniform(-45, 45, (400, 3))
    steps = [motion.to_planning(points + 0.5 * e) - motion.to_planning(points) for e in np.eye(3)]
    jacobian = np.linalg.det(np.stack(steps, axis=-1) / 0.5)
    assert jacobian.min() > 0.3


def test_the_truth_as_a_registration_agrees_with_itself() -> None:
    made = pair(ZoneOrder(lesions=(1,), margin_mm=6.0), MotionPrior())
    truth = made.motion.as_registration(made.control.grid, made.planning.grid)
    index = truth.bend_grid.to_index(made.landmarks_control_mm).T
    bend = np.stack(
        [ndimage.map_coordinates(truth.bend_mm[..., a], index, order=1) for a in range(3)], axis=1
    )
    found = (made.landmarks_control_mm + bend) @ truth.matrix[:3, :3].T + truth.matrix[:3, 3]
    assert found == pytest.approx(made.landmarks_planning_mm, abs=0.15)


def test_landmarks_show_the_same_tissue_in_both_scans() -> None:
    """The source's clean values at one end are the control's at the other, on a smooth image."""
    base = known()
    points = base.source.grid.to_mm(np.moveaxis(np.indices(base.source.grid.shape), 0, -1))
    wave = 100 + 40 * np.sin(points / 8.0).sum(axis=-1)
    smooth = Known(
        source=Volume(wave.astype(np.float32), base.source.grid, Quantity.HU),
        liver=base.liver,
        lesions=base.lesions,
    )
    setup = ControlSetup(
        zones=(ZoneOrder(lesions=(1,), margin_mm=4.0),), looks=QUIET, motion=MotionPrior()
    )
    made = make_control(smooth.source, smooth, setup, np.random.default_rng(6))
    there = [
        ndimage.map_coordinates(v.values.astype(float), v.grid.to_index(p).T, order=1)
        for v, p in (
            (made.control, made.landmarks_control_mm),
            (made.planning, made.landmarks_planning_mm),
        )
    ]
    assert len(there[0]) >= 20
    assert np.abs(there[0] - there[1]).mean() < 3.0


def test_the_zone_has_its_values_and_the_rim_lies_outside_it() -> None:
    looks = ControlLooks(
        noise_hu=0.0, texture_hu=0.0, blur_mm=0.0, enhancement=1.0, shift_hu=0.0,
        zone_hu=58.0, rim_hu=30.0, rim_mm=5.0,
    )  # fmt: skip
    made = pair(ZoneOrder(lesions=(1,), half_axes_mm=(20.0, 20.0, 20.0)), looks=looks)
    values = made.control.values
    centre = ball(made.control.grid, (0, 0, 0), 17.0)
    rim = ball(made.control.grid, (0, 0, 0), 24.0) & ~ball(made.control.grid, (0, 0, 0), 22.0)
    liver = ball(made.control.grid, (0, 0, 0), 40.0) & ~ball(made.control.grid, (0, 0, 0), 30.0)
    assert values[centre].mean() == pytest.approx(58.0, abs=0.5)
    assert values[rim].mean() == pytest.approx(142.0, abs=3.0)
    assert values[liver].mean() == pytest.approx(112.0, abs=0.5)


def test_the_noise_is_fresh_and_of_the_stated_width() -> None:
    looks = ControlLooks(noise_hu=15.0, texture_hu=0.0, blur_mm=0.0, enhancement=1.0, shift_hu=0.0)
    made = pair(ZoneOrder(lesions=(1,), margin_mm=5.0), looks=looks)
    far = ball(made.control.grid, (0, 0, 0), 40.0) & ~ball(made.control.grid, (0, 0, 0), 26.0)
    assert made.control.values[far].std() == pytest.approx(15.0, rel=0.06)


def test_gas_lies_inside_the_zone_and_metal_saturates() -> None:
    order = ZoneOrder(lesions=(1,), half_axes_mm=(20.0, 20.0, 20.0))
    looks = ControlLooks(noise_hu=0.0, texture_hu=0.0, gas=8, needle=True)
    made = pair(order, looks=looks)
    assert made.control.values.max() == 3071
    gas = (made.control.values < 0) & ball(made.control.grid, (0, 0, 0), 40.0)
    assert gas.sum() >= 4
    (needle,) = made.needles
    tip = made.control.grid.to_index(needle.tip_mm + 2 * (needle.entry_mm - needle.tip_mm) / 140)
    near = tuple(slice(round(c) - 1, round(c) + 2) for c in tip.tolist())
    assert made.control.values[near].max() > 1000


def test_thick_slices_keep_the_field_of_view_and_the_volume() -> None:
    order = ZoneOrder(lesions=(1,), half_axes_mm=(20.0, 20.0, 20.0))
    made = pair(order, spacing_mm=(2.0, 2.0, 5.0))
    assert made.control.grid.spacing_mm == pytest.approx((2, 2, 5))
    assert made.zone_share.sum() * made.control.grid.voxel_volume_ml == pytest.approx(
        33.51, rel=0.02
    )


def test_a_turned_control_scan_shows_the_same_zone() -> None:
    order = ZoneOrder(lesions=(1,), half_axes_mm=(20.0, 20.0, 20.0))
    made = pair(order, turn_deg=20.0)
    assert made.zone.volume_ml == pytest.approx(33.51, rel=0.02)
    assert made.margins[1].to_zone_mm == pytest.approx(11.0, abs=0.15)


def test_the_same_generator_gives_the_same_scan() -> None:
    order = ZoneOrder(lesions=(1,), margin_mm=5.0, rough_mm=1.0)
    first, second = (pair(order, MotionPrior(), ControlLooks()) for _ in range(2))
    assert first.control.values.tobytes() == second.control.values.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lesions": ()}, "at least one lesion"),
        ({"lesions": (1,), "margin_mm": 5.0, "half_axes_mm": (9, 9, 9)}, "both or neither"),
        ({"lesions": (1,)}, "both or neither"),
        ({"lesions": (1,), "half_axes_mm": (9.0, 0.0, 9.0)}, "must be positive"),
    ],
)
def test_an_impossible_zone_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ZoneOrder(**change)


def test_a_zone_for_a_lesion_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"number in \(1,\); got \[2\]"):
        pair(ZoneOrder(lesions=(2,), margin_mm=5.0))


def test_a_motion_that_would_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="tissue folds"):
        MotionPrior(bend_mm=15.0)


def _fields(prior: MotionPrior) -> dict:
    return {name: getattr(prior, name) for name in MotionPrior.__slots__}
