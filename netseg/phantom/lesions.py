"""Lesions one can order, and the blobs they become."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.tissue import SEGMENT_NAMES

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain import PointMm


class LesionKind(StrEnum):
    """How a focal change looks; the last three are no tumours but must not be taken for one."""

    HYPERVASCULAR = "hypervascular"  # bright in the arterial phase, 60-70 % of NET metastases
    RING = "ring"
    HYPOVASCULAR = "hypovascular"
    NECROTIC = "necrotic"
    CYST = "cyst"
    HAEMANGIOMA = "haemangioma"
    FOCAL_FAT = "focal_fat"

    @property
    def is_tumour(self) -> bool:
        """Whether it counts as a lesion in the truth."""
        return self not in {LesionKind.CYST, LesionKind.HAEMANGIOMA, LesionKind.FOCAL_FAT}


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionSpec:
    """One lesion to plant.

    Attributes:
        diameter_mm: Longest diameter in 3-D.
        segment: Couinaud segment "I" ... "VIII" it is planted in; None for anywhere in the liver.
        kind: How it looks.
        elongation: Longest over shortest half axis of the underlying ellipsoid.
        irregularity: Size of the bulges relative to the radius; 0 gives the exact ellipsoid.
        suv: SSTR uptake (SUVbw) of its viable part; None draws one from 10 ... 40.
    """

    diameter_mm: float
    segment: str | None = None
    kind: LesionKind = LesionKind.HYPERVASCULAR
    elongation: float = 1.2
    irregularity: float = 0.12
    suv: float | None = None

    def __post_init__(self) -> None:
        """Keep the order sensible; a kind may be named in words."""
        object.__setattr__(self, "kind", LesionKind(self.kind))
        if not 1.0 <= self.diameter_mm <= 200.0:
            raise ValueError(f"diameter_mm must lie in [1, 200]; got {self.diameter_mm}.")
        if self.segment is not None and self.segment not in SEGMENT_NAMES.values():
            raise ValueError(f"segment must be one of I ... VIII; got {self.segment!r}.")
        if not 1.0 <= self.elongation <= 3.0:
            raise ValueError(f"elongation must lie in [1, 3]; got {self.elongation}.")
        if not 0.0 <= self.irregularity <= 0.4:
            raise ValueError(f"irregularity must lie in [0, 0.4]; got {self.irregularity}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionTruth:
    """What was planted: the oracle of tests.

    Attributes:
        id: Its number in the truth mask.
        kind: How it looks.
        segment: Couinaud segment that holds most of it.
        diameter_mm: Longest diameter of the shape before it is cut into voxels.
        volume_ml: Volume of the shape before it is cut into voxels or at the capsule.
        drawn_volume_ml: Volume of its voxels in the truth mask.
        centre_mm: Centre of the shape (LPS).
        suv: SSTR uptake of its viable part.
    """

    id: int
    kind: LesionKind
    segment: str
    diameter_mm: float
    volume_ml: float
    drawn_volume_ml: float
    centre_mm: PointMm
    suv: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blob:
    """A star-shaped body: an ellipsoid with smooth bulges.

    Attributes:
        centre_mm: Its centre (LPS).
        half_axes_mm: Half axes of the ellipsoid.
        rotation: Rows are the ellipsoid's axes in the patient.
        bulge_axes: Unit vectors of the bulges.
        bulge_sizes: Weight of the square and of the cubic term of each bulge.
    """

    centre_mm: Float[np.ndarray, "3"]
    half_axes_mm: Float[np.ndarray, "3"]
    rotation: Float[np.ndarray, "3 3"]
    bulge_axes: Float[np.ndarray, "n 3"]
    bulge_sizes: Float[np.ndarray, "n 2"]

    def rho(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
        """0 in the centre, 1 on the surface, growing outwards."""
        u = ((points_mm - self.centre_mm) @ self.rotation.T) / self.half_axes_mm
        r = np.linalg.norm(u, axis=-1)
        return r / self._swell(u / np.maximum(r, 1e-9)[..., None])

    def surface(self, directions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the surface, relative to the centre, one for each unit vector."""
        u = directions * self._swell(directions)[:, None]
        return (u * self.half_axes_mm) @ self.rotation

    def volume_ml(self) -> float:
        """Volume, exact for the ellipsoid and to 0.1 % with bulges."""
        swell = self._swell(sphere_points(4000))
        return float(4 / 3 * np.pi * np.prod(self.half_axes_mm) * np.mean(swell**3)) / 1000

    def diameter_mm(self) -> float:
        """Longest distance between two points of the surface."""
        return _longest(self.surface(sphere_points(700)))

    @property
    def reach_mm(self) -> float:
        """Radius of a ball around the centre that holds all of it."""
        return float(np.linalg.norm(self.surface(sphere_points(300)), axis=1).max()) * 1.03

    def _swell(self, unit: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
        if not self.bulge_sizes.any():
            return np.ones(unit.shape[:-1], unit.dtype)
        c = unit @ self.bulge_axes.T
        return 1 + (c * c - 1 / 3) @ self.bulge_sizes[:, 0] + (c**3) @ self.bulge_sizes[:, 1]


def make_blob(spec: LesionSpec, centre_mm: np.ndarray, rng: np.random.Generator) -> Blob:
    """A blob of exactly the ordered longest diameter, turned at random."""
    ratio = np.array((1.0, spec.elongation ** -rng.uniform(0.3, 0.7), 1.0 / spec.elongation))
    axes = rng.normal(size=(4, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    blob = Blob(
        centre_mm=np.asarray(centre_mm, float),
        half_axes_mm=ratio,
        rotation=_random_rotation(rng),
        bulge_axes=axes,
        bulge_sizes=np.clip(rng.normal(size=(4, 2)), -1.5, 1.5) * spec.irregularity / 2,
    )
    longest = blob.diameter_mm() if spec.irregularity > 0 else 2.0
    return Blob(
        centre_mm=blob.centre_mm,
        half_axes_mm=ratio * spec.diameter_mm / longest,
        rotation=blob.rotation,
        bulge_axes=axes,
        bulge_sizes=blob.bulge_sizes,
    )


def sphere_points(count: int) -> Float[np.ndarray, "count 3"]:
    """Evenly spread unit vectors (golden spiral)."""
    i = np.arange(count) + 0.5
    z = 1 - 2 * i / count
    turn = np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    return np.stack((r * np.cos(turn), r * np.sin(turn), z), axis=1)


def _longest(points: Float[np.ndarray, "n 3"]) -> float:
    square = (points**2).sum(1)
    pairs = points @ points.T
    pairs *= -2
    pairs += square
    pairs += square[:, None]
    return float(np.sqrt(pairs.max()))


def _random_rotation(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q
