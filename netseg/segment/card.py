"""The model card: what a weights file is, and what may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from netseg.segment.networks import NetworkSpec
from netseg.tensor.weights_file import card_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLES = ("liver", "lesions")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCard:
    """One network of a weights file.

    Attributes:
        spec: Its architecture.
        spacing_mm: Voxel edge it was trained at.
        patch: Voxels of a patch it was trained on.
        threshold: Calibrated probability from which a voxel counts.
        temperature: What logits are divided by before they become probabilities (Guo et al., ICML
            2017); fitted on training-side cases. 1 leaves them as they are.
    """

    spec: NetworkSpec
    spacing_mm: float
    patch: tuple[int, int, int]
    threshold: float
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Keep the numbers usable."""
        if not self.spacing_mm > 0 or not 0 < self.threshold < 1:
            raise ValueError(
                f"a network needs a spacing above 0 mm and a threshold in (0, 1); got "
                f"{self.spacing_mm} mm and {self.threshold}."
            )
        if not self.temperature > 0:
            raise ValueError(f"a temperature lies above 0; got {self.temperature}.")
        if any(n % self.spec.multiple for n in self.patch):
            raise ValueError(
                f"patch edges must be multiples of {self.spec.multiple}; got {self.patch}."
            )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The card's entry for one role."""
        spec = document["network"]
        i, j, k = (int(n) for n in document["patch"])
        return cls(
            spec=NetworkSpec(
                inputs=tuple(str(n) for n in spec["inputs"]),
                outputs=tuple(str(n) for n in spec["outputs"]),
                body=str(spec["body"]),
                filters=tuple(int(n) for n in spec["filters"]),
                stride=int(spec["stride"]),
            ),
            spacing_mm=float(document["spacing_mm"]),
            patch=(i, j, k),
            threshold=float(document["threshold"]),
            temperature=float(document["temperature"]),
        )

    def to_document(self) -> dict[str, Any]:
        """The entry as JSON types."""
        return {
            "network": {
                "inputs": list(self.spec.inputs),
                "outputs": list(self.spec.outputs),
                "body": self.spec.body,
                "filters": list(self.spec.filters),
                "stride": self.spec.stride,
            },
            "spacing_mm": self.spacing_mm,
            "patch": list(self.patch),
            "threshold": self.threshold,
            "temperature": self.temperature,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What stands beside a weights file, under the same name with the ending `.json`.

    Attributes:
        name: Name of the model.
        sha256: Checksum of the weights file.
        tensors: Shape of every tensor by its name; role first, as in "liver.model.0.conv.weight".
        networks: The two networks by role.
        about: Training data, intended use, measured figures, what was not measured; for people.
    """

    name: str
    sha256: str
    tensors: Mapping[str, tuple[int, ...]]
    networks: Mapping[str, NetworkCard]
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the card at `path`.

        Raises:
            EnvironmentFaultError: If it is not there or is not a card.
        """
        with card_document(path) as document:
            return cls(
                name=str(document["name"]),
                sha256=str(document["sha256"]),
                tensors={n: tuple(s) for n, s in document["tensors"].items()},
                networks={r: NetworkCard.from_document(document["networks"][r]) for r in ROLES},
                about=document.get("about", {}),
            )

    def to_document(self) -> dict[str, Any]:
        """The card as JSON types."""
        return {
            "schema_version": "1",
            "name": self.name,
            "sha256": self.sha256,
            "networks": {role: card.to_document() for role, card in self.networks.items()},
            "about": dict(self.about),
            "tensors": {name: list(shape) for name, shape in self.tensors.items()},
        }
