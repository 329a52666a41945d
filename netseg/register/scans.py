"""Two scans of one patient, of different days, brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import Notice, StudyRejectedError
from netseg.domain.registration import Registration
from netseg.domain.volume import LabelMap, Mask, Quantity
from netseg.register.livers import align_livers
from netseg.register.refine import Scan, refined
from netseg.register.rigid import align_intensities
from netseg.register.settings import RegistrationSettings
from netseg.register.side import seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from jaxtyping import Float

    from netseg.domain.point import PointMm
    from netseg.domain.volume import Volume

DOING = "registration"
RIGID_SPACING_MM = 3.0  # a shift is found to a tenth of a voxel


def register_scans(
    control: Volume,
    planning: Volume,
    *,
    control_liver: Mask,
    planning_liver: Mask,
    zone: Mask | None = None,
    lesions: LabelMap | Mask | None = None,
    landmarks: Sequence[tuple[PointMm, PointMm]] = (),
    settings: RegistrationSettings | None = None,
) -> Registration:
    """Find where every point of the control scan lies in the planning scan.

    Args:
        control: The scan after the ablation: the fixed one.
        planning: The scan before: the moving one. Its frame is another one, as a rule.
        control_liver: The liver in the control scan's frame.
        planning_liver: The liver in the planning scan's frame.
        zone: The ablation zone in the control scan's frame, where it is known.
        lesions: The tumours in the planning scan's frame, where they are known.
        landmarks: Pairs of points, control first, that are the same place.
        settings: How; None for the defaults.

    Returns:
        The registration with its error estimate and quality gates.

    Raises:
        FrameMismatchError: If a mask lies in another frame than its scan.
        StudyRejectedError: LIVERS_DIFFER for livers of two people, MASK_EMPTY, GANTRY_TILT,
            UNSUPPORTED_MODALITY for images that show no anatomy of their own, PET above all.
    """
    choice = settings or RegistrationSettings()
    _require_anatomy("control", control)
    _require_anatomy("planning", planning)
    ours = Scan(control, control_liver, zone)
    tumours = lesions.region() if isinstance(lesions, LabelMap) else lesions
    theirs = Scan(planning, planning_liver, tumours)
    rigid = Registration(
        method="rigid by liver outlines, then by what both livers show",
        fixed=control.grid,
        moving=planning.grid,
        matrix=_rigid_part(ours, theirs, choice),
        warnings=_same_frame_notice(control, planning),
    )
    return refined(rigid, ours, theirs, landmarks, choice)


def _rigid_part(ours: Scan, theirs: Scan, choice: RegistrationSettings) -> Float[np.ndarray, "4 4"]:
    start = align_livers(ours.liver, theirs.liver).matrix
    away = choice.keep_away_mm
    one, other = (
        seen(s.volume, s.liver, s.avoided, spacing_mm=RIGID_SPACING_MM, keep_away_mm=away)
        for s in (ours, theirs)
    )
    return align_intensities(one, other, start)


def _require_anatomy(which: str, scan: Volume) -> None:
    if scan.quantity in (Quantity.HU, Quantity.ARBITRARY, Quantity.ADC):
        return
    raise StudyRejectedError(
        Code.UNSUPPORTED_MODALITY,
        f"{DOING}: the {which} scan holds {scan.quantity.value}; a CT or MR is expected.",
        detail={"quantity": scan.quantity.value},
        hint="A PET shares the frame of its CT: register the CT of the same session.",
    )


def _same_frame_notice(control: Volume, planning: Volume) -> tuple[Notice, ...]:
    if control.grid.frame_uid != planning.grid.frame_uid:
        return ()
    return (
        Notice(
            code=Code.REGISTERED_WITHIN_FRAME,
            message=f"{DOING}: the scans share a frame of reference; they were registered all the "
            "same, for the liver moves with every breath.",
            hint="Nothing to do.",
        ),
    )
