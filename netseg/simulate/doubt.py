"""How sure a plan's zone is: over the parameter priors, and over the size of the cells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.certified import certified_zone
from netseg.simulate.ensemble import ensemble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.plan_file import SimulationPlan
    from netseg.simulate.scene import Scene

log = logging.getLogger(__name__)

Progress = Callable[[str, float, float], None]
"""Called with what is counted, how far it is, and out of how much."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doubt:
    """What was found out about the doubt in a zone.

    Attributes:
        document: Keys for zone.json; empty where nothing was asked for.
        coverage: Share of draws and models in which each cell dies; None without draws.
    """

    document: Mapping[str, Any] = field(default_factory=dict[str, Any])
    coverage: Float[np.ndarray, "i j k"] | None = None


def doubts(
    plan: SimulationPlan,
    scene: Scene,
    models: Sequence[Any],
    *,
    like: Tensor,
    progress: Progress,
) -> Doubt:
    """Draw an ensemble and bound the numeric error, as far as the plan asks for it.

    Raises:
        StudyRejectedError: If what is asked for makes no sense for the plan.
    """
    document: dict[str, Any] = {}
    coverage = None
    if plan.ensemble:
        drawn = _drawn(plan, scene, models, like=like, progress=progress)
        document["ensemble"], coverage = drawn.document(), drawn.coverage
    if plan.certified_mm is not None:
        document["numeric_error"] = _bounded(plan, scene, models, plan.certified_mm, progress)
    return Doubt(document=document, coverage=coverage)


def widened(band_ml: Sequence[float], ensemble_document: Mapping[str, Any] | None) -> list[float]:
    """A volume band over damage models, widened by what 90 % of the draws of each gave.

    Args:
        band_ml: Smallest and largest volume over the models.
        ensemble_document: What `Ensemble.document` gave; None without draws.
    """
    if ensemble_document is None:
        return list(band_ml)
    shares = ensemble_document["volume_quantiles_ml"].values()
    return [
        min(band_ml[0], *(s["0.05"] for s in shares)),
        max(band_ml[1], *(s["0.95"] for s in shares)),
    ]


def require_sense(plan: SimulationPlan, *, labelled: bool) -> None:
    """Refuse, before anything is computed, a doubt that cannot be answered.

    Args:
        plan: What is asked for.
        labelled: Whether a label image goes with it.

    Raises:
        StudyRejectedError: If so.
    """
    modality = plan.protocol.modality
    if plan.ensemble and modality is AblationModality.IRE:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "ire has no ensemble: what is not known are the thresholds, and their coverage is "
            f"always given; got ensemble: {plan.ensemble}.",
            hint="Leave `ensemble` out.",
        )
    if plan.certified_mm is None:
        return
    if modality in (AblationModality.CRYO, AblationModality.IRE) or labelled or plan.vessels:
        what = (
            modality.value
            if modality in (AblationModality.CRYO, AblationModality.IRE)
            else ("a label image" if labelled else "vessels")
        )
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"certified mode bounds the error of heating in one tissue without vessels; got {what}.",
            hint="Leave `certified` out.",
        )


def _drawn(
    plan: SimulationPlan, scene: Scene, models: Sequence[Any], *, like: Tensor, progress: Progress
) -> Any:
    return ensemble(
        scene,
        plan.protocol,
        models,
        draws=plan.ensemble,
        seed=plan.seed,
        like=like,
        step_s=plan.step_s,
        cooling_s=plan.cooling_s,
        progress=lambda done, draws: progress("draws", done, draws),
    )


def _bounded(
    plan: SimulationPlan,
    scene: Scene,
    models: Sequence[Any],
    spacing_mm: float,
    progress: Progress,
) -> dict[str, Any]:
    """The error bars, or why there are none; the zone itself stands either way."""
    progress("certified", 0, 1)
    sizes = [2 * spacing_mm, spacing_mm, 0.5 * spacing_mm]
    try:
        bars = certified_zone(
            scene.probes, scene.tissue, plan.protocol, models, spacing_mm=spacing_mm
        )
    except StudyRejectedError as refusal:
        log.warning("no numeric error bar: %s", refusal)
        return {"certified": False, "spacing_mm": sizes, "why": refusal.notice.message}
    progress("certified", 1, 1)
    return {
        "certified": True,
        "spacing_mm": sizes,
        "values": {name: asdict(bar) for name, bar in bars.items()},
    }
