"""The phantom: one synthetic patient with known truth on one voxel grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Grid, LabelMap, Mask, PointMm
from netseg.phantom.lesions import Blob, LesionKind, LesionSpec, LesionTruth
from netseg.phantom.patient import Patient, draw_patient
from netseg.phantom.planting import LesionPrior, plant, scatter
from netseg.phantom.raster import Axes, axes_of, window
from netseg.phantom.tissue import NAMES, SEGMENT_NAMES, Tissue
from netseg.phantom.voxels import Voxels, voxelise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEMO_SHAPE, DEMO_SPACING_MM = (240, 200, 80), (1.5, 1.5, 3.0)
# a curative case: one lobe, two neighbouring segments, each lesion 1-5 cm and within reach of one probe
DEMO_LESIONS = (
    LesionSpec(diameter_mm=22.0, segment="VI", kind=LesionKind.HYPERVASCULAR, suv=28.0),
    LesionSpec(diameter_mm=17.0, segment="V", kind=LesionKind.RING, suv=24.0),
    LesionSpec(diameter_mm=14.0, segment="VI", kind=LesionKind.HYPERVASCULAR, suv=20.0),
    LesionSpec(diameter_mm=12.0, segment="V", elongation=1.05, irregularity=0.08, suv=22.0),
)
CENTRE_MM = (0.0, 0.0, 8.0)  # the middle of the default field of view: whole liver, lung bases


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phantom:
    """A synthetic patient with everything known.

    Attributes:
        seed: The number it grew from.
        grid: The voxel grid of all arrays; i, j, k run to the left, the back and the head.
        tissues: `Tissue` per voxel, with names. Lesions are in `lesions` only.
        liver: The liver with its lesions and inner vessels, without the vena cava.
        segments: Couinaud segments "I" ... "VIII"; they partition `liver`.
        lesions: Lesion instances 1 ... n in descending drawn volume.
        mimics: Instances of cysts, haemangiomas and focal fat, which are no lesions.
        truth: One entry per lesion.
        mimic_truth: One entry per mimic.
        blobs: Shape of each lesion by id; of each mimic by minus its id.
        share: Filling (0 ... 255) of each voxel by hepatic artery, hepatic vein and portal vein.
        patient: The drawn anatomy, independent of the grid.
    """

    seed: int
    grid: Grid
    tissues: LabelMap
    liver: Mask
    segments: LabelMap
    lesions: LabelMap
    mimics: LabelMap
    truth: tuple[LesionTruth, ...]
    mimic_truth: tuple[LesionTruth, ...]
    blobs: Mapping[int, Blob]
    share: Mapping[Tissue, np.ndarray]
    patient: Patient

    @property
    def vessels(self) -> LabelMap:
        """Aorta, vena cava, portal vein, hepatic veins and artery, with the tissue map's numbers."""
        wanted = (
            Tissue.INFERIOR_VENA_CAVA,
            Tissue.AORTA,
            Tissue.PORTAL_VEIN,
            Tissue.HEPATIC_VEIN,
            Tissue.HEPATIC_ARTERY,
        )
        labels = np.where(np.isin(self.tissues.labels, wanted), self.tissues.labels, 0)
        return LabelMap(labels.astype(np.uint8), self.grid, {int(t): NAMES[t] for t in wanted})


def default_grid(
    frame_uid: str,
    shape: tuple[int, int, int] = DEMO_SHAPE,
    spacing_mm: tuple[float, float, float] = DEMO_SPACING_MM,
) -> Grid:
    """A grid around the abdomen's middle whose axes run along x, y, z."""
    affine = np.diag((*spacing_mm, 1.0))
    affine[:3, 3] = [
        c - s * (n - 1) / 2 for c, s, n in zip(CENTRE_MM, spacing_mm, shape, strict=True)
    ]
    return Grid(shape=shape, affine_lps=affine, frame_uid=frame_uid)


def frame_uid_of(seed: int) -> str:
    """Frame of Reference UID of a phantom: a UUID-derived UID (DICOM PS3.5 B.2), the same each time."""
    import uuid

    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'netseg-phantom-frame-{seed}').int}"


def make_phantom(
    seed: int,
    *,
    spacing_mm: tuple[float, float, float] = DEMO_SPACING_MM,
    shape: tuple[int, int, int] | None = None,
    lesions: Sequence[LesionSpec] | LesionPrior | None = DEMO_LESIONS,
    liver_ml: float | None = None,
) -> Phantom:
    """Grow a patient from a seed.

    Args:
        seed: The same seed and arguments give the same bytes.
        spacing_mm: Voxel size along x, y, z.
        shape: Number of voxels; None covers 360 x 300 x 240 mm around the liver.
        lesions: Lesions to plant wholly inside the liver, clear of its large vessels; or a prior
            to draw them from (those may touch capsule and vessels); None for a liver without any. The demo's lesions
            when nothing is said.
        liver_ml: Wanted volume of the liver; None draws one from 1250 ... 1850 ml.

    Raises:
        UsageError: If an ordered lesion finds no room.
    """
    rng = np.random.default_rng((seed, 0xA7))
    patient = draw_patient(rng, liver_ml)
    placed = place_lesions(patient, lesions, np.random.default_rng((seed, 0x1E)))
    if shape is None:
        x, y, z = (
            round(n * s / d)
            for n, s, d in zip(DEMO_SHAPE, DEMO_SPACING_MM, spacing_mm, strict=True)
        )
        shape = (x, y, z)
    grid = default_grid(frame_uid_of(seed), shape, spacing_mm)
    return assemble(seed, grid, patient, placed)


