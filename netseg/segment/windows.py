"""A network applied to an image larger than its patch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain import Code, StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[slice, slice, slice]


def places(
    shape: tuple[int, int, int], patch: tuple[int, int, int], overlap: float
) -> Iterator[Place]:
    """Patches that cover an image, evenly spread, neighbours sharing at least `overlap`.

    Args:
        shape: The image, no smaller than the patch.
        patch: Voxels of a patch.
        overlap: Share of the patch edge, in [0, 1).
    """
    starts = []
    for size, edge in zip(shape, patch, strict=True):
        step = max(1, int(edge * (1.0 - overlap)))
        count = int(np.ceil((size - edge) / step)) + 1
        starts.append(np.linspace(0, size - edge, count).round().astype(int))
    for corner in itertools.product(*starts):
        i, j, k = (slice(int(s), int(s) + n) for s, n in zip(corner, patch, strict=True))
        yield i, j, k


def _bell(patch: tuple[int, int, int]) -> torch.Tensor:
    """Trust in a patch's voxels: most in the middle, an eighth of the edge as deviation."""
    bells = []
    for n in patch:
        at = (torch.arange(n, dtype=torch.float32) - 0.5 * (n - 1)) / (n / 8.0)
        bells.append(torch.exp(-0.5 * at**2))
    bell = bells[0][:, None, None] * bells[1][None, :, None] * bells[2][None, None, :]
    return bell.clamp_min(1e-4)  # corners count little, but they count


@torch.inference_mode()
def predict(
    network: torch.nn.Module,
    image: torch.Tensor,
    patch: tuple[int, int, int],
    *,
    beyond: tuple[float, ...],
    overlap: float = 0.5,
    where: torch.Tensor | None = None,
    temperature: float = 1.0,
    mirrored: bool = False,
    device: torch.device,
) -> np.ndarray:
    """Probability per voxel and output.

    Patches are weighed by a bell curve. On CUDA and on processors with bf16 arithmetic the network
    runs in bf16.

    Args:
        network: Logits (b, o, i, j, k) of (b, c, i, j, k).
        image: Channels first, (c, i, j, k).
        patch: Voxels of a patch.
        beyond: What each channel holds outside the image, where that is smaller than a patch.
        overlap: Share of the patch edge that neighbours have in common.
        where: Patches that hold none of these voxels are skipped; their probability is 0.
        temperature: What logits are divided by.
        mirrored: Average over the patch as it is and turned round along each axis.
        device: Where to compute.

    Returns:
        (o, i, j, k) float32.

    Raises:
        StudyRejectedError: If the network answers with NaN.
    """
    shape = tuple(int(n) for n in image.shape[1:])
    padded = _pad(image, patch, beyond)
    if where is not None:
        where = _pad(where[None].float(), patch, (0.0,))[0] > 0
    full = tuple(int(n) for n in padded.shape[1:])
    total: torch.Tensor | None = None
    weight = torch.zeros(full)
    bell = _bell(patch)
    for place in places(full, patch, overlap):  # pyright: ignore[reportArgumentType]
        if where is not None and not bool(where[place].any()):
            continue
        part = padded[(slice(None), *place)][None].to(device)
        found = _answer(network, part, temperature, mirrored=mirrored).cpu()
        if total is None:
            total = torch.zeros((found.shape[0], *full))
        total[(slice(None), *place)] += found * bell
        weight[place] += bell
    if total is None:
        raise ValueError("`where` holds no voxel: there is nothing to predict.")
    total /= weight.clamp_min(1e-5)
    answer = total[:, : shape[0], : shape[1], : shape[2]].numpy()
    if not np.isfinite(answer).all():
        raise StudyRejectedError(
            Code.NON_FINITE_OUTPUT,
            f"the network answered NaN for {int((~np.isfinite(answer)).sum())} voxels.",
            hint="Check the weights with `netseg validate --weights FILE`.",
        )
    return answer


def _answer(
    network: torch.nn.Module, part: torch.Tensor, temperature: float, *, mirrored: bool
) -> torch.Tensor:
    """Probabilities (o, i, j, k) of one patch."""
    turns: list[list[int]] = [[], [2], [3], [4]] if mirrored else [[]]
    found = []
    for axes in turns:
        turned = part.flip(axes).contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast(part.device.type, torch.bfloat16, enabled=runs_bf16(part.device)):
            logits = network(turned)
        found.append(torch.sigmoid(logits[0].float() / temperature).flip([a - 1 for a in axes]))
    return torch.stack(found).mean(0)


def _pad(
    image: torch.Tensor, patch: tuple[int, int, int], beyond: tuple[float, ...]
) -> torch.Tensor:
    room = [max(0, p - n) for n, p in zip(image.shape[1:], patch, strict=True)]
    pads = [0, room[2], 0, room[1], 0, room[0]]
    return torch.stack(
        [torch.nn.functional.pad(c, pads, value=v) for c, v in zip(image, beyond, strict=True)]
    )


def runs_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively; elsewhere fp32 is faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
