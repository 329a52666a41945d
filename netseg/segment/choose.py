"""Which series of a study the CT networks look at."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from netseg.domain import Code, Modality, Phase, Quantity, StudyRejectedError

if TYPE_CHECKING:
    from netseg.domain import Series, Study

logger = logging.getLogger(__name__)

PREFERRED: tuple[Phase | None, ...] = (
    Phase.PORTAL_VENOUS,
    Phase.LATE_ARTERIAL,
    Phase.DELAYED,
    Phase.NATIVE,
    None,
)
"""Best first. The training data are portal venous; a phase nobody named comes last."""


def choose_ct(study: Study) -> Series:
    """The CT series the networks were trained for, as far as the study has one.

    Of several series of the same phase the one with the thinnest slices is taken.

    Raises:
        StudyRejectedError: If there is no CT in Hounsfield units.
    """
    usable = [
        s for s in study.series if s.modality is Modality.CT and s.volume.quantity is Quantity.HU
    ]
    if not usable:
        found = ", ".join(f"{s.key} ({s.modality})" for s in study.series)
        raise StudyRejectedError(
            Code.NO_USABLE_SERIES,
            f"the built-in networks read CT in Hounsfield units; the study has {found}.",
            detail={"series": [s.key for s in study.series]},
            hint="Give masks of another tool with --liver and --lesions.",
        )
    chosen = min(usable, key=_rank)
    logger.info("segmenting on %s (phase %s)", chosen.key, chosen.phase or "unknown")
    return chosen


def _rank(series: Series) -> tuple[int, float]:
    place = PREFERRED.index(series.phase) if series.phase in PREFERRED else len(PREFERRED)
    return place, max(series.volume.grid.spacing_mm)
