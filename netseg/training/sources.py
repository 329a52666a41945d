"""Where scenes come from: public sets cut to the liver, livers in other bodies, phantoms."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from netseg.training.scenes import Scene, bare_livers, lits_crops
from netseg.training.surroundings import extend, heal, transplant

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)


def data_root(root: str | None) -> Path:
    """The folder of the real training sets: as told, else NETSEG_DATA, else ../shared/data."""
    told = root or os.environ.get("NETSEG_DATA")
    return Path(told) if told else Path(__file__).resolve().parents[3] / "shared" / "data"


class Source(Protocol):
    """A family of scenes and how often they are drawn.

    Attributes:
        weight: Chance of the family against the others.
    """

    weight: float

    def scenes(self) -> list[Scene]:
        """All scenes of the family."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LitsSource:
    """The LiTS crops.

    Attributes:
        root: Data folder; None finds it.
        cases: Which crops.
        spacing_mm: Voxel edge.
        shape: Body region they are extended to; None leaves them as they are.
        variants: How many different surroundings each gets.
        weight: Chance of the family against the others.
        seed: Source of chance.
    """

    cases: tuple[str, ...]
    spacing_mm: float
    root: str | None = None
    shape: tuple[int, int, int] | None = None
    variants: int = 1
    weight: float = 1.0
    seed: int = 11

    def scenes(self) -> list[Scene]:
        """The crops, each `variants` times."""
        crops = lits_crops(data_root(self.root), self.cases, self.spacing_mm)
        if self.shape is None:
            return crops
        rng = np.random.default_rng(self.seed)
        return [extend(crop, self.shape, rng) for crop in crops for _ in range(self.variants)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransplantSource:
    """Bare livers of one set in the bodies of another.

    Attributes:
        donors: Which bare livers.
        clean: Which of them hold no unlabelled lesion.
        hosts: Which crops lend their body.
        spacing_mm: Voxel edge.
        root: Data folder; None finds it.
        shape: Body region; None leaves the host's.
        variants: How many hosts each donor gets.
        healed: Fill dark areas of donors that are not in `clean`, so that lesions may be painted.
        weight: Chance of the family against the others.
        seed: Source of chance.
    """

    donors: tuple[str, ...]
    clean: tuple[str, ...]
    hosts: tuple[str, ...]
    spacing_mm: float
    root: str | None = None
    shape: tuple[int, int, int] | None = None
    variants: int = 1
    healed: bool = False
    weight: float = 1.0
    seed: int = 12

    def scenes(self) -> list[Scene]:
        """Every donor in `variants` hosts, drawn by chance."""
        root = data_root(self.root)
        hosts = lits_crops(root, self.hosts, self.spacing_mm)
        donors = bare_livers(root, self.donors, self.clean, self.spacing_mm)
        rng = np.random.default_rng(self.seed)
        if self.healed:
            donors = [donor if donor.clean else heal(donor, rng) for donor in donors]
        made = []
        for donor in donors:
            for index in rng.choice(len(hosts), size=self.variants, replace=False):
                scene = transplant(hosts[int(index)], donor, rng)
                made.append(extend(scene, self.shape, rng) if self.shape else scene)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomSource:
    """Procedural abdomens with lesions whose truth is known.

    Attributes:
        count: How many.
        spacing_mm: Voxel edge.
        first_seed: Their seeds count up from here; the hold-out's begin at 900000.
        weight: Chance of the family against the others.
    """

    count: int
    spacing_mm: float
    first_seed: int = 1000
    weight: float = 1.0

    def scenes(self) -> list[Scene]:
        """The phantoms, axes along LPS."""
        from netseg.phantom import training_case

        made = []
        for seed in range(self.first_seed, self.first_seed + self.count):
            hu, labels, _ = training_case(seed, spacing_mm=self.spacing_mm)
            made.append(
                Scene(
                    name=f"phantom {seed}",
                    hu=torch.as_tensor(np.asarray(hu, np.float32)),
                    labels=torch.as_tensor(np.asarray(labels).astype(np.uint8)),
                    spacing_mm=self.spacing_mm,
                    clean=True,
                    real=False,
                )
            )
        return made


def gather(sources: Sequence[Source]) -> tuple[list[Scene], list[float]]:
    """All scenes with the chance of each."""
    scenes: list[Scene] = []
    weights: list[float] = []
    for source in sources:
        family = source.scenes()
        logger.info("%s: %d scenes", type(source).__name__, len(family))
        scenes += [replace(s, hu=s.hu.clamp(-160.0, 240.0)) for s in family]
        weights += [source.weight / len(family)] * len(family)
    return scenes, weights
