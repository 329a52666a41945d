"""One lesion from its surface to its verdict, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from netseg.domain.margin import CapsuleFilm, LesionMargin, MarginErrors, Verdict
from netseg.verify import inputs, shares, wording
from netseg.verify.capsule import film_near
from netseg.verify.cohorts import found_at
from netseg.verify.contraction import contraction_margins
from netseg.verify.lesion import around_lesion, box_margin_mm
from netseg.verify.matched import failed_gates
from netseg.verify.places import largest_patch, surface_map, thinnest
from netseg.verify.shells import coverage
from netseg.verify.surface import offset, surface_of, window
from netseg.verify.uncertainty import draw_margins
from netseg.verify.verdict import (
    Certainty,
    by_distance,
    by_probability,
    certain,
    from_draws,
    guard_mm,
    slice_error_mm,
)
from netseg.verify.viable import nearest_lumen_mm

if TYPE_CHECKING:
    from netseg.domain.ablation import Evidence
    from netseg.domain.errors import Notice
    from netseg.domain.grid import Grid
    from netseg.domain.registration import Registration
    from netseg.domain.volume import Mask
    from netseg.verify.lesion import SurfaceMargins, Surroundings
    from netseg.verify.surface import Field

ALWAYS_MM = (5.0, 10.0)  # margins whose under-treated volume is always told


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judge:
    """What all lesions of one check share.

    Attributes:
        required_mm: The margin that makes an ablation A0.
        further_mm: Other cut-offs.
        evidence: What the zone rests on.
        observed: Whether the zone was seen after the ablation.
        image: The lesions' grid.
        around: Zone, liver and vessels.
        errors: How far off everything may be; None where nobody knows.
        registration: What brought lesions and zone together; None where nothing had to.
        details: Whether shells, patches and maps are wanted.
    """

    required_mm: float
    further_mm: tuple[float, ...]
    evidence: Evidence
    observed: bool
    image: Grid
    around: Surroundings
    errors: MarginErrors | None
    registration: Registration | None
    details: bool

    def margin(
        self, number: int, lesion: Mask, field: Field | None, warnings: list[Notice]
    ) -> LesionMargin:
        """Measure one lesion and judge it.

        Args:
            number: Its number.
            lesion: Its voxels on the smallest grid that holds them.
            field: Its surface, where that is known better than the voxels say.
            warnings: Gets what the report's reader must know.
        """
        margins = around_lesion(lesion, self.around, field)
        smallest = shares.rounded_mm(margins.to_viable_mm.min())
        zone = window(
            self.around.zone, offset(lesion.grid, self.around.zone.grid), lesion.grid.shape
        )
        voxels = int(np.count_nonzero(lesion.inside))
        left = int(np.count_nonzero(lesion.inside & ~zone.inside))
        slice_mm = max(self.image.spacing_mm)
        hidden_mm = slice_error_mm(slice_mm, as_field=field is not None)
        certainty = self._certainty(number, margins, smallest, hidden_mm)
        unknown = self.registration is not None and self.registration.error_mm is None
        if certainty is None or (self.errors is not None and self.errors.is_nothing(number)):
            verdict = by_distance(smallest, self.required_mm, slice_mm, left)
            if verdict is Verdict.A0 and self.errors is None and unknown:
                verdict = (
                    Verdict.A0_UNCERTAIN
                )  # a distance through an unknown error certifies nothing
        else:
            verdict = by_probability(certainty, self.required_mm)
        lumen_mm = nearest_lumen_mm(margins.points_mm, self.around.lumens, self.required_mm)
        found = LesionMargin(
            id=number,
            smallest_margin_mm=smallest,
            smallest_margin_to_zone_mm=shares.rounded_mm(margins.to_zone_mm.min()),
            box_lower_bound_mm=shares.rounded_mm(box_margin_mm(lesion, self.around.zone)),
            interval_mm=None if certainty is None else certainty.interval_mm,
            p1_margin_mm=shares.quantile_mm(margins.to_viable_mm, margins.area_mm2, 0.01),
            p5_margin_mm=shares.quantile_mm(margins.to_viable_mm, margins.area_mm2, 0.05),
            median_margin_mm=shares.quantile_mm(margins.to_viable_mm, margins.area_mm2, 0.5),
            surface_share=shares.surface_share(margins.to_viable_mm, margins.area_mm2),
            histogram_mm=shares.histogram_mm(margins.to_viable_mm, margins.area_mm2),
            covered_fraction=round(1 - left / voxels, 4),
            residual_volume_ml=round(left * lesion.grid.voxel_volume_ml, 4),
            p_a0=None if certainty is None else certainty.p_margin[self.required_mm],
            expected_margin_mm=None if certainty is None else certainty.expected_mm,
            p_margin={} if certainty is None else certainty.p_margin,
            heat_sink_mm=None if lumen_mm is None else shares.rounded_mm(lumen_mm),
            verdict=verdict,
        )
        found = replace(found, film=self._film(lesion, field, margins))
        if self.details:
            found = self._with_details(found, margins)
        facts = self._facts(number, lesion, hidden_mm, warnings)
        found = replace(found, why=wording.why(facts, found))
        return found if not facts.failed_gates else _withheld(found)

    def _film(
        self, lesion: Mask, field: Field | None, margins: SurfaceMargins
    ) -> CapsuleFilm | None:
        """What was set aside at the capsule near a lesion, and the margin if it had not been."""
        at = self.around.capsule
        if at is None:
            return None
        film = film_near(at, self.around.zone_field, margins.points_mm, self.required_mm)
        if film is None:
            return None
        counted = replace(
            self.around, capsule=None, viable_field=at.left, viable=surface_of(at.left)
        )
        volume_ml, thickest_mm, limit_mm = film
        return CapsuleFilm(
            volume_ml=round(volume_ml, 4),
            thickest_mm=shares.rounded_mm(thickest_mm),
            limit_mm=shares.rounded_mm(limit_mm),
            margin_if_counted_mm=shares.rounded_mm(
                around_lesion(lesion, counted, field).to_viable_mm.min()
            ),
        )

    def _with_details(self, found: LesionMargin, margins: SurfaceMargins) -> LesionMargin:
        volumes = sorted({self.required_mm, *self.further_mm, *ALWAYS_MM})
        shells = coverage(margins, self.around, tuple(volumes))
        smallest = found.smallest_margin_mm
        contracted: dict[float, float] = {}
        if self.errors is not None and not self.errors.is_nothing(found.id):
            contracted = contraction_margins(margins, self.around, self.errors)
        return replace(
            found,
            shell_coverage=shells.shells,
            undertreated_ml=shells.undertreated_ml,
            thinnest=thinnest(margins),
            undertreated_patch=largest_patch(margins, self.required_mm),
            surface_map=surface_map(margins),
            contraction_margin_mm=contracted,
            published=found_at(smallest) if self.observed and smallest is not None else (),
        )

    def _certainty(
        self,
        number: int,
        margins: SurfaceMargins,
        smallest_mm: float,
        hidden_mm: tuple[float, float],
    ) -> Certainty | None:
        if self.errors is None:
            return None
        cutoffs = tuple(dict.fromkeys((self.required_mm, *self.further_mm)))
        if self.errors.is_nothing(number):
            return certain(smallest_mm, cutoffs)
        draws = draw_margins(margins, self.around, self.errors, number)
        return from_draws(draws, cutoffs, hidden_mm)

    def _facts(
        self,
        number: int,
        lesion: Mask,
        hidden_mm: tuple[float, float],
        warnings: list[Notice],
    ) -> wording.Facts:
        at_border = inputs.fills_to_border(lesion.grid, self.image)
        if at_border:
            warnings.append(inputs.border_notice(number))
        liver = self.around.outlined_liver
        return wording.Facts(
            required_mm=self.required_mm,
            evidence=self.evidence,
            observed=self.observed,
            has_liver=liver is not None,
            outside_liver=0.0 if liver is None else inputs.outside_liver(lesion, liver),
            lesion_at_border=at_border,
            zone_at_border=inputs.is_at_border(self.around.zone),
            slice_mm=max(self.image.spacing_mm),
            guard_mm=guard_mm(max(self.image.spacing_mm)),
            slice_error_mm=hidden_mm,
            errors=self.errors,
            failed_gates=failed_gates(self.registration),
            error_unknown=self.registration is not None and self.registration.error_mm is None,
        )


def _withheld(found: LesionMargin) -> LesionMargin:
    """Numbers that rest on a registration nobody should trust are not handed on."""
    return LesionMargin(
        id=found.id,
        smallest_margin_mm=None,
        smallest_margin_to_zone_mm=None,
        verdict=Verdict.NOT_ASSESSABLE,
        why=found.why,
    )
