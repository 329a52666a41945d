"""How the proposal depends on the outlines: draws over what the segmentation may have got wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.allocate import sensitivity
from netseg.allocate.sensitivity import tell_sensitivity

if TYPE_CHECKING:
    from netseg.allocate import RuleSet
    from netseg.domain.clinical import ClinicalFindings

DRAWS = 10_000
SEED = 2020
"""Of the draws, so that a rerun tells the same shares."""


def told_doubt(clinical: ClinicalFindings, rules: RuleSet) -> tuple[str, ...]:
    """Shares of routes, patterns and windows over the draws, and which lesion flips which answer.

    Each draw leaves a lesion out by its confidence, changes its diameter by 2 mm (1 SD) and moves it
    between the segments it lies in.

    Args:
        clinical: Facts of the case, with its lesion list.
        rules: The rule set.

    Returns:
        Lines for a reader; none without a lesion list, or where a lesion has no size or segment.
    """
    lesions = clinical.lesions
    if not lesions or any(one.segment is None or one.diameter_cm is None for one in lesions):
        return ()
    found = sensitivity(clinical, rules, np.random.default_rng(SEED), draws=DRAWS)
    return tuple(tell_sensitivity(found).splitlines())
