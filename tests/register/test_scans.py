"""Control and planning scans whose true motion is known, point by point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netseg.domain import (
    Code,
    FrameMismatchError,
    Mask,
    PointMm,
    Quantity,
    StudyRejectedError,
    Volume,
)
from netseg.register.scans import register_scans
from netseg.register.settings import Engine, RegistrationSettings
from netseg.register.transport import to_fixed, to_moving
from tests.geometry.shapes import FLIPPED, turned
from tests.register.bodies import TUMOUR, Motion, inner_points, pair

CPU = RegistrationSettings(device="cpu", spacing_mm=2.5)
QUICK = replace(CPU, engine=Engine.RIGID)


def error_mm(found, motion, points=None):
    points = inner_points(motion) if points is None else points
    return np.linalg.norm(to_moving(found, points) - motion.to_planning(points), axis=1)


@pytest.fixture(scope="module")
def motion():
    return Motion()


@pytest.fixture(scope="module")
def images(motion):
    return pair(motion)


@pytest.fixture(scope="module")
def found(images):
    return register_scans(**images, settings=CPU)


def test_a_bend_is_found_to_less_than_a_millimetre(found, images, motion):
    rigid = register_scans(**images, settings=QUICK)
    assert error_mm(rigid, motion).mean() > 1.4
    away = error_mm(found, motion)
    assert away.mean() < 0.8
    assert np.percentile(away, 95) < 1.6
    assert found.is_trusted


def test_a_dark_zone_does_not_pull_the_dark_tumour(found, motion):
    """The zone is 6 mm wider: a tumour stretched onto it would have eight times its volume."""
    rng = np.random.default_rng(0)
    ways = rng.normal(size=(500, 3))
    ways *= TUMOUR[1] / np.linalg.norm(ways, axis=1, keepdims=True)
    surface = TUMOUR[0] + ways
    away = np.linalg.norm(to_fixed(found, surface) - motion.to_control(surface), axis=1)
    assert away.mean() < 1.2
    assert abs(found.gates["lesion_volume_change"].value) < 0.05
    assert found.gates["folded_share"].value == 0


def test_without_zone_and_tumour_named_the_tumour_is_stretched(images, found):
    """The twin: nobody says where zone and tumour lie, and demons pull one onto the other."""
    blind = {**images, "zone": None, "lesions": None}
    demons = replace(CPU, engine=Engine.DEMONS, check_backwards=False)
    pulled = register_scans(**blind, settings=demons)
    assert stretch(pulled) > 1.15
    assert stretch(found) == pytest.approx(1.0, abs=0.05)


def stretch(found):
    """Volume of the tumour in the control scan over that in the planning scan, by twelve spokes."""
    ways = np.concatenate((np.eye(3), -np.eye(3), (np.ones((1, 3)) / np.sqrt(3)))) * TUMOUR[1]
    spokes = to_fixed(found, TUMOUR[0] + ways) - to_fixed(found, TUMOUR[0][None])
    return float(np.mean(np.linalg.norm(spokes, axis=1) / TUMOUR[1]) ** 3)


def test_the_same_scans_give_the_same_bytes_twice(images, found):
    again = register_scans(**images, settings=CPU)
    assert np.array_equal(again.matrix, found.matrix)
    assert again.bend_mm.tobytes() == found.bend_mm.tobytes()
    assert again.error_mm == found.error_mm


@pytest.mark.slow
@pytest.mark.parametrize("axes", [FLIPPED, turned(25) @ FLIPPED], ids=["flipped", "oblique"])
def test_flipped_and_oblique_control_scans_are_registered_as_well(axes, motion):
    found = register_scans(**pair(motion, control_axes=axes), settings=CPU)
    assert error_mm(found, motion).mean() < 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [(False, True), (True, False), (True, True)],
    ids=["ct-mr", "mr-ct", "mr-mr"],
)
def test_scans_of_either_kind_meet(before, after, motion):
    """Vessels are bright in the CT and dark in the MR; the MRs' scales of values differ too."""
    found = register_scans(**pair(motion, mr=after, mr_before=before), settings=CPU)
    assert error_mm(found, motion).mean() < 1.0
    assert found.is_trusted
    assert abs(found.gates["lesion_volume_change"].value) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Engine.DEMONS, Engine.TORCH])
