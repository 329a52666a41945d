"""The weights of the zone network and their card: what is accepted, and what is refused by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError
from netseg.verify.zone_network import ZoneNetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

SHIPPED = Path(__file__).parent / "weights" / "zone.safetensors"


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
        if not path.is_file():
            raise EnvironmentFaultError(
                Code.WEIGHTS_MISSING,
                f"the model card {path.name} is not beside the weights.",
                file=path.name,
                hint="Copy both files; the card says which network and checksum to expect.",
            )
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
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
        except (KeyError, TypeError, ValueError) as error:
            raise EnvironmentFaultError(
                Code.CORRUPT_CHECKPOINT,
                f"the model card cannot be read: {type(error).__name__} {error}.",
                file=path.name,
                hint="Take the card that was exported together with the weights.",
            ) from error

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
    data = _bytes_of(path)
    card = ZoneCard.read(path.with_suffix(".json"))
    met = hashlib.sha256(data).hexdigest()
    if met != card.sha256:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            f"checksum {met[:12]}… is not the {card.sha256[:12]}… of the model card.",
            file=path.name,
            detail={"expected": card.sha256, "found": met},
            hint="Copy weights and card again from one source.",
        )
    tensors = _parsed(path, data)
    network = card.spec.build()
    _require_layout(path, card, tensors, network.state_dict())
    network.load_state_dict(tensors)
    return card, network.eval()


def _bytes_of(path: Path) -> bytes:
    if path.suffix != ".safetensors":
        raise EnvironmentFaultError(
            Code.UNSAFE_CHECKPOINT,
            f"only safetensors files are read; got {path.name}.",
            file=path.name,
            hint="Convert it where you trust it: safetensors.torch.save_file(state, FILE).",
        )
    if not path.is_file():
        raise EnvironmentFaultError(
            Code.WEIGHTS_MISSING,
            f"there is no weights file {path.name} for ablation zones.",
            file=path.name,
            hint="Outline by contrast (zone._target_=classic_zone), or reinstall netseg.",
        )
    return path.read_bytes()


def _parsed(path: Path, data: bytes) -> dict[str, Tensor]:
    import safetensors
    from safetensors.torch import load

    try:
        tensors = load(data)
    except (safetensors.SafetensorError, json.JSONDecodeError, KeyError) as error:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            f"the file cannot be read as safetensors ({error}).",
            file=path.name,
            hint="It was cut off or changed; copy it again.",
        ) from error
    broken = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise EnvironmentFaultError(
            Code.NON_FINITE_WEIGHTS,
            f"{len(broken)} tensors hold NaN or infinite numbers, {broken[0]} first.",
            file=path.name,
            hint="The training diverged; export an earlier checkpoint.",
        )
    return {name: tensor.float() for name, tensor in tensors.items()}


def _require_layout(
    path: Path, card: ZoneCard, met: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    other = sorted(set(met) ^ set(expected))
    other += sorted(n for n in set(met) & set(expected) if met[n].shape != expected[n].shape)
    if other:
        raise EnvironmentFaultError(
            Code.ARCHITECTURE_MISMATCH,
            f"{len(other)} tensors are not those of {card.name}; {other[0]} first.",
            file=path.name,
            hint="Use the weights together with the card they were exported with.",
        )
