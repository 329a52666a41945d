"""Livers whose segments are known, and what one step of training sees of them."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from netseg.phantom.tissue import Tissue
from netseg.segment.couinaud_network import SegmentsSpec
from netseg.training.fit import Schedule
from netseg.training.segment_anatomies import (
    LEFT_DEG,
    MIDDLE_DEG,
    RIGHT_DEG,
    anatomies,
    draw_segment_anatomy,
    draw_shape,
)
from netseg.training.segments_module import fit_segments, segments_loss
from netseg.training.segments_task import (
    SegmentsTask,
    _pushed,
    coloured,
    contrast,
    cut_short,
    with_lesions,
    with_vivid_veins,
)
from netseg.training.trainers import TrainerSettings
from netseg.training.warp import Warp

COARSE_MM = 6.0
SPEC = SegmentsSpec(filters=(4, 6, 8), patch=(48, 40, 40), spacing_mm=COARSE_MM)


@pytest.fixture(scope="module")
def anatomy():
    return draw_segment_anatomy(7, COARSE_MM)


@pytest.fixture(scope="module")
def task(anatomy):
    warp = Warp(patch=SPEC.patch, angle_deg=10.0, scale=(0.8, 1.2), bend_vox=1.0)
    return SegmentsTask(anatomies=[anatomy], seed=3, warp=warp, spec=SPEC)


def test_the_planes_lie_in_order_and_wider_apart_than_the_atlas_draws_them():
    shapes = [draw_shape(np.random.default_rng(n)) for n in range(200)]
    right, middle, left = (
        np.array([getattr(s, f"{name}_vein_deg") for s in shapes])
        for name in ("right", "middle", "left")
    )
    assert (right > middle).all()
    assert (middle > left).all()
    for drawn, (low, high) in ((right, RIGHT_DEG), (middle, MIDDLE_DEG), (left, LEFT_DEG)):
        assert drawn.min() >= low
        assert drawn.max() <= high
        assert np.ptp(drawn) > 0.9 * (high - low)


def test_all_eight_segments_fill_the_liver(anatomy):
    assert set(np.unique(anatomy.segments)) == set(range(9))
    volume_ml = np.count_nonzero(anatomy.segments) * COARSE_MM**3 / 1000
    assert 900 < volume_ml < 2200


def test_hepatic_veins_run_between_segments_and_portal_branches_inside():
    """Couinaud's definition: of thick vein voxels more touch a border than of thick portal ones."""
    drawn = draw_segment_anatomy(11, 3.0)
    low = ndimage.minimum_filter(np.where(drawn.segments > 0, drawn.segments, 9), 3)
    border = (ndimage.maximum_filter(drawn.segments, 3) != low) & (drawn.segments > 0)
    vein, portal = (
        float(border[(drawn.vessels[n] > 200) & (drawn.segments > 0)].mean()) for n in (0, 1)
    )
    assert vein > portal + 0.1


def test_the_same_seed_gives_the_same_liver_and_another_one_another(anatomy):
    again = draw_segment_anatomy(7, COARSE_MM)
    assert np.array_equal(anatomy.tissue, again.tissue)
    assert np.array_equal(anatomy.segments, again.segments)
    other = draw_segment_anatomy(8, COARSE_MM)
    assert other.segments.shape != again.segments.shape or not np.array_equal(
        other.segments, again.segments
    )


