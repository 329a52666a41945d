"""Cases to tune on (training side) and cases to measure on (kept out), as studies with their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain import (
    Grid,
    LabelMap,
    Mask,
    Modality,
    MrSequence,
    Phase,
    Quantity,
    Series,
    Study,
    Volume,
)
from netseg.geometry.components import components
from netseg.phantom.anatomy import draw_anatomy
from netseg.phantom.holdout import FIRST_SEED, HOLDOUT, holdout_case
from netseg.training.paint import LesionPrior, paint
from netseg.training.scenes import LESION, bare_livers, lits_crops
from netseg.training.sources import data_root
from netseg.training.surroundings import transplant
from netseg.training.tasks import generator_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.training.scenes import Scene

KEPT_OUT = ("ircad11", "ircad20")  # clean livers that no configuration trains on
TRAINED = ("ircad05", "ircad07", "ircad14")
LITS = ("lits00", "lits01", "lits02", "lits03", "lits04", "lits05")
SMALL = LesionPrior(radius_mm=(2.5, 5.0), dark_hu=(22.0, 90.0), bright_hu=(22.0, 70.0))
LARGE = LesionPrior(radius_mm=(5.0, 25.0))
KINDS = {
    "ct_native": (Modality.CT, Phase.NATIVE, None, Quantity.HU),
    "ct_arterial": (Modality.CT, Phase.LATE_ARTERIAL, None, Quantity.HU),
    "ct_portal": (Modality.CT, Phase.PORTAL_VENOUS, None, Quantity.HU),
    "ct_delayed": (Modality.CT, Phase.DELAYED, None, Quantity.HU),
    "mr_t1": (Modality.MR, Phase.NATIVE, MrSequence.T1, Quantity.ARBITRARY),
    "mr_arterial": (Modality.MR, Phase.LATE_ARTERIAL, MrSequence.T1, Quantity.ARBITRARY),
    "mr_portal": (Modality.MR, Phase.PORTAL_VENOUS, MrSequence.T1, Quantity.ARBITRARY),
    "mr_hepatobiliary": (Modality.MR, Phase.HEPATOBILIARY, MrSequence.T1, Quantity.ARBITRARY),
    "mr_t2": (Modality.MR, None, MrSequence.T2, Quantity.ARBITRARY),
    "mr_dwi": (Modality.MR, None, MrSequence.DWI, Quantity.ARBITRARY),
    "pet_sstr": (Modality.PT, None, None, Quantity.SUVBW),
    "pet_fdg": (Modality.PT, None, None, Quantity.SUVBW),
}
TRACERS = {"pet_sstr": "ga68_dotatate", "pet_fdg": "f18_fdg"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A study with its truth; `group` says where the patient is from."""

    name: str
    group: str
    study: Study
    liver: Mask
    lesions: LabelMap


def study_of(name: str, images: Mapping[str, np.ndarray], grid: Grid) -> Study:
    """Images by channel as a study whose series say what they are."""
    series = []
    for channel, values in images.items():
        modality, phase, sequence, quantity = KINDS[channel]
        series.append(
            Series(
                key=channel,
                modality=modality,
                volume=Volume(np.ascontiguousarray(values, np.float32), grid, quantity),
                phase=phase,
                sequence=sequence,
                tracer=TRACERS.get(channel),
            )
        )
    return Study(case_id=name, series=tuple(series))


def grid_of(shape: tuple[int, ...], spacing_mm: float) -> Grid:
    """Cubic voxels along L, P, S."""
    i, j, k = shape
    affine = np.diag((spacing_mm, spacing_mm, spacing_mm, 1.0))
    return Grid(shape=(i, j, k), affine_lps=affine, frame_uid="1.2")


def of_scene(scene: Scene, name: str, group: str) -> Case:
    grid = grid_of(tuple(scene.labels.shape), scene.spacing_mm)
    images = {channel: image.numpy() for channel, image in scene.images.items()}
    return Case(
        name=name,
        group=group,
        study=study_of(name, images, grid),
        liver=Mask(scene.liver.numpy(), grid),
        lesions=components(Mask((scene.labels == LESION).numpy(), grid)),
    )


def lits() -> Iterator[Case]:
    """The LiTS crops: training data with real lesions."""
    for scene in lits_crops(data_root(None), LITS, 1.5):
        yield of_scene(scene, scene.name, "lits")


def painted(donors: tuple[str, ...], seeds: range, group: str) -> Iterator[Case]:
    """Clean livers in another body, with lesions painted into them; every fourth stays clean."""
    root = data_root(None)
    hosts = lits_crops(root, LITS, 1.5)
    for donor in bare_livers(root, donors, donors, 1.5):
        for seed in seeds:
            rng = np.random.default_rng((seed, 0x71))
            scene = transplant(hosts[int(rng.integers(len(hosts)))], donor, rng)
            hu, lesions = scene.hu, torch.zeros_like(scene.liver)
            generator = generator_of(77, seed)
            if seed % 4 != 3:
                for prior, count in ((LARGE, 3), (SMALL, 4)):
                    free = scene.liver & ~lesions
                    hu, new = paint(
                        hu, free, count, spacing_mm=1.5, prior=prior, generator=generator
                    )
                    lesions = lesions | new
            labels = torch.where(lesions, LESION, scene.labels.long()).to(torch.uint8).numpy()
            yield of_scene(scene.with_ct(hu.numpy(), labels), f"{donor.name} {seed}", group)


def synthetic(seeds: range, channels: tuple[str, ...], group: str) -> Iterator[Case]:
    """Procedural patients: the frozen hold-out from seed 900000 on, training side below."""
    for seed in seeds:
        if seed >= FIRST_SEED:
            made = holdout_case(seed, channels, 1.5)
            images, liver, numbers = made.images, made.liver, made.instances
        else:
            body = draw_anatomy(seed, 1.5, margin_mm=40.0)
            generator = torch.Generator().manual_seed(seed)
            sample = HOLDOUT(body.tissues, body.liver, 1.5, channels, generator)
            images, liver, numbers = sample.images, body.liver, None
            mask = (sample.lesions > 0) & liver
        grid = grid_of(tuple(liver.shape), 1.5)
        lesions = (
            components(Mask(mask.numpy(), grid))
            if numbers is None
            else LabelMap(numbers.numpy().astype(np.uint8), grid)
        )
        yield Case(
            name=f"phantom {seed}",
            group=group,
            study=study_of(f"phantom {seed}", {c: v.numpy() for c, v in images.items()}, grid),
            liver=Mask(liver.numpy().astype(bool), grid),
            lesions=lesions,
        )
