"""Changing voxel size: facts of averages and straight lines."""

import numpy as np
import pytest

from netseg.segment.cascade import Probability
from netseg.segment.sampling import Axis, resize, weights


def axes(shape, spacing_mm):
    return tuple(Axis(count=n, spacing_mm=s) for n, s in zip(shape, spacing_mm, strict=True))


def test_a_coarser_axis_is_centred_on_the_same_extent():
    fine = Axis(count=20, spacing_mm=1.5)
    coarse = fine.with_spacing(3.0)
    assert coarse.count == 10
    assert coarse.centres_mm[0] == pytest.approx(0.75)  # between the first two voxels
    assert coarse.centres_mm.mean() == pytest.approx(fine.centres_mm.mean())


def test_an_axis_of_no_voxels_is_refused():
    with pytest.raises(ValueError, match="positive size; got 0 of"):
        Axis(count=0, spacing_mm=1.0)


def test_a_constant_image_stays_constant_at_any_spacing():
    source = axes((7, 9, 5), (0.8, 0.8, 5.0))
    target = tuple(a.with_spacing(1.5) for a in source)
    assert resize(np.full((7, 9, 5), 37.0), source, target) == pytest.approx(37.0, abs=1e-4)


def test_a_ramp_in_millimetres_stays_the_same_ramp_when_refined():
    source = Axis(count=10, spacing_mm=3.0)
    target = Axis(count=18, spacing_mm=1.5, first_mm=0.75)
    assert weights(source, target) @ source.centres_mm == pytest.approx(target.centres_mm, abs=1e-4)


def test_thin_slices_are_averaged_and_not_skipped():
    """A bright voxel between two coarse centres still gives its share to both."""
    source, target = Axis(count=12, spacing_mm=1.0), Axis(count=3, spacing_mm=3.0, first_mm=1.0)
    one = np.zeros(12)
    one[5] = 9.0  # 1 mm from centre 4 mm, 2 mm from centre 7 mm: triangle shares 2:1, sum 3
    assert weights(source, target) @ one == pytest.approx([0.0, 2.0, 1.0], abs=1e-5)


def test_bringing_back_slab_by_slab_is_the_same_as_at_once():
    generator = np.random.default_rng(3)
    coarse = axes((12, 11, 13), (3.0, 3.0, 3.0))
    target = axes((38, 34, 44), (0.9, 0.9, 0.75))
    probability = Probability(values=generator.random((12, 11, 13)).astype(np.float32), axes=coarse)
    slabs = list(probability.slabs(target))
    assert len(slabs) == 3  # 44 slices, 16 at a time
    together = np.concatenate([values for _, values in slabs], axis=2)
    assert together == pytest.approx(resize(probability.values, coarse, target), abs=1e-6)


def test_nothing_is_claimed_beyond_the_region_that_was_looked_at():
    own = axes((4, 4, 4), (3.0, 3.0, 3.0))
    wider = Axis(count=20, spacing_mm=1.0, first_mm=-4.0)
    probability = Probability(values=np.ones((4, 4, 4), np.float32), axes=own)
    (_, values), *_ = probability.slabs((wider, wider, wider))
    inside = (wider.centres_mm >= -1.5) & (wider.centres_mm <= 10.5)
    assert (values[:, 10, 10] > 0).tolist() == inside.tolist()
