"""The parts a study passes through, chosen by configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from netseg.domain import Code, UsageError
from netseg.pipeline.outlines import told_of_limits, with_liver

if TYPE_CHECKING:
    from netseg.allocate import RuleSet
    from netseg.domain import AblationModel, Mask, Segmentation, Study
    from netseg.domain.control import ControlCheck
    from netseg.pipeline.control import ControlScan, ControlStations
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


class SegmentsPart(Protocol):
    """Whoever can tell the liver's segments apart, whoever outlined the liver."""

    def add(self, study: Study, segmentation: Segmentation) -> Segmentation:
        """The segmentation with segments, or as it came where they cannot be told."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """One choice for every station; built once, used for every study of a batch.

    Attributes:
        segment: Outlines liver and lesions.
        masks: Takes over where a study brings its own lesion mask.
        planner: Proposes needles; None leaves planning out.
        ablation: Predicts what a needle destroys; None where no needle is planned.
        margin: Judges how far the zone reaches beyond a lesion.
        rules: The treatment rules.
        config_sha256: Hash of the configuration all of this was built from.
        device: Where networks and simulations run, "cpu" or "cuda:N".
        control: Who checks a control scan; None leaves control scans out.
        segments: Tells Couinaud's segments apart; None leaves them to the findings' approximation.
    """

    segment: SegmentBackend
    masks: SegmentBackend
    planner: Planner | None
    ablation: AblationModel | None
    margin: MarginRule
    rules: RuleSet
    config_sha256: str
    device: str
    control: ControlStations | None = None
    segments: SegmentsPart | None = None

    def outline(self, study: Study) -> Segmentation:
        """Liver, its segments and lesions: masks that came with the study win over the network.

        Lesions without a liver get the network's liver, with a warning: a margin and a needle's way
        need one. Where the network cannot give it, the liver stays unknown, and the warning says
        why.

        Raises:
            StudyRejectedError: If nobody can outline the lesions.
        """
        found = self._outlined(study)
        return found if self.segments is None else self.segments.add(study, found)

    def check(
        self,
        planning: Study,
        segmentation: Segmentation,
        control: ControlScan,
        planned: Mask | None = None,
    ) -> ControlCheck:
        """Hold a control scan against the planning scan.

        Args:
            planning: The study before the ablation.
            segmentation: Its liver and lesions.
            control: The study after it.
            planned: The zone that a plan predicted, where there was one.

        Raises:
            StudyRejectedError: As `netseg.pipeline.control.check_control`.
            UsageError: If the stations were built without one for control scans.
        """
        from netseg.pipeline.control import check_control

        if self.control is None:
            raise UsageError(
                Code.CONFIG_RANGE,
                "these stations were built without a control scan.",
                hint="Build them with control.scan set.",
            )
        return check_control(planning, segmentation, control, self.control, planned)

    def _outlined(self, study: Study) -> Segmentation:
        if study.lesions is None:
            return told_of_limits(self.segment.segment(study))
        given = self.masks.segment(study)
        if given.liver is not None:
            return given
        return with_liver(given, study, self.segment)
