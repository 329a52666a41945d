"""The margin check: is the safety margin around every lesion wide enough?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import Notice, StudyRejectedError, UsageError
from netseg.domain.grid import Grid, describe, require_same_frame
from netseg.domain.margin import LesionMargin, MarginReport, Verdict
from netseg.domain.volume import LabelMap, Mask
from netseg.geometry.components import components
from netseg.geometry.resample import resample_mask
from netseg.verify import shares, wording
from netseg.verify.lesion import (
    REACH_MM,
    Surroundings,
    around_lesion,
    box_margin_mm,
    grown_box,
)
from netseg.verify.surface import offset, smooth_field, surface_of, window
from netseg.verify.viable import nearest_lumen_mm, viable_surface, wide_lumens

if TYPE_CHECKING:
    from collections.abc import Iterator

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

DOING = "margin check"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MarginRule:
    """A0 needs a safety margin of at least so many millimetres all around (Putzer et al. 2020).

    Attributes:
        required_mm: The margin that makes an ablation A0.
    """

    required_mm: float = 5.0

    def __post_init__(self) -> None:
        """Keep the cut-off a length."""
        if not (np.isfinite(self.required_mm) and self.required_mm > 0):
            raise UsageError(
                Code.CONFIG_RANGE,
                f"required_mm must be a positive length; got {self.required_mm}.",
                hint="5.0 is the published margin of A0.",
            )

    def check(
        self,
        lesions: LabelMap | Mask,
        zone: AblationZone,
        *,
        observed: bool,
        liver: Mask | None = None,
        vessels: Mask | None = None,
    ) -> MarginReport:
        """Measure the margin around every lesion.

        Args:
            lesions: One number per lesion, or a mask whose 26-connected parts are the lesions.
            zone: Tissue destroyed, or expected to be, in the same frame.
            observed: Whether the zone was seen after the ablation. Otherwise the answer is a
                prediction, says so, and never is A0.
            liver: The liver; then the distance to the nearest viable liver decides.
            vessels: Vessel lumens; those wider than 3 mm are no viable liver but heat sinks.

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
        numbered = components(lesions) if isinstance(lesions, Mask) else lesions
        warnings: list[Notice] = []
        _require_voxels("lesion", bool(numbered.labels.any()), numbered.grid)
        _require_voxels("ablation zone", not zone.mask.is_empty, zone.mask.grid)
        around = self._surroundings(numbered, zone.mask, liver, vessels, warnings)
        found: list[LesionMargin] = []
        for number, lesion in _each(numbered):
            facts = wording.Facts(
                required_mm=self.required_mm,
                evidence=zone.evidence,
                observed=observed,
                has_liver=liver is not None,
                lesion_at_border=_fills_to_border(lesion.grid, numbered.grid),
                zone_at_border=_at_border(around.zone),
                slice_mm=max(numbered.grid.spacing_mm),
            )
            found.append(self._judge(number, lesion, around, facts))
            if facts.lesion_at_border:
                warnings.append(_border_notice(number))
        return MarginReport(
            cutoff_mm=self.required_mm,
            evidence=zone.evidence,
            observed=observed,
            lesions=tuple(found),
            warnings=tuple(warnings),
        )

    def _surroundings(
        self,
        numbered: LabelMap,
        zone: Mask,
        liver: Mask | None,
        vessels: Mask | None,
        warnings: list[Notice],
    ) -> Surroundings:
        """Zone, liver and vessels on the lesions' grid, and their surfaces around the zone."""
        ablated = _onto(numbered.grid, "zone", zone, warnings)
        _require_voxels("ablation zone within the scan", not ablated.is_empty, numbered.grid)
        if vessels is not None:
            vessels = _onto(numbered.grid, "vessels", vessels, warnings)
        reach_mm = max(REACH_MM, self.required_mm + 5.0)
        box = grown_box(ablated, reach_mm)
        field = smooth_field(window(ablated, *box))
        viable = None
        if liver is not None:
            inside = _onto(numbered.grid, "liver", liver, warnings).inside | (numbered.labels != 0)
            lumens = None if vessels is None else wide_lumens(window(vessels, *box))
            viable = viable_surface(field, window(Mask(inside, numbered.grid), *box), lumens)
        return Surroundings(
            zone=ablated,
            zone_field=field,
            zone_surface=surface_of(field),
            viable=viable,
            vessels=vessels,
            reach_mm=reach_mm,
        )

    def _judge(
        self, number: int, lesion: Mask, around: Surroundings, facts: wording.Facts
    ) -> LesionMargin:
        zone = window(around.zone, offset(lesion.grid, around.zone.grid), lesion.grid.shape)
        margins = around_lesion(lesion, around)
        smallest = shares.rounded_mm(margins.to_viable_mm.min())
        to_zone = shares.rounded_mm(margins.to_zone_mm.min())
        voxels = int(np.count_nonzero(lesion.inside))
        left = int(np.count_nonzero(lesion.inside & ~zone.inside))
        if smallest >= self.required_mm:
            verdict = Verdict.A0
        elif smallest < 0 and left:
            verdict = Verdict.RESIDUAL
        else:
            verdict = Verdict.NOT_A0
        lumen_mm = nearest_lumen_mm(lesion, margins.points_mm, around.vessels, self.required_mm)
        return LesionMargin(
            id=number,
            smallest_margin_mm=smallest,
            smallest_margin_to_zone_mm=to_zone,
            box_lower_bound_mm=shares.rounded_mm(box_margin_mm(lesion, around.zone)),
            p5_margin_mm=shares.quantile_mm(margins.to_viable_mm, margins.area_mm2, 0.05),
            median_margin_mm=shares.quantile_mm(margins.to_viable_mm, margins.area_mm2, 0.5),
            surface_share=shares.surface_share(margins.to_viable_mm, margins.area_mm2),
            histogram_mm=shares.histogram_mm(margins.to_viable_mm, margins.area_mm2),
            covered_fraction=round(1 - left / voxels, 4),
            residual_volume_ml=round(left * lesion.grid.voxel_volume_ml, 4),
            verdict=verdict,
            why=wording.why(facts, verdict, smallest, to_zone, lumen_mm),
        )


