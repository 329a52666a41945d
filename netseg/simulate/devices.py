"""Probes as data files: generic ones, labelled as such, with the source of each number."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.carried import carried_names, read_carried

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVICE_KEYS = {
    "modality": str,
    "label": str,
    "diameter_mm": float,
    "active_length_mm": float,
    "max_power_w": float,
    "max_voltage_v": float,
    "efficiency": float,
    "coolant_c": float,
    "coolant_w_m2k": float,
    "frequency_hz": float,
    "source": str,
    "protocols": list,
}
NEEDED = {
    "rfa": ["max_power_w"],
    "mwa": ["max_power_w"],
    "cryo": ["coolant_c"],
    "ire": ["max_voltage_v"],
}
"""What a device of each physics must state beside its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One kind of probe.

    Attributes:
        name: Name of its file.
        modality: Physics.
        label: What it is, in words; says "generic" where it is no product.
        diameter_mm: Outer diameter.
        active_length_mm: Length of the heating part, back from the tip.
        max_power_w: Largest generator power; without bound for cryo and IRE, which have none.
        max_voltage_v: Largest voltage between two electrodes, for IRE; None where it has no sense.
        efficiency: Share of generator power that is turned into heat in the tissue.
        coolant_c: Temperature of an internally cooled probe's coolant, or of a cryo probe's gas;
            None if not cooled.
        coolant_w_m2k: Heat transfer coefficient between coolant and tissue; None holds the metal
            at the coolant's temperature.
        frequency_hz: For microwaves.
        protocols: Power and time settings it is used with, ascending in energy.
        source: Where the numbers are from.
    """

    name: str
    modality: AblationModality
    label: str
    diameter_mm: float
    active_length_mm: float
    max_power_w: float = math.inf
    max_voltage_v: float | None = None
    efficiency: float = 1.0
    coolant_c: float | None = None
    coolant_w_m2k: float | None = None
    frequency_hz: float | None = None
    protocols: tuple[AblationProtocol, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        """Keep the device physical."""
        for name in ("diameter_mm", "active_length_mm", "max_power_w"):
            if not getattr(self, name) > 0:
                raise StudyRejectedError(
                    Code.CONFIG_RANGE,
                    f"device {self.name}: {name} must be positive; got {getattr(self, name)}.",
                )
        if not 0 < self.efficiency <= 1:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"device {self.name}: efficiency must lie in (0, 1]; got {self.efficiency}.",
            )


def device_names() -> tuple[str, ...]:
    """Names of the devices that netseg carries."""
    return carried_names("devices")


@cache
def load_device(name: str) -> Device:
    """Read one of the devices that netseg carries.

    Raises:
        StudyRejectedError: If there is no device of this name.
    """
    document = read_carried(
        "devices", name, called="device", otherwise="Or give its numbers in the plan."
    )
    return parse_device(document, name)


def protocols(device_name: str) -> tuple[AblationProtocol, ...]:
    """Power and time settings of a device, ascending in energy."""
    return load_device(device_name).protocols


def parse_device(document: Mapping[str, Any], name: str) -> Device:
    """Make a device of a mapping, from a device file or inline in a plan.

    Raises:
        StudyRejectedError: If a key is unknown or missing, or a value of the wrong type.
    """
    numbers: dict[str, Any] = {}
    for key, value in document.items():
        if key not in DEVICE_KEYS:
            close = difflib.get_close_matches(str(key), DEVICE_KEYS, 1)
            raise StudyRejectedError(
                Code.CONFIG_UNKNOWN_KEY,
                f"device {name}: unknown key {key!r}; known are {', '.join(DEVICE_KEYS)}.",
                hint=f"Did you mean {close[0]!r}?" if close else "",
            )
        wanted = (int, float) if DEVICE_KEYS[key] is float else DEVICE_KEYS[key]
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise StudyRejectedError(
                Code.CONFIG_TYPE,
                f"device {name}: {key} must be a {DEVICE_KEYS[key].__name__}; got {value!r}.",
            )
        numbers[key] = float(value) if DEVICE_KEYS[key] is float else value
    required = ["modality", "diameter_mm", "active_length_mm"]
    required += NEEDED.get(str(document.get("modality")), [])
    if missing := [k for k in required if k not in numbers]:
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"device {name}: {', '.join(missing)} must be given."
        )
    modality = parse_modality(numbers.pop("modality"), f"device {name}")
    label = numbers.pop("label", "given in the plan")
    settings = numbers.pop("protocols", [])
    listed = tuple(sorted((_protocol(modality, s) for s in settings), key=_energy))
    return Device(name=name, modality=modality, label=label, protocols=listed, **numbers)


def parse_modality(value: Any, where: str) -> AblationModality:
    """The physics of this name.

    Raises:
        StudyRejectedError: If there is none.
    """
    names = [m.value for m in AblationModality]
    if value not in names:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"{where}: modality must be one of {', '.join(names)}; got {value!r}.",
        )
    return AblationModality(value)


def _protocol(modality: AblationModality, document: Mapping[str, Any]) -> AblationProtocol:
    settings = {k: float(v) for k, v in document.get("settings", {}).items()}
    power, voltage, pulses = (document.get(k) for k in ("power_w", "voltage_v", "pulses"))
    return AblationProtocol(
        modality=modality,
        duration_s=float(document["duration_s"]),
        power_w=None if power is None else float(power),
        voltage_v=None if voltage is None else float(voltage),
        controller=document.get("controller", "constant"),
        settings=settings,
        schedule=tuple(document.get("schedule", ())),
        pulses=None if pulses is None else int(pulses),
    )


def _energy(protocol: AblationProtocol) -> tuple[float, float]:
    return protocol.duration_s * (protocol.power_w or 0.0), protocol.duration_s
