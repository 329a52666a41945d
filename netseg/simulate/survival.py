"""What a pulsed field kills: a threshold that nobody knows, and a survival curve.

Published thresholds for liver differ by a factor of 2.5, with pulse number, species and method. One
of them makes the zone by default, all of them the band, and their mixture a probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

V_CM = 100.0  # volt per metre in one volt per centimetre
LEAST = -5.0  # depth far outside
FEWEST_PULSES, MOST_PULSES = 50, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldThreshold:
    """Tissue dies above this field.

    Attributes:
        v_cm: Threshold.
        sd_v_cm: Its spread within the source; where a source gives none, that of Miklavcic et al.
        name: Its name in plans and reports.
        source: Where it is from.
    """

    v_cm: float
    sd_v_cm: float
    name: str
    source: str

    def __post_init__(self) -> None:
        """Keep field and spread positive.

        Raises:
            StudyRejectedError: If not.
        """
        if not (self.v_cm > 0 and self.sd_v_cm > 0):
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"threshold {self.name} and its spread must be positive; got {self.v_cm} and "
                f"{self.sd_v_cm} V/cm.",
            )

    def depth(self, field_v_m: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Logarithm of field over threshold: positive where tissue dies, smooth through zero."""
        share = field_v_m / (self.v_cm * V_CM)
        return torch.log(share.clamp_min(math.exp(LEAST)))

    def chance(self, field_v_m: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Probability that the threshold lies below this field (normal)."""
        score = (field_v_m / V_CM - self.v_cm) / self.sd_v_cm
        return torch.special.ndtr(score)


THRESHOLDS = {
    t.name: t
    for t in (
        FieldThreshold(
            v_cm=550.0,
            sd_v_cm=50.0,
            name="human_liver",
            source="best match 500 to 600 V/cm in 10 human livers (PubMed 41105588, abstract)",
        ),
        FieldThreshold(
            v_cm=680.0, sd_v_cm=43.0, name="davalos", source="Davalos et al. 2005; spread borrowed"
        ),
        FieldThreshold(
            v_cm=637.0,
            sd_v_cm=43.0,
            name="rat_liver",
            source="Miklavcic et al. 2000: rat liver, 8 pulses (ImageGuidedTherapyLab methods)",
        ),
        FieldThreshold(
            v_cm=386.0,
            sd_v_cm=43.0,
            name="pig_liver",
            source="makes the field of two cylinders 17 mm deep, as Ben-David et al. 2012 measured; "
            "spread borrowed",
        ),
        FieldThreshold(
            v_cm=269.0,
            sd_v_cm=43.0,
            name="ninety_pulses",
            source="Peleg-Fermi critical field at 90 pulses (Garcia et al. 2014); spread borrowed",
        ),
    )
}
"""By name; the first is the default zone. Each counts as much as the others in the coverage."""


def coverage(field_v_m: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Probability per cell that tissue dies, over the sources in equal shares."""
    total = torch.zeros_like(field_v_m)
    for threshold in THRESHOLDS.values():
        total += threshold.chance(field_v_m)
    return total / len(THRESHOLDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PelegFermi:
    """Share of cells that survive n pulses: 1 / (1 + exp((E - E_c(n)) / A(n))).

    E_c = 399,600 exp(-0.03 n) V/m, A = 144,100 exp(-0.06 n) V/m: Garcia et al. 2014, as the
    NumaIRE solver of Go-Smart has them. Both are extrapolations of fits in n; outside 50 to 100
    pulses nothing of them could be checked here, and the curve is refused.

    Attributes:
        pulses: n.
    """

    pulses: int

    def __post_init__(self) -> None:
        """Stay where the constants mean something.

        Raises:
            StudyRejectedError: If the number of pulses lies outside.
        """
        if not FEWEST_PULSES <= self.pulses <= MOST_PULSES:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"the survival curve holds for {FEWEST_PULSES} to {MOST_PULSES} pulses; got "
                f"{self.pulses}.",
                hint="The threshold zones do not depend on the number of pulses: leave it away.",
            )

    @property
    def critical_v_m(self) -> float:
        """Field at which half the cells survive."""
        return 399_600.0 * math.exp(-0.03 * self.pulses)

    @property
    def width_v_m(self) -> float:
        """Field over which survival falls."""
        return 144_100.0 * math.exp(-0.06 * self.pulses)

    def survival(self, field_v_m: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Share of cells alive."""
        return torch.sigmoid((self.critical_v_m - field_v_m) / self.width_v_m)
