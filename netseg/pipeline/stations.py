"""The parts a study passes through, chosen by configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netseg.allocate import RuleSet
    from netseg.domain import AblationModel, Segmentation, Study
    from netseg.plan import Planner
    from netseg.verify import MarginRule


class SegmentBackend(Protocol):
    """Whoever can outline liver and lesions: a network, or masks that came with the study."""

    def segment(self, study: Study) -> Segmentation:
        """Liver and lesions of one study.

        Raises:
            StudyRejectedError: If the study cannot be segmented.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """One choice for every station; built once, used for every study of a batch.

    Attributes:
        segment: Outlines liver and lesions.
        masks: Takes over where a study brings its own lesion mask.
        planner: Proposes needles; None leaves planning out.
        ablation: Predicts what a needle destroys.
        margin: Judges how far the zone reaches beyond a lesion.
        rules: The treatment rules.
        config_sha256: Hash of the configuration all of this was built from.
        device: Where networks and simulations run, "cpu" or "cuda:N".
    """

    segment: SegmentBackend
    masks: SegmentBackend
    planner: Planner | None
    ablation: AblationModel
    margin: MarginRule
    rules: RuleSet
    config_sha256: str
    device: str

    def outliner(self, study: Study) -> SegmentBackend:
        """Who outlines this study: lesions that came with it win over the network."""
        return self.segment if study.lesions is None else self.masks
