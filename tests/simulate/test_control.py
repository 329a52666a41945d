"""Generators as state machines."""

import dataclasses

import pytest

from netseg.domain import AblationModality, AblationProtocol, StudyRejectedError
from netseg.simulate.control import (
    ConstantPower,
    ConstantVoltage,
    ImpedancePulsed,
    Memory,
    Reading,
    TemperatureHeld,
    controller_for,
)

RFA = AblationProtocol(
    modality=AblationModality.RFA, duration_s=60.0, power_w=80.0, controller="impedance"
)


def reading(time_s=0.0, ohm=80.0, hottest_c=50.0):
    return Reading(time_s=time_s, hottest_c=hottest_c, impedance_ohm=ohm)


def test_power_pauses_for_fifteen_seconds_when_the_load_has_risen_by_a_third():
    generator, memory = ImpedancePulsed(target_w=80.0, rise=0.3, off_s=15.0), Memory()
    powers = []
    for second, ohm in enumerate([80, 70, 60, 77, 79, *[79] * 14, 65]):
        power, memory = generator.power_w(reading(float(second), float(ohm)), memory)
        powers.append(power)
    assert powers[:4] == [80.0] * 4  # 77 is less than 1.3 x 60
    assert powers[4:19] == [0.0] * 15
    assert powers[19] == 80.0
    assert memory.pauses == 1


def test_voltage_and_current_limit_the_power():
    generator = ImpedancePulsed(target_w=200.0, limit_v=120.0, limit_a=2.0)
    assert generator.power_w(reading(ohm=40.0), Memory())[0] == 160.0  # 2 A
    assert generator.power_w(reading(ohm=144.0), Memory())[0] == 100.0  # 120 V
    assert generator.power_w(reading(ohm=55.0), Memory())[0] == 200.0


def test_a_held_temperature_falls_back_in_proportion():
    generator = TemperatureHeld(most_w=100.0, target_c=100.0, band_k=10.0)
    powers = [generator.power_w(reading(hottest_c=c), Memory())[0] for c in (60, 95, 100, 110)]
    assert powers == [100.0, 50.0, 0.0, 0.0]


def test_a_voltage_makes_v_squared_over_r():
    assert ConstantVoltage(target_v=60.0).power_w(reading(ohm=90.0), Memory())[0] == 40.0
    protocol = AblationProtocol(modality=AblationModality.RFA, duration_s=60.0, voltage_v=60.0)
    assert controller_for(protocol) == ConstantVoltage(target_v=60.0)


def test_the_protocols_settings_reach_the_controller():
    protocol = dataclasses.replace(RFA, settings={"rise": 0.1, "off_s": 10.0})
    assert controller_for(protocol) == ImpedancePulsed(target_w=80.0, rise=0.1, off_s=10.0)
    constant = dataclasses.replace(RFA, controller="constant")
    assert controller_for(constant) == ConstantPower(target_w=80.0)


def test_a_setting_nobody_knows_is_refused():
    protocol = dataclasses.replace(RFA, settings={"raise": 0.1})
    with pytest.raises(StudyRejectedError, match=r"no setting raise.*Did you mean 'rise'"):
        controller_for(protocol)


def test_a_controller_nobody_knows_is_refused():
    with pytest.raises(StudyRejectedError, match="no controller is called 'pid'"):
        controller_for(dataclasses.replace(RFA, controller="pid"))


def test_switching_says_that_it_is_not_built():
    with pytest.raises(StudyRejectedError, match="switching between electrodes is not built yet"):
        controller_for(dataclasses.replace(RFA, controller="switching"))


def test_an_ablation_without_power_is_refused():
    nothing = AblationProtocol(modality=AblationModality.MWA, duration_s=60.0)
    with pytest.raises(StudyRejectedError, match="mwa needs power_w"):
        controller_for(nothing)
