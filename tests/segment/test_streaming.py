"""A sweep of patches gives what one look at the whole would, slice by slice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netseg.domain import StudyRejectedError
from netseg.segment.sampling import Axis, resize
from netseg.segment.streaming import Sweep, brought_back, brought_down

SHAPES = [((20, 17, 33), (8, 8, 8)), ((5, 30, 9), (8, 16, 8)), ((16, 16, 8), (16, 16, 8))]


def axes(shape, spacing_mm):
    return tuple(Axis(count=n, spacing_mm=s) for n, s in zip(shape, spacing_mm, strict=True))


def sweep(answer, patch, overlap=0.5):
    return Sweep(answer=answer, structures=2, patch=patch, overlap=overlap, beyond=(-1.0,))


@pytest.mark.parametrize(("shape", "patch"), SHAPES)
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.8])
def test_what_a_network_says_of_a_voxel_itself_comes_back_unchanged(shape, patch, overlap):
    """Patches that agree average to what they say, whatever their overlap."""
    image = torch.rand((1, *shape), generator=torch.Generator().manual_seed(1))
    found = list(sweep(lambda part: torch.cat((part, 1 - part)), patch, overlap).settled(image))
    whole = np.concatenate(found, axis=-1)
    assert whole.shape == (2, *shape)
    assert np.abs(whole[0] - image[0].numpy()).max() < 1e-5
    assert np.abs(whole.sum(axis=0) - 1.0).max() < 1e-5


def test_only_as_many_slices_as_a_patch_is_thick_are_held():
    """Slices leave before the last patches are seen: 400 of them in pieces of at most 16."""
    seen = []

    def answer(part):
        seen.append(part.shape[-1])
        return torch.cat((part, part))

    pieces = sweep(answer, (8, 8, 16)).settled(torch.zeros((1, 8, 8, 400)))
    assert next(pieces).shape[-1] <= 16
    assert len(seen) == 1
    assert all(piece.shape[-1] <= 16 for piece in pieces)


def test_beyond_the_image_lies_what_the_channel_says():
    met = []

    def answer(part):
        met.append(part)
        return torch.cat((part, part))

    list(sweep(answer, (8, 8, 8)).settled(torch.ones((1, 4, 8, 8))))
    assert met[0][0, :4].eq(1).all()
    assert met[0][0, 4:].eq(-1).all()


def test_nan_is_refused():
    with pytest.raises(StudyRejectedError, match="answered NaN for 1024 voxels"):
        list(
            sweep(lambda part: torch.cat((part, part)) / 0 * 0, (8, 8, 8)).settled(
                torch.ones((1, 8, 8, 8))
            )
        )


@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.5), (0.5, 0.8, 0.6), (1.0, 1.0, 7.0)])
def test_slices_brought_back_one_by_one_are_those_of_the_whole(spacing_mm):
    rng = np.random.default_rng(2)
    scan = axes((12, 14, 40), (1.0, 1.0, 1.5))
    own = tuple(a.with_spacing(s) for a, s in zip(scan, spacing_mm, strict=True))
    values = rng.random((2, *(a.count for a in own)), dtype=np.float32)
    pieces = (values[..., k : k + 3] for k in range(0, values.shape[-1], 3))
    out = np.full((2, 12, 14, 40), np.nan, np.float32)
    for place, found in brought_back(pieces, own, scan):
        out[..., place] = found
    assert np.abs(out - np.stack([resize(v, own, scan) for v in values])).max() < 1e-5


def test_slabs_brought_down_are_those_of_the_whole():
    rng = np.random.default_rng(3)
    scan = axes((12, 14, 60), (1.0, 1.0, 1.0))
    own = tuple(a.with_spacing(s) for a, s in zip(scan, (2.0, 1.5, 2.5), strict=True))
    values = rng.normal(size=(12, 14, 60)).astype(np.float32)
    assert np.abs(brought_down(values, scan, own) - resize(values, scan, own)).max() < 1e-4
