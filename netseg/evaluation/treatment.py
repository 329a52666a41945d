"""Does the treatment change when predicted outlines replace the true ones?

A Dice of 0.9 can hide the one missed lesion that turns a simple pattern into a complex one, and a Dice
of 0.6 can change nothing. The proposal is asked for twice, with the same clinical facts, once with the
true and once with the predicted outlines, and the answers are compared. Who proposes is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from netseg.domain import LabelMap
from netseg.evaluation.instances import instances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Mask
    from netseg.domain.allocation import Allocation
    from netseg.evaluation.case import Outlines
    from netseg.evaluation.instances import Lesions


class Proposer(Protocol):
    """Whoever turns outlines and the clinic's facts into a treatment proposal."""

    def __call__(self, case: str, lesions: LabelMap, liver: Mask | None) -> Allocation:
        """The proposal for one case.

        Args:
            case: Its name, by which the clinical facts are found.
            lesions: Instances, 1 … n in descending volume.
            liver: With its lesions; None where nobody outlined it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What of a proposal decides about the patient.

    Attributes:
        status: Whether the facts sufficed.
        route: The route; None unless exactly one is possible.
        possible_routes: Every possible route.
        pattern: The liver pattern; None when open or not covered.
        ablation_window: Whether size and number of the lesions suit ablation.
        options: Status of every treatment by its name.
    """

    status: str
    route: str | None
    possible_routes: tuple[str, ...]
    pattern: str | None
    ablation_window: str | None
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentAgreement:
    """The proposals for one case with either outlines.

    Attributes:
        id: The case.
        truth: With the true outlines.
        predicted: With the predicted ones.
        same_liver: Whether the true liver was used on both sides, since nobody predicted one.
    """

    id: str
    truth: Proposal
    predicted: Proposal
    same_liver: bool

    @property
    def route_changed(self) -> bool:
        """Whether status or routes differ: another way for the patient."""
        one, two = self.truth, self.predicted
        return (one.status, one.possible_routes) != (two.status, two.possible_routes)

    @property
    def options_changed(self) -> tuple[tuple[str, str, str], ...]:
        """Treatments whose status differs: name, with true and with predicted outlines."""
        names = dict.fromkeys((*self.truth.options, *self.predicted.options))
        pairs = (
            (n, self.truth.options.get(n, "-"), self.predicted.options.get(n, "-")) for n in names
        )
        return tuple(one for one in pairs if one[1] != one[2])

    @property
    def changed(self) -> bool:
        """Whether route or any treatment's status differs."""
        return self.route_changed or bool(self.options_changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentSummary:
    """How often the treatment stays the same.

    Attributes:
        cases: Cases with clinical facts.
        same_route: Of these, with the same status and routes.
        same_options: Of these, with the same status of every treatment as well.
    """

    cases: int
    same_route: int
    same_options: int


def treatment_agreement(
    case: str, predicted: Outlines, truth: Outlines, propose: Proposer
) -> TreatmentAgreement:
    """Ask for a proposal with either outlines.

    Where the prediction has no liver, the true one stands on both sides.

    Args:
        case: The case's name.
        predicted: Predicted outlines.
        truth: True outlines on the same grid.
        propose: Whoever proposes.
    """
    liver = truth.regions.get("liver")
    ours = predicted.regions.get("liver")
    return TreatmentAgreement(
        id=case,
        truth=_proposal(propose(case, numbered(truth.lesions), liver)),
        predicted=_proposal(propose(case, numbered(predicted.lesions), ours or liver)),
        same_liver=liver is not None and ours is None,
    )


def treatment_summary(cases: Sequence[TreatmentAgreement]) -> TreatmentSummary:
    """Count the cases whose treatment stays the same."""
    return TreatmentSummary(
        cases=len(cases),
        same_route=sum(not one.route_changed for one in cases),
        same_options=sum(not one.changed for one in cases),
    )


def numbered(lesions: Lesions) -> LabelMap:
    """Lesions as instances 1 … n in descending volume."""
    found = instances(lesions)
    kind = np.min_scalar_type(len(found.numbers))
    box = np.zeros(found.shape, kind)
    box.reshape(-1)[found.voxels] = (found.owner + 1).astype(kind)
    labels = np.zeros(lesions.grid.shape, kind)
    labels[found.box] = box
    return LabelMap(labels, lesions.grid)


def _proposal(found: Allocation) -> Proposal:
    return Proposal(
        status=str(found.status),
        route=None if found.route is None else str(found.route),
        possible_routes=tuple(sorted(str(r) for r in found.possible_routes)),
        pattern=None if found.pattern is None else str(found.pattern),
        ablation_window=None if found.ablation_window is None else str(found.ablation_window),
        options={one.id: str(one.status) for one in found.options},
    )
