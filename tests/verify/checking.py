"""Short ways to ask for a margin in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain.ablation import AblationZone, Evidence
from netseg.verify import MarginRule

if TYPE_CHECKING:
    from netseg.domain.margin import LesionMargin
    from netseg.domain.volume import Mask

A0 = MarginRule(required_mm=5.0)


def zone_of(mask: Mask, evidence: Evidence = Evidence.GIVEN_MASKS) -> AblationZone:
    """A zone that somebody outlined."""
    return AblationZone(mask=mask, evidence=evidence)


def margin(lesion: Mask, zone: Mask, **masks: Mask) -> LesionMargin:
    """The margin of the only lesion against an observed zone."""
    (found,) = A0.check(lesion, zone_of(zone), observed=True, **masks).lesions
    return found
