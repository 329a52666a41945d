"""Conductivity under pulses: it rises where the field opens the membranes.

Ramps of the Go-Smart IRE parameter sets (their file says J; use of the numbers shows V/m).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from jaxtyping import Float, Integer
    from torch import Tensor

V_CM = 100.0  # volt per metre in one volt per centimetre


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Conductivity over field strength: level, linear rise, level.

    Attributes:
        intact_s_m: Below the rise.
        open_s_m: Above it.
        from_v_cm: Where the rise begins.
        to_v_cm: Where it ends.
    """

    intact_s_m: float
    open_s_m: float
    from_v_cm: float
    to_v_cm: float

    def __post_init__(self) -> None:
        """Keep it a rise.

        Raises:
            StudyRejectedError: If it is none.
        """
        if not (0 < self.intact_s_m <= self.open_s_m and 0 < self.from_v_cm < self.to_v_cm):
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                "conductivity must be positive and not fall with the field, over a rising span of "
                f"fields; got {self.intact_s_m} to {self.open_s_m} S/m over {self.from_v_cm} to "
                f"{self.to_v_cm} V/cm.",
            )


PULSED = {
    "tissue": Ramp(intact_s_m=0.08, open_s_m=0.32, from_v_cm=350.0, to_v_cm=700.0),
    "tumour": Ramp(intact_s_m=0.2, open_s_m=0.7, from_v_cm=400.0, to_v_cm=800.0),
    "vessel": Ramp(intact_s_m=0.7, open_s_m=1.5, from_v_cm=100.0, to_v_cm=450.0),
    "background": Ramp(intact_s_m=0.02, open_s_m=0.08, from_v_cm=100.0, to_v_cm=400.0),
}
"""By what a cell is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PulsedTissue:
    """Ramps on a grid; fields may be one number per cell.

    Attributes:
        intact_s_m: See `Ramp`.
        open_s_m: See `Ramp`.
        from_v_m: See `Ramp`, in V/m.
        to_v_m: See `Ramp`, in V/m.
        spacing_mm: Cell sizes.
        capacity_j_m3k: rho c, for the rise of temperature; None where it is not wanted.
    """

    intact_s_m: Float[Tensor, "i j k"]
    open_s_m: Float[Tensor, "i j k"]
    from_v_m: Float[Tensor, "i j k"]
    to_v_m: Float[Tensor, "i j k"]
    spacing_mm: tuple[float, float, float]
    capacity_j_m3k: float = 1079.0 * 3540.0

    @classmethod
    def uniform(
        cls,
        ramp: Ramp,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        *,
        like: Tensor,
    ) -> Self:
        """One tissue everywhere."""
        return cls.labelled(torch.zeros(shape, dtype=torch.uint8), {0: ramp}, spacing_mm, like=like)

    @classmethod
    def labelled(
        cls,
        labels: Integer[Tensor, "i j k"],
        ramps: dict[int, Ramp],
        spacing_mm: tuple[float, float, float],
        *,
        like: Tensor,
    ) -> Self:
        """A ramp per label.

        Raises:
            StudyRejectedError: If a label has no ramp.
        """
        numbers = sorted(int(n) for n in labels.unique())
        if missing := [n for n in numbers if n not in ramps]:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"tissue labels {missing} have no conductivity under pulses; there are ramps for "
                f"{sorted(ramps)}.",
                hint=f"Known ramps: {', '.join(PULSED)}.",
            )
        table = like.new_tensor(
            [
                [r.intact_s_m, r.open_s_m, r.from_v_cm * V_CM, r.to_v_cm * V_CM]
                for r in (ramps[n] for n in numbers)
            ]
        )
        index = torch.searchsorted(torch.tensor(numbers), labels.long().cpu()).to(like.device)
        intact, opened, start, end = table[index].unbind(-1)
        return cls(
            intact_s_m=intact.contiguous(),
            open_s_m=opened.contiguous(),
            from_v_m=start.contiguous(),
            to_v_m=end.contiguous(),
            spacing_mm=spacing_mm,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the grid."""
        i, j, k = self.intact_s_m.shape
        return i, j, k

    def sigma_s_m(self, field_v_m: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """Conductivity of tissue that has seen this field."""
        rise = ((field_v_m - self.from_v_m) / (self.to_v_m - self.from_v_m)).clamp(0, 1)
        return self.intact_s_m + rise * (self.open_s_m - self.intact_s_m)

    def part(self, box: tuple[slice, slice, slice]) -> Self:
        """The same tissue in a box of cells."""
        return replace(
            self,
            intact_s_m=self.intact_s_m[box].contiguous(),
            open_s_m=self.open_s_m[box].contiguous(),
            from_v_m=self.from_v_m[box].contiguous(),
            to_v_m=self.to_v_m[box].contiguous(),
        )
