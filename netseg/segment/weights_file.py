"""The weights that netseg ships for liver and lesions, and others like them. No torch in here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netseg.segment.card import ModelCard
from netseg.tensor.weights_file import load_with_card

if TYPE_CHECKING:
    import numpy as np

SHIPPED = Path(__file__).parent / "weights" / "any_scan.safetensors"


def check_weights(path: Path | None = None) -> ModelCard:
    """Hold a weights file against its model card, without running anything.

    Args:
        path: The weights; None means those shipped with netseg.

    Returns:
        The card of weights that may be used.

    Raises:
        EnvironmentFaultError: WEIGHTS_MISSING, UNSAFE_CHECKPOINT, CORRUPT_CHECKPOINT,
            ARCHITECTURE_MISMATCH or NON_FINITE_WEIGHTS.
    """
    card, _ = load_weights(path)
    return card


def shipped_weights() -> dict[str, str]:
    """Checksum of the shipped weights by role, after checking them."""
    card = check_weights()
    return dict.fromkeys(card.networks, card.sha256)


def load_weights(path: Path | None = None) -> tuple[ModelCard, dict[str, np.ndarray]]:
    """Read and check a weights file.

    Args:
        path: The weights; None means those shipped with netseg.

    Returns:
        The card, and the tensors by name as numpy arrays.

    Raises:
        EnvironmentFaultError: As `check_weights` says.
    """
    return load_with_card(SHIPPED if path is None else Path(path), ModelCard.read)
