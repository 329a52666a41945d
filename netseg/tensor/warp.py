"""The torch twins of `netseg.register.sampling`'s lookups: same places, same values, with slopes.

Linear between voxel centres, the border's value beyond, as `scipy.ndimage` with mode "nearest".
Sums of a CUDA backward pass come in any order: there two runs may differ in the last digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.grid import Grid


def warp(
    values: Float[Tensor, "c i j k"], shift_voxels: Float[Tensor, "3 i j k"]
) -> Float[Tensor, "c i j k"]:
    """Values looked up at x + u(x), x and u in voxels along i, j, k."""
    return looked_up_at(values, places(values.shape[1:], values) + shift_voxels)


def looked_up_at(
    values: Float[Tensor, "c i j k"], index: Float[Tensor, "3 a b d"]
) -> Float[Tensor, "c a b d"]:
    """Values at fractional voxel indices along i, j, k.

    An axis of one voxel has one value everywhere.
    """
    sizes = values.shape[1:]
    scaled = [
        index[axis] * (2.0 / max(size - 1, 1)) - 1.0 for axis, size in enumerate(sizes)
    ]  # -1 and 1 are the outermost centres
    wanted = torch.stack(scaled[::-1], dim=-1)  # torch counts the last axis first
    return torch.nn.functional.grid_sample(
        values[None], wanted[None], mode="bilinear", padding_mode="border", align_corners=True
    )[0]


def resample(
    values: Float[Tensor, "c i j k"],
    source: Grid,
    target: Grid,
    matrix: Float[np.ndarray, "4 4"] | None = None,
) -> Float[Tensor, "c a b d"]:
    """Values at the places to which a rigid motion takes the voxels of `target`.

    Args:
        values: On `source`.
        source: Their grid.
        target: Where they are wanted.
        matrix: LPS millimetres of the target's frame to those of the source's; None within one
            frame.
    """
    like = {"dtype": torch.float64, "device": values.device}
    back = torch.linalg.inv(torch.as_tensor(source.affine_lps.copy(), **like))
    motion = torch.eye(4, **like) if matrix is None else torch.as_tensor(matrix, **like)
    index_map = (back @ motion @ torch.as_tensor(target.affine_lps.copy(), **like)).to(values.dtype)
    at = torch.einsum("ab,bijk->aijk", index_map[:3, :3], places(target.shape, values))
    return looked_up_at(values, at + index_map[:3, 3].view(3, 1, 1, 1))


def places(shape: tuple[int, ...] | torch.Size, like: Tensor) -> Float[Tensor, "3 i j k"]:
    """The index of every voxel, in the type and on the device of another tensor."""
    axes = [torch.arange(n, dtype=like.dtype, device=like.device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
