"""A described network at work: its own axes, voxels and scale, netseg's patches and memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.domain import Code, EnvironmentFaultError, UsageError
from netseg.segment.description import LETTERS
from netseg.segment.intensity import outside
from netseg.segment.monai_networks import make_network
from netseg.segment.norms import keep_layout
from netseg.segment.streaming import Sweep, brought_down, in_bf16, prepared
from netseg.segment.wanted import channels_of
from netseg.tensor.compiler import compiled
from netseg.tensor.weights_file import load_with_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float

    from netseg.segment.description import Description, Intensity
    from netseg.segment.sampling import Axes

LESION, LIVER = range(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """What the weights must hold, for the checks that every weights file passes."""

    name: str
    sha256: str
    tensors: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DescribedNetwork:
    """A network with its description.

    Attributes:
        described: What it is and wants.
        module: The network, on `device`, ready to predict.
        device: Where it computes.
        sha256: Checksum of its weights.
    """

    described: Description
    module: torch.nn.Module
    device: torch.device
    sha256: str

    def voxels(self, axes: Axes) -> Axes:
        """Its voxels over the extent of a scan's, axes along L, P, S."""
        spacing_mm = _along_lps(self.described.orientation, self.described.spacing_mm)
        i, j, k = (a.with_spacing(float(s)) for a, s in zip(axes, spacing_mm, strict=True))
        return i, j, k

    def image(
        self, scans: Sequence[np.ndarray], axes: Axes, target: Axes
    ) -> Float[torch.Tensor, "c i j k"]:
        """Scans (axes along L, P, S) on its voxels and in its scale."""
        image = torch.empty((len(scans), *(axis.count for axis in target)))
        pairs = zip(scans, self.described.intensities, strict=True)
        for channel, (scan, scale) in enumerate(pairs):
            image[channel] = scaled(torch.from_numpy(brought_down(scan, axes, target)), scale)
        return image

    def sweep(self, overlap: float | None = None) -> Sweep:
        """How it is moved over an image: patches turned to its axes and back."""
        described = self.described
        i, j, k = (int(n) for n in _along_lps(described.orientation, described.patch))
        beyond = [
            float(scaled(torch.tensor([outside(channels_of(word)[0])]), scale)[0])
            if scale.kind != "per_image"
            else 0.0
            for word, scale in zip(described.channels, described.intensities, strict=True)
        ]
        return Sweep(
            answer=self.answer,
            structures=2,
            patch=(i, j, k),
            overlap=described.overlap if overlap is None else overlap,
            beyond=tuple(beyond),
        )

    def answer(self, part: Float[torch.Tensor, "c i j k"]) -> Float[torch.Tensor, "2 i j k"]:
        """Probability of lesion and of liver in one patch."""
        order, flips = _turn(self.described.orientation)
        turned = part.permute(0, *(1 + a for a in order)).flip(flips)[None].to(self.device)
        with in_bf16(self.device):
            found = self.module(turned.contiguous(memory_format=torch.channels_last_3d))
        if isinstance(found, (list, tuple)):
            found = found[0]
        logits = found[0].float().cpu().flip(flips)
        return _structures(
            logits.permute(0, *(1 + order.index(a) for a in range(3))), self.described
        )


def load_network(
    described: Description, weights: Path, device: torch.device, *, is_compiled: bool = False
) -> DescribedNetwork:
    """Build a described network and fill it with its weights.

    The network is first built without memory, to hold its tensors against the file's and its
    patch against its levels; only then with memory.

    Args:
        described: What to build.
        weights: A safetensors file.
        device: Where it shall compute.
        is_compiled: Compile it when it is first called.

    Raises:
        UsageError: If there is no such network or argument, or patch, channels or labels do not
            fit it.
        EnvironmentFaultError: As `netseg.segment.weights_file.check_weights` says.
    """
    with torch.device("meta"):
        drawn = make_network(described.network, described.arguments).eval()
    _require_fit(described, drawn)
    shapes = {name: tuple(t.shape) for name, t in drawn.state_dict().items()}

    def layout(_: Path) -> _Layout:
        met = described.sha256
        if met is None:
            with weights.open("rb") as file:
                met = hashlib.file_digest(file, "sha256").hexdigest()
        return _Layout(name=described.name, sha256=met, tensors=shapes)

    card, tensors = load_with_card(weights, layout)
    try:
        module = _filled(drawn, described, tensors)
    except RuntimeError as error:
        raise EnvironmentFaultError(
            Code.ARCHITECTURE_MISMATCH,
            f"the weights do not fit {described.network} as described.",
            file=weights.name,
        ) from error
    module = prepared(keep_layout(module), device)
    if is_compiled:
        compiled(module)
    return DescribedNetwork(described=described, module=module, device=device, sha256=card.sha256)


