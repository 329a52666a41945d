"""How the planner judges a predicted zone: by the verifier's own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from netseg.domain import AblationZone, Mask
    from netseg.verify import MarginRule


def smallest_margin(
    rule: MarginRule,
) -> Callable[[Mask, AblationZone, Mask | None], float | None]:
    """A function that gives the smallest margin of one lesion in one predicted zone.

    Args:
        rule: The verifier, so that plan and verdict can never disagree about a distance.

    Returns:
        Millimetres; None where the margin cannot be assessed.
    """

    def judge(lesion: Mask, zone: AblationZone, liver: Mask | None) -> float | None:
        if zone.mask.is_empty:
            return None
        found = rule.check(lesion, zone, observed=False, liver=liver, details=False)
        return found.smallest_mm

    return judge
