"""Training images made on the fly: what they promise about truth, sight and scanners."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from netseg.phantom.acquisition import Scanners
from netseg.phantom.appearance import CHANNELS, Family
from netseg.phantom.synthesis import Synthesis, Synthetic
from netseg.phantom.tissue import Tissue
from netseg.phantom.tumour_prior import Mimic, TumourPrior

LabelMap = tuple[torch.Tensor, torch.Tensor]
EVERY = Synthesis(prior=TumourPrior(free=0.0))
PHYSICAL = replace(EVERY, free=0.0)
QUIET = Scanners(streaks=0.0, ghosts=0.0)


def made(
    label_map: LabelMap, channels: tuple[str, ...], seed: int, synthesis: Synthesis = EVERY
) -> Synthetic:
    tissues, liver = label_map
    return synthesis(tissues, liver, 3.0, channels, torch.Generator().manual_seed(seed))


def test_every_channel_of_a_study_has_an_image_of_the_patch_on_its_device(
    label_map: LabelMap,
) -> None:
    tissues, liver = label_map
    sample = made(label_map, tuple(CHANNELS), 1)
    assert tuple(sample.images) == tuple(CHANNELS)
    for image in sample.images.values():
        assert image.shape == tissues.shape
        assert image.dtype == torch.float32
        assert image.device == tissues.device
        assert bool(torch.isfinite(image).all())
    assert sample.lesions.dtype == torch.bool
    assert sample.lesions.device == liver.device
    assert not bool((sample.lesions & ~liver).any())


def test_the_same_generator_state_gives_the_same_bytes_and_another_one_others(
    label_map: LabelMap,
) -> None:
    channels = ("ct_arterial", "mr_t2", "pet_sstr")
    first, again, other = (made(label_map, channels, seed) for seed in (7, 7, 8))
    assert torch.equal(first.instances, again.instances)
    assert all(torch.equal(first.images[c], again.images[c]) for c in channels)
    assert not torch.equal(first.images["mr_t2"], other.images["mr_t2"])


def test_unknown_channels_and_foreign_shapes_are_refused(label_map: LabelMap) -> None:
    tissues, liver = label_map
    generator = torch.Generator()
    with pytest.raises(ValueError, match=r"ct_portal.*got \['ct_venous'\]"):
        EVERY(tissues, liver, 3.0, ("ct_venous",), generator)
    with pytest.raises(ValueError, match=r"got \[\]"):
        EVERY(tissues, liver, 3.0, (), generator)
    with pytest.raises(ValueError, match="must be one volume"):
        EVERY(tissues, liver[1:], 3.0, ("ct_portal",), generator)
    with pytest.raises(ValueError, match="free must lie in"):
        Synthesis(free=1.2)
    with pytest.raises(ValueError, match="raise_at_most must be 1 or more"):
        Synthesis(raise_at_most=0.5)


def test_a_patch_without_liver_has_images_and_no_lesion(label_map: LabelMap) -> None:
    tissues, liver = label_map
    sample = EVERY(
        tissues, torch.zeros_like(liver), 3.0, ("ct_portal",), torch.Generator().manual_seed(2)
    )
    assert not bool(sample.lesions.any())
    assert sample.bodies == ()


@pytest.mark.parametrize("channel", ["ct_native", "ct_portal", "mr_t1", "pet_fdg"])
def test_nothing_invisible_is_called_a_lesion(label_map: LabelMap, channel: str) -> None:
    """0.7 for any size, and three times the noise of the mean over a small one's voxels."""
    found = 0
    for seed in range(7):
        sample = made(label_map, (channel,), seed)
        for body in sample.bodies:
            found += 1
            voxels = int((sample.instances == body.number).sum())
            assert voxels > 0
            assert body.volume_ml == pytest.approx(voxels * 0.027)
            assert body.cnr[channel] >= max(0.7, 3.0 / voxels**0.5)
        for body in sample.dropped:
            assert body.number < 0 or not bool((sample.instances == body.number).any())
    assert found > 7


