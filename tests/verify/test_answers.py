"""What the check says, what it warns of, and what it refuses."""

import numpy as np
import pytest

from netseg.domain.ablation import Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import FrameMismatchError, StudyRejectedError, UsageError
from netseg.domain.grid import Grid
from netseg.domain.margin import Verdict
from netseg.domain.volume import LabelMap, Mask
from netseg.verify import MarginRule
from tests.geometry.shapes import FRAME, block, grid
from tests.verify.checking import A0, margin, zone_of


def nothing(on=None):
    on = on or grid()
    return Mask(np.zeros(on.shape, np.bool_), on)


def test_a_control_ct_that_was_never_registered_is_refused():
    elsewhere = block(10, 30, grid(frame_uid="9.9"))
    with pytest.raises(FrameMismatchError, match="never registered"):
        A0.check(block(15, 25), zone_of(elsewhere), observed=True)


def test_a_liver_of_another_scan_is_refused():
    elsewhere = block(1, 39, grid(frame_uid="9.9"))
    with pytest.raises(FrameMismatchError, match="never registered"):
        A0.check(block(15, 25), zone_of(block(10, 30)), observed=True, liver=elsewhere)


def test_a_missing_lesion_is_named():
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*the lesion on"):
        A0.check(nothing(), zone_of(block(10, 30)), observed=True)
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*the lesion on"):
        A0.check(LabelMap.empty(grid()), zone_of(block(10, 30)), observed=True)


def test_a_missing_zone_is_named():
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*the ablation zone on"):
        A0.check(block(15, 25), zone_of(nothing()), observed=True)


def test_a_zone_elsewhere_in_the_patient_is_named():
    away = block(2, 8, grid((10, 10, 10), centre_mm=(500.0, 0.0, 0.0)))
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*within the scan"):
        A0.check(block(15, 25), zone_of(away), observed=True)


def test_a_tilted_gantry_is_refused():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.4
    on = Grid((40, 40, 40), affine, FRAME)
    with pytest.raises(StudyRejectedError, match="GANTRY_TILT"):
        A0.check(block(15, 25, on), zone_of(block(10, 30, on)), observed=True)


@pytest.mark.parametrize("required_mm", [0.0, -5.0, float("nan")])
def test_a_margin_that_is_no_length_is_refused(required_mm):
    with pytest.raises(UsageError, match=r"CONFIG_RANGE.*positive length"):
        MarginRule(required_mm=required_mm)


def test_a_simulation_cannot_be_declared_observed():
    simulated = zone_of(block(10, 30), Evidence.SIMULATED)
    with pytest.raises(UsageError, match="simulated, so it was not observed"):
        A0.check(block(15, 25), simulated, observed=True)


@pytest.mark.parametrize("evidence", [Evidence.SIMULATED, Evidence.GIVEN_MASKS])
def test_what_was_not_observed_predicts_and_never_certifies(evidence):
    report = A0.check(block(15, 25), zone_of(block(10, 30), evidence), observed=False)
    (found,) = report.lesions
    assert found.verdict is Verdict.A0  # follows the distance
    assert not report.is_a0
    assert found.why[0].startswith("The plan predicts")
    assert any("never certifies A0" in sentence for sentence in found.why)


def test_without_an_error_model_there_is_no_probability():
    found = margin(block(15, 25), block(10, 30))
    assert found.p_a0 is None
    assert found.interval_mm is None
    assert any("No error model" in sentence for sentence in found.why)


def test_observed_masks_are_worded_as_measured():
    found = margin(block(15, 25), block(10, 30))
    assert found.why[0] == "Measured: smallest margin 5.00 mm; 5.00 mm are required."
    assert not any("predict" in sentence for sentence in found.why)


def test_a_lesion_cut_off_by_the_image_is_a_lower_bound_only():
    report = A0.check(block(0, 10), zone_of(block(0, 16)), observed=True)
    (found,) = report.lesions
    assert found.verdict is not Verdict.A0
    assert any("lower bound only" in sentence for sentence in found.why)
    assert [w.code for w in report.warnings] == [Code.LESION_AT_BORDER]
    assert "lesion 1" in report.warnings[0].message


