"""Where lesions go: random places in the liver that keep what was ordered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, UsageError
from netseg.phantom.lesions import Blob, LesionKind, LesionSpec, make_blob
from netseg.phantom.tissue import SEGMENT_NAMES, Tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.phantom.patient import Patient

GAP_MM = 4.0  # liver that stays between two lesions
CLEAR_OF_VESSELS_MM = 3.0  # planted lesions keep away from the vena cava and the portal trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPrior:
    """How many, how large and of what look: the priors of NET liver metastases.

    Attributes:
        free: Share of patients without any lesion.
        pattern: Shares of the simple, complex and diffuse pattern among the others; the source
            gives 20-25, 10-15 and 60-70 %.
        diameter_mm: Range of the diameters, drawn log-uniformly.
        small: Extra share drawn from 4 ... 10 mm.
        hypervascular: Share bright in the arterial phase.
        mimics: Mean number of cysts, haemangiomas and patches of focal fat.
    """

    free: float = 0.2
    pattern: tuple[float, float, float] = (0.3, 0.25, 0.45)
    diameter_mm: tuple[float, float] = (4.0, 60.0)
    small: float = 0.25
    hypervascular: float = 0.65
    mimics: float = 0.8

    def draw(self, rng: np.random.Generator) -> list[LesionSpec]:
        """The lesions and mimics of one patient."""
        specs = [] if rng.random() < self.free else self._tumours(rng)
        for _ in range(rng.poisson(self.mimics)):
            kind = (LesionKind.CYST, LesionKind.HAEMANGIOMA, LesionKind.FOCAL_FAT)[rng.integers(3)]
            specs.append(LesionSpec(diameter_mm=rng.uniform(4, 28), kind=kind, irregularity=0.05))
        return specs

    def _tumours(self, rng: np.random.Generator) -> list[LesionSpec]:
        pattern = rng.choice(3, p=np.array(self.pattern) / sum(self.pattern))
        count = (rng.integers(1, 4), rng.integers(3, 8), rng.integers(6, 18))[pattern]
        right = ("V", "VI", "VII", "VIII")
        left = ("II", "III", "IV")
        side, other = (right, left) if rng.random() < 0.65 else (left, right)
        specs = []
        for n in range(count):
            diameter = self._diameter(rng)
            segment: str | None = None
            if pattern == 0:
                segment = str(rng.choice(side))
            elif pattern == 1:
                segment = str(rng.choice(side if n < (count + 1) // 2 else other))
                diameter = diameter if n < (count + 1) // 2 else min(diameter, rng.uniform(4, 15))
            specs.append(self._spec(diameter, segment, rng))
        return specs

    def _diameter(self, rng: np.random.Generator) -> float:
        low, high = self.diameter_mm
        if rng.random() < self.small:
            high = max(low, min(high, 10.0))
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def _spec(
        self, diameter_mm: float, segment: str | None, rng: np.random.Generator
    ) -> LesionSpec:
        if rng.random() < self.hypervascular:
            ring = diameter_mm > 12 and rng.random() < 0.5
            kind = LesionKind.RING if ring else LesionKind.HYPERVASCULAR
        else:
            kind = LesionKind.HYPOVASCULAR
        if diameter_mm > 25 and rng.random() < 0.35:
            kind = LesionKind.NECROTIC
        return LesionSpec(
            diameter_mm=diameter_mm,
            segment=segment,
            kind=kind,
            elongation=float(rng.uniform(1.0, 1.6)),
            irregularity=float(rng.uniform(0.0, 0.25)),
        )


def plant(patient: Patient, specs: Sequence[LesionSpec], rng: np.random.Generator) -> list[Blob]:
    """A blob for every order, wholly inside the liver and its segment where one is named.

    Raises:
        UsageError: If an order has no room: the message names it.
    """
    finder = _Finder(patient)
    blobs = []
    for spec in specs:
        blob = finder.place(spec, rng, strict=True)
        if blob is None:
            where = f"segment {spec.segment}" if spec.segment else "the liver"
            raise UsageError(
                Code.CONFIG_RANGE,
                f"a lesion of {spec.diameter_mm:g} mm finds no room in {where} of this phantom.",
                hint="Order a smaller lesion, another segment or another seed.",
            )
        blobs.append(blob)
    return blobs


def scatter(
    patient: Patient, specs: Sequence[LesionSpec], rng: np.random.Generator
) -> list[tuple[LesionSpec, Blob]]:
    """Blobs for drawn orders: may touch the capsule or a vessel; those without room are left out."""
    finder = _Finder(patient)
    placed = ((spec, finder.place(spec, rng, strict=False)) for spec in specs)
    return [(spec, blob) for spec, blob in placed if blob is not None]


class _Finder:
    """Distances on the patient's coarse grid, and the places already taken."""

    def __init__(self, patient: Patient) -> None:
        step = patient.axes.spacing_mm
        box = _bounds(patient.liver)
        self._segments = patient.segments()[box]
        self._depth = _depth_mm(patient.liver[box], step)
        self._within = {n: _depth_mm(self._segments == n, step) for n in SEGMENT_NAMES}
        axes = [a[s] for a, s in zip(patient.axes.all, box, strict=True)]
        self._points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        self._step = step[0]
        trunks = [patient.rods[Tissue.INFERIOR_VENA_CAVA][0], *patient.rods[Tissue.PORTAL_VEIN][:3]]
        path = np.concatenate([patient.warp.to_patient(r.path_mm) for r in trunks])
        radius = np.concatenate([r.radius_mm for r in trunks])
        self._vessels = path, radius
        self._taken: list[tuple[np.ndarray, float]] = []

    def place(self, spec: LesionSpec, rng: np.random.Generator, *, strict: bool) -> Blob | None:
        """A blob for `spec` away from the others; None where there is no room."""
        blob = make_blob(spec, np.zeros(3), rng)
        reach = blob.reach_mm
        free = self._depth > (reach + 2.5 if strict else 0.45 * reach)
        score = self._depth
        if spec.segment is not None:
            number = next(n for n, name in SEGMENT_NAMES.items() if name == spec.segment)
            free &= self._segments == number
            score = self._within[number]
        for centre, radius in self._taken:
            free &= np.linalg.norm(self._points - centre, axis=-1) > radius + reach + GAP_MM
        if strict:
            path, radius = self._vessels
            for centre, r in zip(path[::2], radius[::2], strict=True):
                free &= (
                    np.linalg.norm(self._points - centre, axis=-1) > r + reach + CLEAR_OF_VESSELS_MM
                )
        where = np.argwhere(free)
        if not len(where):
            return None
        if spec.segment is not None:  # the better half by depth inside the segment
            depth = score[tuple(where.T)]
            where = where[depth >= np.quantile(depth, 0.7 if strict else 0.3)]
        chosen = self._points[tuple(where[rng.integers(len(where))])]
        centre = chosen + rng.uniform(-0.4, 0.4, 3) * (self._step if not strict else 2.0)
        self._taken.append((centre, reach))
        return Blob(
            centre_mm=centre,
            half_axes_mm=blob.half_axes_mm,
            rotation=blob.rotation,
            bulge_axes=blob.bulge_axes,
            bulge_sizes=blob.bulge_sizes,
        )


def _depth_mm(inside: np.ndarray, step_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance to the nearest voxel outside; beyond the array all is outside."""
    from scipy.ndimage import distance_transform_edt

    padded = np.asarray(distance_transform_edt(np.pad(inside, 1), sampling=step_mm))
    return padded[1:-1, 1:-1, 1:-1]


def _bounds(mask: np.ndarray) -> tuple[slice, slice, slice]:
    hits = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != c))) for c in range(3)]
    x, y, z = (slice(int(h[0]), int(h[-1]) + 1) for h in hits)
    return x, y, z
