"""Damage is counted only where tissue has been warm enough, and nothing is missed."""

import itertools

import pytest
import torch

from netseg.simulate.damage import Arrhenius, Cem43, ThreeState
from netseg.simulate.dying import Dying
from netseg.simulate.hot import HotBox
from netseg.simulate.phase import PhaseLaw

BASELINE_C = 37.0
LAW = PhaseLaw(latent_k=400.0)


def bump(shape, peak_k, at=(7.0, 9.0, 8.0), width=4.0):
    """A hill of temperature."""
    axes = [torch.arange(float(n), dtype=torch.float64) for n in shape]
    squares = [(axis - p).square() for axis, p in zip(axes, at, strict=True)]
    x, y, z = squares
    far = x[:, None, None] + y[None, :, None] + z[None, None, :]
    return peak_k * torch.exp(-far / (2 * width**2))


def course(models, shape=(17, 18, 19), *, above_k=None):
    """Three steps towards a hill of 30 K; by `Dying`, and by each model on every cell."""
    changed = HotBox.whole(shape)
    calm = torch.zeros(shape, dtype=torch.float64)
    dying = Dying.start(models, changed, BASELINE_C, calm)
    if above_k is not None:
        dying.least_k = above_k
    everywhere = {m.name: m.start(calm) for m in models}
    fields = [calm, *(bump(shape, peak) for peak in (4.0, 15.0, 30.0))]
    flowing = None
    for before, after in itertools.pairwise(fields):
        flowing = dying.advance(before, after, after, LAW, 60.0)
        for model in models:
            state = everywhere[model.name]
            everywhere[model.name] = model.advance(
                state, before + BASELINE_C, after + BASELINE_C, 60.0
            )
    return dying, flowing, everywhere


@pytest.mark.parametrize(
    "models", [(Arrhenius(),), (Cem43(), Arrhenius()), (ThreeState(), Cem43())]
)
def test_damage_in_its_box_is_the_damage_of_every_cell(models):
    dying, flowing, everywhere = course(models)
    for name, state in dying.whole().items():
        assert torch.allclose(state, everywhere[name], rtol=1e-12, atol=0)
    leading = models[0]
    assert torch.allclose(flowing, leading.perfused(dying.box.of(everywhere[leading.name])))
    counted = any(isinstance(m, ThreeState) for m in models)
    assert (dying.box is dying.changed) == counted  # it has no temperature to begin at
    assert dying.holds_all_changes(LAW) != counted


def test_a_box_that_begins_too_warm_misses_damage():
    """The twin: 45 C for 39."""
    dying, _, everywhere = course((Cem43(),), above_k=8.0)
    assert not torch.allclose(dying.whole()["cem43"], everywhere["cem43"])


def test_a_law_that_changes_below_the_box_is_asked_everywhere():
    dying, _, _ = course((Cem43(),))
    assert not dying.holds_all_changes(PhaseLaw(starts_k=1.0, latent_k=400.0))


@pytest.mark.parametrize("shape", [(12, 12, 12), (9, 11, 13)])
def test_every_warm_cell_is_found_wherever_it_is(shape):
    """The look at every second cell would miss a single one."""
    for number in range(0, shape[0] * shape[1] * shape[2], 7):
        field = torch.zeros(shape)
        field.view(-1)[number] = 2.0
        box = HotBox(shape=shape)
        box.cover_all(field, 2.0, HotBox.whole(shape))
        assert float(box.of(field).sum()) == 2.0
        assert box.of(field).numel() <= 4**3


def test_cells_short_of_warm_are_left_out_and_the_box_never_shrinks():
    box, whole = HotBox(shape=(12, 12, 12)), HotBox.whole((12, 12, 12))
    box.cover_all(torch.full((12, 12, 12), 1.99), 2.0, whole)
    assert box.is_empty
    field = torch.zeros(12, 12, 12)
    field[5:9, 2, 3] = 2.0
    box.cover_all(field, 2.0, whole)
    before = box.slices
    assert box.of(field).sum() == field.sum()
    box.cover_all(torch.zeros(12, 12, 12), 2.0, whole)
    assert box.slices == before
    box.cover_all(field, 2.0, HotBox(shape=(12, 12, 12)))
    assert box.slices == before
