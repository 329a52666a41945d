"""Several models asked together: the mean of their probabilities, the majority of their livers.

Members may be of different kinds (shipped networks, described ones) as long as they work on the same
series. Their disagreement is part of the answer: the mean of a sure yes and a sure no is a half, so
confidence falls and the boundary's uncertainty grows where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, final

import numpy as np

from netseg.domain import (
    Code,
    LabelMap,
    Mask,
    ModelProvenance,
    Quantity,
    Segmentation,
    UsageError,
    Volume,
)
from netseg.segment.listing import Listing, list_lesions

if TYPE_CHECKING:
    from jaxtyping import Float, Integer

    from netseg.domain import Study


class ProbableBackend(Protocol):
    """A backend that says how probable a lesion is, not only where it draws one."""

    def segment(self, study: Study) -> Segmentation:
        """Liver, lesions and `lesion_probability` on one series of the study."""
        ...

    def threshold(self) -> float:
        """Probability from which it calls a voxel lesion."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleBackend:
    """Liver and lesions by several models.

    Attributes:
        members: At least two; each is asked for every study, one after the other.
        listing: Which spots of the mean are listed as lesions.
    """

    members: tuple[ProbableBackend, ...]
    listing: Listing = field(default_factory=Listing)

    def __post_init__(self) -> None:
        """Keep it several."""
        if len(self.members) < 2:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"an ensemble needs at least two members; got {len(self.members)}.",
                hint="List them under segment.members, each with its _target_.",
            )

    def segment(self, study: Study) -> Segmentation:
        """The mean of all members, on the series they share.

        A member without a liver leaves the vote to the others; a voxel is liver if at least half of
        those who vote say so.

        Raises:
            StudyRejectedError: If a member refuses the study.
            UsageError: If members work on different series, or one gives no probability.
        """
        first = self.members[0].segment(study)
        grid, key = first.lesions.grid, first.series_key
        total = _probability(first, self.members[0]).astype(np.float32, copy=True)
        votes = np.zeros(grid.shape, np.uint8)
        voters = _count(votes, first)
        thresholds, made = [self.members[0].threshold()], [first.provenance]
        notices = list(first.warnings)
        del first
        for member in self.members[1:]:
            found = member.segment(study)
            if found.series_key != key:
                raise UsageError(
                    Code.CONFIG_RANGE,
                    f"the members of an ensemble outline one series; one took {key}, another "
                    f"{found.series_key}.",
                    hint="Restrict each to the same channels.",
                )
            total += _probability(found, member)
            voters += _count(votes, found)
            thresholds.append(member.threshold())
            made.append(found.provenance)
            notices += [n for n in found.warnings if n not in notices]
        total /= len(self.members)
        liver = None if not voters else Mask(2 * votes >= voters, grid)
        inside = np.ones(grid.shape, np.bool_) if liver is None else liver.inside
        listed = list_lesions(total, inside, grid, float(np.mean(thresholds)), self.listing)
        return Segmentation(
            series_key=key,
            liver=None if liver is None else Mask(liver.inside | (listed.labels != 0), grid),
            lesions=LabelMap(listed.labels, grid),
            lesion_probability=Volume(total, grid, Quantity.PROBABILITY),
            confidence=listed.confidence,
            boundary_sd_mm=listed.boundary_sd_mm,
            provenance=_together(made),
            warnings=tuple(notices),
        )


def _probability(found: Segmentation, member: ProbableBackend) -> Float[np.ndarray, "i j k"]:
    if found.lesion_probability is None:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{type(member).__name__} draws lesions without saying how probable they are; an "
            "ensemble averages probabilities.",
            hint="Use builtin or bundle as members.",
        )
    return found.lesion_probability.values


def _count(votes: Integer[np.ndarray, "i j k"], found: Segmentation) -> int:
    """Add a member's liver to the votes; how many voters it is."""
    if found.liver is None:
        return 0
    votes += found.liver.inside
    return 1


def _together(made: list[ModelProvenance]) -> ModelProvenance:
    weights = {
        f"{number} {role}": sha
        for number, one in enumerate(made, start=1)
        for role, sha in one.weights_sha256.items()
    }
    return ModelProvenance(
        backend="ensemble", name=" + ".join(one.name for one in made), weights_sha256=weights
    )
