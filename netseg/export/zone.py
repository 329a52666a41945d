"""`zone.json`: what is destroyed, or expected to be, as one zone and per ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import AblationZone, Mask, require_same_frame
from netseg.export.document import SCHEMA_VERSION
from netseg.export.shape import diameters_mm, sphericity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool

    from netseg.domain import Grid

APART = 0.999  # zones count as apart when their union has this share of the sum of their volumes


def zone_document(
    zones: AblationZone | Mapping[int, AblationZone], union: AblationZone | None = None
) -> dict[str, Any]:
    """One zone, or the zones of a study by lesion id, as JSON types.

    For several zones, the contract's keys describe their union: energies are sums, the temperature
    is the highest, and what has no meaning for several bodies (diameters, sphericity, trace) is
    null or empty; the volume band is the sum of bands where no two zones touch, else null. The list
    `ablations` has every key per lesion.

    Args:
        zones: A zone, or zones by lesion id.
        union: The union of `zones` where somebody made it already; stands alone when `zones` is
            empty.

    Raises:
        ValueError: If there is no zone.
        FrameMismatchError: If the zones lie in different frames.
    """
    if isinstance(zones, AblationZone):
        return {"schema_version": SCHEMA_VERSION, **_zone(zones)}
    if not zones and union is None:
        raise ValueError("zone.json needs at least one zone; got none.")
    each = {key: _zone(zones[key]) for key in sorted(zones)}
    if len(each) > 1:
        whole = _together([zones[key] for key in sorted(zones)], union)
    else:
        whole = next(iter(each.values())) if union is None or each else _zone(union)
    listed = [{"lesion_id": key, **document} for key, document in each.items()]
    return {"schema_version": SCHEMA_VERSION, **whole, "ablations": listed}


def zone_on(grid: Grid, zones: Mapping[int, AblationZone]) -> Mask:
    """The union of all zones on `grid`; zones of other grids are resampled, soft and cut at half.

    Raises:
        FrameMismatchError: If a zone lies in another frame than `grid`.
    """
    inside = np.zeros(grid.shape, dtype=bool)
    for zone in zones.values():
        require_same_frame("zone on the scan's grid", grid, zone.mask.grid)
        if zone.mask.grid.is_same_as(grid):
            inside |= zone.mask.inside
        else:
            _paint(inside, grid, zone.mask)
    return Mask(inside, grid)


def _paint(inside: Bool[np.ndarray, "i j k"], grid: Grid, mask: Mask) -> None:
    """Add a mask of another grid, looking only where it reaches."""
    from netseg.geometry.resample import resample_mask

    index = grid.to_index(mask.grid.corners_mm())
    low = np.clip(np.floor(index.min(axis=0)).astype(int) - 1, 0, grid.shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 2, 0, grid.shape)
    if (high <= low).any():
        return
    i, j, k = (int(n) for n in low)
    di, dj, dk = (int(n) for n in high - low)
    part = resample_mask(mask, grid.crop((i, j, k), (di, dj, dk)))
    inside[i : i + di, j : j + dj, k : k + dk] |= part.inside


def _zone(zone: AblationZone) -> dict[str, Any]:
    diameters = diameters_mm(zone.mask)
    return {
        "evidence": zone.evidence.value,
        "volume_ml": zone.mask.volume_ml,
        "volume_band_ml": None if zone.volume_band_ml is None else list(zone.volume_band_ml),
        "diameters_mm": None if diameters is None else list(diameters),
        "sphericity": sphericity(zone.mask),
        "max_temperature_c": zone.max_temperature_c,
        "energy_j": dict(zone.energy_j),
        "trace": {name: list(values) for name, values in zone.trace.items()},
        "model": dict(zone.provenance),
    }


def _together(zones: list[AblationZone], union: AblationZone | None) -> dict[str, Any]:
    mask = _united(zones) if union is None else union.mask
    summed = sum(z.mask.volume_ml for z in zones)
    bands = [z.volume_band_ml for z in zones if z.volume_band_ml is not None]
    apart = mask.volume_ml >= APART * summed and len(bands) == len(zones)
    temperatures = [z.max_temperature_c for z in zones if z.max_temperature_c is not None]
    weakest = next((z.evidence for z in zones if z.evidence == "simulated"), zones[0].evidence)
    return {
        "evidence": weakest.value,
        "volume_ml": mask.volume_ml,
        "volume_band_ml": [sum(b[0] for b in bands), sum(b[1] for b in bands)] if apart else None,
        "diameters_mm": None,
        "sphericity": None,
        "max_temperature_c": max(temperatures, default=None),
        "energy_j": _energies(zones),
        "trace": {},
    }


def _united(zones: list[AblationZone]) -> Mask:
    finest = min(zones, key=lambda z: z.mask.grid.voxel_volume_ml).mask.grid
    return zone_on(_covering(finest, zones), dict(enumerate(zones)))


def _covering(grid: Grid, zones: list[AblationZone]) -> Grid:
    """`grid` continued as far as any zone reaches."""
    reach = [grid.to_index(z.mask.grid.to_mm(np.argwhere(z.mask.inside))) for z in zones]
    corners = np.concatenate(
        [np.array([r.min(0), r.max(0)]) for r in reach if len(r)] or [[[0, 0, 0]]]
    )
    low = np.floor(corners.min(axis=0)).astype(int) - 1
    high = np.ceil(corners.max(axis=0)).astype(int) + 2
    i, j, k = (int(n) for n in low)
    di, dj, dk = (int(n) for n in high - low)
    return grid.crop((i, j, k), (di, dj, dk))


def _energies(zones: list[AblationZone]) -> dict[str, float]:
    """Sums by name; of the relative balance errors, the worst."""
    names = list(dict.fromkeys(name for zone in zones for name in zone.energy_j))
    return {
        name: (max if name == "balance_error" else sum)(z.energy_j.get(name, 0.0) for z in zones)
        for name in names
    }
