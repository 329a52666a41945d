"""The trained network for segments as a safetensors file with its card."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from netseg.segment.couinaud_card import SegmentsCard
from netseg.segment.parameters import parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.segment.couinaud_network import SegmentsSpec


def export_segments(
    network: torch.nn.Module,
    spec: SegmentsSpec,
    path: Path,
    *,
    name: str,
    powers: tuple[float, float] = (1.0, 1.0),
    about: Mapping[str, Any],
) -> SegmentsCard:
    """Write the weights in half precision, and the card beside them.

    Args:
        network: As `spec` built it.
        spec: The architecture.
        path: The safetensors file; the card gets the same name with the ending `.json`.
        name: Name of the model.
        powers: How a lesion's mean probabilities turn into frequencies, for segment and lobe.
        about: Training data, intended use, figures, limits.

    Returns:
        The card that was written.

    Raises:
        ValueError: If a weight is not finite in half precision.
    """
    from safetensors.torch import save

    tensors = {
        key: value.to("cpu", torch.float16).contiguous()
        for key, value in parameters_of(network).items()
    }
    broken = [key for key, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ValueError(f"{broken[0]} is not finite in half precision.")
    data = save(tensors)
    card = SegmentsCard(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        tensors={key: tuple(value.shape) for key, value in tensors.items()},
        spec=spec,
        segment_power=powers[0],
        lobe_power=powers[1],
        about=about,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    text = json.dumps(card.to_document(), indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return card
