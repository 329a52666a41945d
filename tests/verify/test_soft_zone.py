"""A zone given as the share of each voxel that is destroyed is known between the voxels."""

import numpy as np
import pytest

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.errors import FrameMismatchError, StudyRejectedError
from netseg.domain.volume import Mask, Quantity, Volume
from netseg.verify import MarginRule
from tests.geometry.shapes import ball, block, grid
from tests.verify.checking import A0

FINE = 5  # samples per voxel edge


def share_of_ball(on, centre_mm, radius_mm):
    """How much of each voxel a ball fills."""
    parts = (np.moveaxis(np.indices((FINE,) * 3), 0, -1).reshape(-1, 3) + 0.5) / FINE - 0.5
    index = np.moveaxis(np.indices(on.shape), 0, -1).reshape(-1, 3)
    share = np.zeros(len(index), np.float32)
    for part in parts:
        away = np.linalg.norm(on.to_mm(index + part) - np.asarray(centre_mm), axis=1)
        share += away <= radius_mm
    return (share / len(parts)).reshape(on.shape)


def soft(values, on):
    return AblationZone(
        mask=Mask(values >= 0.5, on),
        evidence=Evidence.GIVEN_MASKS,
        membership=Volume(values.astype(np.float32), on, Quantity.PROBABILITY),
    )


def smallest(lesion, zone, rule=A0):
    return rule.check(lesion, zone, observed=True, details=False).smallest_mm


def half_covered(layers):
    """A block of 20 voxels, and so much of the next layer all around."""
    values = block(10, 30).inside.astype(np.float32)
    shell = block(9, 31).inside & ~block(10, 30).inside
    values[shell] = layers
    return values


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45, 0.6, 0.8])
def test_a_voxel_partly_destroyed_moves_the_surface_by_its_share(share):
    """The shell is 5 mm and a share of 1 mm; a mask would say 5 or 6."""
    found = smallest(block(15, 25), soft(half_covered(share), grid()))
    assert found == pytest.approx(5 + share, abs=0.15)


def test_shares_of_nought_and_one_are_the_mask():
    values = half_covered(0.0)
    assert smallest(block(15, 25), soft(values, grid())) == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize("slice_mm", [1.0, 2.5])
def test_soft_zones_between_the_voxels_are_measured_as_they_are(slice_mm):
    """Zones of 11.0 to 11.8 mm around a lesion of 6: each grows by 0.2 mm, a mask by jumps."""
    on = grid((36, 36, int(36 / slice_mm)), (1.0, 1.0, slice_mm))
    lesion = ball(on, (0.1, 0.2, 0.3), 6)
    truth = np.arange(5.0, 5.9, 0.2)
    zones = [soft(share_of_ball(on, (0.1, 0.2, 0.3), 6 + mm), on) for mm in truth]
    found = np.array([smallest(lesion, zone) for zone in zones])
    assert np.diff(found) == pytest.approx(0.2, abs=0.12)
    assert found - truth == pytest.approx(0.0, abs=0.35)


def test_a_soft_zone_on_other_voxels_keeps_its_surface():
    """The zone's scan is shifted by half a voxel: its shares are looked up between its voxels."""
    away = grid((40, 40, 40), centre_mm=(0.5, 0.5, 0.5))
    lesion = ball(grid(), (0, 0, 0), 7)
    zone = soft(share_of_ball(away, (0, 0, 0), 13), away)
    assert smallest(lesion, zone) == pytest.approx(6.0, abs=0.2)


def test_grey_values_are_no_shares():
    zone = soft(half_covered(0.3) * 60, grid())
    with pytest.raises(StudyRejectedError, match=r"PROBABILITY_RANGE.*from 0 to 60"):
        smallest(block(15, 25), zone)


def test_a_zone_that_is_nowhere_half_destroyed_is_empty():
    with pytest.raises(StudyRejectedError, match="MASK_EMPTY"):
        smallest(
            block(15, 25),
            AblationZone(
                mask=block(10, 30),
                evidence=Evidence.GIVEN_MASKS,
                membership=soft(0.4 * half_covered(0.0), grid()).membership,
            ),
            MarginRule(),
        )


def test_shares_of_another_scan_are_refused():
    elsewhere = grid(frame_uid="9.9")
    zone = AblationZone(
        mask=block(10, 30),
        evidence=Evidence.GIVEN_MASKS,
        membership=soft(half_covered(0.3), elsewhere).membership,
    )
    with pytest.raises(FrameMismatchError, match="never registered"):
        smallest(block(15, 25), zone)
