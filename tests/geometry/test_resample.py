"""The voxel at one point of the patient has one value, on whichever grid."""

import tracemalloc

import numpy as np
import pytest

from netseg.domain.errors import FrameMismatchError
from netseg.domain.grid import Grid
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume
from netseg.geometry import resample as module
from netseg.geometry.resample import resample, resample_labels, resample_mask
from tests.geometry.shapes import ORIENTATIONS, ball, block, grid

AIR_HU = -1000.0


def slope(on: Grid) -> Volume:
    """A function that linear interpolation reproduces: 100 + 2 x - 3 y + 5 z."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in on.shape), indexing="ij"), axis=-1)
    values = 100 + on.to_mm(index.reshape(-1, 3)) @ (2.0, -3.0, 5.0)
    return Volume(values.reshape(on.shape).astype(np.float32), on, Quantity.HU)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_linear_function_stays_what_it_is_on_any_grid(name, order):
    here = grid((40, 42, 30), (0.8, 0.9, 2.5), axes=ORIENTATIONS[name], centre_mm=(5, -7, 90))
    there = grid((11, 12, 13), (1.1, 1.3, 0.7), axes=ORIENTATIONS["turned"], centre_mm=(5, -7, 90))
    moved = resample(slope(here), there, order=order, outside=AIR_HU)
    np.testing.assert_allclose(moved.values, slope(there).values, atol=2e-3 if order == 1 else 0.1)
    assert moved.quantity is Quantity.HU


def test_the_own_grid_gives_the_volume_itself():
    volume = slope(grid((4, 5, 6)))
    assert resample(volume, grid((4, 5, 6)), outside=0.0) is volume


def test_beyond_the_field_of_view_stands_what_the_caller_says():
    """The field of view ends half a voxel beyond the last centre."""
    here = Volume(np.full((4, 4, 4), 40, np.int16), grid((4, 4, 4)), Quantity.HU)
    line = resample(here, grid((61, 1, 1), (0.1, 1.0, 1.0)), outside=AIR_HU).values[:, 0, 0]
    x = np.linspace(-3, 3, 61)
    assert set(line[np.abs(x) < 1.99]) == {40.0}
    assert set(line[np.abs(x) > 2.01]) == {AIR_HU}


def test_a_border_plane_does_not_fall_out_by_rounding():
    """Voxels on the outermost centres lie within the field of view, a picometre more or less."""
    here = grid((10, 10, 10), axes=ORIENTATIONS["turned"])
    affine = here.affine_lps.copy()
    affine[:3] += 1e-9
    there = Grid((10, 10, 9), affine, here.frame_uid)
    moved = resample(Volume(np.ones((10, 10, 10), np.float32), here, Quantity.HU), there, outside=0)
    assert moved.values.min() == pytest.approx(1.0)


def test_slabs_leave_no_seam(monkeypatch):
    here, there = grid((20, 20, 20)), grid((24, 24, 24), axes=ORIENTATIONS["turned"])
    whole = resample(slope(here), there, outside=0.0).values
    monkeypatch.setattr(module, "SLAB_VOXELS", 24 * 24 * 5)
    np.testing.assert_allclose(resample(slope(here), there, outside=0.0).values, whole, atol=1e-4)


def test_a_large_scan_is_not_copied_as_float64():
    """Beyond the float32 result only a slab or two is held."""
    here = Volume(np.zeros((256, 256, 128), np.int16), grid((256, 256, 128)), Quantity.HU)
    there = grid((256, 256, 192), (1.0, 1.0, 0.7))
    tracemalloc.start()
    result = resample(here, there, outside=0.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < result.values.nbytes + 10 * module.SLAB_VOXELS * 4


def test_two_frames_never_meet():
    elsewhere = grid((4, 4, 4), frame_uid="9.9")
    for move in (
        lambda: resample(slope(grid((4, 4, 4))), elsewhere, outside=0.0),
        lambda: resample_mask(block(1, 3, grid((4, 4, 4))), elsewhere),
        lambda: resample_labels(LabelMap.empty(grid((4, 4, 4))), elsewhere),
    ):
        with pytest.raises(FrameMismatchError, match="never registered"):
            move()


def test_a_senseless_order_or_filling_is_refused():
    with pytest.raises(ValueError, match="0 … 5; got 7"):
        resample(slope(grid((4, 4, 4))), grid((5, 5, 5)), order=7, outside=0.0)
    with pytest.raises(ValueError, match="finite; got nan"):
        resample(slope(grid((4, 4, 4))), grid((5, 5, 5)), outside=np.nan)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_sphere_keeps_its_volume_and_place(name):
    here = grid((50, 50, 24), (0.8, 0.8, 2.0), axes=ORIENTATIONS[name])
    there = grid((48, 48, 48))
    moved = resample_mask(ball(here, (2.0, -1.0, 3.0), 12.0), there)
    assert moved.volume_ml == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.02)
    centre = there.to_mm(np.argwhere(moved.inside)).mean(axis=0)
    np.testing.assert_allclose(centre, (2.0, -1.0, 3.0), atol=0.15)


def test_a_block_on_half_the_voxels_keeps_its_faces():
    """2 mm voxels from 1 mm ones, face on face: exactly an eighth of the voxels."""
    fine = Mask(
        np.kron(block(2, 8, grid((10, 10, 10))).inside, np.ones((2, 2, 2), bool)),
        grid((20, 20, 20), (1.0, 1.0, 1.0)),
    )
    coarse = resample_mask(fine, grid((10, 10, 10), (2.0, 2.0, 2.0)))
    np.testing.assert_array_equal(coarse.inside, block(2, 8, grid((10, 10, 10))).inside)


def test_beyond_its_field_of_view_a_mask_is_empty():
    full = Mask(np.ones((4, 4, 4), bool), grid((4, 4, 4)))
    assert np.count_nonzero(resample_mask(full, grid((8, 8, 8))).inside) == 64


def test_labels_are_never_mixed():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[:10], labels[10:] = 1, 9
    here = LabelMap(labels, grid((20, 20, 20)), {1: "right", 9: "left"})
    moved = resample_labels(here, grid((16, 16, 16), axes=ORIENTATIONS["turned"]))
    assert moved.values == (1, 9)
    assert moved.labels.dtype == np.uint8
    assert moved.names == here.names


def test_labels_beyond_the_field_of_view_are_background():
    here = LabelMap(np.full((4, 4, 4), 3, np.uint8), grid((4, 4, 4)))
    moved = resample_labels(here, grid((8, 8, 8)))
    assert np.count_nonzero(moved.labels) == 64
