"""From probabilities to numbered lesions."""

import numpy as np
import pytest

from netseg.domain import Grid
from netseg.segment.listing import Listing, boundary_sd_mm, list_lesions

GRID = Grid(shape=(40, 40, 40), affine_lps=np.diag((1.0, 1.0, 1.0, 1.0)), frame_uid="1.2")
EVERYTHING = Listing(smallest_ml=0.0, least_inside=0.0, least_confidence=0.0)


def ball(centre, radius, sd=0.01):
    """Probability of lesion where the boundary's place has a normal distribution of `sd` mm."""
    from scipy.special import ndtr

    at = np.stack(np.meshgrid(*[np.arange(40.0)] * 3, indexing="ij"), axis=-1)
    return ndtr((radius - np.linalg.norm(at - centre, axis=-1)) / sd).astype(np.float32)


def everywhere():
    return np.ones((40, 40, 40), bool)


def test_lesions_are_numbered_in_descending_volume():
    probability = np.maximum(ball((10, 10, 10), 4), ball((28, 28, 28), 8))
    listed = list_lesions(probability, everywhere(), GRID, 0.5, EVERYTHING)
    assert listed.labels[28, 28, 28] == 1
    assert listed.labels[10, 10, 10] == 2
    assert listed.dropped == 0


@pytest.mark.parametrize(("sd", "radius"), [(1.0, 12.0), (2.0, 12.0), (1.5, 9.0)])
def test_the_boundarys_uncertainty_is_the_one_that_made_the_map(sd, radius):
    probability = ball((20, 20, 20), radius, sd)
    listed = list_lesions(probability, everywhere(), GRID, 0.5, EVERYTHING)
    assert listed.boundary_sd_mm[1] == pytest.approx(sd, rel=0.12)


def test_a_neighbours_boundary_is_not_counted():
    probability = np.maximum(ball((12, 20, 20), 6, 1.0), ball((28, 20, 20), 6, 1.0))
    alone = boundary_sd_mm(ball((12, 20, 20), 6, 1.0), np.zeros_like(everywhere()), GRID)
    listed = list_lesions(probability, everywhere(), GRID, 0.5, EVERYTHING)
    assert listed.boundary_sd_mm[1] == pytest.approx(alone, rel=0.15)


def test_confidence_is_the_mean_of_the_surer_half():
    probability = np.zeros((40, 40, 40), np.float32)
    probability[10:14, 10, 10] = (0.6, 0.7, 0.8, 0.9)
    listed = list_lesions(probability, everywhere(), GRID, 0.5, EVERYTHING)
    assert listed.confidence[1] == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({"smallest_ml": 0.2}, 1),  # 4 mm radius: 0.27 ml, 3 mm: 0.11 ml
        ({"least_confidence": 0.9}, 1),
        ({"least_inside": 0.5}, 1),
        ({}, 2),
    ],
)
def test_what_is_too_small_too_doubtful_or_outside_is_dropped_and_counted(rules, kept):
    probability = np.maximum(ball((12, 20, 20), 4), 0.7 * ball((28, 20, 20), 3))
    liver = everywhere()
    liver[25:] = False
    nothing = {"smallest_ml": 0.0, "least_inside": 0.0, "least_confidence": 0.0}
    listed = list_lesions(probability, liver, GRID, 0.5, Listing(**(nothing | rules)))
    assert len(listed.confidence) == kept
    assert listed.dropped == 2 - kept
    assert set(np.unique(listed.labels)) == set(range(kept + 1))


def test_nothing_above_the_threshold_is_no_lesion():
    listed = list_lesions(0.3 * ball((20, 20, 20), 8), everywhere(), GRID, 0.5, EVERYTHING)
    assert listed.confidence == {}
    assert not listed.labels.any()


def test_a_clear_lesion_does_not_swell_with_the_threshold_that_finds_faint_ones():
    """A soft edge of 2 mm: the surface of 10 % lies 2.6 mm outside that of 50 %."""
    probability = ball((20, 20, 20), 10, 2.0)
    swollen, kept = (
        list_lesions(
            probability,
            everywhere(),
            GRID,
            0.1,
            Listing(smallest_ml=0.0, least_inside=0.0, least_confidence=0.0, extent=share),
        )
        for share in (0.0, 0.5)
    )
    radii = [(3 * np.count_nonzero(one.labels) / (4 * np.pi)) ** (1 / 3) for one in (swollen, kept)]
    assert radii[0] == pytest.approx(10 + 2 * 1.2816, abs=0.3)  # ndtr(-1.2816) = 0.1
    assert radii[1] == pytest.approx(10, abs=0.6)  # half of a confidence of about 0.85
