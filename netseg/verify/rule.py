"""The margin check: is the safety margin around every lesion wide enough?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import Notice, UsageError
from netseg.domain.grid import require_same_frame
from netseg.domain.margin import MarginErrors, MarginReport
from netseg.domain.volume import LabelMap, Mask
from netseg.geometry.components import components
from netseg.verify import inputs
from netseg.verify.capsule import AtCapsule, continued_to_capsule, films
from netseg.verify.judge import Judge
from netseg.verify.lesion import REACH_MM, Surroundings, grown_box
from netseg.verify.matched import registration_document
from netseg.verify.surface import keeping_volume, part_of, smooth_field, surface_of, window
from netseg.verify.viable import lumen_field, viable_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.registration import Registration
    from netseg.domain.volume import Volume

DOING = inputs.DOING


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MarginRule:
    """A0 needs a safety margin of at least so many millimetres all around (Putzer et al. 2020).

    Attributes:
        required_mm: The margin that makes an ablation A0.
        further_mm: Other margins worth a probability and an under-treated volume.
        outline_sd_mm: How far off an outline is taken to be, one standard deviation, where its
            maker does not say.
    """

    required_mm: float = 5.0
    further_mm: tuple[float, ...] = (3.0, 4.0, 10.0)
    outline_sd_mm: float = 1.0

    def __post_init__(self) -> None:
        """Keep the cut-offs lengths."""
        lengths = [("required_mm", self.required_mm), ("outline_sd_mm", self.outline_sd_mm)]
        for name, value in lengths + [("further_mm", mm) for mm in self.further_mm]:
            if not (np.isfinite(value) and value > 0):
                raise UsageError(
                    Code.CONFIG_RANGE,
                    f"{name} must be a positive length; got {value}.",
                    hint="5.0 is the published margin of A0.",
                )
        object.__setattr__(self, "further_mm", tuple(float(v) for v in self.further_mm))

    def errors_of(
        self,
        registration: Registration | None,
        zone: AblationZone,
        lesion_sd_mm: Mapping[int, float] | None = None,
    ) -> MarginErrors | None:
        """The error model that a registration, a zone and a segmentation give.

        Args:
            registration: Of planning and control scan; None where both lie on one scan.
            zone: With the deviation of its outline, if its maker states one.
            lesion_sd_mm: Deviation of the lesions' outlines by number, where a model gave them.

        Returns:
            None where two scans were registered and nobody knows how well. Deviations that nobody
            stated are `outline_sd_mm`, and named as assumed.
        """
        if registration is not None and registration.error_mm is None:
            return None
        known = dict(lesion_sd_mm or {})
        assumed = () if known else ("lesion outline",)
        if zone.boundary_sd_mm is None:
            assumed = (*assumed, "zone outline")
        return MarginErrors(
            registration_mm=0.0 if registration is None else float(registration.error_mm or 0.0),
            lesion_boundary_sd_mm=self.outline_sd_mm,
            zone_boundary_sd_mm=(
                self.outline_sd_mm if zone.boundary_sd_mm is None else zone.boundary_sd_mm
            ),
            lesion_boundary_sd_by_id_mm=known,
            assumed=assumed,
        )

    def check(
        self,
        lesions: LabelMap | Mask,
        zone: AblationZone,
        *,
        observed: bool,
        liver: Mask | None = None,
        vessels: Mask | None = None,
        errors: MarginErrors | None = None,
        registration: Registration | None = None,
        lesion_fields: Mapping[int, Volume] | None = None,
        details: bool = True,
    ) -> MarginReport:
        """Measure the margin around every lesion.

        Args:
            lesions: One number per lesion, or a mask whose 26-connected parts are the lesions.
            zone: Tissue destroyed, or expected to be, in the same frame. Where it has a membership,
                that one's level of one half is its surface, known to a fraction of a voxel.
            observed: Whether the zone was seen after the ablation. Otherwise the answer is a
                prediction, says so, and never is A0.
            liver: The liver; then the distance to the nearest viable liver decides.
            vessels: Vessel lumens; those wider than 3 mm are no viable liver but heat sinks.
            errors: How far off registration and outlines may be; then the verdict follows the
                probability of A0. None: nobody knows, and it follows the distance alone.
            registration: What brought the lesions into the zone's frame. Where a deciding gate of
                it failed, nothing is assessable.
            lesion_fields: By number, the lesion's signed distance in mm (negative inside) on any
                grid of the same frame, or its probability: where its surface is known better than
                `lesions` says, as after `carried.carried_lesions`.
            details: Whether shells, patches and the map of the surface are wanted, too.

        Returns:
            One entry per lesion. Without an error model `p_a0` is None.

        Raises:
            FrameMismatchError: If two of the images were never registered.
            StudyRejectedError: If lesions or zone are empty (MASK_EMPTY), or a grid is sheared.
            UsageError: If a simulated zone is called observed.
        """
        if observed and zone.evidence is Evidence.SIMULATED:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"{DOING}: the zone is simulated, so it was not observed; got observed=True.",
                hint="Leave out --observed, or give the zone seen in the control scan.",
            )
        if registration is not None:
            require_same_frame(DOING, registration.fixed, zone.mask.grid)
        numbered = components(lesions) if isinstance(lesions, Mask) else lesions
        warnings: list[Notice] = []
        inputs.require_voxels("lesion", numbered.region())
        inputs.require_voxels("ablation zone", zone.mask)
        fields = inputs.fields_of(lesion_fields or {}, numbered)
        around = self.surroundings(
            numbered, zone, liver, vessels, warnings, keep_volume=bool(fields)
        )
        judge = Judge(
            required_mm=self.required_mm,
            further_mm=self.further_mm,
            evidence=zone.evidence,
            observed=observed,
            image=numbered.grid,
            around=around,
            errors=errors,
            registration=registration,
            details=details,
        )
        found = tuple(
            judge.margin(number, lesion, fields.get(number), warnings)
            for number, lesion in inputs.each(numbered)
        )
        return MarginReport(
            cutoff_mm=self.required_mm,
            evidence=zone.evidence,
            observed=observed,
            lesions=found,
            registration=None if registration is None else registration_document(registration),
            warnings=tuple(warnings),
        )

    def surroundings(
        self,
        numbered: LabelMap,
        zone: AblationZone,
        liver: Mask | None = None,
        vessels: Mask | None = None,
        warnings: list[Notice] | None = None,
        *,
        keep_volume: bool = False,
    ) -> Surroundings:
        """Zone, liver and vessels on the lesions' grid, and their surfaces around the zone.

        Args:
            numbered: The lesions.
            zone: Tissue destroyed; by its membership where that is known.
            liver: The liver, where somebody outlined it.
            vessels: Vessel lumens, where somebody outlined them.
            warnings: Gets a notice for each mask that had to be interpolated.
            keep_volume: Whether the zone's smoothed surface must enclose its volume: where the
                lesions are not smoothed like it.

        Raises:
            FrameMismatchError: If two of the images were never registered.
            StudyRejectedError: If no voxel of the zone lies within the scan (MASK_EMPTY).
        """
        warnings = [] if warnings is None else warnings
        ablated, share = inputs.zone_onto(numbered.grid, zone, warnings)
        inputs.require_voxels("ablation zone within the scan", ablated)
        if vessels is not None:
            vessels = inputs.onto(numbered.grid, "vessels", vessels, warnings)
        reach_mm = max(REACH_MM, self.required_mm + 5.0)
        box = grown_box(ablated, reach_mm)
        part = window(ablated, *box)
        share = None if share is None else part_of(share, *box)
        field = smooth_field(part, share)
        if keep_volume:
            field = keeping_volume(field, part)
        surface = surface_of(field)
        viable, whole, lumens, capsule = None, None, None, None
        if vessels is not None:
            lumens = lumen_field(window(vessels, *box))
        if liver is not None:
            outlined = inputs.onto(numbered.grid, "liver", liver, warnings)
            whole = Mask(outlined.inside | (numbered.labels != 0), numbered.grid)
            near = window(whole, *box)
            organ = smooth_field(Mask(near.inside | part.inside, near.grid))
            treated = continued_to_capsule(part, field, organ)
            viable = viable_field(treated, part, near, lumens)
            film_mm, film_at_mm = films(field, treated, organ)
            capsule = AtCapsule(
                organ=organ,
                treated=treated,
                left=viable_field(field, part, near, lumens),
                film_mm=film_mm,
                film_at_mm=film_at_mm,
            )
            liver = outlined
        return Surroundings(
            zone=ablated,
            zone_field=field,
            zone_surface=surface,
            viable_field=viable,
            viable=None if viable is None else surface_of(viable),
            lumens=lumens,
            reach_mm=reach_mm,
            outlined_liver=liver,
            liver=whole,
            capsule=capsule,
        )
