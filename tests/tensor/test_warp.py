"""The torch twins give what numpy and scipy give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netseg.register.sampling import bent, looked_up
from netseg.tensor.bending import bending_energy
from netseg.tensor.warp import resample, warp
from tests.geometry.shapes import FLIPPED, grid, turned

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(9, 8, 7)).astype(np.float32)


def test_a_warp_is_the_reference_s_lookup_border_included():
    on = grid((9, 8, 7), (2.0, 2.0, 2.0))
    shift = RNG.uniform(-3, 3, (3, 9, 8, 7)).astype(np.float32)
    expected = bent(VALUES, on, np.moveaxis(shift, 0, -1) * 2.0)
    found = warp(torch.from_numpy(VALUES)[None], torch.from_numpy(shift))[0].numpy()
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_shift_of_one_voxel_along_i_is_the_next_voxel_along_i():
    shift = torch.zeros((3, 9, 8, 7))
    shift[0] = 1.0
    found = warp(torch.from_numpy(VALUES)[None], shift)[0].numpy()
    assert found[:-1] == pytest.approx(VALUES[1:], abs=1e-5)


@pytest.mark.parametrize("axes", [np.eye(3), FLIPPED, turned(20)])
def test_resampling_is_the_reference_s_on_any_axes(axes):
    source = grid((9, 8, 7), (2.0, 2.0, 3.0), axes=axes)
    target = grid((6, 5, 4), (2.5, 1.5, 4.0), centre_mm=(1.0, -2.0, 0.5))
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = turned(10), (0.5, 1.0, -1.0)
    expected = looked_up(VALUES, source, target, motion)
    found = resample(torch.from_numpy(VALUES)[None], source, target, motion)[0].numpy()
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_plane_does_not_bend_and_a_parabola_bends_by_its_second_derivative():
    i = torch.arange(8.0)[:, None, None].expand(8, 8, 8)
    flat = torch.stack((3 * i, i, -i))
    bowl = torch.stack((i**2, 0 * i, 0 * i))  # second derivative 2, one component of three
    assert bending_energy(flat, 1.0).item() == pytest.approx(0.0, abs=1e-6)
    assert bending_energy(bowl, 1.0).item() == pytest.approx(4 / 3)
    assert bending_energy(bowl, 2.0).item() == pytest.approx(4 / 3 / 16)
