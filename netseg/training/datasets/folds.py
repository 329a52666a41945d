"""Cross-validation by patient: nobody is on both sides."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def fold_of_patient(patients: Iterable[str], folds: int, seed: int = 0) -> dict[str, int]:
    """Deal patients onto folds, as evenly as their number allows.

    The order comes from a hash of the patient's name, so it depends neither on the order of the
    cases nor on the machine. A patient who joins the set may move others.

    Args:
        patients: Whose cases there are; repeats do not matter.
        folds: Into how many parts.
        seed: Another seed is another split.

    Returns:
        Fold by patient, 0 … folds - 1.

    Raises:
        ValueError: If there are fewer patients than folds, or fewer than two folds.
    """
    each = sorted(set(patients), key=lambda p: hashlib.sha256(f"{seed} {p}".encode()).digest())
    if not 2 <= folds <= len(each):
        raise ValueError(
            f"folds must lie in [2, {len(each)}], the number of patients; got {folds}."
        )
    return {patient: place % folds for place, patient in enumerate(each)}
