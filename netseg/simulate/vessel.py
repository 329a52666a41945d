"""Blood vessels as heat sinks.

Blood in a vessel stays at body temperature; between wall and blood lies the film of laminar flow,
h = Nu k / d with Nu = 4.36 (constant heat flux, fully developed): 227 W/(m2 K) at 10 mm, 756 at
3 mm. Constant h is good beyond one or two minutes (dos Santos et al. 2008). A wall made of voxel
faces is larger than the cylinder's (4/pi along an axis, more when oblique); the film is thinned by
that factor, so that film times area is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from netseg.domain.grid import Grid
    from netseg.domain.point import PointMm

NUSSELT = 4.36
BLOOD_W_MK = 0.52


@dataclass(frozen=True, slots=True, kw_only=True)
class Vessel:
    """A straight piece of vessel.

    Attributes:
        from_mm: One end (LPS).
        to_mm: The other end.
        diameter_mm: Inner diameter.
    """

    from_mm: PointMm
    to_mm: PointMm
    diameter_mm: float

    def __post_init__(self) -> None:
        """Keep the vessel a cylinder."""
        if not (np.isfinite(self.diameter_mm) and self.diameter_mm > 0):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"a vessel's diameter_mm must be positive; got {self.diameter_mm}.",
            )

    @property
    def film_w_m2k(self) -> float:
        """Heat transfer coefficient at its wall."""
        return NUSSELT * BLOOD_W_MK / (self.diameter_mm * 1e-3)


def wall_mm2(inside: Bool[Tensor, "i j k"], spacing_mm: tuple[float, float, float]) -> float:
    """Area of the voxel faces between a region and the rest of the grid; at least one face."""
    i, j, k = spacing_mm
    area = 0.0
    for axis, face in enumerate((j * k, i * k, i * j)):
        area += face * int(torch.diff(inside.to(torch.int8), dim=axis).abs().sum())
    return max(area, min(j * k, i * k, i * j))


def film_w_m2k(vessels: tuple[Vessel, ...], grid: Grid, *, like: Tensor) -> Float[Tensor, "i j k"]:
    """Film coefficient in the cells whose centre lies in a vessel, zero elsewhere.

    Raises:
        StudyRejectedError: If a vessel is thinner than a cell and would vanish unseen.
    """
    film = torch.zeros(grid.shape, dtype=like.dtype)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    centres = grid.to_mm(index.reshape(-1, 3))
    for vessel in vessels:
        if vessel.diameter_mm < max(grid.spacing_mm):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"a vessel of {vessel.diameter_mm:.1f} mm is thinner than a cell of "
                f"{max(grid.spacing_mm):.1f} mm and would be lost.",
                hint="Make it a line of blood (`vessel_line.BloodLine`), or use a finer grid.",
            )
        start, end = vessel.from_mm.as_array(), vessel.to_mm.as_array()
        along = (end - start) / max(float((end - start) @ (end - start)), 1e-12)
        share = np.clip((centres - start) @ along, 0.0, 1.0)
        away = centres - start - share[:, None] * (end - start)
        inside = np.einsum("ij,ij->i", away, away) <= (0.5 * vessel.diameter_mm) ** 2
        mask = torch.from_numpy(inside.reshape(grid.shape))
        true_mm2 = np.pi * vessel.diameter_mm * _length_inside_mm(vessel, grid)
        film[mask] = vessel.film_w_m2k * min(1.0, true_mm2 / wall_mm2(mask, grid.spacing_mm))
    return film.to(like.device)


def _length_inside_mm(vessel: Vessel, grid: Grid) -> float:
    """Length of the vessel's axis within the grid, to a hundredth of it."""
    share = (np.arange(1000) + 0.5)[:, None] / 1000
    start, end = vessel.from_mm.as_array(), vessel.to_mm.as_array()
    index = grid.to_index(start + share * (end - start))
    within = ((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all(1)
    return float(np.linalg.norm(end - start)) * float(within.mean())