def test_a_kept_liver_is_read_back_as_it_was_drawn(tmp_path, anatomy):
    (first,) = anatomies(7, 1, COARSE_MM, tmp_path)
    (kept,) = anatomies(7, 1, COARSE_MM, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["7_6mm.npz"]
    for one in (first, kept):
        assert np.array_equal(one.vessels, anatomy.vessels)


def test_a_step_is_a_function_of_its_number(task):
    image, truth = task(5)
    again, same = task(5)
    assert torch.equal(image, again)
    assert torch.equal(truth, same)
    assert task(6)[0].shape != image.shape or not torch.equal(task(6)[0], image)


def test_the_truth_stands_in_the_given_liver_only(task):
    for step in range(6):
        image, truth = task(step)
        assert image.shape[1:] == truth.shape
        assert all(n % SPEC.multiple == 0 for n in truth.shape)
        assert torch.isfinite(image).all()
        assert not (truth > 0)[image[1] == 0].any()
        assert (truth > 0).float().sum() > 0.7 * image[1].sum()


def test_nothing_shines_through_where_the_liver_alone_is_shown(anatomy):
    """What is left around it is the liver's median, which counts zero."""
    warp = Warp(patch=SPEC.patch)
    bare = SegmentsTask(
        anatomies=[anatomy], seed=3, warp=warp, spec=SPEC, bare=1.0, lesions=0.0, short=0.0
    )
    image, _ = bare(2)
    assert image[0][image[1] == 0].abs().max() < 1e-4


def test_both_scanners_and_chance_show_liver_near_a_hundred(anatomy):
    for number in range(8):
        generator = torch.Generator().manual_seed(number)
        table = contrast(generator, physical=number % 2 == 0)
        image = coloured(anatomy, table, generator)
        plain = (anatomy.tissue == Tissue.LIVER) & (anatomy.vessels.max(axis=0) == 0)
        assert float(image[torch.from_numpy(plain)].mean()) == pytest.approx(100.0, abs=3.0)


def test_vivid_veins_stand_out_from_the_liver():
    for number in range(20):
        generator = torch.Generator().manual_seed(number)
        table = with_vivid_veins(contrast(generator, physical=True), generator)
        assert 35 <= abs(float(table[Tissue.HEPATIC_VEIN]) - 100) <= 90
        assert abs(float(table[Tissue.PORTAL_VEIN]) - 100) >= 20


def test_a_lesion_that_did_not_grow_pushes_nothing():
    image = torch.randn(9, 9, 9)
    segments = torch.randint(0, 9, (9, 9, 9), dtype=torch.uint8)
    box = (slice(0, 9),) * 3
    moved, named = _pushed(image, segments, torch.full((3,), 4.0), box, 2.0, 0.0)
    assert torch.allclose(moved, image, atol=1e-4)
    assert torch.equal(named, segments)


def test_what_lay_beside_a_growing_lesion_moves_outwards():
    """At twice 1.2 radii of 4 voxels, growth 0.6 shows what was at 8 (1 - 0.6 exp(-2.8)) = 7.7."""
    image = torch.arange(41.0)[:, None, None].expand(41, 3, 41).contiguous()
    segments = torch.ones((41, 3, 41), dtype=torch.uint8)
    box = (slice(0, 41), slice(0, 3), slice(0, 41))
    moved, _ = _pushed(image, segments, torch.tensor((20.0, 1.0, 20.0)), box, 4.0, 0.6)
    assert float(moved[24, 1, 20]) == pytest.approx(
        20 + 4 * (1 - 0.6 * np.exp(-((1 / 1.2) ** 2))), abs=0.05
    )
    assert float(moved[40, 1, 20]) == pytest.approx(40.0, abs=0.1)


def test_lesions_stay_in_the_liver(anatomy):
    image = torch.full(anatomy.segments.shape, 100.0)
    segments = torch.from_numpy(anatomy.segments)
    painted, named = with_lesions(image, segments, COARSE_MM, torch.Generator().manual_seed(2))
    changed = (painted - 100.0).abs() > 1.0
    assert changed.any()
    assert not changed[named == 0].any()


def test_a_scan_that_ends_in_the_liver_leaves_at_least_two_thirds_of_its_height():
    liver = torch.zeros((4, 4, 40), dtype=torch.bool)
    liver[:, :, 5:35] = True
    for number in range(10):
        _, left = cut_short(torch.zeros(4, 4, 40), liver, torch.Generator().manual_seed(number))
        assert 20 <= int(left[0, 0].sum()) <= 30


# loss and training


def test_right_and_sure_costs_nothing_and_wrong_and_sure_a_lot():
    truth = torch.randint(1, 9, (1, 6, 6, 6))
    sure = 40.0 * torch.nn.functional.one_hot(truth - 1, 8).movedim(-1, 1).float()
    assert float(segments_loss(sure, truth)) < 0.01
    assert float(segments_loss(sure.roll(1, dims=1), truth)) > 10.0


def test_voxels_outside_the_liver_count_nothing():
    truth = torch.randint(1, 9, (1, 6, 6, 6))
    truth[:, :3] = 0
    logits = torch.randn(1, 8, 6, 6, 6)
    other = logits.clone()
    other[:, :, :3] = 50.0
    assert segments_loss(logits, truth) == segments_loss(other, truth)


@pytest.mark.slow
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path, task):
    def trained(steps, folder, *, resume):
        schedule = Schedule(steps=steps, cosine_steps=4, checkpoint_every=2, warmup_steps=1)
        where = TrainerSettings(accelerator="cpu", precision="32-true")
        return fit_segments(
            SPEC, task, schedule, folder=tmp_path / folder, resume=resume, where=where
        )

    whole = trained(4, "a", resume=False)
    trained(2, "b", resume=False)
    parts = trained(4, "b", resume=True)
    for one, other in zip(whole.averaged.parameters(), parts.averaged.parameters(), strict=True):
        assert torch.equal(one, other)
