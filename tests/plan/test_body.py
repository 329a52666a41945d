"""Skin, table, lung and vessels in a CT."""

import numpy as np
import pytest

from netseg.domain import Quantity, Volume
from netseg.plan.anatomy import read_anatomy
from netseg.plan.body import body_of, clutter_around
from netseg.plan.vessels import bright_vessels
from netseg.plan.ways import sphere_directions
from tests.plan.bodies import (
    GRID,
    IN_BODY,
    IN_LESION,
    IN_LIVER,
    X,
    Y,
    Z,
    body,
    segmentation_of,
    study_of,
)


def ct(hu: np.ndarray) -> Volume:
    return Volume(hu.astype(np.int16), GRID, Quantity.HU)


def test_lungs_belong_to_the_body_and_the_air_around_does_not():
    hu = body()
    hu[(np.abs(X) < 30) & (np.abs(Y) < 30)] = -850
    assert np.array_equal(body_of(ct(hu)).inside, IN_BODY)


def test_a_table_on_which_the_patient_lies_is_taken_off_where_it_juts_out():
    """A shell of 4 mm that touches the back; under the back itself it cannot be told from skin."""
    hu = body()
    hu[(Y > 100) & (Y < 104) & (np.abs(X) < 115)] = 100
    inside = body_of(ct(hu)).inside
    assert inside[IN_BODY].all()
    assert not inside[np.abs(X) > 100].any()
    assert not inside[Y > 104].any()


def test_a_table_below_the_patient_is_clutter_and_a_cable_is_not():
    hu = body()
    hu[(Y > 112) & (Y < 116)] = 100
    hu[(X > 108) & (X < 112) & (np.abs(Z) < 10) & (np.abs(Y) < 10)] = 500
    clutter = clutter_around(ct(hu), body_of(ct(hu)))
    assert clutter[(Y > 112) & (Y < 116)].all()
    assert not clutter[X > 108][np.abs(Y[X > 108]) < 100].any()


def test_an_image_of_air_has_no_body():
    with pytest.raises(ValueError, match="no body"):
        body_of(ct(np.full(GRID.shape, -1000)))


def anatomy_of(hu: np.ndarray):
    seg = segmentation_of()
    return read_anatomy(study_of(hu).series[0], seg, seg.liver, None, 150.0)


def test_large_gas_up_to_the_dome_is_lung_and_other_gas_is_bowel():
    hu = body()
    lung = (np.abs(X) < 60) & (np.abs(Y) < 60) & (Z > 44)
    bowel = (X > 60) & (X < 80) & (np.abs(Y) < 10) & (Z < -10) & (Z > -30)
    hu[lung | bowel] = -900
    found = anatomy_of(hu).obstacles
    assert found["lung"].sum() * 0.008 == pytest.approx(lung.sum() * 0.008, rel=0.05)
    assert found["bowel gas"].sum() * 0.008 == pytest.approx(bowel.sum() * 0.008, rel=0.05)


def test_a_bright_lesion_is_no_bone_and_a_bright_rib_is():
    hu = body()
    hu[IN_LESION] = 900
    hu[(np.abs(X - 70) < 4) & (np.abs(Z) < 6)] = 900
    bone = anatomy_of(hu).obstacles["bone"]
    assert bone.any()
    assert not (bone & anatomy_of(hu).liver).any()


def test_a_tube_brighter_than_the_liver_is_a_vessel():
    """Two branches of 10 mm and 180 HU in a liver of 110 +- 10 HU; a twig of 2 mm vanishes."""
    rng = np.random.default_rng(0)
    hu = body() + rng.normal(0, 10, GRID.shape)
    branch = ((np.hypot(Y - 25, Z) < 5) | (np.hypot(Y, Z - 25) < 5)) & IN_LIVER
    twig = (np.hypot(Y + 25, Z) < 1) & IN_LIVER
    hu[branch | twig] = 180
    vessels = bright_vessels(ct(hu), IN_LIVER, IN_LESION)
    assert vessels is not None
    assert vessels[branch].mean() > 0.8
    assert not vessels[twig].any()
    assert not vessels[IN_LESION].any()


def test_the_enhancing_rim_of_a_lesion_is_no_vessel_but_a_vessel_beside_it_is():
    """A rim 3 mm wide around the lesion; a branch that touches the lesion and goes on."""
    hu = body() + np.random.default_rng(0).normal(0, 10, GRID.shape)
    off_centre = np.sqrt(X**2 + Y**2 + Z**2)
    hu[(off_centre > 10) & (off_centre < 13)] = 180
    far = (np.hypot(Y - 30, Z) < 6) & IN_LIVER
    hu[far] = 180
    vessels = bright_vessels(ct(hu), IN_LIVER, IN_LESION)
    assert vessels is not None
    assert not vessels[off_centre < 13].any()
    hu[(np.hypot(Y - 13, Z) < 5) & IN_LIVER & ~IN_LESION] = 180
    vessels = bright_vessels(ct(hu), IN_LIVER, IN_LESION)
    assert vessels is not None
    assert vessels[(np.hypot(Y - 13, Z) < 3) & IN_LIVER & ~IN_LESION].mean() > 0.8


def test_a_native_scan_shows_no_vessels_and_the_plan_says_so():
    hu = body() + np.random.default_rng(0).normal(0, 10, GRID.shape)
    assert bright_vessels(ct(hu), IN_LIVER, IN_LESION) is None
    anatomy = anatomy_of(hu)
    assert "liver vessels" in anatomy.not_considered
    assert "liver vessels" not in anatomy.obstacles


def test_directions_are_spread_evenly():
    """No gap wider than twice the mean distance of neighbours; no side preferred."""
    directions = sphere_directions(1000)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(np.ones(1000))
    assert np.abs(directions.mean(axis=0)).max() < 0.01
    probes = np.random.default_rng(0).normal(size=(500, 3))
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    nearest = np.arccos(np.clip((probes @ directions.T).max(axis=1), -1, 1))
    assert nearest.max() < np.sqrt(4 * np.pi / 1000)
