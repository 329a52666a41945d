"""Ways to a lesion: what is avoided, what is said where there is none."""

import numpy as np
import pytest

from netseg.domain import LabelMap
from netseg.plan import AccessRules
from tests.plan.bodies import (
    BACK_WINDOW,
    BONE,
    FAT,
    GRID,
    IN_BODY,
    IN_LESION,
    IN_LIVER,
    LEFT_WINDOW,
    MUSCLE,
    SHELL,
    X,
    Y,
    Z,
    body,
    distance_to,
    plan_on,
    points_of,
)


def only_probe(plan):
    (ablation,) = plan.ablations
    return ablation.probes[0]


def test_the_active_centre_lies_on_the_lesion_and_the_tip_half_its_length_beyond():
    """20 mm active length: the tip is 10 mm behind the centre, seen from the skin."""
    probe = only_probe(plan_on(body()))
    assert np.linalg.norm(probe.tip_mm.as_array()) == pytest.approx(10.0, abs=0.1)
    centre = probe.tip_mm.as_array() + 10.0 * np.array(probe.direction)
    assert centre == pytest.approx(np.zeros(3), abs=0.1)


def test_the_entry_is_on_the_skin():
    """From the middle of a block with flat sides at 100 mm the shortest way is 100 + 10 mm."""
    plan = plan_on(body())
    probe = only_probe(plan)
    assert np.abs(probe.entry_mm.as_array()).max() == pytest.approx(100.0, abs=1.5)
    assert plan.ablations[0].path_mm == pytest.approx(probe.length_mm)
    assert probe.length_mm == pytest.approx(110.0, abs=3.0)


def test_the_needle_goes_through_the_one_window_of_a_bone_box():
    """The window spans 28 mm on the left side; the needle passes it 3 mm off its edges."""
    hu = body()
    hu[SHELL & ~LEFT_WINDOW] = BONE
    plan = plan_on(hu)
    probe = only_probe(plan)
    at_window = next(p for p in points_of(probe) if p[0] >= 60)
    assert np.abs(at_window[1:]).max() <= 14 - 3
    assert distance_to(hu == BONE, probe) >= 3.0
    assert plan.ablations[0].clearance_mm["bone"] >= 3.0


def test_a_closed_bone_box_leaves_no_way_and_every_way_is_accounted_for():
    hu = body()
    hu[SHELL] = BONE
    plan = plan_on(hu)
    assert plan.ablations == ()
    (unplanned,) = plan.unplanned
    assert unplanned.fallen["bone"] > 500
    assert sum(unplanned.fallen.values()) == AccessRules().directions
    assert "bone" in unplanned.why
    assert [str(w.code) for w in plan.warnings] == ["NO_ACCESS"]


def test_a_window_in_the_back_is_of_no_use_to_a_patient_who_lies_on_it():
    hu = body()
    hu[SHELL & ~BACK_WINDOW] = BONE
    assert plan_on(hu).ablations == ()
    assert plan_on(hu, rules=AccessRules(max_from_below_deg=90.0)).ablations != ()


def test_a_rib_of_one_millimetre_is_not_lost_on_two_millimetre_voxels():
    from netseg.domain import Grid, Mask
    from netseg.plan.cover import cover

    fine = Grid((41, 41, 41), np.diag([1.0, 1.0, 1.0, 1.0]), GRID.frame_uid)
    rib = np.zeros(fine.shape, bool)
    rib[:, 20, 7] = True
    coarse = Grid((21, 21, 21), np.diag([2.0, 2.0, 2.0, 1.0]), GRID.frame_uid)
    covered = cover(Mask(rib, fine), coarse)
    assert covered.any(axis=(1, 2)).all()


def test_another_lesion_in_the_window_is_not_punctured():
    """It fills the lower half of the window's view, so the needle keeps to the upper one."""
    hu = body()
    hu[SHELL & ~LEFT_WINDOW] = BONE
    other = (X - 25) ** 2 + (Y - 8) ** 2 + (Z + 4) ** 2 <= 6**2
    lesions = np.where(IN_LESION, 1, np.where(other, 2, 0))
    plan = plan_on(hu, lesions)
    first = next(a for a in plan.ablations if a.lesion_id == 1)
    assert distance_to(lesions == 2, first.probes[0]) >= 3.0


def test_another_lesion_that_fills_the_window_leaves_no_way():
    hu = body()
    hu[SHELL & ~LEFT_WINDOW] = BONE
    other = (np.abs(X - 25) < 4) & (np.abs(Y) < 20) & (np.abs(Z) < 20)
    plan = plan_on(hu, np.where(IN_LESION, 1, np.where(other, 2, 0)))
    unplanned = {u.lesion_id: u for u in plan.unplanned}
    assert unplanned[1].fallen["other lesion"] > 0


