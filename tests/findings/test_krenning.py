"""Receptor scores against liver and spleen, and where they must stay open."""

from dataclasses import replace

import numpy as np
import pytest

from netseg.domain import Mask
from netseg.findings import measure
from netseg.findings.krenning import Krenning, krenning
from netseg.findings.level import Level
from netseg.findings.uptake import Uptake
from tests.findings.bodies import ellipsoid, grid_of, pet, segmentation_of, study_of

GRID = grid_of((60, 60, 50), (3.0, 3.0, 3.0), (-88.5, -88.5, -73.5))
LIVER = ellipsoid(GRID, np.array([-25.0, 0.0, 0.0]), (60.0, 70.0, 65.0))
LESION = ellipsoid(GRID, np.array([-25.0, 0.0, 0.0]), (15.0,) * 3)
SPLEEN = ellipsoid(GRID, np.array([65.0, 0.0, 0.0]), (20.0, 30.0, 30.0))
NOISE = np.random.default_rng(3).normal(0, 0.3, GRID.shape)


def level(mean: float, sd: float = 0.5) -> Level:
    return Level(mean=mean, median=mean, sd=sd, voxels=1000, volume_ml=500.0)


def hot(value: float, *, core: float | None = None, measurable: bool = True) -> Uptake:
    return Uptake(hottest=value, core=core, measurable=measurable, voxels=16, volume_ml=1.0)


@pytest.mark.parametrize(
    ("value", "core", "spleen", "low", "high"),
    [
        (25.0, 25.0, 20.0, 4, 4),  # above the spleen
        (12.0, 12.0, 20.0, 3, 3),  # between liver and spleen
        (12.0, 12.0, None, 3, 4),  # nobody knows the spleen
        (60.0, 60.0, None, 3, 4),  # not even then
        (6.5, 6.0, 20.0, 2, 2),  # like the liver, within its noise
        (5.5, 2.0, 20.0, 0, 2),  # below it
        (5.5, None, 20.0, 0, 2),  # no core to look at
    ],
)
def test_the_scale_against_a_liver_of_six(value, core, spleen, low, high):
    found = krenning(hot(value, core=core), level(6.0), None if spleen is None else level(spleen))
    assert found == Krenning(low=low, high=high)


def test_a_tiny_lesion_seen_above_the_liver_is_above_it_in_truth():
    """Dilution only lowers it: 3 or more, but never 'at most the spleen'."""
    assert krenning(hot(9.0, measurable=False), level(6.0), level(20.0)) == Krenning(low=3, high=4)


def test_a_tiny_lesion_not_seen_above_the_liver_is_unknown():
    assert krenning(hot(6.0, measurable=False), level(6.0), level(20.0)) is None


def test_a_score_beyond_the_scale_is_refused():
    with pytest.raises(ValueError, match=r"0 … 4; got 3 to 5"):
        Krenning(low=3, high=5)


def scored(tracer, *, lesion=20.0, liver=True, spleen=False, also=None):
    values = np.where(LESION, lesion, np.where(LIVER, 6.0, np.where(SPLEEN, 15.0, 1.0))) + NOISE
    study = study_of(pet(values, GRID, tracer), *([also] if also else []))
    if spleen:
        study = replace(study, spleen=Mask(SPLEEN, GRID))
    return measure(study, segmentation_of(LESION, GRID, LIVER if liver else None))


def score_of(findings) -> tuple[float, float]:
    m = findings.lesions[0].measures
    return m["krenning_low"], m["krenning_high"]


def test_a_receptor_pet_gives_a_score_and_the_spleen_makes_it_one_number():
    assert score_of(scored("ga68_dotatate")) == (3, 4)
    with_spleen = scored("ga68_dotatate", spleen=True)
    assert score_of(with_spleen) == (4, 4)
    assert with_spleen.liver_measures["spleen_mean_suv"] == pytest.approx(15.0, abs=0.1)
    assert score_of(scored("ga68_dotatate", lesion=11.0, spleen=True)) == (3, 3)


def test_a_spleen_of_another_frame_is_no_spleen():
    elsewhere = grid_of(GRID.shape, (3.0, 3.0, 3.0), (-88.5, -88.5, -73.5), frame_uid="9.9")
    values = np.where(LESION, 20.0, np.where(LIVER, 6.0, 1.0)) + NOISE
    study = replace(study_of(pet(values, GRID, "ga68_dotatate")), spleen=Mask(SPLEEN, elsewhere))
    assert score_of(measure(study, segmentation_of(LESION, GRID, LIVER))) == (3, 4)


@pytest.mark.parametrize("tracer", [None, "f18_fdg", "f18_psma", "f18_fdopa"])
def test_only_a_receptor_tracer_gives_a_score(tracer):
    findings = scored(tracer)
    assert not any("krenning" in name for name in findings.lesions[0].measures)
    assert findings.lesions[0].signs["suv_above_liver"] is True


def test_an_unknown_tracer_says_so():
    why = scored(None).lesions[0].unknown["krenning_low"]
    assert why == "the tracer of pt_None is unknown"


def test_without_a_liver_there_is_no_score():
    findings = scored("ga68_dotatate", liver=False)
    assert findings.lesions[0].unknown["krenning_low"] == "no liver mask"
    assert findings.lesions[0].unknown["suv_above_liver"] == "no liver mask"


def test_each_tracer_is_judged_on_its_own_image():
    cold = pet(np.full(GRID.shape, 6.0) + NOISE, GRID, "f18_fdg")
    lesion = scored("ga68_dotatate", also=cold).lesions[0]
    assert lesion.measures["krenning_ga68_dotatate_low"] == 3
    assert lesion.signs == lesion.signs | {
        "suv_ga68_dotatate_above_liver": True,
        "suv_f18_fdg_above_liver": False,
    }


def test_unseen_lesions_do_not_raise_the_liver_they_are_compared_with():
    """A metastasis nobody outlined, 5 % of the liver at 40: the mean of all would be 7.7."""
    unseen = ellipsoid(GRID, np.array([-55.0, 0.0, 0.0]), (20.0,) * 3) & LIVER & ~LESION
    values = np.where(LESION, 20.0, np.where(unseen, 40.0, np.where(LIVER, 6.0, 1.0))) + NOISE
    findings = measure(
        study_of(pet(values, GRID, "ga68_dotatate")), segmentation_of(LESION, GRID, LIVER)
    )
    assert findings.liver_measures["mean_suv"] == pytest.approx(6.0, abs=0.1)
    assert findings.liver_measures["sd_suv"] == pytest.approx(0.3, abs=0.05)
