"""Everything the stations said about one study: what export writes and the report shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.ablation import AblationPlan, AblationZone
    from netseg.domain.allocation import Allocation
    from netseg.domain.clinical import ClinicalFindings
    from netseg.domain.control import ControlCheck
    from netseg.domain.errors import Notice
    from netseg.domain.findings import Findings
    from netseg.domain.margin import MarginReport
    from netseg.domain.provenance import Provenance
    from netseg.domain.segmentation import Segmentation
    from netseg.domain.study import Study


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyResult:
    """The whole way of one study.

    Attributes:
        study: What was read.
        segmentation: Where liver and lesions are.
        findings: What was measured.
        clinical: Findings document for the rules: clinician's facts and measured ones together.
        plan: Needles and energy; None where planning was switched off.
        zone: Union of all zones on the segmentation's grid; None without any.
        zones: Zone expected per lesion id, each on its own local grid (same frame, a crop).
        margin: Margins of the lesions against the union, as the plan predicts them; None without
            zones.
        control: What a control scan showed; None without one.
        allocation: The treatment proposal.
        doubt: How the proposal depends on the outlines, in lines for a reader; empty where there is
            no lesion list to draw from.
        provenance: Enough to make the same bytes again.
        warnings: What any station wants known, in the order it was said.
    """

    study: Study
    segmentation: Segmentation
    findings: Findings
    clinical: ClinicalFindings
    plan: AblationPlan | None
    zone: AblationZone | None
    zones: Mapping[int, AblationZone] = field(default_factory=dict["int", "AblationZone"])
    margin: MarginReport | None
    control: ControlCheck | None = None
    allocation: Allocation
    doubt: tuple[str, ...] = ()
    provenance: Provenance
    warnings: tuple[Notice, ...] = ()

    @property
    def judged(self) -> MarginReport | None:
        """The margins that count: those seen in a control scan, else the plan's prediction."""
        return self.margin if self.control is None else self.control.margin
