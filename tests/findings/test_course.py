"""The course of the disease by hand-made sizes; the numbers are those of RECIST 1.1."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Findings, Lesion, PointMm
from netseg.domain.clinical import DiseaseCourse
from netseg.domain.comparison import Alignment, Change, Fate, LesionGroup
from netseg.findings.course import Criteria, Dates, follow

HERE = Alignment(method="same_frame", matrix=np.eye(4))


def lesion(number, diameter_mm, *, volume_ml=None, at_border=False):
    """A ball of that diameter unless a volume is given."""
    return Lesion(
        id=number,
        volume_ml=volume_ml or np.pi / 6 * diameter_mm**3 / 1000,
        longest_axial_diameter_mm=diameter_mm,
        longest_diameter_mm=diameter_mm,
        centroid_mm=PointMm(0, 0, 0),
        at_border=at_border,
    )


def findings(*lesions):
    volume_ml = sum(one.volume_ml for one in lesions)
    return Findings(lesions=lesions, liver_volume_ml=1500.0, lesion_volume_ml=volume_ml)


def compared(before, after, groups=None, voxel_mm=1.0, slice_mm=1.0, **criteria):
    """Lesion n is lesion n at the other date unless groups say otherwise."""
    if groups is None:
        numbers = {one.id for one in (*before, *after)}
        was, is_now = {one.id for one in before}, {one.id for one in after}
        groups = [
            LesionGroup(
                fate=Fate.MATCHED if n in was & is_now else Fate.GONE if n in was else Fate.NEW,
                first=(n,) * (n in was),
                second=(n,) * (n in is_now),
            )
            for n in sorted(numbers)
        ]
    dates = Dates(
        first=findings(*before), second=findings(*after), voxel_mm=voxel_mm, slice_mm=slice_mm
    )
    return follow(dates, groups, HERE, gate_mm=15.0, criteria=Criteria(**criteria))


@pytest.mark.parametrize(
    ("second_mm", "course"),
    [
        (30.0, DiseaseCourse.STABLE),
        (35.9, DiseaseCourse.STABLE),  # +19.7 %
        (36.0, DiseaseCourse.PROGRESSIVE),  # +20 % and 6 mm
        (21.1, DiseaseCourse.STABLE),  # -29.7 %
        (21.0, DiseaseCourse.RESPONSE),  # -30 %
    ],
)
def test_one_lesion_of_thirty_millimetres(second_mm, course):
    assert compared([lesion(1, 30.0)], [lesion(1, second_mm)]).disease_course is course


def test_twenty_percent_of_a_small_sum_is_no_progress_below_five_millimetres():
    assert compared(
        [lesion(1, 12.0)], [lesion(1, 16.5)], load_progress_pct=1000
    ).disease_course is (DiseaseCourse.STABLE)


def test_two_targets_are_summed_and_the_third_is_not():
    """40 + 30 mm count, 20 mm does not: 70 to 76 mm, +8.6 %."""
    before = [lesion(1, 40.0), lesion(2, 30.0), lesion(3, 20.0)]
    found = compared(before, [lesion(1, 44.0), lesion(2, 32.0), lesion(3, 22.0)])
    assert found.sum_of_diameters_mm == pytest.approx((70.0, 76.0))
    assert [one.target for one in found.lesions] == [True, True, False]


def test_a_new_lesion_of_ten_millimetres_is_progress_whatever_the_rest_does():
    found = compared([lesion(1, 30.0)], [lesion(1, 15.0), lesion(2, 10.0)])
    assert found.disease_course is DiseaseCourse.PROGRESSIVE
    assert "1 new lesion, the largest 10.0 mm" in found.why


def test_a_new_spot_of_six_millimetres_leaves_the_course_open():
    found = compared([lesion(1, 30.0)], [lesion(1, 15.0), lesion(2, 6.0)])
    assert found.disease_course is None
    assert "too small to rule out" in found.why[0]


def test_a_lesion_that_is_gone_counts_as_zero():
    found = compared([lesion(1, 30.0), lesion(2, 20.0)], [lesion(1, 30.0)])
    assert found.sum_of_diameters_mm == pytest.approx((50.0, 30.0))
    assert found.disease_course is DiseaseCourse.RESPONSE


def test_all_gone_is_response_and_nothing_at_all_is_no_course():
    assert compared([lesion(1, 30.0)], []).disease_course is DiseaseCourse.RESPONSE
    nothing = compared([], [])
    assert nothing.disease_course is None
    assert nothing.why == ("no lesion at either date",)


def test_many_small_ones_that_double_their_volume_are_progress_without_a_target():
    """Balls of 8 to 12 mm: volume times (12/8)³ = 3.4; none could be a target."""
    found = compared([lesion(n, 8.0) for n in (1, 2)], [lesion(n, 12.0) for n in (1, 2)])
    assert found.sum_of_diameters_mm is None
    assert found.disease_course is DiseaseCourse.PROGRESSIVE
    assert "tumour volume 0.5 → 1.8 ml (+238 %) with 2 lesions grown" in found.why


def test_volume_within_the_tolerance_is_no_progress():
    """6 to 8 mm is +137 % of volume, but 2 mm of diameter: as a second reader may draw it."""
    found = compared([lesion(1, 6.0)], [lesion(1, 8.0)])
    assert found.lesions[0].change is Change.UNCHANGED
    assert found.disease_course is DiseaseCourse.STABLE


@pytest.mark.parametrize(
    ("second", "change"),
    [
        (lesion(1, 23.0), Change.UNCHANGED),  # 3 mm: not more than the tolerance
        (lesion(1, 23.1), Change.GROWN),
        (lesion(1, 16.9), Change.SHRUNK),
        (lesion(1, 20.0, volume_ml=8.2), Change.GROWN),  # upwards, not within the slice: 25 mm ball
        (lesion(1, 25.0, volume_ml=1.0), None),  # wider, yet of a quarter of the volume
    ],
)
def test_change_beyond_three_millimetres_by_diameter_or_volume(second, change):
    assert compared([lesion(1, 20.0)], [second]).lesions[0].change is change


def test_wide_voxels_widen_the_tolerance():
    found = compared([lesion(1, 20.0)], [lesion(1, 24.9)], voxel_mm=5.0)
    assert found.tolerance_mm == 5.0
    assert found.lesions[0].change is Change.UNCHANGED


def test_slices_of_eight_millimetres_make_sixteen_the_smallest_target():
    before, after = [lesion(1, 15.0)], [lesion(1, 15.0)]
    assert compared(before, after, slice_mm=5.0).sum_of_diameters_mm == (15.0, 15.0)
    assert compared(before, after, slice_mm=8.0).sum_of_diameters_mm is None


def test_parts_of_a_split_lesion_are_added():
    group = LesionGroup(fate=Fate.SPLIT, first=(1,), second=(1, 2))
    found = compared([lesion(1, 30.0)], [lesion(1, 12.0), lesion(2, 8.0)], [group])
    assert found.sum_of_diameters_mm == pytest.approx((30.0, 20.0))
    assert found.disease_course is DiseaseCourse.RESPONSE


def test_what_one_scan_does_not_show_leaves_the_course_open_unless_the_rest_progresses():
    hidden = LesionGroup(fate=Fate.NOT_IMAGED, first=(2,), second=())
    seen = LesionGroup(fate=Fate.MATCHED, first=(1,), second=(1,))
    before = [lesion(1, 30.0), lesion(2, 40.0)]
    found = compared(before, [lesion(1, 20.0)], [seen, hidden])
    assert found.disease_course is None
    assert found.lesions[1].volume_ml[1] is None
    assert found.sum_of_diameters_mm == (30.0, 20.0)
    grown = compared(before, [lesion(1, 40.0)], [seen, hidden])
    assert grown.disease_course is DiseaseCourse.PROGRESSIVE


def test_a_lesion_cut_off_by_the_border_is_no_target_and_leaves_the_course_open():
    found = compared([lesion(1, 30.0)], [lesion(1, 20.0, at_border=True)])
    assert found.disease_course is None
    assert found.sum_of_diameters_mm is None
    assert found.lesions[0].change is None


def test_criteria_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="tolerance_mm must be positive; got 0"):
        Criteria(tolerance_mm=0)
