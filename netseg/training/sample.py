"""What the trainer is handed for one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.ndimage
import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

LEAST_VOXELS, MOST_WEIGHT = 600.0, 8.0
"""A lesion of fewer voxels counts as if it had this many, but no voxel more than `MOST_WEIGHT`."""


class Sample(NamedTuple):
    """Input and truth of one step.

    Attributes:
        image: The given channels, scaled as the network reads them.
        given: Their places among the network's inputs.
        truth: One mask per output of the network.
        weight: How much each voxel counts for each output; 0 where nobody looked.
    """

    image: Float[torch.Tensor, "p i j k"]
    given: Int[torch.Tensor, "p"]
    truth: Float[torch.Tensor, "o i j k"]
    weight: Float[torch.Tensor, "o i j k"]


def lesion_weight(
    lesions: Bool[torch.Tensor, "i j k"],
    unseen: Bool[torch.Tensor, "i j k"],
    least_voxels: float = LEAST_VOXELS,
    most: float = MOST_WEIGHT,
) -> Float[torch.Tensor, "i j k"]:
    """Weights that let a small lesion be heard beside a large one.

    Args:
        lesions: All lesions of a patch.
        unseen: Where nobody looked; weighs nothing.
        least_voxels: A lesion of fewer voxels weighs as much as one of that size.
        most: No voxel weighs more.
    """
    numbered, count = ndi.label(lesions.cpu().numpy(), np.ones((3, 3, 3)))
    if count == 0:
        weight = torch.ones(lesions.shape, device=lesions.device)
    else:
        sizes = np.bincount(numbered.ravel())
        per_label = np.clip(least_voxels / np.maximum(sizes, 1), 1.0, most)
        per_label[0] = 1.0
        weight = torch.from_numpy(per_label[numbered].astype(np.float32)).to(lesions.device)
    return weight * ~unseen