def test_the_stated_contrast_is_the_one_in_the_image(label_map: LabelMap) -> None:
    """Root mean square over a lesion against the liver's spread: sqrt(1 + CNR²) of what is stated."""
    plain = replace(PHYSICAL, scanners=replace(QUIET, thickness_mm=(1.0, 3.0)))
    ratios = []
    for seed in range(8):
        sample = made(label_map, ("ct_portal",), seed, plain)
        scan, image = sample.scans["ct_portal"], sample.images["ct_portal"]
        for body in sample.bodies:
            where = sample.instances == body.number
            if int(where.sum()) < 40:
                continue
            offset = (image[where] - scan.palette.liver).square().mean().sqrt() / scan.spread
            ratios.append(float(offset) / (1.0 + body.cnr["ct_portal"] ** 2) ** 0.5)
    middle = sorted(ratios)[len(ratios) // 2]
    assert len(ratios) > 6
    assert middle == pytest.approx(1.0, abs=0.15)


def test_a_lesion_too_faint_to_be_raised_is_in_neither_truth_nor_image(
    label_map: LabelMap,
) -> None:
    """With noise of 400 HU nothing can be seen: same scanner, same noise, with and without lesions."""
    noisy = replace(PHYSICAL, scanners=replace(QUIET, noise_hu=(400.0, 401.0)), raise_at_most=1.0)
    sample = made(label_map, ("ct_native",), 3, noisy)
    assert sample.dropped
    gone = {body.number for body in sample.dropped}
    assert not gone & set(sample.instances.unique().tolist())
    assert sample.bodies == ()


def test_noise_one_can_see_through_keeps_the_lesion(label_map: LabelMap) -> None:
    clear = replace(PHYSICAL, scanners=replace(QUIET, noise_hu=(1.0, 2.0)), raise_at_most=1.0)
    assert made(label_map, ("ct_portal",), 3, clear).bodies


def test_a_sample_free_of_lesions_still_holds_look_alikes_none_of_them_in_the_truth(
    label_map: LabelMap,
) -> None:
    never = made(label_map, ("ct_portal",), 1, Synthesis(prior=TumourPrior(free=1.0, mimics=6.0)))
    assert not bool(never.lesions.any())
    assert never.mimics
    assert all(isinstance(body.kind, Mimic) and body.number < 0 for body in never.mimics)
    assert set(never.instances.unique().tolist()) == {0, *(b.number for b in never.mimics)}


def test_half_of_the_samples_has_freely_drawn_contrasts(label_map: LabelMap) -> None:
    tissues, liver = (volume[14:26, 14:26, 14:26] for volume in label_map)
    drawn = [made((tissues, liver), ("mr_t1",), seed, Synthesis()).free for seed in range(30)]
    assert 7 <= sum(drawn) <= 23  # 15 expected, three standard deviations are 8.2


def test_other_scanners_may_lie_askew_but_never_the_first(label_map: LabelMap) -> None:
    channels = ("ct_portal", "ct_arterial", "mr_t2", "pet_sstr")
    askew, straight = replace(EVERY, misfit=1.0), replace(EVERY, misfit=0.0)
    moved, still = (made(label_map, channels, 5, s) for s in (askew, straight))
    assert set(moved.misfits) == {Family.MR, Family.PET}
    assert still.misfits == {}
    for misfit in moved.misfits.values():
        assert 0 < sum(d * d for d in misfit.shift_mm) ** 0.5 <= 6.0
        assert all(abs(angle) <= 5.0 for angle in misfit.turn_deg)
    assert torch.equal(moved.instances, still.instances)
    assert torch.equal(moved.images["ct_portal"], still.images["ct_portal"])
    assert torch.equal(moved.images["ct_arterial"], still.images["ct_arterial"])
    assert not torch.equal(moved.images["mr_t2"], still.images["mr_t2"])


@pytest.fixture(scope="module")
def healthy(label_map: LabelMap) -> list[Synthetic]:
    """Eight patients without lesions in four physical channels."""
    synthesis = replace(
        PHYSICAL, prior=TumourPrior(free=1.0, mimics=0.0), scanners=QUIET, misfit=0.0
    )
    channels = ("ct_native", "ct_portal", "pet_sstr", "pet_fdg", "mr_t1")
    return [made(label_map, channels, seed, synthesis) for seed in range(8)]


def medians(
    label_map: LabelMap, patients: list[Synthetic], channel: str, tissue: Tissue
) -> torch.Tensor:
    """Median over the tissue's inner voxels, patient by patient."""
    here = where = label_map[0] == tissue
    for axis in range(3):
        where = where & torch.roll(here, 1, axis) & torch.roll(here, -1, axis)
    return torch.stack([p.images[channel][where].median() for p in patients])


@pytest.mark.parametrize(
    ("channel", "tissue", "low", "high"),
    [
        ("ct_native", Tissue.LIVER, 5, 75),  # 50-65, fatty livers down to 0
        ("ct_portal", Tissue.LIVER, 45, 145),  # 90-120 when not fatty
        ("ct_native", Tissue.FAT, -130, -70),
        ("ct_portal", Tissue.SPLEEN, 80, 165),
        ("pet_sstr", Tissue.LIVER, 3.0, 12.0),
        ("pet_sstr", Tissue.SPLEEN, 8.0, 38.0),
        ("pet_fdg", Tissue.LIVER, 1.3, 4.0),
        ("pet_fdg", Tissue.SPLEEN, 1.0, 3.6),
    ],
)
def test_physical_images_keep_to_what_is_measured_in_patients(
    label_map: LabelMap,
    healthy: list[Synthetic],
    channel: str,
    tissue: Tissue,
    low: float,
    high: float,
) -> None:
    values = medians(label_map, healthy, channel, tissue)
    assert float(values.min()) > low
    assert float(values.max()) < high


def test_the_spleen_is_hotter_than_the_liver_in_sstr_and_a_fatty_liver_darker_than_it_in_ct(
    label_map: LabelMap, healthy: list[Synthetic]
) -> None:
    liver, spleen = (
        medians(label_map, healthy, "pet_sstr", t) for t in (Tissue.LIVER, Tissue.SPLEEN)
    )
    assert bool((spleen > liver).all())
    liver, spleen = (
        medians(label_map, healthy, "ct_native", t) for t in (Tissue.LIVER, Tissue.SPLEEN)
    )
    assert 0 < int((liver < spleen).sum()) < len(healthy)


def test_mr_has_no_unit_and_nothing_but_ct_is_ever_negative(
    label_map: LabelMap, healthy: list[Synthetic]
) -> None:
    liver = medians(label_map, healthy, "mr_t1", Tissue.LIVER)
    assert float(liver.max() / liver.min()) > 4.0
    for patient in healthy:
        assert all(float(patient.images[c].min()) >= 0.0 for c in ("mr_t1", "pet_sstr", "pet_fdg"))
        assert float(patient.images["ct_portal"].min()) < -80.0
