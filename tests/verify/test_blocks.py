"""Block shells: the margin is the thickness of the shell, to the last digit."""

import numpy as np
import pytest

from netseg.domain.margin import Verdict
from netseg.domain.volume import Mask
from tests.geometry.shapes import ORIENTATIONS, block, grid
from tests.verify.checking import A0, margin, zone_of


def test_a_shell_of_exactly_five_millimetres_is_a0():
    report = A0.check(block(15, 25), zone_of(block(10, 30)), observed=True)
    assert report.smallest_mm == 5.0
    assert report.is_a0
    assert report.lesions[0].verdict is Verdict.A0


def test_a_shell_of_four_millimetres_is_not_a0():
    """Voxel centres are 5 mm apart here; the surfaces are not."""
    report = A0.check(block(15, 25), zone_of(block(11, 29)), observed=True)
    assert report.smallest_mm == 4.0
    assert not report.is_a0
    assert report.lesions[0].verdict is Verdict.NOT_A0


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize(
    ("spacing_mm", "size", "shell"),
    [
        ((0.5, 0.5, 0.5), (20, 20, 20), (10, 10, 10)),
        ((0.8, 0.8, 2.5), (20, 20, 6), (7, 7, 2)),  # 5.6 mm along the slices, 5.0 mm across
        ((1.25, 1.25, 5.0), (22, 22, 6), (4, 4, 1)),
    ],
)
def test_a_shell_is_five_millimetres_on_any_grid(spacing_mm, size, shell, name):
    shape = tuple(n + 2 * m + 4 for n, m in zip(size, shell, strict=True))
    on = grid(shape, spacing_mm, axes=ORIENTATIONS[name])
    lesion, zone = np.zeros((2, *shape), np.bool_)
    lesion[tuple(slice(m + 2, m + 2 + n) for n, m in zip(size, shell, strict=True))] = True
    zone[2:-2, 2:-2, 2:-2] = True
    assert margin(Mask(lesion, on), Mask(zone, on)).smallest_margin_mm == 5.0


def test_the_box_bound_stands_beside_it():
    assert margin(block(15, 25), block(11, 29)).box_lower_bound_mm == 4.0


def test_a_lesion_that_fills_its_zone_has_no_margin_but_leaves_nothing():
    found = margin(block(15, 25), block(15, 25))
    assert found.smallest_margin_mm == 0.0
    assert found.verdict is Verdict.NOT_A0
    assert found.residual_volume_ml == 0.0
    assert found.covered_fraction == 1.0


def test_a_slab_of_two_millimetres_outside_is_residual_tumour():
    zone = block(10, 30).inside.copy()
    zone[23:] = False
    found = margin(block(15, 25), Mask(zone, grid()))
    assert found.smallest_margin_mm == pytest.approx(-2.0, abs=0.01)
    assert found.verdict is Verdict.RESIDUAL
    assert found.residual_volume_ml == pytest.approx(0.2)
    assert found.covered_fraction == pytest.approx(0.8)


def test_a_lesion_that_was_missed_altogether_is_residual():
    found = margin(block(5, 10), block(25, 35))
    assert found.verdict is Verdict.RESIDUAL
    assert found.covered_fraction == 0.0
    assert found.residual_volume_ml == pytest.approx(0.125)
    assert found.smallest_margin_mm == pytest.approx(-20 * np.sqrt(3), abs=1.0)
    assert found.surface_share["below_0"] == 1.0


def test_a_stray_voxel_of_the_lesion_is_not_smoothed_away():
    """A satellite outside the zone keeps a large lesion from being A0."""
    lesion = block(15, 25).inside.copy()
    lesion[35, 20, 20] = True
    zone = A0.check(Mask(lesion, grid()), zone_of(block(8, 32)), observed=True)
    assert [m.verdict for m in zone.lesions] == [Verdict.A0, Verdict.RESIDUAL]


def test_a_spike_of_the_lesion_counts():
    """A tongue two voxels wide that leaves the zone."""
    lesion = block(15, 25).inside.copy()
    lesion[25:36, 19:21, 19:21] = True
    found = margin(Mask(lesion, grid()), block(8, 32))
    assert found.verdict is Verdict.RESIDUAL
    assert found.smallest_margin_mm == pytest.approx(-4.0, abs=1.0)


def test_a_cleft_in_the_zone_counts():
    """Two voxels of spared tissue beside a vessel reach to 2 mm from the lesion."""
    zone = block(8, 32).inside.copy()
    zone[27:, 19:21, 19:21] = False
    found = margin(block(15, 25), Mask(zone, grid()))
    assert found.smallest_margin_mm == pytest.approx(2.0, abs=0.3)
    assert found.verdict is Verdict.NOT_A0


def test_a_hole_of_one_voxel_in_the_zone_counts():
    zone = block(8, 32).inside.copy()
    zone[28, 20, 20] = False
    found = margin(block(15, 25), Mask(zone, grid()))
    assert found.smallest_margin_mm == pytest.approx(3.0, abs=0.3)
    assert found.verdict is Verdict.NOT_A0
