"""Generators as state machines."""

import dataclasses
import math

import pytest

from netseg.domain import AblationModality, AblationProtocol, StudyRejectedError
from netseg.simulate.circuit import Connection
from netseg.simulate.control import (
    ConstantPower,
    ConstantVoltage,
    ImpedancePulsed,
    Memory,
    Reading,
    RollOff,
    Schedule,
    Switching,
    TemperatureHeld,
    connections_for,
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


def test_an_ablation_without_power_is_refused():
    nothing = AblationProtocol(modality=AblationModality.MWA, duration_s=60.0)
    with pytest.raises(StudyRejectedError, match="mwa needs power_w"):
        controller_for(nothing)


MWA = AblationProtocol(modality=AblationModality.MWA, duration_s=60.0, power_w=60.0)


def play(generator, loads, *, hottest_c=50.0, memory=None):
    """Powers and connections over seconds; `loads` holds one tuple of loads per second."""
    memory, powers, ways = memory or Memory(), [], []
    for second, ohms in enumerate(loads):
        seen = Reading(
            time_s=float(second),
            hottest_c=hottest_c,
            impedance_ohm=ohms[memory.way],
            loads_ohm=tuple(map(float, ohms)),
        )
        power, memory = generator.power_w(seen, memory)
        powers.append(power)
        ways.append(memory.way)
    return powers, ways, memory


def test_a_load_above_an_absolute_threshold_cuts_power_too():
    """The MITA habit: off for 15 s once the load is above 120 ohm."""
    generator = ImpedancePulsed(target_w=40.0, rise=10.0, cut_ohm=120.0)
    powers, _, _ = play(generator, [(80,), (121,), *[(90,)] * 15])
    assert powers == [40.0] + [0.0] * 15 + [40.0]


def test_power_ramps_rolls_off_rests_halves_ramps_again_and_ends():
    generator = RollOff(most_w=200.0, start_w=40.0, ramp_w_min=60.0, rise=1.0, off_s=30.0,
                        restart_s=50.0)  # fmt: skip
    loads = [(50,)] * 11 + [(120,)] + [(60,)] * 50 + [(130,)] * 3
    powers, _, memory = play(generator, loads)
    assert powers[:11] == pytest.approx([40.0 + s for s in range(11)])
    assert powers[11:41] == [0.0] * 30
    assert powers[41:51] == pytest.approx([25.5] * 10)  # half of 51 W
    assert powers[51:62] == pytest.approx([25.5 + s for s in range(11)], abs=1.0)
    assert powers[62:] == [0.0] * 3
    assert memory.ended
    assert memory.pauses == 2


def test_a_late_first_roll_off_ends_the_treatment():
    early, late = (
        play(RollOff(most_w=90.0, late_s=late_s), [(50,)] * 20 + [(200,)])[2].ended
        for late_s in (900.0, 10.0)
    )
    assert late
    assert not early


def test_switching_goes_on_when_the_load_spikes_or_time_is_up():
    generator = Switching(target_w=50.0, rise=0.3, dwell_s=5.0, rest_s=4.0)
    loads = [(80, 80, 80)] * 2 + [(110, 80, 80)] + [(80, 80, 80)] * 12
    powers, ways, memory = play(generator, loads)
    assert ways[:2] == [0, 0]
    assert ways[2:7] == [1] * 5  # the spike of 0 at 2 s
    assert ways[7:12] == [2] * 5  # the turn of 1 was up
    assert ways[12:] == [0] * 3  # 0 has rested since 6 s
    assert powers == [50.0] * 15
    assert memory.pauses == 1


def test_an_electrode_that_rests_is_passed_over_and_all_at_rest_means_no_power():
    generator = Switching(target_w=50.0, rise=0.3, dwell_s=2.0, rest_s=100.0)
    loads = [(80, 80)] * 1 + [(120, 80)] * 6 + [(120, 120)] * 3
    powers, ways, _ = play(generator, loads)
    assert ways[1:7] == [1] * 6
    assert powers == [50.0] * 7 + [0.0] * 3


def test_a_spike_is_rested_even_if_the_load_falls_at_once():
    generator = Switching(target_w=50.0, rise=0.3, dwell_s=2.0, rest_s=6.0)
    _, ways, _ = play(generator, [(80, 80), (120, 80), *[(80, 80)] * 8])
    assert ways == [0] + [1] * 6 + [0] * 2 + [1]


def test_several_pairs_are_used_in_turn():
    protocol = dataclasses.replace(
        RFA, controller="constant", pairs=(("A", "B"), ("B", "C")), settings={"dwell_s": 3.0}
    )
    generator = controller_for(protocol)
    assert connections_for(protocol, ("A", "B", "C")) == (
        Connection(plus=("A",), minus=("B",)),
        Connection(plus=("B",), minus=("C",)),
    )
    _, ways, memory = play(generator, [(80, 90)] * 4 + [(300, 300)] * 4)
    assert ways == [0, 0, 0, 1, 1, 1, 0, 0]  # by time alone, whatever the load
    assert memory.pauses == 0


def test_phases_follow_one_another_with_their_own_electrodes_and_generators():
    """One after another: A, a rest, then B with a voltage; each phase forgets the last."""
    protocol = AblationProtocol(
        modality=AblationModality.RFA,
        duration_s=9.0,
        power_w=30.0,
        schedule=(
            {"duration_s": 3.0, "probes": ["A"]},
            {"duration_s": 2.0, "off": True},
            {"duration_s": 4.0, "probes": ["B"], "voltage_v": 40.0},
        ),
    )
    generator = controller_for(protocol)
    assert connections_for(protocol, ("A", "B")) == (
        Connection(plus=("A",)),
        Connection(plus=("B",)),
    )
    powers, ways, _ = play(generator, [(80, 100)] * 11)
    assert powers == [30.0] * 3 + [0.0] * 2 + [16.0] * 4 + [0.0] * 2
    assert ways[:3] == [0] * 3
    assert ways[5:9] == [1] * 4


def test_a_stage_is_held_for_its_time_once_the_temperature_is_reached():
    """RITA's stages: 30 s at 105 C counted from when it is first met."""
    stage = {"duration_s": 300.0, "hold_s": 30.0, "target_c": 105.0}
    protocol = AblationProtocol(
        modality=AblationModality.RFA, duration_s=600.0, power_w=150.0, controller="temperature",
        schedule=(stage, {**stage, "target_c": 110.0}),
    )  # fmt: skip
    generator, memory, phases = controller_for(protocol), Memory(), []
    for second in range(400):
        hottest = min(104.0, 60.0 + second)
        _, memory = generator.power_w(reading(float(second), hottest_c=hottest), memory)
        phases.append(memory.phase)
    assert phases.index(1) == 40 + 30  # within the 5 K band at 40 s
    assert 2 not in phases[: 70 + 300]
    assert phases[-1] == 2


def test_an_integral_takes_away_what_a_proportional_controller_leaves():
    """A body of 2 J/K losing 1 W/K to 37 C, to be held at 90 C."""

    def settled(**numbers):
        generator, memory, body_c = TemperatureHeld(most_w=200.0, target_c=90.0, band_k=20.0,
                                                    **numbers), Memory(), 37.0  # fmt: skip
        for second in range(400):
            power, memory = generator.power_w(reading(float(second), hottest_c=body_c), memory)
            body_c += (power - (body_c - 37.0)) / 20.0
        return body_c

    assert settled() == pytest.approx(90.0 - 53.0 / 11.0, abs=0.1)  # 10 W/K against 1 W/K
    assert settled(integral_s=20.0) == pytest.approx(90.0, abs=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"controller": "impedance"}, "controller impedance needs electrodes; a microwave"),
        ({"controller": "switching"}, "controller switching needs electrodes"),
        ({"pairs": (("A", "B"),)}, "pairs needs electrodes"),
        ({"schedule": ({"duration_s": 60.0, "probes": ["A"]},)}, "phase 1.*probes needs electrode"),
    ],
)
def test_what_needs_electrodes_is_refused_for_microwaves(change, words):
    with pytest.raises(StudyRejectedError, match=words):
        controller_for(dataclasses.replace(MWA, **change))
    assert controller_for(MWA) == ConstantPower(target_w=60.0)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ([{"duration_s": 30.0}], "last 30 s together, the protocol 60 s"),
        ([{"duration_s": 60.0, "off": True, "power_w": 3.0}], "phase 1.*is off and yet has power"),
        ([{"duration_s": 60.0, "power_w": 0.0}], "power_w must be a positive number; got 0.0"),
        ([{"duration_s": 60.0, "hold_s": 5.0}], "hold_s needs a temperature"),
        ([{"duration_s": 60.0, "rise": "much"}], "rise must be a number; got 'much'"),
        ([{"power_w": 3.0}], "duration_s must be a positive number of seconds; got None"),
        ([{"duration_s": 60.0, "rize": 0.2}], "no setting rize.*Did you mean 'rise'"),
        ([{"duration_s": 60.0, "pairs": (("A", "A.2"),)}], "none at both poles; got A against A"),
    ],
)
def test_a_phase_without_sense_is_refused(phases, words):
    with pytest.raises(StudyRejectedError, match=words):
        controller_for(dataclasses.replace(RFA, schedule=tuple(phases)))