def test_a_needle_shorter_than_the_way_is_refused():
    """100 mm to the skin and 10 mm to the tip: 105 mm do not reach, 115 mm do."""
    fallen = plan_on(body(), needle_length_mm=105.0).unplanned[0].fallen
    assert fallen["longer than the needle"] > 1000
    assert plan_on(body(), needle_length_mm=115.0).ablations != ()


def test_gas_is_kept_five_millimetres_away():
    hu = body()
    hu[SHELL & ~LEFT_WINDOW] = BONE
    gas = (np.abs(X - 80) < 6) & (Y > 2) & (Y < 60) & (np.abs(Z) < 20) & IN_BODY
    hu[gas] = -950
    plan = plan_on(hu)
    assert distance_to(gas, only_probe(plan)) >= 5.0
    assert plan.ablations[0].clearance_mm["bowel gas"] >= 5.0


def test_a_given_obstacle_is_respected_and_named():
    """A slab to the left and one in front: the needle comes from the right."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[(X > 50) & (X < 60) & IN_BODY] = 1
    labels[(Y < -50) & (Y > -60) & IN_BODY] = 2
    plan = plan_on(body(), obstacles=LabelMap(labels, GRID, {1: "stomach", 2: "colon"}))
    probe = only_probe(plan)
    assert probe.direction[0] < -0.5
    assert distance_to(labels > 0, probe) >= 3.0
    assert plan.obstacles["stomach"] == "given"
    assert plan.ablations[0].clearance_mm["stomach"] > 3.0
    assert "stomach" not in plan.not_considered
    assert "gallbladder" in plan.not_considered


def test_obstacles_all_around_leave_no_way():
    labels = SHELL.astype(np.uint8)
    (unplanned,) = plan_on(body(), obstacles=LabelMap(labels, GRID)).unplanned
    assert unplanned.fallen["obstacle 1"] > 500


def test_a_liver_in_the_obstacle_map_does_not_block_the_liver():
    plan = plan_on(body(), obstacles=LabelMap(IN_LIVER.astype(np.uint8), GRID, {1: "liver"}))
    assert plan.ablations != ()
    assert "liver" not in plan.obstacles


def test_sixty_millimetres_of_soft_tissue_are_an_organ_not_a_wall():
    """Fat of 60 mm may be crossed, muscle-like tissue of 60 mm may not."""
    hu = body()
    hu[(hu == FAT) & ~IN_LIVER] = MUSCLE
    (unplanned,) = plan_on(hu).unplanned
    assert unplanned.fallen["too much soft tissue"] > 500


def test_skin_that_the_scanner_did_not_see_is_no_entry():
    """Padding begins 10 mm under the skin on all sides but the left."""
    hu = body()
    hu[(np.abs(Y) > 90) | (X < -90)] = -3024
    plan = plan_on(hu)
    assert only_probe(plan).entry_mm.x == pytest.approx(100.0, abs=1.5)


def test_the_table_leaves_no_room_for_a_handle():
    """A plate 12 mm off the left side closes the only window."""
    hu = body()
    hu[SHELL & ~LEFT_WINDOW] = BONE
    hu[(X > 112) & (X < 116)] = 200
    (unplanned,) = plan_on(hu).unplanned
    assert unplanned.fallen["table or arm at the skin"] > 0


def test_the_tip_stays_in_the_liver():
    """A lesion 4 mm under the right surface: from the left the tip would come out on the right."""
    near = (X + 36) ** 2 + Y**2 + Z**2 <= 4**2
    hu = body()
    hu[SHELL & ~LEFT_WINDOW] = BONE
    plan = plan_on(hu, near & IN_LIVER)
    assert plan.ablations == ()
    assert plan.unplanned[0].fallen["tip outside the liver"] > 0


def test_a_ring_is_aimed_at_in_its_wall():
    """The centre of mass of a ring lies in its hole."""
    radius = np.hypot(X, Y)
    ring = (radius > 14) & (radius < 24) & (np.abs(Z) < 8)
    probe = only_probe(plan_on(body(), ring))
    aimed = probe.tip_mm.as_array() + 10.0 * np.array(probe.direction)
    assert 14 < np.hypot(*aimed[:2]) < 24


def test_a_tip_that_would_lie_in_a_vessel_behind_the_lesion_is_refused():
    """The lesion ends 10 mm behind its centre, the tip 14 mm: in a sheet of bright blood.

    Inside the lesion itself vessels do not count, right beside it they do.
    """
    hu = body() + np.random.default_rng(0).normal(0, 5, GRID.shape).astype(np.int16)
    hu[SHELL & ~LEFT_WINDOW] = BONE
    hu[IN_LIVER & (X < -10) & (X > -20)] = 180
    fallen = plan_on(hu, active_length_mm=28.0).unplanned[0].fallen
    assert fallen["liver vessels"] > 0
    assert plan_on(hu, active_length_mm=18.0).ablations != ()  # 1 mm from the vessel, in the lesion
