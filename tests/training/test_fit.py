"""Training: it learns, and an interruption leaves no trace in the result."""

import pytest
import torch

from netseg.training.fit import Schedule, fit
from netseg.training.module import dice_and_cross_entropy
from netseg.training.steps import Curriculum, Stage
from netseg.training.trainers import TrainerSettings


def schedule(steps, **changes):
    settings = {"checkpoint_every": 20, "learning_rate": 0.01, "warmup_steps": 5, "seed": 3}
    return Schedule(
        steps=steps,
        cosine_steps=120,
        average_decay=0.9,
        **(settings | changes),
    )


EXACT = TrainerSettings(accelerator="cpu", precision="32-true")


def always(task):
    return Curriculum((Stage(from_step=0, task=lambda: task),))


@pytest.mark.slow
def test_a_sphere_is_learned_in_two_hundred_steps(toy, recorded, tmp_path):
    spec, task = toy
    module = fit(
        spec,
        always(task),
        schedule(200),
        folder=tmp_path,
        tracker=recorded,
        resume=False,
        trainer=EXACT,
    )
    image, given, truth, _ = task(100_000)
    with torch.no_grad():
        found = module.averaged.eval()(image[None], given)[0] > 0
    overlap = 2.0 * float((found * truth).sum()) / float(found.sum() + truth.sum())
    assert overlap > 0.9
    assert recorded.losses[200] < 0.3 * recorded.losses[20]


class PowerCutError(Exception):
    """What interrupts the run."""


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(toy, recorded, tmp_path):
    """Weights, optimizer, schedule, average and data order: bit for bit."""
    spec, task = toy
    whole, first, rest = recorded, type(recorded)(), type(recorded)()

    def cut_off(step):
        if step == 47:
            raise PowerCutError
        return task(step)

    def train(seen, name, tracker, *, resume):
        plan = schedule(80, cooldown_steps=30)
        folder = tmp_path / name
        return fit(
            spec, always(seen), plan, folder=folder, tracker=tracker, resume=resume, trainer=EXACT
        )

    one = train(task, "a", whole, resume=False)
    with pytest.raises(PowerCutError):
        train(cut_off, "b", first, resume=False)
    two = train(task, "b", rest, resume=True)
    assert {**first.losses, **rest.losses} == whole.losses
    for name, value in one.averaged.state_dict().items():
        assert torch.equal(value, two.averaged.state_dict()[name]), name
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, two.network.state_dict()[name]), name


def test_a_run_that_had_ended_is_left_as_it_is(toy, recorded, tmp_path):
    spec, task = toy
    ended = fit(
        spec,
        always(task),
        schedule(20),
        folder=tmp_path,
        tracker=recorded,
        resume=False,
        trainer=EXACT,
    )
    again = fit(
        spec,
        always(task),
        schedule(20),
        folder=tmp_path,
        tracker=recorded,
        resume=True,
        trainer=EXACT,
    )
    for name, value in ended.averaged.state_dict().items():
        assert torch.equal(value, again.averaged.state_dict()[name]), name


def test_steps_that_do_not_fill_the_last_checkpoint_are_refused():
    with pytest.raises(ValueError, match="multiple of checkpoint_every; got 50 and 20"):
        Schedule(steps=50, checkpoint_every=20)


def test_the_loss_is_zero_where_a_sure_answer_is_right():
    truth = torch.zeros((1, 1, 4, 4, 4))
    truth[0, 0, :2] = 1.0
    sure = torch.where(truth > 0, 40.0, -40.0)
    assert float(dice_and_cross_entropy(sure, truth)) == pytest.approx(0.0, abs=1e-6)
    assert float(dice_and_cross_entropy(-sure, truth)) > 30.0


def test_silence_on_an_empty_patch_costs_nothing():
    nothing = torch.zeros((1, 1, 8, 8, 8))
    assert float(dice_and_cross_entropy(nothing - 40.0, nothing)) == pytest.approx(0.0, abs=1e-6)


def test_voxels_nobody_looked_at_teach_nothing():
    truth = torch.zeros((1, 1, 4, 4, 4))
    weight = torch.ones_like(truth)
    weight[..., 2:] = 0.0
    quiet = torch.full_like(truth, -40.0)
    loud = quiet.clone()
    loud[..., 2:] = 40.0
    assert float(dice_and_cross_entropy(loud, truth, weight)) == pytest.approx(0.0, abs=1e-6)
    assert float(dice_and_cross_entropy(loud, truth)) > 10.0


def test_outputs_are_judged_one_by_one():
    """One right and one wrong output cost half of two wrong ones."""
    truth = torch.zeros((1, 2, 4, 4, 4))
    truth[:, :, :2] = 1.0
    right = torch.where(truth > 0, 40.0, -40.0)
    half = torch.cat((right[:, :1], -right[:, 1:]), dim=1)
    both = float(dice_and_cross_entropy(-right, truth))
    assert float(dice_and_cross_entropy(half, truth)) == pytest.approx(0.5 * both, rel=1e-5)


def test_stages_follow_each_other_and_are_made_when_they_are_reached():
    made = []

    def stage(name):
        def make():
            made.append(name)
            return lambda step: (name, step)

        return make

    task = Curriculum(
        (Stage(from_step=0, task=stage("first")), Stage(from_step=10, task=stage("second")))
    )
    assert task(9) == ("first", 9)
    assert made == ["first"]
    assert task(10) == ("second", 10)
    assert task(11) == ("second", 11)
    assert made == ["first", "second"]


@pytest.mark.parametrize("starts", [(), (5,), (0, 10, 10)])
def test_a_curriculum_with_a_gap_at_its_beginning_or_out_of_order_is_refused(starts):
    with pytest.raises(ValueError, match="curriculum begin"):
        Curriculum(tuple(Stage(from_step=n, task=lambda: None) for n in starts))
