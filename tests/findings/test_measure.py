"""What is measured on a study: places, volumes, enhancement, uptake, segments."""

from dataclasses import replace

import numpy as np
import pytest

from netseg.domain import Code, LabelMap, Lobe, Phase, Quantity, SegmentSource
from netseg.findings import measure
from tests.findings.bodies import ct, grid_of, pet, segmentation_of, study_of

GRID = grid_of((40, 40, 20), (2.0, 2.0, 4.0), (-40.0, -40.0, 100.0))  # 80 mm cubes
LIVER = np.zeros(GRID.shape, bool)
LIVER[2:38, 2:38, 1:19] = True
LESION = np.zeros(GRID.shape, np.uint8)
LESION[10:15, 20:25, 8:11] = 1  # 10 x 10 x 12 mm


def lesion_and_liver(lesion: float, liver: float) -> np.ndarray:
    return np.where(LESION > 0, lesion, np.where(LIVER, liver, -100.0))


def codes(findings):
    return [notice.code for notice in findings.warnings]


def test_a_block_has_its_volume_place_and_share_of_the_liver():
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(LESION, GRID, LIVER))
    (lesion,) = findings.lesions
    assert lesion.volume_ml == pytest.approx(1.2)
    assert tuple(lesion.centroid_mm) == pytest.approx((-16.0, 4.0, 136.0))
    assert findings.liver_volume_ml == pytest.approx(36 * 36 * 18 * 16 / 1000)
    assert findings.liver_burden_pct == pytest.approx(100 * 75 / (36 * 36 * 18))
    assert not lesion.at_border


def test_lesions_come_in_descending_volume_under_their_own_numbers():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[5:7, 5:7, 5:7] = 2
    labels[20:25, 20:25, 5:10] = 7
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(labels, GRID, LIVER))
    assert [one.id for one in findings.lesions] == [7, 2]


def test_looked_and_none_found_is_an_empty_list():
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(0 * LESION, GRID, LIVER))
    assert findings.lesions == ()
    assert findings.liver_burden_pct == 0
    assert findings.segment_source is None


def test_without_a_liver_mask_burden_and_segment_are_unknown():
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(LESION, GRID))
    assert findings.liver_burden_pct is None
    assert findings.lesions[0].segment is None
    assert findings.lesions[0].lobe is None
    assert findings.liver_measures == {}
    assert findings.liver_unknown["burden_pct"] == "no liver mask"


def test_a_lesion_cut_off_by_the_image_is_flagged():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10:15, 10:15, 17:20] = 1
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(labels, GRID, LIVER))
    assert findings.lesions[0].at_border
    assert Code.LESION_AT_BORDER in codes(findings)


def test_confidence_is_the_segmentation_s_own():
    seg = segmentation_of(LESION, GRID, LIVER, confidence={1: 0.83})
    assert measure(study_of(ct(0, GRID, None)), seg).lesions[0].confidence == 0.83
    seg = segmentation_of(LESION, GRID, LIVER)
    assert measure(study_of(ct(0, GRID, None)), seg).lesions[0].confidence is None


def test_the_boundarys_uncertainty_is_told_where_a_network_gave_one_and_absent_otherwise():
    bare = segmentation_of(LESION, GRID, LIVER)
    (lesion,) = measure(study_of(ct(0, GRID, None)), bare).lesions
    assert "boundary_sd_mm" not in lesion.measures
    told = replace(bare, boundary_sd_mm={1: 1.25})
    (lesion,) = measure(study_of(ct(0, GRID, None)), told).lesions
    assert lesion.measures["boundary_sd_mm"] == 1.25


def test_arterial_enhancement_is_compared_with_the_liver():
    """Lesion 45 -> 130 HU is +85, liver 55 -> 75 HU is +20: 65 HU more than the liver."""
    study = study_of(
        ct(lesion_and_liver(45, 55), GRID, Phase.NATIVE),
        ct(lesion_and_liver(130, 75), GRID, Phase.LATE_ARTERIAL),
    )
    findings = measure(study, segmentation_of(LESION, GRID, LIVER))
    measures = findings.lesions[0].measures
    assert measures["mean_hu_native"] == pytest.approx(45)
    assert measures["arterial_enhancement_hu"] == pytest.approx(85)
    assert findings.liver_measures["mean_hu_late_arterial"] == pytest.approx(75)
    assert measures["arterial_enhancement_over_liver_hu"] == pytest.approx(65)


def test_without_a_native_phase_there_is_no_enhancement():
    study = study_of(ct(lesion_and_liver(130, 75), GRID, Phase.LATE_ARTERIAL))
    measures = measure(study, segmentation_of(LESION, GRID, LIVER)).lesions[0].measures
    assert measures["mean_hu_late_arterial"] == pytest.approx(130)
    assert "arterial_enhancement_hu" not in measures
    assert "mean_hu_native" not in measures