def test_the_engines_agree(engine, images, found, motion):
    other = register_scans(**images, settings=replace(CPU, engine=engine, check_backwards=False))
    points = inner_points(motion)
    apart = np.linalg.norm(to_moving(other, points) - to_moving(found, points), axis=1)
    assert error_mm(other, motion).mean() < 1.3
    assert apart.mean() < 1.2
    ways = np.random.default_rng(0).normal(size=(300, 3))
    surface = TUMOUR[0] + TUMOUR[1] * ways / np.linalg.norm(ways, axis=1, keepdims=True)
    lesion = np.linalg.norm(to_fixed(other, surface) - to_fixed(found, surface), axis=1)
    assert lesion.mean() < 1.3


def test_the_error_is_told_and_is_never_nothing(found, images, motion):
    assert 0.5 < found.error_mm < 3.0
    points = motion.to_control(np.array([[-20.0, 2, 4]]))[0]
    wrong = (PointMm.of(points), PointMm.of(TUMOUR[0] + np.array([9.0, 0, 0])))
    marked = register_scans(**images, landmarks=[wrong], settings=QUICK)
    assert marked.landmarks_mm[0] == pytest.approx(9.0, abs=2.5)
    assert marked.error_mm == pytest.approx(marked.landmarks_mm[0], abs=1e-3)
    assert marked.gates["landmarks_mm"].passed is False


def test_a_rigid_registration_tells_the_bend_that_it_left_out(images, motion):
    """2.5 mm waves per axis and none: where nothing bends, little is left out."""
    still = Motion(bend_mm=0.0)
    bent = register_scans(**images, settings=QUICK)
    stiff = register_scans(**pair(still), settings=QUICK)
    assert bent.error_mm > stiff.error_mm + 0.5
    assert error_mm(bent, motion).mean() < bent.error_mm < 3.5
    assert error_mm(stiff, still).mean() < stiff.error_mm < 2.0


def test_a_liver_of_somebody_else_is_refused(images):
    other = images["planning_liver"]
    small = np.zeros(other.grid.shape, np.bool_)
    small[22:30, 22:30, 22:30] = True
    with pytest.raises(StudyRejectedError, match=r"still \d+\.\d mm apart") as refused:
        register_scans(**{**images, "planning_liver": Mask(small, other.grid)}, settings=QUICK)
    assert refused.value.notice.code is Code.LIVERS_DIFFER


def test_livers_that_do_not_cover_each_other_make_the_registration_untrusted(images):
    other = images["planning_liver"]
    half = other.inside & (np.arange(other.grid.shape[0]) > 17)[:, None, None]
    found = register_scans(**{**images, "planning_liver": Mask(half, other.grid)}, settings=QUICK)
    assert found.gates["liver_dice"].passed is False
    assert not found.is_trusted


def test_a_pet_is_refused_and_its_ct_named(images):
    pet = replace_quantity(images["control"], Quantity.SUVBW)
    with pytest.raises(StudyRejectedError, match="register the CT of the same session") as refused:
        register_scans(**{**images, "control": pet}, settings=QUICK)
    assert refused.value.notice.code is Code.UNSUPPORTED_MODALITY


def replace_quantity(volume, quantity):
    return Volume(volume.values, volume.grid, quantity)


def test_a_zone_in_the_planning_scan_s_frame_is_refused(images):
    astray = images["lesions"].region()
    with pytest.raises(FrameMismatchError, match="never registered"):
        register_scans(**{**images, "zone": astray}, settings=QUICK)


def test_scans_that_share_a_frame_are_registered_and_that_is_said(images, motion):
    grid = images["control"].grid
    here = type(grid)(grid.shape, grid.affine_lps, images["planning"].grid.frame_uid)
    moved = {
        **images,
        "control": Volume(images["control"].values, here, Quantity.HU),
        "control_liver": Mask(images["control_liver"].inside, here),
        "zone": Mask(images["zone"].inside, here),
    }
    found = register_scans(**moved, settings=QUICK)
    assert [w.code for w in found.warnings] == [Code.REGISTERED_WITHIN_FRAME]
    assert error_mm(found, motion).mean() < 3.0


def test_settings_without_sense_are_refused():
    with pytest.raises(ValueError, match="spacing_mm must be positive"):
        RegistrationSettings(spacing_mm=0.0)
    with pytest.raises(ValueError, match="'magic' is not a valid Engine"):
        RegistrationSettings(engine="magic")
