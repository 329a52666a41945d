"""How far needles lie from where they were planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]

from netseg.register.transport import to_fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from netseg.domain.ablation import Probe
    from netseg.domain.registration import Registration
    from netseg.verify.needles import FoundNeedle

optimize: Any = scipy.optimize  # scipy carries no types, and the guessed ones are wrong

SAME_MM, SAME_DEG = 30.0, 35.0  # farther apart, a needle is not the planned one
MM_PER_DEG = 1.0  # how much a degree counts against a millimetre when needles are told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedleError:
    """A needle against its plan, in the control scan.

    Attributes:
        probe_id: The planned probe's name.
        needle: Which of the found needles, from 0.
        lateral_mm: Way from the found tip to the planned axis.
        angle_deg: Between the two axes.
        depth_mm: How much deeper than planned the tip lies along the planned axis; negative:
            not deep enough.
        tip_mm: Distance between the two tips.
    """

    probe_id: str
    needle: int
    lateral_mm: float
    angle_deg: float
    depth_mm: float
    tip_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedleComparison:
    """All needles against a plan.

    Attributes:
        errors: One entry per planned probe that was found, in the plan's order.
        not_found: Planned probes without a needle.
        not_planned: Needles, from 0, without a planned probe.
    """

    errors: tuple[NeedleError, ...]
    not_found: tuple[str, ...]
    not_planned: tuple[int, ...]


def compare_with_plan(
    found: Sequence[FoundNeedle], planned: Sequence[Probe], registration: Registration
) -> NeedleComparison:
    """Each needle against the planned probe that it most likely is.

    The pairs are those with the least sum of tip distance and angle; pairs over 30 mm or
    35 degrees apart are none.

    Args:
        found: Needles of the control scan.
        planned: Probes as they lie in the planning scan.
        registration: Control to planning; the planned probes are carried into the control scan.
    """
    carried = [_carried(probe, registration) for probe in planned]
    errors: list[NeedleError] = []
    if found and planned:
        every = [
            [_error(probe.id, n, needle, axis) for n, needle in enumerate(found)]
            for probe, axis in zip(planned, carried, strict=True)
        ]
        cost = [[e.tip_mm + MM_PER_DEG * e.angle_deg for e in row] for row in every]
        rows, columns = optimize.linear_sum_assignment(np.array(cost))
        chosen = [every[int(r)][int(c)] for r, c in zip(rows, columns, strict=True)]
        errors = [e for e in chosen if e.tip_mm <= SAME_MM and e.angle_deg <= SAME_DEG]
    matched = {e.probe_id for e in errors}
    taken = {e.needle for e in errors}
    return NeedleComparison(
        errors=tuple(errors),
        not_found=tuple(p.id for p in planned if p.id not in matched),
        not_planned=tuple(n for n in range(len(found)) if n not in taken),
    )


def _carried(
    probe: Probe, registration: Registration
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Tip and direction (towards the handle) of a planned probe in the control scan.

    The direction is that of the needle's last 5 cm: a needle stays straight, whatever the
    registration makes of the tissue farther out.
    """
    tip = probe.tip_mm.as_array()
    back = tip + min(50.0, probe.length_mm) * np.array(probe.direction)
    ends = to_fixed(registration, np.stack((tip, back)))
    way = ends[1] - ends[0]
    return ends[0], way / np.linalg.norm(way)


def _error(
    probe_id: str,
    number: int,
    needle: FoundNeedle,
    axis: tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]],
) -> NeedleError:
    tip, way = axis
    away = needle.tip_mm.as_array() - tip
    along = float(away @ way)
    cosine = float(np.clip(np.dot(needle.direction, way), -1.0, 1.0))
    return NeedleError(
        probe_id=probe_id,
        needle=number,
        lateral_mm=float(np.linalg.norm(away - along * way)),
        angle_deg=float(np.degrees(np.arccos(cosine))),
        depth_mm=-along,
        tip_mm=float(np.linalg.norm(away)),
    )
