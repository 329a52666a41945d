"""When tissue dies: three models that disagree, and therefore a band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.damage.arrhenius import ARRHENIUS_SETS, Arrhenius
from netseg.simulate.damage.cem43 import Cem43
from netseg.simulate.damage.oneill import ThreeState

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

__all__ = ["ARRHENIUS_SETS", "Arrhenius", "Cem43", "DamageModel", "ThreeState", "damage_model"]


class DamageModel(Protocol):
    """A law of dying under heat."""

    @property
    def name(self) -> str:
        """Its name in plans and reports."""
        ...

    @property
    def counts_from_c(self) -> float | None:
        """Temperature below which its state stays as it is; None where that never holds."""
        ...

    def start(self, like: Float[Tensor, "*n"]) -> Float[Tensor, "..."]:
        """The undamaged state for a field of this shape, type and device."""
        ...

    def advance(
        self,
        state: Float[Tensor, "..."],
        before_c: Float[Tensor, "*n"],
        after_c: Float[Tensor, "*n"],
        step_s: float,
    ) -> Float[Tensor, "..."]:
        """The state after a step in which temperature went linearly from before to after."""
        ...

    def depth(self, state: Float[Tensor, "..."]) -> Float[Tensor, "*n"]:
        """Positive where tissue is dead; smooth through zero, for sub-voxel surfaces."""
        ...

    def perfused(self, state: Float[Tensor, "..."]) -> Float[Tensor, "*n"]:
        """Share of the blood flow that is left, 1 to 0."""
        ...


def damage_model(name: str) -> DamageModel:
    """One of the built-in models with its literature constants.

    "arrhenius" is the liver set; the other sets carry their name behind an underscore.

    Raises:
        StudyRejectedError: If there is no model of this name.
    """
    models: dict[str, DamageModel] = {m.name: m for m in (Arrhenius(), Cem43(), ThreeState())}
    models |= ARRHENIUS_SETS
    if name not in models:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"no damage model is called {name!r}; there are {', '.join(models)}.",
            hint="Name damage models in the plan's `damage` list.",
        )
    return models[name]
