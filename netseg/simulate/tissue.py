"""Material numbers of tissue, as data files with their source."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.carried import carried_names, read_carried
from netseg.simulate.conductivity import RisingConductivity
from netseg.simulate.phase import FreezingLaw, PhaseLaw

if TYPE_CHECKING:
    from collections.abc import Mapping

WATER_LATENT_J_KG = 2.26e6
BLOOD_J_M3K = 1060.0 * 3617.0
"""rho c of blood (k-Wave's tissue table)."""
MAY_BE_ZERO = {
    "perfusion_1_s",
    "sigma_rise_1_k",
    "water_fraction",
    "k_rise_1_k",
    "freeze_width_k",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """One homogeneous tissue.

    Attributes:
        k_w_mk: Thermal conductivity.
        rho_kg_m3: Density.
        c_j_kgk: Specific heat.
        perfusion_1_s: Blood volume per tissue volume and second.
        sigma_s_m: Electrical conductivity near 500 kHz at 37 C.
        baseline_c: Temperature of unheated tissue and its blood.
        sigma_rise_1_k: Relative rise of sigma per kelvin.
        water_fraction: Mass share of water that can boil off.
        boil_c: Where boiling begins.
        boil_width_k: Temperature span over which the water leaves.
        dry_j_m3k: rho c of dried tissue.
        freeze_c: Where freezing begins.
        freeze_width_k: Temperature span over which the water freezes.
        freeze_latent_j_kg: Enthalpy given off over that span, per kilogram of tissue.
        ice_k_w_mk: Thermal conductivity of frozen tissue.
        ice_c_j_kgk: Specific heat of frozen tissue.
        k_rise_1_k: Relative rise of thermal conductivity per kelvin, up to boiling.
        name: Name of the set.
        source: Where the numbers are from.
    """

    k_w_mk: float = 0.52
    rho_kg_m3: float = 1079.0
    c_j_kgk: float = 3540.0
    perfusion_1_s: float = 0.0
    sigma_s_m: float = 0.2
    baseline_c: float = 37.0
    sigma_rise_1_k: float = 0.015
    water_fraction: float = 0.74
    boil_c: float = 100.0
    boil_width_k: float = 2.0
    dry_j_m3k: float = 7.98e5
    freeze_c: float = -1.15
    freeze_width_k: float = 7.0
    freeze_latent_j_kg: float = 2.5e5
    ice_k_w_mk: float = 2.0
    ice_c_j_kgk: float = 1860.0
    k_rise_1_k: float = 0.0
    name: str = "explicit"
    source: str = ""

    def __post_init__(self) -> None:
        """Keep every number physical."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, str):
                continue
            may_be_zero = f.name in MAY_BE_ZERO
            signed = f.name in {"baseline_c", "boil_c", "freeze_c"}
            fine = math.isfinite(value) and (signed or value > 0 or (may_be_zero and value == 0))
            if not fine:
                raise StudyRejectedError(
                    Code.SIMULATION_REFUSED,
                    f"tissue {self.name}: {f.name} must be a "
                    f"{'non-negative' if may_be_zero else 'positive'} finite number; got {value}.",
                )

    @property
    def capacity_j_m3k(self) -> float:
        """Rho c of wet tissue."""
        return self.rho_kg_m3 * self.c_j_kgk

    @property
    def perfusion_rate_1_s(self) -> float:
        """W rho_b c_b / (rho c): how fast blood equalises temperature."""
        return self.perfusion_1_s * BLOOD_J_M3K / self.capacity_j_m3k

    @property
    def boiling(self) -> PhaseLaw:
        """Temperature over heat content."""
        latent = self.water_fraction * self.rho_kg_m3 * WATER_LATENT_J_KG
        return PhaseLaw(
            starts_k=self.boil_c - self.baseline_c,
            latent_k=latent / self.capacity_j_m3k,
            width_k=self.boil_width_k,
            dry_slope=self.capacity_j_m3k / self.dry_j_m3k,
        )

    @property
    def conductivity(self) -> RisingConductivity | None:
        """How k follows temperature; None where it does not."""
        if self.k_rise_1_k == 0:
            return None
        return RisingConductivity(
            rise_1_k=self.k_rise_1_k, highest_excess_k=self.boil_c - self.baseline_c
        )

    @property
    def freezing(self) -> FreezingLaw:
        """Temperature over heat content on the cold side."""
        middle = 0.5 * (self.ice_k_w_mk + self.k_w_mk)
        return FreezingLaw(
            starts_k=self.freeze_c - self.baseline_c,
            plateau_k=self.freeze_latent_j_kg / self.c_j_kgk,
            width_k=self.freeze_width_k,
            ice_slope=self.c_j_kgk / self.ice_c_j_kgk,
            mushy_conduction=middle / self.k_w_mk,
            ice_conduction=self.ice_k_w_mk / self.k_w_mk,
        )

    @classmethod
    def parse(cls, document: Mapping[str, Any], where: str) -> Self:
        """Make a tissue of a mapping of numbers.

        Raises:
            StudyRejectedError: If a key is unknown or a value is no number.
        """
        known = {f.name for f in fields(cls)}
        for key, value in document.items():
            if key not in known:
                close = difflib.get_close_matches(str(key), known, 1)
                raise StudyRejectedError(
                    Code.CONFIG_UNKNOWN_KEY,
                    f"{where}: tissue has no property {key!r}; it has {', '.join(sorted(known))}.",
                    hint=f"Did you mean {close[0]!r}?" if close else "",
                )
            wants_text = key in {"name", "source"}
            if isinstance(value, bool) or isinstance(value, str) != wants_text:
                raise StudyRejectedError(
                    Code.CONFIG_TYPE, f"{where}: {key} must be a number; got {value!r}."
                )
        numbers: dict[str, Any] = {
            k: v if isinstance(v, str) else float(v) for k, v in document.items()
        }
        return cls(**numbers)


def tissue_names() -> tuple[str, ...]:
    """Names of the tissue sets that netseg carries."""
    return carried_names("tissues")


@cache
def load_tissue(name: str) -> Tissue:
    """Read one of the tissue sets that netseg carries.

    Raises:
        StudyRejectedError: If there is no set of this name.
    """
    document = read_carried(
        "tissues", name, called="tissue set", otherwise="Or state the numbers in the plan."
    )
    return Tissue.parse({**document, "name": name}, f"tissue file {name}")
