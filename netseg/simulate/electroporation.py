"""Irreversible electroporation: pulsed fields between needles, pair by pair.

    tissue = PulsedTissue.uniform(PULSED["tissue"], shape, spacing_mm, like=like)
    done = electroporate(tissue, {"A": needle_a, "B": needle_b}, [Pulses(pair=("A", "B"), volts=2250)])
    done.depth["human_liver"], done.coverage, done.currents_a, done.energy_j

Quasi-static: at each pair's voltage Laplace's equation is solved with a conductivity that rises
where the field is strong and stays risen for the pairs after it. The strongest field that a cell has
seen in any pair decides about it; fields of pairs do not add, since their pulses do not coincide.
Every cell keeps that field; thresholds, survival and coverage are read from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.electric import unit_field
from netseg.simulate.needle import LineKernel
from netseg.simulate.open_border import open_border
from netseg.simulate.pulse_field import NearField, sharp_field_v_m
from netseg.simulate.survival import THRESHOLDS, PelegFermi, coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.needle import Needle
    from netseg.simulate.pulsed_tissue import PulsedTissue
    from netseg.simulate.survival import FieldThreshold

MOST_TURNS = 15
SETTLED = 0.02  # conductivity has settled when it changes by no more than this where it has risen
DAMPING = 0.6  # share of the new conductivity: a stronger field opens tissue, which weakens it
TOLERANCE = 2e-4  # residual of a field: heat agrees with the generator's energy to less
MARGIN_MM = 25.0  # tissue computed around the electrodes; see experiments/ire_published
MOST_VOLTS = 5000.0
CLOSEST_RADII = 4.0  # two electrodes closer than this short-circuit


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulses:
    """What one pair of electrodes is given.

    Attributes:
        pair: Names of the two electrodes.
        volts: Between them.
        count: Pulses; None where it does not matter.
        pulse_s: Length of one pulse.
    """

    pair: tuple[str, str]
    volts: float
    count: int = 90
    pulse_s: float = 7e-5

    def __post_init__(self) -> None:
        """Keep it a train of pulses.

        Raises:
            StudyRejectedError: If voltage, number or length is impossible.
        """
        name = "-".join(self.pair)
        if self.pair[0] == self.pair[1]:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, f"pair {name}: a pair needs two different electrodes."
            )
        if not 0 < self.volts <= MOST_VOLTS:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"pair {name}: the voltage must be positive and at most {MOST_VOLTS:.0f} V; got "
                f"{self.volts}.",
            )
        if self.count < 1 or not 0 < self.pulse_s <= 1e-2:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"pair {name}: at least one pulse of 0 to 10 ms is needed; got {self.count} of "
                f"{self.pulse_s} s.",
                hint="pulse_s is in seconds: 70 microseconds are 7e-5.",
            )

    @property
    def on_s(self) -> float:
        """Length of all pulses together."""
        return self.count * self.pulse_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Electroporated:
    """What pulsed fields have done.

    Attributes:
        field_v_m: Strongest field that each cell has seen, per cell.
        depth: Depth of the zone by threshold name, positive inside; the first is the zone.
        coverage: Probability per cell that tissue is destroyed, over the published thresholds.
        survival: Share of cells alive, by Peleg and Fermi for the fewest pulses of any pair; None
            where it was not asked for.
        sigma_s_m: Conductivity after the last pair.
        currents_a: Current of each pair at its voltage, in order.
        energy_j: Energy of all pulses of each pair, from the generator.
        heat_j: What of it became heat in the computed tissue, and what in the tissue beyond, by
            pair: summed from the faces between cells, next to the metal from its current.
        heating_k: Rise of temperature if no heat flowed away, from all pulses: an upper bound.
            Sharp next to the metal, where it is the heat at the cell's middle and not its mean.
        turns: Conductivity iterations of each pair.
    """

    field_v_m: Float[Tensor, "i j k"]
    depth: dict[str, Float[Tensor, "i j k"]]
    coverage: Float[Tensor, "i j k"]
    survival: Float[Tensor, "i j k"] | None
    sigma_s_m: Float[Tensor, "i j k"]
    currents_a: tuple[float, ...]
    energy_j: tuple[float, ...]
    heat_j: tuple[tuple[float, float], ...]
    heating_k: Float[Tensor, "i j k"]
    turns: tuple[int, ...]


def all_pairs(
    needles: Mapping[str, Needle], *, volts_cm: float, count: int = 90, pulse_s: float = 7e-5
) -> tuple[Pulses, ...]:
    """Every electrode against every other, with a voltage for their distance.

    Args:
        needles: Electrodes by name.
        volts_cm: Voltage per centimetre between the middles of the two.
        count: Pulses per pair.
        pulse_s: Length of one pulse.
    """
    middles = {n: needle.nodes_mm(1.0).mean(0) for n, needle in needles.items()}
    return tuple(
        Pulses(
            pair=(a, b),
            volts=volts_cm * 0.1 * float((middles[a] - middles[b]).norm()),
            count=count,
            pulse_s=pulse_s,
        )
        for a, b in combinations(needles, 2)
    )


@torch.no_grad()
def electroporate(
    tissue: PulsedTissue,
    needles: Mapping[str, Needle],
    trains: Sequence[Pulses],
    *,
    thresholds: Mapping[str, FieldThreshold] = THRESHOLDS,
    margin_mm: float = MARGIN_MM,
    survival: bool = True,
    progress: Callable[[int, Tensor], None] | None = None,
) -> Electroporated:
    """Pulse one pair after another.

    Args:
        tissue: Tissue on a grid.
        needles: Electrodes by name, in the grid's coordinates.
        trains: Pairs in the order of use.
        thresholds: By name; the first is the zone.
        margin_mm: How far around the electrodes the field is computed; beyond it counts as none.
        survival: Whether the survival curve is wanted, which holds for some numbers of pulses only.
        progress: Called after each pair with its number from 1 and the strongest field so far.

    Raises:
        StudyRejectedError: If there is no pair or threshold, a pair names an electrode that is not
            there, two electrodes of a pair touch, the survival curve does not hold for the number of
            pulses, or the solve does not converge.
    """
    _check(needles, trains, thresholds)
    curve = PelegFermi(pulses=min(t.count for t in trains)) if survival else None
    spacing = tissue.spacing_mm
    box, shift = _box_around(needles, tissue.shape, spacing, margin_mm)
    part = tissue.part(box)
    electrodes = {n: _Electrode.of(needle, part, shift) for n, needle in needles.items()}
    strongest, heat = torch.zeros_like(part.intact_s_m), torch.zeros_like(part.intact_s_m)
    currents, turns, heats = [], [], []
    for number, train in enumerate(trains):
        pair = [electrodes[name] for name in train.pair]
        solved = _pulse(part, pair, train.volts, strongest)
        strongest = torch.maximum(strongest, solved.field_v_m)
        heat.addcmul_(solved.sigma_s_m, solved.field_v_m.square(), value=train.on_s)
        currents.append(solved.current_a)
        turns.append(solved.turns)
        heats.append((solved.heat_w[0] * train.on_s, solved.heat_w[1] * train.on_s))
        if progress is not None:
            progress(number + 1, _whole(strongest, box, tissue))
    field_v_m = _whole(strongest, box, tissue)
    return Electroporated(
        field_v_m=field_v_m,
        depth={name: t.depth(field_v_m) for name, t in thresholds.items()},
        coverage=coverage(field_v_m),
        survival=None if curve is None else curve.survival(field_v_m),
        sigma_s_m=tissue.sigma_s_m(field_v_m),
        currents_a=tuple(currents),
        energy_j=tuple(i * t.volts * t.on_s for i, t in zip(currents, trains, strict=True)),
        heat_j=tuple(heats),
        heating_k=_whole(heat, box, tissue) / tissue.capacity_j_m3k,
        turns=tuple(turns),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Electrode:
    """A needle in the computed box."""

    kernel: LineKernel
    near: NearField
    middle_mm: Tensor

    @classmethod
    def of(cls, needle: Needle, part: PulsedTissue, shift_mm: tuple[float, ...]) -> _Electrode:
        x, y, z = (t - s for t, s in zip(needle.tip_mm, shift_mm, strict=True))
        moved = replace(needle, tip_mm=(x, y, z))
        kernel = LineKernel.embed(moved, part.shape, part.spacing_mm, like=part.intact_s_m)
        return cls(
            kernel=kernel,
            near=NearField.of(moved, kernel, part.shape, part.spacing_mm),
            middle_mm=moved.nodes_mm(1.0).mean(0),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pulse:
    """One pair at its voltage, conductivity settled."""

    field_v_m: Tensor
    sigma_s_m: Tensor
    current_a: float
    heat_w: tuple[float, float]
    turns: int


def _pulse(
    part: PulsedTissue,
    pair: Sequence[_Electrode],
    volts: float,
    strongest: Tensor,
) -> _Pulse:
    """Solve until field and conductivity agree.

    Raises:
        StudyRejectedError: If they do not within `MOST_TURNS`.
    """
    sigma, potential = part.sigma_s_m(strongest), torch.zeros_like(strongest)
    span = part.open_s_m - part.intact_s_m
    centre = 0.5 * (pair[0].middle_mm + pair[1].middle_mm)
    cell_m3 = math.prod(part.spacing_mm) * 1e-9
    for turn in range(1, MOST_TURNS + 1):
        border = open_border(sigma, part.spacing_mm, centre)
        solved = unit_field(
            Diffusion(
                inner=Diffusion.assemble(sigma, part.spacing_mm, fixed=()).inner, outer=border
            ),
            [(e.kernel, e.kernel.link(sigma)) for e in pair],
            cell_m3=cell_m3,
            start=potential,
            tolerance=TOLERANCE,
            volts=(0.5 * volts, -0.5 * volts),
        )
        potential = solved.potential
        field = sharp_field_v_m(solved, [e.near for e in pair], sigma, part.spacing_mm)
        wanted = part.sigma_s_m(torch.maximum(strongest, field))
        off = float((wanted - sigma).abs().sum(dtype=torch.float64))
        opened = float((wanted - part.intact_s_m).sum(dtype=torch.float64))
        if off <= SETTLED * opened or float(span.max()) == 0:
            beyond = float((border * potential.square()).sum(dtype=torch.float64)) * cell_m3
            heat = float(solved.joule_w_m3.sum(dtype=torch.float64)) * cell_m3
            return _Pulse(
                field_v_m=field,
                sigma_s_m=sigma,
                current_a=solved.conductance_s * volts,
                heat_w=(heat - beyond, beyond),
                turns=turn,
            )
        sigma = torch.lerp(sigma, wanted, DAMPING)
    raise StudyRejectedError(
        Code.SIMULATION_REFUSED,
        f"field and conductivity did not agree within {MOST_TURNS} iterations at {volts:.0f} V.",
        hint="Check voltage and conductivity ramps.",
    )


def _check(
    needles: Mapping[str, Needle],
    trains: Sequence[Pulses],
    thresholds: Mapping[str, FieldThreshold],
) -> None:
    """Refuse what cannot be pulsed.

    Raises:
        StudyRejectedError: If so.
    """
    if not trains or not thresholds:
        what = "pair of electrodes" if not trains else "threshold"
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, f"electroporation needs at least one {what}; got none."
        )
    for train in trains:
        name = "-".join(train.pair)
        if unknown := [n for n in train.pair if n not in needles]:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"pair {name}: there is no electrode {' or '.join(unknown)}; there are "
                f"{', '.join(needles)}.",
            )
        first, second = (needles[n] for n in train.pair)
        apart = float(torch.cdist(first.nodes_mm(0.5), second.nodes_mm(0.5)).min())
        least = 0.5 * CLOSEST_RADII * 0.5 * (first.diameter_mm + second.diameter_mm)
        if apart < least:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"pair {name}: the electrodes come within {apart:.1f} mm of each other, under "
                f"{least:.1f} mm current flashes over.",
            )


def _box_around(
    needles: Mapping[str, Needle],
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    margin_mm: float,
) -> tuple[tuple[slice, slice, slice], tuple[float, float, float]]:
    """Cells within a margin of the electrodes, and where the first of them lies."""
    nodes = torch.cat([n.nodes_mm(1.0) for n in needles.values()])
    low, high = nodes.min(0).values.tolist(), nodes.max(0).values.tolist()
    box = [
        slice(
            min(max(0, math.floor((a - margin_mm) / h)), n - 1),
            max(1, min(n, math.ceil((b + margin_mm) / h) + 1)),
        )
        for a, b, h, n in zip(low, high, spacing_mm, shape, strict=True)
    ]
    x, y, z = (s.start * h for s, h in zip(box, spacing_mm, strict=True))
    return (box[0], box[1], box[2]), (x, y, z)


def _whole(values: Tensor, box: tuple[slice, slice, slice], tissue: PulsedTissue) -> Tensor:
    """A field of the box in the whole grid, zero elsewhere."""
    out = torch.zeros_like(tissue.intact_s_m)
    out[box] = values
    return out
