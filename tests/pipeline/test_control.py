"""A control scan on its way: margins known on paper, and everything that must be refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from netseg.domain import (
    Code,
    FrameMismatchError,
    LabelMap,
    Mask,
    Modality,
    Quantity,
    Series,
    Study,
    StudyRejectedError,
    Verdict,
    Volume,
)
from netseg.pipeline.control import ControlScan, ControlStations, check_control
from netseg.register.settings import RegistrationSettings
from netseg.segment import MasksBackend
from netseg.verify import MarginRule
from tests.control_pair import known, pair

if TYPE_CHECKING:
    from netseg.phantom.ablated import AblatedPair


class NobodyAsked:
    """A network that must not be needed."""

    def segment(self, study: Study):  # noqa: D102
        raise AssertionError(f"{study.case_id} brings its liver")


def series(volume: Volume, modality: Modality = Modality.CT) -> Series:
    return Series(key="scan", modality=modality, volume=volume)


def planning_study(made: AblatedPair) -> Study:
    base = known()
    return Study(
        case_id="planning", series=(series(made.planning),), liver=base.liver, lesions=base.lesions
    )


def control_study(made: AblatedPair) -> Study:
    return Study(case_id="control", series=(series(made.control),), liver=made.liver)


STATIONS = ControlStations(
    liver=NobodyAsked(),
    registration=RegistrationSettings(engine="rigid"),
    margin=MarginRule(),
)


def checked(margin_mm: float, *, planning=None, stations=STATIONS, **said):
    made = pair(margin_mm)
    study = planning or planning_study(made)
    control = ControlScan(**{"study": control_study(made), **said})
    return check_control(study, MasksBackend().segment(study), control, stations)


@pytest.mark.parametrize(("margin_mm", "enough"), [(12.0, True), (0.0, False)])
def test_the_margin_is_that_of_the_zone_that_was_painted(margin_mm, enough):
    check = checked(margin_mm)
    [found] = check.margin.lesions
    assert found.smallest_margin_mm == pytest.approx(margin_mm, abs=2.0)
    assert check.margin.observed
    assert check.margin.evidence == "control_scan"
    assert (found.verdict is Verdict.A0) is enough
    assert check.lesions.values == (1,)
    assert check.lesions.region(1).volume_ml == pytest.approx(
        known().lesions.region(1).volume_ml, rel=0.08
    )


def test_an_outline_by_hand_is_taken_as_it_is():
    made = pair(12.0)
    check = checked(12.0, zone=made.zone)
    assert np.array_equal(check.zone.mask.inside, made.zone.inside)
    assert check.margin.lesions[0].smallest_margin_mm == pytest.approx(12.0, abs=2.0)


def test_two_patients_are_refused_unless_the_user_knows_better():
    made = pair(12.0)
    study = replace(planning_study(made), secrets=frozenset({"Anna"}))
    control = replace(control_study(made), secrets=frozenset({"Berta"}))
    with pytest.raises(StudyRejectedError, match="no identifier in common") as refusal:
        checked(12.0, planning=study, study=control)
    assert refusal.value.notice.code is Code.PATIENT_MISMATCH
    assert checked(12.0, planning=study, study=control, same_patient=True).margin.lesions


def test_a_zone_of_another_grid_is_refused():
    made = pair(12.0)
    elsewhere = replace(made.zone.grid, affine_lps=made.zone.grid.affine_lps + np.eye(4, k=3))
    with pytest.raises(FrameMismatchError, match="does not lie on the series"):
        checked(12.0, zone=Mask(made.zone.inside, elsewhere))


def test_a_pet_alone_shows_no_zone():
    made = pair(12.0)
    suv = Volume(np.abs(made.control.values), made.control.grid, Quantity.SUVBW)
    pet = Study(case_id="control", series=(series(suv, Modality.PT),))
    with pytest.raises(StudyRejectedError, match="a PET alone"):
        checked(12.0, study=pet)


@pytest.mark.parametrize(
    ("missing", "met"), [("liver", "no liver is known"), ("lesions", "no lesion")]
)
def test_what_the_planning_scan_must_bring(missing, met):
    study = planning_study(pair(12.0))
    if missing == "lesions":
        study = replace(study, lesions=LabelMap.empty(known().liver.grid))
    else:
        study = replace(study, liver=None)
    with pytest.raises(StudyRejectedError, match=met):
        checked(12.0, planning=study)


def test_the_liver_of_another_patient_is_refused():
    made = pair(12.0)
    grid = made.control.grid
    thin = np.zeros(grid.shape, np.bool_)
    thin[:, 20:24, :] = True
    study = replace(control_study(made), liver=Mask(thin, grid))
    with pytest.raises(StudyRejectedError) as refusal:
        checked(12.0, study=study)
    assert refusal.value.notice.code is Code.LIVERS_DIFFER
