"""How lesions and look-alikes differ from liver in each channel."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from netseg.phantom.appearance import CHANNELS, Palette, draw_patient, free_palette, palette
from netseg.phantom.chance import Chance
from netseg.phantom.lesions import LesionKind
from netseg.phantom.looks import CLEAR_RIM, Look, change, draw_temper, look
from netseg.phantom.tissue import Tissue
from netseg.phantom.tumour_prior import Mimic, Order
from netseg.phantom.tumours import Growth


def chance_of(seed: int) -> Chance:
    return Chance.on(torch.device("cpu"), torch.Generator().manual_seed(seed))


def looks(channel: str, order: Order, count: int = 40) -> list[tuple[Look, Palette]]:
    """The same body in many patients without a fatty liver."""
    drawn = []
    for seed in range(count):
        chance = chance_of(seed)
        patient = replace(draw_patient(chance), fatty_hu=0.0)
        tissues = palette(channel, patient, chance)
        temper = draw_temper(tissues, chance)
        drawn.append((look(order, tissues, temper, patient, chance), tissues))
    return drawn


@pytest.mark.parametrize("channel", list(CHANNELS))
@pytest.mark.parametrize("kind", [k for k in LesionKind if k.is_tumour])
def test_no_rim_melts_into_the_liver_around_a_strong_core(channel: str, kind: LesionKind) -> None:
    """The outline a network learns is where the lesion ends, so the end must be seen."""
    order = Order(kind=kind, diameter_mm=30.0, hyper=True)
    for body, _ in looks(channel, order, 12):
        assert abs(body.rim) >= CLEAR_RIM[0] * abs(body.core) - 1e-6


def test_a_hypervascular_metastasis_is_brighter_than_liver_in_the_arterial_phase_only() -> None:
    order = Order(kind=LesionKind.HYPERVASCULAR, diameter_mm=15.0, hyper=True)
    assert all(body.rim > 15.0 for body, _ in looks("ct_arterial", order))
    assert all(body.rim < 0.0 for body, _ in looks("ct_portal", order))
    dark = Order(kind=LesionKind.HYPOVASCULAR, diameter_mm=15.0)
    assert all(body.rim < 0.0 for body, _ in looks("ct_arterial", dark))


def test_a_metastasis_takes_up_no_gadoxetate_and_is_bright_in_t2() -> None:
    order = Order(kind=LesionKind.HYPERVASCULAR, diameter_mm=15.0, hyper=True)
    assert all(body.rim < -0.2 * p.liver for body, p in looks("mr_hepatobiliary", order))
    assert all(body.rim > 0.3 * p.liver for body, p in looks("mr_t2", order))
    assert all(body.rim > 0.0 for body, _ in looks("mr_dwi", order))


def test_most_metastases_are_hot_in_sstr_and_only_about_half_in_fdg() -> None:
    order = Order(kind=LesionKind.HYPERVASCULAR, diameter_mm=15.0, hyper=True)
    hot = [body.rim > 0.4 * p.liver for body, p in looks("pet_sstr", order, 120)]
    assert 0.75 < sum(hot) / 120 < 0.95
    hot = [body.rim > 0.4 * p.liver for body, p in looks("pet_fdg", order, 120)]
    assert 0.40 < sum(hot) / 120 < 0.72


@pytest.mark.parametrize("channel", ["ct_native", "ct_arterial", "ct_portal", "ct_delayed"])
def test_a_cyst_holds_water_in_every_phase(channel: str) -> None:
    """-6 ... 18 HU, whatever the liver does."""
    for body, tissues in looks(channel, Order(kind=Mimic.CYST, diameter_mm=15.0), 10):
        assert -6.01 <= tissues.liver + body.rim <= 18.01
        assert body.rim == body.core


def test_a_haemangioma_fills_from_its_rim_and_shines_in_t2() -> None:
    order = Order(kind=Mimic.HAEMANGIOMA, diameter_mm=25.0)
    for body, _ in looks("ct_arterial", order, 10):
        assert body.nodular
        assert body.rim > 40.0 > body.core
    assert all(body.rim > 1.8 * p.liver for body, p in looks("mr_t2", order, 10))


def test_perfusion_shows_in_the_arterial_phase_and_a_spot_of_noise_in_pet_and_nowhere_else() -> (
    None
):
    faint = Order(kind=Mimic.PERFUSION, diameter_mm=25.0)
    spot = Order(kind=Mimic.PET_SPOT, diameter_mm=4.0)
    for channel, seen, hot in (
        ("ct_arterial", True, False),
        ("ct_portal", False, False),
        ("pet_sstr", False, True),
    ):
        assert all(body.seen is seen for body, _ in looks(channel, faint, 4))
        assert all(body.seen is hot for body, _ in looks(channel, spot, 4))


def test_treated_material_is_denser_than_any_enhancement() -> None:
    order = Order(kind=LesionKind.RING, diameter_mm=25.0, hyper=True, treated=True)
    assert all(body.treated >= 60.0 for body, _ in looks("ct_native", order, 6))
    plain = replace(order, treated=False)
    assert all(body.treated == 0.0 for body, _ in looks("ct_native", plain, 6))


def ball() -> Growth:
    """A ball of 12 mm radius on 1 mm voxels."""
    at = torch.arange(33, dtype=torch.float32) - 16.0
    away = (at[:, None, None] ** 2 + at[None, :, None] ** 2 + at[None, None, :] ** 2).sqrt()
    depth = 12.0 - away
    whole = slice(0, 33)
    return Growth(
        order=Order(kind=LesionKind.RING, diameter_mm=24.0),
        number=1,
        box=(whole, whole, whole),
        depth_mm=depth,
        inside=depth > 0,
        soft=torch.sigmoid(2.0 * depth),
        bumps=torch.zeros_like(depth),
        radius_mm=12.0,
    )


def test_a_ring_is_bright_outside_dark_inside_and_half_there_at_its_surface() -> None:
    body, image = ball(), torch.full((33, 33, 33), 100.0)
    added = change(body, Look(rim=40.0, core=-30.0, core_begins=0.3), 100.0, image)
    assert float(added[16, 16, 16]) == pytest.approx(-30.0, abs=0.5)
    assert float(added[16, 16, 16 + 11]) > 25.0  # a millimetre below the surface
    assert float(added[16, 16, 16 + 12]) == pytest.approx(20.0, abs=2.5)  # on it
    assert float(added[0, 0, 0]) == pytest.approx(0.0, abs=1e-3)


def test_a_lesion_hides_what_was_there_but_for_a_share() -> None:
    """A vessel 60 HU above the liver is 9 HU above it where the lesion swallowed it."""
    body, image = ball(), torch.full((33, 33, 33), 160.0)
    added = change(body, Look(rim=0.0, core=0.0, grain=1.0), 100.0, image)
    assert float((image + added)[16, 16, 16]) == pytest.approx(109.0, abs=0.1)


def test_freely_drawn_contrasts_stay_positive_outside_ct_and_keep_air_black() -> None:
    for seed in range(30):
        for channel in ("mr_t2", "pet_fdg"):
            drawn = free_palette(channel, chance_of(seed))
            assert bool((drawn.values >= 0.0).all())
            assert drawn.of(Tissue.AIR) == 0.0
            assert drawn.unit == drawn.liver > 0.0
            temper = draw_temper(drawn, chance_of(seed))
            assert drawn.liver + min(temper.contrast, temper.rim, temper.core) > 0.0
        assert free_palette("ct_portal", chance_of(seed)).of(Tissue.AIR) == -1000.0
