"""The card of the weights for Couinaud's segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from netseg.segment.couinaud_network import SegmentsSpec
from netseg.tensor.weights_file import card_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsCard:
    """What stands beside the weights, under the same name with the ending `.json`.

    Attributes:
        name: Name of the model.
        sha256: Checksum of the weights file.
        tensors: Shape of every tensor by its name.
        spec: Its architecture.
        segment_power: A lesion's mean probabilities are raised to this power and normalised, so
            that they tell how often the named segment is the right one.
        lobe_power: The same for lobes.
        about: Training data, intended use, measured figures, limits; for people.
    """

    name: str
    sha256: str
    tensors: Mapping[str, tuple[int, ...]]
    spec: SegmentsSpec
    segment_power: float = 1.0
    lobe_power: float = 1.0
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Keep the powers usable."""
        if not (self.segment_power > 0 and self.lobe_power > 0):
            raise ValueError(
                f"powers must be positive; got {self.segment_power} and {self.lobe_power}."
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the card at `path`.

        Raises:
            EnvironmentFaultError: If it is not there or is not a card for segments.
        """
        with card_document(path) as document:
            network = document["network"]
            i, j, k = (int(n) for n in network["patch"])
            return cls(
                name=str(document["name"]),
                sha256=str(document["sha256"]),
                tensors={n: tuple(s) for n, s in document["tensors"].items()},
                spec=SegmentsSpec(
                    body=str(network["body"]),
                    filters=tuple(int(n) for n in network["filters"]),
                    patch=(i, j, k),
                    spacing_mm=float(network["spacing_mm"]),
                ),
                segment_power=float(document["segment_power"]),
                lobe_power=float(document["lobe_power"]),
                about=document.get("about", {}),
            )

    def to_document(self) -> dict[str, Any]:
        """The card as JSON types."""
        return {
            "schema_version": "1",
            "name": self.name,
            "sha256": self.sha256,
            "network": {
                "body": self.spec.body,
                "filters": list(self.spec.filters),
                "patch": list(self.spec.patch),
                "spacing_mm": self.spec.spacing_mm,
            },
            "segment_power": self.segment_power,
            "lobe_power": self.lobe_power,
            "about": dict(self.about),
            "tensors": {name: list(shape) for name, shape in self.tensors.items()},
        }
