"""What is said, or added, when an outline is not all that the way ahead needs."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import (
    Code,
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    Quantity,
    Segmentation,
    Series,
    Study,
    StudyRejectedError,
    Volume,
)
from netseg.pipeline.outlines import told_of_limits, with_liver

GRID = Grid((6, 6, 6), np.eye(4), "1.2.3")
STUDY = Study(
    case_id="p01",
    series=(
        Series(
            key="ct",
            modality=Modality.CT,
            volume=Volume(np.zeros((6, 6, 6), np.int16), GRID, Quantity.HU),
        ),
    ),
)


def outlines(lesions: int, liver: slice | None, grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[1, 1, 1] = lesions
    mask = None
    if liver is not None:
        inside = np.zeros(grid.shape, bool)
        inside[liver] = True
        mask = Mask(inside, grid)
    made = ModelProvenance(backend="x", name="some_model", weights_sha256={"liver": "ab"})
    return Segmentation(
        series_key="ct", liver=mask, lesions=LabelMap(labels, grid), provenance=made
    )


class Network:
    """Gives one answer, or refuses."""

    def __init__(self, answer: Segmentation | StudyRejectedError) -> None:
        self.answer = answer

    def segment(self, study: Study) -> Segmentation:
        """Answer for any study."""
        assert study is STUDY
        if isinstance(self.answer, StudyRejectedError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("lesions", "code"), [(1, Code.OUTLINES_UNCHECKED), (0, Code.NO_LESION_FOUND)]
)
def test_a_network_never_answers_without_its_limits(lesions: int, code: Code):
    (notice,) = told_of_limits(outlines(lesions, slice(0, 3))).warnings
    assert notice.code is code
    assert "some_model" in notice.message


def test_given_lesions_get_the_networks_liver_and_a_warning():
    """The lesion at (1, 1, 1) lies outside that liver; burden needs it inside."""
    got = with_liver(outlines(1, None), STUDY, Network(outlines(0, slice(3, 6))))
    assert got.liver is not None
    assert np.count_nonzero(got.liver.inside) == 3 * 36 + 1
    assert got.provenance.weights_sha256 == {"liver": "ab"}
    assert [w.code for w in got.warnings] == [Code.LIVER_BY_NETWORK]


def test_without_a_network_for_this_study_the_liver_stays_unknown():
    refusal = StudyRejectedError(Code.NO_USABLE_SERIES, "the study has no CT.")
    got = with_liver(outlines(1, None), STUDY, Network(refusal))
    assert got.liver is None
    assert "the study has no CT" in got.warnings[0].message


def test_a_liver_of_another_grid_is_not_laid_over_the_lesions():
    other = Grid((6, 6, 6), np.diag([2.0, 2.0, 2.0, 1.0]), "1.2.3")
    answer = outlines(0, slice(0, 3), other)
    got = with_liver(outlines(1, None), STUDY, Network(answer))
    assert got.liver is None
    assert "another series" in got.warnings[0].message