def _filled(
    drawn: torch.nn.Module, described: Description, tensors: dict[str, np.ndarray]
) -> torch.nn.Module:
    """The network with its weights; random ones, as a new network has, are never made.

    A network that keeps something beside its weights is built in memory after all.
    """
    state = {name: torch.from_numpy(values).float() for name, values in tensors.items()}
    drawn.load_state_dict(state, assign=True)
    if not any(b.is_meta for b in drawn.buffers()):
        return drawn
    module = make_network(described.network, described.arguments).eval()
    module.load_state_dict(state)
    return module


def scaled(values: Float[torch.Tensor, "*ijk"], scale: Intensity) -> Float[torch.Tensor, "*ijk"]:
    """An image in a network's scale."""
    if scale.kind == "window":
        assert scale.low is not None
        assert scale.high is not None
        share = (values.clamp(scale.low, scale.high) - scale.low) / (scale.high - scale.low)
        return scale.to[0] + share * (scale.to[1] - scale.to[0])
    if scale.kind == "normalise":
        cut = values
        if scale.low is not None or scale.high is not None:
            cut = values.clamp(scale.low, scale.high)
        return (cut - scale.mean) / scale.sd
    used = values[values != 0] if scale.nonzero else values
    if used.numel() < 2:
        return torch.zeros_like(values)
    even = (values - used.mean()) / used.std(correction=0).clamp_min(1e-8)
    return torch.where(values != 0, even, values) if scale.nonzero else even


def _require_fit(described: Description, drawn: torch.nn.Module) -> None:
    """Refuse a patch, a number of channels or a label that the network cannot have."""
    patch = torch.zeros((1, len(described.channels), *described.patch), device="meta")
    try:
        with torch.inference_mode():
            found = drawn(patch)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{described.network} cannot take {len(described.channels)} channels of "
            f"{'x'.join(map(str, described.patch))} voxels: {str(error).splitlines()[0]}",
            hint="Check inputs (one per in_channels) and patch (a multiple of all strides).",
        ) from error
    shape = (found[0] if isinstance(found, (list, tuple)) else found).shape
    highest = max((*described.lesion, *(described.liver or ())))
    if tuple(shape[2:]) != described.patch or highest >= shape[1]:
        raise UsageError(
            Code.LABEL_UNKNOWN,
            f"{described.network} answers with {shape[1]} channels of "
            f"{'x'.join(str(int(n)) for n in shape[2:])} voxels; labels name channel {highest} and "
            f"the patch is {'x'.join(map(str, described.patch))}.",
            hint="Channels count from 0, the background's among them.",
        )


def _structures(
    logits: Float[torch.Tensor, "o i j k"], described: Description
) -> Float[torch.Tensor, "2 i j k"]:
    out = torch.zeros((2, *logits.shape[1:]))
    independent = described.output == "sigmoid"
    likely = torch.sigmoid(logits) if independent else torch.softmax(logits, dim=0)
    for place, labels in ((LESION, described.lesion), (LIVER, described.liver)):
        if labels is not None:
            own = likely[list(labels)]
            out[place] = own.amax(0) if independent else own.sum(0)
    return out


def _turn(orientation: str) -> tuple[tuple[int, int, int], list[int]]:
    """For each of the network's axes the axis of L, P, S, and which of them run the other way.

    Numbers of the flipped axes count with the channel axis in front.
    """
    a, b, c = (LETTERS[letter] for letter in orientation)
    flips = [n + 1 for n, (_, sign) in enumerate((a, b, c)) if sign < 0]
    return (a[0], b[0], c[0]), flips


def _along_lps(orientation: str, values: Sequence[float]) -> list[float]:
    """Values per axis of the network as values per L, P, S."""
    order, _ = _turn(orientation)
    return [values[order.index(axis)] for axis in range(3)]
