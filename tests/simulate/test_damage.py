"""Damage models at constant temperature (rows A13-A15) and on a ramp."""

import pytest
import torch

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.damage import Arrhenius, Cem43, ThreeState, damage_model


def held(model, celsius, seconds, steps):
    """State after holding one temperature."""
    temperature = torch.tensor([celsius], dtype=torch.float64)
    state = model.start(temperature)
    for _ in range(steps):
        state = model.advance(state, temperature, temperature, seconds / steps)
    return state


@pytest.mark.parametrize(
    ("celsius", "seconds"),
    [(42, 57_600), (43, 14_400), (45, 3_600), (46, 1_800), (50, 112.5), (55, 3.515625)],
)
def test_240_equivalent_minutes(celsius, seconds):
    """A13."""
    assert float(held(Cem43(), celsius, seconds, 7)) == pytest.approx(240.0, rel=1e-4)


def test_nothing_is_counted_below_39_degrees():
    assert float(held(Cem43(), 38.9, 1e6, 3)) == 0.0


def test_a_ramp_through_43_degrees_is_integrated_exactly():
    """From 41 to 45 C in 60 s: the antiderivative on either side of 43 C."""
    low, high = torch.tensor([41.0]).double(), torch.tensor([45.0]).double()
    dose = Cem43().advance(Cem43().start(low), low, high, 60.0)
    ln2 = 0.6931471805599453
    exact = 0.25 * (
        (1 - 4.0**-2) / (2 * ln2) + (2.0**2 - 1) / ln2
    )  # minutes per kelvin: 60 s / 4 K
    assert float(dose) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("celsius", "seconds"),
    [(43, 510.5), (50, 61.053), (55, 14.159), (60, 3.4308)],
)
def test_omega_of_one(celsius, seconds):
    """A14 with the liver set 7.39e39, 2.577e5."""
    assert float(held(Arrhenius(), celsius, seconds, 5)) == pytest.approx(1.0, rel=1e-4)


def test_the_liver_set_reaches_one_per_second_at_64_and_a_half_degrees():
    rate = Arrhenius().rate_1_s(torch.tensor([64.474], dtype=torch.float64))
    assert float(rate) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize(("celsius", "seconds"), [(50, 1042.0), (55, 29.594), (60, 0.93526)])
def test_omega_of_one_with_the_skin_set(celsius, seconds):
    """A14 with 3.1e98, 6.28e5."""
    skin = Arrhenius(frequency_1_s=3.1e98, energy_j_mol=6.28e5)
    assert float(held(skin, celsius, seconds, 5)) == pytest.approx(1.0, rel=1e-3)


def test_body_temperature_does_not_kill():
    assert float(held(Arrhenius(), 37.0, 3600, 10)) == 0.0


def test_single_precision_keeps_a_thousandth():
    temperature = torch.tensor([60.0])
    omega = Arrhenius().advance(torch.zeros(1), temperature, temperature, 3.4308)
    assert float(omega) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(
    ("celsius", "viability"),
    [
        (50, (0.99881, 0.98891, 0.91813)),
        (65, (0.98577, 0.58186, 0.07997)),
        (80, (0.74834, 0.02842, 0.00048)),
    ],
)
def test_viability_after_five_ten_and_fifteen_minutes(celsius, viability):
    """A15."""
    model = ThreeState()
    measured = [float(model.viability(held(model, celsius, t, 2 * t))) for t in (300, 600, 900)]
    assert measured == pytest.approx(viability, abs=1e-4)


def test_one_second_steps_are_fine_enough_for_three_states():
    model = ThreeState()
    assert float(model.viability(held(model, 65, 600, 600))) == pytest.approx(0.58186, abs=2e-4)


@pytest.mark.parametrize("name", ["arrhenius", "cem43", "oneill"])
def test_depth_changes_sign_where_tissue_dies(name):
    model = damage_model(name)
    assert float(model.depth(held(model, 37.0, 600, 60))) < 0
    assert float(model.depth(held(model, 95.0, 600, 600))) > 0
    assert float(model.perfused(held(model, 37.0, 600, 60))) > 0.9
    assert float(model.perfused(held(model, 95.0, 600, 600))) < 0.01


def test_a_model_nobody_knows_is_refused():
    with pytest.raises(StudyRejectedError, match="there are arrhenius, cem43, oneill"):
        damage_model("cem34")
