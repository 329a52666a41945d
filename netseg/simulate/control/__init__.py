"""Generators: how much power, and between which electrodes, now that load and heat are known.

A controller is a frozen set of numbers; what it remembers travels beside it, so that a run can be
repeated and two runs never share a memory. `controller_for` makes one of a protocol.
"""

from netseg.simulate.control.choose import connections_for, controller_for
from netseg.simulate.control.impedance import ImpedancePulsed, RollOff
from netseg.simulate.control.reading import Controller, Memory, Reading
from netseg.simulate.control.schedule import Phase, Schedule
from netseg.simulate.control.steady import ConstantPower, ConstantVoltage
from netseg.simulate.control.switching import Switching
from netseg.simulate.control.temperature import TemperatureHeld

__all__ = [
    "ConstantPower",
    "ConstantVoltage",
    "Controller",
    "ImpedancePulsed",
    "Memory",
    "Phase",
    "Reading",
    "RollOff",
    "Schedule",
    "Switching",
    "TemperatureHeld",
    "connections_for",
    "controller_for",
]
