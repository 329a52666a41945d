"""Two scans of one patient brought together, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain.errors import Notice
    from netseg.domain.grid import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One check that needs no ground truth.

    Attributes:
        value: What was measured; None where it could not be.
        limit: What is allowed, in words, "at least 0.95".
        passed: Whether the value is allowed; None where it could not be measured.
        decides: Whether failing it makes every margin not assessable.
    """

    value: float | None
    limit: str
    passed: bool | None
    decides: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """Where each point of the fixed scan (the control) lies in the moving one (the planning scan).

    A point x of the fixed scan is found at matrix (x + u(x)) in the moving scan: first the part
    that bends, in the fixed scan's own millimetres, then the rigid one.

    Attributes:
        method: The stages, in words.
        fixed: Grid of the fixed scan.
        moving: Grid of the moving scan.
        matrix: Rigid part, LPS millimetres of the fixed scan to those of the moving one.
        bend_grid: Grid of the bending part in the fixed scan's frame; None for a rigid
            registration.
        bend_mm: u on that grid in LPS millimetres; None for a rigid registration.
        error_mm: Expected target registration error near the lesions (standard deviation of the
            distance, one number); None where it cannot be estimated.
        gates: The checks by name.
        landmarks_mm: Distances between landmark pairs afterwards, where some were given.
        warnings: What the reader must know.
    """

    method: str
    fixed: Grid
    moving: Grid
    matrix: Float[np.ndarray, "4 4"]
    bend_grid: Grid | None = None
    bend_mm: Float[np.ndarray, "i j k 3"] | None = None
    error_mm: float | None = None
    gates: Mapping[str, Gate] = field(default_factory=dict[str, Gate])
    landmarks_mm: tuple[float, ...] = ()
    warnings: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        """Keep the matrix rigid, and the bending part whole."""
        turn = np.asarray(self.matrix)[:3, :3]
        if np.shape(self.matrix) != (4, 4) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6):
            raise ValueError(f"the matrix of a registration is rigid; got\n{self.matrix}.")
        if np.linalg.det(turn) < 0:
            raise ValueError("a registration must not mirror the patient.")
        if (self.bend_grid is None) is not (self.bend_mm is None):
            raise ValueError("bend_grid and bend_mm are given together or not at all.")
        if self.bend_grid is not None and self.bend_mm is not None:
            wanted = (*self.bend_grid.shape, 3)
            if self.bend_mm.shape != wanted:
                raise ValueError(f"bend_mm must have shape {wanted}; got {self.bend_mm.shape}.")

    @property
    def is_trusted(self) -> bool:
        """Whether no deciding gate failed."""
        return all(g.passed is not False for g in self.gates.values() if g.decides)
