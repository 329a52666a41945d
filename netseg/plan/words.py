"""Why a way was taken, or why there is none, in sentences for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from jaxtyping import Float

    from netseg.plan.access import AccessRules
    from netseg.plan.preference import Merits
    from netseg.plan.sieve import Allowed

SIDES = (("left", "right"), ("back", "front"), ("head", "feet"))  # towards +x, -x, +y, …
WORTH_SAYING_MM = 5.0


def reasons(
    merits: Merits,
    best: int,
    allowed: Allowed,
    rules: AccessRules,
) -> tuple[str, ...]:
    """What speaks for the chosen way, and what the operator should know about it."""
    clear = sorted(allowed.clearance_mm.items(), key=lambda item: float(item[1][best]))
    near = ", ".join(f"{name} {c[best]:.0f} mm" for name, c in clear)
    ways = allowed.ways
    where = beside_lesion(ways.exit_mm[best] * ways.directions[best])
    entry = (
        f"enters {where}, {merits.axial_deg[best]:.0f}° to the axial plane; "
        f"{merits.length_mm[best]:.0f} mm from skin to tip, {merits.bridge_mm[best]:.0f} mm of liver "
        "before the lesion"
    )
    said = [
        f"best of {len(allowed.ways.directions)} ways left of {rules.directions}",
        entry,
    ]
    if near:
        said.append(f"distance kept from {near}")
    if merits.bridge_mm[best] < rules.liver_bridge_mm:
        said.append(
            f"less than {rules.liver_bridge_mm:g} mm of liver before the lesion: risk of bleeding and "
            "seeding"
        )
    if merits.capsule_deg[best] < rules.capsule_angle_deg:
        said.append(
            f"flat to the liver's surface ({merits.capsule_deg[best]:.0f}°): the needle may slip"
        )
    return tuple(said)


def beside_lesion(offset_mm: Float[np.ndarray, 3]) -> str:
    """Where a point lies from the lesion: "36 mm to the left and 103 mm to the front of it"."""
    words = [
        f"{abs(value):.0f} mm to the {sides[0] if value > 0 else sides[1]}"
        for value, sides in zip(offset_mm, SIDES, strict=True)
        if abs(value) >= WORTH_SAYING_MM
    ]
    return " and ".join(words) + " of the lesion"


def no_way(fallen: Mapping[str, int], tried: int) -> str:
    """Why no way is left, most frequent reason first."""
    counts = sorted(fallen.items(), key=lambda item: -item[1])
    return f"none of {tried} straight ways is allowed: " + ", ".join(
        f"{n} {rule}" for rule, n in counts
    )
