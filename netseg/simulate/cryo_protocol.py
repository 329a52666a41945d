"""Freeze-thaw protocols: what the gas does, phase after phase.

While gas flows, the probe's metal is tied to the gas temperature: argon freezes (133 K), helium
thaws (288 K). In a passive thaw nothing flows, and tissue alone brings the heat. Times and
temperatures of the double protocol are those of the Go-Smart cryoablation template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.ablation import AblationProtocol

ARGON_C = 133.0 - 273.15
HELIUM_C = 288.0 - 273.15
COLDEST_C, WARMEST_C = -196.0, 60.0  # liquid nitrogen; beyond it a thawing probe would burn
PHASE_KEYS = ("name", "duration_s", "probe_c", "duty", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One setting of the gas.

    Attributes:
        duration_s: How long.
        probe_c: Temperature of the gas or metal; None where nothing flows.
        name: For the trace.
        duty: Share of the time that the valve is open.
    """

    duration_s: float
    probe_c: float | None
    name: str = ""
    duty: float = 1.0

    def __post_init__(self) -> None:
        """Keep time positive and temperature on this side of nitrogen.

        Raises:
            StudyRejectedError: If a number is impossible.
        """
        if not 0 < self.duration_s < 1e5:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"cryo phase {self.name}: duration_s must be positive and under a day; got "
                f"{self.duration_s}.",
            )
        if self.probe_c is not None and not COLDEST_C <= self.probe_c <= WARMEST_C:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"cryo phase {self.name}: probe_c must lie between {COLDEST_C:.0f} and "
                f"{WARMEST_C:.0f} C; got {self.probe_c}.",
                hint="Temperatures are in degrees Celsius.",
            )
        if not 0 < self.duty <= 1:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"cryo phase {self.name}: duty is the share of time that gas flows, over 0 and up "
                f"to 1; got {self.duty}.",
                hint="70 % is 0.7; a probe that is off has `off: true`.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeThaw:
    """Phases one after another, the same for every probe.

    Attributes:
        phases: At least one.
    """

    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        """Keep it a protocol.

        Raises:
            StudyRejectedError: If there is no phase.
        """
        if not self.phases:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, "a cryo protocol needs at least one phase; got none."
            )

    @property
    def duration_s(self) -> float:
        """Of all phases together."""
        return sum(p.duration_s for p in self.phases)

    @classmethod
    def single(cls, duration_s: float, *, probe_c: float = ARGON_C, duty: float = 1.0) -> Self:
        """Freeze once, and look at the end."""
        phase = Phase(duration_s=duration_s, probe_c=probe_c, name="freeze", duty=duty)
        return cls(phases=(phase,))

    @classmethod
    def double(cls, *, probe_c: float = ARGON_C) -> Self:
        """Twice: 10 min freeze, 2 min passive thaw, 1 min active thaw; 1,560 s in all."""
        cycle = (
            Phase(duration_s=600.0, probe_c=probe_c, name="freeze"),
            Phase(duration_s=120.0, probe_c=None, name="passive thaw"),
            Phase(duration_s=60.0, probe_c=HELIUM_C, name="active thaw"),
        )
        return cls(phases=cycle + cycle)

    @classmethod
    def of(cls, protocol: AblationProtocol, *, probe_c: float) -> Self:
        """The phases of a planned protocol.

        Args:
            protocol: Its `schedule` lists the phases: `duration_s` with nothing else freezes,
                `probe_c` sets another temperature, `duty` how much of the time gas flows, `off:
                true` thaws passively. Without a schedule the probe freezes for `duration_s`. The
                setting `duty` holds for every phase that gas flows in and that states none.
            probe_c: Freezing temperature of the device.

        Raises:
            StudyRejectedError: If it is not for cryo, a phase is impossible, or the phases do not
                last `duration_s` together.
        """
        if protocol.modality is not AblationModality.CRYO:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"a freeze-thaw protocol must be for cryo; got {protocol.modality.value}.",
            )
        if unknown := sorted(set(protocol.settings) - {"duty"}):
            raise StudyRejectedError(
                Code.CONFIG_UNKNOWN_KEY, f"cryo has the setting duty alone; got {unknown[0]}."
            )
        duty = float(protocol.settings.get("duty", 1.0))
        if not protocol.schedule:
            return cls.single(protocol.duration_s, probe_c=probe_c, duty=duty)
        phases = (_phase(p, n, probe_c, duty) for n, p in enumerate(protocol.schedule))
        made = cls(phases=tuple(phases))
        if abs(made.duration_s - protocol.duration_s) > 1e-6:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"the phases of the schedule last {made.duration_s:g} s, the protocol says "
                f"{protocol.duration_s:g} s.",
                hint="Set duration_s to the sum of the phases.",
            )
        return made


def _phase(document: Mapping[str, Any], number: int, probe_c: float, duty: float) -> Phase:
    where = f"phase {number + 1} of the schedule"
    if unknown := sorted(str(key) for key in document if key not in PHASE_KEYS):
        raise StudyRejectedError(
            Code.CONFIG_UNKNOWN_KEY,
            f"{where}: cryo knows {', '.join(PHASE_KEYS)}; got {', '.join(unknown)}.",
            hint='YAML reads a bare off as False: write "off" in quotes.'
            if False in document
            else "",
        )
    duration, given, off = (document.get(k) for k in ("duration_s", "probe_c", "off"))
    for name, value, kinds in (
        ("duration_s", duration, (int, float)),
        ("probe_c", given, (int, float, type(None))),
        ("duty", document.get("duty"), (int, float, type(None))),
        ("off", off, (bool, type(None))),
    ):
        if not isinstance(value, kinds) or (name != "off" and isinstance(value, bool)):
            raise StudyRejectedError(
                Code.CONFIG_TYPE,
                f"{where}: {name} has the wrong type or is missing; got {value!r}.",
            )
    if off and given is not None:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"{where}: a probe that is off has no temperature; got {given} C."
        )
    if off and "duty" in document:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"{where}: a probe that is off has no duty; got {document['duty']}.",
        )
    share = document.get("duty")
    temperature = None if off else float(probe_c if given is None else given)
    name = str(document.get("name", "passive thaw" if off else "gas on"))
    return Phase(
        duration_s=float(duration or 0.0),
        probe_c=temperature,
        name=name,
        duty=1.0 if off else float(duty if share is None else share),
    )
