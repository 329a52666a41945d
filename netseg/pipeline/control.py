"""What happens to a control scan: was the ablation A0, and how sure are we?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import (
    Code,
    FrameMismatchError,
    LabelMap,
    Mask,
    Modality,
    Notice,
    PointMm,
    Registration,
    StudyRejectedError,
)
from netseg.domain.control import ControlCheck
from netseg.geometry.extent import bounding_box
from netseg.pipeline.same_patient import require_same_patient
from netseg.register.livers import align_livers
from netseg.register.scans import register_scans
from netseg.register.settings import RegistrationSettings
from netseg.register.transport import carry_lesions
from netseg.verify.carried import carried_lesions
from netseg.verify.zone import ClassicZone, zone_from_mask

if TYPE_CHECKING:
    from netseg.domain import AblationZone, Grid, Segmentation, Series, Study, ZoneSegmenter
    from netseg.pipeline.stations import SegmentBackend
    from netseg.verify import MarginRule

NEAR_MM = 30.0
"""Around a lesion, a network's liver may miss what was ablated; the planning scan's fills it in."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlStations:
    """Who does what with a control scan.

    Attributes:
        liver: Outlines the liver where the study brings none.
        zone: Outlines what was ablated where nobody did by hand.
        registration: How the two scans are registered.
        margin: Judges how far the zone reaches beyond a lesion.
    """

    liver: SegmentBackend
    zone: ZoneSegmenter = field(default_factory=ClassicZone)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    margin: MarginRule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlScan:
    """A control scan with what is known about it.

    Attributes:
        study: Its series, and its liver mask where somebody outlined it.
        zone: The ablation zone, outlined by hand on one of its series; None to find it.
        landmarks: Places that are the same in both scans, control scan first (LPS).
        same_patient: The user's word that both scans are of one patient, whatever their headers say.
    """

    study: Study
    zone: Mask | None = None
    landmarks: tuple[tuple[PointMm, PointMm], ...] = ()
    same_patient: bool = False


def check_control(
    planning: Study,
    segmentation: Segmentation,
    control: ControlScan,
    stations: ControlStations,
    planned: Mask | None = None,
) -> ControlCheck:
    """Hold a control scan against the planning scan, and measure every lesion's margin.

    The livers are laid on each other; where the lesions then lie, the zone is looked for; with
    lesions and zone left out the scans are registered again, bending; the lesions are carried onto
    the control scan, and their margins measured there with the errors of all three steps.

    Args:
        planning: The study before the ablation.
        segmentation: Its liver and lesions.
        control: The study after it.
        stations: Who does what.
        planned: The zone that a plan predicted in the planning scan: it too says where to look.

    Returns:
        Margins, and everything they rest on.

    Raises:
        StudyRejectedError: If the scans are of two patients, without lesions or liver, if the livers differ (LIVERS_DIFFER), or if no
            zone can be told at any lesion.
        FrameMismatchError: If the hand-drawn zone lies in no series of the control scan.
    """
    if not control.same_patient:
        require_same_patient(planning, control.study)
    before = planning.by_key()[segmentation.series_key]
    planned_liver = _liver_before(segmentation)
    after, liver, notices = _liver_after(control, before, stations.liver)
    first = _by_livers(after.volume.grid, before.volume.grid, liver, planned_liver)
    roughly = carry_lesions(first, segmentation.lesions, after.volume.grid)
    if control.study.liver is None:
        liver = _filled(liver, roughly, planned_liver, first)
    meant = None if planned is None else _carried(first, planned, after.volume.grid)
    zone = _zone(control, after, (roughly, liver, meant), stations.zone)
    registration = register_scans(
        after.volume,
        before.volume,
        control_liver=liver,
        planning_liver=planned_liver,
        zone=zone.mask,
        lesions=segmentation.lesions,
        landmarks=control.landmarks,
        settings=stations.registration,
    )
    lesions, fields = carried_lesions(registration, segmentation.lesions, after.volume.grid)
    margin = stations.margin.check(
        lesions,
        zone,
        observed=True,
        liver=liver,
        errors=stations.margin.errors_of(registration, zone, segmentation.boundary_sd_mm),
        registration=registration,
        lesion_fields=fields,
    )
    return ControlCheck(
        planning=before,
        control=after,
        lesions=lesions,
        liver=Mask(liver.inside | zone.mask.inside | (lesions.labels != 0), liver.grid),
        zone=zone,
        registration=registration,
        margin=margin,
        warnings=(*control.study.warnings, *notices, *registration.warnings, *margin.warnings),
    )


