"""The energy of a run, booked where it passes, so that the balance is a check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Energy that passed, in joules (fp64)."""

    delivered: float = 0.0
    stored: float = 0.0
    latent: float = 0.0
    perfusion: float = 0.0
    coolant: float = 0.0
    boundary: float = 0.0

    @property
    def balance_error(self) -> float:
        """What is missing, over the larger of delivered energy and energy that left."""
        out = self.stored + self.latent + self.perfusion + self.coolant + self.boundary
        scale = max(abs(self.delivered), abs(self.coolant), 1e-30)
        return abs(self.delivered - out) / scale
