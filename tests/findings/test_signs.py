"""What CT phases say of a lesion: washout, necrosis, bright material, rings; in HU one can add up."""

import numpy as np
import pytest

from netseg.domain import Phase
from netseg.findings import measure
from tests.findings.bodies import ct, ellipsoid, grid_of, segmentation_of, study_of

GRID = grid_of((60, 60, 40), (1.5, 1.5, 2.0), (-44.25, -44.25, -39.0))
LIVER = ellipsoid(GRID, np.zeros(3), (43.0, 43.0, 38.0))
LESION = ellipsoid(GRID, np.zeros(3), (12.0,) * 3)
CORE = ellipsoid(GRID, np.zeros(3), (8.0,) * 3)
TINY = ellipsoid(GRID, np.zeros(3), (4.0,) * 3)
NATIVE, ARTERIAL, PORTAL, DELAYED = (
    Phase.NATIVE,
    Phase.LATE_ARTERIAL,
    Phase.PORTAL_VENOUS,
    Phase.DELAYED,
)


def phases(levels, *, noise=0.0, lesion=LESION, core=None, seed=1):
    """Levels by phase: (lesion, liver), or (rim, liver, core) with a core."""
    rng = np.random.default_rng(seed)
    series = []
    for phase, hu in levels.items():
        values = np.where(LIVER, hu[1], -100.0)
        values = np.where(lesion, hu[0], values)
        if core is not None:
            values = np.where(core, hu[2], values)
        series.append(ct(values + rng.normal(0, noise, GRID.shape), GRID, phase))
    return study_of(*series)


def lesion_of(study, lesion=LESION, liver=LIVER):
    return measure(study, segmentation_of(lesion, GRID, liver)).lesions[0]


def test_contrast_and_its_ratio_to_noise():
    """110 against 80 HU in noise of 15 HU: 30 HU, twice the noise."""
    m = lesion_of(phases({ARTERIAL: (110, 80)}, noise=15.0)).measures
    assert m["contrast_hu_late_arterial"] == pytest.approx(30, abs=2)
    assert m["cnr_hu_late_arterial"] == pytest.approx(2.0, abs=0.2)


def test_washout_formulas():
    """A 130, P 95, D 80, N 40: relative 35/130 and 50/130, absolute 35/90 and 50/90."""
    levels = {NATIVE: (40, 55), ARTERIAL: (130, 75), PORTAL: (95, 115), DELAYED: (80, 95)}
    lesion = lesion_of(phases(levels))
    m = lesion.measures
    assert m["washout_relative_pct_portal_venous"] == pytest.approx(100 * 35 / 130)
    assert m["washout_relative_pct_delayed"] == pytest.approx(100 * 50 / 130)
    assert m["washout_absolute_pct_portal_venous"] == pytest.approx(100 * 35 / 90)
    assert m["washout_absolute_pct_delayed"] == pytest.approx(100 * 50 / 90)
    assert lesion.signs["arterial_hyperenhancement"] is True
    assert lesion.signs["washout"] is True


def test_without_native_there_is_no_absolute_washout():
    m = lesion_of(phases({ARTERIAL: (130, 75), PORTAL: (95, 115)})).measures
    assert "washout_relative_pct_portal_venous" in m
    assert "washout_absolute_pct_portal_venous" not in m


def test_a_lesion_that_stays_bright_does_not_wash_out():
    lesion = lesion_of(phases({ARTERIAL: (130, 75), PORTAL: (120, 115), DELAYED: (100, 95)}))
    assert lesion.signs["washout"] is False


def test_what_was_never_bright_cannot_wash_out():
    lesion = lesion_of(phases({ARTERIAL: (70, 75), PORTAL: (70, 115)}))
    assert lesion.signs["arterial_hyperenhancement"] is False
    assert "washout" not in lesion.signs
    assert "no arterial hyper-enhancement" in lesion.unknown["washout"]


def test_without_an_arterial_phase_both_are_unknown():
    lesion = lesion_of(phases({PORTAL: (70, 115)}))
    assert "arterial_hyperenhancement" not in lesion.signs
    assert "no late arterial CT" in lesion.unknown["arterial_hyperenhancement"]
    assert "washout" in lesion.unknown


def test_without_a_liver_nothing_is_bright_or_dark():
    lesion = lesion_of(phases({ARTERIAL: (130, 75)}), liver=None)
    assert "lesion-free liver" in lesion.unknown["arterial_hyperenhancement"]


def test_after_the_arterial_phase_alone_washout_is_unknown():
    assert lesion_of(phases({ARTERIAL: (130, 75)})).unknown["washout"].startswith("no portal")


