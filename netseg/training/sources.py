"""Where scenes come from: public sets cut to the liver, livers in other bodies, phantoms."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

import netseg
from netseg.training.anatomy_file import read_anatomy, write_anatomy
from netseg.training.scenes import bare_livers, lits_crops
from netseg.training.surroundings import extend, heal, transplant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.phantom.synthesis import Anatomy
    from netseg.training.scenes import Scene

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

    def files(self) -> list[Path]:
        """The image files they are read from."""
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

    def files(self) -> list[Path]:
        """Images and outlines of the crops."""
        return _files(data_root(self.root) / "ct_lits_train", self.cases)

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

    def files(self) -> list[Path]:
        """Images and outlines of donors and hosts."""
        root = data_root(self.root)
        donors = _files(root / "ct_liver_roi_train", self.donors)
        return donors + _files(root / "ct_lits_train", self.hosts)

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
class BareSource:
    """Bare livers as they are: outside of them there is nothing but their median.

    Attributes:
        donors: Which bare livers.
        clean: Which of them hold no unlabelled lesion; dark areas of the others are filled.
        spacing_mm: Voxel edge.
        root: Data folder; None finds it.
        weight: Chance of the family against the others.
        seed: Source of chance.
    """

    donors: tuple[str, ...]
    clean: tuple[str, ...]
    spacing_mm: float
    root: str | None = None
    weight: float = 1.0
    seed: int = 13

    def files(self) -> list[Path]:
        """Images and outlines of the livers."""
        return _files(data_root(self.root) / "ct_liver_roi_train", self.donors)

    def scenes(self) -> list[Scene]:
        """One scene per liver."""
        livers = bare_livers(data_root(self.root), self.donors, self.clean, self.spacing_mm)
        rng = np.random.default_rng(self.seed)
        return [liver if liver.clean else heal(liver, rng) for liver in livers]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomySource:
    """Procedural abdomens without lesions, which `netseg.phantom.synthesis` fills with them.

    Attributes:
        count: How many.
        spacing_mm: Voxel edge.
        first_seed: Their seeds count up from here; the hold-out's begin at 900000.
        margin_mm: How much is kept around the liver.
        cache: Folder where drawn bodies are kept for the next run; None draws them again.
    """

    count: int
    spacing_mm: float
    first_seed: int = 1000
    margin_mm: float = 30.0
    cache: str | None = None

    def anatomies(self) -> list[Anatomy]:
        """The bodies, axes along LPS."""
        seeds = range(self.first_seed, self.first_seed + self.count)
        logger.info("drawing %d anatomies", self.count)
        return [self._anatomy(seed) for seed in seeds]

    def _anatomy(self, seed: int) -> Anatomy:
        from netseg.phantom.synthesis import draw_anatomy

        if self.cache is None:
            return draw_anatomy(seed, self.spacing_mm, margin_mm=self.margin_mm)
        what = f"{netseg.__version__}_{seed}_{self.spacing_mm:g}_{self.margin_mm:g}"
        file = Path(self.cache) / f"anatomy_{what}.safetensors"
        if not file.is_file():
            drawn = draw_anatomy(seed, self.spacing_mm, margin_mm=self.margin_mm)
            write_anatomy(drawn, file)
        return read_anatomy(file, self.spacing_mm)


def _files(folder: Path, cases: Sequence[str]) -> list[Path]:
    return sorted(file for case in cases for file in folder.glob(f"{case}_*.nii.gz"))


def gather(sources: Sequence[Source]) -> tuple[list[Scene], list[float]]:
    """All scenes with the chance of each."""
    scenes: list[Scene] = []
    weights: list[float] = []
    for source in sources:
        family = source.scenes()
        logger.info("%s: %d scenes", type(source).__name__, len(family))
        scenes += family
        weights += [source.weight / len(family)] * len(family)
    return scenes, weights
