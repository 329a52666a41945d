"""Where the organs lie: the patient's right is negative x, the back positive y, the head positive z."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.phantom import Phantom, Tissue, make_phantom
from netseg.phantom.liver import LiverShape, couinaud
from netseg.phantom.tissue import SEGMENT_NAMES


def centre(phantom: Phantom, inside: np.ndarray) -> np.ndarray:
    return phantom.grid.to_mm(np.argwhere(inside).mean(axis=0))


def organ(phantom: Phantom, *tissues: Tissue) -> np.ndarray:
    return centre(phantom, phantom.tissues.region(*tissues).inside)


def segment(phantom: Phantom, name: str) -> np.ndarray:
    number = next(n for n, s in SEGMENT_NAMES.items() if s == name)
    return centre(phantom, phantom.segments.region(number).inside)


def test_the_liver_lies_on_the_right_and_the_spleen_on_the_left(phantom: Phantom) -> None:
    assert centre(phantom, phantom.liver.inside)[0] < -40
    assert organ(phantom, Tissue.SPLEEN)[0] > 60


def test_the_spine_lies_behind_and_the_lungs_above_the_liver(phantom: Phantom) -> None:
    liver = centre(phantom, phantom.liver.inside)
    assert organ(phantom, Tissue.SPINAL_CANAL)[1] > liver[1] + 50
    assert abs(organ(phantom, Tissue.SPINAL_CANAL)[0]) < 8
    assert organ(phantom, Tissue.LUNG)[2] > liver[2]


def test_the_aorta_lies_left_of_the_vena_cava(phantom: Phantom) -> None:
    assert organ(phantom, Tissue.AORTA)[0] > organ(phantom, Tissue.INFERIOR_VENA_CAVA)[0] + 15


def test_the_right_kidney_stands_below_the_left() -> None:
    """In the atlas; the liver pushes it down."""
    from netseg.phantom.organs import Body, kidney_centre

    body = Body(liver=LiverShape())
    assert kidney_centre(-1, body)[2] < kidney_centre(1, body)[2]


@pytest.mark.parametrize("wanted_ml", [1250.0, 1850.0])
def test_the_liver_has_the_wanted_volume(wanted_ml: float) -> None:
    liver = make_phantom(9, spacing_mm=(3.0, 3.0, 3.0), lesions=None, liver_ml=wanted_ml).liver
    assert liver.volume_ml == pytest.approx(wanted_ml, rel=0.06)


@pytest.mark.parametrize("seed", [17, 101, 202])
def test_every_drawn_liver_weighs_what_livers_weigh(seed: int) -> None:
    volume = make_phantom(seed, spacing_mm=(4.0, 4.0, 4.0), lesions=None).liver.volume_ml
    assert 1150 <= volume <= 1950


def test_eight_segments_partition_the_liver(phantom: Phantom) -> None:
    assert phantom.segments.values == (1, 2, 3, 4, 5, 6, 7, 8)
    assert dict(phantom.segments.names) == SEGMENT_NAMES
    assert np.array_equal(phantom.segments.labels > 0, phantom.liver.inside)


def test_segments_lie_where_couinaud_put_them(phantom: Phantom) -> None:
    """VI below VII, V below VIII, III below II; VI and VII behind V and VIII; II-IV to the left."""
    at = {name: segment(phantom, name) for name in SEGMENT_NAMES.values()}
    for lower, upper in (("VI", "VII"), ("V", "VIII"), ("III", "II")):
        assert at[lower][2] < at[upper][2] - 15
    assert at["VI"][1] > at["V"][1] + 20
    assert at["VII"][1] > at["VIII"][1] + 20
    assert at["II"][0] > at["IV"][0] > at["VIII"][0]
    liver = centre(phantom, phantom.liver.inside)
    assert at["VI"][0] < liver[0]
    assert at["VI"][1] > liver[1]
    assert at["VI"][2] < liver[2]


def test_the_lobes_meet_in_cantlies_plane() -> None:
    """40 mm in front of the vena cava they meet tan(20 deg) x 40 mm = 14.6 mm right of its axis."""
    x = np.linspace(-70, 0, 1401)
    points = (x, np.full_like(x, 22.0 - 40.0), np.full_like(x, 60.0))
    shape = LiverShape(middle_vein_deg=20.0)
    left = np.isin(couinaud(points, shape), (2, 3, 4))
    boundary = x[np.argmax(left)]
    assert boundary == pytest.approx(-22.0 - 14.56, abs=0.1)


def test_the_caudate_touches_the_vena_cava(phantom: Phantom) -> None:
    from scipy.ndimage import distance_transform_edt

    cava = phantom.tissues.region(Tissue.INFERIOR_VENA_CAVA).inside
    away = distance_transform_edt(~cava, sampling=phantom.grid.spacing_mm)
    assert away[phantom.segments.region(1).inside].min() < 4.0


def test_hepatic_veins_run_between_segments_and_drain_into_the_cava(phantom: Phantom) -> None:
    """The trunks lie in the planes: near a vein there are two or more segments more often."""
    veins = phantom.tissues.region(Tissue.HEPATIC_VEIN).inside & phantom.liver.inside
    assert 3.0 < veins.sum() * phantom.grid.voxel_volume_ml < 40.0
    upper = phantom.grid.to_mm(np.argwhere(veins))[:, 2]
    lower = phantom.grid.to_mm(np.argwhere(phantom.share[Tissue.PORTAL_VEIN] > 200))[:, 2]
    assert np.median(upper) > np.median(lower)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_patient() -> None:
    def grown(seed: int) -> tuple[bytes, bytes]:
        phantom = make_phantom(seed, spacing_mm=(6.0, 6.0, 6.0))
        return phantom.tissues.labels.tobytes(), phantom.lesions.labels.tobytes()

    assert grown(3) == grown(3)
    assert grown(3) != grown(4)


def test_the_spacing_changes_the_voxels_not_the_patient() -> None:
    """The liver's centre at 3 mm and 6 mm voxels differs by less than a millimetre."""
    fine, coarse = (make_phantom(8, spacing_mm=(s, s, s), lesions=None) for s in (3.0, 6.0))
    assert np.abs(centre(fine, fine.liver.inside) - centre(coarse, coarse.liver.inside)).max() < 1.0
    assert fine.liver.volume_ml == pytest.approx(coarse.liver.volume_ml, rel=0.02)


def test_arrays_cannot_be_written(phantom: Phantom) -> None:
    with pytest.raises(ValueError, match="read-only"):
        phantom.tissues.labels[0, 0, 0] = 1
