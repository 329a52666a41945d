"""One needle per lesion: where it goes in, where it ends, how much energy it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import (
    Ablation,
    AblationPlan,
    Code,
    Notice,
    Unplanned,
    UsageError,
    require_same_frame,
)
from netseg.plan.access import AccessRules
from netseg.plan.anatomy import read_anatomy
from netseg.plan.energy import EnergySearch, MarginOf
from netseg.plan.planning_ct import planning_ct
from netseg.plan.reaching import Access, Needle, reach
from netseg.plan.sieve import distance_maps

if TYPE_CHECKING:
    from netseg.domain import (
        AblationModel,
        AblationProtocol,
        Findings,
        LabelMap,
        Segmentation,
        Study,
    )

UNPREDICTED = "largest protocol of the device: no zone was predicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans one straight needle per lesion.

    The active centre of the probe comes to lie on the lesion's centre of mass (on its deepest point
    where the centre of mass is outside it): the tip lies half the active length beyond. Of many
    directions those that break a rule of `rules` are removed, the best of the rest is taken
    (`netseg.plan.preference`), and the least energy whose predicted zone keeps `required_mm`.

    Attributes:
        device: Name of the probe's device file.
        needle_length_mm: Usable length from tip to skin.
        active_length_mm: Length of the part that heats, back from the tip.
        required_mm: Margin that the predicted zone must keep around the lesion.
        rules: What a needle's way must keep; a mapping of its numbers is taken as well.
        protocols: What the device can be set to, in ascending energy. Empty in configuration files;
            whoever knows the device hands them in (`dataclasses.replace`).
        margin_of: Smallest margin of a lesion in a zone; needed where a model is used.
    """

    device: str
    needle_length_mm: float
    active_length_mm: float
    required_mm: float = 5.0
    rules: AccessRules = field(default_factory=AccessRules)
    protocols: tuple[AblationProtocol, ...] = ()
    margin_of: MarginOf | None = None

    def __post_init__(self) -> None:
        """Keep the needle longer than its active part."""
        self._needle()
        if not self.required_mm >= 0:
            raise ValueError(f"required_mm must not be negative; got {self.required_mm}.")
        object.__setattr__(self, "protocols", tuple(self.protocols))
        rules: Any = self.rules
        if not isinstance(rules, AccessRules):
            object.__setattr__(self, "rules", AccessRules(**rules))

    def plan(
        self,
        study: Study,
        segmentation: Segmentation,
        findings: Findings,
        model: AblationModel | None,
        obstacles: LabelMap | None = None,
    ) -> AblationPlan:
        """Propose a needle and its energy for every lesion.

        Args:
            study: The scans; the planning CT is taken from them (`planning_ct`).
            segmentation: Liver and lesions.
            findings: The lesions as measured; each gets an ablation or a reason why not.
            model: Predicts zones; None plans with the largest protocol and predicts nothing.
            obstacles: What a needle must not touch, by name, in the segmentation's frame.

        Returns:
            The proposal. Lesions without a way, and all lesions where there is no CT in their frame
            or no liver mask, stand in `unplanned` with the reason.

        Raises:
            FrameMismatchError: If the obstacles are in another frame than the lesions.
            UsageError: If no protocol was handed in, or a model without `margin_of`.
        """
        search = self._search(model)
        if obstacles is not None:
            require_same_frame(
                "planning around obstacles", segmentation.lesions.grid, obstacles.grid
            )
        if not findings.lesions:
            return AblationPlan(ablations=())
        series, notice = planning_ct(study, segmentation)
        if series is None or segmentation.liver is None:
            return _nothing_planned(findings, notice)
        height = self.needle_length_mm * np.sin(np.deg2rad(self.rules.max_axial_angle_deg))
        anatomy = read_anatomy(series, segmentation, segmentation.liver, obstacles, float(height))
        maps = distance_maps(anatomy)
        needle = self._needle()
        ablations: list[Ablation] = []
        unplanned: list[Unplanned] = []
        for lesion in findings.lesions:
            name = _letters(len(ablations))
            found = reach(lesion, name, anatomy, maps, needle=needle, rules=self.rules)
            if isinstance(found, Unplanned):
                unplanned.append(found)
                continue
            draft = self._draft(lesion.id, found, predicted=search is not None)
            ablations.append(search.choose(draft, segmentation) if search else draft)
        return AblationPlan(
            ablations=tuple(ablations),
            unplanned=tuple(unplanned),
            obstacles=anatomy.origin,
            not_considered=anatomy.not_considered,
            warnings=_warnings(unplanned),
        )

    def _needle(self) -> Needle:
        return Needle(
            device=self.device,
            length_mm=self.needle_length_mm,
            active_length_mm=self.active_length_mm,
        )

    def _draft(self, lesion_id: int, found: Access, *, predicted: bool) -> Ablation:
        """The needle with the largest protocol."""
        return Ablation(
            lesion_id=lesion_id,
            probes=(found.probe,),
            protocol=self.protocols[-1],
            path_mm=found.probe.length_mm,
            clearance_mm=found.clearance_mm,
            why=found.why if predicted else (*found.why, UNPREDICTED),
        )

    def _search(self, model: AblationModel | None) -> EnergySearch | None:
        """The search for the least energy; None where nothing predicts."""
        if not self.protocols:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"the planner for {self.device} has no protocol to choose from; at least one is "
                "expected.",
                hint="Hand in the device's protocols.",
            )
        if model is None:
            return None
        if self.margin_of is None:
            raise UsageError(
                Code.CONFIG_RANGE,
                "the planner was given a model but nothing that judges the margin of its zones.",
                hint="Hand in margin_of.",
            )
        return EnergySearch(
            model=model,
            protocols=self.protocols,
            margin_of=self.margin_of,
            required_mm=self.required_mm,
        )


def _letters(number: int) -> str:
    """Names for 0, 1, 2 …: A, B, … Z, AA, AB and so on."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _nothing_planned(findings: Findings, notice: Notice | None) -> AblationPlan:
    """All lesions without a proposal, for one reason."""
    notice = notice or Notice(
        code=Code.NO_LIVER,
        message="no liver mask: a needle's way through and beside the liver cannot be judged.",
        hint="Give a liver mask.",
    )
    return AblationPlan(
        ablations=(),
        unplanned=tuple(
            Unplanned(lesion_id=one.id, why=notice.message) for one in findings.lesions
        ),
        warnings=(notice,),
    )


def _warnings(unplanned: list[Unplanned]) -> tuple[Notice, ...]:
    """What the reader of the plan must know."""
    if not unplanned:
        return ()
    ids = [u.lesion_id for u in unplanned]
    return (
        Notice(
            code=Code.NO_ACCESS,
            message=f"no straight way found to lesion {', '.join(map(str, ids))}.",
            detail={"lesions": ids},
            hint="The plan counts what removed the ways; another posture or device may help.",
        ),
    )
