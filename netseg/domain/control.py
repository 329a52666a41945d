"""A scan made after the ablation, held against the planning scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.domain.grid import require_same_grid

if TYPE_CHECKING:
    from netseg.domain.ablation import AblationZone
    from netseg.domain.errors import Notice
    from netseg.domain.margin import MarginReport
    from netseg.domain.registration import Registration
    from netseg.domain.study import Series
    from netseg.domain.volume import LabelMap, Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlCheck:
    """The margin check of a control scan, with all that it rests on.

    Attributes:
        planning: The series of the planning scan that was registered, on its own grid.
        control: The series of the control scan; the masks share its grid.
        lesions: The lesions of the planning scan, carried onto the control scan with their numbers.
        liver: The liver in the control scan.
        zone: The tissue seen destroyed.
        registration: Where each point of the control scan lies in the planning scan.
        margin: The margin of every lesion, with its uncertainty.
        warnings: What the reader must know.
    """

    planning: Series
    control: Series
    lesions: LabelMap
    liver: Mask
    zone: AblationZone
    registration: Registration
    margin: MarginReport
    warnings: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        """Keep every mask on the control scan's grid."""
        for mask in (self.lesions, self.liver, self.zone.mask):
            require_same_grid("control check", self.control.volume.grid, mask.grid)
