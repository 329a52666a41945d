"""What a tracer shows. A tracer that is not in these lists, or not known, shows nothing we may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netseg.domain import Series

RECEPTOR_COMPOUNDS = frozenset({"dotatate", "dotatoc", "dotanoc", "octreotide"})
GLUCOSE_COMPOUNDS = frozenset({"fdg"})
SINGLE_PHOTON = frozenset({"lu177", "in111", "tc99m"})
"""Nuclides imaged by SPECT, also where the file calls itself PT."""

PET_FWHM_MM = 6.0
SPECT_FWHM_MM = 12.0
VOXELS_PER_FWHM = 1.5
"""Assumptions: clinical PET resolves 5 to 7 mm after its usual filter, body SPECT 10 to 15 mm; no
image resolves less than one and a half of its own voxels."""


def shows_receptors(series: Series) -> bool:
    """Whether its uptake tells of somatostatin receptors."""
    return _parts(series)[1] in RECEPTOR_COMPOUNDS


def shows_glucose(series: Series) -> bool:
    """Whether its uptake tells of glucose metabolism."""
    return _parts(series)[1] in GLUCOSE_COMPOUNDS


def nuclide(series: Series) -> str:
    """The nuclide, such as "ga68"; "" where the tracer is unknown."""
    return _parts(series)[0]


def fwhm_mm(series: Series) -> float:
    """How far the image blurs a point, as the full width at half maximum (see the assumptions)."""
    typical = SPECT_FWHM_MM if nuclide(series) in SINGLE_PHOTON else PET_FWHM_MM
    return max(typical, VOXELS_PER_FWHM * max(series.volume.grid.spacing_mm))


def _parts(series: Series) -> tuple[str, str]:
    """Nuclide and compound."""
    name, _, compound = (series.tracer or "").lower().partition("_")
    return name, compound
