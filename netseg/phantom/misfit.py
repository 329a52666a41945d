"""Scanners that do not lie on each other: rigid shifts and turns between CT, MR and PET."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)

if TYPE_CHECKING:
    from netseg.phantom.chance import Chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """How a patch in one scanner lies against the same patch in the reference scanner.

    Attributes:
        shift_mm: Along i, j, k.
        turn_deg: About i, j, k, in this order.
    """

    shift_mm: tuple[float, float, float]
    turn_deg: tuple[float, float, float]


def draw_misfit(largest_mm: float, largest_deg: float, chance: Chance) -> Misfit:
    """A shift of at most `largest_mm` in all and turns of at most `largest_deg` about each axis."""
    direction = [chance.normal() for _ in range(3)]
    size = math.sqrt(sum(d * d for d in direction)) or 1.0
    length = chance.uniform(0.0, largest_mm)
    i, j, k = (length * d / size for d in direction)
    a, b, c = (chance.uniform(-largest_deg, largest_deg) for _ in range(3))
    return Misfit(shift_mm=(i, j, k), turn_deg=(a, b, c))


def moved(
    volumes: torch.Tensor, misfit: Misfit, spacing_mm: float, *, nearest: bool = False
) -> torch.Tensor:
    """Volumes of one scanner as seen with its misfit, about the patch's middle.

    A voxel at x from the middle shows what lies at R x + shift in the reference frame.

    Args:
        volumes: (n, i, j, k) float32.
        misfit: Shift and turn.
        spacing_mm: Voxel edge.
        nearest: Take the nearest voxel, for labels.
    """
    where = places(tuple(volumes.shape[1:]), misfit, spacing_mm, volumes.device)
    return sampled(volumes, where, nearest=nearest)


def sampled(volumes: torch.Tensor, where: torch.Tensor, *, nearest: bool = False) -> torch.Tensor:
    """Volumes (n, i, j, k) at the places of `places`; beyond the patch its edge goes on."""
    mode = "nearest" if nearest else "bilinear"
    out = F.grid_sample(
        volumes[None], where[None], mode=mode, padding_mode="border", align_corners=False
    )
    return out[0]


def places(
    shape: tuple[int, ...], misfit: Misfit, spacing_mm: float, device: torch.device
) -> torch.Tensor:
    """Where a patch of `shape` voxels is sampled, in grid_sample's order and units: (i, j, k, 3)."""
    matrix = rotation(misfit.turn_deg)
    size = torch.tensor(shape, dtype=torch.float32)
    theta = torch.zeros((3, 4))
    theta[:, :3] = matrix * size[None, :] / size[:, None]
    theta[:, 3] = 2.0 * torch.tensor(misfit.shift_mm) / spacing_mm / size
    flipped = torch.zeros_like(theta)
    flipped[:, :3] = theta[:, :3].flip(0).flip(1)  # grid_sample counts k, j, i
    flipped[:, 3] = theta[:, 3].flip(0)
    size_out = [1, 1, *shape]
    return F.affine_grid(flipped[None].to(device), size_out, align_corners=False)[0]


def rotation(turn_deg: tuple[float, float, float]) -> torch.Tensor:
    """The matrix of turns about i, then j, then k."""
    matrix = torch.eye(3)
    for axis, degrees in enumerate(turn_deg):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        a, b = [n for n in range(3) if n != axis]
        turn = torch.eye(3)
        turn[a, a] = turn[b, b] = c
        turn[a, b], turn[b, a] = -s, s
        matrix = turn @ matrix
    return matrix
