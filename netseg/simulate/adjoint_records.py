"""What a differentiable heat run remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from torch import Tensor

    from netseg.simulate.hot import HotBox
    from netseg.simulate.needle import LineKernel
    from netseg.simulate.pattern import Made
    from netseg.simulate.pose import PosedKernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a run decided, by step.

    Attributes:
        renewed: Whether the pattern was made anew.
        stages: Evaluations of the conduction operator.
        powers: What the generator gave, over the drive; one where it does not decide.
    """

    renewed: tuple[bool, ...]
    stages: tuple[int, ...]
    powers: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CooledNeedle:
    """A needle with coolant inside, and how its link to the grid hangs on its kernel.

    Attributes:
        number: Which of the run's needles it is.
        posed: Its kernel.
        link_w_k: Conductance of each node to its surroundings.
        excess_k: The coolant's temperature above tissue baseline.
        link_of: The link as a function of the kernel.
    """

    number: int
    posed: PosedKernel
    link_w_k: Float[Tensor, "n"]
    excess_k: float
    link_of: Callable[[LineKernel], Tensor]


@dataclass(slots=True, kw_only=True, eq=False)
class StepRecord:
    """What the way back needs of one step.

    Attributes:
        cells: Flat indices of the cells that bend the equations.
        heat: Heat content there at the start,
        stages: at every evaluation of the operator,
        conducted: and after conduction.
        damage: Damage state there at the start, shape (channels, m).
        felt: Temperature under each cooled needle's kernel at the start.
    """

    cells: Int[Tensor, "m"]
    heat: Float[Tensor, "m"]
    stages: list[Tensor]
    conducted: Float[Tensor, "m"]
    damage: Float[Tensor, "c m"]
    felt: list[Tensor]

    @property
    def size(self) -> int:
        """Bytes."""
        parts = [self.cells, self.heat, *self.stages, self.conducted, self.damage, *self.felt]
        return sum(t.numel() * t.element_size() for t in parts)


@dataclass(slots=True, kw_only=True, eq=False)
class Renewal:
    """A pattern and what it was made for.

    Attributes:
        step: The first step that it was used in.
        made: The pattern.
        heat: Heat content of the tissue then.
        bar: On the way back, d score/d pattern as far as collected.
    """

    step: int
    made: Made
    heat: Float[Tensor, "i j k"]
    bar: Tensor | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Live:
    """Tissue in the course of a run.

    Attributes:
        heat: Heat content.
        excess: Temperature above baseline.
        damage: The damage model's state; changed in place.
        factor: Relative change of excess temperature by blood over half a step; changed in place.
        box: Where tissue has left baseline.
    """

    heat: Float[Tensor, "i j k"]
    excess: Float[Tensor, "i j k"]
    damage: Float[Tensor, "... i j k"]
    factor: Float[Tensor, "i j k"]
    box: HotBox

    def copy(self) -> Live:
        """What later steps will not change."""
        box = replace(self.box, low=list(self.box.low), high=list(self.box.high))
        return replace(self, damage=self.damage.clone(), factor=self.factor.clone(), box=box)
