"""Phantoms for training: a fresh patient, scanner and set of lesions for every seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Grid
from netseg.phantom.ct import PHASES, ct_values, draw_contrast
from netseg.phantom.patient import Patient, draw_patient
from netseg.phantom.phantom import assemble, frame_uid_of, place_lesions
from netseg.phantom.planting import LesionPrior
from netseg.phantom.texture import smooth

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8

    from netseg.phantom.lesions import Blob, LesionSpec

NET_PRIOR = LesionPrior()
PHASE_SHARES = (0.1, 0.25, 0.5, 0.15)  # in the order of PHASES


def training_case(
    seed: int, spacing_mm: float, *, prior: LesionPrior = NET_PRIOR
) -> tuple[Float[np.ndarray, "i j k"], UInt8[np.ndarray, "i j k"], UInt8[np.ndarray, "i j k"]]:
    """A whole random liver with its surroundings.

    Args:
        seed: The same seed gives the same case.
        spacing_mm: Isotropic voxel size.
        prior: What lesions to draw; 20 % of the patients have none.

    Returns:
        CT in HU (float32); labels 0 background, 1 liver, 2 lesion; Couinaud segments 1 ... 8 inside
        the liver, lesions included. Axes i, j, k run to the left, the back and the head.
    """
    rng = np.random.default_rng((seed, 0x7C))
    patient = draw_patient(rng)
    placed = place_lesions(patient, prior, rng)
    low, high = _liver_box(patient)
    low, high = low - rng.uniform(10, 45, 3), high + rng.uniform(10, 45, 3)
    i, j, k = (int(n) for n in np.ceil((high - low) / spacing_mm))
    return _case(patient, placed, _grid(seed, low, (i, j, k), spacing_mm), rng)


def training_sample(
    generator: np.random.Generator,
    shape: tuple[int, int, int] = (96, 96, 96),
    spacing_mm: float = 1.5,
    *,
    prior: LesionPrior = NET_PRIOR,
) -> tuple[Float[np.ndarray, "c i j k"], UInt8[np.ndarray, "i j k"]]:
    """One patch of a random patient, around a lesion half of the time, else somewhere in the liver.

    Args:
        generator: Source of chance.
        shape: Patch size in voxels.
        spacing_mm: Isotropic voxel size.
        prior: What lesions to draw.

    Returns:
        One CT channel in HU (1, i, j, k) and labels 0 background, 1 liver, 2 lesion.
    """
    seed = int(generator.integers(2**31))
    patient = draw_patient(generator)
    placed = place_lesions(patient, prior, generator)
    centre = _interesting_point(patient, placed, generator)
    size = np.array(shape) * spacing_mm
    low = centre - size * generator.uniform(0.3, 0.7, 3)
    hu, labels, _ = _case(patient, placed, _grid(seed, low, shape, spacing_mm), generator)
    return hu[None], labels


def _grid(seed: int, low: np.ndarray, shape: tuple[int, int, int], spacing_mm: float) -> Grid:
    affine = np.diag((spacing_mm, spacing_mm, spacing_mm, 1.0))
    affine[:3, 3] = low
    return Grid(shape=shape, affine_lps=affine, frame_uid=frame_uid_of(seed))


def _case(
    patient: Patient, placed: list[tuple[LesionSpec, Blob]], grid: Grid, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    phantom = assemble(0, grid, patient, placed)  # the seed sets SSTR uptake only: CT has none
    phase = PHASES[rng.choice(len(PHASES), p=PHASE_SHARES)]
    hu = ct_values(phantom, phase, rng, draw_contrast(rng))
    hu = _thick_slices(hu, grid.spacing_mm[2], rng)
    labels = phantom.liver.inside.astype(np.uint8)
    labels[phantom.lesions.labels > 0] = 2
    return hu, labels, np.array(phantom.segments.labels)


def _thick_slices(hu: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """As if reconstructed in slices of up to 6 mm and interpolated back."""
    thickness = float(np.exp(rng.uniform(np.log(1.0), np.log(6.0))))
    if thickness <= 1.2 * spacing_mm:
        return hu
    hu = smooth(hu, (0.0, 0.0, 0.35 * thickness / spacing_mm))
    step = thickness / spacing_mm
    sampled = np.unique(np.rint(np.arange(rng.uniform(0, 1), hu.shape[2] - 1, step)).astype(int))
    position = np.interp(np.arange(hu.shape[2]), sampled, np.arange(len(sampled)))
    lower = np.minimum(position.astype(int), len(sampled) - 1)
    upper = np.minimum(lower + 1, len(sampled) - 1)
    slices = hu[:, :, sampled]
    share = (position - lower).astype(np.float32)
    return slices[:, :, lower] * (1 - share) + slices[:, :, upper] * share


def _liver_box(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    where = np.argwhere(patient.liver)
    axes = patient.axes.all
    low = np.array([a[i] for a, i in zip(axes, where.min(0), strict=True)])
    high = np.array([a[i] for a, i in zip(axes, where.max(0), strict=True)])
    return low, high


def _interesting_point(
    patient: Patient, placed: list[tuple[LesionSpec, Blob]], rng: np.random.Generator
) -> np.ndarray:
    if placed and rng.random() < 0.5:
        return placed[rng.integers(len(placed))][1].centre_mm
    where = np.argwhere(patient.liver)
    index = where[rng.integers(len(where))]
    return np.array([a[i] for a, i in zip(patient.axes.all, index, strict=True)])
