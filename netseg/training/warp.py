"""Random bending, scaling and turning of a scene while a patch is cut out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)

from netseg.segment.networks import LOWEST_HU


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """How far a patch may differ from the scene it is cut from.

    Attributes:
        patch: Voxels of the patch along i, j, k.
        angle_deg: Largest turn about each axis.
        scale: Smallest and largest zoom; drawn once for all axes, then ±8 % for each.
        bend_vox: Standard deviation of the elastic displacement at its control points.
    """

    patch: tuple[int, int, int]
    angle_deg: float = 12.0
    scale: tuple[float, float] = (0.78, 1.3)
    bend_vox: float = 1.5

    def __call__(
        self,
        image: torch.Tensor,
        labels: torch.Tensor,
        centre: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut a bent patch around a voxel.

        Args:
            image: Hounsfield units, (i, j, k) float32.
            labels: Whole numbers, (i, j, k) uint8.
            centre: Voxel of the scene that lands in the patch's middle, (3,).
            generator: Source of chance.

        Returns:
            Image (trilinear, outside = air) and labels (nearest, outside = 0) of the patch.
        """
        where = self._voxels(centre, generator)
        size = torch.tensor(image.shape, dtype=torch.float32)
        unit = (2.0 * (where + 0.5) / size - 1.0).flip(-1)[None]  # grid_sample counts k, j, i
        above_air = (image - LOWEST_HU)[None, None]  # beyond the scene there is air
        cut = F.grid_sample(above_air, unit, padding_mode="zeros", align_corners=False) + LOWEST_HU
        named = F.grid_sample(
            labels[None, None].float(),
            unit,
            mode="nearest",
            padding_mode="zeros",
            align_corners=False,
        )
        return cut[0, 0], named[0, 0].to(torch.uint8)

    def _voxels(self, centre: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        axes = [torch.arange(n, dtype=torch.float32) - 0.5 * (n - 1) for n in self.patch]
        offset = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        where = offset @ self._matrix(generator).T + centre
        if self.bend_vox > 0:
            knots = torch.randn((1, 3, 5, 5, 5), generator=generator) * self.bend_vox
            bend = F.interpolate(knots, size=self.patch, mode="trilinear", align_corners=True)
            where = where + bend[0].permute(1, 2, 3, 0)
        return where

    def _matrix(self, generator: torch.Generator) -> torch.Tensor:
        """Turn and zoom, patch offset to scene offset."""
        low, high = (math.log(s) for s in self.scale)
        zoom = math.exp(low + (high - low) * float(torch.rand((), generator=generator)))
        each = 1.0 + 0.08 * (2.0 * torch.rand(3, generator=generator) - 1.0)
        matrix = torch.diag(1.0 / (zoom * each))
        angles = math.radians(self.angle_deg) * (2.0 * torch.rand(3, generator=generator) - 1.0)
        for axis, angle in enumerate(angles.tolist()):
            turn = torch.eye(3)
            a, b = [x for x in range(3) if x != axis]
            turn[a, a] = turn[b, b] = math.cos(angle)
            turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
            matrix = matrix @ turn
        return matrix
