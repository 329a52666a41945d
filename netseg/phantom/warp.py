"""From the patient to the atlas: an affine and a smooth random displacement, known in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

MODES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Warp:
    """Atlas point of every patient point: `q = p / scale + u(p)`, u a sum of sine waves.

    Attributes:
        scale: Size of the patient against the atlas along x, y, z.
        waves_per_mm: Wave vectors (radians per mm), one row per wave.
        phases: Phase of each wave.
        amplitudes_mm: Displacement vector of each wave.
    """

    scale: Float[np.ndarray, "3"]
    waves_per_mm: Float[np.ndarray, "n 3"]
    phases: Float[np.ndarray, "n"]
    amplitudes_mm: Float[np.ndarray, "n 3"]

    def to_atlas(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Patient points (LPS mm) to atlas points."""
        phase = points_mm @ self.waves_per_mm.T + self.phases
        return points_mm / self.scale + np.sin(phase) @ self.amplitudes_mm

    def grid_to_atlas(
        self, x: Float[np.ndarray, "i"], y: Float[np.ndarray, "j"], z: Float[np.ndarray, "k"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Atlas coordinates over the grid spanned by three axes: float32 arrays (i, j, k)."""
        axes = (x, y, z)
        out = [np.empty((len(x), len(y), len(z)), np.float32) for _ in range(3)]
        for c, axis in enumerate(axes):
            shape = [1, 1, 1]
            shape[c] = -1
            out[c][:] = (axis / self.scale[c]).astype(np.float32).reshape(shape)
        for w, phase, amplitude in zip(
            self.waves_per_mm, self.phases, self.amplitudes_mm, strict=True
        ):
            ex, ey, ez = (np.exp(1j * k * a) for k, a in zip(w, axes, strict=True))
            plane = (ex[:, None] * ey[None, :] * np.exp(1j * phase)).astype(np.complex64)
            wave = plane.imag[:, :, None] * ez.real.astype(np.float32) + plane.real[
                :, :, None
            ] * ez.imag.astype(np.float32)
            for c in range(3):
                out[c] += np.float32(amplitude[c]) * wave
        return out[0], out[1], out[2]

    def to_patient(self, atlas_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Atlas points to patient points, by fixed-point iteration (contracting: |grad u| < 1)."""
        p = atlas_mm * self.scale
        for _ in range(10):
            p = (atlas_mm - self.to_atlas(p) + p / self.scale) * self.scale
        return p


def draw_warp(rng: np.random.Generator, strength_mm: float = 4.0) -> Warp:
    """A random patient: body size within about 8 %, organs displaced by a few millimetres."""
    wavelength = rng.uniform(110.0, 300.0, MODES)
    direction = rng.normal(size=(MODES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    waves = 2 * np.pi * direction / wavelength[:, None]
    amplitude = (
        rng.normal(size=(MODES, 3))
        * strength_mm
        * (wavelength[:, None] / 300.0)
        / np.sqrt(MODES / 2)
    )
    body = rng.normal(1.0, 0.035)
    scale = np.clip(body * rng.normal(1.0, 0.03, 3), 0.9, 1.1)
    return Warp(
        scale=scale,
        waves_per_mm=waves,
        phases=rng.uniform(0, 2 * np.pi, MODES),
        amplitudes_mm=amplitude,
    )
