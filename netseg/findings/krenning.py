"""Krenning score of a lesion: its receptor uptake against that of liver and spleen.

0 none, 1 very low, 2 at most the liver's, 3 above the liver's, 4 above the spleen's (Krenning et al.,
and as used for receptor therapy by Kwekkeboom et al., J Clin Oncol 2005;23:2754-2762; read off planar
images there). The readings here are ours:

- A lesion is above an organ where the mean of its hottest 1 ml exceeds the organ's mean by two
  standard deviations of the organ's voxels, so that noise alone does not lift it (assumption).
- A score is an interval where the images cannot tell: without a spleen, uptake above the liver's is 3
  to 4. Uptake below the liver's is 0 to 2: how low it truly is cannot be seen beside a bright liver.
- A lesion too small for its uptake to be measured is diluted by the liver around it, so that what is
  seen above the liver is above it in truth (3 to 4); everything else stays unknown.

Only ratios are used: an image in Bq/ml gives the same score as one in SUV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netseg.findings.level import Level
    from netseg.findings.uptake import Uptake

ABOVE_SD = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Krenning:
    """A score between two ends, both possible.

    Attributes:
        low: Smallest possible score.
        high: Largest possible score.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        """Keep it an interval of the scale."""
        if not 0 <= self.low <= self.high <= 4:
            raise ValueError(f"a Krenning score lies in 0 … 4; got {self.low} to {self.high}.")


def is_above(found: Uptake, organ: Level) -> bool | None:
    """Whether a lesion takes up more than an organ; None where its size does not let us tell."""
    if found.hottest > organ.mean + ABOVE_SD * organ.sd:
        return True
    return False if found.measurable else None


def krenning(found: Uptake, liver: Level, spleen: Level | None) -> Krenning | None:
    """The score of one lesion.

    Args:
        found: The lesion's uptake on a receptor tracer's image.
        liver: Lesion-free liver on the same image.
        spleen: The spleen on the same image, None when unknown.

    Returns:
        The score; None where the lesion is too small and not seen above the liver.
    """
    above = is_above(found, liver)
    if above is None:
        return None
    if above:
        over_spleen = None if spleen is None else is_above(found, spleen)
        if over_spleen is None:
            return Krenning(low=3, high=4)
        return Krenning(low=4, high=4) if over_spleen else Krenning(low=3, high=3)
    like_liver = found.core is not None and found.core >= liver.mean - ABOVE_SD * liver.sd
    return Krenning(low=2 if like_liver else 0, high=2)