def _liver_before(segmentation: Segmentation) -> Mask:
    if not segmentation.lesions.values:
        raise StudyRejectedError(
            Code.MASK_EMPTY,
            "margin check of a control scan: the planning scan has no lesion whose margin could be "
            "measured.",
            hint="Give the lesions of the planning scan.",
        )
    if segmentation.liver is None:
        raise StudyRejectedError(
            Code.MASK_EMPTY,
            "margin check of a control scan: no liver is known in the planning scan, and the scans "
            "are laid on each other by it.",
            hint="Give it with --liver MASK.",
        )
    return segmentation.liver


def _liver_after(
    control: ControlScan, before: Series, network: SegmentBackend
) -> tuple[Series, Mask, tuple[Notice, ...]]:
    """The series of the control scan to work on, and the liver on its grid."""
    study, given = control.study, control.study.liver
    if given is not None:
        series = _series_on(study, given.grid)
        if series is not None:
            return series, given, ()
    found = network.segment(_alike(study, before))
    if found.liver is None or found.liver.is_empty:
        raise StudyRejectedError(
            Code.MASK_EMPTY,
            f"margin check: {found.provenance.name} found no liver in the control scan.",
            hint="Give it with --liver-post MASK.",
        )
    notice = Notice(
        code=Code.LIVER_BY_NETWORK,
        message=f"the liver of the control scan was outlined by {found.provenance.name}, and nobody "
        "checked it.",
        hint="Give it with --liver-post MASK.",
    )
    return study.by_key()[found.series_key], found.liver, (notice,)


def _alike(study: Study, before: Series) -> Study:
    """The control scan's series that look most like the planning scan's: modality, then phase."""
    kind = [s for s in study.series if s.modality is before.modality]
    phase = [s for s in kind if s.phase is before.phase]
    anatomical = [s for s in study.series if s.modality is not Modality.PT]
    chosen = phase or kind or anatomical
    if not chosen:
        raise StudyRejectedError(
            Code.NO_INPUT,
            "margin check: the control study holds no CT or MR; a PET alone shows no ablation zone.",
            hint="Give the CT that was made with it.",
        )
    return replace(study, series=tuple(chosen), lesions=None)


def _series_on(study: Study, grid: Grid) -> Series | None:
    return next((s for s in study.series if s.volume.grid.is_same_as(grid)), None)


def _by_livers(fixed: Grid, moving: Grid, liver: Mask, planned_liver: Mask) -> Registration:
    """The first guess: one liver laid on the other."""
    alignment = align_livers(liver, planned_liver)
    return Registration(method="livers", fixed=fixed, moving=moving, matrix=alignment.matrix)


def _filled(liver: Mask, lesions: LabelMap, planned_liver: Mask, first: Registration) -> Mask:
    """A network's liver, with the planning scan's laid over it around the lesions.

    Networks leave out what they never saw, and an ablated area is that; the registration then
    would have to bend the liver around it.
    """
    if not lesions.values:
        return liver
    start, shape = bounding_box(lesions.region(), NEAR_MM)
    near = liver.grid.crop(start, shape)
    carried = _carried(first, planned_liver, near)
    inside = liver.inside.copy()
    inside[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))] |= carried.inside
    return Mask(inside, liver.grid)


def _carried(first: Registration, region: Mask, onto: Grid) -> Mask:
    """A region of the planning scan on a grid of the control scan."""
    whole = LabelMap(region.inside.astype(np.uint8), region.grid)
    return Mask(carry_lesions(first, whole, onto).labels != 0, onto)


def _zone(
    control: ControlScan,
    after: Series,
    seeds: tuple[LabelMap, Mask, Mask | None],
    finder: ZoneSegmenter,
) -> AblationZone:
    """The zone by hand, else what the finder sees by lesions, liver and plan."""
    lesions, liver, planned = seeds
    if control.zone is None:
        return finder.zone(after.volume, lesions, liver, planned)
    if not control.zone.grid.is_same_as(after.volume.grid):
        raise FrameMismatchError(
            Code.FRAME_MISMATCH,
            "margin check: the given zone does not lie on the series of the control scan that the "
            "liver was outlined on.",
            hint="Outline zone and liver (--liver-post) on one series of the control scan.",
        )
    return zone_from_mask(control.zone, lesions)
