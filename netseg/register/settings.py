"""How two scans are registered: the choices a configuration may make."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final


class Engine(StrEnum):
    """Who computes the part of the registration that bends."""

    AUTO = "auto"  # torch where there is a CUDA device, Gauss-Newton elsewhere
    GAUSS_NEWTON = "gauss_newton"
    DEMONS = "demons"
    TORCH = "torch"
    RIGID = "rigid"  # nobody: the rigid part alone


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSettings:
    """The registration of a control scan with a planning scan.

    Attributes:
        engine: Who bends; "auto" takes torch where there is a CUDA device, else
            Gauss-Newton.
        spacing_mm: Voxel edge of the grid on which the scans are compared.
        smoothing_mm: Standard deviation of the Gaussian that keeps the demons' field smooth.
        keep_away_mm: How far around zone and tumour images are not trusted: painted over for the
            bending part, left out of the rigid one.
        device: Device of the torch engine; "auto" is CUDA where there is one.
        check_backwards: Whether the reverse registration is run too, for the error estimate.
    """

    engine: Engine = Engine.AUTO
    spacing_mm: float = 2.0
    smoothing_mm: float = 6.0
    keep_away_mm: float = 3.0
    device: str = "auto"
    check_backwards: bool = True

    def __post_init__(self) -> None:
        """Take the engine by its name, and keep lengths positive."""
        object.__setattr__(self, "engine", Engine(self.engine))
        for name in ("spacing_mm", "smoothing_mm"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be positive; got {value}.")
        if self.keep_away_mm < 0:
            raise ValueError(f"keep_away_mm must not be negative; got {self.keep_away_mm}.")
