"""The bending part by gradient descent on local correlation: one code path for CPU and CUDA.

The field lives on a coarse lattice. What is compared is the square of the local correlation
coefficient (MONAI's), which knows no scale of values and so serves CT with MR, over the liver
without zone and tumours (painted over besides, for a window sees beyond its centre); what keeps it
smooth is its bending energy. Voxels of 4 mm and more suffice: finer ones did not move the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.register.comparable import painted_over

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.register.comparable import Comparable


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One resolution of the descent.

    Attributes:
        shrink: Voxels per side that become one.
        steps: Of Adam.
        rate_mm: Its step.
    """

    shrink: int
    steps: int
    rate_mm: float


LEVELS = (
    Level(shrink=4, steps=60, rate_mm=0.4),
    Level(shrink=2, steps=60, rate_mm=0.25),
)
LATTICE_MM = 8.0  # between the points that move
WINDOW = 7  # voxels along the edge of the cube in which images are correlated
BENDING = 300.0  # mm²; weight of the bending energy against the squared correlation
FLAT = 1e-3  # variance of an image scaled to about one, below which a window says nothing


def bend_by_descent(pair: Comparable, *, device: str = "auto") -> Float[np.ndarray, "i j k 3"]:
    """The bend of a pair.

    Args:
        pair: Two scans on one grid.
        device: "cpu", "cuda", "cuda:1" …; "auto" is CUDA where there is one.

    Returns:
        u in LPS millimetres on the pair's grid, float32. On CPU the same bytes on every run.
    """
    import torch

    place = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    )
    fixed, moving, mask = (_tensor(part, place) for part in _images(pair))
    lattice = [max(5, round(n * pair.grid.spacing_mm[0] / LATTICE_MM) + 1) for n in pair.grid.shape]
    field = torch.zeros((3, *lattice), device=place, requires_grad=True)  # mm along the grid's axes
    for level in LEVELS:
        if min(pair.grid.shape) // level.shrink < WINDOW:
            continue
        _descend(level, field, (fixed, moving, mask), pair.grid.spacing_mm[0])
    with torch.no_grad():
        along = _spread(field, pair.grid.shape).permute(1, 2, 3, 0).cpu().numpy()
    return (along @ pair.grid.directions.T).astype(np.float32)


def _descend(
    level: Level, field: Tensor, images: tuple[Tensor, Tensor, Tensor], step_mm: float
) -> None:
    """Adam on one resolution; changes `field`."""
    import torch
    from monai.losses.image_dissimilarity import LocalNormalizedCrossCorrelationLoss

    from netseg.tensor.bending import bending_energy
    from netseg.tensor.warp import warp

    fixed, moving, mask = (_shrunk(image, level.shrink) for image in images)
    voxel_mm = step_mm * level.shrink
    alike: Any = LocalNormalizedCrossCorrelationLoss(
        spatial_dims=3, kernel_size=WINDOW, reduction="none", smooth_dr=FLAT * WINDOW**3
    )
    weight = mask / mask.sum().clamp(min=1.0)
    adam = torch.optim.Adam([field], lr=level.rate_mm)
    for _ in range(level.steps):
        adam.zero_grad()
        shift = _spread(field, fixed.shape[1:]) / voxel_mm
        there = warp(moving, shift)
        loss = (alike(there[None], fixed[None])[0] * weight).sum()
        loss = loss + BENDING * bending_energy(field, LATTICE_MM)
        loss.backward()
        adam.step()


def _images(pair: Comparable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both images painted over and scaled to about one, and where they are compared."""
    avoided = pair.fixed_avoided | pair.moving_avoided
    parts: list[np.ndarray] = []
    for values, liver in ((pair.fixed, pair.fixed_liver), (pair.moving, pair.moving_liver)):
        filled = painted_over(values, liver, avoided, pair.grid)
        known = filled[liver] if liver.any() else filled.ravel()
        spread = float(np.std(known)) or 1.0
        parts.append(((filled - np.median(known)) / spread).astype(np.float32))
    return parts[0], parts[1], pair.compared & ~avoided


def _tensor(values: np.ndarray, place: Any) -> Tensor:
    import torch

    return torch.as_tensor(np.ascontiguousarray(values, np.float32), device=place)[None]


def _shrunk(image: Tensor, factor: int) -> Tensor:
    """Means over cubes of voxels, the last ones cut off by the border smaller."""
    import torch

    if factor == 1:
        return image
    pool = torch.nn.functional.avg_pool3d
    return pool(image[None], factor, ceil_mode=True, count_include_pad=False)[0]


def _spread(field: Tensor, shape: Any) -> Tensor:
    """Lattice to voxels, linear between."""
    import torch

    return torch.nn.functional.interpolate(
        field[None], size=tuple(shape), mode="trilinear", align_corners=True
    )[0]
