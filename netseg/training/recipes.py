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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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

    def files(self) -> list[Path]:
        """The image files of the real scans."""
        return sorted({file for source in self.sources for file in source.files()})

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LiverRecipe:
    """What makes a liver task.

    Attributes:
        mixture: Where patches come from.
        seed: First half of every step's seed.
        warp: Patch size and bending.
        settings: Further fields of `LiverTask`.
    """

    mixture: MixtureSettings
    seed: int
    warp: Warp
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __call__(self) -> LiverTask:
        """The task; may take a minute."""
        patches = self.mixture.make(self.warp)
        return LiverTask(inputs=CHANNELS, patches=patches, seed=self.seed, **self.settings)

    def files(self) -> list[Path]:
        """The image files it reads."""
        return self.mixture.files()


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionRecipe:
    """What makes a lesion task; fields as in `LiverRecipe`."""

    mixture: MixtureSettings
    seed: int
    warp: Warp
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __call__(self) -> LesionTask:
        """The task; may take a minute."""
        return LesionTask(
            inputs=(*CHANNELS, LIVER_GIVEN),
            patches=self.mixture.make(self.warp),
            seed=self.seed,
            patch=self.warp.patch,
            **self.settings,
        )

    def files(self) -> list[Path]:
        """The image files it reads."""
        return self.mixture.files()
