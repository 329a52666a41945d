"""What counts as zone, rule by rule: each of these fails if its rule is taken out of the code."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from netseg.domain import Grid, LabelMap, Mask, Quantity, StudyRejectedError, Volume
from netseg.verify.zone import ClassicZone
from netseg.verify.zone_region import Scene, filled, touching

if TYPE_CHECKING:
    from netseg.domain import AblationZone

EDGE, SIZE = 2.0, 50
RADIUS, LIVER_HU, ZONE_HU = 13.0, 110.0, 60.0
ORIGIN = (0.0, 0.0, 0.0)


@lru_cache
def grid() -> Grid:
    affine = np.diag((EDGE, EDGE, EDGE, 1.0))
    affine[:3, 3] = -EDGE * (SIZE - 1) / 2
    return Grid((SIZE, SIZE, SIZE), affine, "1.2.3")


@lru_cache
def points() -> np.ndarray:
    return grid().to_mm(np.moveaxis(np.indices(grid().shape), 0, -1))


def off_mm(at) -> np.ndarray:
    return np.linalg.norm(points() - np.array(at), axis=-1)


def ball(at, radius_mm: float) -> np.ndarray:
    return off_mm(at) <= radius_mm


def liver() -> Mask:
    return Mask(ball(ORIGIN, 46.0), grid())


def picture(*dark, value: float = ZONE_HU) -> np.ndarray:
    """Liver in fat with dark balls, their edges as soft as a voxel."""
    hu = np.where(liver().inside, LIVER_HU, -90.0)
    for at, radius in dark:
        share = np.clip((radius - off_mm(at)) / EDGE + 0.5, 0.0, 1.0) * liver().inside
        hu = hu + share * (value - hu)
    return hu


def scan(hu: np.ndarray) -> Volume:
    noisy = hu + np.random.default_rng(0).normal(0.0, 8.0, hu.shape)
    return Volume(np.rint(noisy).astype(np.int16), grid(), Quantity.HU)


def lesion(at=ORIGIN, radius_mm: float = 7.0) -> LabelMap:
    return LabelMap(ball(at, radius_mm).astype(np.uint8), grid())


def found(hu: np.ndarray, at=ORIGIN, planned: np.ndarray | None = None) -> AblationZone:
    plan = None if planned is None else Mask(planned, grid())
    return ClassicZone().zone(scan(hu), lesion(at), liver(), plan)


def radius_of(inside: np.ndarray) -> float:
    return float((np.count_nonzero(inside) * EDGE**3 * 3 / (4 * np.pi)) ** (1 / 3))


@pytest.mark.parametrize("rim_hu", [25.0, 60.0])
def test_living_tissue_of_the_rim_is_never_zone(rim_hu: float) -> None:
    """A shell 4 mm thick: its middle lies 2 mm beyond the zone, and no voxel there is dead.

    A rule that took the rim for zone would find a ball of 17 mm instead of 13.
    """
    hu = picture((ORIGIN, RADIUS))
    hu[(off_mm(ORIGIN) > RADIUS + 1) & (off_mm(ORIGIN) < RADIUS + 4)] += rim_hu
    inside = found(hu).mask.inside
    middle = np.abs(off_mm(ORIGIN) - RADIUS - 2.5) < 0.8
    assert np.count_nonzero(inside & middle) < 0.02 * np.count_nonzero(middle)
    assert radius_of(inside) == pytest.approx(RADIUS, abs=0.6)


def test_gas_that_opens_into_the_rim_is_zone_as_far_as_it_goes() -> None:
    """Without gas as a seed of its own, a bubble of -700 HU would raise no alarm: it must be held."""
    hu = picture((ORIGIN, RADIUS))
    bubble = ball((10.0, 0.0, 0.0), 4.0)
    hu[bubble] = -700.0
    inside = found(hu).mask.inside
    assert inside[bubble].mean() > 0.97
    beyond = ball((10.0, 0.0, 0.0), 10.0) & (off_mm(ORIGIN) > RADIUS + 3.5) & ~bubble
    assert not (inside & beyond).any()


def test_gas_outside_the_liver_is_no_zone() -> None:
    """Bowel of -700 HU beside the liver, against a zone at the capsule: gas alone is no proof."""
    at = (32.0, 0.0, 0.0)
    hu = picture((at, RADIUS))
    bowel = ball((54.0, 0.0, 0.0), 14.0) & ~liver().inside
    hu[bowel] = -700.0
    wall = (off_mm((54.0, 0.0, 0.0)) < 17.0) & ~bowel & ~liver().inside
    hu[wall] = ZONE_HU
    inside = found(hu, at).mask.inside
    assert not (inside & (bowel | wall)).any()
    truth = ball(at, RADIUS) & liver().inside
    assert 2 * (inside & truth).sum() / (inside.sum() + truth.sum()) > 0.92


@pytest.mark.parametrize("with_plan", [False, True])
def test_a_lesion_carried_out_through_the_capsule_makes_no_fat_zone(*, with_plan: bool) -> None:
    """Its true place is 6 mm deeper; fat at -90 HU where it now lies, and where the plan reaches."""
    at, astray = (36.0, 0.0, 0.0), (42.0, 0.0, 0.0)
    plan = ball(astray, 14.0) if with_plan else None
    meant = None if plan is None else Mask(plan, grid())
    hu = scan(picture((at, 11.0)))
    inside = ClassicZone().zone(hu, lesion(astray, 10.0), liver(), meant).mask.inside
    assert not (inside & ~liver().inside).any()
    truth = ball(at, 11.0) & liver().inside
    assert 2 * (inside & truth).sum() / (inside.sum() + truth.sum()) > 0.92


def test_a_lesion_that_the_outline_of_the_liver_left_out_still_counts() -> None:
    """The liver was drawn around the lesion: zone is zone there."""
    at = (20.0, 0.0, 0.0)
    around = Mask(liver().inside & ~ball(at, 8.0), grid())
    zone = ClassicZone().zone(scan(picture((at, 12.0))), lesion(at, 8.0), around)
    assert zone.mask.inside[ball(at, 10.0)].all()


def test_a_vessel_as_dark_as_the_zone_is_left_where_it_leaves_it() -> None:
    """An unenhanced vein 5 mm wide runs from the zone to the capsule: 33 mm of leak if followed."""
    hu = picture((ORIGIN, RADIUS))
    x, y, z = np.moveaxis(points(), -1, 0)
    vein = (np.hypot(y, z) < 2.5) & (x > 0) & liver().inside
    hu[vein] = ZONE_HU - 15.0
    inside = found(hu).mask.inside
    assert not (inside & (x > RADIUS + 6.0)).any()
    assert radius_of(inside) == pytest.approx(RADIUS, abs=0.6)


def test_a_dark_lesion_beside_the_zone_that_nobody_treated_is_no_zone() -> None:
    """A cyst of 9 mm radius, 5 mm of liver between it and the zone, none of it counts."""
    cyst = (RADIUS + 5.0 + 9.0, 0.0, 0.0)
    inside = found(picture((ORIGIN, RADIUS), (cyst, 9.0))).mask.inside
    assert not (inside & ball(cyst, 9.5)).any()
    assert radius_of(inside) == pytest.approx(RADIUS, abs=0.5)


def test_a_neighbour_that_only_the_plan_touches_is_no_zone() -> None:
    """The plan was wide and reached a cyst; the zone at the lesion itself goes before it."""
    cyst = (RADIUS + 5.0 + 9.0, 0.0, 0.0)
    inside = found(picture((ORIGIN, RADIUS), (cyst, 9.0)), planned=ball(ORIGIN, 22.0)).mask.inside
    assert not (inside & ball(cyst, 9.5)).any()
    assert radius_of(inside) == pytest.approx(RADIUS, abs=0.5)


def test_a_seed_off_the_zone_finds_what_lies_within_six_millimetres_and_no_farther() -> None:
    """Lesion of 5 mm radius and zone of 12 mm: gaps of 1 and 12 mm between them."""
    near, far = (18.0, 0.0, 0.0), (29.0, 0.0, 0.0)
    zone = ClassicZone().zone(scan(picture((near, 12.0))), lesion(radius_mm=5.0), liver())
    assert zone.mask.inside[ball(near, 10.0)].all()
    with pytest.raises(StudyRejectedError, match="anything darker or brighter"):
        ClassicZone().zone(scan(picture((far, 12.0))), lesion(radius_mm=5.0), liver())


def test_an_empty_picture_is_refused_at_every_lesion() -> None:
    """Two lesions, no zone: both are named, and what was expected is told."""
    both = lesion((-20.0, 0.0, 0.0)).labels + 2 * lesion((20.0, 0.0, 0.0)).labels
    with pytest.raises(StudyRejectedError, match=r"at none of the lesions \[1, 2\]") as refusal:
        ClassicZone().zone(scan(picture()), LabelMap(both.astype(np.uint8), grid()), liver())
    assert "--zone" in (refusal.value.notice.hint or "")


def test_the_first_seed_that_any_part_reaches_decides() -> None:
    region = ball((-20.0, 0, 0), 6.0) | ball((20.0, 0, 0), 6.0)
    left, right, nowhere = ball((-20.0, 0, 0), 2.0), ball((20.0, 0, 0), 2.0), ball(ORIGIN, 2.0)
    assert np.array_equal(touching(region, left, right), ball((-20.0, 0, 0), 6.0))
    assert np.array_equal(touching(region, nowhere, right), ball((20.0, 0, 0), 6.0))
    assert not touching(region, nowhere).any()


def test_a_hollow_zone_is_filled_and_never_beyond_the_liver() -> None:
    """A shell of 10 to 13 mm: its hollow of 4.2 ml is zone; a shell cut by the capsule stays in it."""
    shell = ball(ORIGIN, 13.0) & ~ball(ORIGIN, 10.0)
    scene = Scene(
        values=np.full(grid().shape, 110.0, np.float32), liver=liver().inside,
        lesion=ball(ORIGIN, 5.0), spacing_mm=EDGE, edge_mm=1.5, is_hu=True,
    )  # fmt: skip
    closed = filled(shell, scene)
    assert closed[ball(ORIGIN, 7.0)].all()
    assert not (closed & ~ball(ORIGIN, 13.0)).any()
    at_edge = ball((45.0, 0, 0), 12.0) & ~ball((45.0, 0, 0), 8.0)
    assert not (filled(at_edge, scene) & ~liver().inside).any()
