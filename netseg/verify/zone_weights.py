"""The weights of the zone network and their card."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors.torch import load

from netseg.tensor.weights_file import card_document, load_with_card
from netseg.verify.zone_network import ZoneNetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import nn

SHIPPED = Path(__file__).parent / "weights" / "zone.safetensors"
BY_CONTRAST = "Outline by contrast (zone._target_=classic_zone), or reinstall netseg."


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneCard:
    """What stands beside the weights, under the same name with the ending `.json`.

    Attributes:
        name: Name of the model.
        sha256: Checksum of the weights file.
        spec: Its architecture.
        temperature: Logits are divided by it, so that probabilities tell how often they are right.
        sd_gain: Factor from the spread of the probability to the surface's standard deviation.
        sd_floor_mm: Added to that spread in squares: what the probability does not show.
        about: Training data, intended use, measured figures, limits; for people.
    """

    name: str
    sha256: str
    spec: ZoneNetworkSpec
    temperature: float = 1.0
    sd_gain: float = 1.0
    sd_floor_mm: float = 0.4
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Keep the numbers usable."""
        numbers = (self.temperature, self.sd_gain, self.sd_floor_mm)
        if not all(n > 0 for n in numbers):
            raise ValueError(
                f"temperature, sd_gain and sd_floor_mm must be positive; got {numbers}."
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the card at `path`.

        Raises:
            EnvironmentFaultError: If it is not there or is not a card for zones.
        """
        with card_document(path) as document:
            network = document["network"]
            return cls(
                name=str(document["name"]),
                sha256=str(document["sha256"]),
                spec=ZoneNetworkSpec(
                    filters=tuple(int(n) for n in network["filters"]),
                    fine=int(network["fine"]),
                    spacing_mm=float(network["spacing_mm"]),
                ),
                temperature=float(document["temperature"]),
                sd_gain=float(document["sd_gain"]),
                sd_floor_mm=float(document["sd_floor_mm"]),
                about=document.get("about", {}),
            )

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor by its name: the network's own, of which the card says the sizes."""
        return {name: tuple(t.shape) for name, t in self.spec.build().state_dict().items()}

    def to_document(self) -> dict[str, Any]:
        """The card as JSON types."""
        return {
            "schema_version": "1",
            "name": self.name,
            "sha256": self.sha256,
            "network": {
                "filters": list(self.spec.filters),
                "fine": self.spec.fine,
                "spacing_mm": self.spec.spacing_mm,
            },
            "temperature": self.temperature,
            "sd_gain": self.sd_gain,
            "sd_floor_mm": self.sd_floor_mm,
            "about": dict(self.about),
        }


def load_zone_weights(path: Path) -> tuple[ZoneCard, nn.Module]:
    """A network ready to predict, and its card.

    Only safetensors files are read: other checkpoints can run code when opened.

    Raises:
        EnvironmentFaultError: WEIGHTS_MISSING, UNSAFE_CHECKPOINT, CORRUPT_CHECKPOINT,
            ARCHITECTURE_MISMATCH or NON_FINITE_WEIGHTS.
    """
    card, tensors = load_with_card(path, ZoneCard.read, parse=_in_fp32, otherwise=BY_CONTRAST)
    network = card.spec.build()
    network.load_state_dict({name: torch.as_tensor(values) for name, values in tensors.items()})
    return card, network.eval()


def _in_fp32(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file; numpy has no bf16."""
    return {name: tensor.float().numpy() for name, tensor in load(data).items()}
