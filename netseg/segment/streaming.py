"""A network over a whole scan in bounded memory: slices leave as soon as they are settled.

Patches are visited from the first slice to the last. What a slice is, is settled when the last patch
that holds it has been seen; then it is brought to the scan's voxels, decided upon and forgotten. Only
as many slices as a patch is thick are ever held, for two structures (lesion and liver), whatever the
number of classes and the length of the scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from netseg.domain import Code, StudyRejectedError
from netseg.segment.sampling import apply, resize, weights
from netseg.segment.windows import places, runs_bf16

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Float

    from netseg.segment.sampling import Axes

SLAB = 16  # slices that change their voxel size at a time
SomeNetwork = TypeVar("SomeNetwork", bound=torch.nn.Module)
CONVOLUTIONS = (torch.nn.Conv3d, torch.nn.ConvTranspose3d)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """How a network is moved over an image.

    Attributes:
        answer: From one patch (c, i, j, k) to the probabilities of the structures (s, i, j, k).
        structures: How many structures it answers for.
        patch: Voxels of a patch.
        overlap: Share of the patch edge that neighbours have in common.
        beyond: What each channel holds outside the image, where that is smaller than a patch.
    """

    answer: Callable[[torch.Tensor], torch.Tensor]
    structures: int
    patch: tuple[int, int, int]
    overlap: float
    beyond: tuple[float, ...]

    @torch.inference_mode()
    def settled(
        self, image: Float[torch.Tensor, "c i j k"]
    ) -> Iterator[Float[np.ndarray, "s i j n"]]:
        """Probabilities of a few slices after the other, first to last.

        Raises:
            StudyRejectedError: NON_FINITE_OUTPUT.
        """
        shape = tuple(int(n) for n in image.shape[1:])
        padded = self._padded(image)
        full = (int(padded.shape[1]), int(padded.shape[2]), int(padded.shape[3]))
        thick = self.patch[2]
        held = torch.zeros((self.structures, *full[:2], thick))
        trust = torch.zeros((*full[:2], thick))
        bell = _bell(self.patch)
        along = (self.patch[0], self.patch[1], full[2])
        starts = [p[2].start for p in places(along, self.patch, self.overlap)]
        rows = [p[:2] for p in places((*full[:2], thick), self.patch, self.overlap)]
        for start, then in zip(starts, [*starts[1:], full[2]], strict=True):
            for i, j in rows:
                part = padded[:, i, j, start : start + thick]
                held[:, i, j] += self.answer(part) * bell
                trust[i, j] += bell
            done = then - start
            slices = held[..., :done] / trust[..., :done]
            _require_finite(slices)
            last = min(done, shape[2] - start)
            if last > 0:
                yield slices[:, : shape[0], : shape[1], :last].numpy().copy()
            held, trust = _rolled(held, done), _rolled(trust, done)

    def _padded(self, image: torch.Tensor) -> torch.Tensor:
        room = [max(0, p - int(n)) for n, p in zip(image.shape[1:], self.patch, strict=True)]
        if not any(room):
            return image
        pads = [0, room[2], 0, room[1], 0, room[0]]
        return torch.stack(
            [
                torch.nn.functional.pad(c, pads, value=v)
                for c, v in zip(image, self.beyond, strict=True)
            ]
        )


def _rolled(values: torch.Tensor, by: int) -> torch.Tensor:
    """The slices after `by` moved to the front, zeros behind them."""
    moved = torch.zeros_like(values)
    if by < values.shape[-1]:
        moved[..., : values.shape[-1] - by] = values[..., by:]
    return moved


def _bell(patch: tuple[int, int, int]) -> torch.Tensor:
    """Trust in a patch's voxels: most in the middle, an eighth of the edge as deviation."""
    i, j, k = (
        torch.exp(-0.5 * ((torch.arange(n) - 0.5 * (n - 1)) / (n / 8.0)) ** 2) for n in patch
    )
    return (i[:, None, None] * j[None, :, None] * k[None, None, :]).clamp_min(1e-4)


def _require_finite(values: torch.Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise StudyRejectedError(
            Code.NON_FINITE_OUTPUT,
            f"the network answered NaN for {int((~torch.isfinite(values)).sum())} voxels.",
            hint="Check the weights and the scaling of the images in the description.",
        )


def brought_back(
    slices: Iterator[Float[np.ndarray, "s i j n"]], source: Axes, target: Axes
) -> Iterator[tuple[slice, Float[np.ndarray, "s a b n"]]]:
    """Settled slices on the scan's voxels, a few at a time.

    Args:
        slices: Probabilities of consecutive slices on the voxels of `source`.
        source: The network's voxels.
        target: The scan's.

    Yields:
        Which of the scan's slices, and their probabilities.
    """
    i, j, k = (weights(s, t) for s, t in zip(source, target, strict=True))
    held: list[np.ndarray] = []
    first = 0  # the source slice that held[0] begins with
    for start in range(0, len(k), SLAB):
        rows = k[start : start + SLAB]
        used = np.flatnonzero(rows.any(axis=0))
        low, high = int(used[0]), int(used[-1]) + 1
        while first + sum(h.shape[-1] for h in held) < high:
            held.append(next(slices))
        while held and first + held[0].shape[-1] <= low:
            first += held.pop(0).shape[-1]
        place = slice(start, start + len(rows))
        near = np.concatenate(held, axis=-1)[..., low - first : high - first]
        yield place, np.stack([apply(one, (i, j, rows[:, low:high])) for one in near])


def brought_down(values: np.ndarray, axes: Axes, target: Axes) -> Float[np.ndarray, "a b c"]:
    """A scan on the network's voxels, a few slices at a time; averaged where those are coarser."""
    along = weights(axes[2], target[2])
    out = np.empty([axis.count for axis in target], np.float32)
    for start in range(0, target[2].count, SLAB):
        rows = along[start : start + SLAB]
        used = np.flatnonzero(rows.any(axis=0))
        part = values[:, :, int(used[0]) : int(used[-1]) + 1]
        own = (axes[0], axes[1], axes[2].part(int(used[0]), part.shape[2]))
        flat = resize(part, own, (target[0], target[1], own[2]))
        matrix = rows[:, int(used[0]) : int(used[-1]) + 1]
        out[:, :, start : start + SLAB] = np.tensordot(flat, matrix.T, axes=1)
    return out


def in_bf16(device: torch.device) -> torch.autocast:
    """bf16 arithmetic where the device has it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=runs_bf16(device))


def prepared(network: SomeNetwork, device: torch.device) -> SomeNetwork:
    """A network on its device, ready to predict, in the layout and type its convolutions work in.

    Where bf16 is used, `in_bf16` would round the convolutions' weights for every patch anew; they are
    rounded once instead, to the same numbers and half the memory.
    """
    network = network.eval().to(device)
    for part in network.modules():
        if isinstance(part, CONVOLUTIONS):
            if runs_bf16(device):
                part.to(torch.bfloat16)
            part.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
    return network
