"""Heated tissue contracts: what a scan or a ruler shows afterwards is smaller than what was alive.

A correction that is stated beside the zone and never applied to it: the zone is the tissue that dies,
in the coordinates of the scan before; a control scan shows it contracted. Local linear contraction
follows the highest temperature, in porcine liver ex vivo 12.3, 13.8, 16.6, 19.2 and 21.7 % of length
after 15 min at 60, 65, 75, 85 and 95 C, none below 50 C (Rossmann et al. 2014, PMC3924587, abstract);
beyond 95 C the value is kept. Cubes of tissue inside microwave zones lost 52 to 74 % of their volume,
23 to 43 % across the antenna and 21 to 29 % along it (Farina et al. 2014, abstract), so contraction
across is taken as `ACROSS` and along as `ALONG` times the mean; the zone's longest axis is taken for
the needle's, which holds for one needle or one row of them. In patients the ablated tumour changed by -0.6 % of volume (29 patients, CT
after 100 W for 10 min, Jacobian of a registration; MHH 2022, abstract): blood refills it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.surface import Shape, measure_shape, occupancy

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.grid import Grid

KNOTS_C = (50.0, 60.0, 65.0, 75.0, 85.0, 95.0)
SHARES = (0.0, 0.123, 0.138, 0.166, 0.192, 0.217)
ACROSS, ALONG = (
    1.09,
    0.825,
)  # of the mean over the three directions: 33, 33 and 25 % of Farina's ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractionPrior:
    """How strongly tissue of a class contracts, as a multiple of the ex vivo law.

    Attributes:
        low: Lower end of the plausible range (about 5 %).
        middle: What is reported first.
        high: Upper end (about 95 %).
        source: Why.
    """

    low: float
    middle: float
    high: float
    source: str

    def __post_init__(self) -> None:
        """Keep the three in order and tissue from swallowing itself."""
        if not 0.0 <= self.low <= self.middle <= self.high <= 3.0:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                "a contraction prior needs 0 <= low <= middle <= high <= 3; got "
                f"{self.low}, {self.middle}, {self.high}.",
            )


EX_VIVO = ContractionPrior(
    low=0.8,
    middle=1.0,
    high=1.7,
    source="1 is Rossmann 2014's law, kept by the calibration on row B3 (experiments/rfa_published); "
    "Farina 2014's 52 to 74 % of volume at 95 C and more are 22 to 36 % of length, 1.0 to 1.7 times "
    "it; the lower end is assumed",
)
IN_VIVO = ContractionPrior(
    low=0.0,
    middle=0.0,
    high=0.5,
    source="MHH 2022: -0.6 % of volume in patients; half the ex vivo law as an upper end is assumed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracted:
    """A zone before and after contraction; each number as (low, middle, high) of the prior.

    Attributes:
        uncorrected: The zone as simulated: the tissue that dies.
        volume_ml: What would be measured afterwards, smallest contraction last.
        diameters_mm: The same for the three principal diameters.
        linear_share: Contraction of a length, mean over zone and directions, 0 to 1.
        prior: What was assumed.
    """

    uncorrected: Shape
    volume_ml: tuple[float, float, float]
    diameters_mm: tuple[tuple[float, float, float], ...]
    linear_share: tuple[float, float, float]
    prior: ContractionPrior


def local_share(hottest_c: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Linear contraction ex vivo of tissue that was this hot, 0 to 0.217."""
    return np.interp(hottest_c, KNOTS_C, SHARES)


def contracted(
    depth: Float[np.ndarray, "i j k"],
    hottest_c: Float[np.ndarray, "i j k"],
    window: Grid,
    prior: ContractionPrior,
) -> Contracted:
    """What a zone would measure after its tissue has contracted.

    Args:
        depth: Positive inside the zone, as the damage models give it.
        hottest_c: Highest temperature of each cell.
        window: The grid of both.
        prior: `EX_VIVO`, `IN_VIVO` or another.

    Raises:
        StudyRejectedError: If the fields do not fit the grid.
    """
    if depth.shape != window.shape or hottest_c.shape != window.shape:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"depth {depth.shape} and hottest {hottest_c.shape} must have the grid's shape "
            f"{window.shape}.",
        )
    shape = measure_shape(depth, window)
    weight = occupancy(depth)
    share, total = weight * local_share(hottest_c), float(weight.sum())
    factors = (prior.high, prior.middle, prior.low)
    mean = [factor * float(share.sum()) / total if total else 0.0 for factor in factors]
    along, across = [[1.0 - side * m for m in mean] for side in (ALONG, ACROSS)]
    small, middle, large = (shape.volume_ml * a * b * b for a, b in zip(along, across, strict=True))
    diameters = tuple(
        (d * line[0], d * line[1], d * line[2])
        for d, line in zip(shape.diameters_mm, (along, across, across), strict=True)
    )
    return Contracted(
        uncorrected=shape,
        volume_ml=(small, middle, large),
        diameters_mm=diameters,
        linear_share=(mean[2], mean[1], mean[0]),
        prior=prior,
    )
