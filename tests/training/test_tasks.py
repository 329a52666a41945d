"""What a step sees depends on its number alone; painted lesions lie in the liver."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from netseg.phantom.synthesis import Synthesis, draw_anatomy
from netseg.segment.channels import CHANNELS
from netseg.segment.networks import LIVER_GIVEN
from netseg.training.contrast import Contrast, bend_greys
from netseg.training.paint import LesionPrior, paint
from netseg.training.patches import RealPatches, SyntheticPatches
from netseg.training.sample import lesion_weight
from netseg.training.scenes import LESION, LIVER, Scene
from netseg.training.subsets import PROTOCOLS
from netseg.training.surroundings import extend, heal, transplant
from netseg.training.tasks import LesionTask, LiverTask, Mixture, generator_of, leak
from netseg.training.warp import Warp, cut, cut_labels

PATCH = (32, 32, 32)


def scene(name="p", *, liver_hu=100.0, lesion=True, size=40, clean=True):
    """A ball of liver with a dark ball in it, in fat."""
    at = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1) - size / 2
    labels = (np.linalg.norm(at, axis=-1) < 14).astype(np.uint8) * LIVER
    if lesion:
        labels[np.linalg.norm(at - 4, axis=-1) < 4] = LESION
    hu = np.select([labels == LESION, labels == LIVER], [liver_hu - 50, liver_hu], -90.0)
    return Scene(
        name=name,
        images={"ct_portal": torch.from_numpy(hu.astype(np.float32))},
        labels=torch.from_numpy(labels),
        spacing_mm=1.5,
        clean=clean,
    )


def real(*scenes, **changes):
    return RealPatches(
        scenes=scenes, weights=[1.0] * len(scenes), warp=Warp(patch=PATCH), **changes
    )


def lesion_task(*scenes, mixture=None, **changes):
    patches = Mixture(real=real(*(scenes or (scene(),)), **changes), **(mixture or {}))
    return LesionTask(inputs=(*CHANNELS, LIVER_GIVEN), patches=patches, seed=5, patch=PATCH)


@pytest.mark.parametrize("step", [0, 17])
def test_a_step_sees_the_same_whenever_it_is_asked(step):
    first, second = lesion_task()(step), lesion_task()(step)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_two_steps_see_different_things():
    task = lesion_task()
    assert not torch.equal(task(0).image, task(1).image)


def test_the_networks_get_what_their_specs_say():
    sample = lesion_task()(3)
    assert sample.given.tolist() == [CHANNELS.index("ct_portal"), len(CHANNELS)]
    assert sample.image.shape == (2, *PATCH)
    assert sample.truth.shape == sample.weight.shape == (2, *PATCH)
    liver = LiverTask(inputs=CHANNELS, patches=Mixture(real=real(scene())), seed=5, jitter=0.1)
    image, given, truth, _ = liver(3)
    assert given.tolist() == [CHANNELS.index("ct_portal")]
    assert image.shape == (1, *PATCH)
    assert float(image.abs().max()) <= 1.0
    assert float(truth.sum()) > 0


def test_the_liver_holds_its_lesions():
    lesion, liver = lesion_task()(3).truth
    assert float(lesion.sum()) > 0
    assert not bool((lesion.bool() & ~liver.bool()).any())


def test_some_cases_stay_without_painted_lesions():
    task = lesion_task(scene(lesion=False), untouched=0.25)
    empty = sum(float(task(step).truth[0].sum()) == 0 for step in range(60))
    assert 9 <= empty <= 33  # 25 % plus those where chance paints nothing or outside the patch


def test_a_liver_nobody_searched_teaches_nothing_about_lesions():
    _, _, truth, weight = lesion_task(scene(lesion=False, clean=False))(3)
    inside = truth[1] > 0
    assert float(weight[0][inside].sum()) == 0.0
    assert float(weight[0][~inside].min()) == 1.0  # outside the liver there is none, that is known
    assert float(weight[1].min()) == 1.0


def test_a_small_lesion_weighs_as_much_as_one_of_fifteen_hundred_voxels():
    lesions = torch.zeros((20, 20, 20), dtype=torch.bool)
    lesions[2:7, 2:7, 2:8] = True  # 150 voxels
    lesions[12, 12, 12] = True  # one voxel: no weight may grow without bound
    weight = lesion_weight(lesions, torch.zeros_like(lesions), 1500.0, 25.0)
    assert float(weight[2:7, 2:7, 2:8].sum()) == pytest.approx(1500.0)
    assert float(weight[12, 12, 12]) == 25.0
    assert float(weight[0, 0, 0]) == 1.0


def test_a_disguised_ct_comes_as_one_mr_channel_with_its_truth_unmoved():
    plain = lesion_task(painted=0.0)(3)
    other = lesion_task(painted=0.0, mixture={"disguised": 1.0})(3)
    assert CHANNELS[int(other.given[0])].startswith("mr_")
    assert torch.equal(plain.truth, other.truth)


def test_bent_greys_keep_what_is_equal_equal_and_air_dark():
    hu = torch.tensor([[[-160.0, 60.0, 60.0, 110.0]]])
    bent = bend_greys(hu, generator_of(3, 1))[0, 0]
    assert float(bent[1]) == float(bent[2])
    assert 0.0 <= float(bent[0]) <= 250.0


def test_training_without_any_patches_is_refused():
    with pytest.raises(ValueError, match="real scenes, anatomies, or both; got neither"):
        Mixture()


def test_synthetic_steps_have_the_channels_of_a_protocol():
    anatomy = draw_anatomy(1000, 4.0)
    drawn = SyntheticPatches(anatomies=[anatomy], warp=Warp(patch=PATCH), synthesis=Synthesis())
    task = LesionTask(
        inputs=(*CHANNELS, LIVER_GIVEN), patches=Mixture(synthetic=drawn), seed=5, patch=PATCH
    )
    seen = [tuple(CHANNELS[n] for n in task(step).given.tolist()[:-1]) for step in range(12)]
    assert len(set(seen)) > 3
    assert all(any(set(s) <= set(p) for p in PROTOCOLS) for s in seen)


def test_the_patches_of_a_batch_share_their_channels():
    anatomy = draw_anatomy(1000, 4.0)
    drawn = SyntheticPatches(anatomies=[anatomy], warp=Warp(patch=PATCH), synthesis=Synthesis())
    mixed = Mixture(real=real(scene()), synthetic=drawn)
    task = LiverTask(inputs=CHANNELS, patches=mixed, seed=5, batch=4, jitter=0.1)
    for first in (0, 4, 8):
        given = [task(step).given.tolist() for step in range(first, first + 4)]
        assert given == [given[0]] * 4


def test_phantom_and_networks_name_the_same_channels():
    from netseg.phantom.appearance import CHANNELS as PAINTED

    assert tuple(PAINTED) == CHANNELS


def test_painted_lesions_lie_in_the_liver_and_nowhere_else():
    body = scene(lesion=False)
    liver = body.labels > 0
    hu, lesions = paint(
        body.hu,
        liver,
        3,
        spacing_mm=1.5,
        prior=LesionPrior(bright=0.0),
        generator=generator_of(1, 1),
    )
    assert bool(lesions.any())
    assert not bool((lesions & ~liver).any())
    assert torch.equal(hu[~liver], body.hu[~liver])
    assert float(hu[lesions].mean()) < 100.0 - 5.0  # dark ones were asked for


def test_nothing_is_painted_without_a_liver():
    body = scene()
    nowhere = torch.zeros_like(body.labels, dtype=torch.bool)
    hu, lesions = paint(
        body.hu, nowhere, 3, spacing_mm=1.5, prior=LesionPrior(), generator=generator_of(1, 1)
    )
    assert torch.equal(hu, body.hu)
    assert not bool(lesions.any())


def test_a_patch_without_bending_is_the_scene_itself():
    body = scene()
    still = Warp(patch=(40, 40, 40), angle_deg=0.0, scale=(1.0, 1.0), bend_vox=0.0)
    still_zoom = still._matrix(generator_of(0, 0))
    assert torch.allclose(still_zoom.diag(), torch.ones(3), atol=0.09)  # ±8 % per axis stay
    where = still.places(torch.full((3,), 19.5), generator_of(0, 0))
    hu, labels = cut(body.hu, where, -160.0), cut_labels(body.labels, where)
    assert float((labels > 0).float().mean()) == pytest.approx(
        float((body.labels > 0).float().mean()), rel=0.25
    )
    assert float(hu[20, 20, 20]) == pytest.approx(float(body.hu[20, 20, 20]), abs=5.0)


def test_beyond_the_scene_there_is_air_and_no_liver():
    body = scene()
    wide = Warp(patch=(96, 96, 96), scale=(1.0, 1.0))
    where = wide.places(torch.full((3,), 20.0), generator_of(0, 0))
    hu, labels = cut(body.hu, where, -160.0), cut_labels(body.labels, where)
    assert float(hu[0, 0, 0]) == -160.0
    assert int(labels[0, 0, 0]) == 0


def test_contrast_keeps_to_the_window_of_the_training_data():
    body = scene()
    hu = Contrast(noise_hu=200.0)("ct_portal", body.hu, body.labels > 0, generator_of(2, 2))
    assert float(hu.min()) >= -160.0
    assert float(hu.max()) <= 240.0


def test_an_extended_scene_keeps_its_liver_and_adds_none_far_away():
    body = scene()
    larger = extend(body, (80, 80, 80), np.random.default_rng(0))
    assert larger.hu.shape == (80, 80, 80)
    before, after = int((body.labels > 0).sum()), int((larger.labels > 0).sum())
    assert before <= after <= 1.3 * before


def test_a_transplanted_liver_replaces_the_hosts():
    moved = transplant(scene("host"), scene("donor", liver_hu=150.0), np.random.default_rng(0))
    assert moved.name == "donor in host"
    assert float(moved.hu[moved.labels == LIVER].median()) == pytest.approx(150.0, abs=3.0)
    assert int((moved.labels > 0).sum()) == int((scene().labels > 0).sum())


def test_dark_areas_are_healed_before_lesions_are_painted():
    body = scene()
    unlabelled = replace(body, labels=(body.labels > 0).to(torch.uint8), clean=False)
    healed = heal(unlabelled, np.random.default_rng(0))
    assert healed.clean
    assert float(healed.hu[body.labels == LESION].mean()) == pytest.approx(98.0, abs=6.0)


def test_a_scene_without_liver_is_refused():
    nothing = torch.zeros((4, 4, 4))
    with pytest.raises(ValueError, match="p: a scene needs a liver"):
        Scene(
            name="p",
            images={"ct_portal": nothing},
            labels=nothing.to(torch.uint8),
            spacing_mm=1.0,
            clean=True,
            real=True,
        )


def test_a_leaking_liver_gains_neighbours_and_loses_pieces_but_nothing_far_away():
    liver = torch.zeros((80, 80, 80))
    liver[10:40, 10:40, 10:40] = 1.0
    gained = lost = far = 0.0
    for step in range(8):
        given = leak(liver, generator_of(1, step)) > 0.5
        gained += float((given & (liver == 0)).sum())
        lost += float((~given & (liver > 0)).sum())
        far += float(given[64:].sum())
    assert gained > 0
    assert lost > 0
    assert far == 0.0
