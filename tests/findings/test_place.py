"""How near lesions lie to capsule and vessels, and how much of each part of the liver is tumour."""

import numpy as np
import pytest

from netseg.domain import GridMismatchError, LabelMap
from netseg.findings import measure
from tests.findings.bodies import ct, grid_of, segmentation_of, study_of

GRID = grid_of((40, 40, 20), (2.0, 2.0, 4.0), (-40.0, -40.0, 100.0))
LIVER = np.zeros(GRID.shape, bool)
LIVER[2:38, 2:38, 1:19] = True


def lesion_of(box, **more):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[box] = 1
    findings = measure(study_of(ct(0, GRID, None)), segmentation_of(labels, GRID, LIVER), **more)
    return findings.lesions[0]


def test_the_way_to_the_capsule_runs_from_box_to_box():
    """Voxels 2 … 6 of 2 mm lie between the lesion and the surface: 10 mm."""
    lesion = lesion_of(np.s_[7:12, 15:25, 8:12])
    assert lesion.measures["capsule_distance_mm"] == pytest.approx(10.0)
    assert lesion.signs["touches_capsule"] is False


def test_a_subcapsular_lesion_touches():
    lesion = lesion_of(np.s_[2:7, 15:25, 8:12])
    assert lesion.measures["capsule_distance_mm"] == 0.0
    assert lesion.signs["touches_capsule"] is True


def test_without_a_liver_nobody_knows():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[7:12, 15:25, 8:12] = 1
    (lesion,) = measure(study_of(ct(0, GRID, None)), segmentation_of(labels, GRID)).lesions
    assert "touches_capsule" not in lesion.signs
    assert lesion.unknown["capsule_distance_mm"] == "no liver mask"


def test_the_way_to_a_vessel():
    """Ten slices of 4 mm: one lesion voxel layer at 5, the vessel at 9: three slices between."""
    vessels = np.zeros(GRID.shape, np.uint8)
    vessels[:, :, 9] = 4
    named = LabelMap(vessels, GRID, {4: "portal_vein", 5: "hepatic_vein"})
    lesion = lesion_of(np.s_[10:15, 10:15, 5], vessels=named)
    assert lesion.measures["distance_to_portal_vein_mm"] == pytest.approx(12.0)
    assert "distance_to_hepatic_vein_mm" not in lesion.measures


def test_vessels_on_another_grid_are_refused():
    coarse = grid_of((20, 20, 20), (4.0, 4.0, 4.0), (-40.0, -40.0, 100.0))
    vessels = LabelMap(np.ones(coarse.shape, np.uint8), coarse, {1: "portal_vein"})
    with pytest.raises(GridMismatchError, match="distance to vessels: the grids differ"):
        lesion_of(np.s_[10:15, 10:15, 5], vessels=vessels)


def test_a_vessel_outside_the_liver_counts_too():
    """Behind the liver's last voxel (37) at 39; the lesion ends at 35: three voxels of 2 mm."""
    vessels = np.zeros(GRID.shape, np.uint8)
    vessels[39, 20, 9] = 1
    named = LabelMap(vessels, GRID, {1: "vena_cava"})
    lesion = lesion_of(np.s_[30:36, 15:25, 8:11], vessels=named)
    assert lesion.measures["distance_to_vena_cava_mm"] == pytest.approx(6.0)


def test_burden_of_the_whole_of_lobes_and_of_segments():
    """VI and VII fill halves of the liver; 200 of 11664 voxels lie in VI."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[5:10, 10:20, 8:12] = 1
    segments = np.zeros(GRID.shape, np.uint8)
    segments[2:20, 2:38, 1:19], segments[20:38, 2:38, 1:19] = 6, 3
    names = {6: "VI", 3: "III"}
    seg = segmentation_of(labels, GRID, LIVER, segments=LabelMap(segments, GRID, names))
    findings = measure(study_of(ct(0, GRID, None)), seg)
    m = findings.liver_measures
    assert m["burden_pct"] == pytest.approx(100 * 200 / (36 * 36 * 18))
    assert m["burden_pct_right"] == pytest.approx(100 * 200 / (18 * 36 * 18))
    assert m["burden_pct_segment_vi"] == pytest.approx(m["burden_pct_right"])
    assert m["lesion_ml_segment_vi"] == pytest.approx(200 * 16 / 1000)
    assert m["burden_pct_left"] == 0.0
    assert "burden_pct_segment_ii" not in m
    (region,) = [r for r in findings.liver_regions if "burden_pct_right" in r.measures]
    assert region.volume_ml == pytest.approx(18 * 36 * 18 * 16 / 1000)
    assert "segment map" in region.name


def test_probabilities_of_segment_and_lobe_are_the_segmentation_s_own():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[7:12, 15:25, 8:12] = 1
    told = segmentation_of(labels, GRID, LIVER, lobe_confidence={1: 0.9})
    lesion = measure(study_of(ct(0, GRID, None)), told).lesions[0]
    assert (lesion.lobe_probability, lesion.segment_probability) == (0.9, None)