def _each(numbered: LabelMap) -> Iterator[tuple[int, Mask]]:
    """Every lesion's number with its mask on the smallest grid that holds it."""
    for number, box in enumerate(ndimage.find_objects(numbered.labels), start=1):
        if box is None:
            continue
        start = (box[0].start, box[1].start, box[2].start)
        inside = numbered.labels[box] == number
        yield number, Mask(inside, numbered.grid.crop(start, inside.shape))


def _onto(grid: Grid, name: str, mask: Mask, warnings: list[Notice]) -> Mask:
    """The mask on the lesions' grid: as it is, as a part of the same voxels, or interpolated."""
    require_same_frame(DOING, grid, mask.grid)
    if mask.grid.is_same_as(grid):
        return mask
    start = offset(grid, mask.grid)
    if mask.grid.crop(start, grid.shape).is_same_as(grid):
        return Mask(window(mask, start, grid.shape).inside, grid)
    warnings.append(
        Notice(
            code=Code.GRID_MISMATCH,
            message=f"{DOING}: the {name} lies on {describe(mask.grid)} and was interpolated on "
            f"the lesions' {describe(grid)}.",
            hint="Give both masks on one grid to avoid the interpolation.",
        )
    )
    return resample_mask(mask, grid, half_is_inside=False)  # a zone must not grow by rounding


def _require_voxels(name: str, has_some: bool, grid: Grid) -> None:  # noqa: FBT001
    if has_some:
        return
    raise StudyRejectedError(
        Code.MASK_EMPTY,
        f"{DOING}: the {name} on {describe(grid)} holds no voxel; at least one is expected.",
        hint="Check that the right file and label were given.",
    )


def _at_border(mask: Mask) -> bool:
    """Whether a region reaches the outermost voxels of its image."""
    faces = (mask.inside.take(end, axis=axis) for axis in range(3) for end in (0, -1))
    return any(bool(face.any()) for face in faces)


def _fills_to_border(box: Grid, image: Grid) -> bool:
    """Whether a part of an image begins or ends with the image."""
    places = zip(offset(box, image), box.shape, image.shape, strict=True)
    return any(first <= 0 or first + count >= size for first, count, size in places)


def _border_notice(number: int) -> Notice:
    return Notice(
        code=Code.LESION_AT_BORDER,
        message=f"{DOING}: lesion {number} touches the image's border; its margin there is unknown.",
        hint="Use a scan that shows the whole lesion with its surroundings.",
    )
