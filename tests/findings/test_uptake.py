"""Uptake of spheres of known activity: on paper, after blurring, and where nobody can tell."""

import numpy as np
import pytest
from scipy import ndimage

from netseg.domain import Code, Phase, Quantity
from netseg.findings import measure
from netseg.findings.coverage import coverage
from netseg.findings.peak import PEAK_RADIUS_MM, sphere
from netseg.findings.region import regions
from tests.findings.bodies import ct, ellipsoid, grid_of, pet, segmentation_of, study_of

CT_GRID = grid_of((90, 90, 60), (1.5, 1.5, 2.0), (-66.75, -66.75, -59.0))  # 135 x 135 x 120 mm
PET_GRID = grid_of((34, 34, 30), (4.0, 4.0, 4.0), (-66.0, -66.0, -58.0))
CENTRE = np.array([3.0, -2.0, 1.0])
LIVER = ellipsoid(CT_GRID, np.zeros(3), (62.0, 62.0, 56.0))


def lesions_of(radius_mm: float) -> np.ndarray:
    return ellipsoid(CT_GRID, CENTRE, (radius_mm,) * 3).astype(np.uint8)


def uptake_of(radius_mm: float, hot: float = 10.0, cold: float = 5.0) -> np.ndarray:
    """A sphere of `hot` in a background of `cold`, each PET voxel the mean over its 4³ parts."""
    fine = grid_of((136, 136, 120), (1.0, 1.0, 1.0), (-67.5, -67.5, -59.5))
    inside = ellipsoid(fine, CENTRE, (radius_mm,) * 3).astype(np.float64)
    share = inside.reshape(34, 4, 34, 4, 30, 4).mean(axis=(1, 3, 5))
    return cold + (hot - cold) * share


def measured(values, radius_mm, tracer="ga68_dotatate", **more):
    study = study_of(pet(values, PET_GRID, tracer, **more))
    return measure(study, segmentation_of(lesions_of(radius_mm), CT_GRID, LIVER))


def test_a_sphere_of_ten_in_a_liver_of_five():
    """Radius 15 mm: 14.1 ml; a 1 ml sphere fits inside; total uptake is 10 x 14.1."""
    findings = measured(uptake_of(15.0), 15.0)
    (lesion,) = findings.lesions
    m = lesion.measures
    volume = 4 / 3 * np.pi * 1.5**3
    assert m["suv_max"] == pytest.approx(10.0)
    assert m["suv_peak"] == pytest.approx(10.0)
    assert m["suv_mean"] == pytest.approx(9.5, abs=0.3)  # the rim's PET voxels hold both
    assert m["suv_tlu_ml"] == pytest.approx(m["suv_mean"] * lesion.volume_ml)
    assert lesion.volume_ml == pytest.approx(volume, rel=0.02)
    assert m["suv_liver_ratio"] == pytest.approx(2.0)
    assert findings.liver_measures["mean_suv"] == pytest.approx(5.0)
    assert findings.liver_measures["suv_total_tlu_ml"] == pytest.approx(m["suv_tlu_ml"])


def test_isocontours_take_the_share_of_the_lesion_s_own_maximum():
    """Half of the lesion holds 10, half 4.5: at 41 % all of it counts, at 50 % the cap."""
    x = PET_GRID.to_mm(np.moveaxis(np.indices(PET_GRID.shape), 0, -1))[..., 0]
    values = np.where(x > CENTRE[0], 10.0, 4.5)  # x = 2, 6, …: the face between lies at 4
    (lesion,) = measured(values, 15.0).lesions
    m = lesion.measures
    cap = np.pi * 14.0**2 * (3 * 15.0 - 14.0) / 3 / 1000  # of height 14 mm, beyond x = 4
    assert m["suv_iso41_mean"] == pytest.approx(m["suv_mean"])
    assert m["suv_iso41_ml"] == pytest.approx(lesion.volume_ml)
    assert m["suv_iso50_mean"] == pytest.approx(10.0)
    assert m["suv_iso50_ml"] == pytest.approx(cap, rel=0.03)


def test_every_measure_names_its_region_with_volume_and_voxels():
    (lesion,) = measured(uptake_of(15.0), 15.0).lesions
    by_measure = {name: r for r in lesion.regions for name in r.measures}
    assert set(lesion.measures) == set(by_measure)
    assert by_measure["suv_mean"].name == "whole lesion"
    assert by_measure["suv_mean"].series == "pt_ga68_dotatate"
    assert by_measure["suv_mean"].volume_ml == pytest.approx(lesion.volume_ml)
    assert by_measure["suv_peak"].volume_ml == 1.0
    assert by_measure["suv_iso41_mean"].volume_ml == lesion.measures["suv_iso41_ml"]
    assert all(r.voxels > 0 for r in lesion.regions)


def test_the_maximum_is_a_voxel_of_the_pet_and_the_peak_is_calmer():
    """One voxel of 64 mm³ at 40 in a sphere of 10: the 1 ml around it rises by 30 x 64/1000."""
    values = uptake_of(20.0)
    hot = np.rint(PET_GRID.to_index(CENTRE)).astype(int)
    values[tuple(hot)] = 40.0
    m = measured(values, 20.0).lesions[0].measures
    assert m["suv_max"] == pytest.approx(40.0)
    assert m["suv_peak"] == pytest.approx(10.0 + 30.0 * 0.064, rel=0.01)