def test_a_ct_on_other_voxels_gives_the_same_value_at_the_same_place():
    """HU = x in mm, on a finer, shifted, flipped grid: the lesion's mean is its centre's x."""
    fine = grid_of((100, 90, 70), (-1.0, 1.0, 1.5), (45.0, -45.0, 90.0))
    x = np.broadcast_to(fine.to_mm(np.moveaxis(np.indices(fine.shape), 0, -1))[..., 0], fine.shape)
    findings = measure(
        study_of(ct(x, fine, Phase.PORTAL_VENOUS)), segmentation_of(LESION, GRID, LIVER)
    )
    assert findings.lesions[0].measures["mean_hu_portal_venous"] == pytest.approx(-16.0, abs=1e-3)


def test_a_ct_that_shows_half_of_the_lesion_gives_no_value():
    half = grid_of((13, 40, 20), (2.0, 2.0, 4.0), (-40.0, -40.0, 100.0))
    findings = measure(study_of(ct(50, half, Phase.NATIVE)), segmentation_of(LESION, GRID, LIVER))
    (lesion,) = findings.lesions
    assert not any("hu" in name for name in lesion.measures)
    assert "does not reach all" in lesion.unknown["mean_hu_native"]


def test_series_of_another_frame_are_left_out_by_name():
    elsewhere = grid_of(GRID.shape, (2.0, 2.0, 4.0), (-40.0, -40.0, 100.0), frame_uid="9.9")
    study = study_of(ct(50, GRID, Phase.NATIVE), ct(99, elsewhere, Phase.PORTAL_VENOUS))
    findings = measure(study, segmentation_of(LESION, GRID, LIVER))
    assert "mean_hu_portal_venous" not in findings.lesions[0].measures
    (notice,) = [n for n in findings.warnings if n.code is Code.FRAME_MISMATCH]
    assert "ct_portal_venous" in notice.message


def test_two_series_of_one_phase_keep_their_own_names():
    study = study_of(ct(50, GRID, Phase.NATIVE, "ct_a"), ct(60, GRID, Phase.NATIVE, "ct_b"))
    measures = measure(study, segmentation_of(LESION, GRID, LIVER)).lesions[0].measures
    assert measures["mean_hu_ct_a"] == pytest.approx(50)
    assert measures["mean_hu_ct_b"] == pytest.approx(60)
    assert "mean_hu_native" not in measures


def test_two_tracers_are_never_one_suv():
    study = study_of(
        pet(np.full(GRID.shape, 20.0), GRID, "ga68_dotatate"),
        pet(np.full(GRID.shape, 3.0), GRID, "f18_fdg"),
    )
    measures = measure(study, segmentation_of(LESION, GRID, LIVER)).lesions[0].measures
    assert measures["suv_ga68_dotatate_max"] == pytest.approx(20.0)
    assert measures["suv_f18_fdg_max"] == pytest.approx(3.0)
    assert "suv_max" not in measures


def test_activity_without_a_factor_is_not_called_suv():
    study = study_of(pet(np.full(GRID.shape, 9e4), GRID, quantity=Quantity.BQML))
    measures = measure(study, segmentation_of(LESION, GRID, LIVER)).lesions[0].measures
    assert measures["activity_bqml_mean"] == pytest.approx(9e4)
    assert measures["activity_bqml_total_bq"] == pytest.approx(9e4 * 1.2)
    assert not any("suv" in name or "tlu" in name for name in measures)


def test_a_diffusely_infiltrated_liver_is_no_reference():
    findings = measure(
        study_of(ct(50, GRID, Phase.NATIVE)), segmentation_of(LIVER.astype(int), GRID, LIVER)
    )
    assert "mean_hu_native" not in findings.liver_measures


def test_the_segment_is_where_most_of_the_lesion_lies():
    """Three of five voxel columns lie in VI, two in VII."""
    segments = np.zeros(GRID.shape, np.uint8)
    segments[:13], segments[13:] = 6, 7
    seg = segmentation_of(
        LESION, GRID, LIVER, segments=LabelMap(segments, GRID, {6: "VI", 7: "VII"})
    )
    findings = measure(study_of(ct(0, GRID, None)), seg)
    assert findings.segment_source is SegmentSource.SEGMENT_MAP
    assert findings.lesions[0].segment == "VI"
    assert findings.lesions[0].segment_shares == pytest.approx({"VI": 0.6, "VII": 0.4})
    assert findings.lesions[0].lobe is Lobe.RIGHT
    assert Code.SEGMENTS_APPROXIMATE not in codes(findings)


@pytest.mark.parametrize(
    ("number", "lobe"), [(1, Lobe.CAUDATE), (2, Lobe.LEFT), (4, Lobe.LEFT), (5, Lobe.RIGHT)]
)
def test_lobes_follow_couinaud(number, lobe):
    names = {1: "I", 2: "II", 4: "IV", 5: "V"}
    seg = segmentation_of(
        LESION, GRID, LIVER, segments=LabelMap(np.full(GRID.shape, number, np.uint8), GRID, names)
    )
    assert measure(study_of(ct(0, GRID, None)), seg).lesions[0].lobe is lobe


def test_a_partition_from_shape_alone_says_so():
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(LESION, GRID, LIVER))
    assert findings.segment_source is SegmentSource.APPROXIMATE_PARTITION
    assert findings.lesions[0].segment is not None
    assert Code.SEGMENTS_APPROXIMATE in codes(findings)
