"""A data set as a source of scenes: a layout, a recipe, a cache, a share of its patients."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain import Code, UsageError
from netseg.training.datasets import cache
from netseg.training.datasets.case import BACKGROUND, IGNORED
from netseg.training.datasets.folds import fold_of_patient
from netseg.training.datasets.preparing import prepare
from netseg.training.datasets.reading import Recipe
from netseg.training.scenes import Scene

if TYPE_CHECKING:
    from netseg.training.datasets.case import Layout, PreparedCase

logger = logging.getLogger(__name__)

_TRUTHS = ("liver", "lesions")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """A set of real cases, prepared once and cut into patches from then on.

    Attributes:
        layout: How the set lies on the disk.
        spacing_mm: Voxel edge.
        cache: Folder of the prepared cases.
        margin_mm: How much is kept around what is outlined; None keeps whole scans.
        needs: What a case must have outlined, "liver", "lesions" or both; others are left out. A
            scene whose lesions nobody outlined is not `clean`, and teaches no lesion and no absence
            of one inside its liver.
        exclude: Names of cases that are left out.
        fold: Which of the `folds` is held out; None uses every patient.
        folds: Into how many parts the patients are dealt.
        held_out: Give the held-out fold instead of the others.
        in_memory: Read everything now instead of when it is looked at.
        workers: Processes that prepare; 0 prepares in this one.
        weight: Chance of the set against the other sources.
    """

    layout: Layout
    spacing_mm: float
    cache: str | Path = "runs/prepared"
    margin_mm: float | None = 30.0
    needs: tuple[str, ...] = ("liver",)
    exclude: tuple[str, ...] = ()
    fold: int | None = None
    folds: int = 5
    held_out: bool = False
    in_memory: bool = False
    workers: int = 0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Keep the settings to what can be asked for."""
        unknown = sorted(set(self.needs) - set(_TRUTHS))
        if unknown or not self.needs:
            raise ValueError(f"needs names liver, lesions or both; got {list(self.needs)}.")
        if self.fold is not None and not 0 <= self.fold < self.folds:
            raise ValueError(f"fold must lie in [0, {self.folds - 1}]; got {self.fold}.")
        if self.held_out and self.fold is None:
            raise ValueError("held_out needs a fold.")
        Recipe(spacing_mm=self.spacing_mm, margin_mm=self.margin_mm)

    def cases(self) -> tuple[PreparedCase, ...]:
        """The prepared cases of the chosen patients, by name.

        Raises:
            UsageError: TRAINING_SET if no case is left, with the reasons.
        """
        recipe = Recipe(spacing_mm=self.spacing_mm, margin_mm=self.margin_mm)
        done = prepare(
            self.layout, Path(self.cache), recipe, exclude=self.exclude, workers=self.workers
        )
        every = [cache.read(entry) for entry in done.entries]
        fit = [case for case in every if self._knows_enough(case)]
        chosen = self._of_fold(fit)
        name = type(self.layout).__name__
        logger.info(
            "%s: %d cases of %d patients; %d refused, %d without %s, %d of other folds",
            name, len(chosen), len({c.patient for c in chosen}), len(done.refused),
            len(every) - len(fit), " or ".join(self.needs), len(fit) - len(chosen),
        )  # fmt: skip
        if not chosen:
            reasons = "; ".join(f"{n}: {r.message}" for n, r in list(done.refused.items())[:3])
            raise UsageError(
                Code.TRAINING_SET,
                f"{name}: no case is left: {len(done.refused)} refused, {len(every) - len(fit)} "
                f"without {' or '.join(self.needs)}. {reasons}",
                hint="Look at the reasons; needs, exclude, fold and the layout choose cases.",
            )
        return tuple(chosen)

    def files(self) -> list[Path]:
        """Images and outlines of the set, folders of slices taken apart."""
        raw = [case for case in self.layout.cases() if case.name not in self.exclude]
        named = [image.path for case in raw for image in case.images.values()]
        named += [labels.path for case in raw for labels in case.labels]
        parts = [[p] if p.is_file() else [f for f in p.rglob("*") if f.is_file()] for p in named]
        return sorted({file for part in parts for file in part})

    def scenes(self) -> list[Scene]:
        """The cases as scenes to cut patches from."""
        return [scene_of(case, in_memory=self.in_memory) for case in self.cases()]

    def _knows_enough(self, case: PreparedCase) -> bool:
        """Whether the case has what is needed, and a liver or lesion to cut patches around."""
        known = {"liver": case.liver_known, "lesions": case.lesions_known}
        return all(known[truth] for truth in self.needs) and case.facts["liver_ml"][1] > 0

    def _of_fold(self, cases: list[PreparedCase]) -> list[PreparedCase]:
        if self.fold is None:
            return cases
        try:
            fold_of = fold_of_patient((case.patient for case in cases), self.folds)
        except ValueError as error:
            raise UsageError(Code.CONFIG_RANGE, f"{type(self.layout).__name__}: {error}") from error
        return [c for c in cases if (fold_of[c.patient] == self.fold) == self.held_out]


def scene_of(case: PreparedCase, *, in_memory: bool = False) -> Scene:
    """A prepared case as a scene; mapped arrays stay on the disk unless `in_memory`.

    Where nobody outlined livers, nobody said "not liver" either: what is not a lesion is 255.
    """
    copied = np.array if in_memory else np.asarray
    labels = copied(case.labels)
    if not case.liver_known:
        labels = np.where(labels == BACKGROUND, IGNORED, labels).astype(np.uint8)
    return Scene(
        name=case.name,
        images={channel: torch.from_numpy(copied(image)) for channel, image in case.images.items()},
        labels=torch.from_numpy(labels),
        spacing_mm=case.spacing_mm,
        clean=case.lesions_known,
        real=True,
    )
