"""What kills tissue, by physics: damage models of heat, isotherms of cold, thresholds of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.damage import damage_model
from netseg.simulate.damage.isotherm import ISOTHERMS
from netseg.simulate.survival import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAT = ("arrhenius", "cem43", "oneill")
COLD = ("isotherm_40", "isotherm_30", "isotherm_20")


def lethal_names(modality: AblationModality) -> tuple[str, ...]:
    """The models of a physics that make zone and band where nothing else is asked for."""
    if modality is AblationModality.CRYO:
        return COLD
    return tuple(THRESHOLDS) if modality is AblationModality.IRE else HEAT


def lethal_models(modality: AblationModality, names: Sequence[str]) -> tuple[Any, ...]:
    """Models by name, in the order of the names.

    Raises:
        StudyRejectedError: If the physics has no model of a name.
    """
    if modality not in (AblationModality.CRYO, AblationModality.IRE):
        return tuple(damage_model(name) for name in names)
    known = ISOTHERMS if modality is AblationModality.CRYO else THRESHOLDS
    for name in names:
        if name not in known:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"no damage model of {modality.value} is called {name!r}; there are "
                f"{', '.join(known)}.",
                hint="Leave `damage` out for the usual ones.",
            )
    return tuple(known[name] for name in names)
