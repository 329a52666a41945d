"""What a run read and what it made, as values that survive a trip through JSON."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

HEX_64 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """Data a run reads.

    Attributes:
        name: Such as "lits_crops".
        sha256: Hash over its files, or over the settings that generate it.
        context: "training" or "evaluation".
        facts: Counts, seeds, licence; JSON types. No patient is named.
    """

    name: str
    sha256: str
    context: str = "training"
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A hash is a hash."""
        _require_sha256(self.sha256)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Of `to_document`."""
        return cls(**document)

    def to_document(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "context": self.context,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRecord:
    """One tensor that a model reads or gives.

    Attributes:
        name: Such as "lesions.image".
        shape: Sizes of its axes; -1 where any size is accepted.
        channels: What the channels are, in their order; empty where that is not known.
        dtype: numpy's name of the number type.
    """

    name: str
    shape: tuple[int, ...]
    channels: tuple[str, ...] = ()
    dtype: str = "float32"

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Of `to_document`."""
        return cls(
            name=document["name"],
            shape=tuple(document["shape"]),
            channels=tuple(document["channels"]),
            dtype=document["dtype"],
        )

    def to_document(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "channels": list(self.channels),
            "dtype": self.dtype,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Weights that a run made.

    Attributes:
        name: Name in the registry.
        weights: A safetensors file; its model card lies beside it with the ending `.json`.
        sha256: Checksum of the weights.
        inputs: What the networks read.
        outputs: What they give.
        tags: Configuration hash, data hash and whatever else it is found by.
        alias: What the registered version is called at first.
    """

    name: str
    weights: Path
    sha256: str
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    alias: str = "candidate"

    def __post_init__(self) -> None:
        """Only what may be opened without running it, and only with what says what it is."""
        _require_sha256(self.sha256)
        if self.weights.suffix != ".safetensors":
            raise ValueError(f"weights are a safetensors file; got {self.weights.name}.")
        if not self.inputs or not self.outputs:
            raise ValueError(f"the model {self.name} has no signature: name inputs and outputs.")

    @property
    def card(self) -> Path:
        """The model card."""
        return self.weights.with_suffix(".json")

    @classmethod
    def from_document(cls, document: Mapping[str, Any], folder: Path) -> Self:
        """Of `to_document`, with the weights lying in `folder`."""
        return cls(
            name=document["name"],
            weights=folder / document["weights"],
            sha256=document["sha256"],
            inputs=tuple(TensorRecord.from_document(d) for d in document["inputs"]),
            outputs=tuple(TensorRecord.from_document(d) for d in document["outputs"]),
            tags=document["tags"],
            alias=document["alias"],
        )

    def to_document(self) -> dict[str, Any]:
        """JSON types; the weights by their file's name."""
        return {
            "name": self.name,
            "weights": self.weights.name,
            "sha256": self.sha256,
            "inputs": [tensor.to_document() for tensor in self.inputs],
            "outputs": [tensor.to_document() for tensor in self.outputs],
            "tags": dict(self.tags),
            "alias": self.alias,
        }


def file_sha256(path: Path) -> str:
    """Checksum of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_sha256(files: Iterable[Path], folder: Path) -> str:
    """Checksum of a data set: names relative to `folder` and contents, in the order of the names.

    It moves with the folder, and changes when a file is renamed, added, removed or altered.
    """
    digest = hashlib.sha256()
    for name, path in sorted((p.relative_to(folder).as_posix(), p) for p in files):
        digest.update(f"{name}\n{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def _require_sha256(text: str) -> None:
    if not HEX_64.fullmatch(text):
        raise ValueError(f"a SHA-256 is 64 hexadecimal digits; got {text!r}.")