def place_lesions(
    patient: Patient,
    lesions: Sequence[LesionSpec] | LesionPrior | None,
    rng: np.random.Generator,
) -> list[tuple[LesionSpec, Blob]]:
    """Every order with the shape it became; an ordered one without room is refused, a drawn one left out."""
    if lesions is None:
        return []
    if isinstance(lesions, LesionPrior):
        return scatter(patient, lesions.draw(rng), rng)
    return list(zip(lesions, plant(patient, lesions, rng), strict=True))


def assemble(
    seed: int, grid: Grid, patient: Patient, placed: Sequence[tuple[LesionSpec, Blob]]
) -> Phantom:
    """Paint a patient and the lesions on `grid` and write down the truth."""
    axes = axes_of(grid)
    voxels = voxelise(patient, axes)
    uptake = np.random.default_rng((seed, 0x5B)).uniform(10.0, 40.0, len(placed))
    orders = [
        (spec, blob, float(spec.suv if spec.suv is not None else suv))
        for (spec, blob), suv in zip(placed, uptake, strict=True)
    ]
    tumours = [o for o in orders if o[0].kind.is_tumour]
    mimics = [o for o in orders if not o[0].kind.is_tumour]
    lesion_map, truth, lesion_blobs = _draw(axes, voxels, tumours, np.zeros(grid.shape, np.uint8))
    mimic_map, mimic_truth, mimic_blobs = _draw(axes, voxels, mimics, lesion_map)
    return Phantom(
        seed=seed,
        grid=grid,
        tissues=LabelMap(voxels.tissue, grid, NAMES),
        liver=Mask(voxels.liver, grid),
        segments=LabelMap(voxels.segments, grid, SEGMENT_NAMES),
        lesions=LabelMap(lesion_map, grid),
        mimics=LabelMap(mimic_map, grid),
        truth=truth,
        mimic_truth=mimic_truth,
        blobs=dict(enumerate(lesion_blobs, 1)) | {-n: b for n, b in enumerate(mimic_blobs, 1)},
        share=voxels.share,
        patient=patient,
    )


def _draw(
    axes: Axes, voxels: Voxels, orders: Sequence[tuple[LesionSpec, Blob, float]], taken: np.ndarray
) -> tuple[np.ndarray, tuple[LesionTruth, ...], list[Blob]]:
    """Instances in descending drawn volume; those without a voxel on this grid are not there."""
    drawn = []
    for spec, blob, suv in orders:
        box, rho = blob_rho(axes, blob)
        if box is None or rho is None:
            continue
        inside = (rho <= 1) & voxels.liver[box] & (taken[box] == 0)
        if inside.any():
            drawn.append((int(inside.sum()), box, inside, spec, blob, suv))
    drawn.sort(key=lambda d: -d[0])
    labels, truth = np.zeros(voxels.liver.shape, np.uint8), []
    voxel_ml = float(np.prod(axes.spacing_mm)) / 1000
    for number, (count, box, inside, spec, blob, suv) in enumerate(drawn, start=1):
        labels[box][inside] = number
        segment = int(np.bincount(voxels.segments[box][inside], minlength=9).argmax())
        truth.append(
            LesionTruth(
                id=number,
                kind=spec.kind,
                segment=SEGMENT_NAMES[segment],
                diameter_mm=spec.diameter_mm,
                volume_ml=blob.volume_ml(),
                drawn_volume_ml=count * voxel_ml,
                centre_mm=PointMm.of(blob.centre_mm),
                suv=suv,
            )
        )
    return labels, tuple(truth), [d[4] for d in drawn]


def blob_rho(
    axes: Axes, blob: Blob, margin_mm: float = 0.0
) -> tuple[tuple[slice, slice, slice] | None, np.ndarray | None]:
    """The voxels around a blob and its normalised radius there (float32)."""
    reach = blob.reach_mm + margin_mm
    box = window(axes, blob.centre_mm - reach, blob.centre_mm + reach)
    if box is None:
        return None, None
    x, y, z = np.meshgrid(*(a[s] for a, s in zip(axes.all, box, strict=True)), indexing="ij")
    return box, blob.rho(np.stack((x, y, z), axis=-1)).astype(np.float32)
