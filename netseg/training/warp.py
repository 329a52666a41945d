"""Random bending, scaling, turning and mirroring of a scene while a patch is cut out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """How far a patch may differ from the scene it is cut from.

    Attributes:
        patch: Voxels of the patch along i, j, k.
        angle_deg: Largest turn about each axis.
        scale: Smallest and largest zoom; drawn once for all axes, then ±8 % for each.
        bend_vox: Standard deviation of the elastic displacement at its control points.
        mirror: Whether each axis is turned round half of the time. A liver has a right side; a
            lesion has none.
    """

    patch: tuple[int, int, int]
    angle_deg: float = 12.0
    scale: tuple[float, float] = (0.78, 1.3)
    bend_vox: float = 1.5
    mirror: bool = False

    def places(
        self, centre: Float[torch.Tensor, "3"], generator: torch.Generator
    ) -> Float[torch.Tensor, "i j k 3"]:
        """Which voxel of the scene each voxel of a bent patch shows.

        Args:
            centre: Voxel of the scene that lands in the patch's middle.
            generator: Source of chance.
        """
        axes = [torch.arange(n, dtype=torch.float32) - 0.5 * (n - 1) for n in self.patch]
        if self.mirror:
            turned = torch.rand(3, generator=generator) < 0.5
            axes = [-a if t else a for a, t in zip(axes, turned.tolist(), strict=True)]
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


def cut(
    image: Float[torch.Tensor, "a b c"], where: Float[torch.Tensor, "i j k 3"], beyond: float
) -> Float[torch.Tensor, "i j k"]:
    """The image at `where`, linear in between, `beyond` outside of it."""
    moved = (image - beyond)[None, None]
    found = F.grid_sample(moved, _unit(where, image), padding_mode="zeros", align_corners=False)
    return found[0, 0] + beyond


def cut_labels(
    labels: UInt8[torch.Tensor, "a b c"], where: Float[torch.Tensor, "i j k 3"]
) -> UInt8[torch.Tensor, "i j k"]:
    """The nearest label at `where`, 0 outside."""
    found = F.grid_sample(
        labels[None, None].float(),
        _unit(where, labels),
        mode="nearest",
        padding_mode="zeros",
        align_corners=False,
    )
    return found[0, 0].to(torch.uint8)


def _unit(where: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Voxels as grid_sample counts them: -1 to 1 over the image, k first."""
    size = torch.tensor(image.shape, dtype=torch.float32)
    return (2.0 * (where + 0.5) / size - 1.0).flip(-1)[None]
