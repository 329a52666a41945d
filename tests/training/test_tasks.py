"""What a step sees depends on its number alone; painted lesions lie in the liver."""

import numpy as np
import pytest
import torch

from netseg.training.contrast import Contrast
from netseg.training.paint import LesionPrior, paint
from netseg.training.scenes import LESION, LIVER, Scene
from netseg.training.surroundings import extend, heal, transplant
from netseg.training.tasks import LesionTask, LiverTask, generator_of
from netseg.training.warp import Warp

PATCH = (32, 32, 32)


def scene(name="p", *, liver_hu=100.0, lesion=True, size=40):
    """A ball of liver with a dark ball in it, in fat."""
    at = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1) - size / 2
    labels = (np.linalg.norm(at, axis=-1) < 14).astype(np.uint8) * LIVER
    if lesion:
        labels[np.linalg.norm(at - 4, axis=-1) < 4] = LESION
    hu = np.select([labels == LESION, labels == LIVER], [liver_hu - 50, liver_hu], -90.0)
    return Scene(
        name=name,
        hu=torch.from_numpy(hu.astype(np.float32)),
        labels=torch.from_numpy(labels),
        spacing_mm=1.5,
        clean=True,
        real=True,
    )


def lesion_task(**changes):
    settings = {"scenes": [scene()], "weights": [1.0], "seed": 5, "warp": Warp(patch=PATCH)}
    return LesionTask(**(settings | changes))


@pytest.mark.parametrize("step", [0, 17])
def test_a_step_sees_the_same_whenever_it_is_asked(step):
    first, second = lesion_task()(step), lesion_task()(step)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_two_steps_see_different_things():
    task = lesion_task()
    assert not torch.equal(task(0)[0], task(1)[0])


def test_the_networks_get_what_their_cards_say():
    image, truth = lesion_task()(3)
    assert image.shape == (3, *PATCH)
    assert truth.shape == (1, *PATCH)
    liver = LiverTask(
        scenes=[scene()], weights=[1.0], seed=5, warp=Warp(patch=PATCH), jitter_mm=5.0
    )
    image, truth = liver(3)
    assert image.shape == (1, *PATCH)
    assert float(image.abs().max()) <= 1.0
    assert float(truth.sum()) > 0


def test_one_case_in_five_stays_without_painted_lesions():
    task = lesion_task(scenes=[scene(lesion=False)])
    empty = sum(float(task(step)[1].sum()) == 0 for step in range(60))
    assert 12 <= empty <= 30  # 20 % plus those where chance paints outside the patch or nothing


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
    hu, labels = still(body.hu, body.labels, torch.full((3,), 19.5), generator_of(0, 0))
    assert float((labels > 0).float().mean()) == pytest.approx(
        float((body.labels > 0).float().mean()), rel=0.25
    )
    assert float(hu[20, 20, 20]) == pytest.approx(float(body.hu[20, 20, 20]), abs=5.0)


def test_beyond_the_scene_there_is_air_and_no_liver():
    body = scene()
    hu, labels = Warp(patch=(96, 96, 96), scale=(1.0, 1.0))(
        body.hu, body.labels, torch.full((3,), 20.0), generator_of(0, 0)
    )
    assert float(hu[0, 0, 0]) == -160.0
    assert int(labels[0, 0, 0]) == 0


def test_contrast_keeps_to_the_window_of_the_training_data():
    body = scene()
    hu = Contrast(noise_hu=200.0)(body.hu, body.labels > 0, generator_of(2, 2))
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
    unlabelled = Scene(
        name="u",
        hu=body.hu,
        labels=(body.labels > 0).to(torch.uint8),
        spacing_mm=1.5,
        clean=False,
        real=True,
    )
    healed = heal(unlabelled, np.random.default_rng(0))
    assert healed.clean
    assert float(healed.hu[body.labels == LESION].mean()) == pytest.approx(98.0, abs=6.0)


def test_a_scene_without_liver_is_refused():
    nothing = torch.zeros((4, 4, 4))
    with pytest.raises(ValueError, match="p: a scene needs a liver"):
        Scene(
            name="p",
            hu=nothing,
            labels=nothing.to(torch.uint8),
            spacing_mm=1.0,
            clean=True,
            real=True,
        )