def test_a_lesion_one_voxel_from_the_border_is_whole():
    report = A0.check(block(1, 10), zone_of(block(1, 16)), observed=True)
    assert report.warnings == ()


def test_each_part_of_a_mask_is_a_lesion():
    both = Mask(block(8, 12).inside | block(24, 34).inside, grid())
    report = A0.check(both, zone_of(block(19, 39)), observed=True)
    assert [m.id for m in report.lesions] == [1, 2]
    assert [m.verdict for m in report.lesions] == [Verdict.A0, Verdict.RESIDUAL]
    assert not report.is_a0
    assert report.smallest_mm == report.lesions[1].smallest_margin_mm


def test_lesions_keep_the_numbers_they_were_given():
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[8:12, 8:12, 8:12] = 7
    labels[24:34, 24:34, 24:34] = 3
    report = A0.check(LabelMap(labels, grid()), zone_of(block(19, 39)), observed=True)
    assert [m.id for m in report.lesions] == [3, 7]


def test_a_zone_on_a_part_of_the_same_voxels_is_taken_as_it_is():
    whole, part = block(10, 30), grid().crop((8, 8, 8), (24, 24, 24))
    inside = whole.inside[8:32, 8:32, 8:32].copy()
    report = A0.check(block(15, 25), zone_of(Mask(inside, part)), observed=True)
    assert report.smallest_mm == 5.0
    assert report.warnings == ()


def test_a_zone_on_other_voxels_is_interpolated_and_the_reader_is_told():
    fine = grid((80, 80, 80), (0.5, 0.5, 0.5))
    report = A0.check(block(15, 25), zone_of(block(20, 60, fine)), observed=True)
    assert report.smallest_mm == pytest.approx(5.0, abs=0.05)
    assert [w.code for w in report.warnings] == [Code.GRID_MISMATCH]


def test_the_cut_off_of_another_rule():
    wide = MarginRule(required_mm=10.0).check(block(15, 25), zone_of(block(10, 30)), observed=True)
    assert wide.cutoff_mm == 10.0
    assert wide.lesions[0].verdict is Verdict.NOT_A0


def test_a_very_wide_margin_can_be_asked_for_beside_a_liver():
    """One looks for viable liver at least as far as the cut-off reaches."""
    on = grid((60, 60, 60))
    report = MarginRule(required_mm=18.0).check(
        block(26, 34, on), zone_of(block(8, 52, on)), observed=True, liver=block(1, 59, on)
    )
    assert report.smallest_mm == 18.0
    assert report.is_a0


def test_thick_slices_are_said_to_be_uncertain():
    on = grid((40, 40, 40), (1.0, 1.0, 5.0))
    assert any(
        "Slices of 5.0 mm" in sentence
        for sentence in margin(block(15, 25, on), block(10, 30, on)).why
    )


def test_a_single_voxel_has_a_margin():
    found = margin(block(20, 21), block(15, 26))
    assert found.smallest_margin_mm == pytest.approx(5.0, abs=0.3)
    assert found.covered_fraction == 1.0


def test_cut_offs_are_lengths():
    with pytest.raises(UsageError, match=r"further_mm must be a positive length; got -1"):
        MarginRule(further_mm=(3.0, -1.0))
    with pytest.raises(UsageError, match=r"outline_sd_mm must be a positive length"):
        MarginRule(outline_sd_mm=0.0)


def test_under_treated_volumes_are_told_for_every_cut_off():
    rule = MarginRule(required_mm=4.0, further_mm=(3.0, 8.0))
    (found,) = rule.check(block(15, 25), zone_of(block(10, 30)), observed=True).lesions
    assert sorted(found.undertreated_ml) == [3.0, 4.0, 5.0, 8.0, 10.0]
    assert found.undertreated_ml[3.0] == 0.0
