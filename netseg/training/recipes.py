"""Tasks as a configuration describes them: sources now, scenes when the stage is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netseg.segment.channels import CHANNELS
from netseg.segment.networks import LIVER_GIVEN
from netseg.training.patches import RealPatches, SyntheticPatches
from netseg.training.sources import gather
from netseg.training.tasks import LesionTask, LiverTask, Mixture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netseg.training.sources import AnatomySource, Source
    from netseg.training.warp import Warp


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureSettings:
    """Where the patches of a stage come from.

    Attributes:
        sources: Real scans, and whatever else comes as scenes.
        anatomies: Procedural abdomens; None for none.
        synthetic_share: Share of the steps that see them.
        disguised: Share of real CT patches that pass for MR.
        real: Further fields of `RealPatches`.
        synthesis: Fields of `netseg.phantom.synthesis.Synthesis`.
    """

    sources: Sequence[Source] = ()
    anatomies: AnatomySource | None = None
    synthetic_share: float = 0.5
    disguised: float = 0.0
    real: Mapping[str, Any] = field(default_factory=dict[str, Any])
    synthesis: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def make(self, warp: Warp) -> Mixture:
        """Read and draw everything; may take a minute."""
        real = synthetic = None
        if self.sources:
            scenes, weights = gather(self.sources)
            real = RealPatches(scenes=scenes, weights=weights, warp=warp, **self.real)
        if self.anatomies is not None:
            from netseg.phantom.synthesis import Synthesis

            synthetic = SyntheticPatches(
                anatomies=self.anatomies.anatomies(),
                warp=warp,
                synthesis=Synthesis(**self.synthesis),
            )
        return Mixture(
            real=real,
            synthetic=synthetic,
            synthetic_share=self.synthetic_share,
            disguised=self.disguised,
        )


def liver_task(
    *, mixture: MixtureSettings, seed: int, warp: Warp, settings: dict[str, Any] | None = None
) -> Callable[[], LiverTask]:
    """What makes a liver task; further fields of `LiverTask` go into `settings`."""

    def make() -> LiverTask:
        return LiverTask(
            inputs=CHANNELS, patches=mixture.make(warp), seed=seed, **(settings or {})
        )

    return make


def lesion_task(
    *, mixture: MixtureSettings, seed: int, warp: Warp, settings: dict[str, Any] | None = None
) -> Callable[[], LesionTask]:
    """What makes a lesion task; further fields of `LesionTask` go into `settings`."""

    def make() -> LesionTask:
        return LesionTask(
            inputs=(*CHANNELS, LIVER_GIVEN),
            patches=mixture.make(warp),
            seed=seed,
            patch=warp.patch,
            **(settings or {}),
        )

    return make
