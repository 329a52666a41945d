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
    "needles": int,
    "needles_apart_mm": float,
    "source": str,
    "protocols": list,
}
NEEDED = {
    "rfa": ["max_power_w"],
    "mwa": ["max_power_w"],
    "cryo": ["coolant_c"],
    "ire": ["max_voltage_v"],
}
"""What a device file of each physics must state beside its size; a plan may leave limits out."""
LIMITS = ("max_power_w", "max_voltage_v")
POSITIVE = (
    "diameter_mm", "active_length_mm", "max_power_w", "max_voltage_v", "coolant_w_m2k",
    "frequency_hz",
)  # fmt: skip
COLDEST_C, HOTTEST_C = -200.0, 100.0  # of a coolant
MOST_NEEDLES = 9


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
        needles: Parallel needles of one shaft, on one generator channel: 3 for a cluster.
        needles_apart_mm: Distance of neighbours among them; 0 for one needle.
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
    needles: int = 1
    needles_apart_mm: float = 0.0
    protocols: tuple[AblationProtocol, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        """Keep the device physical."""
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise self._refusal(f"{name} must be positive; got {value}.")
        if not 0 < self.efficiency <= 1:
            raise self._refusal(f"efficiency must lie in (0, 1]; got {self.efficiency}.")
        if self.coolant_c is not None and not COLDEST_C <= self.coolant_c <= HOTTEST_C:
            raise self._refusal(
                f"coolant_c must lie between {COLDEST_C:.0f} and {HOTTEST_C:.0f} C; got "
                f"{self.coolant_c}."
            )
        apart = self.needles_apart_mm
        if self.needles == 1 and apart == 0:
            return
        if not (2 <= self.needles <= MOST_NEEDLES and apart > self.diameter_mm):
            raise self._refusal(
                f"a cluster has 2 to {MOST_NEEDLES} needles further apart than they are thick; got "
                f"{self.needles}, {apart} mm apart."
            )

    def _refusal(self, what: str) -> StudyRejectedError:
        return StudyRejectedError(Code.CONFIG_RANGE, f"device {self.name}: {what}")


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


def parse_device(document: Mapping[str, Any], name: str, *, inline: bool = False) -> Device:
    """Make a device of a mapping.

    Args:
        document: A device file's content, or the numbers in a plan.
        name: What to call it.
        inline: Whether it stands in a plan, which need not state limits and has no protocols.

    Raises:
        StudyRejectedError: If a key is unknown or missing, or a value of the wrong type.
    """
    numbers: dict[str, Any] = {}
    known = [k for k in DEVICE_KEYS if not (inline and k == "protocols")]
    for key, value in document.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            raise StudyRejectedError(
                Code.CONFIG_UNKNOWN_KEY,
                f"device {name}: unknown key {key!r}; known are {', '.join(known)}.",
                hint=f"Did you mean {close[0]!r}?" if close else "",
            )
        wanted = (int, float) if DEVICE_KEYS[key] is float else DEVICE_KEYS[key]
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise StudyRejectedError(
                Code.CONFIG_TYPE,
                f"device {name}: {key} must be a {DEVICE_KEYS[key].__name__}; got {value!r}.",
            )
        numbers[key] = float(value) if DEVICE_KEYS[key] is float else value
        if DEVICE_KEYS[key] is float and not math.isfinite(numbers[key]):
            raise StudyRejectedError(
                Code.CONFIG_RANGE, f"device {name}: {key} must be finite; got {value}."
            )
    required = ["modality", "diameter_mm", "active_length_mm"]
    required += NEEDED.get(str(document.get("modality")), [])
    required = [k for k in required if not (inline and k in LIMITS)]
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
