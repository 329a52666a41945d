"""What the reader of the measured figures must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Code, Notice, SegmentSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Lesion
    from netseg.findings.pet import PetReference


def notices(
    strangers: Sequence[str],
    lesions: Sequence[Lesion],
    source: SegmentSource | None,
    pets: Mapping[str, PetReference],
) -> tuple[Notice, ...]:
    """The warnings of a measurement.

    Args:
        strangers: Series left out, being in another frame than the lesions.
        lesions: The lesions as measured.
        source: Where the segments are from.
        pets: The PETs by the stem of their measures.
    """
    found = [
        _strangers(strangers),
        _cut(lesions),
        *(_too_small(stem, pet, lesions) for stem, pet in pets.items()),
        _approximate(source),
    ]
    return tuple(notice for notice in found if notice is not None)


def _strangers(keys: Sequence[str]) -> Notice | None:
    if not keys:
        return None
    return Notice(
        code=Code.FRAME_MISMATCH,
        message=f"not measured: {', '.join(keys)} in another frame of reference than the lesions.",
        detail={"series": list(keys)},
        hint="Register these series to the segmented one first.",
    )


def _cut(lesions: Sequence[Lesion]) -> Notice | None:
    cut = [one.id for one in lesions if one.at_border]
    if not cut:
        return None
    return Notice(
        code=Code.LESION_AT_BORDER,
        message=f"lesion {', '.join(map(str, cut))} reaches the image's border: its size is a lower "
        "bound.",
        detail={"lesions": cut},
    )


def _too_small(stem: str, pet: PetReference, lesions: Sequence[Lesion]) -> Notice | None:
    small = [one.id for one in lesions if f"{stem}_max_observed" in one.measures]
    if not small:
        return None
    return Notice(
        code=Code.UPTAKE_UNMEASURABLE,
        message=f"lesion {', '.join(map(str, small))}: uptake on {pet.series.key} is unknown, the "
        "lesion is smaller than twice the image's resolution.",
        detail={"lesions": small, "series": pet.series.key},
    )


def _approximate(source: SegmentSource | None) -> Notice | None:
    if source is not SegmentSource.APPROXIMATE_PARTITION:
        return None
    return Notice(
        code=Code.SEGMENTS_APPROXIMATE,
        message="segments and lobes are a geometric approximation from the liver's shape; segment I "
        "is never assigned.",
        hint="Give a segment map to have them measured.",
    )
