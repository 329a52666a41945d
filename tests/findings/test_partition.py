"""The approximate Couinaud segments, against anatomy and against phantoms that know theirs."""

import numpy as np
import pytest

from netseg.domain import Mask, Phase
from netseg.findings import approximate_segments, measure
from tests.findings.bodies import ct, ellipsoid, grid_around, grid_of, segmentation_of, study_of

CENTRE = np.array([-60.0, 10.0, 0.0])
GRID = grid_around(CENTRE, 220.0, (3.0, 3.0, 3.0), np.eye(3))
LIVER = Mask(ellipsoid(GRID, CENTRE, (90.0, 75.0, 70.0)), GRID)
SEGMENTS = approximate_segments(LIVER)


def centre_of(number: int) -> np.ndarray:
    return GRID.to_mm(np.argwhere(SEGMENTS.labels == number)).mean(axis=0)


def test_every_liver_voxel_has_a_segment_and_no_other():
    assert np.array_equal(SEGMENTS.labels > 0, LIVER.inside)


def test_the_caudate_is_never_assigned():
    assert SEGMENTS.values == (2, 3, 4, 5, 6, 7, 8)
    assert SEGMENTS.names[6] == "VI"


def test_sectors_hold_the_stated_shares_of_volume():
    share = {n: np.mean(SEGMENTS.labels[LIVER.inside] == n) for n in SEGMENTS.values}
    assert share[2] + share[3] == pytest.approx(0.16, abs=0.005)
    assert share[4] == pytest.approx(0.17, abs=0.005)
    assert share[5] + share[8] == pytest.approx(0.37, abs=0.005)
    assert share[6] + share[7] == pytest.approx(0.30, abs=0.005)


def test_segments_lie_where_couinaud_put_them():
    """X grows to the left, y to the back, z to the head."""
    x, y, z = (
        dict(zip(range(2, 9), c, strict=True))
        for c in zip(*map(centre_of, range(2, 9)), strict=True)
    )
    assert x[2] > x[4] > x[5]
    assert x[3] > x[4] > x[8]
    assert y[6] > y[5]
    assert y[7] > y[8]
    assert z[2] > z[3]
    assert z[8] > z[5]
    assert z[7] > z[6]


def test_the_same_liver_stored_flipped_has_the_same_segments():
    flipped = grid_around(CENTRE, 220.0, (3.0, 3.0, 3.0), np.diag([-1.0, -1.0, 1.0]))
    mirrored = approximate_segments(Mask(np.ascontiguousarray(LIVER.inside[::-1, ::-1]), flipped))
    assert np.array_equal(mirrored.labels[::-1, ::-1], SEGMENTS.labels)


def test_an_empty_liver_has_no_segments():
    with pytest.raises(ValueError, match="empty liver"):
        approximate_segments(Mask(np.zeros(GRID.shape, bool), GRID))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_phantoms_most_of_the_liver_and_every_planted_lesion_agree(seed):
    """The module's docstring states what was measured over more seeds."""
    from netseg.phantom import make_phantom

    phantom = make_phantom(seed)
    findings = measure(
        study_of(ct(0, phantom.grid, Phase.NATIVE)),
        segmentation_of(phantom.lesions.labels, phantom.grid, phantom.liver.inside),
    )
    truth = {one.id: one.segment for one in phantom.truth}
    assert {one.id: one.segment for one in findings.lesions} == truth
    own = approximate_segments(phantom.liver).labels
    judged = phantom.liver.inside & (phantom.segments.labels > 1)
    assert np.mean((own == phantom.segments.labels)[judged]) > 0.6


@pytest.mark.slow
def test_a_liver_of_millions_of_voxels_is_cut_where_the_same_liver_of_thousands_is():
    """Sums of float32 go astray after some millions of voxels, by 6 mm in this block's centre."""
    found = []
    for parts in (1, 5):
        edge = 5.0 / parts
        corner = tuple(np.array([300.0, 200.0, -900.0]) + edge / 2)
        grid = grid_of((40 * parts, 40 * parts, 36 * parts), (edge,) * 3, corner)
        found.append(approximate_segments(Mask(np.ones(grid.shape, bool), grid)).labels)
    assert (found[1][2::5, 2::5, 2::5] == found[0]).mean() > 0.99
