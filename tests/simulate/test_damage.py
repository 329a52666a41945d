"""Damage models at constant temperature (rows A13-A15) and on a ramp."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.damage import (
    ARRHENIUS_SETS,
    Arrhenius,
    Cem43,
    DamageModel,
    ThreeState,
    damage_model,
)


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


@pytest.mark.parametrize("step_s", [1, 5, 30])
@pytest.mark.parametrize(("celsius", "viability"), [(50, 0.98891), (65, 0.58186), (80, 0.02842)])
def test_three_states_keep_a_ten_thousandth_at_any_control_step(celsius, viability, step_s):
    """A15 with long steps: they are divided, so that the midpoint rule stays stable and right."""
    model = ThreeState()
    measured = float(model.viability(held(model, celsius, 600, 600 // step_s)))
    assert measured == pytest.approx(viability, abs=1e-4)


def rk4(model, temperature_c, seconds, steps):
    """The published equations once more, by the classical Runge-Kutta rule."""

    def rate(time, state):
        alive, dead = state
        forward = model.forward_1_s * math.exp(temperature_c(time) / model.scale_c) * (1 - alive)
        vulnerable = 1 - alive - dead
        return np.array([model.backward_1_s * vulnerable - forward * alive, forward * vulnerable])

    state, h = np.array([model.alive_at_start, 0.0]), seconds / steps
    for n in range(steps):
        t = n * h
        a = rate(t, state)
        b = rate(t + h / 2, state + h / 2 * a)
        c = rate(t + h / 2, state + h / 2 * b)
        d = rate(t + h, state + h * c)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return 1 - state[1]


def test_three_states_follow_a_ramp():
    """From 37 to 97 C in ten minutes, against RK4 of the same equations."""
    model = ThreeState()
    temperature = torch.linspace(37, 97, 121, dtype=torch.float64)
    state = model.start(temperature[:1])
    for before, after in itertools.pairwise(temperature):
        state = model.advance(state, before[None], after[None], 5.0)
    exact = rk4(model, lambda t: 37 + 0.1 * t, 600, 6000)
    assert 0.1 < exact < 0.9
    assert float(model.viability(state)) == pytest.approx(exact, abs=1e-4)


def ramp(model, low, high, seconds):
    before, after = (torch.tensor([c], dtype=torch.float64) for c in (low, high))
    return float(model.advance(model.start(before), before, after, seconds))


@pytest.mark.parametrize(
    ("low", "high", "rel"),
    [
        (50, 51, 1e-7),
        (60, 63, 1e-6),
        (70, 55, 2e-4),
        (30, 45, 2e-4),
        (45, 30, 2e-4),
        (50, 50, 1e-9),
    ],
)
@pytest.mark.parametrize("name", sorted(ARRHENIUS_SETS))
def test_the_damage_of_a_ramp_is_the_integral_of_its_rate(name, low, high, rel):
    """Against adaptive quadrature; below 39 C nothing is counted, from the crossing on."""
    model = ARRHENIUS_SETS[name]
    if name != "arrhenius":
        rel *= 8  # energies 2 to 2.6 times as large: the correction's square is 4 to 7 times

    def rate(share):
        celsius = low + share * (high - low)
        return float(model.rate_1_s(torch.tensor(celsius, dtype=torch.float64)))

    crossing = (39.0 - low) / (high - low) if (low - 39) * (high - 39) < 0 else None
    exact, _ = integrate.quad(
        rate, 0, 1, points=None if crossing is None else [crossing], epsrel=1e-10, epsabs=0
    )
    assert ramp(model, low, high, 10.0) == pytest.approx(10.0 * exact, rel=rel)


def test_equivalent_minutes_of_a_ramp_begin_at_39_degrees():
    """From 37 to 41 C in 60 s: half a minute counts, 4^(T - 43) over 2 K."""
    exact = 0.25 * (4.0**-2 - 4.0**-4) / (2 * math.log(2.0))
    assert ramp(Cem43(), 37.0, 41.0, 60.0) == pytest.approx(exact, rel=1e-12)
    assert ramp(Cem43(), 41.0, 37.0, 60.0) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("model", [Arrhenius(), Cem43()], ids=["arrhenius", "cem43"])
def test_a_step_and_its_halves_agree_in_single_precision(model):
    """52 to 52.02 C: where differences of antiderivatives cancel."""
    low, middle, high = (torch.tensor([c]) for c in (52.0, 52.01, 52.02))
    whole = model.advance(model.start(low), low, high, 2.0)
    halves = model.advance(model.advance(model.start(low), low, middle, 1.0), middle, high, 1.0)
    assert float(whole) == pytest.approx(float(halves), rel=2e-5)


@pytest.mark.parametrize("name", ["arrhenius", "cem43", "oneill"])
def test_numbers_may_differ_along_the_first_axis(name):
    """An ensemble's members in one field end where each of them ends alone."""
    plain = damage_model(name)
    field = {"arrhenius": "energy_j_mol", "cem43": "lethal_min", "oneill": "scale_c"}[name]
    values = [float(getattr(plain, field)) * s for s in (0.99, 1.0, 1.01)]
    stacked = dataclasses.replace(
        plain, **{field: torch.tensor(values, dtype=torch.float64)[:, None]}
    )

    def depth(model: DamageModel, members):
        celsius = torch.full((members, 4), 58.0, dtype=torch.float64)
        state = model.advance(model.start(celsius), celsius, celsius + 1, 5.0)
        return model.depth(state)

    together = depth(stacked, 3)
    for n, value in enumerate(values):
        alone = depth(dataclasses.replace(plain, **{field: value}), 1)
        assert torch.allclose(together[n], alone[0], rtol=1e-12)
    assert float(together[0, 0]) != float(together[2, 0])


def test_a_set_that_nobody_has_read_says_so():
    assert all("recalled" in model.source for model in ARRHENIUS_SETS.values())
    assert damage_model("arrhenius_henriques").name == "arrhenius_henriques"


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
