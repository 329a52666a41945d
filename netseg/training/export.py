"""Trained networks as one safetensors file with its model card."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from netseg.segment.card import ROLES, ModelCard, NetworkCard
from netseg.segment.parameters import parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def export(
    networks: Mapping[str, tuple[torch.nn.Module, NetworkCard]],
    path: Path,
    *,
    name: str,
    about: Mapping[str, Any],
) -> ModelCard:
    """Write the weights in half precision, and the card beside them.

    Args:
        networks: Module and card entry by role, "liver" and "lesions".
        path: The safetensors file; the card gets the same name with the ending `.json`.
        name: Name of the model.
        about: Training data, intended use, figures, limits.

    Returns:
        The card that was written.

    Raises:
        ValueError: If a role is missing or a weight is not finite in half precision.
    """
    from safetensors.torch import save

    if set(networks) != set(ROLES):
        raise ValueError(f"a model needs the networks {ROLES}; got {tuple(networks)}.")
    tensors = {
        f"{role}.{key}": value.to("cpu", torch.float16).contiguous()
        for role in ROLES
        for key, value in parameters_of(networks[role][0]).items()
    }
    broken = [key for key, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ValueError(f"{broken[0]} is not finite in half precision.")
    data = save(tensors)
    card = ModelCard(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        tensors={key: tuple(value.shape) for key, value in tensors.items()},
        networks={role: networks[role][1] for role in ROLES},
        about=about,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    text = json.dumps(card.to_document(), indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return card
