"""What is said, or added, when an outline is not all that the way ahead needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netseg.domain import Code, Mask, Notice, StudyRejectedError

if TYPE_CHECKING:
    from netseg.domain import Segmentation, Study
    from netseg.pipeline.stations import SegmentBackend


def told_of_limits(found: Segmentation) -> Segmentation:
    """A network's answer with what it does not say: its silence is weaker than a reader's."""
    if found.lesions.values:
        notice = Notice(
            code=Code.OUTLINES_UNCHECKED,
            message=f"{found.provenance.name} outlined liver and lesions, and nobody checked them: "
            "lesions may be missing, false or larger than shown, and so the margins smaller.",
            hint="Look at every outline; correct the masks and run again with --liver, --lesions.",
        )
    else:
        notice = Notice(
            code=Code.NO_LESION_FOUND,
            message=f"{found.provenance.name} found no lesion; small ones may be missed, see its "
            "model card.",
            hint="Look at the scan, and give your own mask with --lesions.",
        )
    return replace(found, warnings=(*found.warnings, notice))


def with_liver(given: Segmentation, study: Study, network: SegmentBackend) -> Segmentation:
    """Given lesions, with the liver that a network outlines.

    Args:
        given: Lesions without a liver.
        study: The scans.
        network: Outlines the liver.

    Returns:
        The same lesions with a liver and a warning; without one where the network could not give
        it or works on another series, and a warning that says why.
    """
    try:
        found = network.segment(study)
    except StudyRejectedError as refusal:
        return _warned(given, f"and none could be outlined: {refusal.notice.message}")
    liver = found.liver
    if liver is None or not liver.grid.is_same_as(given.lesions.grid):
        return _warned(given, "and the lesions lie on another series than the network reads.")
    inside = liver.inside | (given.lesions.labels != 0)
    weights = found.provenance.weights_sha256
    return replace(
        _warned(given, f"so {found.provenance.name} outlined it."),
        liver=Mask(inside, given.lesions.grid),
        provenance=replace(given.provenance, weights_sha256=weights),
    )


def _warned(given: Segmentation, what: str) -> Segmentation:
    notice = Notice(
        code=Code.LIVER_BY_NETWORK,
        message=f"lesions were given without a liver, {what}",
        hint="Give the liver as well: --liver MASK.",
    )
    return replace(given, warnings=(*given.warnings, notice))
