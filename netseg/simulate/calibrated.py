"""By which damage model the carried tissue sets were calibrated, said beside a zone of another.

The carried sets of liver reach published zones by CEM43 at 240 min (experiments/rfa_published and
experiments/zone_sizes); a plan's zone is by Arrhenius unless told otherwise, which is the larger of
the two and also decides where blood stops. In the eight rows of experiments/zone_sizes CEM43's zone
has 11 to 30 % less volume. Whoever compares a planned zone with a published one must know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain.ablation import AblationModality

if TYPE_CHECKING:
    from collections.abc import Mapping

BY = "cem43"
TISSUES = ("liver_in_vivo", "liver_ex_vivo")
PUBLISHED_SHARES = (0.11, 0.30)
"""By how much CEM43's volume is below Arrhenius', smallest and largest of experiments/zone_sizes."""


def calibration_note(
    volumes_ml: Mapping[str, float], *, leading: str, tissue: str, modality: AblationModality
) -> str | None:
    """A sentence where the zone is not by the model of the tissue's calibration; else None.

    Args:
        volumes_ml: Volume of the zone by damage model.
        leading: The model that makes the zone.
        tissue: Name of the tissue set.
        modality: Of the protocol; cold and pulses kill by other models.
    """
    heated = modality in (AblationModality.RFA, AblationModality.MWA)
    if not heated or tissue not in TISSUES or leading == BY:
        return None
    first = f"zone by {leading}, but {tissue} was calibrated on published zones by {BY}: "
    if BY not in volumes_ml or volumes_ml[leading] <= 0:
        low, high = (f"{100 * share:.0f}" for share in PUBLISHED_SHARES)
        return (
            f"{first}there {BY} gave {low} to {high} % less volume than arrhenius. List {BY} under "
            "damage to see its zone."
        )
    share = 100.0 * (volumes_ml[BY] / volumes_ml[leading] - 1.0)
    return (
        f"{first}{volumes_ml[BY]:.1f} ml here ({share:+.0f} %). Compare that one with published "
        "sizes."
    )
