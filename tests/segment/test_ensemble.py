"""Several models together: means and majorities that one can count on one's fingers."""

import numpy as np
import pytest

from netseg.domain import (
    Code,
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    Notice,
    Quantity,
    Segmentation,
    Series,
    Study,
    UsageError,
    Volume,
)
from netseg.segment.ensemble import EnsembleBackend

GRID = Grid(shape=(12, 12, 12), affine_lps=np.diag([5.0, 5.0, 5.0, 1.0]), frame_uid="1.2")
SERIES = Series(
    key="ct",
    modality=Modality.CT,
    volume=Volume(np.zeros(GRID.shape, np.float32), GRID, Quantity.HU),
)
STUDY = Study(case_id="a", series=(SERIES,))
NOTICE = Notice(code=Code.OUTLINES_UNCHECKED, message="look", hint="")


class Says:
    """A member whose answer is known beforehand."""

    def __init__(self, probability, *, liver=None, key="ct", name="m", cut=0.5):
        self.probability, self.liver, self.key, self.name, self.cut = (
            probability,
            liver,
            key,
            name,
            cut,
        )

    def threshold(self):  # noqa: D102
        return self.cut

    def segment(self, study):  # noqa: ARG002, D102
        volume = None
        if self.probability is not None:
            values = np.zeros(GRID.shape, np.float32)
            values[4:8, 4:8, 4:8] = self.probability
            volume = Volume(values, GRID, Quantity.PROBABILITY)
        return Segmentation(
            series_key=self.key,
            liver=None if self.liver is None else Mask(np.full(GRID.shape, self.liver), GRID),
            lesions=LabelMap.empty(GRID),
            lesion_probability=volume,
            provenance=ModelProvenance(
                backend="test", name=self.name, weights_sha256={"lesions": self.name}
            ),
            warnings=(NOTICE,),
        )


def asked(*members):
    return EnsembleBackend(members=members).segment(STUDY)


def test_the_mean_of_the_members_decides_and_is_the_confidence():
    found = asked(Says(0.9), Says(0.7), Says(0.5))
    assert found.lesions.values == (1,)
    assert found.confidence[1] == pytest.approx(0.7)
    assert np.count_nonzero(found.lesions.labels) == 64
    assert found.warnings == (NOTICE,)  # said once


def test_a_sure_yes_and_a_sure_no_are_no_lesion():
    assert asked(Says(0.9), Says(0.0)).lesions.values == ()


def test_the_threshold_is_the_mean_of_the_members_thresholds():
    members = Says(0.65, cut=0.6), Says(0.65, cut=0.8)
    assert asked(*members).lesions.values == ()
    assert asked(members[0], Says(0.65, cut=0.68)).lesions.values == (1,)


@pytest.mark.parametrize(
    ("votes", "is_liver"),
    [((True, False), True), ((True, False, False), False), ((None, True), True)],
)
def test_half_of_those_who_vote_make_a_liver(votes, is_liver):
    found = asked(*(Says(0.0, liver=vote) for vote in votes))
    assert found.liver is not None
    assert bool(found.liver.inside.all()) is is_liver


def test_nobody_votes_and_no_liver_is_known():
    assert asked(Says(0.9), Says(0.9)).liver is None


def test_every_member_stands_in_the_provenance():
    made = asked(Says(0.9, name="one"), Says(0.9, name="two")).provenance
    assert made.name == "one + two"
    assert made.weights_sha256 == {"1 lesions": "one", "2 lesions": "two"}


@pytest.mark.parametrize(
    ("members", "met"),
    [
        ((Says(0.9),), "at least two members; got 1"),
        ((Says(0.9), Says(0.9, key="mr")), "one took ct, another mr"),
        ((Says(0.9), Says(None)), "without saying how probable"),
    ],
)
def test_what_is_no_ensemble_is_refused(members, met):
    with pytest.raises(UsageError, match=met):
        asked(*members)
