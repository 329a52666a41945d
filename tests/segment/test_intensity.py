"""Scales: numbers one can work out on paper."""

import pytest
import torch

from netseg.segment.channels import CHANNELS
from netseg.segment.intensity import absolute, against_liver, bright_signal, outside


def cube(*values):
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1)


def test_the_ct_window_is_minus_one_to_one():
    assert absolute("ct_portal", cube(-1000, -160, 40, 240, 900)).flatten().tolist() == [
        -1.0,
        -1.0,
        0.0,
        1.0,
        1.0,
    ]


def test_sixty_hounsfield_above_the_liver_are_one():
    liver = torch.tensor([True, True, True, False, False]).reshape(-1, 1, 1)
    scaled = against_liver("ct_arterial", cube(90, 100, 110, 160, 40), liver).flatten().tolist()
    assert scaled == pytest.approx([-1 / 6, 0, 1 / 6, 1, -1])


def test_twice_the_livers_uptake_is_one_and_half_of_it_minus_one():
    liver = torch.tensor([True, False, False]).reshape(-1, 1, 1)
    scaled = against_liver("pet_sstr", cube(5.9, 11.9, 2.9), liver).flatten().tolist()
    assert scaled == pytest.approx([0.0, 1.0, -1.0], abs=1e-5)  # 0.1 is added to both


def test_mr_is_the_same_at_any_gain_of_the_scanner():
    signal = 100.0 + 300.0 * torch.rand((8, 8, 8))
    liver = torch.zeros((8, 8, 8), dtype=torch.bool)
    liver[2:6] = True
    for scale in (absolute, lambda c, v: against_liver(c, v, liver)):
        assert torch.allclose(scale("mr_t2", signal), scale("mr_t2", 7.0 * signal), atol=1e-4)


def test_the_bright_signal_does_not_count_the_air():
    image = torch.zeros(10_000)
    image[:1000] = torch.linspace(100.0, 200.0, 1000)
    assert bright_signal(image) == pytest.approx(195.0, abs=0.5)


def test_an_empty_mr_is_no_division_by_zero():
    assert bool(torch.isfinite(absolute("mr_dwi", torch.zeros((4, 4, 4)))).all())


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_is_finite_and_bounded_also_without_a_liver(channel):
    values = torch.linspace(-2000, 4000, 512).reshape(8, 8, 8)
    nowhere = torch.zeros((8, 8, 8), dtype=torch.bool)
    for scaled in (absolute(channel, values), against_liver(channel, values, nowhere)):
        assert bool(torch.isfinite(scaled).all())
        assert float(scaled.abs().max()) <= 3.0


def test_beyond_an_image_there_is_air_and_no_uptake():
    assert outside("ct_native") == -1000.0
    assert outside("pet_fdg") == outside("mr_t1") == 0.0
