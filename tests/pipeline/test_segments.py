"""Segments are added to whoever's liver, and only where somebody can tell them."""

from dataclasses import replace

import numpy as np

from netseg.domain import (
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    Quantity,
    Segmentation,
    Series,
    Study,
    Volume,
)
from netseg.pipeline import Stations

GRID = Grid((6, 6, 6), np.eye(4), "1.2.3")
CT = Series(
    key="ct",
    modality=Modality.CT,
    volume=Volume(np.zeros((6, 6, 6), np.int16), GRID, Quantity.HU),
)
FOUND = Segmentation(
    series_key="ct",
    liver=Mask(np.ones((6, 6, 6), bool), GRID),
    lesions=LabelMap.empty(GRID),
    provenance=ModelProvenance(backend="x", name="some model"),
)


class Backend:
    """Finds the same liver everywhere."""

    def segment(self, study):
        """One answer for any study."""
        del study
        return FOUND


class AllCaudate:
    """Calls everything segment I."""

    def add(self, study, segmentation):
        """One answer for any study."""
        del study
        labels = LabelMap(segmentation.liver.inside.astype(np.uint8), GRID, {1: "I"})
        return replace(segmentation, segments=labels)


def stations(segments):
    return Stations(
        segment=Backend(),
        masks=Backend(),
        planner=None,
        ablation=None,
        margin=None,
        rules=None,
        config_sha256="",
        device="cpu",
        segments=segments,
    )


def test_a_networks_liver_and_a_given_one_get_segments_alike():
    alone = Study(case_id="a", series=(CT,))
    given = Study(case_id="a", series=(CT,), lesions=LabelMap.empty(GRID))
    for study in (alone, given):
        assert stations(AllCaudate()).outline(study).segments.values == (1,)


def test_without_anybody_to_tell_them_they_stay_unknown():
    assert stations(None).outline(Study(case_id="a", series=(CT,))).segments is None
