"""Two dates from studies to the course, with the livers as the only thing in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netseg.domain import Code, FrameMismatchError, LabelMap, Mask, StudyRejectedError
from netseg.domain.clinical import DiseaseCourse
from netseg.domain.comparison import Fate
from netseg.pipeline.comparison import compare_dates
from tests.findings.bodies import ct, ellipsoid, grid_of, study_of

SHIFT_MM = np.array([12.0, -8.0, 15.0])


def dated(lesions, shift_mm=(0, 0, 0), frame_uid="1.1", *, liver=True):
    """A liver (two ellipsoids) with balls in it; everything shifted, in a frame of its own."""
    grid = grid_of((50, 40, 34), (5.0, 5.0, 5.0), frame_uid=frame_uid)
    shift = np.array(shift_mm, float)
    body = ellipsoid(grid, np.array([95, 90, 75.0]) + shift, (60, 45, 50))
    body |= ellipsoid(grid, np.array([155, 75, 90.0]) + shift, (50, 30, 35))
    labels = np.zeros(grid.shape, np.uint8)
    for number, (centre, radius) in enumerate(lesions, start=1):
        labels[ellipsoid(grid, np.array(centre) + shift, (radius,) * 3)] = number
    return replace(
        study_of(ct(60.0, grid, None)),
        lesions=LabelMap(labels, grid),
        liver=Mask(body, grid) if liver else None,
    )


BEFORE = [((80, 90, 75), 14.0), ((150, 75, 90), 9.0)]
AFTER = [((80, 90, 75), 22.0), ((110, 80, 100), 12.0)]


def test_grown_gone_and_new_after_a_shift_of_the_liver():
    found = compare_dates(dated(BEFORE), dated(AFTER, SHIFT_MM, "2.2"))
    assert found.alignment.method == "livers"
    assert found.alignment.matrix[:3, 3] == pytest.approx(SHIFT_MM, abs=6.0)
    assert {one.group.fate for one in found.lesions} == {Fate.MATCHED, Fate.GONE, Fate.NEW}
    assert found.disease_course is DiseaseCourse.PROGRESSIVE
    assert found.second.liver_burden_pct > found.first.liver_burden_pct


def test_the_same_study_twice_is_stable_with_every_lesion_matched_in_its_place():
    found = compare_dates(dated(BEFORE), dated(BEFORE))
    assert found.alignment.method == "same_frame"
    assert [one.group.distance_mm for one in found.lesions] == [0.0, 0.0]
    assert found.disease_course is DiseaseCourse.STABLE


def test_two_frames_without_livers_are_refused_and_the_missing_one_is_named():
    with pytest.raises(FrameMismatchError, match="no liver is known at the first date") as refused:
        compare_dates(dated(BEFORE, liver=False), dated(AFTER, SHIFT_MM, "2.2"))
    assert "--liver1" in refused.value.notice.hint


def test_the_user_s_word_that_the_scans_are_registered_is_taken():
    found = compare_dates(
        dated(BEFORE, liver=False), dated(BEFORE, frame_uid="2.2"), same_frame=True
    )
    assert found.alignment.residual_mm is None
    assert len(found.of(Fate.MATCHED)) == 2


def test_a_date_without_a_lesion_mask_is_refused():
    with pytest.raises(StudyRejectedError, match="no lesion mask"):
        compare_dates(replace(dated(BEFORE), lesions=None), dated(BEFORE))


def test_headers_of_two_patients_are_warned_about():
    first, second = dated(BEFORE), dated(BEFORE)
    strangers = compare_dates(
        replace(first, secrets=frozenset({"A^B", "1"})),
        replace(second, secrets=frozenset({"C^D", "2"})),
    )
    assert Code.PATIENT_MISMATCH in {w.code for w in strangers.warnings}
    same = compare_dates(
        replace(first, secrets=frozenset({"A^B", "1"})),
        replace(second, secrets=frozenset({"A^B", "2"})),
    )
    assert Code.PATIENT_MISMATCH not in {w.code for w in same.warnings}


def test_warnings_say_which_date_they_are_of():
    found = compare_dates(dated(BEFORE), dated(BEFORE))
    assert {w.message.split(" ")[0] for w in found.warnings} <= {"first", "second"}
