"""Three hundred steps teach a small network to outline lesions it has never seen."""

import pytest
import torch

from netseg.phantom.synthesis import Synthesis, draw_anatomy
from netseg.segment.channels import CHANNELS
from netseg.segment.networks import LIVER_GIVEN, NetworkSpec
from netseg.tracking import NoTracker
from netseg.training.fit import Schedule, fit
from netseg.training.patches import SyntheticPatches
from netseg.training.steps import Curriculum, Stage
from netseg.training.tasks import LesionTask, Mixture
from netseg.training.warp import Warp

PATCH = (48, 48, 48)
INPUTS = (*CHANNELS, LIVER_GIVEN)


class OnlySstr:
    """Every protocol becomes an SSTR-PET: lesions shine, but so do spleen and kidneys."""

    def __init__(self, patches):
        self.patches = patches

    def __call__(self, middle, generator, channels):
        """One patch."""
        del channels
        return self.patches(middle, generator, ("pet_sstr",))


def task(seed, anatomies):
    drawn = SyntheticPatches(
        anatomies=anatomies, warp=Warp(patch=PATCH), synthesis=Synthesis(free=0.0)
    )
    return LesionTask(
        inputs=INPUTS, patches=Mixture(synthetic=OnlySstr(drawn)), seed=seed, patch=PATCH
    )


def lesion_dice(network, unseen, steps):
    """Over all patches together."""
    overlap = size = 0.0
    with torch.no_grad():
        for step in steps:
            image, given, truth, _ = unseen(step)
            found = network(image[None], given)[0, 0] > 0
            overlap += 2.0 * float((found * truth[0]).sum())
            size += float(found.sum() + truth[0].sum())
    return overlap / size


@pytest.mark.slow
def test_three_hundred_steps_find_lesions_on_pets_of_unseen_patients(tmp_path):
    seen = [draw_anatomy(seed, 3.0) for seed in (1, 2, 3)]
    unseen = task(50, [draw_anatomy(9, 3.0)])
    spec = NetworkSpec(inputs=INPUTS, outputs=("lesion", "liver"), filters=(16, 32, 64))
    schedule = Schedule(
        steps=300, checkpoint_every=100, learning_rate=2e-3, warmup_steps=20, average_decay=0.98
    )
    before = lesion_dice(spec.build().eval(), unseen, range(20))
    module = fit(
        spec,
        Curriculum((Stage(from_step=0, task=lambda: task(5, seen)),)),
        schedule,
        folder=tmp_path,
        tracker=NoTracker(),
        resume=False,
    )
    after = lesion_dice(module.averaged.eval(), unseen, range(20))
    assert before < 0.15
    assert after > 0.35
