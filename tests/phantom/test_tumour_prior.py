"""Lesions as they are drawn and as they lie on voxels, before any image."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netseg.phantom.chance import Chance
from netseg.phantom.lesions import LesionKind
from netseg.phantom.looks import TELLING, TELLING_FREE, allowed_mimics
from netseg.phantom.tumour_prior import (
    Mimic,
    Order,
    Pattern,
    TumourPrior,
    draw_mimics,
    draw_orders,
)
from netseg.phantom.tumours import Growth, grow_all, survey

LabelMap = tuple[torch.Tensor, torch.Tensor]
PRIOR = TumourPrior()


def chance_of(seed: int) -> Chance:
    return Chance.on(torch.device("cpu"), torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def patients() -> list[tuple[list[Order], Pattern]]:
    """800 patients of whom a whole liver is seen."""
    chance = chance_of(11)
    return [draw_orders(PRIOR, 1500.0, chance) for _ in range(800)]


def test_a_fifth_of_the_patients_has_no_lesion(patients: list[tuple[list[Order], Pattern]]) -> None:
    free = sum(not orders for orders, _ in patients) / len(patients)
    assert free == pytest.approx(0.20, abs=0.04)


def test_patterns_are_mixed_as_the_source_says(patients: list[tuple[list[Order], Pattern]]) -> None:
    """Simple 20-25 %, complex 10-15 %, diffuse 60-70 %."""
    share = {p: sum(q is p for _, q in patients) / len(patients) for p in Pattern}
    assert 0.18 < share[Pattern.SIMPLE] < 0.27
    assert 0.09 < share[Pattern.COMPLEX] < 0.16
    assert 0.60 < share[Pattern.DIFFUSE] < 0.70


def test_sizes_and_looks_follow_the_priors_of_net_metastases(
    patients: list[tuple[list[Order], Pattern]],
) -> None:
    orders = [order for drawn, _ in patients for order in drawn]
    size = torch.tensor([o.diameter_mm for o in orders])
    assert float(size.min()) >= 4.0
    assert float(size.max()) <= 60.0
    assert float((size < 10).float().mean()) > 0.40
    assert float((size > 20).float().mean()) > 0.25
    hyper = sum(o.hyper for o in orders) / len(orders)
    assert 0.60 < hyper < 0.70
    large = [o for o in orders if o.diameter_mm >= 20]
    necrotic = sum(o.kind is LesionKind.NECROTIC for o in large) / len(large)
    assert necrotic == pytest.approx(0.35, abs=0.05)
    rings = sum(o.kind is LesionKind.RING for o in orders if 8 <= o.diameter_mm < 20)
    assert (
        0.25 < rings / sum(8 <= o.diameter_mm < 20 for o in orders) < 0.47
    )  # 0 ... 72 % by patient
    assert all(o.diameter_mm >= 8 for o in orders if o.kind is LesionKind.RING)


def test_a_patch_with_little_liver_gets_few_lesions_and_at_least_one() -> None:
    never_free = TumourPrior(free=0.0)
    chance = chance_of(3)
    few = [len(draw_orders(never_free, 150.0, chance)[0]) for _ in range(200)]
    many = [len(draw_orders(never_free, 1500.0, chance)[0]) for _ in range(200)]
    assert min(few) >= 1
    assert sum(few) < 0.4 * sum(many)


def test_look_alikes_are_drawn_only_where_a_channel_tells_them_from_a_lesion() -> None:
    """A native CT cannot tell a haemangioma from a metastasis; a PET cannot tell a cyst."""
    assert Mimic.HAEMANGIOMA not in allowed_mimics(("ct_native",), free=False)
    assert Mimic.HAEMANGIOMA in allowed_mimics(("ct_native", "ct_arterial"), free=False)
    assert set(allowed_mimics(("pet_sstr",), free=False)) == {Mimic.VESSEL, Mimic.PET_SPOT}
    assert set(allowed_mimics(tuple(TELLING[Mimic.CYST]), free=True)) == set(TELLING_FREE)
    assert draw_mimics(PRIOR, (), 1500.0, chance_of(1)) == []
    chance = chance_of(2)
    drawn = [o for _ in range(80) for o in draw_mimics(PRIOR, tuple(Mimic), 1500.0, chance)]
    assert {o.kind for o in drawn} == set(Mimic)
    assert 0.9 < len(drawn) / 80 < 1.7


def grown(label_map: LabelMap, orders: list[Order], seed: int) -> tuple[list[Growth], torch.Tensor]:
    ground = survey(label_map[1], 3.0)
    return grow_all(ground, orders, TumourPrior(touching=0.0), chance_of(seed))


def test_a_lesion_has_the_size_that_was_ordered(label_map: LabelMap) -> None:
    """An ellipsoid of longest diameter 40 mm whose other axes are 62-100 % as long: 13-34 ml."""
    order = Order(kind=LesionKind.HYPERVASCULAR, diameter_mm=40.0)
    inside = TumourPrior(capsule=0.0, dome=0.0, touching=0.0)
    for seed in range(6):
        ground = survey(label_map[1], 3.0)
        bodies, numbers = grow_all(ground, [order], inside, chance_of(seed))
        where = (numbers == 1).nonzero()
        assert len(bodies) == 1
        span = (where.max(0).values - where.min(0).values + 1) * 3.0
        assert float(span.max()) < 40.0 * 1.3 + 3.0
        if int(bodies[0].inside.sum()) == int((bodies[0].depth_mm > 0).sum()):  # not cut
            assert 0.6 * 0.62 * 33.5 < len(where) * 0.027 < 1.35 * 33.5


def test_bodies_stay_in_the_liver_and_apart(label_map: LabelMap) -> None:
    from scipy.ndimage import generate_binary_structure, label

    orders = [Order(kind=LesionKind.RING, diameter_mm=d) for d in (30.0, 14.0, 12.0, 9.0, 7.0)]
    for seed in range(5):
        bodies, numbers = grown(label_map, orders, seed)
        assert not bool(((numbers != 0) & ~label_map[1]).any())
        assert set(numbers.unique().tolist()) == {0, *(b.number for b in bodies)}
        pieces: Any = label((numbers > 0).numpy(), generate_binary_structure(3, 1))
        assert pieces[1] >= len(bodies)
        for body in bodies:
            assert bool((numbers[body.box][body.inside] == body.number).all())


def test_the_share_of_tumour_is_one_half_at_the_surface(label_map: LabelMap) -> None:
    """What is drawn as lesion is where the image changes by at least half."""
    bodies, _ = grown(label_map, [Order(kind=LesionKind.HYPOVASCULAR, diameter_mm=30.0)], 4)
    body = bodies[0]
    assert float(body.soft[body.inside].min()) >= 0.5
    outside = ~body.inside & label_map[1][body.box]
    assert float(body.soft[outside].max()) <= 0.5


def test_without_liver_nothing_grows(label_map: LabelMap) -> None:
    empty = survey(torch.zeros_like(label_map[1]), 3.0)
    bodies, numbers = grow_all(
        empty, [Order(kind=LesionKind.RING, diameter_mm=9.0)], PRIOR, chance_of(1)
    )
    assert bodies == []
    assert not bool(numbers.any())


def test_a_large_lesion_under_the_dome_reaches_the_upper_surface(label_map: LabelMap) -> None:
    """Always at the dome: the lesion's highest voxel lies within 15 mm of the liver's top there."""
    order = Order(kind=LesionKind.NECROTIC, diameter_mm=30.0)
    dome = TumourPrior(dome=1.0)
    liver = label_map[1]
    height = torch.arange(liver.shape[2])
    for seed in range(5):
        ground = survey(liver, 3.0)
        _, numbers = grow_all(ground, [order], dome, chance_of(seed))
        columns = (numbers > 0).any(dim=2)
        top = torch.where(liver, height, -1).amax(dim=2)[columns]
        reached = torch.where(numbers > 0, height, -1).amax(dim=2)[columns]
        assert float(((top - reached) * 3.0).min()) <= 15.0
