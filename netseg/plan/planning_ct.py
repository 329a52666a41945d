"""Which CT the needle is planned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Code, Modality, Notice, Phase, Quantity

if TYPE_CHECKING:
    from netseg.domain import Segmentation, Series, Study

PREFERRED = (Phase.PORTAL_VENOUS, Phase.DELAYED, Phase.LATE_ARTERIAL, Phase.NATIVE)


def planning_ct(
    study: Study, segmentation: Segmentation
) -> tuple[Series, None] | tuple[None, Notice]:
    """The CT in the lesions' frame that shows liver vessels best.

    Portal venous first, then delayed, late arterial, native, unknown phase; among equals the one
    the lesions were outlined on. Bone, lung and skin cannot be told apart on MR or PET.

    Returns:
        The series, or the reason why there is none.
    """
    cts = [
        s for s in study.series if s.modality is Modality.CT and s.volume.quantity is Quantity.HU
    ]
    frame = segmentation.lesions.grid.frame_uid
    near = [s for s in cts if s.volume.grid.frame_uid == frame]
    if near:
        return min(near, key=lambda s: (_rank(s), s.key != segmentation.series_key)), None
    if cts:
        return None, Notice(
            code=Code.FRAME_MISMATCH,
            message=f"no needle planned: {', '.join(s.key for s in cts)} in another frame of "
            "reference than the lesions.",
            hint="Register the CT to the series the lesions were outlined on.",
        )
    return None, Notice(
        code=Code.NO_USABLE_SERIES,
        message="no needle planned: bone, lung and skin are told apart on CT only, and there is none.",
        hint="Add a CT in the lesions' frame.",
    )


def _rank(series: Series) -> int:
    return PREFERRED.index(series.phase) if series.phase in PREFERRED else len(PREFERRED)