def test_shares_of_pet_voxels_add_up_to_the_lesion_s_volume():
    """Whatever the grids: turned, coarser, finer."""
    (region,) = regions(segmentation_of(lesions_of(9.0), CT_GRID).lesions)
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    for spacing in ((4.0, 4.0, 4.0), (1.1, 1.1, 3.0), (5.0, 2.0, 0.9)):
        shape = tuple(int(150 / s) for s in spacing)
        origin = -turn @ (np.array(spacing) * (np.array(shape) - 1) / 2)
        covered = coverage(region, grid_of(shape, spacing, tuple(origin), turn))
        assert covered.share.sum() * covered.voxel_ml == pytest.approx(region.volume_ml)
        assert covered.share.max() < 1.2


def test_on_the_pet_s_own_grid_a_voxel_counts_wholly_or_not_at_all():
    labels = (uptake_of(15.0) > 7.5).astype(np.uint8)
    (region,) = regions(segmentation_of(labels, PET_GRID).lesions)
    covered = coverage(region, PET_GRID)
    assert np.array_equal(covered.share, region.inside.astype(float))


def test_the_peak_s_sphere_holds_one_millilitre_on_any_voxels():
    for spacing in ((4.0, 4.0, 4.0), (2.0, 2.0, 3.27), (1.0, 1.0, 1.0)):
        grid = grid_of((9, 9, 9), spacing)
        weights = sphere(grid)
        full = weights.max()
        assert grid.voxel_volume_ml / full == pytest.approx(1.0, rel=0.02)
        assert weights.sum() == pytest.approx(1.0)
    assert 4 / 3 * np.pi * PEAK_RADIUS_MM**3 == pytest.approx(1000.0)


def test_below_twice_the_resolution_uptake_is_unknown_not_zero():
    """8 mm across in a PET that resolves 6 mm: 12 mm are needed."""
    findings = measured(ndimage.gaussian_filter(uptake_of(4.0), 6 / 2.355 / 4), 4.0)
    (lesion,) = findings.lesions
    assert not {"suv_max", "suv_mean", "suv_peak", "suv_tlu_ml"} & set(lesion.measures)
    assert "not measurable below 12 mm" in lesion.unknown["suv_max"]
    assert 5.0 < lesion.measures["suv_max_observed"] < 10.0
    assert "1 of 1 lesions" in findings.liver_unknown["suv_total_tlu_ml"]
    (notice,) = [n for n in findings.warnings if n.code is Code.UPTAKE_UNMEASURABLE]
    assert notice.detail["lesions"] == [1]


def test_above_it_uptake_is_measured_without_a_warning():
    findings = measured(uptake_of(6.3), 6.3)
    assert "suv_max" in findings.lesions[0].measures
    assert Code.UPTAKE_UNMEASURABLE not in [n.code for n in findings.warnings]


def test_single_photons_resolve_half_as_well():
    """16 mm across: enough for gallium, too little for lutetium (24 mm)."""
    assert "suv_max" in measured(uptake_of(8.0), 8.0, "ga68_dotatate").lesions[0].measures
    why = measured(uptake_of(8.0), 8.0, "lu177_dotatate").lesions[0].unknown["suv_max"]
    assert "below 24 mm" in why


def test_a_pet_that_shows_half_of_the_lesion_gives_no_value():
    half = grid_of((18, 34, 30), (4.0, 4.0, 4.0), (-66.0, -66.0, -58.0))
    study = study_of(pet(np.full(half.shape, 7.0), half, "ga68_dotatate"))
    (lesion,) = measure(study, segmentation_of(lesions_of(15.0), CT_GRID, LIVER)).lesions
    assert not any(name.startswith("suv") for name in lesion.measures)
    assert "does not reach all" in lesion.unknown["suv_max"]


def test_a_pet_of_another_frame_is_not_measured():
    stranger = grid_of(PET_GRID.shape, (4.0, 4.0, 4.0), (-66.0, -66.0, -58.0), frame_uid="9.9")
    study = study_of(
        ct(50, CT_GRID, Phase.PORTAL_VENOUS), pet(uptake_of(15.0), stranger, "ga68_dotatate")
    )
    findings = measure(study, segmentation_of(lesions_of(15.0), CT_GRID, LIVER))
    assert not any("suv" in n or "krenning" in n for n in findings.lesions[0].measures)
    assert Code.FRAME_MISMATCH in [n.code for n in findings.warnings]


def test_activity_without_a_factor_gives_the_same_ratio_and_no_suv():
    """Bq/ml are SUV times one number: ratios stay, the name does not."""
    in_suv = measured(uptake_of(15.0), 15.0).lesions[0].measures
    in_bq = measured(3e4 * uptake_of(15.0), 15.0, quantity=Quantity.BQML).lesions[0].measures
    assert in_bq["activity_bqml_liver_ratio"] == pytest.approx(in_suv["suv_liver_ratio"])
    assert in_bq["krenning_low"] == in_suv["krenning_low"]
    assert not any(name.startswith("suv") for name in in_bq)