def test_a_voltage_with_a_listening_generator_is_refused_and_told_how():
    protocol = dataclasses.replace(RFA, power_w=None, voltage_v=60.0)
    with pytest.raises(StudyRejectedError, match=r"driven by power_w; got voltage_v.*limit_v: 60"):
        controller_for(protocol)
    cycled = dataclasses.replace(protocol, controller="switching")
    assert controller_for(cycled) == Switching(target_w=math.inf, limit_v=60.0)


def test_a_pair_with_a_controller_for_one_connection_is_refused():
    protocol = dataclasses.replace(
        RFA, controller="temperature", pairs=(("A", "B"), ("B", "C")), settings={}
    )
    with pytest.raises(StudyRejectedError, match="several pairs in turn go with controller"):
        controller_for(protocol)
    one = dataclasses.replace(protocol, pairs=(("A", "B"),))
    assert isinstance(controller_for(one), TemperatureHeld)


def test_a_protocol_that_names_no_such_probe_is_refused():
    protocol = dataclasses.replace(RFA, pairs=(("A", "D"),))
    with pytest.raises(StudyRejectedError, match="names probe 'D'; the plan has A, B"):
        connections_for(protocol, ("A", "B"))


def test_switching_without_electrodes_is_refused():
    with pytest.raises(StudyRejectedError, match="needs electrodes to switch between; got none"):
        Switching(target_w=5.0).power_w(reading(), Memory())


def test_needles_named_with_a_dot_are_one_cluster():
    protocol = dataclasses.replace(RFA, controller="switching")
    ids = ("A.1", "A.2", "A.3", "B")
    assert connections_for(protocol, ids) == (Connection(plus=("A",)), Connection(plus=("B",)))
    together = dataclasses.replace(RFA, controller="impedance")
    assert connections_for(together, ids) == (Connection(plus=("A", "B")),)
    assert isinstance(controller_for(dataclasses.replace(RFA, schedule=(
        {"duration_s": 60.0},))), Schedule)  # fmt: skip
