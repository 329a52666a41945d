"""What the trainer gets."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.phantom import LesionPrior, training_case, training_sample
from netseg.phantom.training import _thick_slices


def test_a_case_holds_a_whole_liver_with_labels_and_segments() -> None:
    hu, labels, segments = training_case(4, 4.0)
    assert hu.dtype == np.float32
    assert labels.dtype == segments.dtype == np.uint8
    assert hu.shape == labels.shape == segments.shape
    assert set(np.unique(labels)) <= {0, 1, 2}
    assert np.array_equal(labels > 0, segments > 0)
    border = labels.copy()
    border[1:-1, 1:-1, 1:-1] = 0
    assert not border.any()
    assert 1.1 < (labels > 0).sum() * 0.064 / 1000 < 2.0  # litres


def test_cases_follow_their_seed() -> None:
    first, again, other = (training_case(s, 6.0) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape != other[0].shape or not np.array_equal(first[0], other[0])


def test_liver_is_darker_than_bone_and_brighter_than_fat_in_every_case() -> None:
    for seed in range(3):
        hu, labels, _ = training_case(seed, 6.0)
        assert 20 < np.median(hu[labels == 1]) < 170
        assert hu.max() > 300
        assert hu.min() < -700


def test_a_fifth_of_the_cases_has_no_lesion_unless_the_prior_says_so() -> None:
    always = LesionPrior(free=0.0)
    assert all((training_case(s, 5.0, prior=always)[1] == 2).any() for s in range(3))
    never = LesionPrior(free=1.0)
    assert not (training_case(7, 5.0, prior=never)[1] == 2).any()


def test_a_sample_is_a_patch_that_shows_liver() -> None:
    image, labels = training_sample(np.random.default_rng(0), (48, 40, 32), 2.0)
    assert image.shape == (1, 48, 40, 32)
    assert labels.shape == (48, 40, 32)
    assert (labels > 0).any()
    assert np.isfinite(image).all()


def test_thick_slices_blur_the_image_but_do_not_move_it_against_its_labels() -> None:
    """A ramp along z stays the same ramp between the first and the last slice that was taken."""
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32), (3, 3, 40)).copy()
    moved = [_thick_slices(ramp, 1.5, np.random.default_rng(s))[1, 1, 8:32] for s in range(12)]
    assert any(not np.array_equal(m, ramp[1, 1, 8:32]) for m in moved)
    for m in moved:
        assert m == pytest.approx(ramp[1, 1, 8:32], abs=0.05)
