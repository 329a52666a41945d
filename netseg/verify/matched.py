"""What a margin owes to the registration it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netseg.domain.registration import Gate, Registration


def registration_document(registration: Registration) -> dict[str, Any]:
    """Method, error and gates as margin.json has them.

    `gates` holds by name whether each passed (null: could not be measured), `gate_values` what was
    measured and what is allowed.
    """
    gates = registration.gates.items()
    return {
        "method": registration.method,
        "error_mm": registration.error_mm,
        "trusted": registration.is_trusted,
        "gates": {name: gate.passed for name, gate in gates},
        "gate_values": {
            name: {"value": gate.value, "limit": gate.limit, "decides": gate.decides}
            for name, gate in gates
        },
        "landmarks_mm": [round(float(mm), 2) for mm in registration.landmarks_mm],
        "warnings": [warning.to_document() for warning in registration.warnings],
    }


def failed_gates(registration: Registration | None) -> tuple[str, ...]:
    """The deciding gates that failed, each in a few words."""
    if registration is None:
        return ()
    failed = {n: g for n, g in registration.gates.items() if g.decides and g.passed is False}
    return tuple(f"{_words(name)} {_value(gate)}" for name, gate in failed.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(gate: Gate) -> str:
    value = "not measured" if gate.value is None else f"{gate.value:.3g}"
    return f"{value} ({gate.limit} is expected)"