def test_a_difference_that_noise_could_make_is_not_a_sign():
    """Four voxels, 14 HU brighter, in noise of 40 HU: within three standard errors (60 HU)."""
    speck = np.zeros(GRID.shape, bool)
    speck[30:32, 30:32, 20] = True
    study = phases({ARTERIAL: (94, 80)}, noise=0.0, lesion=speck)
    noisy = np.where(speck, 0.0, np.random.default_rng(2).normal(0, 40, GRID.shape))
    values = study.series[0].volume.values + noisy
    lesion = lesion_of(study_of(ct(values, GRID, ARTERIAL)), speck)
    assert lesion.measures["contrast_hu_late_arterial"] == pytest.approx(14, abs=1)
    assert lesion.unknown["arterial_hyperenhancement"].startswith("noise hides")


def test_a_dead_core_has_its_share_of_the_volume():
    """Radius 8 in 12: (8/12)³ = 30 %, that gains 3 HU from native to portal, the rim 60."""
    study = phases({NATIVE: (40, 55, 25), PORTAL: (100, 115, 28)}, noise=10.0, core=CORE)
    lesion = lesion_of(study)
    assert lesion.measures["necrosis_share"] == pytest.approx((8 / 12) ** 3, abs=0.06)
    (region,) = [r for r in lesion.regions if "necrosis_share" in r.measures]
    assert "10 HU or less from native" in region.name


def test_without_native_the_portal_phase_decides_and_says_so():
    lesion = lesion_of(phases({PORTAL: (100, 115, 15)}, noise=10.0, core=CORE))
    assert lesion.measures["necrosis_share"] == pytest.approx((8 / 12) ** 3, abs=0.06)
    (region,) = [r for r in lesion.regions if "necrosis_share" in r.measures]
    assert "below 30 HU portal" in region.name


def test_a_viable_lesion_has_no_dead_part_in_spite_of_noise():
    lesion = lesion_of(phases({NATIVE: (40, 55), PORTAL: (80, 115)}, noise=15.0))
    assert lesion.measures["necrosis_share"] < 0.01


def test_without_a_portal_phase_necrosis_is_unknown():
    lesion = lesion_of(phases({ARTERIAL: (130, 75)}))
    assert "necrosis_share" not in lesion.measures
    assert "no portal venous CT" in lesion.unknown["necrosis_share"]


def test_calcification_is_bright_before_contrast():
    study = phases({NATIVE: (40, 55, 400), PORTAL: (90, 115, 420)}, core=TINY)
    assert lesion_of(study).measures["bright_material_share"] == pytest.approx(
        TINY.sum() / LESION.sum()
    )


def test_contrast_is_no_bright_material():
    """A lesion of 200 HU in the arterial phase is 45 HU before it."""
    levels = {NATIVE: (45, 55), ARTERIAL: (200, 75)}
    assert lesion_of(phases(levels)).measures["bright_material_share"] == 0.0
    assert lesion_of(phases({ARTERIAL: (200, 75)})).measures["bright_material_share"] == 0.0


def test_a_bright_rim_is_a_ring():
    lesion = lesion_of(phases({ARTERIAL: (130, 75, 60)}, noise=15.0, core=CORE))
    assert lesion.measures["ring_share_late_arterial"] > 0.95
    assert lesion.measures["ring_over_core_hu_late_arterial"] == pytest.approx(70, abs=8)
    assert lesion.signs["ring_enhancement"] is True


def test_half_a_ring_has_half_the_share():
    half = np.arange(GRID.shape[0])[:, None, None] < 30
    values = np.where(LIVER, 75.0, -100.0)
    values = np.where(LESION, np.where(half, 130.0, 60.0), values)
    values = np.where(CORE, 60.0, values)
    m = lesion_of(study_of(ct(values, GRID, ARTERIAL))).measures
    assert m["ring_share_late_arterial"] == pytest.approx(0.5, abs=0.1)


def test_an_evenly_bright_lesion_is_no_ring():
    lesion = lesion_of(phases({ARTERIAL: (130, 75)}, noise=15.0))
    assert lesion.measures["ring_share_late_arterial"] > 0.95
    assert lesion.signs["ring_enhancement"] is False


def test_a_lesion_like_liver_has_no_ring_in_spite_of_noise():
    m = lesion_of(phases({ARTERIAL: (75, 75)}, noise=15.0)).measures
    assert m["ring_share_late_arterial"] < 0.1


def test_too_small_a_lesion_has_no_core_to_compare_a_ring_with():
    lesion = lesion_of(phases({ARTERIAL: (130, 75)}, lesion=TINY), TINY)
    assert "ring_enhancement" not in lesion.signs
    assert "5 mm are needed" in lesion.unknown["ring_enhancement"]
