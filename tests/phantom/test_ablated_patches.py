"""Patches to train on: what is dead lies in the liver, is as dark as ordered, and is drawn again alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from netseg.domain import Grid
from netseg.phantom.ablated_patches import EDGE_MM, PatchPrior, Scenery, draw_patch
from netseg.phantom.ablated_shapes import PatchShapes, ball_mm, depth_mm, draw_shapes, rod_mm

SIZE = 40


def points_of(size: int = SIZE) -> np.ndarray:
    grid = Grid((size,) * 3, np.diag((EDGE_MM, EDGE_MM, EDGE_MM, 1.0)), "1.2.3")
    return grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)).astype(np.float32)


def scenery(*, with_liver: bool = True) -> Scenery:
    """Liver of 110 HU, 48 mm in radius, in fat."""
    away = np.linalg.norm(np.moveaxis(np.indices((80,) * 3), 0, -1) - 39.5, axis=-1) * EDGE_MM
    liver = (away < 48.0) & with_liver
    hu = np.where(liver, 110.0, -95.0).astype(np.float32)
    return Scenery(hu=hu, liver=liver, vessels=np.zeros_like(liver))


PLAIN = PatchPrior(
    untreated=0.0, bright=0.0, contrast_hu=(50.0, 50.001), noise_hu=(1.0, 1.001), thick=0.0,
    windowed=0.0, no_liver=0.0, shapes=PatchShapes(half_axis_mm=(12.0, 12.001), partial=0.0),
)  # fmt: skip


def test_what_is_dead_is_darker_than_liver_by_what_was_ordered_and_ends_at_the_capsule() -> None:
    """50 HU of contrast; texture and dense cores move single zones, not their mean by much."""
    found = []
    for seed in range(12):
        patch = draw_patch(scenery(), SIZE, np.random.default_rng(seed), PLAIN)
        dead = patch.share >= 0.99
        if np.count_nonzero(dead) > 200:
            found.append(110.0 - float(np.median(patch.hu[dead])))
            near = ndimage.binary_dilation(patch.liver, iterations=3)  # its outline is not exact
            assert not (dead & ~near).any()
    assert np.median(found) == pytest.approx(50.0, abs=8.0)


def test_shares_lie_between_nothing_and_all() -> None:
    patch = draw_patch(scenery(), SIZE, np.random.default_rng(3))
    assert patch.hu.shape == patch.share.shape == patch.liver.shape == (SIZE,) * 3
    assert 0.0 <= patch.share.min() <= patch.share.max() <= 1.0
    assert patch.spacing_mm == EDGE_MM


def test_an_untreated_liver_has_no_dead_voxel() -> None:
    patch = draw_patch(scenery(), SIZE, np.random.default_rng(1), replace(PLAIN, untreated=1.0))
    assert not patch.share.any()
    assert patch.lesion.any()


def test_the_same_generator_draws_the_same_patch() -> None:
    first, second = (draw_patch(scenery(), SIZE, np.random.default_rng(5)) for _ in range(2))
    assert first.hu.tobytes() == second.hu.tobytes()
    assert first.share.tobytes() == second.share.tobytes()


def test_a_scenery_without_a_liver_is_refused() -> None:
    with pytest.raises(ValueError, match="has no liver"):
        draw_patch(scenery(with_liver=False), SIZE, np.random.default_rng(0))


def test_a_vessel_that_cools_keeps_its_surroundings_alive() -> None:
    """A vein through the middle of a zone: nothing within its lumen is dead."""
    points = points_of()
    middle = points[(SIZE // 2,) * 3]
    vein = rod_mm(points, middle - (100.0, 0, 0), np.array((1.0, 0, 0)), 4.0) < 0
    liver_mm = np.full((SIZE,) * 3, -50.0, np.float32)
    shapes = draw_shapes(
        points, (liver_mm, vein), np.random.default_rng(2), PatchShapes(cooled=1.0)
    )
    assert not ((shapes.zone_mm < 0) & vein).any()
    warm = draw_shapes(points, (liver_mm, vein), np.random.default_rng(2), PatchShapes(cooled=0.0))
    assert ((warm.zone_mm < 0) & vein).any()


def test_distances_of_balls_and_tubes_are_those_on_paper() -> None:
    points = points_of()
    middle = points[(SIZE // 2,) * 3].astype(np.float64)
    tube = rod_mm(points, middle, np.array((0.0, 0.0, 2.0)), 3.0)
    assert tube[SIZE // 2 + 4, SIZE // 2, SIZE // 2 + 5] == pytest.approx(4 * EDGE_MM - 3.0)
    assert tube[SIZE // 2, SIZE // 2, SIZE // 2 - 4] == pytest.approx(4 * EDGE_MM - 3.0)
    ellipsoid = ball_mm(points, middle, 12.0, np.random.default_rng(0))
    inside_ml = np.count_nonzero(ellipsoid < 0) * EDGE_MM**3 / 1000
    assert inside_ml == pytest.approx(4 / 3 * np.pi * 12.0**3 / 1000, rel=0.6)
    deep = depth_mm(np.linalg.norm(points - middle, axis=-1) < 15.0, EDGE_MM)
    assert deep[SIZE // 2 + 4, SIZE // 2, SIZE // 2] == pytest.approx(4 * EDGE_MM - 15.0, abs=0.8)
