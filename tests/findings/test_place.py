"""How near lesions lie to capsule and vessels, and how much of each part of the liver is tumour."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from netseg.domain import GridMismatchError, LabelMap, Mask
from netseg.findings import measure
from netseg.findings.burden import burden
from netseg.findings.partition import approximate_segments
from netseg.findings.record import Record
from netseg.findings.region import regions
from tests.findings.bodies import ct, grid_of, segmentation_of, study_of

ndimage: Any = scipy.ndimage  # the types guessed for it are wrong

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


def by_distance_map(structure, region, spacing):
    """The way from box to box, read off a map of distances over the whole image."""
    grown = ndimage.binary_dilation(structure, np.ones((3, 3, 3)))
    far = ndimage.distance_transform_edt(~grown, sampling=spacing)
    return far[region].min()


@pytest.mark.parametrize("seed", range(4))
def test_a_map_of_distances_over_the_whole_image_says_the_same(seed):
    """Bodies of any shape, that touch the image's border, leave the liver, overlap a vessel."""
    rng = np.random.default_rng(seed)
    grid = grid_of((37, 31, 23), (0.8, 1.1, 2.5))
    calm = ndimage.gaussian_filter(rng.normal(size=(4, *grid.shape)), (0, 3, 3, 2))
    liver, *vessels = (
        one > np.quantile(one, q) for one, q in zip(calm, (0.4, 0.9, 0.98), strict=False)
    )
    vessels[1] &= ~vessels[0]
    labels, count = ndimage.label(calm[3] > np.quantile(calm[3], 0.85))
    assert count >= 3
    named = LabelMap(np.array(vessels[0] + 2 * vessels[1], np.uint8), grid, {1: "a", 2: "b"})
    seg = segmentation_of(labels, grid, liver)
    findings = measure(study_of(ct(0, grid, None)), seg, vessels=named)
    assert len(findings.lesions) == count
    found = []
    for one in findings.lesions:
        region = labels == one.id
        wanted = {
            "capsule_distance_mm": by_distance_map(~liver, region, grid.spacing_mm),
            "distance_to_a_mm": by_distance_map(vessels[0], region, grid.spacing_mm),
            "distance_to_b_mm": by_distance_map(vessels[1], region, grid.spacing_mm),
        }
        assert {name: one.measures[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)
        found += wanted.values()
    assert min(found) == 0
    assert max(found) > 2


def test_deep_lesions_have_the_way_that_the_map_of_distances_says():
    """Balls in a large ball, near and far from its surface; none touches."""
    grid = grid_of((60, 60, 60), (1.0, 1.0, 1.5))
    i, j, k = np.indices(grid.shape)
    liver = (i - 30) ** 2 + (j - 30) ** 2 + (1.5 * (k - 30)) ** 2 < 27**2
    labels = np.zeros(grid.shape, np.uint8)
    for number, (x, radius) in enumerate(((30, 4), (18, 3), (44, 5)), start=1):
        labels[(i - x) ** 2 + (j - 30) ** 2 + (1.5 * (k - 30)) ** 2 < radius**2] = number
    findings = measure(study_of(ct(0, grid, None)), segmentation_of(labels, grid, liver))
    for one in findings.lesions:
        wanted = by_distance_map(~liver, labels == one.id, grid.spacing_mm)
        assert wanted > 4
        assert one.measures["capsule_distance_mm"] == pytest.approx(wanted, abs=1e-9)


def test_counts_in_boxes_are_the_counts_over_the_whole_image():
    rng = np.random.default_rng(1)
    segments = LabelMap(
        (rng.integers(0, 5, GRID.shape) * LIVER).astype(np.uint8), GRID, {1: "I", 2: "IV", 4: "VI"}
    )
    lesions = LabelMap(rng.integers(0, 2, GRID.shape).astype(np.uint8), GRID)
    record = Record()
    burden(Mask(LIVER, GRID), lesions, segments, None, record)
    whole = np.bincount(segments.labels.reshape(-1))
    tumour = np.bincount(segments.labels[lesions.labels != 0])
    for number, name in ((1, "i"), (2, "iv"), (3, "iii"), (4, "vi")):
        share = 100 * tumour[number] / whole[number]
        assert record.measures[f"burden_pct_segment_{name}"] == pytest.approx(share)


def test_centroids_and_segments_do_not_depend_on_how_many_points_go_at_once(monkeypatch):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[7:20, 15:25, 8:12] = 1
    (region,) = regions(LabelMap(labels, GRID))
    before = approximate_segments(Mask(LIVER, GRID)).labels
    monkeypatch.setattr("netseg.findings.region.CHUNK", 37)
    assert len(list(region.points_mm())) == -(-region.voxels // 37)
    wanted = GRID.to_mm(np.argwhere(labels).mean(axis=0))
    assert region.centroid_mm() == pytest.approx(wanted)
    assert np.array_equal(approximate_segments(Mask(LIVER, GRID)).labels, before)


def test_no_measure_takes_room_for_the_whole_image():
    """A small liver in an image of 40 million voxels: what is taken is less than a byte of each.

    Not counted is the segment map, which is handed on with the image's shape.
    """
    grid = grid_of((400, 400, 250), (0.7, 0.7, 0.6))
    liver, labels = np.zeros(grid.shape, bool), np.zeros(grid.shape, np.uint8)
    liver[100:160, 150:200, 100:140] = True
    labels[120:130, 170:180, 110:120] = 1
    seg = segmentation_of(labels, grid, liver, segments=LabelMap(liver.astype(np.uint8), grid))
    small = ct(0, grid_of((20, 20, 20), (20.0, 20.0, 10.0)), None)
    tracemalloc.start()
    measure(study_of(small), seg)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * labels.size
