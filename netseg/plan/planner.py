"""One needle per lesion: where it goes in, where it ends, how much energy it is given."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import (
    Ablation,
    AblationPlan,
    Code,
    Notice,
    PointMm,
    Probe,
    Unplanned,
    UsageError,
    require_same_frame,
)
from netseg.plan.access import AccessRules
from netseg.plan.anatomy import read_anatomy
from netseg.plan.energy import EnergySearch, MarginOf
from netseg.plan.planning_ct import planning_ct
from netseg.plan.preference import weigh
from netseg.plan.sieve import distance_maps, sift
from netseg.plan.ways import sphere_directions, ways_from
from netseg.plan.words import no_way, reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain import (
        AblationModel,
        AblationProtocol,
        Findings,
        LabelMap,
        Lesion,
        Segmentation,
        Study,
    )
    from netseg.plan.anatomy import Anatomy

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

log = logging.getLogger(__name__)


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
        if not 0 < self.active_length_mm < self.needle_length_mm:
            raise ValueError(
                f"active_length_mm must lie in (0, {self.needle_length_mm}), the needle's length; "
                f"got {self.active_length_mm}."
            )
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
        reach = self.needle_length_mm * np.sin(np.deg2rad(self.rules.max_axial_angle_deg))
        anatomy = read_anatomy(series, segmentation, segmentation.liver, obstacles, float(reach))
        maps = distance_maps(anatomy)
        found = [self._access(one, n, anatomy, maps) for n, one in enumerate(findings.lesions)]
        ablations = [a for a in found if isinstance(a, Ablation)]
        if search is not None:
            ablations = [search.choose(a, segmentation) for a in ablations]
        unplanned = tuple(u for u in found if isinstance(u, Unplanned))
        return AblationPlan(
            ablations=tuple(ablations),
            unplanned=unplanned,
            obstacles=anatomy.origin,
            not_considered=anatomy.not_considered,
            warnings=_warnings(unplanned, predicted=model is not None),
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

    def _access(
        self,
        lesion: Lesion,
        number: int,
        anatomy: Anatomy,
        maps: Mapping[str, Float[np.ndarray, "i j k"]],
    ) -> Ablation | Unplanned:
        """The best way to one lesion, with the largest protocol for the time being."""
        target = target_of(lesion, anatomy)
        if target is None:
            return Unplanned(lesion_id=lesion.id, why="the lesion lies outside the planning CT.")
        tip_mm = self.active_length_mm / 2
        ways = ways_from(
            anatomy,
            target,
            directions=sphere_directions(self.rules.directions),
            tip_mm=tip_mm,
            reach_mm=self.needle_length_mm,
            step_mm=self.rules.step_mm,
        )
        allowed = sift(
            ways,
            anatomy,
            maps,
            lesion_id=lesion.id,
            rules=self.rules,
            longest_mm=self.needle_length_mm,
        )
        if not len(allowed.ways.directions):
            why = no_way(allowed.fallen, self.rules.directions)
            return Unplanned(lesion_id=lesion.id, why=why, fallen=allowed.fallen)
        merits = weigh(allowed, anatomy, self.rules, lesion.id)
        best = int(np.argmin(merits.cost(self.rules, self.needle_length_mm)))
        direction = allowed.ways.directions[best]
        probe = Probe(
            id=_letters(number),
            device=self.device,
            entry_mm=PointMm.of(target + allowed.ways.exit_mm[best] * direction),
            tip_mm=PointMm.of(target - tip_mm * direction),
            active_length_mm=self.active_length_mm,
        )
        return Ablation(
            lesion_id=lesion.id,
            probes=(probe,),
            protocol=self.protocols[-1],
            path_mm=probe.length_mm,
            clearance_mm={n: float(c[best]) for n, c in allowed.clearance_mm.items()},
            why=reasons(merits, best, direction, allowed, self.rules),
        )


def target_of(lesion: Lesion, anatomy: Anatomy) -> Float[np.ndarray, 3] | None:
    """Where the probe's active centre belongs (LPS): centre of mass, else the deepest point.

    None where the planning CT does not show the lesion.
    """
    centre = lesion.centroid_mm.as_array()
    own = anatomy.lesions == lesion.id
    if not own.any():
        return None
    index = tuple(np.rint(anatomy.grid.to_index(centre)).astype(int))
    if own[index]:
        return centre
    (box,) = ndimage.find_objects(own.astype(np.uint8))
    depth = ndimage.distance_transform_edt(np.pad(own[box], 1))[1:-1, 1:-1, 1:-1]
    deepest = np.array(np.unravel_index(np.argmax(depth), depth.shape))
    return anatomy.grid.to_mm(deepest + [s.start for s in box])


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


def _warnings(unplanned: tuple[Unplanned, ...], *, predicted: bool) -> tuple[Notice, ...]:
    notices = []
    if unplanned:
        ids = [u.lesion_id for u in unplanned]
        notices.append(
            Notice(
                code=Code.NO_ACCESS,
                message=f"no straight way found to lesion {', '.join(map(str, ids))}.",
                detail={"lesions": ids},
                hint="Look at the counts of removed ways; another posture or device may help.",
            )
        )
    if not predicted:
        log.info("plan without a model: largest protocol, nothing predicted")
    return tuple(notices)
